//! The life of a pack in virtual time.
#![allow(clippy::unwrap_used)]

mod world;

use carpack_api::Mode;
use carpack_api::order::{LineState, OrderAction, OrderState};
use carpack_api::pack::{RenewFlag, RenewalMode};
use carpack_core::observation::{Binding, DealState};
use carpack_core::order::{Effect, settle_annotation};
use carpack_core::pack::Change;
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;
use world::{Reply, World, extend, pack, time};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn active(spec: serde_json::Value) -> World {
    let mut world = World::new(pack(spec));
    world.settle();
    assert_eq!(world.ready(), "True Active", "{:#?}", world.orders);
    world
}

#[test]
fn a_pack_is_bought_once_bound_and_ready_with_its_expiry() {
    let world = active(json!({"project": "cap-a"}));
    assert_eq!(world.bought(), 1);
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
    let status = world.status();
    assert_eq!(status.quantity.as_deref(), Some("3/3"));
    assert_eq!(status.project.as_deref(), Some("cap-a"));
    assert_eq!(
        status.expiration_time.as_ref().map(|t| t.0),
        world.instances.values().filter_map(|i| i.expiration).min()
    );
    assert!(status.next.as_ref().unwrap().starts_with("renew 1 day at 12-03 18:00Z, 315.00 USD"), "{:?}", status.next);
    assert_eq!(status.spent.as_deref(), Some("105.00 USD"), "as the cloud's books say");
}

#[test]
fn nothing_is_done_again_when_nothing_has_changed() {
    let mut world = active(json!({"project": "cap-a"}));
    let orders = |world: &World| serde_json::to_value(&world.orders).unwrap();
    let (before, changes, status) = (orders(&world), world.changes.len(), world.status().clone());
    world.settle();
    assert_eq!((orders(&world), world.changes.len()), (before, changes));
    assert_eq!(world.status(), &status);
}

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
    assert_eq!(world.condition("Ended"), Some(("True".into(), "Ended".into())));
    assert_eq!(world.condition("Ready"), None);
    assert_eq!(world.status().reason.as_deref(), Some("Ended"));
}

#[test]
fn a_successor_replaces_the_pack_without_a_gap() {
    let renewal = json!({"mode": "Operator", "duration": 3, "renewBefore": "6h", "strategy": "Replace"});
    let mut world = active(json!({"project": "cap-a", "renewal": renewal}));
    while world.now < time("2026-12-08T00:00:00Z") {
        world.pass(SignedDuration::from_mins(30));
        world.round();
        world.round();
        let live =
            world.instances.values().filter(|i| !i.isolated && i.project == Binding::Bound("cap-a".into())).count();
        assert!(live >= 3, "only {live} of 3 in the project at {}", world.now);
    }
    assert_eq!((world.bought(), world.renewed()), (3, 0));
    assert!(world.orders[1].spec.pack_name.contains("-002-"));
}

#[test]
fn a_successor_that_would_gain_less_than_half_its_term_is_not_bought() {
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "20h", "strategy": "Replace"});
    let mut world = active(json!({"renewal": renewal}));
    world.run_until("2026-12-03T06:00:00Z", HOUR);
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "SuccessorGainsTooLittle".into())));
    assert_eq!(world.bought(), 1);
}

#[rstest]
#[case(Reply::LostAfterCommit)]
#[case(Reply::LostBeforeCommit)]
fn a_purchase_whose_answer_is_lost_is_charged_once(#[case] reply: Reply) {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.replies = vec![reply.clone()];
    world.settle();
    if reply == Reply::LostBeforeCommit {
        assert_eq!(world.ready(), "False OrderAmbiguous");
        world.run_until("2026-12-01T00:20:00Z", SignedDuration::from_mins(1));
    }
    world.settle();
    assert_eq!(world.bought(), 1);
    assert_eq!(world.ready(), "True Active");
}

#[test]
fn a_purchase_found_by_what_it_left_behind_is_booked_with_what_it_cost() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostAfterCommit];
    world.settle();
    let status = world.orders[0].status.clone().unwrap();
    assert_eq!(status.lines[0].order_ids, [world.charges[0].order_id.clone()]);
    assert_eq!(status.paid.map(|paid| paid.amount).as_deref(), Some("105.00"));
}

#[test]
fn a_purchase_that_goes_well_warns_of_nothing() {
    let world = active(json!({"project": "cap-a"}));
    let warnings: Vec<_> = world.events.iter().filter(|event| event.warning).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn nothing_is_concluded_from_an_absence_before_the_quarantine_is_over() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostBeforeCommit, Reply::LostBeforeCommit];
    world.run_until("2026-12-01T00:06:00Z", SignedDuration::from_secs(10));
    assert!(world.unresolved());
    assert_eq!(world.orders[0].status.as_ref().unwrap().lines[0].attempts, 1);
}

#[test]
fn an_absence_that_three_attempts_do_not_explain_asks_a_person_with_the_command() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostBeforeCommit; 9];
    world.run_until("2026-12-01T02:00:00Z", SignedDuration::from_mins(1));
    let status = world.orders[0].status.clone().unwrap();
    assert_eq!(status.lines[0].attempts, 3);
    assert!(status.message.unwrap().contains(
        "kubectl annotate packorder events.concert.buy-1 -n carpack-system carpack.io/settle-line-0-attempt-3=NotExecuted"
    ));
    assert_eq!((world.bought(), world.orders.len()), (0, 1));
}

