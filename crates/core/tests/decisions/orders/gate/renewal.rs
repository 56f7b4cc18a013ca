//! What holds or ends a renewal that was ordered.

use carpack_api::ConcurrencyPackSpec;
use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderState};
use carpack_api::pack::{RenewFlag, RenewalMode, RenewalStrategy};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;

use crate::orders::gate::renewal_to_send;
use crate::world::{DAY, HOUR, SECOND, World, extend, time};

#[test]
fn a_renewal_is_void_when_it_was_declared_otherwise_since() {
    for change in [
        |spec: &mut ConcurrencyPackSpec| spec.renewal.duration = Some(2),
        |spec: &mut ConcurrencyPackSpec| spec.renewal.strategy = Some(RenewalStrategy::Replace),
    ] {
        let mut world = renewal_to_send(json!({}));
        world.edit_spec(change);
        world.run_last_order();
        assert_eq!((world.renewed(), world.last_line_state()), (0, (LineState::Void, 0)));
        world.run_rounds();
        assert_eq!(world.orders.len(), 3, "it is ordered anew, as declared");
    }
}

#[test]
fn a_renewal_that_is_no_longer_declared_is_void() {
    let mut changed = renewal_to_send(json!({}));
    changed.edit_spec(|spec| spec.renewal.mode = RenewalMode::None);
    changed.run_last_order();
    assert_eq!((changed.renewed(), changed.last_line_state().0), (0, LineState::Void));
    let mut ended = renewal_to_send(json!({}));
    ended.edit_spec(|spec| spec.renewal.until = Some(Time(time("2026-12-02T00:00:00Z"))));
    ended.run_last_order();
    assert_eq!((ended.renewed(), ended.last_line_state().0), (0, LineState::Void));
}

#[rstest]
#[case::until_is_brought_forward(-1, 0)]
#[case::until_is_the_moment_of_the_expiry(0, 0)]
#[case::the_expiry_is_read_in_another_zone(2, 6)]
fn a_renewal_is_void_when_what_it_renews_lasts_until_the_end_of_renewal_after_all(
    #[case] until: i64,
    #[case] moves: i64,
    #[values("Extend", "Replace")] strategy: &str,
) {
    let mut world =
        renewal_to_send(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": strategy}}));
    let expires = world.instances.values().filter_map(|instance| instance.expiration).min().unwrap();
    world.edit_spec(|spec| spec.renewal.until = Some(Time(expires + SignedDuration::from_hours(until))));
    for instance in world.instances.values_mut() {
        extend(instance, SignedDuration::from_hours(moves));
    }
    world.sweep();
    world.run_last_order();
    assert_eq!((world.renewed(), world.bought(), world.last_line_state()), (0, 1, (LineState::Void, 0)));
    world.run_rounds();
    assert_eq!(world.orders.len(), 2, "it is not ordered again");
    assert_eq!(world.reason("RenewalOnTrack"), "EndsAsPlanned");
}

#[rstest]
#[case::of_all(3)]
#[case::of_one(1)]
fn a_renewal_whose_expiry_has_moved_is_void(#[case] moved: usize) {
    let mut world = renewal_to_send(json!({}));
    for instance in world.instances.values_mut().take(moved) {
        extend(instance, DAY);
    }
    world.sweep();
    world.run_last_order();
    assert_eq!((world.renewed(), world.last_line_state()), (3 - moved, (LineState::Void, 0)));
}

#[rstest]
#[case::extend("Extend", 3, 1)]
#[case::replace("Replace", 0, 2)]
fn what_is_due_is_renewed_once_although_another_list_dates_its_expiry_a_little_otherwise(
    #[case] strategy: &str,
    #[case] renewed: usize,
    #[case] bought: usize,
    #[values(-10, 10)] minutes: i64,
) {
    let mut world =
        renewal_to_send(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": strategy}}));
    for instance in world.instances.values_mut() {
        extend(instance, SignedDuration::from_mins(minutes));
    }
    world.sweep();
    world.run_last_order();
    assert_eq!((world.renewed(), world.bought()), (renewed, bought));
}

#[test]
fn a_renewal_is_void_when_what_outlasts_its_instance_carries_the_whole_pack_meanwhile() {
    let mut world = renewal_to_send(json!({}));
    let mut others: Vec<_> = world.instances.values().cloned().collect();
    for other in &mut others {
        other.id = format!("later-{}", other.id);
        extend(other, HOUR * 72);
    }
    world.instances.extend(others.into_iter().map(|other| (other.id.clone(), other)));
    world.sweep();
    world.run_last_order();
    assert_eq!((world.renewed(), world.last_line_state()), (0, (LineState::Void, 0)));
}

#[test]
fn a_renewal_that_another_order_has_paid_for_is_void() {
    for (state, renewed) in [(LineState::Done, 0), (LineState::Rejected, 1)] {
        let mut world = renewal_to_send(json!({}));
        let mut other = world.orders[1].clone();
        other.metadata.name = Some("events.concert.renew-0".into());
        let status = other.status.as_mut().unwrap();
        status.state = Some(OrderState::Fulfilled);
        status.lines[0].state = state;
        world.orders.insert(1, other);
        world.run_last_order();
        let instance = world.orders[2].spec.lines[0].instance_id.clone().unwrap();
        assert_eq!(world.charges.iter().filter(|charge| charge.instances == [instance.clone()]).count(), renewed);
        assert_eq!(world.last_line_state().0 == LineState::Void, renewed == 0);
    }
}

#[test]
fn what_has_expired_meanwhile_is_not_renewed() {
    let mut world = renewal_to_send(json!({}));
    world.sweep_after(HOUR * 7);
    world.run_last_order();
    assert_eq!((world.renewed(), world.last_line_state()), (0, (LineState::Rejected, 0)));
}

#[test]
fn an_instance_that_is_isolated_or_past_its_own_expiry_is_not_renewed_while_others_are() {
    let first = |world: &World| world.orders.last().unwrap().spec.lines[0].instance_id.clone().unwrap();
    let mut isolated = renewal_to_send(json!({}));
    let id = first(&isolated);
    isolated.instances.get_mut(&id).unwrap().isolated = true;
    isolated.sweep();
    isolated.advance(SECOND);
    isolated.run_last_order();
    assert_eq!((isolated.renewed(), isolated.last_line_state()), (2, (LineState::Rejected, 0)));

    let mut expired = renewal_to_send(json!({}));
    let id = first(&expired);
    let earlier = expired.now;
    expired.instances.get_mut(&id).unwrap().expiration = Some(earlier);
    expired.orders.last_mut().unwrap().spec.lines[0].renews_from = Some(Time(earlier));
    expired.sweep();
    expired.advance(SECOND);
    expired.run_last_order();
    assert_eq!((expired.renewed(), expired.last_line_state()), (2, (LineState::Rejected, 0)));
}

#[test]
fn nothing_is_renewed_by_us_while_the_clouds_own_renewal_is_on_or_unseen() {
    let monthly =
        json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "Operator", "renewBefore": "48h"}});
    for flag in [RenewFlag::Auto, RenewFlag::Unknown] {
        let mut world = renewal_to_send(monthly.clone());
        for instance in world.instances.values_mut() {
            instance.renew_flag = flag;
        }
        world.sweep();
        world.run_last_order();
        assert_eq!((world.renewed(), world.last_line_state()), (0, (LineState::Pending, 0)), "{flag:?}");
        // The pack orders nothing either.
        world.orders.truncate(1);
        world.reconcile_pack();
        assert_eq!(world.orders.len(), 1, "{flag:?}");
    }
}
