//! Approvals: which orders they cover, and what an order says while it has none.

use carpack_api::Money;
use carpack_api::common::Time;
use carpack_api::order::OrderState;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::orders::gate::purchase_to_send;
use crate::world::{DAY, HOUR, SECOND, World, pack, time};

/// The first order was approved together with all later renewals, and carried out.
fn approved_with_renewals(spec: Value) -> World {
    let mut world = World::new(pack(spec));
    world.run_rounds();
    world.approve(0, "ThisAndLaterRenewals");
    world.run_rounds();
    world
}

#[test]
fn an_approval_of_one_order_does_not_cover_its_renewal() {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "duration": 1})));
    world.run_rounds();
    world.approve(0, "ThisOrder");
    world.run_until("2026-12-01T20:00:00Z", HOUR);
    assert_eq!((world.bought(), world.renewed()), (1, 0));
    assert_eq!(world.renewal_on_track(), "False AwaitingApproval");
}

#[test]
fn an_approval_may_cover_the_later_renewals() {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "duration": 1})));
    world.run_rounds();
    world.approve(0, "ThisAndLaterRenewals");
    world.run_until("2026-12-04T00:00:00Z", HOUR);
    assert_eq!(world.bought(), 1);
    assert!(world.renewed() >= 6, "{}", world.renewed());
}

#[test]
fn an_unapproved_order_dies_with_its_window() {
    let window = json!({"notAfter": "2026-12-02T00:00:00Z"});
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "purchaseWindow": window})));
    world.run_rounds();
    world.advance(DAY);
    world.approve(0, "ThisOrder");
    world.run_rounds();
    assert_eq!(world.bought(), 0);
    assert_eq!(world.condition("Ended"), "True WindowClosed");
}

#[test]
fn a_denied_order_is_not_asked_for_again() {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired"})));
    world.run_rounds();
    world.orders[0].spec.approval = Some(serde_json::from_value(json!({"decision": "Denied"})).unwrap());
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.orders.len(), world.bought()), ("False Denied", 1, 0));
    assert_ne!(world.condition("Stalled"), "-");
}

/// How many of three instances are renewed after this edit. Their purchase was approved with all later renewals.
fn renewed_after(edit: impl FnOnce(&mut World)) -> usize {
    let mut world = approved_with_renewals(json!({"mode": "ApprovalRequired", "duration": 1}));
    assert_eq!(world.bought(), 1);
    edit(&mut world);
    world.run_until("2026-12-01T20:00:00Z", HOUR);
    world.renewed()
}

#[test]
fn an_approval_for_later_renewals_does_not_reach_to_a_higher_price_or_beyond_its_date() {
    assert_eq!(renewed_after(|_| ()), 3);
    let dearer = |world: &mut World| {
        world.account.as_mut().unwrap().spec.price_list.prices[0].amount = "105.01".into();
    };
    assert_eq!(renewed_after(dearer), 0);
    let renewed_if_approved_until = |until: &str| {
        let until = Some(Time(time(until)));
        renewed_after(|world| world.orders[0].spec.approval.as_mut().unwrap().until = until)
    };
    assert_eq!(renewed_if_approved_until("2026-12-01T12:00:00Z"), 0);
    assert_eq!(renewed_if_approved_until("2026-12-05T00:00:00Z"), 3);
}

/// What the deals of the purchase say that it has cost.
fn pay(world: &mut World, amount: &str) {
    let paid: Money = serde_json::from_value(json!({"amount": amount, "currency": "USD"})).unwrap();
    let status = world.orders[0].status.as_mut().unwrap();
    (status.lines[0].paid, status.paid) = (Some(paid.clone()), Some(paid));
}

#[test]
fn an_approval_for_later_renewals_ends_once_the_pack_has_cost_more_than_its_quote() {
    assert_eq!(world_quote(), "315.00");
    assert_eq!(renewed_after(|world| pay(world, "315.00")), 3);
    assert_eq!(renewed_after(|world| pay(world, "315.01")), 0);
    let approved_again = |world: &mut World| {
        pay(world, "999.00");
        world.advance_to(world.status().next_renewal_time.clone().unwrap().0);
        world.run_rounds();
        let renewal = world.last_order();
        let message = world.order_message(renewal);
        assert!(message.contains("quoted at 315.00 USD and has cost 999.00 USD"), "{message}");
        world.approve(renewal, "ThisAndLaterRenewals");
    };
    assert_eq!(renewed_after(approved_again), 3);
}

