//! Objects whose metadata cannot be parsed: whoever may write an object may spoil it like this, and spoils only that one.

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::Resource;
use kube::api::{GetParams, Patch, PatchParams};
use kube::core::{NamespaceResourceScope, Request};
use serde_json::{Value, json};

use crate::harness::World;

/// Writes a moment that no parser of this operator reads into the object's managed fields, as `kubectl patch` would.
async fn spoil<K>(world: &World, namespace: &str, name: &str)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let objects = || Request::new(K::url_path(&(), Some(namespace)));
    let object: Value = world.client.request(objects().get(name, &GetParams::default()).unwrap()).await.unwrap();
    let mut fields = object["metadata"]["managedFields"].clone();
    let mut spoiler = fields[0].clone();
    spoiler["manager"] = "spoiler".into();
    spoiler["time"] = "9999-12-31T23:59:59Z".into();
    fields.as_array_mut().unwrap().push(spoiler);
    // The API server keeps a changed moment only beside another change.
    let patch = Patch::Merge(json!({"metadata": {"managedFields": fields, "labels": {"spoilt": "yes"}}}));
    let answer =
        world.client.request_text(objects().patch(name, &PatchParams::default(), &patch).unwrap()).await.unwrap();
    assert!(answer.contains("9999-12-31"), "the API server takes it: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_anybody_has_spoilt_blinds_the_operator_for_no_other_and_is_itself_managed_on() {
    let mut world = World::start().await;
    let expiry = world.three().await;
    world.apply("evil", json!({})).await;
    world.until_ready("evil").await;
    spoil::<ConcurrencyPack>(&world, &world.tenant, "evil").await;
    spoil::<PackOrder>(&world, &world.treasury, &world.order_name("evil", "buy-1")).await;
    spoil::<CarAccount>(&world, &world.treasury, "default").await;
    spoil::<Secret>(&world, &world.treasury, "car-credentials").await;
    world.kill_operator();
    world.start_operator();
    world.go_to(expiry - SignedDuration::from_hours(5));
    for pack in ["concert", "evil"] {
        world.until_order(pack, "renew-1", "Fulfilled").await;
    }
    world.sweeps(2).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1, 1]);
    assert!(!world.log().contains("9999-12-31"), "no object is written into the log");
}
