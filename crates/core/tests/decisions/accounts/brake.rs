//! The brake: which purchases and returns it counts and holds, and how a person releases it.

use carpack_api::PackOrder;
use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction};
use carpack_core::account::Account;
use carpack_core::facts::commitments::Commitments;
use carpack_core::rules::brake::all_engaged;
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::json;

use crate::accounts::{braked, message, neighbours_order};
use crate::world::{HOUR, NAMESPACE, TREASURY, World, pack};

/// A neighbour's purchase that was decided so many minutes ago, and not sent.
fn decided(world: &World, number: i32, minutes: i64) -> PackOrder {
    let mut order = neighbours_order(world, NAMESPACE, LineState::Pending);
    order.metadata.name = Some(format!("events.other-{number}.buy-1"));
    order.spec.decision_time = Time(world.now - SignedDuration::from_mins(minutes));
    order
}

/// Four such purchases, one more than the brake allows.
fn flood(world: &World, minutes: i64) -> Vec<PackOrder> {
    (0..4).map(|number| decided(world, number, minutes)).collect()
}

/// What the account says of the brakes that are on, one message for each tenant.
fn engaged(account: &Account, orders: &[PackOrder], now: Timestamp) -> Vec<String> {
    all_engaged(account, TREASURY, &Commitments::gather(account, orders, [], now))
}

#[rstest]
#[case::with_its_own_there_are_four(&[1, 2, 9], true)]
#[case::with_its_own_there_are_three(&[1, 2], false)]
#[case::a_trickle(&[1, 11, 22, 33], false)]
#[case::a_flood_of_yesterday_that_nobody_released(&[1440, 1441, 1445, 1450], true)]
fn more_purchases_than_the_brake_allows_within_its_span_hold_them_all(#[case] minutes: &[i64], #[case] held: bool) {
    let mut world = World::new(pack(json!({})));
    world.account = Some(braked(None));
    let neighbours = (0_i32..).zip(minutes).map(|(number, minutes)| decided(&world, number, *minutes));
    world.neighbours_orders = neighbours.collect();
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), if held { ("False BrakeOn", 0) } else { ("True Active", 1) });
}

#[test]
fn a_brake_holds_until_a_person_releases_it_and_says_how() {
    let mut world = World::new(pack(json!({})));
    world.account = Some(braked(None));
    world.neighbours_orders = flood(&world, 1);
    world.run_until("2026-12-02T00:00:00Z", HOUR);
    assert_eq!((world.ready().as_str(), world.bought()), ("False BrakeOn", 0));
    let command = "kubectl patch caraccount default -n carpack-system --type=json -p '[{\"op\":\"test\",\"path\":\"/spec/tenants/0/namespaces\",\"value\":[\"events\"]},{\"op\":\"add\",\"path\":\"/spec/tenants/0/brake/releasedTime\"";
    assert!(message(&world).contains(command), "{}", message(&world));
    world.account = Some(braked(Some(world.now)));
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[test]
fn a_brake_is_not_released_before_the_moment_that_a_person_has_set() {
    let mut world = World::new(pack(json!({})));
    let later = world.now + HOUR;
    world.account = Some(braked(Some(later)));
    world.neighbours_orders = flood(&world, 1);
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("False BrakeOn", 0));
    assert!(message(&world).contains("is yet to come, and releases nothing before"), "{}", message(&world));
    world.advance(HOUR);
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[test]
fn a_release_covers_what_was_decided_up_to_it_and_nothing_after() {
    let world = World::new(pack(json!({})));
    let flood = flood(&world, 5);
    let ago = |minutes| world.now - SignedDuration::from_mins(minutes);
    let engaged = |minutes| engaged(&braked(Some(ago(minutes))), &flood, world.now).len();
    assert_eq!([6, 5, 4, 0].map(engaged), [1, 0, 0, 0]);
}

#[test]
fn an_account_says_which_tenants_brakes_are_on() {
    let mut world = World::new(pack(json!({})));
    let account = braked(None);
    let flood = flood(&world, 1);
    assert_eq!(engaged(&account, &flood[..3], world.now), Vec::<String>::new());
    let [said] = &engaged(&account, &flood, world.now)[..] else { panic!("one tenant") };
    world.account = Some(account);
    world.neighbours_orders = flood;
    world.run_rounds();
    assert!(message(&world).contains(said), "a pack that is held says the same: {said}");
}

#[test]
fn a_brake_never_holds_a_renewal_and_renewals_are_not_counted() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    world.account = Some(braked(None));
    world.neighbours_orders = flood(&world, 1);
    world.run_until("2026-12-03T20:00:00Z", HOUR);
    assert_eq!(world.renewed(), 3);

    let renewal = world.orders.iter().find(|o| o.spec.action == OrderAction::Renew).unwrap().clone();
    let mut other = World::new(pack(json!({})));
    other.account = Some(braked(None));
    other.neighbours_orders = vec![renewal; 9];
    other.run_rounds();
    assert_eq!(other.bought(), 1);
}

#[test]
fn a_brake_holds_returns() {
    let mut world = World::new(pack(json!({"deletionPolicy": "Return"})));
    world.run_rounds();
    world.account = Some(braked(None));
    world.neighbours_orders = flood(&world, 1);
    world.delete_pack();
    world.run_rounds();
    let index = world.orders.iter().position(|o| o.spec.action == OrderAction::Return).unwrap();
    world.approve(index, "ThisOrder");
    world.run_rounds();
    assert_eq!(world.charges.len(), 1, "{:#?}", world.orders[index].status);
    world.account = Some(braked(Some(world.now)));
    world.run_rounds();
    assert_eq!(world.charges.len(), 4);
}
