//! Renewal of what a pack has: by orders of the operator, or by the cloud's own renewal.

use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction};
use carpack_api::pack::{RenewFlag, RenewalMode, RenewalStrategy};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;

use crate::packs::{active, in_one_instance};
use crate::world::{DAY, HOUR, MINUTE, Reply, SECOND, World, extend, pack};

#[test]
fn a_daily_pack_is_renewed_again_and_again_each_time_once() {
    let mut world = active(json!({"project": "cap-a"}));
    world.run_until("2026-12-10T00:00:00Z", HOUR);
    assert_eq!(world.ready(), "True Active");
    // Bought for 3 days, then renewed for a day on the evenings of the 3rd to the 9th: 7 renewals of 3 instances.
    assert_eq!((world.bought(), world.renewed()), (1, 21));
    assert_eq!(world.status().renewals, 7);
}

#[test]
fn renewal_ends_at_until_and_the_pack_ends_as_planned() {
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "until": "2026-12-06T00:00:00Z"});
    let mut world = active(json!({"renewal": renewal}));
    world.run_until("2026-12-09T00:00:00Z", HOUR);
    assert_eq!(world.renewed(), 6, "on the 3rd and the 4th: then it lasts until after the 6th, 00:00Z");
    assert_eq!(world.condition("Ended"), "True Ended");
    assert_eq!(world.condition("Ready"), "-");
    assert_eq!(world.status().reason.as_deref(), Some("Ended"));
}

#[rstest]
#[case(SECOND, false)]
#[case(MINUTE * 59, false)]
#[case(HOUR * 6, true)]
fn no_term_is_bought_for_the_seconds_between_an_expiry_and_until(#[case] later: SignedDuration, #[case] renewed: bool) {
    for strategy in [RenewalStrategy::Extend, RenewalStrategy::Replace] {
        let mut world = active(json!({}));
        let expires = world.instances.values().filter_map(|instance| instance.expiration).max().unwrap();
        world.edit_spec(|spec| {
            spec.renewal.until = Some(Time(expires + later));
            spec.renewal.strategy = Some(strategy);
        });
        world.run_until("2026-12-04T05:00:00Z", HOUR);
        assert_eq!(world.charges.len() > 1, renewed, "{strategy:?} {later}");
        assert_eq!(world.condition("Ended") == "True Ended", !renewed, "{strategy:?} {later}");
    }
}

#[test]
fn a_pack_whose_expiry_nobody_says_does_not_end_as_planned() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Delayed];
    world.run_rounds();
    world.undelivered.iter_mut().for_each(|instance| instance.expiration = None);
    world.deliver();
    world.run_rounds();
    assert_eq!(world.renewal_on_track(), "False ExpiryUnknown");
}

#[test]
fn a_renewal_that_is_due_and_waits_for_a_sweep_is_still_announced() {
    let mut world = active(json!({}));
    let announced = world.status().next_renewal_time.clone();
    world.sweeping = false;
    world.advance(HOUR * 66);
    world.run_rounds();
    assert_eq!(world.reason("RenewalOnTrack"), "AwaitingObservation");
    assert!(announced.is_some());
    assert_eq!(world.status().next_renewal_time, announced);
}

#[rstest]
#[case(vec![Reply::Honest, Reply::LostAfterCommit, Reply::Honest])]
#[case(vec![Reply::Honest, Reply::LostBeforeCommit, Reply::Honest])]
#[case(vec![Reply::Honest, Reply::BALANCE_INSUFFICIENT, Reply::Honest])]
fn each_of_three_instances_is_renewed_once_though_the_second_one_fails(#[case] replies: Vec<Reply>) {
    let mut world = active(json!({}));
    world.replies = replies;
    world.run_until("2026-12-03T23:30:00Z", MINUTE * 10);
    assert_eq!(world.renewed(), 3);
    assert_eq!(world.ready(), "True Active");
}

#[test]
fn a_renewal_that_is_refused_for_want_of_money_is_tried_again_up_to_the_end() {
    let mut world = active(json!({}));
    world.replies = vec![Reply::BALANCE_INSUFFICIENT; 300];
    world.run_until("2026-12-03T17:00:00Z", HOUR);
    world.run_until("2026-12-03T23:40:00Z", MINUTE);
    assert!((20..120).contains(&(300 - world.replies.len())), "{}", world.replies.len());
    world.replies.clear();
    world.run_until("2026-12-03T23:55:00Z", MINUTE);
    assert_eq!(world.renewed(), 3);
}