#[rstest]
#[case(vec![Reply::Honest, Reply::LostAfterCommit, Reply::Honest])]
#[case(vec![Reply::Honest, Reply::LostBeforeCommit, Reply::Honest])]
#[case(vec![Reply::Honest, Reply::Refused { category: carpack_api::Reason::BalanceInsufficient, may_pass: true }, Reply::Honest])]
fn each_of_three_instances_is_renewed_once_though_the_second_one_fails(#[case] replies: Vec<Reply>) {
    let mut world = active(json!({}));
    world.replies = replies;
    world.run_until("2026-12-03T23:30:00Z", SignedDuration::from_mins(10));
    assert_eq!(world.renewed(), 3);
    assert_eq!(world.ready(), "True Active");
}

#[test]
fn a_renewal_that_is_refused_for_want_of_money_is_tried_again_up_to_the_end() {
    let mut world = active(json!({}));
    world.replies = vec![Reply::Refused { category: carpack_api::Reason::BalanceInsufficient, may_pass: true }; 300];
    world.run_until("2026-12-03T17:00:00Z", HOUR);
    world.run_until("2026-12-03T23:40:00Z", SignedDuration::from_mins(1));
    assert!((20..120).contains(&(300 - world.replies.len())), "{}", world.replies.len());
    world.replies.clear();
    world.run_until("2026-12-03T23:55:00Z", SignedDuration::from_mins(1));
    assert_eq!(world.renewed(), 3);
}

#[test]
fn an_instance_that_was_renewed_in_the_console_is_not_renewed_again() {
    let mut world = active(json!({}));
    world.run_until("2026-12-03T17:00:00Z", HOUR);
    let second = world.instances.keys().nth(1).unwrap().clone();
    let instance = world.instances.get_mut(&second).unwrap();
    extend(instance, SignedDuration::from_hours(24));
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!(world.renewed(), 2);
}

#[test]
fn a_renewal_refused_for_good_is_not_ordered_again_and_says_so() {
    let mut world = active(json!({}));
    world.replies = vec![Reply::Refused { category: carpack_api::Reason::InvalidRequest, may_pass: false }; 3];
    world.run_until("2026-12-03T23:00:00Z", SignedDuration::from_mins(10));
    assert_eq!((world.renewed(), world.orders.len()), (0, 2));
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "InvalidRequest".into())));
    assert!(world.condition("Stalled").is_some());
}

#[test]
fn no_renewal_by_us_until_the_clouds_own_is_seen_off() {
    let mut world =
        World::new(pack(json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}})));
    world.settle();
    assert_eq!(world.ready(), "True Active");
    assert!(world.instances.values().all(|i| i.renew_flag == RenewFlag::Auto));
    world.refuse_changes = true;
    world.run_until("2026-12-30T00:00:00Z", SignedDuration::from_hours(12));
    world.spec(|spec| {
        spec.renewal.mode = RenewalMode::Operator;
        spec.renewal.renew_before = Some("48h".into());
    });
    world.settle();
    assert_eq!(world.renewed(), 0);
    assert_eq!(world.condition("RenewalOnTrack").unwrap().0, "False");
    world.refuse_changes = false;
    world.pass(HOUR);
    world.settle();
    assert_eq!(world.renewed(), 3, "{:#?}", world.status());
}

#[test]
fn one_instance_whose_switch_is_stuck_holds_back_the_renewal_but_no_other_switch() {
    let mut world =
        World::new(pack(json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}})));
    world.settle();
    let ids: Vec<String> = world.instances.keys().cloned().collect();
    world.stubborn = Some(ids[1].clone());
    world.spec(|spec| spec.renewal.mode = RenewalMode::Operator);
    world.settle();
    let on: Vec<bool> = world.instances.values().map(|i| i.renew_flag == RenewFlag::Auto).collect();
    assert_eq!(on, [false, true, false]);
    assert_eq!(world.condition("RenewalOnTrack").unwrap().0, "False");
}

#[test]
fn one_instance_whose_switch_is_stuck_does_not_keep_the_others_from_lapsing() {
    let spec =
        json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": "Lapse"});
    let mut world = World::new(pack(spec));
    world.settle();
    let ids: Vec<String> = world.instances.keys().cloned().collect();
    world.stubborn = Some(ids[0].clone());
    world.delete_pack();
    world.settle();
    let on: Vec<bool> = world.instances.values().map(|i| i.renew_flag == RenewFlag::Auto).collect();
    assert_eq!(on, [true, false, false]);
}

#[test]
fn the_clouds_own_renewal_is_not_called_on_when_nothing_is_there_to_be_renewed() {
    let mut world =
        World::new(pack(json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}})));
    world.settle();
    world.instances.clear();
    world.settle();
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "AutoRenewNotSeenOn".into())));
}

#[test]
fn a_switch_turned_in_the_console_is_turned_back() {
    let mut world =
        World::new(pack(json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}})));
    world.settle();
    world.instances.values_mut().next().unwrap().renew_flag = RenewFlag::Manual;
    world.settle();
    assert!(world.instances.values().all(|i| i.renew_flag == RenewFlag::Auto));
}

