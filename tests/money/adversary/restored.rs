//! The cluster is restored from an old backup, or the treasury is lost and created again: instances are recognised by their
//! name in the cloud, and not paid for again.

use std::path::{Path, PathBuf};

use carpack_simulator::When;
use carpack_testkit::{eventually, watch_until, watch_until_gone};
use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use serde_json::json;

use super::{bought_once, bought_once_and_left_to_a_person};
use crate::harness::status::{condition, expiration};
use crate::harness::{DAY, PATIENCE, PROJECT, QUARANTINE, Setup, World, own_plane};

/// A world with a control plane of its own and without an operator.
async fn own_world() -> World {
    World::without_operator(Setup { plane: Some(own_plane().await), ..Setup::default() }).await
}

/// The same, with a lease that outlasts a restart of the servers.
async fn world_of_lasting_leaders() -> World {
    let flags = vec!["--lease-duration", "90s", "--lease-step-down", "75s", "--call-timeout", "40s"];
    World::without_operator(Setup { plane: Some(own_plane().await), flags, ..Setup::default() }).await
}

/// Stops the servers of the cluster, changes their data, and starts them again.
async fn with_servers_down(world: &World, act: impl AsyncFnOnce(&Path)) {
    world.plane.kill_api_server();
    world.plane.kill_etcd();
    act(&world.plane.folder().join("etcd")).await;
    world.plane.start_etcd().await.unwrap();
    world.plane.start_api_server().await.unwrap();
    let attempt = async || {
        world.orders().list(&kube::api::ListParams::default()).await?;
        world.packs().list(&kube::api::ListParams::default()).await.map(drop)
    };
    eventually(PATIENCE, "packs and orders can be read again", attempt).await.unwrap();
}

async fn copy(from: &Path, to: &Path) {
    let copied = tokio::process::Command::new("cp").arg("-a").arg(from).arg(to).status().await.unwrap();
    assert!(copied.success());
}

/// Copies the data of the cluster. The operator must be stopped, or have a lease that outlasts this.
async fn back_up(world: &World) -> PathBuf {
    let backup = world.plane.folder().join("etcd-backup");
    with_servers_down(world, async |data| copy(data, &backup).await).await;
    backup
}

/// Puts the backup back: everything later is lost.
async fn restore(world: &World, backup: &Path) {
    with_servers_down(world, async |data| {
        std::fs::remove_dir_all(data).unwrap();
        copy(backup, data).await;
    })
    .await;
}

/// The same while the operator runs; waits until it holds its lease and watches again.
async fn restore_under_its_leader(world: &World, backup: &Path) {
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), &world.treasury);
    let before = leases.get("carpack").await.unwrap().spec.unwrap();
    restore(world, backup).await;
    let attempt = async || {
        let lease = leases.get("carpack").await.map_err(|error| error.to_string())?.spec.unwrap_or_default();
        let leads_on = lease.holder_identity == before.holder_identity && lease.renew_time > before.renew_time;
        if leads_on { Ok(()) } else { Err(format!("{lease:?}")) }
    };
    eventually(PATIENCE, "the leader leads on", attempt).await.unwrap_or_else(|error| world.fail(&error.to_string()));
    for kind in ["concurrencypacks", "packorders"] {
        let what = format!("the leader watches {kind} again");
        let attempt = async || is_watched(world, kind).await;
        eventually(PATIENCE, &what, attempt).await.unwrap_or_else(|error| world.fail(&error.to_string()));
    }
}

