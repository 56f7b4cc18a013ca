//! What a purchase delivers: late, in part, or not at all, because it is unpaid or cancelled.

use carpack_api::order::LineState;
use carpack_core::observation::DealState;
use carpack_core::order::Outcome;
use rstest::rstest;
use serde_json::json;

use crate::orders::ordered;
use crate::packs::in_one_instance;
use crate::world::{HOUR, MINUTE, Reply, SECOND, World, pack};

#[test]
fn a_delayed_delivery_is_waited_for_and_never_bought_again() {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.replies = vec![Reply::Delayed];
    world.run_rounds();
    assert_eq!(world.ready(), "False AwaitingDelivery");
    world.run_until("2026-12-01T03:00:00Z", HOUR);
    assert_eq!((world.ready().as_str(), world.bought()), ("False PaidNotDelivered", 1));
    world.deliver();
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[rstest]
#[case(Reply::Delayed)]
#[case(Reply::Partial(2))]
fn a_payment_that_was_recorded_a_moment_ago_raises_no_alarm(#[case] reply: Reply) {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![reply];
    while world.bought() == 0 {
        world.advance(SECOND * 2);
        world.sweep();
        world.reconcile_pack();
        if !world.orders.is_empty() {
            world.reconcile_order(0);
        }
    }
    // The pack is reconciled before the order.
    world.advance(SECOND * 2);
    world.sweep();
    world.reconcile_pack();
    assert_eq!(world.ready(), "False AwaitingDelivery");
    assert_eq!(world.condition("Stalled"), "-");
    assert!(world.events.iter().all(|event| !event.warning), "{:?}", world.events);
}

#[test]
fn a_partial_delivery_is_never_topped_up_and_is_renewed_as_it_is() {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.replies = vec![Reply::Partial(2)];
    world.run_rounds();
    assert_eq!(world.ready(), "False AwaitingDelivery");
    world.run_until("2026-12-01T03:00:00Z", HOUR);
    assert_eq!((world.ready().as_str(), world.bought()), ("False PartiallyDelivered", 1));
    let line = world.line(0);
    assert_eq!((line.state, line.attempts), (LineState::Done, 1), "nothing is left to be sent for the rest");
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!((world.bought(), world.renewed()), (1, 2));
    world.deliver();
    world.run_rounds();
    assert_eq!(world.bought(), 1);
}

#[test]
fn a_pack_whose_count_nobody_says_is_not_called_incomplete() {
    let world = in_one_instance(None);
    assert_eq!(world.ready(), "Unknown CountUnknown");
    let line = world.line(0);
    assert_eq!((line.state, line.category), (LineState::Done, None));
}

#[test]
fn what_was_paid_and_not_delivered_is_never_sent_again() {
    let mut world = ordered(json!({}));
    let outcome = Outcome::PaidNotDelivered { message: "PaySuccDeliverFailed".into() };
    world.record_call(0, &outcome);
    world.run_until("2026-12-02T00:00:00Z", MINUTE * 20);
    assert_eq!((world.line_state(0), world.bought(), world.orders.len()), ((LineState::Committed, 1), 0, 1));
    assert_eq!(world.ready(), "False PaidNotDelivered");
}

#[test]
fn an_order_left_unpaid_is_told_from_a_paid_one_until_somebody_pays_it() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Unpaid];
    world.run_rounds();
    assert_eq!(world.ready(), "False Unpaid");
    assert_eq!(world.condition("Purchased"), "False Unpaid");
    assert_eq!(world.condition("Stalled"), "True Unpaid");
    assert_eq!((world.status().spent.clone(), world.bought(), world.orders.len()), (None, 1, 1));
    world.run_until("2026-12-03T00:00:00Z", HOUR * 4);
    assert_eq!((world.ready().as_str(), world.bought(), world.orders.len()), ("False Unpaid", 1, 1));

    world.charges[0].state = DealState::InEffect;
    world.deliver();
    world.run_rounds();
    assert_eq!(world.ready(), "True Active");
    assert_eq!(world.status().spent.as_deref(), Some("105.00 USD"), "what the books say was paid");
    assert_eq!((world.bought(), world.orders.len()), (1, 1));
}

#[test]
fn an_order_that_was_cancelled_unpaid_is_over_and_nothing_takes_its_place_until_it_is_deleted() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Unpaid];
    world.run_rounds();
    world.charges[0].state = DealState::WithoutEffect;
    world.undelivered.clear();
    world.run_until("2026-12-02T00:00:00Z", HOUR * 4);
    assert_eq!(world.ready(), "False Cancelled");
    assert_eq!((world.bought(), world.orders.len(), world.open_orders()), (1, 1, 0));
    world.orders.clear();
    world.run_rounds();
    assert_eq!(world.ready(), "True Active");
    assert_eq!(world.bought(), 2);
    assert_ne!(world.charges[0].token, world.charges[1].token);
}
