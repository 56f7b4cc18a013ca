//! Packs with similar names, by accident or on purpose: each gets what its own call has bought.

use std::collections::BTreeSet;

use carpack_core::names::cloud_name;
use carpack_simulator::{Effect, Fault};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::{Value, json};

use super::tokens;
use crate::harness::{Setup, World};

/// Buys two packs of three in two namespaces at the same time, both answers lost, and checks that each got its own.
async fn bought_side_by_side(world: &mut World, second: &str, packs: [(&str, Value); 2]) {
    let first = world.tenant.clone();
    world.put_account(json!({"tenants": [{"namespaces": [first, second], "projects": ["*"]}]})).await;
    world.set_flags(&["--watch-namespace", &format!("{first},{second}")]);
    world.simulator.add_fault(Fault::on("CreateInstance", Effect::Drop { commit: true }).times(2)).unwrap();
    let mut claimed = Vec::new();
    let places = [first.clone(), second.to_owned()];
    for (namespace, (name, changes)) in places.iter().zip(&packs) {
        world.tenant.clone_from(namespace);
        world.apply(name, changes.clone()).await;
    }
    world.start_operator();
    for (namespace, (name, _)) in places.iter().zip(&packs) {
        world.tenant.clone_from(namespace);
        let pack = world.until_ready(name).await;
        let order = world.until_order(name, "buy-1", "Fulfilled").await;
        let mut ids: Vec<String> = pack.status.unwrap().instances.into_iter().map(|i| i.id).collect();
        ids.sort();
        let mut bought = order.status.unwrap().lines.swap_remove(0).instance_ids;
        bought.sort();
        assert_eq!((ids.len(), &bought), (3, &ids));
        let charged = world.charges("CreateInstance").into_iter();
        let mine = charged.filter(|c| c.client_token.as_ref() == Some(&order.spec.lines[0].client_token));
        let mut paid_for: Vec<String> = mine.flat_map(|charge| charge.instance_ids).collect();
        paid_for.sort();
        assert_eq!(paid_for, ids, "{namespace}/{name} has what its own call has bought");
        claimed.extend(ids);
    }
    world.sweeps(3).await;
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 6);
    assert_eq!((world.bought(), world.asked("CreateInstance"), tokens(world).len()), (2, 2, 2));
    world.until_unclaimed(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_namespaces_that_give_their_packs_the_same_name_in_the_cloud_each_get_their_own() {
    let mut world = World::without_operator(Setup::default()).await;
    let second = world.plane.namespace("tenant").await.unwrap();
    let same = json!({"quantity": 3, "packName": "concert"});
    bought_side_by_side(&mut world, &second, [("concert", same.clone()), ("concert", same)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_whose_namespaces_and_names_run_together_each_get_their_own() {
    let mut world = World::without_operator(Setup::default()).await;
    let second = format!("{}-x", world.tenant);
    let metadata = ObjectMeta { name: Some(second.clone()), ..ObjectMeta::default() };
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await.unwrap();
    let spec = json!({"quantity": 3});
    bought_side_by_side(&mut world, &second, [("x-concert", spec.clone()), ("concert", spec)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_calls_its_pack_by_the_name_of_anothers_takes_and_blocks_nothing() {
    let mut world = World::without_operator(Setup::default()).await;
    let second = world.plane.namespace("tenant").await.unwrap();
    let victim = cloud_name(&world.tenant, "concert", None, 1);
    let changes = json!({"quantity": 3, "packName": victim});
    bought_side_by_side(&mut world, &second, [("concert", json!({"quantity": 3})), ("concert", changes)]).await;
}