#[test]
fn the_pack_moves_when_its_project_changes() {
    let mut world = active(json!({"project": "cap-a"}));
    world.spec(|spec| spec.project = Some("cap-b".into()));
    world.settle();
    assert_eq!(world.projects_of_instances(), vec![Some("cap-b".to_owned()); 3]);
    world.spec(|spec| spec.project = None);
    world.settle();
    assert_eq!(world.projects_of_instances(), vec![None; 3]);
    world.spec(|spec| spec.project = Some("cap-a".into()));
    world.settle();
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
    assert_eq!(world.ready(), "True Active");
}

#[rstest]
#[case("cap-small", "ScaleMismatch")]
#[case("cap-nowhere", "ProjectNotFound")]
#[case("cap-foreign", "ProjectNotGranted")]
fn a_project_that_cannot_take_the_pack_is_refused_and_nothing_is_touched(#[case] project: &str, #[case] reason: &str) {
    let mut world = active(json!({"project": "cap-a"}));
    let changes = world.changes.len();
    world.spec(|spec| spec.project = Some(project.into()));
    world.settle();
    assert_eq!(world.condition("Assigned"), Some(("False".into(), reason.into())));
    assert_eq!(world.changes.len(), changes);
    let mut unbought = World::new(pack(json!({"project": project})));
    unbought.settle();
    assert_eq!((unbought.ready(), unbought.orders.len()), (format!("False {reason}"), 0));
}

#[test]
fn one_instance_that_cannot_be_moved_does_not_keep_the_others_where_they_are() {
    let mut world = active(json!({"project": "cap-a"}));
    let second = world.instances.keys().nth(1).unwrap().clone();
    world.stubborn = Some(second);
    world.spec(|spec| spec.project = Some("cap-b".into()));
    world.settle();
    let (a, b) = (Some("cap-a".to_owned()), Some("cap-b".to_owned()));
    assert_eq!(world.projects_of_instances(), [b.clone(), a, b.clone()]);
    assert_eq!(world.condition("Assigned"), Some(("False".into(), "Locked".into())));
    world.stubborn = None;
    world.pass(HOUR);
    world.settle();
    assert_eq!(world.projects_of_instances(), vec![b; 3]);
}

#[test]
fn a_cloud_that_refuses_every_change_is_not_asked_for_each_instance_by_itself() {
    let mut world = active(json!({"project": "cap-a"}));
    world.refuse_changes = true;
    world.spec(|spec| spec.project = Some("cap-b".into()));
    world.settle();
    assert_eq!(world.failures.len(), 1, "{:?}", world.failures);
}

#[test]
fn what_was_moved_in_the_console_is_moved_back_with_an_event() {
    let mut world = active(json!({"project": "cap-a"}));
    world.instances.values_mut().nth(1).unwrap().project = Binding::Bound("cap-b".into());
    world.settle();
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
    assert_eq!(world.events.iter().filter(|e| e.reason == carpack_api::Reason::MovedBack).count(), 1);
}

#[test]
fn what_a_person_bound_is_left_when_no_project_is_declared() {
    let mut world = active(json!({}));
    for instance in world.instances.values_mut() {
        instance.project = Binding::Bound("cap-b".into());
    }
    world.settle();
    assert!(world.changes.is_empty());
    assert_eq!(world.condition("Assigned"), Some(("True".into(), "BoundByAnother".into())));
}

#[test]
fn the_pack_is_renamed_with_the_numbers_the_cloud_gave() {
    let mut world = active(json!({"packName": "first"}));
    world.spec(|spec| spec.pack_name = Some("second".into()));
    world.settle();
    let names = world.names_of_instances();
    assert!(names.iter().all(|n| n.starts_with("second-")), "{names:?}");
    assert_eq!(names.iter().map(|n| n.rsplit_once('-').unwrap().1).collect::<Vec<_>>(), ["1", "2", "3"]);
    // What lost its number takes the one that is free, whatever the order of the ids.
    for (instance, number) in world.instances.values_mut().zip(["3", "1", "2"]) {
        instance.name = instance.name.as_ref().map(|name| format!("{}-{number}", name.rsplit_once('-').unwrap().0));
    }
    world.instances.values_mut().nth(1).unwrap().name = Some("scribble".into());
    world.settle();
    let names = world.names_of_instances();
    assert_eq!(names.iter().map(|n| n.rsplit_once('-').unwrap().1).collect::<Vec<_>>(), ["3", "1", "2"]);
}

#[test]
fn a_pack_whose_order_is_gone_is_renamed_as_its_first_purchase_was_named() {
    let mut world = active(json!({"packName": "first"}));
    let hash = world.orders[0].spec.pack_name.strip_prefix("first").unwrap().to_owned();
    world.orders.clear();
    world.spec(|spec| spec.pack_name = Some("second".into()));
    world.settle();
    let names = world.names_of_instances();
    assert_eq!(names, [1, 2, 3].map(|number| format!("second{hash}-{number}")));
}

#[rstest]
#[case(Mode::Observe, "False Observing", 0)]
#[case(Mode::DryRun, "False DryRun", 0)]
#[case(Mode::ApprovalRequired, "False AwaitingApproval", 1)]
#[case(Mode::Automatic, "True Active", 1)]
fn the_lowest_step_of_the_ladder_wins_at_each_of_its_three_places(
    #[case] mode: Mode,
    #[case] ready: &str,
    #[case] orders: usize,
) {
    for place in 0..3 {
        let mut world = World::new(pack(json!({"project": "cap-a"})));
        match place {
            0 => world.installation_mode = mode,
            1 => world.account.as_mut().unwrap().spec.mode = mode,
            _ => world.spec(|spec| spec.mode = mode),
        }
        world.settle();
        assert_eq!((world.ready().as_str(), world.orders.len()), (ready, orders), "place {place}");
        assert_eq!(world.bought(), usize::from(mode == Mode::Automatic));
    }
}

