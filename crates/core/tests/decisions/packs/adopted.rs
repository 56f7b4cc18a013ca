//! What becomes of adopted instances: they get the pack's names, and are renewed or replaced like any others.

use carpack_api::common::Time;
use carpack_api::order::LineState;
use carpack_core::names::cloud_name;
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;

use crate::packs::adopting;
use crate::world::{HOUR, MINUTE, NAME, NAMESPACE, World, time};

/// To be adopted, and replaced six hours before they end.
fn replaced() -> World {
    adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}}))
}

#[test]
fn what_was_taken_over_is_renewed_in_time() {
    let mut world = adopting(json!({}));
    world.run_rounds();
    world.run_until("2026-12-05T00:00:00Z", MINUTE * 30);
    assert_eq!((world.bought(), world.reason("Ready")), (0, "Active".into()));
    assert!(world.renewed() >= 6 && world.renewed().is_multiple_of(3), "{}", world.renewed());
}

#[test]
fn what_does_not_carry_the_packs_name_is_not_renewed_before_it_does_and_holds_back_no_other() {
    let mut world = adopting(json!({}));
    world.refused_instance = Some("i-b".into());
    world.run_rounds();
    world.order_renewal();
    world.run_rounds();
    assert_eq!((world.renewed(), world.reason("RenewalOnTrack").as_str()), (2, "NameNotSeen"));
    assert!(world.condition("Stalled").starts_with("True "), "the name was refused");
    let name = cloud_name(NAMESPACE, NAME, None, 0);
    assert!(world.condition_message("RenewalOnTrack").contains(&format!("rename it to {name}-2 in the console")));
    world.refused_instance = None;
    world.advance(MINUTE);
    world.run_rounds();
    assert_eq!(world.renewed(), 3);
}

#[test]
fn what_the_cloud_shows_without_a_name_is_renewed_all_the_same() {
    let mut world = adopting(json!({}));
    world.instances.values_mut().for_each(|instance| instance.name = None);
    world.run_rounds();
    world.order_renewal();
    world.run_rounds();
    assert_eq!(world.renewed(), 3);
}

#[test]
fn a_renewal_is_void_when_another_has_given_the_instance_its_name_meanwhile() {
    let mut world = adopting(json!({}));
    world.run_rounds();
    world.order_renewal();
    assert_eq!(world.orders.len(), 1);
    world.instances.get_mut("i-b").unwrap().name = Some("another cluster's".into());
    world.run_last_order_with_new_sweep();
    let lines = world.orders[0].status.iter().flat_map(|status| &status.lines).map(|line| line.state);
    assert_eq!(lines.collect::<Vec<_>>(), [LineState::Committed, LineState::Void, LineState::Committed]);
    let why = world.order_status(0).lines[1].message.as_deref();
    assert_eq!(why, Some("instance i-b, which was taken over, does not carry the pack's name any more"));
    world.run_rounds();
    assert_eq!(world.renewed(), 3, "once it carries the pack's name again");
}

/// A pack that was adopted so many hours before its instances expire: their renewal is due already.
fn taken_over_late(hours: i64) -> World {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "12h"}}));
    let expiration = world.now + SignedDuration::from_hours(hours);
    world.instances.values_mut().for_each(|instance| instance.expiration = Some(expiration));
    world.run_rounds();
    world
}

#[test]
fn what_is_taken_over_when_its_renewal_is_due_gets_all_its_names_and_is_renewed_by_one_order() {
    let world = taken_over_late(8);
    assert_eq!((world.orders.len(), world.renewed()), (1, 3));
}

#[test]
fn what_is_about_to_expire_does_not_wait_for_the_names_of_others() {
    let world = taken_over_late(2);
    assert_eq!((world.orders[0].spec.lines.len(), world.renewed()), (1, 3));
}

#[test]
fn what_ends_first_does_not_wait_for_a_name_that_is_never_shown_on_what_ends_later() {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "12h"}}));
    for (instance, hours) in world.instances.values_mut().zip([1, 8, 8]) {
        instance.expiration = Some(world.now + SignedDuration::from_hours(hours));
    }
    let named = world.instances.get_mut("i-a").unwrap();
    named.name = Some(cloud_name(NAMESPACE, NAME, None, 0));
    world.ignores_changes = true;
    world.run_rounds();
    assert_eq!(world.renewed(), 1, "{:?}", world.renewal_on_track());
}

