//! Orders and packs are deleted, stripped of their finalizers, put back or edited during a paid call.
//! (Namespaces and orders deleted after the commit: tests/packs/deletion.rs and tests/money/restarts.rs.)

use std::collections::BTreeSet;

use carpack_api::PackOrder;
use carpack_api::order::LineState;
use carpack_simulator::{Delivery, Effect, Fault, FaultId, Simulator, When};
use carpack_testkit::eventually;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::{
    blind, bought_once, bought_once_and_left_to_a_person, delete_order, fault, sighted, tokens, until_order_gone,
};
use crate::harness::status::{condition, expiration, reason_of};
use crate::harness::{PATIENCE, PROJECT, QUARANTINE, Setup, World};

/// A world in which the purchase of a pack of three is held by the cloud.
async fn purchase_held(when: When) -> (World, FaultId) {
    let world = World::start().await;
    let held = world.purchase_held(when).await;
    (world, held)
}

// Orders are deleted during their call.

#[tokio::test(flavor = "multi_thread")]
async fn an_order_deleted_before_the_cloud_carries_it_out_is_kept_until_its_answer_is_recorded() {
    let (world, held) = purchase_held(When::BeforeCommit).await;
    let name = delete_order(&world, "buy-1").await;
    assert_eq!(world.orders().get(&name).await.unwrap().status.unwrap().lines[0].state, LineState::Submitting);
    world.simulator.release(held).unwrap();
    bought_once(&world).await;
    until_order_gone(&world, &name).await;
    world.until_ready("concert").await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_deleted_while_its_lost_call_is_in_doubt_is_kept_until_its_absence_is_proven_and_the_next_buys_once() {
    let world = World::start().await;
    fault(&world, "CreateInstance", Effect::Drop { commit: false });
    world.apply_three().await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    let name = delete_order(&world, "buy-1").await;
    world.sweeps(3).await;
    assert_eq!((world.asked("CreateInstance"), world.all_orders().await.len()), (1, 1));
    assert_eq!(reason_of(&world.pack("concert").await), "OrderAmbiguous");
    world.advance_minutes(QUARANTINE);
    until_order_gone(&world, &name).await;
    bought_once(&world).await;
    let tokens: BTreeSet<String> = tokens(&world);
    assert_eq!((world.asked("CreateInstance"), tokens.len()), (2, 2), "the next order is another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_packs_whose_orders_are_deleted_in_doubt_none_loses_what_it_has_bought_though_the_operator_is_killed() {
    const PACKS: usize = 12;
    let mut world = World::start().await;
    let lost = world.simulator.add_fault(Fault::on("CreateInstance", Effect::Drop { commit: true })).unwrap();
    let blind = blind(&world);
    let names: Vec<String> = (1..=PACKS).map(|n| format!("concert-{n}")).collect();
    for name in &names {
        world.apply(name, json!({"project": PROJECT, "quantity": 3})).await;
    }
    for name in &names {
        world.until_order(name, "buy-1", "Ambiguous").await;
        world.orders().delete(&world.order_name(name, "buy-1"), &DeleteParams::default()).await.unwrap();
    }
    world.simulator.remove_fault(lost).unwrap();
    sighted(&world, blind);
    for left in [10, 5] {
        let attempt = async || match world.all_orders().await.len() {
            count if count <= left => Ok(()),
            count => Err(format!("{count} orders are left")),
        };
        let what = format!("no more than {left} orders are left");
        eventually(PATIENCE, &what, attempt).await.unwrap_or_else(|error| world.fail(&error.to_string()));
        world.kill_operator();
        world.start_operator();
    }
    for name in &names {
        world.until_ready(name).await;
    }
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (PACKS, PACKS));
    world.until_unclaimed(0).await;
}

// Packs are recreated under the same name.

/// Deletes a pack that waits for its purchase, removes its finalizer, and creates it again under the same name.
async fn made_anew_by_force(world: &World) {
    let old = world.pack("concert").await;
    // Frozen: otherwise the operator may let go of the pack before its finalizers are removed.
    world.operator().pause().unwrap();
    world.delete("concert").await;
    let nobody = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    world.packs().patch("concert", &PatchParams::default(), &nobody).await.unwrap();
    world.gone("concert").await;
    world.operator().resume().unwrap();
    assert_ne!(world.apply_three().await.uid(), old.uid());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_made_anew_by_force_while_the_first_purchase_is_on_its_way_waits_for_it_and_buys_nothing() {
    for when in [When::BeforeCommit, When::AfterCommit] {
        let world = World::start().await;
        let held = world.hold("CreateInstance", when);
        world.apply("concert", json!({"project": PROJECT, "quantity": 3, "deletionPolicy": "Lapse"})).await;
        world.until_held(held).await;
        made_anew_by_force(&world).await;
        world.until_reason("concert", "EarlierOrderUnresolved").await;
        world.simulator.release(held).unwrap();
        let order = world.until_order("concert", "buy-1", "Fulfilled").await;
        assert_eq!(order.status.unwrap().lines[0].instance_ids.len(), 3, "{when:?}");
        bought_once_and_left_to_a_person(&world).await;
        assert_eq!(world.all_orders().await.len(), 1, "{when:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_made_anew_by_force_buys_once_when_the_first_purchase_is_proven_not_executed() {
    let world = World::start().await;
    fault(&world, "CreateInstance", Effect::Drop { commit: false });
    world.apply("concert", json!({"project": PROJECT, "quantity": 3, "deletionPolicy": "Return"})).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    made_anew_by_force(&world).await;
    world.until_reason("concert", "EarlierOrderUnresolved").await;
    world.sweeps(3).await;
    assert_eq!(world.asked("CreateInstance"), 1);
    world.advance_minutes(QUARANTINE);
    world.until_order("concert", "buy-1", "Failed").await;
    bought_once(&world).await;
    assert_eq!((world.asked("CreateInstance"), tokens(&world).len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_made_anew_by_force_after_the_delivery_says_that_its_name_is_taken() {
    let world = World::start().await;
    world.three().await;
    made_anew_by_force(&world).await;
    bought_once_and_left_to_a_person(&world).await;
    assert_eq!(world.all_orders().await.len(), 1);
}

// Orders are removed together with their finalizers, by a person who may write in the treasury.

#[tokio::test(flavor = "multi_thread")]
async fn an_order_taken_away_by_force_while_the_operator_is_down_is_known_by_the_name_and_not_paid_again() {
    let (mut world, held) = purchase_held(When::AfterCommit).await;
    world.kill_operator();
    world.simulator.release(held).unwrap();
    world.release_order(&world.order_name("concert", "buy-1")).await;
    world.start_operator();
    bought_once_and_left_to_a_person(&world).await;
    assert_eq!(world.all_orders().await.len(), 0);
}

/// Waits until the pack has recorded the number of the first order: the next one gets another name and token.
async fn until_counted(world: &World) {
    world.until("concert", |pack| pack.status.as_ref().is_some_and(|status| status.ordinals.buy == 1)).await;
}

/// A world in which an order was removed while the cloud holds its purchase. The operator waits for the answer longer than
/// the test lasts.
async fn taken_away_in_the_air(when: When) -> (World, FaultId) {
    let flags = vec!["--lease-duration", "90s", "--lease-step-down", "75s", "--call-timeout", "40s"];
    let world = World::with(Setup { flags, ..Setup::default() }).await;
    let held = world.purchase_held(when).await;
    until_counted(&world).await;
    world.release_order(&world.order_name("concert", "buy-1")).await;
    (world, held)
}

/// The call is answered; its order does not exist any more.
async fn answered_to_nobody(world: &World, held: FaultId) {
    assert_eq!(world.simulator.release(held).unwrap(), 1);
    world.until_log("a paid call is over").await;
    bought_once_and_left_to_a_person(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_taken_away_by_force_between_its_purchase_and_the_late_answer_is_not_paid_again() {
    let (world, held) = taken_away_in_the_air(When::AfterCommit).await;
    world.until_reason("concert", "NameTaken").await;
    answered_to_nobody(&world, held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_taken_away_by_force_while_its_call_is_in_the_air_is_followed_by_no_other_call_of_the_same_process() {
    let (world, held) = taken_away_in_the_air(When::BeforeCommit).await;
    // Neither the cluster nor the cloud shows the call: only the process that waits for the answer knows it.
    world.sweeps(5).await;
    assert_eq!((world.asked("CreateInstance"), world.bought()), (1, 0), "its own call is in the air");
    answered_to_nobody(&world, held).await;
}

/// Here the guarantee ends: nothing knows of the first call any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_taken_away_by_force_while_its_call_outlives_the_operator_is_paid_twice_and_the_rest_is_reported() {
    let (mut world, held) = purchase_held(When::BeforeCommit).await;
    until_counted(&world).await;
    world.kill_operator();
    world.release_order(&world.order_name("concert", "buy-1")).await;
    world.start_operator();
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    world.until_unclaimed(0).await;
    assert_eq!((world.bought(), tokens(&world).len()), (1, 2), "the next order went out before the first call arrived");
    assert_eq!(world.simulator.release(held).unwrap(), 1);
    world.until_unclaimed(3).await;
    world.advance_minutes(2 * QUARANTINE);
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance"), world.simulator.instances().len()), (2, 2, 6));
    let pack = world.until_ready("concert").await;
    assert_eq!((expiration(&pack), pack.status.unwrap().instances.len()), (Some(expiry), 3));
    world.until_unclaimed(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_taken_away_by_force_while_its_delivery_is_late_is_not_paid_again() {
    let world = World::start().await;
    let late = Delivery { first: Some(0), rest_after_seconds: Some(1800), fails: false };
    fault(&world, "CreateInstance", Effect::Delivery(late));
    world.apply_three().await;
    world.until_reason("concert", "AwaitingDelivery").await;
    world.release_order(&world.order_name("concert", "buy-1")).await;
    world.until_reason("concert", "Vanished").await;
    world.advance(1);
    world.until_unclaimed(3).await;
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance"), world.simulator.instances().len()), (1, 1, 3));
    assert_eq!(condition(&world.pack("concert").await, "Purchased"), "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_put_back_without_its_status_buys_nothing_while_what_it_has_bought_is_there() {
    let world = World::start().await;
    world.three().await;
    let name = world.order_name("concert", "buy-1");
    let spec = world.orders().get(&name).await.unwrap().spec;
    world.release_order(&name).await;
    world.orders().create(&PostParams::default(), &PackOrder::new(&name, spec)).await.unwrap();
    world.until_order_where("concert", "buy-1", |order| order.status.is_some()).await;
    world.advance_minutes(2 * QUARANTINE);
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_whose_status_is_wiped_again_and_again_keeps_what_it_has_bought() {
    let world = World::start().await;
    let expiry = world.three().await;
    for _ in 0..3 {
        let wipe = Patch::Merge(json!({"status": null}));
        world.packs().patch_status("concert", &PatchParams::default(), &wipe).await.unwrap();
        world.until("concert", |pack| expiration(pack) == Some(expiry)).await;
    }
    bought_once(&world).await;
    assert_eq!((world.asked("CreateInstance"), world.all_orders().await.len()), (1, 1));
}

// The name is edited while the outcome is unknown.

async fn renamed_in_doubt(commit: bool) -> World {
    let world = World::start().await;
    fault(&world, "CreateInstance", Effect::Drop { commit });
    let blind = blind(&world);
    world.apply_three().await;
    let frozen = world.until_order("concert", "buy-1", "Ambiguous").await.spec.pack_name;
    world.change("concert", json!({"packName": "encore"})).await;
    world.sweeps(2).await;
    let order = world.orders().get(&world.order_name("concert", "buy-1")).await.unwrap();
    assert_eq!((order.spec.pack_name, world.asked("CreateInstance")), (frozen.clone(), 1));
    sighted(&world, blind);
    if !commit {
        world.advance_minutes(QUARANTINE);
    }
    bought_once(&world).await;
    let trail = world.until_order("concert", "buy-1", "Fulfilled").await.status.unwrap().trail;
    assert_eq!(trail.iter().any(|entry| entry.message.contains("found in the cloud")), commit, "{trail:#?}");
    let asked = world.simulator.requests().into_iter().filter(|r| r.action == "CreateInstance");
    let sent = asked.map(|r| r.parameters["Parameter"].as_str().unwrap().to_owned());
    assert!(sent.into_iter().all(|parameter| parameter.contains(&format!("\"Name\":\"{frozen}\""))));
    let renamed = |s: &Simulator| s.instances().iter().all(|i| i.name.starts_with("encore-"));
    world.until_cloud("it has its new name", renamed).await;
    bought_once(&world).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_in_doubt_is_found_under_the_name_it_was_sent_with_though_the_pack_was_given_another() {
    let world = renamed_in_doubt(true).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_purchase_is_sent_again_under_its_first_name_though_the_pack_was_given_another() {
    let world = renamed_in_doubt(false).await;
    assert_eq!((world.asked("CreateInstance"), tokens(&world).len()), (2, 1));
}
