//! Problems with money, keys and rights: each has a reason of its own, spends nothing, and ends by itself once it is repaired.

use carpack_simulator::{AccessKey, AccountConfig, AccountSettings, Config, Delivery, Effect, Fault};
use jiff::SignedDuration;
use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::status::{condition, expiration, message};
use crate::harness::{Setup, World};

/// The problem is solved: the pack is bought, once, by one order.
async fn buys_once(world: &World) {
    world.bought_once().await;
    assert_eq!(world.all_orders().await.len(), 1);
}

/// A world whose account has these settings in the cloud.
async fn with_settings(change: impl FnOnce(&mut AccountSettings)) -> World {
    let mut world = World::without_operator(Setup::default()).await;
    world.simulator.change_settings("default", change).unwrap();
    world.start_operator();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn without_enough_money_it_says_so_tries_again_with_growing_intervals_and_buys_when_refilled() {
    let mut world = World::without_operator(Setup::default()).await;
    world.simulator.set_balance("default", 94_499).unwrap();
    world.start_operator();
    world.apply_three().await;
    let pack = world.until_reason("concert", "BalanceInsufficient").await;
    assert_eq!((condition(&pack, "Ready"), condition(&pack, "Purchased")), ("False", "False"));
    assert!(world.event("concert", "BalanceInsufficient").await.contains("BalanceInsufficient"));
    world
        .until_cloud("three attempts", |s| s.requests().iter().filter(|r| r.action == "CreateInstance").count() >= 3)
        .await;
    let requests = world.simulator.requests();
    let times: Vec<_> = requests.iter().filter(|r| r.action == "CreateInstance").map(|r| r.time).collect();
    let [first, second, third] = [times[0], times[1], times[2]];
    // After 2 s and after 4 s, counted from the whole second of the refusal.
    assert!(second.duration_since(first) > SignedDuration::from_secs(1), "{times:?}");
    assert!(third.duration_since(second) > SignedDuration::from_secs(3), "{times:?}");
    let tokens: Vec<_> =
        requests.iter().filter(|r| r.action == "CreateInstance").map(|r| &r.parameters["ClientToken"]).collect();
    assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]), "{tokens:?}");
    assert_eq!(world.simulator.ledger(), []);
    world.simulator.set_balance("default", 94_500).unwrap();
    buys_once(&world).await;
    assert_eq!(world.simulator.balance("default"), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn money_for_one_of_three_renews_one_and_the_others_when_refilled_each_once() {
    let world = World::start().await;
    world.apply_three().await;
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    world.simulator.set_balance("default", 10_500).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_condition("concert", "RenewalOnTrack", "False BalanceInsufficient").await;
    world.sweeps(2).await;
    assert_eq!(world.renewed(), 1);
    assert_eq!(condition(&world.pack("concert").await, "Ready"), "True", "it can still be used");
    world.simulator.set_balance("default", 100_000).unwrap();
    world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
    world.sweeps(2).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_named_and_its_repair_in_the_secret_is_enough() {
    let mut world = World::without_operator(Setup::default()).await;
    world.put_secret("AKIDsimulator", "not-the-key").await;
    world.start_operator();
    world.apply_three().await;
    let account = world.until_account("False WrongCredentials").await;
    let ready = &account.status.unwrap().conditions[0];
    assert!(ready.message.contains("Secret"), "{}", ready.message);
    let pack = world.until_reason("concert", "WrongCredentials").await;
    assert!(
        message(&pack, "Ready").contains("put a valid key into the account's Secret"),
        "{}",
        message(&pack, "Ready")
    );
    world.event("concert", "WrongCredentials").await;
    assert_eq!(world.asked("CreateInstance"), 0);
    world.put_secret("AKIDsimulator", "simulator-secret-key").await;
    world.until_account("True Ready").await;
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_the_cloud_does_not_know_is_a_wrong_key_too() {
    let mut world = World::without_operator(Setup::default()).await;
    world.put_secret("AKIDnobody", "simulator-secret-key").await;
    world.start_operator();
    world.apply_three().await;
    world.until_reason("concert", "WrongCredentials").await;
    world.put_secret("AKIDsimulator", "simulator-secret-key").await;
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_withdrawn_in_the_renewal_window_delays_the_renewal_until_it_is_repaired() {
    let world = World::start().await;
    world.apply_three().await;
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    world.put_secret("AKIDsimulator", "withdrawn").await;
    world.until_account("False WrongCredentials").await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_condition("concert", "Ready", "Unknown ObservationStale").await;
    world.until_condition("concert", "RenewalOnTrack", "False WrongCredentials").await;
    assert_eq!(world.renewed(), 0);
    world.put_secret("AKIDsimulator", "simulator-secret-key").await;
    world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_cloud_account_is_not_used_and_what_it_shows_proves_nothing_of_a_purchase_in_doubt() {
    let other = AccountConfig {
        id: "other".to_owned(),
        uin: 200_000_000_002,
        keys: vec![AccessKey::lasting("AKIDother", "s")],
        ..AccountConfig::default()
    };
    let simulator = Config { accounts: vec![AccountConfig::default(), other], ..Config::default() };
    let mut world = World::with(Setup { simulator, ..Setup::default() }).await;
    // Charged, but neither answered nor delivered yet.
    world.simulator.add_fault(Fault::on("CreateInstance", Effect::Drop { commit: true }).times(1)).unwrap();
    let late = Delivery { first: Some(0), rest_after_seconds: Some(3600), fails: false };
    world.simulator.add_fault(Fault::on("CreateInstance", Effect::Delivery(late)).times(1)).unwrap();
    world.apply_three().await;
    world.until_order("concert", "buy-1", "Ambiguous").await;

    world.put_secret("AKIDother", "s").await;
    let account = world.until_account("False OtherCloudAccount").await;
    let said = account.status.unwrap();
    assert_eq!(said.cloud_account.as_deref(), Some("200000000001"));
    let words = &said.conditions.iter().find(|c| c.reason == "OtherCloudAccount").unwrap().message;
    assert!(words.contains("of 200000000001 into the Secret"), "{words}");
    // Nor after a restart, when only the record is left.
    world.kill_operator();
    world.advance_minutes(30);
    world.start_operator();
    world.sweeps(3).await;
    world.until_account("False OtherCloudAccount").await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));

    world.put_secret("AKIDsimulator", "simulator-secret-key").await;
    world.until_account("True Ready").await;
    world.advance_minutes(31);
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_and_an_empty_one_are_told_apart_and_the_pack_is_bought_when_it_is_there() {
    let world = World::with(Setup { with_secret: false, ..Setup::default() }).await;
    world.apply_three().await;
    let pack = world.until_reason("concert", "SecretMissing").await;
    assert!(message(&pack, "Ready").contains("secretId and secretKey"), "{}", message(&pack, "Ready"));
    world.put_secret("AKIDsimulator", "").await;
    world.until_reason("concert", "SecretInvalid").await;
    world.put_secret("AKIDsimulator", "simulator-secret-key").await;
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_named_and_nothing_is_sent_until_it_is_set() {
    let mut world = World::without_operator(Setup::default()).await;
    world.simulator.set_skew_seconds(400);
    world.start_operator();
    world.apply_three().await;
    let pack = world.until_reason("concert", "ClockSkew").await;
    assert!(message(&pack, "Ready").contains("set this machine's clock"), "{}", message(&pack, "Ready"));
    world.until_account("False ClockSkew").await;
    world.sweeps(1).await;
    assert_eq!(world.asked("CreateInstance"), 0);
    world.simulator.set_skew_seconds(0);
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_has_not_signed_up_for_car_is_told_so_and_buys_once_it_has() {
    let world = with_settings(|settings| settings.signed_up = false).await;
    world.apply_three().await;
    let pack = world.until_reason("concert", "NotSignedUp").await;
    assert!(message(&pack, "Ready").contains("sign up"), "{}", message(&pack, "Ready"));
    world.until_account("False NotSignedUp").await;
    assert_eq!(world.asked("CreateInstance"), 0);
    world.simulator.change_settings("default", |settings| settings.signed_up = true).unwrap();
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_approved_for_car_is_told_so_and_buys_once_it_is() {
    let world = with_settings(|settings| settings.approved = false).await;
    world.apply_three().await;
    let pack = world.until_reason("concert", "NotApproved").await;
    assert!(message(&pack, "Ready").contains("approved"), "{}", message(&pack, "Ready"));
    world.until_account("False NotApproved").await;
    assert_eq!(world.asked("CreateInstance"), 0);
    world.simulator.change_settings("default", |settings| settings.approved = true).unwrap();
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_only_the_purchase_asks_for_is_waited_for() {
    let world = with_settings(|settings| settings.certified = false).await;
    world.apply_three().await;
    world.until_reason("concert", "NotApproved").await;
    assert_eq!(world.simulator.ledger(), []);
    world.simulator.change_settings("default", |settings| settings.certified = true).unwrap();
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_right_to_look_is_named_and_buys_once_granted() {
    let world = with_settings(|settings| settings.denied_actions = vec!["car:*".to_owned()]).await;
    world.apply_three().await;
    let pack = world.until_reason("concert", "PermissionDenied").await;
    assert!(message(&pack, "Ready").contains("grant the key"), "{}", message(&pack, "Ready"));
    world.simulator.change_settings("default", |settings| settings.denied_actions.clear()).unwrap();
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_right_to_buy_is_named_and_buys_once_granted() {
    let world = with_settings(|settings| settings.denied_actions = vec!["billing:CreateInstance".to_owned()]).await;
    world.apply_three().await;
    let pack = world.until_reason("concert", "PermissionDenied").await;
    assert!(message(&pack, "Ready").contains("CreateInstance"), "{}", message(&pack, "Ready"));
    assert_eq!(world.simulator.ledger(), []);
    world.simulator.change_settings("default", |settings| settings.denied_actions.clear()).unwrap();
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_right_to_renew_the_second_instance_renews_the_others() {
    let world = World::start().await;
    world.apply_three().await;
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    let second = world.ids().swap_remove(1);
    let effect = Effect::Refuse { code: "UnauthorizedOperation.CamNoAuth".into(), message: "no".into() };
    let fault = world.simulator.add_fault(Fault::on("RenewInstance", effect).containing(&second)).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_condition("concert", "RenewalOnTrack", "False PermissionDenied").await;
    world
        .until_cloud("the others are renewed", |s| {
            s.ledger().iter().filter(|e| e.action == "RenewInstance").count() == 2
        })
        .await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 0, 1]);
    world.simulator.remove_fault(fault).unwrap();
    world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_whose_account_is_missing_says_which_and_is_bought_once_it_is_created() {
    let world = World::with(Setup { with_account: false, ..Setup::default() }).await;
    world.apply_three().await;
    let pack = world.until_reason("concert", "AccountMissing").await;
    let message = message(&pack, "Ready");
    assert!(message.contains("CarAccount default") && message.contains(&world.treasury), "{message}");
    assert_eq!(world.simulator.requests(), []);
    world.put_account(json!({})).await;
    buys_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_deleted_stops_the_renewals_until_it_is_back() {
    let world = World::start().await;
    world.apply_three().await;
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    // This pack ends before the renewal is due: its end shows that the operator has seen the later time.
    let closes = world.simulator.now() + SignedDuration::from_hours(2);
    let window = json!({"notAfter": closes.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
    world.apply("witness", json!({"duration": 1, "renewal": {"mode": "None"}, "purchaseWindow": window})).await;
    world.until_ready("witness").await;
    world.accounts().delete("default", &DeleteParams::default()).await.unwrap();
    world.until_condition("concert", "RenewalOnTrack", "False AccountMissing").await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_condition("witness", "Ended", "True Ended").await;
    world.until_condition("concert", "RenewalOnTrack", "False AccountMissing").await;
    assert_eq!((world.asked("RenewInstance"), world.all_orders().await.len()), (0, 2));
    world.put_account(json!({})).await;
    world.until_order("concert", "renew-1", "Fulfilled").await;
    world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
    world.sweeps(2).await;
    assert_eq!((world.renewed(), world.asked("RenewInstance")), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_not_among_the_tenants_buys_nothing_until_it_is_granted() {
    let tenants = json!({"tenants": [{"namespaces": ["somebody-else"], "projects": ["*"]}]});
    let world = World::with(Setup { account: tenants, ..Setup::default() }).await;
    world.apply_three().await;
    let pack = world.until_reason("concert", "NamespaceNotGranted").await;
    assert!(message(&pack, "Ready").contains("add it to the account's tenants"), "{}", message(&pack, "Ready"));
    assert_eq!(condition(&pack, "Stalled"), "True");
    world.sweeps(2).await;
    assert_eq!((world.all_orders().await.len(), world.asked("CreateInstance")), (0, 0));
    world.put_account(json!({})).await;
    buys_once(&world).await;
}