#[test]
fn an_approval_may_cover_the_later_renewals() {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "duration": 1})));
    world.settle();
    world.approve(0, "ThisAndLaterRenewals");
    world.run_until("2026-12-04T00:00:00Z", HOUR);
    assert_eq!(world.bought(), 1);
    assert!(world.renewed() >= 6, "{}", world.renewed());
}

#[test]
fn an_approval_of_one_order_does_not_cover_its_renewal() {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "duration": 1})));
    world.settle();
    world.approve(0, "ThisOrder");
    world.run_until("2026-12-01T20:00:00Z", HOUR);
    assert_eq!((world.bought(), world.renewed()), (1, 0));
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "AwaitingApproval".into())));
}

#[rstest]
#[case(json!({"maxPrice": {"amount": "944.99", "currency": "USD"}}), "AboveMaxPrice")]
#[case(json!({"maxPrice": {"amount": "9999", "currency": "CNY"}}), "AboveMaxPrice")]
#[case(json!({"concurrencyScale": "S1"}), "Unpriced")]
#[case(json!({"quantity": 0}), "Unpriced")]
#[case(json!({"quantity": -3}), "Unpriced")]
#[case(json!({"duration": 0}), "Unpriced")]
fn what_is_too_dear_or_has_no_price_is_not_bought(#[case] spec: serde_json::Value, #[case] reason: &str) {
    let mut world = World::new(pack(spec));
    world.settle();
    assert_eq!((world.ready(), world.orders.len()), (format!("False {reason}"), 0));
}

#[test]
fn a_pack_is_bought_only_within_its_window() {
    let window = json!({"notBefore": "2026-12-02T00:00:00Z", "notAfter": "2026-12-03T00:00:00Z"});
    let mut world = World::new(pack(json!({"purchaseWindow": window})));
    world.settle();
    assert_eq!((world.ready().as_str(), world.orders.len()), ("False WaitingForWindow", 0));
    let mut late = World::new(pack(json!({"purchaseWindow": window})));
    late.pass(SignedDuration::from_hours(48));
    late.settle();
    assert_eq!(late.condition("Ended"), Some(("True".into(), "WindowClosed".into())));
    assert_eq!(late.orders.len(), 0);
    world.pass(SignedDuration::from_hours(24));
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[test]
fn a_window_opens_at_its_moment_and_closes_at_its_moment() {
    for (moment, reason) in [("notBefore", "Purchasing"), ("notAfter", "Ended")] {
        let mut world = World::new(pack(json!({"purchaseWindow": {"notBefore": "2026-12-02T00:00:00Z"}})));
        world.settle();
        let window = json!({moment: world.now.to_string()});
        world.spec(|spec| spec.purchase_window = serde_json::from_value(window).unwrap());
        world.step_pack();
        assert_eq!(world.status().reason.as_deref(), Some(reason), "{moment}");
    }
}

#[test]
fn an_unapproved_order_dies_with_its_window() {
    let window = json!({"notAfter": "2026-12-02T00:00:00Z"});
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "purchaseWindow": window})));
    world.settle();
    world.pass(SignedDuration::from_hours(24));
    world.approve(0, "ThisOrder");
    world.settle();
    assert_eq!(world.bought(), 0);
    assert_eq!(world.condition("Ended"), Some(("True".into(), "WindowClosed".into())));
}

#[test]
fn a_denied_order_is_not_asked_for_again() {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired"})));
    world.settle();
    world.orders[0].spec.approval = Some(serde_json::from_value(json!({"decision": "Denied"})).unwrap());
    world.settle();
    assert_eq!((world.ready().as_str(), world.orders.len(), world.bought()), ("False Denied", 1, 0));
    assert!(world.condition("Stalled").is_some());
}