#[test]
fn a_renewal_that_an_earlier_object_of_the_name_has_paid_for_is_not_ordered_again_and_again() {
    let mut world = adopting(json!({}));
    world.run_rounds();
    world.order_renewal();
    let from = world.instances["i-a"].expiration;
    world.run_rounds();
    assert_eq!((world.orders.len(), world.renewed()), (1, 3));
    let pack = world.pack.as_mut().unwrap();
    (pack.status, pack.metadata.uid) = (None, Some("uid-2".into()));
    world.run_rounds();
    assert_eq!(world.reason("Ready"), "Active");
    // The list shows the old expiry again.
    world.instances.values_mut().for_each(|instance| instance.expiration = from);
    world.advance(HOUR * 2);
    world.run_rounds();
    assert_eq!((world.orders.len(), world.renewed()), (1, 3));
    assert_eq!(world.reason("RenewalOnTrack"), "PaidNotDelivered");
}

#[test]
fn what_was_taken_over_and_has_ended_is_not_bought_again_although_its_record_is_lost() {
    let mut world = adopting(json!({}));
    world.edit_spec(|spec| spec.renewal.until = Some(Time(time("2026-12-02T00:00:00Z"))));
    world.run_rounds();
    world.run_until("2026-12-04T00:00:00Z", HOUR);
    assert_eq!(world.condition("Ended"), "True Ended");
    world.pack.as_mut().unwrap().status = None;
    world.run_rounds();
    assert_eq!((world.reason("Ready"), world.orders.len()), ("AdoptionMismatch".into(), 0));
}

#[test]
fn what_was_taken_over_has_a_successor_of_another_name() {
    let mut world = replaced();
    world.run_rounds();
    world.order_renewal();
    world.run_rounds();
    assert_eq!((world.bought(), world.renewed()), (1, 0), "{:?}", world.renewal_on_track());
    world.run_until("2026-12-03T04:00:00Z", MINUTE * 30);
    assert_eq!(
        (world.reason("Ready"), world.status().instances.len()),
        ("Active".into(), 3),
        "the successors alone are left"
    );
}

#[test]
fn a_successor_is_bought_though_what_is_not_needed_ends_with_its_predecessor_under_another_name() {
    let mut world = replaced();
    world.run_rounds();
    world.order_renewal();
    world.run_rounds();
    assert_eq!(world.bought(), 1);
    let ends = world.instances.values().filter_map(|instance| instance.expiration).max();
    // The operator of another cluster has adopted the first instance since, renewed it and named it.
    world.refused_instance = Some("i-a".into());
    let mut other = world.instances.remove("i-a").unwrap();
    (other.expiration, other.name) = (ends, Some(cloud_name("elsewhere", "other", None, 0)));
    world.instances.insert(other.id.clone(), other);
    world.sweep();
    world.run_rounds();
    world.order_renewal();
    world.run_rounds();
    assert_eq!((world.bought(), world.orders.len()), (2, 2), "{:?}", world.renewal_on_track());
}

#[test]
fn a_successor_is_bought_though_what_ends_later_that_day_has_not_its_name_and_is_not_renewed() {
    let mut world = replaced();
    let first = world.instances["i-a"].expiration.unwrap();
    let hours = |hours| Some(first + SignedDuration::from_hours(hours));
    // It is listed before the instance that ends first.
    world.instances.get_mut("i-a").unwrap().expiration = hours(9);
    world.edit_spec(|spec| spec.renewal.until = hours(5).map(Time));
    world.refused_instance = Some("i-a".into());
    world.run_rounds();
    world.order_renewal();
    world.run_rounds();
    assert_eq!((world.orders.len(), world.bought()), (1, 1), "{:?}", world.renewal_on_track());
}

#[rstest]
#[case::at_the_same_time(0)]
#[case::on_another_day(40)]
fn a_successor_waits_until_its_predecessor_has_given_up_the_name_that_it_is_bought_under(#[case] later: i64) {
    let mut world = replaced();
    let ends = &mut world.instances.get_mut("i-b").unwrap().expiration;
    *ends = ends.map(|at| at + SignedDuration::from_hours(later));
    for (instance, number) in world.instances.values_mut().zip(1..) {
        instance.name = Some(format!("{}-{number}", cloud_name(NAMESPACE, NAME, None, 1)));
    }
    world.refused_instance = Some("i-b".into());
    world.run_rounds();
    world.order_renewal();
    world.run_rounds();
    assert_eq!((world.orders.len(), world.reason("RenewalOnTrack").as_str()), (0, "NameNotSeen"));
    world.refused_instance = None;
    world.advance(MINUTE);
    world.run_rounds();
    assert_eq!((world.bought(), world.unresolved()), (1, false), "{:?}", world.renewal_on_track());
}

#[test]
fn a_successor_is_void_when_another_has_given_its_predecessor_its_name_meanwhile() {
    let mut world = replaced();
    world.run_rounds();
    world.order_renewal();
    assert_eq!(world.orders.len(), 1);
    world.instances.values_mut().for_each(|instance| instance.name = Some("another cluster's".into()));
    world.run_last_order_with_new_sweep();
    assert_eq!((world.bought(), world.line(0).state), (0, LineState::Void));
}
