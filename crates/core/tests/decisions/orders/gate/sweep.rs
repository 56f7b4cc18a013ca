//! Which sweep is new enough to send an order.

use carpack_api::Mode;
use carpack_api::common::Time;
use carpack_api::order::LineState;
use carpack_core::order::{Effect, intend};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::orders::gate::{purchase_to_send, renewal_to_send};
use crate::world::{DAY, MINUTE, SECOND, World, extend, pack};

#[test]
fn nothing_is_sent_on_the_word_of_a_sweep_older_than_the_order() {
    let mut world = World::new(pack(json!({})));
    world.sweep();
    world.advance(SECOND);
    world.reconcile_pack();
    world.reconcile_pack();
    world.run_last_order();
    assert_eq!((world.orders.len(), world.bought()), (1, 0));
}

#[test]
fn nothing_is_sent_on_the_word_of_a_stale_sweep() {
    let mut world = purchase_to_send(json!({}));
    world.advance(MINUTE * 30);
    world.run_last_order();
    assert_eq!(world.bought(), 0);
}

#[test]
fn a_sweep_counts_from_the_moment_after_the_order_until_it_is_stale() {
    // Whether the order is sent on a sweep that began so long after it and that is so old.
    let sent = |after_the_order: SignedDuration, age: SignedDuration| {
        let mut world = purchase_to_send(json!({}));
        let made = world.orders[0].spec.decision_time.clone();
        world.now = made.0 + after_the_order + age;
        world.observation.as_mut().unwrap().started = made.0 + after_the_order;
        world.orders[0].status.as_mut().unwrap().cleared_time = Some(made);
        world.run_last_order();
        world.bought() == 1
    };
    let (second, stale) = (SECOND, World::new(pack(json!({}))).timing.stale_after);
    assert!(sent(second, second));
    assert!(!sent(SignedDuration::ZERO, second), "the sweep began together with the order");
    assert!(sent(second, stale - second));
    assert!(!sent(second, stale), "it is too old");
}

#[test]
fn an_order_that_was_held_waits_for_a_sweep_from_after_it_was_let_go() {
    let mut world = renewal_to_send(json!({"mode": "Automatic"}));
    world.installation_mode = Mode::ApprovalRequired;
    world.run_last_order();
    // Since the last sweep, somebody has renewed the second instance in the console.
    let second = world.instances.values_mut().nth(1).unwrap();
    extend(second, DAY);
    let last = world.last_order();
    world.approve(last, "ThisOrder");
    world.run_last_order();
    assert_eq!(world.renewed(), 0);
    world.advance(SECOND);
    world.sweep();
    world.run_last_order();
    let states = world.orders[last].status.iter().flat_map(|s| &s.lines).map(|line| line.state);
    assert_eq!(states.collect::<Vec<_>>(), [LineState::Committed, LineState::Void, LineState::Committed]);
    assert_eq!(world.renewed(), 2);
}

/// The API server stores whole seconds: within one second nobody knows what came first.
#[test]
fn a_sweep_that_began_in_the_second_of_the_last_call_is_not_newer_than_it() {
    let mut world = renewal_to_send(json!({}));
    let began = world.observation.as_ref().unwrap().started;
    let call = |world: &mut World, at: Timestamp| {
        world.orders[0].status.as_mut().unwrap().lines[0].submit_time = Some(Time(at));
        world.decide_order(1).effect
    };
    assert_eq!(call(&mut world, began), None);
    assert_eq!(call(&mut world, began - SECOND), Some(Effect::Submit { index: 0 }));

    let order = purchase_to_send(json!({})).orders.remove(0);
    let half = began + SignedDuration::from_millis(500);
    let recorded = intend(&order, 0, half).lines[0].submit_time.clone().unwrap().0;
    assert!(recorded > half, "a call is never on record as earlier than it was");
}
