//! Purchases that are paid, and delivered late, in part or not at all.
// Amounts are in cents: 315_00 is 315.00.
#![allow(clippy::inconsistent_digit_grouping)]

use carpack_simulator::{Delivery, Effect, Fault};
use serde_json::json;

use crate::harness::status::{condition, condition_with_reason, message, reason_of};
use crate::harness::{PROJECT, World};

/// Applies a pack of three whose purchase is delivered like this.
async fn buy_three(world: &World, delivery: Delivery) {
    world.simulator.add_fault(Fault::on("CreateInstance", Effect::Delivery(delivery)).times(1)).unwrap();
    world.apply_three().await;
}

/// The cloud delivers the missing instances of the purchase.
fn deliver(world: &World) {
    let order = world.charges("CreateInstance")[0].order_id.clone();
    world.simulator.deliver(&order).unwrap();
}

/// One charge, one call, one order.
async fn paid_once(world: &World) {
    assert_eq!(world.charges("CreateInstance").iter().map(|c| c.amount_cents).collect::<Vec<_>>(), [945_00]);
    assert_eq!(world.simulator.ledger().len(), 1, "{:#?}", world.simulator.ledger());
    assert_eq!(world.asked("CreateInstance"), 1);
    assert_eq!(world.all_orders().await.len(), 1);
}