#[test]
fn a_delayed_delivery_is_waited_for_and_never_bought_again() {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.replies = vec![Reply::Delayed];
    world.settle();
    assert_eq!(world.ready(), "False AwaitingDelivery");
    world.run_until("2026-12-01T03:00:00Z", HOUR);
    assert_eq!((world.ready().as_str(), world.bought()), ("False PaidNotDelivered", 1));
    world.deliver();
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[rstest]
#[case(Reply::Delayed)]
#[case(Reply::Partial(2))]
fn a_payment_that_was_recorded_a_moment_ago_raises_no_alarm(#[case] reply: Reply) {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![reply];
    while world.bought() == 0 {
        world.pass(SignedDuration::from_secs(2));
        world.sweep();
        world.step_pack();
        if !world.orders.is_empty() {
            world.step_order(0);
        }
    }
    // The pack is looked at before the order is.
    world.pass(SignedDuration::from_secs(2));
    world.sweep();
    world.step_pack();
    assert_eq!(world.ready(), "False AwaitingDelivery");
    assert_eq!(world.condition("Stalled"), None);
    assert!(world.events.iter().all(|event| !event.warning), "{:?}", world.events);
}

#[test]
fn a_renewal_that_is_due_and_waits_for_a_look_is_still_announced() {
    let mut world = active(json!({}));
    let announced = world.status().next_renewal_time.clone();
    world.sweeps = false;
    world.pass(SignedDuration::from_hours(66));
    world.settle();
    assert_eq!(world.condition("RenewalOnTrack").unwrap().1, "AwaitingObservation");
    assert!(announced.is_some());
    assert_eq!(world.status().next_renewal_time, announced);
}

#[test]
fn an_order_left_unpaid_is_told_from_a_paid_one_until_somebody_pays_it() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Unpaid];
    world.settle();
    assert_eq!(world.ready(), "False Unpaid");
    assert_eq!(world.condition("Purchased"), Some(("False".into(), "Unpaid".into())));
    assert_eq!(world.condition("Stalled"), Some(("True".into(), "Unpaid".into())));
    assert_eq!((world.status().spent.clone(), world.bought(), world.orders.len()), (None, 1, 1));
    world.run_until("2026-12-03T00:00:00Z", SignedDuration::from_hours(4));
    assert_eq!((world.ready().as_str(), world.bought(), world.orders.len()), ("False Unpaid", 1, 1));

    world.charges[0].state = DealState::InEffect;
    world.deliver();
    world.settle();
    assert_eq!(world.ready(), "True Active");
    assert_eq!(world.status().spent.as_deref(), Some("105.00 USD"), "what the books say was paid");
    assert_eq!((world.bought(), world.orders.len()), (1, 1));
}

#[test]
fn an_unpaid_order_that_the_books_show_no_more_is_left_to_a_person_with_the_command() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Unpaid];
    world.settle();
    let charges = std::mem::take(&mut world.charges);
    world.settle();
    assert_eq!(world.ready(), "False Unpaid", "books may lag");
    world.pass(HOUR * 2);
    world.settle();
    let (line, said) = {
        let status = world.orders[0].status.as_ref().unwrap();
        (status.lines[0].clone(), status.message.clone().unwrap_or_default())
    };
    let key = settle_annotation(&line);
    assert!(said.contains(&format!("{key}=NotExecuted")) && said.contains("books show it no more"), "{said}");
    assert_eq!((world.ready().as_str(), world.orders.len()), ("False Unpaid", 1));
    world.charges = charges;
    world.settle();
    assert_eq!(world.ready(), "False Unpaid", "it shows again");
    world.charges.clear();
    world.settle();
    world.orders[0].metadata.annotations = Some([(key, "NotExecuted".to_owned())].into());
    world.settle();
    assert_eq!((line_state(&world), world.orders.len()), (LineState::Rejected, 1));
}

fn line_state(world: &World) -> LineState {
    world.orders[0].status.as_ref().unwrap().lines[0].state
}

#[test]
fn an_order_that_was_cancelled_unpaid_is_over_and_nothing_takes_its_place_until_it_is_deleted() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Unpaid];
    world.settle();
    world.charges[0].state = DealState::WithoutEffect;
    world.undelivered.clear();
    world.run_until("2026-12-02T00:00:00Z", SignedDuration::from_hours(4));
    assert_eq!(world.ready(), "False Cancelled");
    assert_eq!((world.bought(), world.orders.len(), world.open_orders()), (1, 1, 0));
    world.orders.clear();
    world.settle();
    assert_eq!(world.ready(), "True Active");
    assert_eq!(world.bought(), 2);
    assert_ne!(world.charges[0].token, world.charges[1].token);
}

#[test]
fn a_partial_delivery_is_never_topped_up_and_is_renewed_as_it_is() {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.replies = vec![Reply::Partial(2)];
    world.settle();
    assert_eq!(world.ready(), "False AwaitingDelivery");
    world.run_until("2026-12-01T03:00:00Z", HOUR);
    assert_eq!((world.ready().as_str(), world.bought()), ("False PartiallyDelivered", 1));
    let line = &world.orders[0].status.as_ref().unwrap().lines[0];
    assert_eq!((line.state, line.attempts), (LineState::Done, 1), "nothing is left to be sent for the rest");
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!((world.bought(), world.renewed()), (1, 2));
    world.deliver();
    world.settle();
    assert_eq!(world.bought(), 1);
}

#[test]
fn a_refusal_that_may_pass_is_tried_again_until_it_has_passed() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Refused { category: carpack_api::Reason::BalanceInsufficient, may_pass: true }; 3];
    world.settle();
    assert_eq!(world.ready(), "False BalanceInsufficient");
    world.run_until("2026-12-01T01:00:00Z", SignedDuration::from_mins(1));
    assert_eq!((world.ready().as_str(), world.bought(), world.orders.len()), ("True Active", 1, 1));
}

#[test]
fn ready_turns_false_at_expiry_though_the_cloud_is_unreachable() {
    let mut world = active(json!({}));
    world.sweeps = false;
    world.run_until("2026-12-01T01:00:00Z", HOUR);
    assert_eq!(world.ready(), "Unknown ObservationStale");
    world.run_until("2026-12-04T00:05:00Z", HOUR);
    assert_eq!(world.ready(), "False Expired");
    assert_eq!(world.renewed(), 0);
}

