//! Renewal by replacement: a successor is bought and takes over without a gap.

use std::pin::Pin;
use std::time::Duration;

use carpack_simulator::{Config, Delivery, Effect, Fault, InstanceStatus};
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::spec::merge;
use crate::harness::status::{condition, condition_with_reason, expiration, message, renewals};
use crate::harness::{DAY, DUE, PROJECT, Setup, World};

const TERM: SignedDuration = SignedDuration::from_hours(72);
const SOON: SignedDuration = SignedDuration::from_secs(2);

fn replaced(changes: Value) -> Value {
    let renewal = json!({"mode": "Operator", "duration": 3, "renewBefore": "6h", "strategy": "Replace"});
    let mut spec = json!({"project": PROJECT, "quantity": 3, "renewal": renewal});
    merge(&mut spec, &changes);
    spec
}

/// A Ready pack of three instances, and when it expires.
async fn three(world: &World, changes: Value) -> Timestamp {
    world.apply("concert", replaced(changes)).await;
    expiration(&world.until_ready("concert").await).unwrap()
}

/// Usable instances in the project.
fn capacity(world: &World) -> usize {
    let usable = |i: &&carpack_simulator::Instance| {
        i.status == InstanceStatus::Normal && i.project_id.as_deref() == Some(PROJECT)
    };
    world.simulator.instances().iter().filter(usable).count()
}

/// The least capacity that the project had at any moment of the scenario.
async fn least_capacity_during(world: &World, mut scenario: Pin<Box<impl Future<Output = ()>>>) -> usize {
    let mut least = capacity(world);
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            () = &mut scenario => return least.min(capacity(world)),
            _ = ticks.tick() => least = least.min(capacity(world)),
        }
    }
}