async fn ready_with_three(world: &World) {
    let pack = world.until_ready("concert").await;
    let status = pack.status.unwrap();
    assert_eq!((status.quantity.as_deref(), status.project.as_deref()), (Some("3/3"), Some(PROJECT)));
    let first = world.simulator.instances().iter().map(|i| i.expires).min();
    assert_eq!(status.expiration_time.map(|t| t.0), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_late_is_waited_for_and_nothing_is_bought_again() {
    let world = World::start().await;
    buy_three(&world, Delivery { first: Some(0), rest_after_seconds: Some(1800), fails: false }).await;
    let pack = world.until_reason("concert", "AwaitingDelivery").await;
    assert_eq!(condition(&pack, "Ready"), "False");
    assert_eq!(condition_with_reason(&pack, "Purchased"), "True Paid");
    assert_eq!(pack.status.unwrap().spent.as_deref(), Some("945.00 USD"));
    world.sweeps(2).await;
    world.advance_minutes(20);
    world.sweeps(2).await;
    assert_eq!(reason_of(&world.pack("concert").await), "AwaitingDelivery");
    paid_once(&world).await;
    world.advance_minutes(11);
    ready_with_three(&world).await;
    world.until_order("concert", "buy-1", "Fulfilled").await;
    paid_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_never_comes_is_reported_with_the_clouds_order_and_never_bought_again() {
    let world = World::start().await;
    buy_three(&world, Delivery { first: Some(0), rest_after_seconds: None, fails: false }).await;
    world.until_reason("concert", "AwaitingDelivery").await;
    world.advance_minutes(61);
    let pack = world.until_reason("concert", "PaidNotDelivered").await;
    let deal = world.charges("CreateInstance")[0].order_id.clone();
    assert!(message(&pack, "Ready").contains(&deal), "{}", message(&pack, "Ready"));
    assert_eq!(condition(&pack, "Stalled"), "True");
    assert!(world.event("concert", "PaidNotDelivered").await.contains(&deal));
    world.advance(24);
    world.sweeps(2).await;
    paid_once(&world).await;
    deliver(&world);
    ready_with_three(&world).await;
    paid_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_that_was_paid_and_whose_delivery_failed_is_never_sent_again() {
    let world = World::start().await;
    buy_three(&world, Delivery { first: None, rest_after_seconds: None, fails: true }).await;
    let pack = world.until_reason("concert", "PaidNotDelivered").await;
    assert_eq!(condition(&pack, "Stalled"), "True");
    assert_eq!(condition_with_reason(&pack, "Purchased"), "True Paid");
    world.sweeps(2).await;
    world.advance_minutes(10);
    world.sweeps(2).await;
    world.advance(24);
    world.sweeps(2).await;
    paid_once(&world).await;
    let pack = world.until_reason("concert", "PaidNotDelivered").await;
    let request = world.charges("CreateInstance")[0].request_id.clone().unwrap();
    assert!(message(&pack, "Ready").contains(&request), "what support will ask for: {}", message(&pack, "Ready"));
    // Support delivers it later, under the name that was bought.
    let order = world.until_order("concert", "buy-1", "InProgress").await;
    let good =
        json!({"name": order.spec.pack_name, "mode": "Daily", "region": "ap-singapore", "scale": "L1", "quantity": 3});
    world.simulator.console_buy(&serde_json::from_value(good).unwrap()).unwrap();
    ready_with_three(&world).await;
    assert_eq!((world.bought(), world.asked("CreateInstance"), world.all_orders().await.len()), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_and_third_instance_may_follow_later() {
    let world = World::start().await;
    buy_three(&world, Delivery { first: Some(1), rest_after_seconds: Some(1800), fails: false }).await;
    let pack =
        world.until("concert", |p| p.status.as_ref().is_some_and(|s| s.quantity.as_deref() == Some("1/3"))).await;
    assert_eq!(condition_with_reason(&pack, "Ready"), "False AwaitingDelivery");
    world
        .until_cloud("what is there serves already", |s| s.instances()[0].project_id.as_deref() == Some(PROJECT))
        .await;
    paid_once(&world).await;
    world.advance_minutes(31);
    ready_with_three(&world).await;
    paid_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_in_part_is_reported_used_renewed_as_it_is_and_never_topped_up() {
    let world = World::start().await;
    buy_three(&world, Delivery { first: Some(2), rest_after_seconds: None, fails: false }).await;
    world.until_reason("concert", "AwaitingDelivery").await;
    world.advance_minutes(61);
    let pack = world.until_reason("concert", "PartiallyDelivered").await;
    let why = message(&pack, "Ready");
    assert!(why.contains("2 of 3"), "{why}");
    assert_eq!(pack.status.unwrap().quantity.as_deref(), Some("2/3"));
    assert_eq!(world.projects(), [Some(PROJECT.to_owned()), Some(PROJECT.to_owned())]);
    world.event("concert", "PartiallyDelivered").await;
    world.sweeps(2).await;
    paid_once(&world).await;

    let expiry = world.simulator.instances()[0].expires;
    world.go_to(expiry - jiff::SignedDuration::from_hours(5));
    world.until_cloud("what is there is renewed", |s| s.instances().iter().all(|i| i.expires > expiry)).await;
    world.sweeps(2).await;
    assert_eq!((world.charged_each("RenewInstance"), world.bought()), (vec![1, 1], 1));
    assert_eq!(world.charges("RenewInstance").iter().map(|c| c.amount_cents).sum::<i64>(), 210_00);

    // Support delivers the third instance later: it belongs to the pack.
    deliver(&world);
    world
        .until_cloud("the third one is bound", |s| {
            s.instances().iter().all(|i| i.project_id.as_deref() == Some(PROJECT))
        })
        .await;
    world.until("concert", |p| p.status.as_ref().is_some_and(|s| s.quantity.as_deref() == Some("3/3"))).await;
    assert_eq!(world.bought(), 1);
}

/// A pack of three whose order the cloud has accepted and left unpaid, and the id of that order.
async fn unpaid(world: &World) -> String {
    world.simulator.change_settings("default", |settings| settings.unpaid_orders = true).unwrap();
    world.apply_three().await;
    let pack = world.until_condition("concert", "Stalled", "True Unpaid").await;
    let order = world.simulator.orders()[0].order_id.clone();
    assert!(message(&pack, "Ready").contains(&format!("order {order} is made and not paid")), "{pack:#?}");
    assert_eq!(condition_with_reason(&pack, "Purchased"), "False Unpaid");
    assert_eq!(reason_of(&pack), "Unpaid");
    assert_eq!(pack.status.unwrap().spent, None);
    world.advance(24);
    world.sweeps(2).await;
    assert_eq!((world.simulator.ledger().len(), world.simulator.orders().len()), (0, 1));
    assert_eq!((world.asked("CreateInstance"), world.all_orders().await.len()), (1, 1));
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_the_cloud_leaves_unpaid_is_called_that_and_becomes_the_pack_when_a_person_pays_it() {
    let world = World::start().await;
    let order = unpaid(&world).await;
    world.simulator.console_pay(&order).unwrap();
    ready_with_three(&world).await;
    let pack = world.pack("concert").await;
    assert_eq!(pack.status.unwrap().spent.as_deref(), Some("945.00 USD"));
    assert_eq!((world.simulator.ledger().len(), world.asked("CreateInstance")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_order_that_a_person_cancels_is_over_and_made_anew_only_when_it_is_deleted() {
    let world = World::start().await;
    let order = unpaid(&world).await;
    world.simulator.console_cancel(&order).unwrap();
    let pack = world.until_reason("concert", "Cancelled").await;
    let name = world.order_name("concert", "buy-1");
    assert!(message(&pack, "Ready").contains(&format!("delete PackOrder {name}")), "{}", message(&pack, "Ready"));
    world.sweeps(2).await;
    assert_eq!(world.asked("CreateInstance"), 1);
    world.simulator.change_settings("default", |settings| settings.unpaid_orders = false).unwrap();
    world.orders().delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    ready_with_three(&world).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 2));
}
