//! The cloud is unreachable, refuses everything, sends garbage or shows stale lists: nothing is spent twice, unknown things are
//! reported as unknown, and the operator goes on by itself when the cloud is back.

use carpack_simulator::{Effect, Fault};
use jiff::SignedDuration;
use kube::ResourceExt;
use serde_json::json;

use crate::harness::status::{condition, condition_with_reason, expiration, message, reason_of};
use crate::harness::{PROJECT, World};

fn down(world: &World) {
    world.simulator.add_fault(Fault::on("*", Effect::Drop { commit: false })).unwrap();
}

fn up(world: &World) {
    world.simulator.clear_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_cloud_is_down_a_new_pack_waits_and_is_bought_when_it_is_back() {
    let world = World::start().await;
    world.until_account("True Ready").await;
    down(&world);
    world.until_account("False CloudUnreachable").await;
    world.apply_three().await;
    let pack = world.until_reason("concert", "CloudUnreachable").await;
    assert!(message(&pack, "Ready").contains("tried again"), "{}", message(&pack, "Ready"));
    assert_eq!(world.asked("CreateInstance"), 0);
    up(&world);
    world.bought_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_is_down_when_a_renewal_is_due_delays_it_until_it_is_back() {
    let world = World::start().await;
    let expiry = world.three().await;
    down(&world);
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_condition("concert", "Ready", "Unknown ObservationStale").await;
    world.until_condition("concert", "RenewalOnTrack", "False CloudUnreachable").await;
    assert_eq!(world.asked("RenewInstance"), 0);
    up(&world);
    world.renewed_once_each(expiry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_goes_down_after_the_first_of_three_renewals_gets_the_others_when_it_is_back() {
    let world = World::start().await;
    let expiry = world.three().await;
    let fault = Fault::on("RenewInstance", Effect::HttpStatus { status: 503, commit: false }).skipping(1);
    world.simulator.add_fault(fault).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "Ambiguous").await;
    down(&world);
    world.until_account("False CloudUnreachable").await;
    world.advance_minutes(8);
    world.until_condition("concert", "Ready", "True Active").await;
    assert_eq!(world.renewed(), 1);
    up(&world);
    world.renewed_once_each(expiry).await;
    assert_eq!(world.asked("RenewInstance"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_is_unknown_when_the_last_sweep_is_too_old_and_false_at_expiry_though_the_cloud_is_down() {
    let world = World::start().await;
    let expiry = world.three().await;
    down(&world);
    world.advance_minutes(11);
    let pack = world.until_condition("concert", "Ready", "Unknown ObservationStale").await;
    assert!(message(&pack, "Ready").contains("too long ago"), "{}", message(&pack, "Ready"));
    assert_eq!(expiration(&pack), Some(expiry));
    world.go_to(expiry - SignedDuration::from_secs(2));
    let pack = world.until_condition("concert", "Ready", "False Expired").await;
    assert!(world.simulator.now() >= expiry, "not before it has expired");
    assert_eq!(condition_with_reason(&pack, "RenewalOnTrack"), "False Missed");
    up(&world);
    world.until_account("True Ready").await;
    world.sweeps(2).await;
    assert_eq!(reason_of(&world.pack("concert").await), "Expired");
    assert_eq!(world.simulator.ledger().len(), 1, "what has expired is not bought again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_429_delays_a_purchase_and_charges_once() {
    let world = World::start().await;
    world.simulator.add_fault(Fault::on("*", Effect::RateLimitStorm { seconds: 8.0 })).unwrap();
    world.until_account("False RateLimited").await;
    world.apply_three().await;
    world.until_reason("concert", "RateLimited").await;
    world.bought_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_429_on_paid_calls_alone_is_tried_again_with_growing_intervals() {
    let world = World::start().await;
    let expiry = world.three().await;
    let storm = Effect::Refuse { code: "RequestLimitExceeded.UinLimitExceeded".into(), message: "slow down".into() };
    let fault = world.simulator.add_fault(Fault::on("RenewInstance", storm)).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_condition("concert", "RenewalOnTrack", "False RateLimited").await;
    world.until_cloud("attempts", |s| s.requests().iter().filter(|r| r.action == "RenewInstance").count() >= 6).await;
    assert_eq!(world.renewed(), 0);
    world.simulator.remove_fault(fault).unwrap();
    world.renewed_once_each(expiry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_cannot_be_read_are_named_and_nothing_is_bought_on_their_word() {
    let world = World::start().await;
    world.until_account("True Ready").await;
    world.simulator.add_fault(Fault::on("DescribeConcurrentPackages", Effect::Garbage { commit: true })).unwrap();
    world.until_account("False Garbled").await;
    world.apply_three().await;
    world.until_reason("concert", "Garbled").await;
    assert_eq!(world.asked("CreateInstance"), 0);
    up(&world);
    world.bought_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_of_the_second_instance_whose_answer_is_garbage_is_known_by_its_expiry() {
    let world = World::start().await;
    let expiry = world.three().await;
    let second = world.ids().swap_remove(1);
    let fault = Fault::on("RenewInstance", Effect::Garbage { commit: true }).containing(&second).times(1);
    world.simulator.add_fault(fault).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.renewed_once_each(expiry).await;
    assert_eq!(world.asked("RenewInstance"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_do_not_show_a_purchase_yet_do_not_make_it_bought_again() {
    let world = World::start().await;
    world.until_account("True Ready").await;
    for list in ["DescribeRenewInstances", "DescribeConcurrentPackages", "DescribeDealsByCond"] {
        world.simulator.add_fault(Fault::on(list, Effect::StaleLists { seconds: 3600 })).unwrap();
    }
    world.apply_three().await;
    world.until_reason("concert", "AwaitingDelivery").await;
    world.advance_minutes(20);
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));
    up(&world);
    world.bought_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_do_not_show_a_renewal_yet_do_not_make_it_renewed_again() {
    let world = World::start().await;
    let expiry = world.three().await;
    world.go_to(expiry - SignedDuration::from_hours(6) - SignedDuration::from_mins(2));
    for list in ["DescribeRenewInstances", "DescribeConcurrentPackages"] {
        world.simulator.add_fault(Fault::on(list, Effect::StaleLists { seconds: 3600 })).unwrap();
    }
    world.advance_minutes(5);
    world.until_order("concert", "renew-1", "InProgress").await;
    world.until_cloud("renewed", |s| s.ledger().len() == 4).await;
    world.advance_minutes(20);
    world.sweeps(3).await;
    assert_eq!((world.renewed(), world.asked("RenewInstance"), world.all_orders().await.len()), (3, 3, 2));
    up(&world);
    world.renewed_once_each(expiry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_shift_while_they_are_read_do_not_lose_an_instance_for_good_nor_buy_one() {
    let world = World::start().await;
    world.apply("big", json!({"quantity": 100, "project": PROJECT})).await;
    world.apply_three().await;
    world.until_ready("big").await;
    world.until_ready("concert").await;
    for list in ["DescribeRenewInstances", "DescribeConcurrentPackages"] {
        world.simulator.add_fault(Fault::on(list, Effect::ShiftingLists {})).unwrap();
    }
    world.sweeps(4).await;
    assert_eq!((world.bought(), world.all_orders().await.len()), (2, 2));
    up(&world);
    world.until_ready("big").await;
    world.until_ready("concert").await;
    assert_eq!(world.simulator.ledger().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_expired_while_the_operator_was_down_is_reported_and_nothing_is_bought() {
    let mut world = World::start().await;
    let expiry = world.three().await;
    world.stop_operator().await;
    world.go_to(expiry + SignedDuration::from_hours(1));
    world.start_operator();
    let pack = world.until_condition("concert", "Ready", "False Expired").await;
    assert_eq!(condition_with_reason(&pack, "RenewalOnTrack"), "False Missed");
    assert!(
        message(&pack, "Ready").contains("to buy anew, run kubectl delete concurrencypack concert -n "),
        "{}",
        message(&pack, "Ready")
    );
    world.event("concert", "Expired").await;
    world.go_to(expiry + SignedDuration::from_hours(24 * 9));
    world.until_cloud("the cloud has removed it", |s| s.instances().is_empty()).await;
    world.sweeps(3).await;
    assert_eq!(reason_of(&world.pack("concert").await), "Expired");
    assert_eq!((world.simulator.ledger().len(), world.all_orders().await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_fell_due_while_the_operator_was_down_is_made_up_for_before_the_expiry() {
    let mut world = World::start().await;
    let expiry = world.three().await;
    world.kill_operator();
    world.go_to(expiry - SignedDuration::from_mins(10));
    world.start_operator();
    world.renewed_once_each(expiry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_manifest_applied_again_after_it_ended_buys_nothing() {
    let world = World::start().await;
    let closes = world.simulator.now() + SignedDuration::from_hours(2);
    let last_years = json!({"project": PROJECT, "quantity": 3, "renewal": {"mode": "None"},
        "purchaseWindow": {"notAfter": closes.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}});
    world.apply("concert", last_years.clone()).await;
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    world.go_to(expiry + SignedDuration::from_mins(1));
    let ended = world.until_condition("concert", "Ended", "True Ended").await;
    assert_eq!(condition(&ended, "Ready"), "", "what has ended as planned is not unready");
    world.apply("concert", last_years.clone()).await;
    world.sweeps(2).await;
    assert_eq!(reason_of(&world.pack("concert").await), "Ended");
    world.delete("concert").await;
    world.gone("concert").await;
    let again = world.apply("concert", last_years).await;
    assert_ne!(again.uid(), ended.uid());
    world.until_condition("concert", "Ended", "True WindowClosed").await;
    world.sweeps(2).await;
    assert_eq!((world.simulator.ledger().len(), world.all_orders().await.len()), (1, 1));
}
