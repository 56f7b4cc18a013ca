//! Each rule that a renewal and a return must pass stops it alone: one thing changes after the order was made, and no call leaves.
//! (`accounts/brake.rs` says the same of a return and the brake.)

use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction, OrderState};
use carpack_api::{Mode, Reason};
use carpack_core::account::Health;
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;

use crate::orders::gate::renewal_to_send;
use crate::orders::unsent;
use crate::world::{SECOND, World};

fn deny(world: &mut World) {
    let last = world.last_order();
    world.orders[last].spec.approval = Some(serde_json::from_value(json!({"decision": "Denied"})).unwrap());
}

fn pass_the_deadline(world: &mut World) {
    let last = world.last_order();
    world.orders[last].spec.deadline = Some(Time(world.now - SignedDuration::from_secs(1)));
}

/// An order of the pack that stands before this one is in doubt.
fn leave_an_earlier_order_in_doubt(world: &mut World) {
    world.orders[0].status.as_mut().unwrap().lines[0].state = LineState::Unknown;
}

fn make_an_order_unreadable(world: &mut World) {
    world.unreadable = ["events.concert.renew-7".into()].into();
}

fn lose_the_grant(world: &mut World) {
    world.account.as_mut().unwrap().spec.tenants.clear();
}

fn spoil_the_health(world: &mut World) {
    world.account.as_mut().unwrap().health =
        Health::NotReady { reason: Reason::WrongCredentials, message: "wrong credentials".into() };
}

fn only_observe(world: &mut World) {
    world.installation_mode = Mode::Observe;
}

/// The instance of the order's first line is not listed any more.
fn lose_the_instance(world: &mut World) {
    let id = world.orders[world.last_order()].spec.lines[0].instance_id.clone().unwrap();
    world.instances.remove(&id);
    world.sweep();
    world.advance(SECOND);
}

/// Another order of the same kind has done what this one is about.
fn do_it_by_another_order(world: &mut World) {
    let last = world.last_order();
    let mut other = world.orders[last].clone();
    other.metadata.name = other.metadata.name.map(|name| format!("{name}0"));
    let status = other.status.as_mut().unwrap();
    status.state = Some(OrderState::Fulfilled);
    status.lines.iter_mut().for_each(|line| line.state = LineState::Done);
    world.orders.insert(last, other);
}

/// How often the account was charged or refunded, and what became of the last order's first line, with what was said.
fn outcome(world: &mut World) -> (usize, LineState, String) {
    world.run_last_order();
    let last = world.last_order();
    (world.charges.len(), world.last_line_state().0, world.order_message(last).to_owned())
}

#[rstest]
#[case::denied(deny, LineState::Rejected, "denied")]
#[case::deadline(pass_the_deadline, LineState::Rejected, "deadline")]
#[case::pack_is_gone(|w: &mut World| w.pack.as_mut().unwrap().metadata.uid = Some("another".into()), LineState::Void, "the pack is gone")]
#[case::terms(|w: &mut World| w.edit_spec(|spec| spec.region = "ap-elsewhere".into()), LineState::Void, "terms")]
#[case::turn(leave_an_earlier_order_in_doubt, LineState::Pending, "events.concert.buy-1")]
#[case::unreadable_order(make_an_order_unreadable, LineState::Pending, "cannot be read")]
#[case::account(|w: &mut World| w.account = None, LineState::Pending, "there is no CarAccount")]
#[case::namespace(lose_the_grant, LineState::Pending, "may not spend")]
#[case::health(spoil_the_health, LineState::Pending, "wrong credentials")]
#[case::billing_mode(|w: &mut World| w.account.as_mut().unwrap().spec.purchase.api.as_mut().unwrap().period_units.clear(), LineState::Pending, "cannot buy Daily")]
#[case::mode(only_observe, LineState::Pending, "the mode is Observe")]
#[case::approval(|w: &mut World| w.installation_mode = Mode::ApprovalRequired, LineState::Pending, "approv")]
#[case::price(|w: &mut World| w.account.as_mut().unwrap().spec.price_list.prices[0].amount = "105.01".into(), LineState::Void, "the price has risen")]
#[case::limits(|w: &mut World| w.account.as_mut().unwrap().spec.limits = Some(serde_json::from_value(json!({"spendPerOrder": "1"})).unwrap()), LineState::Pending, "spendPerOrder")]
fn a_renewal_is_stopped_by(
    #[case] change: fn(&mut World),
    #[case] state: LineState,
    #[case] said: &str,
    #[values("Extend", "Replace")] strategy: &str,
) {
    let mut world =
        renewal_to_send(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": strategy}}));
    change(&mut world);
    let (charges, ended_as, message) = outcome(&mut world);
    assert_eq!((charges, ended_as), (1, state), "{message}");
    assert!(message.contains(said), "{message}");
}

#[test]
fn an_instance_that_is_not_listed_is_not_renewed() {
    let mut world = renewal_to_send(json!({}));
    lose_the_instance(&mut world);
    world.run_last_order();
    assert_eq!((world.renewed(), world.last_line_state()), (2, (LineState::Pending, 0)));
}

/// A return is ordered and approved, and not sent; the last sweep is newer than the order.
fn return_to_send() -> World {
    let (mut world, index) = unsent(OrderAction::Return);
    assert_eq!(index, world.last_order());
    world.reconcile_order(index);
    world.approve(index, "ThisOrder");
    world.reconcile_order(index);
    world.sweep_after(SECOND);
    world
}

#[test]
fn a_return_in_an_unchanged_world_is_sent() {
    let mut world = return_to_send();
    assert_eq!(outcome(&mut world).0, 4);
}

#[rstest]
#[case::denied(deny, LineState::Rejected, "denied")]
#[case::deadline(pass_the_deadline, LineState::Rejected, "deadline")]
#[case::turn(leave_an_earlier_order_in_doubt, LineState::Pending, "events.concert.buy-1")]
#[case::unreadable_order(make_an_order_unreadable, LineState::Pending, "cannot be read")]
#[case::account(|w: &mut World| w.account = None, LineState::Pending, "there is no CarAccount")]
#[case::namespace(lose_the_grant, LineState::Pending, "may not spend")]
#[case::health(spoil_the_health, LineState::Pending, "wrong credentials")]
#[case::mode(only_observe, LineState::Pending, "the mode is Observe")]
#[case::approval(|w: &mut World| w.orders.last_mut().unwrap().spec.approval = None, LineState::Pending, "approv")]
#[case::returned_by_another_order(do_it_by_another_order, LineState::Void, "")]
fn a_return_is_stopped_by(#[case] change: fn(&mut World), #[case] state: LineState, #[case] said: &str) {
    let mut world = return_to_send();
    change(&mut world);
    let (charges, ended_as, message) = outcome(&mut world);
    assert_eq!((charges, ended_as), (1, state), "{message}");
    assert!(message.contains(said), "{message}");
}

#[test]
fn an_instance_that_is_not_listed_is_not_returned() {
    let mut world = return_to_send();
    lose_the_instance(&mut world);
    world.run_last_order();
    assert_eq!((world.charges.len(), world.last_line_state()), (3, (LineState::Void, 0)));
}