#[test]
fn a_pack_that_expired_while_the_operator_was_down_is_reported_and_never_bought_again() {
    let mut world = active(json!({}));
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle();
    assert_eq!(world.ready(), "False Expired");
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "Missed".into())));
    world.instances.clear();
    world.run_until("2026-12-20T00:00:00Z", SignedDuration::from_hours(12));
    assert_eq!((world.ready().as_str(), world.charges.len()), ("False Expired", 1));
}

#[test]
fn what_expired_of_a_pack_is_not_taken_for_undelivered_when_the_rest_lives_on() {
    let mut world = active(json!({}));
    let late = world.instances.keys().next_back().unwrap().clone();
    let renewed: Vec<String> = world.instances.keys().filter(|id| **id != late).cloned().collect();
    for id in renewed {
        let instance = world.instances.get_mut(&id).unwrap();
        extend(instance, SignedDuration::from_hours(72));
    }
    world.spec(|spec| spec.renewal.mode = carpack_api::pack::RenewalMode::None);
    world.run_until("2026-12-04T06:00:00Z", HOUR);
    assert_eq!(world.ready(), "False PartlyExpired");
    assert!(world.status().instances.iter().any(|instance| instance.id == late), "it is still part of the pack");
}

#[test]
fn a_pack_that_vanished_is_reported_and_never_bought_again() {
    let mut world = active(json!({}));
    let first = world.instances.keys().next().unwrap().clone();
    world.instances.remove(&first);
    world.settle();
    assert_eq!(world.ready(), "False Vanished");
    world.instances.clear();
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("False Vanished", 1));
}

#[test]
fn what_stands_under_the_wanted_name_is_not_bought_a_second_time() {
    let mut world = active(json!({}));
    // The object and all orders are lost; the cluster is rebuilt and the manifest applied again.
    let mut again = pack(json!({}));
    again.metadata.uid = Some("uid-2".into());
    world.pack = Some(again);
    world.orders.clear();
    world.last_change = None;
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought(), world.orders.len()), ("False NameTaken", 1, 0));
}

#[test]
fn the_same_object_applied_again_after_it_ended_buys_nothing() {
    let window = json!({"notAfter": "2026-12-02T00:00:00Z"});
    let mut world = active(json!({"renewal": {"mode": "None"}, "purchaseWindow": window}));
    world.run_until("2026-12-05T00:00:00Z", HOUR);
    assert_eq!(world.condition("Ended"), Some(("True".into(), "Ended".into())));
    let mut again = pack(json!({"renewal": {"mode": "None"}, "purchaseWindow": window}));
    again.metadata.uid = Some("uid-2".into());
    world.pack = Some(again);
    world.settle();
    assert_eq!(world.condition("Ended"), Some(("True".into(), "WindowClosed".into())));
    assert_eq!(world.bought(), 1);
}

#[rstest]
#[case("Retain")]
#[case("Lapse")]
#[case("Return")]
fn deletion_spends_nothing_and_leaves_no_order_in_flight_behind_unseen(#[case] policy: &str) {
    let spec =
        json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": policy});
    let mut world = World::new(pack(spec));
    world.settle();
    world.delete_pack();
    world.settle();
    assert!(world.pack.is_none());
    assert_eq!(world.charges.len(), 1);
    let auto = world.instances.values().filter(|i| i.renew_flag == RenewFlag::Auto).count();
    assert_eq!(auto, if policy == "Lapse" { 0 } else { 3 });
    assert_eq!(world.open_orders(), usize::from(policy == "Return"), "a return waits for approval");
    if policy == "Return" {
        world.approve(1, "ThisOrder");
        world.settle();
        assert!(world.instances.is_empty());
        let paid = world.orders[1].status.as_ref().unwrap().paid.clone().unwrap();
        assert_eq!(paid.amount, "315.00", "the API server refuses a negative amount, and with it the whole status");
    }
}

#[test]
fn a_purchase_in_flight_outlives_the_deletion_of_its_pack() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostAfterCommit];
    world.sweep();
    for _ in 0..8 {
        world.round();
        if world.unresolved() {
            break;
        }
    }
    assert!(world.unresolved());
    world.delete_pack();
    world.step_pack();
    assert!(world.pack.is_none(), "an unresolved order does not hold the pack");
    world.settle();
    assert!(!world.unresolved());
    assert_eq!((world.bought(), world.open_orders()), (1, 0));
}

#[test]
fn deletion_with_lapse_is_not_held_for_ever_by_a_cloud_that_cannot_be_reached() {
    let spec =
        json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": "Lapse"});
    let mut world = World::new(pack(spec));
    world.settle();
    world.refuse_changes = true;
    world.delete_pack();
    world.settle();
    assert!(world.pack.is_some());
    world.run_until("2026-12-01T02:00:00Z", SignedDuration::from_mins(10));
    assert!(world.pack.is_none());
    assert!(world.events.iter().any(|e| e.warning && e.reason == carpack_api::Reason::ReleasedUnconfirmed));
}

#[test]
fn a_change_that_the_cloud_refuses_is_shown_and_does_not_delay_a_renewal() {
    let mut world = active(json!({"project": "cap-a"}));
    world.refuse_changes = true;
    world.spec(|spec| spec.project = Some("cap-b".into()));
    world.settle();
    assert_eq!(world.condition("Assigned"), Some(("False".into(), "CloudInternal".into())));
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!(world.renewed(), 3);
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
}

