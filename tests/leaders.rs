//! Two operators at once: only the leader acts, another takes over when it is gone, and one that wakes up too late stops.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod harness;

use carpack_api::order::LineState;
use carpack_simulator::{Effect, Fault, FaultId, When};
use carpack_testkit::{Exit, GuardedProcess};
use harness::{PATIENCE, PROJECT, World, expiration};
use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;

/// The process leads another way: it stops, with this code.
const LEASE_LOST: Exit = Exit::Code(3);

/// A world whose first operator leads, and a second operator that stands by.
async fn two() -> (World, GuardedProcess) {
    let world = World::start().await;
    world.until_log("leading").await;
    let second = world.launch();
    world.until_log("another process leads").await;
    (world, second)
}

async fn holder(world: &World) -> String {
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), &world.treasury);
    leases.get("carpack").await.unwrap().spec.unwrap().holder_identity.unwrap_or_default()
}

/// Waits until another process than this one leads.
async fn until_taken_over(world: &World, from: &str) {
    let look = async || match holder(world).await {
        now if now == from || now.is_empty() => Err(now),
        _ => Ok(()),
    };
    carpack_testkit::eventually(PATIENCE, "another leader", look).await.unwrap_or_else(|e| world.fail(&e.to_string()));
}

async fn until_held(world: &World, when: When) -> FaultId {
    let held = world.simulator.add_fault(Fault::on("CreateInstance", Effect::Hold { when }).times(1)).unwrap();
    world.apply("concert", json!({"project": PROJECT, "quantity": 3})).await;
    world.until_cloud("the purchase is held", |simulator| simulator.holding(held) == 1).await;
    held
}

async fn bought_once(world: &World) {
    world.until_order("concert", "buy-1", "Fulfilled").await;
    world.until_ready("concert").await;
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.simulator.ledger().len(), world.simulator.instances().len()), (1, 1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_only_the_leader_acts() {
    let (world, second) = two().await;
    let leader = holder(&world).await;
    world.apply("concert", json!({"project": PROJECT, "quantity": 3})).await;
    bought_once(&world).await;
    let expiry = expiration(&world.pack("concert").await).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "Fulfilled").await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
    assert_eq!((world.asked("CreateInstance"), world.asked("RenewInstance")), (1, 3));
    assert_eq!(holder(&world).await, leader);
    let log = std::fs::read_to_string(second.log()).unwrap();
    assert!(!log.contains("sending a paid call") && !log.contains("an order was created"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_leader_was_killed_in_the_middle_of_a_purchase_the_other_takes_over_and_buys_nothing_again() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    until_held(&world, When::AfterCommit).await;
    world.kill_operator();
    world.adopt_operator(second);
    until_taken_over(&world, &leader).await;
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stops_in_order_hands_over_at_once() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    world.stop_operator().await;
    assert_ne!(holder(&world).await, leader, "the lease is given back");
    world.adopt_operator(second);
    world.apply("concert", json!({"project": PROJECT, "quantity": 3})).await;
    bought_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_frozen_and_wakes_up_after_another_took_over_stops_without_acting() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    world.operator().pause().unwrap();
    world.apply("concert", json!({"project": PROJECT, "quantity": 3})).await;
    until_taken_over(&world, &leader).await;
    bought_once(&world).await;
    let asked = world.asked("CreateInstance");
    let frozen = world.adopt_operator(second).unwrap();
    frozen.resume().unwrap();
    assert_eq!(frozen.wait(PATIENCE).await.unwrap(), LEASE_LOST);
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_frozen_while_its_purchase_is_on_its_way_wakes_up_beside_another_and_it_is_bought_once() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    let held = until_held(&world, When::BeforeCommit).await;
    world.operator().pause().unwrap();
    until_taken_over(&world, &leader).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    world.simulator.release(held).unwrap();
    let frozen = world.adopt_operator(second).unwrap();
    frozen.resume().unwrap();
    assert_eq!(frozen.wait(PATIENCE).await.unwrap(), LEASE_LOST);
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
    let order = world.until_order("concert", "buy-1", "Fulfilled").await;
    assert_eq!(order.status.unwrap().lines[0].state, LineState::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_frozen_while_its_purchase_got_lost_does_not_send_it_again_when_the_other_has() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    let held = until_held(&world, When::BeforeCommit).await;
    world.operator().pause().unwrap();
    world.simulator.remove_fault(held).unwrap();
    until_taken_over(&world, &leader).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    world.advance_minutes(8);
    bought_once(&world).await;
    let frozen = world.adopt_operator(second).unwrap();
    frozen.resume().unwrap();
    assert_eq!(frozen.wait(PATIENCE).await.unwrap(), LEASE_LOST);
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 2);
}
