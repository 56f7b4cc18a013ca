//! Renewal by the operator: the instances that the pack has are extended.

use carpack_simulator::{Effect, Fault};
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Span, Timestamp};
use serde_json::{Value, json};

use crate::harness::spec::merge;
use crate::harness::status::{condition, condition_with_reason, expiration, message, renewals};
use crate::harness::{DAY, DUE, PROJECT, Setup, World};

/// Applies a pack of three with these changes and waits until it is Ready; returns when it expires.
async fn three(world: &World, changes: Value) -> Timestamp {
    let mut spec = json!({"project": PROJECT, "quantity": 3});
    merge(&mut spec, &changes);
    world.apply("concert", spec).await;
    expiration(&world.until_ready("concert").await).unwrap()
}

/// Every instance was renewed once, by one order, and lasts a day longer.
async fn renewed_once_each(world: &World, expiry: Timestamp) {
    world.until("concert", |pack| renewals(pack) == 1 && expiration(pack) == Some(expiry + DAY)).await;
    world.until_ready("concert").await;
    world.sweeps(2).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
    assert_eq!(world.renewed(), 3);
    assert!(world.simulator.instances().iter().all(|instance| instance.expires == expiry + DAY));
    assert_eq!(world.all_orders().await.len(), 2, "the purchase and one renewal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_pack_is_renewed_again_and_again_each_instance_once_each_time_and_not_before_it_is_due() {
    let world = World::start().await;
    let mut expiry = three(&world, json!({})).await;
    for cycle in 1..=3 {
        world.go_to(expiry + DUE - SignedDuration::from_mins(2));
        world.sweeps(2).await;
        assert_eq!(world.renewed(), 3 * (cycle - 1), "renewed before renewBefore allows it");
        let pack = world.pack("concert").await;
        let planned = pack.status.unwrap().next_renewal_time.map(|t| t.0);
        assert_eq!(planned, Some(expiry - SignedDuration::from_hours(6)));
        world.go_to(expiry + DUE);
        expiry += DAY;
        let done = i64::try_from(cycle).unwrap();
        world.until("concert", |pack| renewals(pack) == done && expiration(pack) == Some(expiry)).await;
        assert_eq!(world.charged_each("RenewInstance"), [cycle; 3]);
        assert!(world.simulator.instances().iter().all(|instance| instance.expires == expiry));
    }
    let pack = world.until_ready("concert").await;
    assert_eq!(condition_with_reason(&pack, "RenewalOnTrack"), "True Scheduled");
    assert_eq!((world.bought(), world.all_orders().await.len()), (1, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_that_the_cloud_refuses_once_is_renewed_at_the_next_attempt() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let second = world.ids().swap_remove(1);
    let effect = Effect::Refuse { code: "FailedOperation.BalanceInsufficient".into(), message: "no money".into() };
    world.simulator.add_fault(Fault::on("RenewInstance", effect).containing(&second).times(1)).unwrap();
    world.go_to(expiry + DUE);
    renewed_once_each(&world, expiry).await;
    assert_eq!(world.asked("RenewInstance"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_refused_for_good_is_reported_and_tried_again_only_when_its_order_is_deleted() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let second = world.ids().swap_remove(1);
    let effect = Effect::Refuse { code: "InvalidParameterValue".into(), message: "not this one".into() };
    let fault = world.simulator.add_fault(Fault::on("RenewInstance", effect).containing(&second)).unwrap();
    world.go_to(expiry + DUE);
    let pack = world.until_condition("concert", "RenewalOnTrack", "False FulfilledInPart").await;
    world.sweeps(2).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 0, 1]);
    assert_eq!(world.asked("RenewInstance"), 3, "what was refused for good is not asked again");
    assert_eq!(condition(&pack, "Stalled"), "True");
    let name = world.order_name("concert", "renew-1");
    assert!(message(&pack, "RenewalOnTrack").contains("not this one"), "{}", message(&pack, "RenewalOnTrack"));
    assert!(message(&pack, "RenewalOnTrack").contains(&name), "{}", message(&pack, "RenewalOnTrack"));
    assert_eq!(expiration(&pack), Some(expiry), "the earliest counts");

    world.simulator.remove_fault(fault).unwrap();
    world.sweeps(2).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 0, 1]);
    world.orders().delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    world.until("concert", |pack| expiration(pack) == Some(expiry + DAY)).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);

    // The renewals of the second day must not be mistaken for those of the first.
    world.go_to(expiry + DAY + DUE);
    world.until("concert", |pack| expiration(pack) == Some(expiry + DAY + DAY)).await;
    assert_eq!(world.charged_each("RenewInstance"), [2, 2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_that_was_renewed_in_the_console_is_not_renewed_again() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    world.simulator.console_renew(&world.ids()[1], 1).unwrap();
    world.go_to(expiry + DUE);
    world.until("concert", |pack| renewals(pack) == 1 && expiration(pack) == Some(expiry + DAY)).await;
    world.sweeps(2).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 0, 1]);
    assert_eq!(world.charged_each("ConsoleRenewInstance"), [0, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_right_after_a_renewal_in_the_console_waits_for_a_new_sweep_and_pays_nothing_twice() {
    let flags = vec!["--sweep-interval", "15s"];
    let world = World::with(Setup { flags, ..Setup::default() }).await;
    let expiry = three(&world, json!({})).await;
    world.change("concert", json!({"mode": "ApprovalRequired"})).await;
    world.go_to(expiry + DUE);
    world.until_order("concert", "renew-1", "AwaitingApproval").await;
    world.sweeps(1).await;
    world.simulator.console_renew(&world.ids()[1], 1).unwrap();
    world.decide_order("concert", "renew-1", json!({"decision": "Approved"})).await;
    world.until_order("concert", "renew-1", "Fulfilled").await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_void_when_its_instance_was_renewed_in_the_console_after_the_order_was_made() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    world.change("concert", json!({"mode": "ApprovalRequired"})).await;
    world.go_to(expiry + DUE);
    world.until_order("concert", "renew-1", "AwaitingApproval").await;
    world.simulator.console_renew(&world.ids()[1], 1).unwrap();
    world.sweeps(2).await;
    world.decide_order("concert", "renew-1", json!({"decision": "Approved"})).await;
    let order = world.until_order("concert", "renew-1", "Fulfilled").await;
    let states: Vec<String> = order.status.unwrap().lines.iter().map(|line| format!("{:?}", line.state)).collect();
    assert_eq!(states.iter().filter(|state| *state == "Done").count(), 2, "{states:?}");
    assert_eq!(states.iter().filter(|state| *state == "Void").count(), 1, "{states:?}");
    assert_eq!(world.charged_each("RenewInstance"), [1, 0, 1]);
    assert_eq!(world.charged_each("ConsoleRenewInstance"), [0, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_of_the_second_instance_whose_reply_is_lost_is_proven_by_its_expiry_and_paid_once() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let second = world.ids().swap_remove(1);
    let fault = Fault::on("RenewInstance", Effect::Drop { commit: true }).containing(&second).times(1);
    world.simulator.add_fault(fault).unwrap();
    world.go_to(expiry + DUE);
    renewed_once_each(&world, expiry).await;
    assert_eq!(world.asked("RenewInstance"), 3, "nothing is sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_of_the_second_instance_that_never_arrived_is_sent_again_only_when_its_absence_is_proven() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let effect = Effect::Drop { commit: false };
    world.simulator.add_fault(Fault::on("RenewInstance", effect).skipping(1).times(1)).unwrap();
    world.go_to(expiry + DUE);
    world.until_order("concert", "renew-1", "Ambiguous").await;
    world.until_condition("concert", "RenewalOnTrack", "Unknown OrderAmbiguous").await;
    world.advance_minutes(5);
    world.sweeps(4).await;
    assert_eq!(world.renewed(), 1, "nothing is spent on a pack while an outcome is unknown");
    assert_eq!(world.asked("RenewInstance"), 2);
    world.advance_minutes(3);
    renewed_once_each(&world, expiry).await;
    let tokens = |outcome: &str| -> Vec<String> {
        let requests = world.simulator.requests();
        let asked = requests.iter().filter(|r| r.action == "RenewInstance" && r.outcome == outcome);
        asked.map(|r| r.parameters["ClientToken"].to_string()).collect()
    };
    let (dropped, done) = (tokens("dropped"), tokens("ok"));
    assert_eq!((dropped.len(), done.len()), (1, 3));
    assert!(done.contains(&dropped[0]), "sent again with the same token");
}

#[tokio::test(flavor = "multi_thread")]
async fn until_ends_the_renewals_and_the_pack_becomes_ended() {
    let world = World::start().await;
    let until = world.simulator.now() + SignedDuration::from_hours(36);
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "until": until.to_string()});
    let expiry = three(&world, json!({"duration": 1, "renewal": renewal})).await;
    world.go_to(expiry + DUE);
    let pack = world.until("concert", |pack| renewals(pack) == 1 && expiration(pack) == Some(expiry + DAY)).await;
    assert_eq!(condition_with_reason(&pack, "RenewalOnTrack"), "True EndsAsPlanned");
    world.go_to(expiry + DAY + DUE);
    world.sweeps(2).await;
    assert_eq!(world.renewed(), 3, "it lasts until `until` already");
    world.go_to(expiry + DAY + SignedDuration::from_secs(2));
    let pack = world.until_reason("concert", "Ended").await;
    assert_eq!(condition(&pack, "Ended"), "True");
    assert_eq!(condition(&pack, "Ready"), "", "what ended as planned is no failure");
    assert_eq!(condition(&pack, "Stalled"), "");
    world.event("concert", "Ended").await;
    world.advance(24);
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.renewed()), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_packs_are_renewed_each_at_its_own_time() {
    let world = World::start().await;
    for (name, before) in [("early", "20h"), ("middle", "12h"), ("late", "2h")] {
        let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": before});
        world.apply(name, json!({"project": PROJECT, "quantity": 2, "renewal": renewal})).await;
    }
    let mut expiry = Timestamp::MAX;
    for name in ["early", "middle", "late"] {
        expiry = expiry.min(expiration(&world.until_ready(name).await).unwrap());
    }
    let all = ["early", "middle", "late"];
    for (index, hours) in [16, 9, 1].into_iter().enumerate() {
        world.go_to(expiry - SignedDuration::from_hours(hours));
        world.until(all[index], |pack| renewals(pack) == 1).await;
        world.sweeps(2).await;
        for (other, name) in all.into_iter().enumerate() {
            assert_eq!(renewals(&world.pack(name).await), i64::from(other <= index), "{name} {hours}h before");
        }
    }
    for name in all {
        world.until_ready(name).await;
    }
    assert_eq!(world.charged_each("RenewInstance"), [1; 6]);
    assert_eq!(world.bought(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_renewal_is_paid_although_the_order_of_the_last_one_was_deleted() {
    let world = World::start().await;
    let renewal = |before: &str| json!({"mode": "Operator", "duration": 1, "renewBefore": before});
    let expiry = three(&world, json!({"renewal": renewal("2h")})).await;
    world.go_to(expiry - SignedDuration::from_hours(1));
    renewed_once_each(&world, expiry).await;
    let name = world.order_name("concert", "renew-1");
    world.orders().delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    // The next renewal is due while the cloud still knows the tokens of the last one.
    world.change("concert", json!({"renewal": renewal("20h")})).await;
    world.go_to(expiry + SignedDuration::from_hours(5));
    world.until("concert", |pack| expiration(pack) == Some(expiry + DAY + DAY)).await;
    assert_eq!(world.charged_each("RenewInstance"), [2, 2, 2]);
}

/// Without renewBefore nothing is renewed until this time before the expiry, and everything then; twice in a row.
async fn renewed_by_default(billing_mode: &str, duration: i64, before: SignedDuration) {
    let world = World::start().await;
    let renewal = json!({"mode": "Operator"});
    let mut expiry =
        three(&world, json!({"billingMode": billing_mode, "duration": duration, "renewal": renewal})).await;
    for times in 1..=2 {
        let due = expiry - before;
        world.go_to(due - SignedDuration::from_mins(2));
        world.sweeps(2).await;
        let pack = world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
        assert_eq!(pack.status.unwrap().next_renewal_time.map(|at| at.0), Some(due));
        assert_eq!(world.asked("RenewInstance"), 3 * (times - 1), "renewed too early");
        world.go_to(due + SignedDuration::from_secs(2));
        expiry = match billing_mode {
            "Daily" => expiry + DAY * i32::try_from(duration).unwrap(),
            _ => (&expiry.to_zoned(TimeZone::fixed(offset(8))) + Span::new().months(duration)).timestamp(),
        };
        let done = i64::try_from(times).unwrap();
        let pack = world.until("concert", |pack| renewals(pack) == done && expiration(pack) == Some(expiry)).await;
        assert_eq!(condition(&pack, "Ready"), "True");
        assert_eq!(world.charged_each("RenewInstance"), [times; 3]);
        assert!(world.simulator.instances().iter().all(|instance| instance.expires == expiry));
        let scheduled = |pack: &carpack_api::ConcurrencyPack| {
            let planned = pack.status.as_ref().and_then(|status| status.next_renewal_time.as_ref()).map(|at| at.0);
            planned == Some(expiry - before) && condition_with_reason(pack, "RenewalOnTrack") == "True Scheduled"
        };
        world.until("concert", scheduled).await;
    }
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.asked("RenewInstance"), world.all_orders().await.len()), (1, 6, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_renew_before_a_pack_of_three_days_is_renewed_a_day_before_it_ends() {
    renewed_by_default("Daily", 3, SignedDuration::from_hours(24)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_renew_before_a_pack_of_one_day_is_renewed_eight_hours_before_it_ends() {
    renewed_by_default("Daily", 1, SignedDuration::from_hours(8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_renew_before_a_monthly_pack_is_renewed_three_days_before_it_ends_and_no_earlier() {
    renewed_by_default("Monthly", 1, SignedDuration::from_hours(72)).await;
}
