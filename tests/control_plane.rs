//! The API server goes away, or holds an object that its own rules do not allow any more. Each test has a control plane of
//! its own.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod harness;

use carpack_api::ConcurrencyPack;
use carpack_simulator::{Effect, Fault, FaultId, When};
use carpack_testkit::{Exit, eventually};
use harness::{PATIENCE, PROJECT, Setup, World, expiration, own_plane};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

async fn world() -> World {
    World::with(Setup { plane: Some(own_plane().await), ..Setup::default() }).await
}

async fn apply_three(world: &World) {
    world.apply("concert", json!({"project": PROJECT, "quantity": 3})).await;
}

async fn three(world: &World) -> Timestamp {
    apply_three(world).await;
    expiration(&world.until_ready("concert").await).unwrap()
}

async fn held(world: &World, action: &str, when: When) -> FaultId {
    world.simulator.add_fault(Fault::on(action, Effect::Hold { when }).times(1)).unwrap()
}

/// Once the API server is back the operator goes on, or it has lost its lease and stops, as it must: then the cluster
/// starts it again.
async fn start_again_if_stopped(world: &mut World) {
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), &world.treasury);
    let renewed = async || leases.get("carpack").await.map(|lease| lease.spec.and_then(|spec| spec.renew_time));
    let before = eventually(PATIENCE, "the lease can be read", renewed).await.unwrap();
    let look = async || match world.operator().exit() {
        Some(exit) => Ok(Some(exit)),
        None if world.log().contains("the lease is lost") => Err("it is stopping".to_owned()),
        None if renewed().await.map_err(|error| error.to_string())? != before => Ok(None),
        None => Err("it has not renewed its lease yet".to_owned()),
    };
    let exit = eventually(PATIENCE * 3, "the operator goes on or has stopped", look).await.unwrap();
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
    let held = held(&world, "CreateInstance", When::AfterCommit).await;
    apply_three(&world).await;
    world.until_cloud("the purchase is held", |simulator| simulator.holding(held) == 1).await;
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
    let expiry = three(&world).await;
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
    let expiry = three(&world).await;
    let held = held(&world, "RenewInstance", When::BeforeCommit).await;
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

/// Puts a pack's spec past the rules, as an older version of them had allowed it.
async fn force(world: &World, spec: Value) {
    let name = "concurrencypacks.carpack.io";
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let rules = definitions.get(name).await.unwrap().spec;
    let mut loose = definitions.get(name).await.unwrap();
    for version in &mut loose.spec.versions {
        version.selectable_fields = None;
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let properties = version.schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap().properties.as_mut();
        properties.unwrap().insert("spec".to_owned(), serde_json::from_value(schema).unwrap());
    }
    definitions.replace(name, &PostParams::default(), &loose).await.unwrap();
    let merge = Patch::Merge(json!({"spec": spec}));
    // The rules are loosened a moment after they are written.
    let look = async || raw(world).patch("concert", &PatchParams::default(), &merge).await;
    eventually(PATIENCE, "an object that the rules do not allow", look).await.unwrap();
    let mut strict = definitions.get(name).await.unwrap();
    strict.spec = rules;
    definitions.replace(name, &PostParams::default(), &strict).await.unwrap();
    let look = async || match world.try_apply("probe", json!({"quantity": 0})).await {
        Err(_) => Ok(()),
        Ok(_) => {
            world.delete("probe").await;
            Err("the rules are still loose")
        }
    };
    eventually(PATIENCE, "the rules hold again", look).await.unwrap();
    world.gone("probe").await;
}

/// The pack as it is, whatever it is.
fn raw(world: &World) -> Api<kube::core::DynamicObject> {
    let resource = kube::api::ApiResource::erase::<ConcurrencyPack>(&());
    Api::namespaced_with(world.client.clone(), &world.tenant, &resource)
}

async fn is_deleted_and_left_in_the_cloud(world: &World) {
    raw(world).delete("concert", &kube::api::DeleteParams::default()).await.unwrap();
    let look = async || match raw(world).get_opt("concert").await.unwrap() {
        None => Ok(()),
        Some(pack) => Err(format!("{:?} {:?}", pack.metadata.deletion_timestamp, pack.finalizers())),
    };
    eventually(PATIENCE, "the pack is gone", look).await.unwrap_or_else(|error| world.fail(&error.to_string()));
    world.until_unclaimed(3).await;
    assert_eq!((world.simulator.ledger().len(), world.simulator.instances().len()), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_newer_rules_would_refuse_is_deleted_all_the_same() {
    let world = world().await;
    three(&world).await;
    force(&world, json!({"renewal": {"mode": "AutoRenew"}, "quantity": 101})).await;
    is_deleted_and_left_in_the_cloud(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_even_be_read_is_deleted_all_the_same() {
    // As a newer version writes it, before this one is put back.
    let world = world().await;
    three(&world).await;
    force(&world, json!({"billingMode": "Weekly"})).await;
    is_deleted_and_left_in_the_cloud(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_even_be_read_is_deleted_after_a_restart_too() {
    let mut world = world().await;
    three(&world).await;
    world.kill_operator();
    force(&world, json!({"deletionPolicy": "Archive", "mode": "Cautious"})).await;
    world.start_operator();
    world.until_log("leading").await;
    is_deleted_and_left_in_the_cloud(&world).await;
}