#[test]
fn killed_between_unbind_and_bind_the_pack_is_bound_after_the_restart() {
    let mut world = active(json!({"project": "cap-a"}));
    world.spec(|spec| spec.project = Some("cap-b".into()));
    while !matches!(world.changes.last(), Some(Change::Unbind { .. })) {
        world.round();
    }
    world.last_change = None;
    world.failures.clear();
    world.observation = None;
    world.settle();
    assert_eq!(world.projects_of_instances(), vec![Some("cap-b".to_owned()); 3]);
}

#[test]
fn a_deleted_settled_order_does_not_cost_the_next_renewal() {
    let mut world = active(json!({}));
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!(world.renewed(), 3);
    // kubectl delete packorder events.concert.renew-1; the cloud honours tokens for ever.
    world.orders.retain(|order| order.spec.action != OrderAction::Renew);
    world.run_until("2026-12-05T02:00:00Z", HOUR);
    assert_eq!((world.ready().as_str(), world.renewed()), ("True Active", 6));
    assert!(world.orders.iter().any(|o| o.metadata.name.as_deref() == Some("events.concert.renew-2")));
}

#[test]
fn a_purchase_whose_answer_is_lost_and_whose_instances_carry_another_name_is_not_bought_again() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostAfterCommit];
    while world.charges.is_empty() {
        world.step_pack();
        world.pass(SignedDuration::from_secs(2));
        world.sweep();
        world.pass(SignedDuration::from_secs(2));
        for index in 0..world.orders.len() {
            world.step_order(index);
        }
    }
    for (number, instance) in world.instances.values_mut().enumerate() {
        instance.name = Some(format!("renamed-{number}"));
    }
    world.run_until("2026-12-01T01:00:00Z", SignedDuration::from_mins(1));
    assert_eq!((world.ready().as_str(), world.bought()), ("False OrderAmbiguous", 1));
    assert!(world.status().conditions.iter().any(|c| c.message.contains("kubectl annotate packorder")));
    // Had another pack's order recorded them, they would explain the deal.
    world.elsewhere = world.instances.keys().cloned().collect();
    world.run_until("2026-12-01T02:00:00Z", SignedDuration::from_mins(1));
    assert_eq!(world.orders[0].status.as_ref().unwrap().lines[0].attempts, 2);
}

#[rstest]
#[case("Lapse")]
#[case("Return")]
fn a_purchase_in_flight_is_waited_for_before_the_policy_is_carried_out_but_not_for_ever(#[case] policy: &str) {
    let spec =
        json!({"billingMode": "Monthly", "duration": 1, "deletionPolicy": policy, "renewal": {"mode": "AutoRenew"}});
    let mut world = World::new(pack(spec.clone()));
    world.replies = vec![Reply::Delayed];
    world.settle();
    world.delete_pack();
    world.settle();
    assert!(world.pack.is_some(), "held while the delivery is awaited");
    world.deliver();
    world.settle();
    assert!(world.pack.is_none());
    let auto = world.instances.values().filter(|i| i.renew_flag == RenewFlag::Auto).count();
    assert_eq!((auto, world.orders.len()), if policy == "Lapse" { (0, 1) } else { (3, 2) });

    let mut world = World::new(pack(spec));
    world.replies = vec![Reply::Delayed];
    world.settle();
    world.delete_pack();
    world.run_until("2026-12-01T02:00:00Z", SignedDuration::from_mins(5));
    assert!(world.pack.is_none());
    assert!(world.events.iter().any(|e| e.warning && e.reason == carpack_api::Reason::ReleasedUnconfirmed));
}

/// All its renewals are paid, and the cloud's lists show the old expiry, again or still.
/// Renewed in time; then the cloud's lists are old ones, and date one instance so much later than before.
fn renewed_and_not_shown(renew_before: &str, until: &str, later: SignedDuration) -> World {
    let mut world = active(json!({"renewal": {"mode": "Operator", "duration": 1, "renewBefore": renew_before}}));
    let before = world.instances.clone();
    world.run_until(until, HOUR);
    assert_eq!((world.renewed(), world.ready()), (3, "True Active".into()));
    world.instances = before;
    let first = world.instances.values_mut().next().unwrap();
    extend(first, later);
    world.settle();
    world
}

#[rstest]
#[case::another_list("6h", "2026-12-03T18:10:00Z", SignedDuration::from_mins(10))]
#[case::another_list("6h", "2026-12-03T18:10:00Z", SignedDuration::from_mins(-10))]
#[case::an_older_expiry("20h", "2026-12-03T04:10:00Z", SignedDuration::from_hours(-13))]
fn an_expiry_that_was_paid_for_is_not_renewed_again_however_old_lists_date_it(
    #[case] renew_before: &str,
    #[case] until: &str,
    #[case] later: SignedDuration,
) {
    let world = renewed_and_not_shown(renew_before, until, later);
    assert_eq!((world.renewed(), world.orders.len()), (3, 2));
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "AwaitingDelivery".into())));
}

