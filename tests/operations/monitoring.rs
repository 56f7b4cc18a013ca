//! Probes, metrics, and that the secret key is written nowhere.

use carpack_simulator::{AccessKey, AccountConfig, Config, Effect, Fault};
use carpack_testkit::{eventually, free_port};
use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde::Serialize;
use serde_json::json;

use crate::harness::http::{get, get_ok};
use crate::harness::status::{expiration, renewals};
use crate::harness::{PATIENCE, PROJECT, Setup, World};

const CANARY: &str = "canary-3f9b1c7e-secret-key";
/// The key in base64, as in the data of a Secret.
const CANARY_IN_BASE64: &str = "Y2FuYXJ5LTNmOWIxYzdlLXNlY3JldC1rZXk=";
const WRONG_CANARY: &str = "canary-wrong-77aa-secret-key";

async fn until_ok(world: &World, port: u16, path: &str) -> String {
    eventually(PATIENCE, path, async || get_ok(port, path).await)
        .await
        .unwrap_or_else(|error| world.fail(&error.to_string()))
}

/// The value of the metric whose line starts like this.
async fn metric(world: &World, port: u16, line: &str) -> String {
    let attempt = async || {
        let (_, text) = get(port, "/metrics").await?;
        let found = text.lines().find_map(|l| l.strip_prefix(line)).map(|value| value.trim().to_owned());
        found.ok_or(text)
    };
    eventually(PATIENCE, line, attempt).await.unwrap_or_else(|error| world.fail(&error.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_and_its_standby_are_alive_and_ready_and_say_what_there_is() {
    let mut world = World::without_operator(Setup::default()).await;
    let ports = [free_port(), free_port()];
    let addresses = ports.map(|port| format!("127.0.0.1:{port}"));
    world.set_flags(&["--health-address", &addresses[0]]);
    world.start_operator();
    assert_eq!(until_ok(&world, ports[0], "/livez").await, "ok");
    until_ok(&world, ports[0], "/readyz").await;
    world.until_log("leading").await;
    world.set_flags(&["--health-address", &addresses[1]]);
    let standby = world.launch();
    assert_eq!(until_ok(&world, ports[1], "/readyz").await, "ok", "a standby is ready too");
    world.apply_three().await;
    let expiry = expiration(&world.until_ready("concert").await).unwrap();

    let labels = format!("{{namespace=\"{}\",name=\"concert\"}}", world.tenant);
    let value = metric(&world, ports[0], &format!("carpack_pack_expiration_timestamp_seconds{labels}")).await;
    assert_eq!(value, expiry.as_second().to_string());
    assert_eq!(metric(&world, ports[0], "carpack_orders_total{action=\"Buy\",result=\"Committed\"}").await, "1");
    assert_eq!(metric(&world, ports[0], "carpack_leader").await, "1");
    assert_eq!(metric(&world, ports[1], "carpack_leader").await, "0");
    let attempt = async || match metric(&world, ports[0], "carpack_account_balance_cents{account=\"default\"}").await {
        balance if balance == (100_000_000 - 94_500).to_string() => Ok(()),
        balance => Err(balance),
    };
    eventually(PATIENCE, "the balance after the purchase", attempt).await.unwrap();
    assert_eq!(get(ports[0], "/elsewhere").await.unwrap().0, 404);
    drop(standby);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_the_cloud_refuses_are_counted_by_action_and_category() {
    let mut world = World::without_operator(Setup::default()).await;
    let port = free_port();
    world.set_flags(&["--health-address", &format!("127.0.0.1:{port}")]);
    world.simulator.set_balance("default", 0).unwrap();
    world.start_operator();
    world.apply("concert", json!({})).await;
    world.until_reason("concert", "BalanceInsufficient").await;
    let line = "carpack_cloud_requests_total{action=\"CreateInstance\",category=\"BalanceInsufficient\"}";
    assert_ne!(metric(&world, port, line).await, "0");
    let line = "carpack_cloud_requests_total{action=\"DescribeConcurrentPackages\",category=\"Ok\"}";
    assert_ne!(metric(&world, port, line).await, "0");
}

fn text(objects: &[impl Serialize]) -> String {
    serde_json::to_string(objects).unwrap()
}

/// Everything in the namespaces of this world, without the Secret.
async fn written(world: &World) -> String {
    let all = ListParams::default();
    let mut written = text(&world.packs().list(&all).await.unwrap().items);
    written += &text(&world.all_orders().await);
    written += &text(&world.accounts().list(&all).await.unwrap().items);
    for namespace in [&world.tenant, &world.treasury] {
        let events: Api<Event> = Api::namespaced(world.client.clone(), namespace);
        let leases: Api<Lease> = Api::namespaced(world.client.clone(), namespace);
        written += &text(&events.list(&all).await.unwrap().items);
        written += &text(&leases.list(&all).await.unwrap().items);
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_key_is_in_no_log_no_event_no_status_and_no_metric_whatever_goes_wrong() {
    let keys = vec![AccessKey::lasting("AKIDcanary", CANARY)];
    let account = AccountConfig { keys, ..AccountConfig::default() };
    let simulator = Config { accounts: vec![account], ..Config::default() };
    let mut world = World::without_operator(Setup { simulator, with_secret: false, ..Setup::default() }).await;
    let port = free_port();
    world.set_flags(&["--log-level", "trace", "--health-address", &format!("127.0.0.1:{port}")]);
    world.put_secret("AKIDcanary", WRONG_CANARY).await;
    world.start_operator();
    world.apply("concert", json!({"project": PROJECT, "quantity": 3, "deletionPolicy": "Return"})).await;
    world.until_reason("concert", "WrongCredentials").await;
    world.put_secret("AKIDcanary", CANARY).await;
    let second = Fault::on("RenewInstance", Effect::Garbage { commit: true }).skipping(1).times(1);
    world.simulator.add_fault(second).unwrap();
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until("concert", |pack| renewals(pack) == 1).await;
    // A wrong endpoint, an unreachable cloud, and an invalid key.
    world.put_account(json!({"endpoint": "http://127.0.0.1:1"})).await;
    world.until_account("False CloudUnreachable").await;
    world.put_account(json!({})).await;
    world.put_secret("AKIDcanary", &format!("{CANARY}\n{CANARY}")).await;
    world.until_account("False SecretInvalid").await;
    world.put_secret("AKIDcanary", CANARY).await;
    world.until_account("True Ready").await;
    world.delete("concert").await;
    world.gone("concert").await;
    world.until_order("concert", "return-1", "AwaitingApproval").await;
    let (_, metrics) = get(port, "/metrics").await.unwrap();
    world.stop_operator().await;

    let log = world.log();
    assert!(!log.contains('\u{1b}'), "no colours outside a terminal");
    assert!(log.contains("TRACE"), "the log is as talkative as it can be");
    let places = [("log", log), ("objects", written(&world).await), ("metrics", metrics)];
    for (place, text) in &places {
        assert!(text.len() > 1000, "{place} holds something");
        for secret in [CANARY, CANARY_IN_BASE64, WRONG_CANARY, "canary"] {
            let found = text.lines().find(|line| line.to_lowercase().replace("akidcanary", "").contains(secret));
            assert!(found.is_none(), "the key is in the {place}: {found:?}");
        }
    }
}