/// What the purchase of `renewed_after` is quoted at.
fn world_quote() -> String {
    let world = approved_with_renewals(json!({"mode": "ApprovalRequired", "duration": 1}));
    world.orders[0].spec.quote.clone().unwrap().amount
}

#[test]
fn an_approval_for_later_renewals_does_not_reach_to_other_terms_or_another_object() {
    assert_eq!(renewed_after(|_| ()), 3);
    let for_two_days_at_the_same_price = |world: &mut World| {
        world.account.as_mut().unwrap().spec.price_list.prices[0].amount = "52.50".into();
        world.edit_spec(|spec| spec.renewal.duration = Some(2));
    };
    assert_eq!(renewed_after(for_two_days_at_the_same_price), 0);
    let of_an_object_created_again = |world: &mut World| {
        let mut again = pack(json!({"mode": "ApprovalRequired", "duration": 1}));
        again.metadata.uid = Some("uid-2".into());
        world.pack = Some(again);
        world.instances.clear();
        world.run_rounds();
        world.approve(1, "ThisOrder");
        world.run_rounds();
        assert_eq!(world.bought(), 2);
    };
    assert_eq!(renewed_after(of_an_object_created_again), 0);
}

#[test]
fn an_approval_for_later_renewals_reaches_to_successors_until_its_date_and_to_no_other_purchase() {
    let mut world = approved_with_renewals(json!({
        "mode": "ApprovalRequired", "renewal": {"mode": "Operator", "strategy": "Replace"}}));
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!(world.bought(), 2, "the pack and its successor");

    let held = |until: Option<SignedDuration>, successor: bool| {
        let mut world = purchase_to_send(json!({
            "mode": "ApprovalRequired", "renewal": {"mode": "Operator", "strategy": "Replace"}}));
        world.approve(0, "ThisAndLaterRenewals");
        let mut second = world.orders[0].clone();
        second.metadata.name = Some("events.concert.buy-2".into());
        second.spec.approval = None;
        second.spec.lines[0].renews_from = successor.then_some(Time(world.now));
        let until = until.map(|until| Time(world.now + until));
        world.orders[0].spec.approval.as_mut().unwrap().until = until;
        world.orders[0].status.as_mut().unwrap().state = Some(OrderState::Failed);
        world.orders.push(second);
        world.decide_order(1).status.message.unwrap().contains("waits for approval")
    };
    assert!(held(None, false), "a purchase that renews nothing needs an approval of its own");
    assert!(!held(None, true));
    assert!(!held(Some(SECOND), true));
    assert!(held(Some(SignedDuration::ZERO), true), "its date has come");
}

#[test]
fn why_an_approval_for_later_renewals_falls_short_is_said() {
    let mut world = approved_with_renewals(json!({"mode": "ApprovalRequired", "duration": 1}));
    world.account.as_mut().unwrap().spec.price_list.prices[0].amount = "105.01".into();
    world.order_renewal();
    world.run_rounds();
    let why = |world: &World| {
        let message = world.decide_order(1).status.message.unwrap();
        message.rsplit_once("does not reach to it: ").unwrap().1.to_owned()
    };
    assert_eq!(why(&world), "it was given for 315.00 USD, and this one costs 315.03 USD");
    world.orders[0].spec.terms.quantity = 1;
    assert_eq!(why(&world), "its terms are others");
}

#[test]
fn an_approval_for_later_renewals_has_nothing_to_do_with_a_return() {
    let mut world = approved_with_renewals(json!({"mode": "ApprovalRequired", "deletionPolicy": "Return"}));
    world.delete_pack();
    world.run_rounds();
    let wanted =
        "waits for approval: set spec.approval.decision of PackOrder events.concert.return-1 to Approved or Denied";
    assert_eq!((world.order_message(1), world.charges.len()), (wanted, 1));
}