#[test]
fn a_renewal_refused_for_good_is_not_ordered_again_and_says_so() {
    let mut world = active(json!({}));
    world.replies = vec![Reply::INVALID_REQUEST; 3];
    world.run_until("2026-12-03T23:00:00Z", MINUTE * 10);
    assert_eq!((world.renewed(), world.orders.len()), (0, 2));
    assert_eq!(world.renewal_on_track(), "False InvalidRequest");
    assert_ne!(world.condition("Stalled"), "-");
}

#[test]
fn an_instance_that_was_renewed_in_the_console_is_not_renewed_again() {
    let mut world = active(json!({}));
    world.run_until("2026-12-03T17:00:00Z", HOUR);
    let second = world.instances.keys().nth(1).unwrap().clone();
    let instance = world.instances.get_mut(&second).unwrap();
    extend(instance, DAY);
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!(world.renewed(), 2);
}

#[test]
fn a_deleted_settled_order_does_not_cost_the_next_renewal() {
    let mut world = active(json!({}));
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!(world.renewed(), 3);
    // Somebody deletes the order; the cloud honours its tokens for ever.
    world.orders.retain(|order| order.spec.action != OrderAction::Renew);
    world.run_until("2026-12-05T02:00:00Z", HOUR);
    assert_eq!((world.ready().as_str(), world.renewed()), ("True Active", 6));
    assert!(world.orders.iter().any(|o| o.metadata.name.as_deref() == Some("events.concert.renew-2")));
}

/// All renewals are paid, and then the cloud lists the old expiries again, one of them so much later.
fn renewed_and_not_shown(renew_before: &str, until: &str, later: SignedDuration) -> World {
    let mut world = active(json!({"renewal": {"mode": "Operator", "duration": 1, "renewBefore": renew_before}}));
    let before = world.instances.clone();
    world.run_until(until, HOUR);
    assert_eq!((world.renewed(), world.ready()), (3, "True Active".into()));
    world.instances = before;
    let first = world.instances.values_mut().next().unwrap();
    extend(first, later);
    world.run_rounds();
    world
}

#[rstest]
#[case::another_list("6h", "2026-12-03T18:10:00Z", MINUTE * 10)]
#[case::another_list("6h", "2026-12-03T18:10:00Z", SignedDuration::from_mins(-10))]
#[case::an_older_expiry("20h", "2026-12-03T04:10:00Z", SignedDuration::from_hours(-13))]
fn an_expiry_that_was_paid_for_is_not_renewed_again_however_old_lists_date_it(
    #[case] renew_before: &str,
    #[case] until: &str,
    #[case] later: SignedDuration,
) {
    let world = renewed_and_not_shown(renew_before, until, later);
    assert_eq!((world.renewed(), world.orders.len()), (3, 2));
    assert_eq!(world.renewal_on_track(), "False AwaitingDelivery");
}

#[test]
fn an_expiry_that_was_paid_for_is_not_renewed_again_though_the_cloud_shows_it_again() {
    let mut world = renewed_and_not_shown("6h", "2026-12-03T18:10:00Z", SignedDuration::ZERO);
    assert_eq!((world.renewed(), world.orders.len()), (3, 2));
    assert_eq!(world.renewal_on_track(), "False AwaitingDelivery");
    world.run_until("2026-12-03T21:00:00Z", HOUR);
    assert_eq!((world.renewed(), world.orders.len()), (3, 2));
    assert_eq!(world.renewal_on_track(), "False PaidNotDelivered");
    let asked = world.status().conditions.iter().any(|c| {
        c.type_ == "Stalled"
            && c.message.contains("delete PackOrder events.concert.renew-1 in namespace carpack-system")
    });
    assert!(asked, "{:?}", world.status().conditions);
    world.orders.retain(|order| order.spec.action != OrderAction::Renew);
    world.run_rounds();
    assert_eq!(world.renewed(), 6, "a person said that it was not renewed");
}

