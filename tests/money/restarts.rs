//! The operator is killed or stopped around a paid call: each purchase and renewal is charged exactly once.

use carpack_api::order::LineState;
use carpack_api::{ORDER_FINALIZER, PackOrder};
use carpack_simulator::{FaultId, When};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use crate::harness::{PATIENCE, PROJECT, QUARANTINE, Setup, World};

/// A world in which the cloud holds the renewal of the instance that is renewed second of three, and when the three expire.
async fn second_renewal_held(when: When) -> (World, Timestamp, FaultId) {
    let world = World::start().await;
    let expiry = world.three().await;
    let mut ids = world.ids();
    ids.sort();
    let held = world.hold_renewal(&ids[1], when);
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_held(held).await;
    (world, expiry, held)
}

/// Bought once, by one order, and Ready.
async fn bought_once(world: &World) {
    world.until_order("concert", "buy-1", "Fulfilled").await;
    world.bought_once().await;
    assert_eq!(world.all_orders().await.len(), 1);
}

fn line(order: &PackOrder, index: usize) -> LineState {
    order.status.as_ref().unwrap().lines[index].state
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_purchase_is_on_its_way_that_never_arrives_it_is_bought_once_after_the_quarantine() {
    let mut world = World::start().await;
    let held = world.purchase_held(When::BeforeCommit).await;
    world.kill_operator();
    world.simulator.remove_fault(held).unwrap();
    assert_eq!(world.simulator.ledger(), []);
    world.start_operator();
    world.until_order("concert", "buy-1", "Ambiguous").await;
    world.until_condition("concert", "Ready", "False OrderAmbiguous").await;
    world.sweeps(3).await;
    assert_eq!(world.asked("CreateInstance"), 1, "nothing is concluded from an absence within the quarantine");
    world.advance_minutes(QUARANTINE);
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_purchase_is_on_its_way_that_arrives_later_it_is_recognised() {
    let mut world = World::start().await;
    let held = world.purchase_held(When::BeforeCommit).await;
    world.kill_operator();
    world.start_operator();
    world.until_order("concert", "buy-1", "Ambiguous").await;
    world.sweeps(2).await;
    assert_eq!(world.simulator.release(held).unwrap(), 1);
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_a_purchase_was_paid_and_before_its_answer_it_is_recognised_by_its_name() {
    let mut world = World::start().await;
    world.purchase_held(When::AfterCommit).await;
    world.kill_operator();
    assert_eq!(world.bought(), 1);
    world.start_operator();
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
    assert_eq!(world.projects(), vec![Some(PROJECT.to_owned()); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_renewal_of_the_second_instance_never_arrives_each_is_renewed_once() {
    let (mut world, expiry, held) = second_renewal_held(When::BeforeCommit).await;
    world.kill_operator();
    world.simulator.remove_fault(held).unwrap();
    assert_eq!(world.renewed(), 1, "the first, and not the second");
    world.start_operator();
    world.until_order("concert", "renew-1", "Ambiguous").await;
    world.sweeps(3).await;
    assert_eq!(world.renewed(), 1, "nothing is spent on the pack while an outcome is unknown");
    world.advance_minutes(QUARANTINE);
    world.renewed_once_each(expiry).await;
    assert_eq!(world.asked("RenewInstance"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_second_instance_was_renewed_and_before_the_answer_each_is_renewed_once() {
    let (mut world, expiry, _) = second_renewal_held(When::AfterCommit).await;
    world.kill_operator();
    world.start_operator();
    world.renewed_once_each(expiry).await;
    assert_eq!(world.asked("RenewInstance"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_a_late_renewal_of_the_second_instance_is_carried_out_each_is_renewed_once() {
    let (mut world, expiry, held) = second_renewal_held(When::BeforeCommit).await;
    world.kill_operator();
    world.start_operator();
    world.until_order("concert", "renew-1", "Ambiguous").await;
    assert_eq!(world.simulator.release(held).unwrap(), 1);
    world.renewed_once_each(expiry).await;
    assert_eq!(world.asked("RenewInstance"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_a_purchase_is_under_way_it_waits_for_the_answer_and_records_it() {
    let mut world = World::start().await;
    let held = world.purchase_held(When::AfterCommit).await;
    world.operator().signal("TERM").unwrap();
    world.until_log("signal").await;
    world.simulator.release(held).unwrap();
    world.stop_operator().await;
    let order = world.orders().get(&world.order_name("concert", "buy-1")).await.unwrap();
    assert_eq!(line(&order, 0), LineState::Committed);
    assert_eq!(order.status.unwrap().lines[0].instance_ids.len(), 3);
    world.start_operator();
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_a_purchase_gets_no_answer_it_records_that_the_outcome_is_unknown() {
    let mut world = World::start().await;
    let held = world.purchase_held(When::BeforeCommit).await;
    world.stop_operator().await;
    let order = world.orders().get(&world.order_name("concert", "buy-1")).await.unwrap();
    assert_eq!(line(&order, 0), LineState::Unknown);
    world.simulator.release(held).unwrap();
    world.start_operator();
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_between_the_renewals_of_three_instances_the_rest_is_renewed_after_the_start() {
    let (mut world, expiry, held) = second_renewal_held(When::AfterCommit).await;
    world.operator().signal("TERM").unwrap();
    world.until_log("signal").await;
    world.simulator.release(held).unwrap();
    world.stop_operator().await;
    assert_eq!(world.renewed(), 2, "nothing new is begun while it stops");
    world.start_operator();
    world.renewed_once_each(expiry).await;
    assert_eq!(world.asked("RenewInstance"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_from_the_first_moment_on_it_buys_once() {
    let mut world = World::without_operator(Setup::default()).await;
    world.apply_three().await;
    for action in ["DescribeRenewInstances", "DescribeConcurrentPackages", "CreateInstance", "DescribeDealsByCond"] {
        let held = world.hold(action, When::AfterCommit);
        world.start_operator();
        world.until_held(held).await;
        world.kill_operator();
        world.simulator.release(held).unwrap();
    }
    world.start_operator();
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_in_flight_is_not_lost_when_somebody_deletes_it() {
    let mut world = World::start().await;
    world.purchase_held(When::AfterCommit).await;
    world.kill_operator();
    let name = world.order_name("concert", "buy-1");
    world.orders().delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    let order = world.orders().get(&name).await.unwrap();
    assert!(order.finalizers().iter().any(|finalizer| finalizer == ORDER_FINALIZER));
    world.start_operator();
    world.until_ready("concert").await;
    carpack_testkit::watch_until_gone(&world.orders(), &name, PATIENCE).await.unwrap();
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1), "what was bought is not bought again");
    world.until_ready("concert").await;
}