/// Waits until successors have replaced the pack so often and it expires later than this; returns when.
async fn succeeded(world: &World, times: i64, old: Timestamp) -> Timestamp {
    let pack = world.until("concert", |pack| {
        renewals(pack) == times && expiration(pack).is_some_and(|at| at > old) && condition(pack, "Ready") == "True"
    });
    expiration(&pack.await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn successors_replace_the_pack_again_and_again_and_the_project_never_has_less() {
    let world = World::start().await;
    let first = three(&world, json!({})).await;
    let scenario = async {
        let mut expiry = first;
        for times in 1..=2 {
            world.go_to(expiry + DUE - SignedDuration::from_mins(2));
            world.sweeps(2).await;
            assert_eq!(i64::try_from(world.bought()).unwrap(), times, "bought before renewBefore allows it");
            world.go_to(expiry + DUE);
            let next = succeeded(&world, times, expiry).await;
            assert_eq!(capacity(&world), 6, "make before break");
            world.go_to(expiry + SOON);
            world.sweeps(2).await;
            world.until_ready("concert").await;
            expiry = next;
        }
    };
    assert_eq!(least_capacity_during(&world, Box::pin(scenario)).await, 3);
    let charges = world.simulator.ledger();
    assert!(charges.iter().all(|charge| charge.action == "CreateInstance" && charge.amount_cents == 94_500));
    assert_eq!((charges.len(), world.asked("RenewInstance")), (3, 0), "the old ones run out");
    let names: Vec<String> = world.simulator.instances().into_iter().map(|instance| instance.name).collect();
    assert_eq!(names.iter().filter(|name| name.contains("-003-")).count(), 3, "{names:?}");
    let pack = world.pack("concert").await;
    assert_eq!(pack.status.unwrap().quantity.as_deref(), Some("3/3"), "what has run out is not counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_is_delivered_late_leaves_no_gap_and_is_bought_once() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let late = Delivery { first: Some(1), rest_after_seconds: Some(3600), fails: false };
    world.simulator.add_fault(Fault::on("CreateInstance", Effect::Delivery(late)).times(1)).unwrap();
    let scenario = async {
        world.go_to(expiry + DUE);
        world.until_cloud("the first of the successors is bound", |_| capacity(&world) == 4).await;
        world.sweeps(3).await;
        assert_eq!(world.bought(), 2, "what is on its way is not bought again");
        world.advance_minutes(61);
        succeeded(&world, 1, expiry).await;
        world.go_to(expiry + SOON);
        world.sweeps(2).await;
        world.until_ready("concert").await;
    };
    assert_eq!(least_capacity_during(&world, Box::pin(scenario)).await, 3);
    assert_eq!((world.bought(), world.renewed()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_whose_second_instance_cannot_be_bound_at_first_is_bound_before_the_old_one_ends() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let old = world.ids();
    let scenario = async {
        let busy = Effect::Refuse { code: "InvalidParameter.ResourceLocked".into(), message: "busy".into() };
        let fault = world.simulator.add_fault(Fault::on("BindConcurrentPackagesToProject", busy)).unwrap();
        world.go_to(expiry + DUE);
        world.until_cloud("the successor is there", |_| world.ids().len() == 6).await;
        world.simulator.remove_fault(fault).unwrap();
        let second = world.ids().into_iter().filter(|id| !old.contains(id)).nth(1).unwrap();
        let busy = Effect::Refuse { code: "InvalidParameter.ResourceLocked".into(), message: "busy".into() };
        let fault = Fault::on("BindConcurrentPackagesToProject", busy).containing(&second);
        let fault = world.simulator.add_fault(fault).unwrap();
        world.until_cloud("the others are bound", |_| capacity(&world) == 5).await;
        world.simulator.remove_fault(fault).unwrap();
        succeeded(&world, 1, expiry).await;
        world.until_cloud("all are bound", |_| capacity(&world) == 6).await;
        world.go_to(expiry + SOON);
        world.sweeps(2).await;
        world.until_ready("concert").await;
    };
    assert_eq!(least_capacity_during(&world, Box::pin(scenario)).await, 3);
    assert_eq!(world.bought(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_whose_reply_is_lost_is_found_and_paid_once() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let lost = Effect::Drop { commit: true };
    world.simulator.add_fault(Fault::on("CreateInstance", lost).times(1)).unwrap();
    world.go_to(expiry + DUE);
    succeeded(&world, 1, expiry).await;
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_refused_for_want_of_money_is_bought_when_there_is_some_and_in_time() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let balance = world.simulator.balance("default").unwrap();
    world.simulator.set_balance("default", 0).unwrap();
    let scenario = async {
        world.go_to(expiry + DUE);
        let pack = world.until_condition("concert", "RenewalOnTrack", "False BalanceInsufficient").await;
        assert_eq!(condition(&pack, "Ready"), "True", "usable to the last moment");
        world.simulator.set_balance("default", balance).unwrap();
        succeeded(&world, 1, expiry).await;
        world.go_to(expiry + SOON);
        world.sweeps(2).await;
    };
    assert_eq!(least_capacity_during(&world, Box::pin(scenario)).await, 3);
    assert_eq!(world.bought(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn until_ends_the_replacements_and_the_pack_becomes_ended() {
    let world = World::start().await;
    let until = world.simulator.now() + TERM + SignedDuration::from_hours(24);
    let renewal = json!({"mode": "Operator", "duration": 3, "renewBefore": "6h", "strategy": "Replace", "until": until.to_string()});
    let expiry = three(&world, json!({"renewal": renewal})).await;
    world.go_to(expiry + DUE);
    let last = succeeded(&world, 1, expiry).await;
    world.until_condition("concert", "RenewalOnTrack", "True EndsAsPlanned").await;
    world.go_to(last + DUE);
    world.sweeps(2).await;
    world.go_to(last + SOON);
    let pack = world.until_reason("concert", "Ended").await;
    assert_eq!((condition(&pack, "Ended"), condition(&pack, "Ready")), ("True", ""));
    world.advance(24);
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.renewed()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_would_gain_too_little_is_not_bought_until_it_gains_half_its_term() {
    let world = World::start().await;
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "20h", "strategy": "Replace"});
    let expiry = three(&world, json!({"renewal": renewal})).await;
    world.go_to(expiry - SignedDuration::from_hours(19));
    let pack = world.until_condition("concert", "RenewalOnTrack", "False SuccessorGainsTooLittle").await;
    assert!(message(&pack, "RenewalOnTrack").contains("shorten renewBefore"), "{}", message(&pack, "RenewalOnTrack"));
    world.sweeps(2).await;
    assert_eq!(world.bought(), 1);
    world.go_to(expiry - SignedDuration::from_hours(12) + SOON);
    succeeded(&world, 1, expiry).await;
    assert_eq!(world.bought(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_bound_to_the_project_that_is_declared_by_then() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    world.change("concert", json!({"project": "cap-b"})).await;
    world.until_condition("concert", "Assigned", "True Bound").await;
    world.go_to(expiry + DUE);
    succeeded(&world, 1, expiry).await;
    world.until_cloud("all are there", |_| world.projects() == vec![Some("cap-b".to_owned()); 6]).await;
    let pack = world.until_ready("concert").await;
    assert_eq!(condition_with_reason(&pack, "RenewalOnTrack"), "True Scheduled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_bought_once_for_what_ends_although_the_second_instance_was_renewed_in_the_console() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    let second = world.ids().swap_remove(1);
    world.simulator.console_renew(&second, 1).unwrap();
    let scenario = async {
        world.go_to(expiry + DUE);
        let next = succeeded(&world, 1, expiry).await;
        assert!(next > expiry + DAY, "what was renewed in the console does not count as a successor");
        world.until_cloud("all of the successors are bound", |_| capacity(&world) == 6).await;
        world.go_to(expiry + SOON);
        world.sweeps(2).await;
        assert_eq!(capacity(&world), 4, "the successors, and what was paid in the console");
        world.until_ready("concert").await;
        world.go_to(expiry + DAY + SOON);
        world.sweeps(2).await;
        let pack = world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
        assert_eq!((condition(&pack, "Ready"), expiration(&pack)), ("True", Some(next)));
        assert_eq!(pack.status.unwrap().quantity.as_deref(), Some("3/3"));
    };
    assert_eq!(least_capacity_during(&world, Box::pin(scenario)).await, 3);
    assert_eq!((world.bought(), world.renewed()), (2, 0));
    assert_eq!(world.charges("ConsoleRenewInstance").len(), 1);
    assert_eq!(world.simulator.ledger().len(), 3, "nothing else was paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_void_when_the_pack_was_renewed_after_its_order_was_made_and_the_next_is_bought() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    world.change("concert", json!({"mode": "ApprovalRequired"})).await;
    let scenario = async {
        world.go_to(expiry + DUE);
        world.until_order("concert", "buy-2", "AwaitingApproval").await;
        for id in world.ids() {
            world.simulator.console_renew(&id, 1).unwrap();
        }
        let void = world.until_order("concert", "buy-2", "Failed").await;
        let said = void.status.unwrap().message.unwrap();
        assert_eq!(
            said,
            "nothing was spent: what outlasts the expiry that it renews from carries the whole pack already"
        );
        world.go_to(expiry + DAY + DUE);
        let order = world.until_order("concert", "buy-3", "AwaitingApproval").await;
        let from: Vec<_> = order.spec.lines.iter().map(|line| line.renews_from.as_ref().map(|at| at.0)).collect();
        assert_eq!(from, [Some(expiry + DAY)]);
        world.until_condition("concert", "RenewalOnTrack", "False AwaitingApproval").await;
        // A void order stays void, also when a person approves it.
        world.decide_order("concert", "buy-2", json!({"decision": "Approved"})).await;
        world.sweeps(2).await;
        assert_eq!(world.asked("CreateInstance"), 1, "nothing is sent without a word on the order that holds");
        world.decide_order("concert", "buy-3", json!({"decision": "Approved"})).await;
        succeeded(&world, 1, expiry + DAY).await;
        world.until_cloud("all of the successors are bound", |_| capacity(&world) == 6).await;
        world.go_to(expiry + DAY + SOON);
        world.sweeps(2).await;
        world.until_ready("concert").await;
    };
    assert_eq!(least_capacity_during(&world, Box::pin(scenario)).await, 3);
    assert_eq!((world.bought(), world.asked("CreateInstance"), world.renewed()), (2, 2, 0));
    assert_eq!(world.all_orders().await.len(), 3, "the purchase, the void one and the one that was carried out");
}

#[tokio::test(flavor = "multi_thread")]
async fn monthly_packs_are_replaced_at_the_end_of_the_month_in_the_clouds_zone_and_the_project_never_has_less() {
    // It is the last day of the year in the cloud's zone, and the day before in UTC.
    let start = Some("2026-12-30T18:00:00Z".parse().unwrap());
    let simulator = Config { start, ..Config::default() };
    let world = World::with(Setup { simulator, ..Setup::default() }).await;
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "1h", "strategy": "Replace"});
    let first = three(&world, json!({"billingMode": "Monthly", "duration": 1, "renewal": renewal})).await;
    let there = |at: Timestamp| at.to_zoned(TimeZone::fixed(offset(8))).strftime("%m-%d %H").to_string();
    assert_eq!(there(first), "01-31 02");
    let scenario = async {
        let mut expiry = first;
        // A month from 31 January ends on the last day of February; the next one ends on the same day of March.
        for (times, end) in [(1, "02-28 01"), (2, "03-28 00")] {
            let due = expiry - SignedDuration::from_hours(1);
            world.go_to(due - SignedDuration::from_mins(2));
            world.sweeps(2).await;
            assert_eq!(i64::try_from(world.bought()).unwrap(), times, "bought before renewBefore allows it");
            world.go_to(due + SOON);
            let next = succeeded(&world, times, expiry).await;
            assert_eq!(there(next), end);
            assert_eq!(capacity(&world), 6, "make before break");
            world.go_to(expiry + SOON);
            world.sweeps(2).await;
            assert_eq!(capacity(&world), 3, "the old ones run out");
            let pack = world.until_ready("concert").await;
            let planned = pack.status.unwrap().next_renewal_time.map(|at| at.0);
            assert_eq!(planned, Some(next - SignedDuration::from_hours(1)));
            expiry = next;
        }
    };
    assert_eq!(least_capacity_during(&world, Box::pin(scenario)).await, 3);
    let charges = world.simulator.ledger();
    assert!(charges.iter().all(|charge| charge.action == "CreateInstance" && charge.amount_cents == 312_300));
    assert_eq!((charges.len(), world.asked("RenewInstance")), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_bought_in_time_although_the_second_instance_was_renewed_for_a_whole_term_in_the_console() {
    let world = World::start().await;
    let expiry = three(&world, json!({})).await;
    world.simulator.console_renew(&world.ids()[1], 3).unwrap();
    let scenario = async {
        world.go_to(expiry + DUE);
        succeeded(&world, 1, expiry).await;
        world.go_to(expiry + SOON);
        world.sweeps(2).await;
        let pack = world.until_ready("concert").await;
        assert_eq!(pack.status.as_ref().unwrap().quantity.as_deref(), Some("4/3"), "the renewed one serves on");
        // It expires after the successor, and holds nothing back.
        let next = expiration(&pack).unwrap();
        world.go_to(next + DUE);
        succeeded(&world, 2, next).await;
        world.go_to(next + SOON);
        world.sweeps(2).await;
        world.until_ready("concert").await;
    };
    assert_eq!(least_capacity_during(&world, Box::pin(scenario)).await, 3);
    assert_eq!((world.bought(), world.renewed()), (3, 0));
}