fn set_count(world: &mut World, concurrencies: Option<i32>) {
    world.instances.values_mut().for_each(|instance| instance.concurrencies = concurrencies);
}

/// The renewal is ordered and not sent.
fn order_renewal(world: &mut World) {
    world.order_renewal();
    assert_eq!(world.orders[1].spec.action, OrderAction::Renew);
    world.reconcile_order(1);
}

#[rstest]
#[case::never_said(None, None)]
#[case::said_once(Some(3), None)]
#[case::said(Some(3), Some(3))]
fn a_renewal_is_priced_for_all_that_may_be_charged_although_a_sweep_does_not_say_how_many_it_renews(
    #[case] before: Option<i32>,
    #[case] now: Option<i32>,
) {
    let mut world = in_one_instance(before);
    set_count(&mut world, now);
    order_renewal(&mut world);
    let spec = &world.orders[1].spec;
    let quote = spec.quote.as_ref().map(|quote| quote.amount.as_str());
    assert_eq!((spec.terms.quantity, quote), (3, Some("315.00")));
    world.run_rounds();
    assert_eq!(world.renewed(), 1, "and it is renewed in time");
}

#[test]
fn a_renewal_that_would_cost_more_than_it_was_priced_for_is_void() {
    let mut world = in_one_instance(Some(1));
    order_renewal(&mut world);
    assert_eq!(world.orders[1].spec.terms.quantity, 1);
    set_count(&mut world, Some(3));
    world.sweep_after(SECOND * 2);
    for _ in 0..4 {
        world.reconcile_order(1);
    }
    let status = world.order_status(1);
    assert_eq!(status.lines[0].state, LineState::Void, "{:?}", status.message);
    assert_eq!(world.renewed(), 0);
    world.run_rounds();
    assert_eq!((world.renewed(), world.orders.len()), (1, 3));
    assert_eq!(world.orders[2].spec.terms.quantity, 3, "and is made anew for what it costs");
}

/// A Monthly pack that was bought and that the cloud renews.
fn renewed_by_the_cloud() -> World {
    active(json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}}))
}

#[test]
fn no_renewal_by_us_until_the_clouds_own_is_seen_off() {
    let mut world = renewed_by_the_cloud();
    assert!(world.instances.values().all(|i| i.renew_flag == RenewFlag::Auto));
    world.refuse_changes = true;
    world.run_until("2026-12-30T00:00:00Z", HOUR * 12);
    world.edit_spec(|spec| {
        spec.renewal.mode = RenewalMode::Operator;
        spec.renewal.renew_before = Some("48h".into());
    });
    world.run_rounds();
    assert_eq!(world.renewed(), 0);
    assert!(world.renewal_on_track().starts_with("False "), "{}", world.renewal_on_track());
    world.refuse_changes = false;
    world.advance(HOUR);
    world.run_rounds();
    assert_eq!(world.renewed(), 3, "{:#?}", world.status());
}

#[test]
fn one_instance_whose_switch_is_stuck_holds_back_the_renewal_but_no_other_switch() {
    let mut world = renewed_by_the_cloud();
    let ids: Vec<String> = world.instances.keys().cloned().collect();
    world.refused_instance = Some(ids[1].clone());
    world.edit_spec(|spec| spec.renewal.mode = RenewalMode::Operator);
    world.run_rounds();
    let on: Vec<bool> = world.instances.values().map(|i| i.renew_flag == RenewFlag::Auto).collect();
    assert_eq!(on, [false, true, false]);
    assert!(world.renewal_on_track().starts_with("False "), "{}", world.renewal_on_track());
}

#[test]
fn the_clouds_own_renewal_is_not_called_on_when_nothing_is_there_to_be_renewed() {
    let mut world = renewed_by_the_cloud();
    world.instances.clear();
    world.run_rounds();
    assert_eq!(world.renewal_on_track(), "False AutoRenewNotSeenOn");
}

#[test]
fn a_switch_turned_in_the_console_is_turned_back() {
    let mut world = renewed_by_the_cloud();
    world.instances.values_mut().next().unwrap().renew_flag = RenewFlag::Manual;
    world.run_rounds();
    assert!(world.instances.values().all(|i| i.renew_flag == RenewFlag::Auto));
}
