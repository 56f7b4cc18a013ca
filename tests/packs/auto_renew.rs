//! Renewal of Monthly packs by the cloud itself: the switch is set, changed and verified.

use carpack_simulator::{Effect, Fault, RenewFlag};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::status::{condition, condition_with_reason, expiration, message, renewals};
use crate::harness::{PROJECT, Setup, World};

const ON: RenewFlag = RenewFlag::NotifyAndAutoRenew;

/// Applies a Monthly pack of three that the cloud renews, and waits until it is Ready; returns when it expires.
async fn three(world: &World) -> Timestamp {
    let spec = json!({"billingMode": "Monthly", "duration": 1, "quantity": 3, "project": PROJECT, "renewal": {"mode": "AutoRenew"}});
    world.apply("stage", spec).await;
    world.until_ready("stage").await;
    let pack = world.until_condition("stage", "RenewalOnTrack", "True AutoRenew").await;
    expiration(&pack).unwrap()
}

fn by_us() -> Value {
    json!({"mode": "Operator", "duration": 1, "renewBefore": "48h"})
}

/// For each instance whether the cloud's own renewal is on.
fn switches(world: &World) -> Vec<bool> {
    world.simulator.instances().iter().map(|instance| instance.renew_flag == ON).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_renew_is_switched_on_with_the_purchase_and_the_cloud_renews_every_month() {
    let world = World::start().await;
    let mut expiry = three(&world).await;
    assert_eq!(switches(&world), [true; 3]);
    assert_eq!(world.asked("SetRenewal"), 0, "it was on from the first moment");
    for month in 1..=2 {
        world.go_to(expiry);
        let pack = world.until("stage", |pack| expiration(pack).is_some_and(|at| at > expiry)).await;
        expiry = expiration(&pack).unwrap();
        world.until_ready("stage").await;
        assert_eq!(world.charged_each("AutoRenew"), [month; 3]);
    }
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.renewed(), world.asked("RenewInstance")), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_renew_of_a_daily_pack_is_refused_by_the_api_server_which_says_what_to_use_instead() {
    let world = World::without_operator(Setup::default()).await;
    let refused = world.try_apply("stage", json!({"renewal": {"mode": "AutoRenew"}})).await.unwrap_err().to_string();
    let sentence =
        "a Daily pack cannot auto-renew in the cloud: use renewal.mode Operator, and the operator renews it in time";
    assert!(refused.contains(sentence), "{refused}");
    world.apply("stage", json!({})).await;
    let refused =
        world.try_change("stage", json!({"renewal": {"mode": "AutoRenew", "duration": null, "renewBefore": null}}));
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains(sentence), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_spec_turns_the_switch_of_every_instance_and_is_verified_on_the_cloud() {
    let world = World::start().await;
    three(&world).await;
    world.change("stage", json!({"renewal": by_us()})).await;
    let pack = world.until_condition("stage", "RenewalOnTrack", "True Scheduled").await;
    assert_eq!(switches(&world), [false; 3], "on track means seen off");
    let shown = |pack: &carpack_api::ConcurrencyPack| -> Vec<String> {
        pack.status.iter().flat_map(|s| &s.instances).map(|instance| format!("{:?}", instance.renew_flag)).collect()
    };
    assert_eq!(shown(&pack), ["Manual"; 3]);

    world.change("stage", json!({"renewal": {"mode": "AutoRenew", "duration": null, "renewBefore": null}})).await;
    let pack = world.until_condition("stage", "RenewalOnTrack", "True AutoRenew").await;
    assert_eq!(switches(&world), [true; 3]);
    assert_eq!(shown(&pack), ["Auto"; 3]);
    world.sweeps(2).await;
    assert_eq!(world.asked("SetRenewal"), 6, "each switch once each time");

    let window = json!({"notAfter": (world.simulator.now() + SignedDuration::from_hours(1)).to_string()});
    world.change("stage", json!({"renewal": {"mode": "None"}, "purchaseWindow": window})).await;
    world.until_condition("stage", "RenewalOnTrack", "True EndsAsPlanned").await;
    world.until_cloud("every switch is off", |_| switches(&world) == [false; 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_turned_off_in_the_console_is_turned_on_again() {
    let world = World::start().await;
    three(&world).await;
    for flag in [RenewFlag::NotifyAndManualRenew, RenewFlag::DisableNotifyAndManualRenew] {
        world.simulator.console_set_renew_flag(&world.ids()[1], flag).unwrap();
        assert_eq!(switches(&world), [true, false, true]);
        world.until_cloud("the switch is on again", |_| switches(&world) == [true; 3]).await;
    }
    world.sweeps(2).await;
    assert_eq!(world.asked("SetRenewal"), 2, "only what was turned is turned back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_turned_on_in_the_console_is_turned_off_again_for_a_pack_that_the_operator_renews() {
    let world = World::start().await;
    let spec = json!({"billingMode": "Monthly", "duration": 1, "quantity": 3, "renewal": by_us()});
    world.apply("stage", spec).await;
    world.until_ready("stage").await;
    world.simulator.console_set_renew_flag(&world.ids()[1], ON).unwrap();
    world.until_cloud("the switch is off again", |_| switches(&world) == [false; 3]).await;
    world.until_condition("stage", "RenewalOnTrack", "True Scheduled").await;
    assert_eq!(world.asked("SetRenewal"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_renewed_by_the_operator_until_the_clouds_own_renewal_is_seen_off() {
    let world = World::start().await;
    let expiry = three(&world).await;
    let refuse = Effect::Refuse { code: "InternalError.GatewayError".into(), message: "not now".into() };
    world.simulator.add_fault(Fault::on("SetRenewal", refuse)).unwrap();
    // The renewal is due at once.
    world.go_to(expiry - SignedDuration::from_hours(47));
    world.change("stage", json!({"renewal": by_us()})).await;
    let pack = world.until("stage", |pack| message(pack, "RenewalOnTrack").contains("not now")).await;
    assert_eq!(condition(&pack, "RenewalOnTrack"), "False");
    world.sweeps(4).await;
    assert!(world.asked("SetRenewal") >= 2, "it is tried again");
    assert_eq!((world.asked("RenewInstance"), world.all_orders().await.len()), (0, 1));

    world.simulator.clear_faults();
    let pack = world.until("stage", |pack| renewals(pack) == 1).await;
    assert!(expiration(&pack).unwrap() > expiry);
    assert_eq!(world.charged_each("RenewInstance"), [1; 3]);
    assert_eq!(switches(&world), [false; 3]);
    world.go_to(expiry + SignedDuration::from_hours(24));
    world.sweeps(2).await;
    assert_eq!((world.charges("AutoRenew").len(), world.renewed()), (0, 3), "paid by one of the two, never by both");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_whose_switch_cannot_be_turned_holds_back_the_renewal_but_not_the_other_switches() {
    let world = World::start().await;
    let expiry = three(&world).await;
    let second = world.ids().swap_remove(1);
    let refuse = Effect::Refuse { code: "InternalError.GatewayError".into(), message: "not now".into() };
    world.simulator.add_fault(Fault::on("SetRenewal", refuse).containing(&second)).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(47));
    world.change("stage", json!({"renewal": by_us()})).await;
    world.until_cloud("the others are off", |_| switches(&world) == [false, true, false]).await;
    world.sweeps(2).await;
    assert_eq!(world.asked("RenewInstance"), 0, "rule 7: off on every instance first");
    let tried = || {
        let requests = world.simulator.requests();
        requests.iter().filter(|r| r.action == "SetRenewal" && r.parameters.to_string().contains(&second)).count()
    };
    assert!(tried() <= 5, "{} attempts without growing intervals", tried());
    world.simulator.clear_faults();
    world.until("stage", |pack| renewals(pack) == 1).await;
    assert_eq!(world.charged_each("RenewInstance"), [1; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_whose_answer_is_lost_is_looked_at_before_anything_is_renewed() {
    let world = World::start().await;
    let expiry = three(&world).await;
    let fault = Fault::on("SetRenewal", Effect::Drop { commit: true }).skipping(1).times(1);
    world.simulator.add_fault(fault).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(47));
    world.change("stage", json!({"renewal": by_us()})).await;
    let pack = world.until("stage", |pack| renewals(pack) == 1).await;
    assert_eq!(world.charged_each("RenewInstance"), [1; 3]);
    assert_eq!(condition_with_reason(&pack, "RenewalOnTrack"), "True Scheduled");
    let requests = world.simulator.requests();
    let first = |action: &str| requests.iter().find(|r| r.action == action).map(|r| r.sequence).unwrap();
    let last_switch = requests.iter().filter(|r| r.action == "SetRenewal").map(|r| r.sequence).max().unwrap();
    let lists = requests.iter().filter(|r| r.action == "DescribeRenewInstances" && r.sequence > last_switch).count();
    assert!(last_switch < first("RenewInstance") && lists > 0);
}
