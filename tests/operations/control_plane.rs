//! The API server is unavailable, or holds an object that its present rules would not allow. Each test has a control plane of
//! its own.

use carpack_api::{ConcurrencyPack, PackOrder};
use carpack_simulator::When;
use carpack_testkit::{Exit, eventually};
use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use crate::harness::status::message;
use crate::harness::{PATIENCE, Setup, World, own_plane};

async fn world() -> World {
    World::with(Setup { plane: Some(own_plane().await), ..Setup::default() }).await
}

/// When the API server is back, the operator goes on, or it has lost its lease and stops: then it is started again, as a
/// kubelet would do.
async fn start_again_if_stopped(world: &mut World) {
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), &world.treasury);
    let renewed = async || leases.get("carpack").await.map(|lease| lease.spec.and_then(|spec| spec.renew_time));
    let before = eventually(PATIENCE, "the lease can be read", renewed).await.unwrap();
    let attempt = async || match world.operator().exit() {
        Some(exit) => Ok(Some(exit)),
        None if world.log().contains("the lease is lost") => Err("it is stopping".to_owned()),
        None if renewed().await.map_err(|error| error.to_string())? != before => Ok(None),
        None => Err("it has not renewed its lease yet".to_owned()),
    };
    let exit = eventually(PATIENCE * 3, "the operator goes on or has stopped", attempt).await.unwrap();
    if let Some(exit) = exit {
        assert_eq!(exit, Exit::Code(3));
        world.start_operator();
    }
}