#[test]
fn an_expiry_that_was_paid_for_is_not_renewed_again_though_the_cloud_shows_it_again() {
    let mut world = renewed_and_not_shown("6h", "2026-12-03T18:10:00Z", SignedDuration::ZERO);
    assert_eq!((world.renewed(), world.orders.len()), (3, 2));
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "AwaitingDelivery".into())));
    world.run_until("2026-12-03T21:00:00Z", HOUR);
    assert_eq!((world.renewed(), world.orders.len()), (3, 2));
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "PaidNotDelivered".into())));
    let asked = world.status().conditions.iter().any(|c| {
        c.type_ == "Stalled"
            && c.message.contains("delete PackOrder events.concert.renew-1 in namespace carpack-system")
    });
    assert!(asked, "{:?}", world.status().conditions);
    world.orders.retain(|order| order.spec.action != OrderAction::Renew);
    world.settle();
    assert_eq!(world.renewed(), 6, "a person said that it was not renewed");
}

#[test]
fn a_successor_that_was_paid_for_and_is_not_shown_is_not_bought_again() {
    let replace = json!({"mode": "Operator", "duration": 2, "renewBefore": "6h", "strategy": "Replace"});
    let mut world = active(json!({"renewal": replace}));
    let first: Vec<String> = world.instances.keys().cloned().collect();
    world.replies = vec![Reply::Delayed];
    world.run_until("2026-12-03T18:10:00Z", HOUR);
    let order = world.orders.last_mut().unwrap();
    assert_eq!((order.spec.action, order.spec.ordinal), (OrderAction::Buy, 2));
    let status = order.status.as_mut().unwrap();
    (status.state, status.lines[0].state) = (Some(OrderState::Fulfilled), LineState::Done);
    world.settle();
    assert_eq!((world.bought(), world.orders.len()), (2, 2));

    // The order is taken away, and the successor shows: it is named, and no order is made that would be void.
    world.orders.pop();
    world.deliver();
    world.settle();
    assert!(world.instances.keys().any(|id| !first.contains(id)));
    assert_eq!((world.bought(), world.orders.len()), (2, 1));
    assert_eq!(world.condition("RenewalOnTrack"), Some(("False".into(), "NameTaken".into())));
}

#[test]
fn a_first_purchase_that_a_person_says_was_refunded_can_be_bought_anew() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Delayed];
    world.run_until("2026-12-01T01:30:00Z", SignedDuration::from_mins(10));
    assert_eq!((world.ready().as_str(), world.bought()), ("False PaidNotDelivered", 1));
    settle_by_hand(&mut world, "NotExecuted");
    world.settle();
    assert_eq!(world.condition("Purchased"), Some(("False".into(), "SettledByHand".into())));
    let words = world.condition_message("Stalled");
    assert!(words.contains("delete PackOrder events.concert.buy-1"), "{words}");
    world.orders.clear();
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 2));
}

#[test]
fn a_first_purchase_that_never_came_and_is_let_be_names_the_way_to_buy_anew() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Delayed];
    world.run_until("2026-12-01T01:30:00Z", SignedDuration::from_mins(10));
    settle_by_hand(&mut world, "Executed");
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("False PaidNotDelivered", 1));
    let words = world.condition_message("Stalled");
    assert!(words.contains("kubectl delete concurrencypack concert -n events"), "{words}");
}

/// A person says of the newest order's line what it asks for.
fn settle_by_hand(world: &mut World, word: &str) {
    let order = world.orders.last_mut().unwrap();
    let status = order.status.as_ref().unwrap();
    let key = settle_annotation(&status.lines[0]);
    assert!(status.message.as_ref().unwrap().contains(&key), "{:?}", status.message);
    order.metadata.annotations = Some([(key, word.to_owned())].into());
}

#[test]
fn an_approval_on_which_later_renewals_rest_is_kept_however_old() {
    for (scope, kept) in [("ThisAndLaterRenewals", true), ("ThisOrder", false)] {
        let mut world = active(json!({}));
        world.spec(|spec| spec.mode = Mode::ApprovalRequired);
        let approve_what_waits = |world: &mut World, scope: &str| {
            world.run_until("2026-12-03T18:10:00Z", HOUR);
            let index = world.orders.len() - 1;
            world.approve(index, scope);
            world.settle();
        };
        approve_what_waits(&mut world, scope);
        assert_eq!(world.renewed(), 3);
        let mut newer = world.orders[1].clone();
        newer.metadata.name = Some("events.concert.renew-2".into());
        newer.spec.ordinal = 2;
        newer.spec.approval = None;
        world.orders.push(newer);
        world.pass(SignedDuration::from_hours(24 * 91));
        let pruned = (0..3).any(|_| world.step_order(1) == Some(Effect::Prune));
        assert_eq!(pruned, !kept, "{scope}");
    }
}

#[test]
fn a_pack_is_let_go_only_when_the_clouds_own_renewal_is_seen_off() {
    let spec =
        json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": "Lapse"});
    for hide in [
        |world: &mut World, id: &String| world.instances.get_mut(id).unwrap().renew_flag = RenewFlag::Unknown,
        |world: &mut World, id: &String| {
            world.instances.remove(id);
        },
    ] {
        let mut world = World::new(pack(spec.clone()));
        world.settle();
        let first = world.instances.keys().next().unwrap().clone();
        hide(&mut world, &first);
        world.delete_pack();
        world.settle();
        assert!(world.pack.is_some(), "one look misses the row: nobody knows whether it is off");
        world.run_until("2026-12-01T02:00:00Z", SignedDuration::from_mins(10));
        assert!(world.pack.is_none());
        assert!(world.events.iter().any(|e| e.warning && e.reason == carpack_api::Reason::ReleasedUnconfirmed));
    }
}
