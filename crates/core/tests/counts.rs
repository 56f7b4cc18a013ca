//! How many concurrencies an instance holds is asked before it is priced, and not every look says it.
#![allow(clippy::unwrap_used)]

mod world;

use carpack_api::order::{LineState, OrderAction};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;
use world::{Reply, World, pack};

/// A pack of three in one instance, whose count the cloud says or not.
fn in_one_instance(said: Option<i32>) -> World {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Delayed];
    world.settle();
    world.undelivered.truncate(1);
    world.undelivered[0].concurrencies = said;
    world.deliver();
    world.pass(SignedDuration::from_hours(2));
    world.settle();
    world
}

fn count(world: &mut World, says: Option<i32>) {
    world.instances.values_mut().for_each(|instance| instance.concurrencies = says);
}

/// Until the renewal is ordered, and not sent.
fn order(world: &mut World) {
    world.until_due();
    assert_eq!(world.orders.last().unwrap().spec.action, OrderAction::Renew);
    world.step_order(1);
}

#[rstest]
#[case::never_said(None, None)]
#[case::said_once(Some(3), None)]
#[case::said(Some(3), Some(3))]
fn a_renewal_is_priced_for_all_that_may_be_charged_although_a_look_does_not_say_how_many_it_renews(
    #[case] before: Option<i32>,
    #[case] now: Option<i32>,
) {
    let mut world = in_one_instance(before);
    count(&mut world, now);
    order(&mut world);
    let spec = &world.orders[1].spec;
    let quote = spec.quote.as_ref().map(|quote| quote.amount.as_str());
    assert_eq!((spec.terms.quantity, quote), (3, Some("315.00")));
    world.settle();
    assert_eq!(world.renewed(), 1, "and it is renewed in time");
}

#[test]
fn a_renewal_that_would_cost_more_than_it_was_priced_for_is_void() {
    let mut world = in_one_instance(Some(1));
    order(&mut world);
    assert_eq!(world.orders[1].spec.terms.quantity, 1);
    count(&mut world, Some(3));
    world.pass(SignedDuration::from_secs(2));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    for _ in 0..4 {
        world.step_order(1);
    }
    let status = world.orders[1].status.as_ref().unwrap();
    assert_eq!(status.lines[0].state, LineState::Void, "{:?}", status.message);
    assert_eq!(world.renewed(), 0);
    world.settle();
    assert_eq!((world.renewed(), world.orders.len()), (1, 3));
    assert_eq!(world.orders[2].spec.terms.quantity, 3, "and is made anew for what it costs");
}

#[test]
fn a_pack_whose_count_nobody_says_is_not_called_incomplete() {
    let world = in_one_instance(None);
    assert_eq!(world.ready(), "Unknown CountUnknown");
    let line = &world.orders[0].status.as_ref().unwrap().lines[0];
    assert_eq!((line.state, line.category), (LineState::Done, None));
}