async fn bought_once(world: &World) {
    world.until_order("concert", "buy-1", "Fulfilled").await;
    world.until_ready("concert").await;
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.simulator.ledger().len(), world.asked("CreateInstance")), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_goes_while_a_purchase_is_under_way_costs_nothing_twice() {
    let mut world = world().await;
    let held = world.purchase_held(When::AfterCommit).await;
    world.plane.kill_api_server();
    world.simulator.release(held).unwrap();
    world.until_log("recording the answer of a paid call again").await;
    world.plane.start_api_server().await.unwrap();
    start_again_if_stopped(&mut world).await;
    bought_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_api_server_nothing_is_spent_and_a_due_renewal_follows_when_it_is_back() {
    let mut world = world().await;
    let expiry = world.three().await;
    world.plane.kill_api_server();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_log("the lease is lost").await;
    assert_eq!(world.operator().wait(PATIENCE * 2).await.unwrap(), Exit::Code(3), "it stops rather than guess");
    assert_eq!(world.asked("RenewInstance"), 0);
    world.plane.start_api_server().await.unwrap();
    start_again_if_stopped(&mut world).await;
    world.until_order("concert", "renew-1", "Fulfilled").await;
    world.sweeps(2).await;
    assert_eq!((world.charged_each("RenewInstance"), world.asked("RenewInstance")), (vec![1, 1, 1], 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_api_server_between_the_renewals_of_three_instances_renews_each_once() {
    let mut world = world().await;
    let expiry = world.three().await;
    let held = world.hold("RenewInstance", When::BeforeCommit);
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_cloud("the first renewal is held", |simulator| simulator.holding(held) == 1).await;
    world.plane.kill_api_server();
    world.simulator.release(held).unwrap();
    world.plane.start_api_server().await.unwrap();
    start_again_if_stopped(&mut world).await;
    world.until_order("concert", "renew-1", "Fulfilled").await;
    world.sweeps(2).await;
    assert_eq!((world.charged_each("RenewInstance"), world.asked("RenewInstance")), (vec![1, 1, 1], 3));
}

// Objects whose spec is no longer valid.

/// Writes a spec that the rules do not allow, as if an older version of them had allowed it.
async fn force<K: Resource<DynamicType = ()>>(world: &World, namespace: &str, name: &str, spec: Value) {
    let definition = format!("{}.carpack.io", K::plural(&()));
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let rules = definitions.get(&definition).await.unwrap().spec;
    let mut loose = definitions.get(&definition).await.unwrap();
    for version in &mut loose.spec.versions {
        version.selectable_fields = None;
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let whole = version.schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
        whole.x_kubernetes_validations = None;
        whole.properties.as_mut().unwrap().insert("spec".to_owned(), serde_json::from_value(schema).unwrap());
    }
    definitions.replace(&definition, &PostParams::default(), &loose).await.unwrap();
    let objects = raw::<K>(world, namespace);
    let merge = Patch::Merge(json!({"spec": spec}));
    // A change of the rules takes effect a moment after it is written.
    let attempt = async || objects.patch(name, &PatchParams::default(), &merge).await;
    eventually(PATIENCE, "an object that the rules do not allow", attempt).await.unwrap();
    let mut strict = definitions.get(&definition).await.unwrap();
    strict.spec = rules;
    definitions.replace(&definition, &PostParams::default(), &strict).await.unwrap();
    let probe = DynamicObject::new("probe", &ApiResource::erase::<K>(&())).data(json!({"spec": {}}));
    let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
    let attempt = async || match objects.create(&rehearsal, &probe).await {
        Err(_) => Ok(()),
        Ok(_) => Err("the rules are still loose"),
    };
    eventually(PATIENCE, "the rules hold again", attempt).await.unwrap();
}

/// Objects as untyped data.
fn raw<K: Resource<DynamicType = ()>>(world: &World, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(world.client.clone(), namespace, &ApiResource::erase::<K>(&()))
}

async fn force_pack(world: &World, spec: Value) {
    force::<ConcurrencyPack>(world, &world.tenant, "concert", spec).await;
}

async fn force_order(world: &World, suffix: &str, spec: Value) {
    force::<PackOrder>(world, &world.treasury, &world.order_name("concert", suffix), spec).await;
}

async fn is_deleted_and_left_in_the_cloud(world: &World) {
    raw::<ConcurrencyPack>(world, &world.tenant).delete("concert", &kube::api::DeleteParams::default()).await.unwrap();
    let attempt = async || match raw::<ConcurrencyPack>(world, &world.tenant).get_opt("concert").await.unwrap() {
        None => Ok(()),
        Some(pack) => Err(format!("{:?} {:?}", pack.metadata.deletion_timestamp, pack.finalizers())),
    };
    eventually(PATIENCE, "the pack is gone", attempt).await.unwrap_or_else(|error| world.fail(&error.to_string()));
    world.until_unclaimed(3).await;
    assert_eq!((world.simulator.ledger().len(), world.simulator.instances().len()), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_newer_rules_would_refuse_is_deleted_all_the_same() {
    let world = world().await;
    world.three().await;
    force_pack(&world, json!({"renewal": {"mode": "AutoRenew"}, "quantity": 101})).await;
    is_deleted_and_left_in_the_cloud(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_even_be_read_is_deleted_all_the_same() {
    // As a newer version of the operator writes it before it is rolled back.
    let world = world().await;
    world.three().await;
    force_pack(&world, json!({"billingMode": "Weekly"})).await;
    is_deleted_and_left_in_the_cloud(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_even_be_read_is_deleted_after_a_restart_too() {
    let mut world = world().await;
    world.three().await;
    world.kill_operator();
    force_pack(&world, json!({"deletionPolicy": "Archive", "mode": "Cautious"})).await;
    world.start_operator();
    world.until_log("leading").await;
    is_deleted_and_left_in_the_cloud(&world).await;
}

/// Waits until an unreadable order holds the renewal of the pack; returns the message of the pack.
async fn until_held_by_an_unreadable_order(world: &World) -> String {
    let pack = world.until_condition("concert", "RenewalOnTrack", "False OrderUnreadable").await;
    message(&pack, "RenewalOnTrack")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_on_its_way_whose_order_cannot_be_read_after_a_restart_is_not_paid_twice() {
    let mut world = world().await;
    let expiry = world.three().await;
    let held = world.hold("RenewInstance", When::BeforeCommit);
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_cloud("the first renewal is held", |simulator| simulator.holding(held) == 1).await;
    world.kill_operator();
    force_order(&world, "renew-1", json!({"action": "Prolong"})).await;
    world.start_operator();
    until_held_by_an_unreadable_order(&world).await;
    world.sweeps(2).await;
    assert_eq!(world.asked("RenewInstance"), 1);
    world.simulator.release(held).unwrap();
    force_order(&world, "renew-1", json!({"action": "Renew"})).await;
    world.until_order("concert", "renew-1", "Fulfilled").await;
    world.sweeps(2).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_read_is_removed_by_the_commands_that_the_pack_prints() {
    let mut world = world().await;
    let expiry = world.three().await;
    world.kill_operator();
    force_order(&world, "buy-1", json!({"action": "Acquire"})).await;
    world.start_operator();
    world.go_to(expiry - SignedDuration::from_hours(5));
    let said = until_held_by_an_unreadable_order(&world).await;
    assert_eq!(world.asked("RenewInstance"), 0);
    let commands: Vec<&str> = said.split("kubectl ").skip(1).map(|command| command.trim_end_matches(" and ")).collect();
    assert_eq!(commands.len(), 2, "{said}");
    for command in commands {
        let args: Vec<&str> = command.split(' ').map(|arg| arg.trim_matches('\'')).collect();
        world.plane.kubectl(&args).await.unwrap().success().unwrap();
    }
    world.until_order("concert", "renew-1", "Fulfilled").await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
}