/// Whether the operator watches the objects of this kind: on a control plane of its own nobody else does.
async fn is_watched(world: &World, kind: &str) -> Result<(), String> {
    let answer = world.plane.kubectl(&["get", "--raw", "/metrics"]).await.map_err(|error| error.to_string())?;
    let metrics = answer.success().map_err(|error| error.to_string())?;
    let labels = [format!("resource=\"{kind}\""), "scope=\"namespace\"".to_owned(), "verb=\"WATCH\"".to_owned()];
    let watches = |line: &&str| {
        line.starts_with("apiserver_longrunning_requests{") && labels.iter().all(|label| line.contains(label.as_str()))
    };
    match metrics.lines().find(watches) {
        Some(line) if !line.ends_with(" 0") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_restored_from_before_the_order_knows_the_pack_by_its_name_and_buys_nothing() {
    let mut world = own_world().await;
    world.apply_three().await;
    let backup = back_up(&world).await;
    world.start_operator();
    world.until_ready("concert").await;
    world.kill_operator();
    restore(&world, &backup).await;
    assert_eq!((world.pack("concert").await.status, world.all_orders().await.len()), (None, 0));
    world.start_operator();
    bought_once_and_left_to_a_person(&world).await;
    assert_eq!(condition(&world.pack("concert").await, "Stalled"), "True");
    assert_eq!(world.all_orders().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_restored_from_before_the_approval_buys_nothing_though_it_is_approved_again() {
    let mut world = own_world().await;
    world.start_operator();
    world.apply("concert", json!({"project": PROJECT, "quantity": 3, "mode": "ApprovalRequired"})).await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    world.stop_operator().await;
    let backup = back_up(&world).await;
    world.start_operator();
    world.decide_order("concert", "buy-1", json!({"decision": "Approved"})).await;
    world.until_ready("concert").await;
    world.kill_operator();
    restore(&world, &backup).await;
    world.decide_order("concert", "buy-1", json!({"decision": "Approved"})).await;
    world.start_operator();
    bought_once_and_left_to_a_person(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_restored_from_before_a_renewal_does_not_pay_it_again_and_pays_the_next_one() {
    let mut world = own_world().await;
    world.start_operator();
    let expiry = world.three().await;
    world.stop_operator().await;
    let backup = back_up(&world).await;
    world.start_operator();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "Fulfilled").await;
    world.kill_operator();
    restore(&world, &backup).await;
    assert_eq!(expiration(&world.pack("concert").await), Some(expiry));
    world.start_operator();
    world.until("concert", |pack| expiration(pack) == Some(expiry + DAY)).await;
    world.sweeps(3).await;
    assert_eq!((world.charged_each("RenewInstance"), world.all_orders().await.len()), (vec![1, 1, 1], 1));
    // The next order has the same name as the lost one: the cloud must not take it for the same.
    world.go_to(expiry + DAY - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "Fulfilled").await;
    assert_eq!((world.charged_each("RenewInstance"), world.bought()), (vec![2, 2, 2], 1));
    assert!(world.simulator.instances().iter().all(|instance| instance.expires == expiry + DAY + DAY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_restored_from_the_middle_of_a_purchase_finds_what_was_bought() {
    let mut world = own_world().await;
    world.start_operator();
    let held = world.purchase_held(When::BeforeCommit).await;
    world.kill_operator();
    let backup = back_up(&world).await;
    world.simulator.release(held).unwrap();
    world.start_operator();
    world.until_ready("concert").await;
    world.kill_operator();
    restore(&world, &backup).await;
    world.start_operator();
    bought_once(&world).await;
    assert_eq!((world.asked("CreateInstance"), world.all_orders().await.len()), (1, 1));
}

// Restored while the operator leads and keeps what it had read: it may do nothing until it is restarted.

/// The leader does not buy again because of what it had read, and the next operator recognises the pack by its name.
async fn buys_nothing_until_it_is_restarted_nor_then(world: &mut World) {
    world.advance_minutes(2 * QUARANTINE);
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance"), world.all_orders().await.len()), (1, 1, 0));
    world.stop_operator().await;
    world.start_operator();
    bought_once_and_left_to_a_person(world).await;
    assert_eq!(condition(&world.pack("concert").await, "Stalled"), "True");
    assert_eq!(world.all_orders().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_restored_under_its_leader_from_before_the_order_buys_nothing_before_a_restart_nor_after_it() {
    let mut world = world_of_lasting_leaders().await;
    world.apply_three().await;
    let backup = back_up(&world).await;
    world.start_operator();
    world.until_ready("concert").await;
    restore_under_its_leader(&world, &backup).await;
    buys_nothing_until_it_is_restarted_nor_then(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_restored_under_its_leader_from_before_the_order_while_its_call_is_in_the_air_buys_nothing_again() {
    let mut world = world_of_lasting_leaders().await;
    world.apply_three().await;
    let backup = back_up(&world).await;
    let held = world.hold("CreateInstance", When::BeforeCommit);
    world.start_operator();
    world.until_held(held).await;
    restore_under_its_leader(&world, &backup).await;
    world.sweeps(3).await;
    assert_eq!((world.asked("CreateInstance"), world.bought(), world.all_orders().await.len()), (1, 0, 0));
    assert_eq!(world.simulator.release(held).unwrap(), 1);
    world.until_log("a paid call is over").await;
    buys_nothing_until_it_is_restarted_nor_then(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_restored_under_its_leader_from_before_a_renewal_pays_each_once_and_goes_on_after_a_restart() {
    let mut world = world_of_lasting_leaders().await;
    world.start_operator();
    let expiry = world.three().await;
    let backup = back_up(&world).await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "Fulfilled").await;
    world.until("concert", |pack| expiration(pack) == Some(expiry + DAY)).await;
    restore_under_its_leader(&world, &backup).await;
    assert_eq!(world.all_orders().await.len(), 1, "the renewal is forgotten");
    world.sweeps(3).await;
    assert_eq!((world.charged_each("RenewInstance"), world.asked("RenewInstance")), (vec![1, 1, 1], 3));
    // The next renewal is due. The old leader may miss it; it is paid once in any case.
    world.go_to(expiry + DAY - SignedDuration::from_hours(5));
    world.sweeps(3).await;
    world.stop_operator().await;
    world.start_operator();
    world.until("concert", |pack| expiration(pack) == Some(expiry + DAY + DAY)).await;
    world.until_ready("concert").await;
    let pack = world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
    let next = pack.status.unwrap().next_renewal_time.map(|time| time.0);
    assert_eq!(next, Some(expiry + DAY + DAY - SignedDuration::from_hours(6)));
    world.sweeps(3).await;
    assert_eq!((world.charged_each("RenewInstance"), world.asked("RenewInstance")), (vec![2, 2, 2], 6));
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));
    assert!(world.simulator.instances().iter().all(|instance| instance.expires == expiry + DAY + DAY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_treasury_deleted_during_a_purchase_and_set_up_anew_goes_on_with_the_pack_and_pays_nothing_again() {
    let mut world = World::start().await;
    let held = world.purchase_held(When::AfterCommit).await;
    let (namespaces, treasury): (Api<Namespace>, _) = (Api::all(world.client.clone()), world.treasury.clone());
    namespaces.delete(&treasury, &DeleteParams::default()).await.unwrap();
    let order = world.order_name("concert", "buy-1");
    let going = |order: &carpack_api::PackOrder| order.metadata.deletion_timestamp.is_some();
    watch_until(&world.orders(), &order, PATIENCE, going).await.unwrap();
    world.simulator.release(held).unwrap();
    // The namespace ends only when the order is settled; then nothing can hold the lease.
    watch_until_gone(&namespaces, &treasury, PATIENCE).await.unwrap_or_else(|error| world.fail(&error.to_string()));
    assert_eq!(world.pack("concert").await.status.unwrap().instances.len(), 3);
    world.operator().wait(PATIENCE).await.unwrap();
    let metadata = ObjectMeta { name: Some(treasury), ..ObjectMeta::default() };
    namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await.unwrap();
    world.put_secret("AKIDsimulator", "simulator-secret-key").await;
    world.put_account(json!({})).await;
    world.start_operator();
    bought_once(&world).await;
    let expiry = expiration(&world.pack("concert").await).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "Fulfilled").await;
    assert_eq!((world.charged_each("RenewInstance"), world.asked("CreateInstance")), (vec![1, 1, 1], 1));
}
