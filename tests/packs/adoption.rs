//! Adoption: instances that a person or a deleted pack has bought are taken over, and nothing is bought in their place.

use carpack_simulator::ConsoleBuy;
use carpack_simulator::term::BillingMode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::harness::status::{condition_with_reason, expiration, message, renewals};
use crate::harness::{DAY, PROJECT, World};

/// A world whose tenant may adopt instances.
async fn start() -> World {
    let world = World::start().await;
    let tenants = json!([{"namespaces": [world.tenant], "projects": ["cap-a", "cap-b"], "adopt": true}]);
    world.put_account(json!({ "tenants": tenants })).await;
    world
}

/// A person buys three instances; returns their ids.
fn buy_by_hand(world: &World) -> Vec<String> {
    let mut buy = ConsoleBuy::new("by-hand", BillingMode::Daily, "ap-singapore", "L1");
    (buy.quantity, buy.duration) = (3, 3);
    world.simulator.console_buy(&buy).unwrap();
    world.ids()
}

fn adopting(ids: &[String]) -> Value {
    json!({"project": PROJECT, "quantity": ids.len(), "adopt": {"instanceIds": ids}})
}

/// No purchase was asked for.
async fn nothing_was_bought(world: &World) {
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_bought_by_hand_is_taken_over_bound_named_and_renewed_and_not_bought_again() {
    let world = start().await;
    let ids = buy_by_hand(&world);
    world.until_unclaimed(3).await;
    world.apply("concert", adopting(&ids)).await;
    let pack = world.until_ready("concert").await;
    let expiry = expiration(&pack).unwrap();
    assert_eq!(condition_with_reason(&pack, "Purchased"), "True Adopted");
    assert_eq!(world.projects(), vec![Some(PROJECT.to_owned()); 3]);
    world.until_unclaimed(0).await;
    let named = |name: &str| name.starts_with(&format!("{}-concert-000-", world.tenant));
    world.until_cloud("three names", |cloud| cloud.instances().iter().all(|i| named(&i.name))).await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until("concert", |pack| renewals(pack) == 1 && expiration(pack) == Some(expiry + DAY)).await;
    assert_eq!((world.renewed(), world.charged_each("RenewInstance")), (3, vec![1, 1, 1]));
    nothing_was_bought(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pack_left_behind_is_taken_over_by_the_next_of_its_name() {
    let world = start().await;
    world.apply("concert", json!({"project": PROJECT})).await;
    world.until_ready("concert").await;
    world.delete("concert").await;
    world.gone("concert").await;
    world.apply("concert", json!({"project": PROJECT})).await;
    let pack = world.until_reason("concert", "NameTaken").await;
    let id = world.ids().swap_remove(0);
    let advice = format!("to take it over, if no other cluster has it, set spec.adopt.instanceIds: [{id}]");
    assert!(message(&pack, "Ready").contains(&advice), "{}", message(&pack, "Ready"));
    world.change("concert", json!({"adopt": {"instanceIds": [id]}})).await;
    let pack = world.until_ready("concert").await;
    assert_eq!(condition_with_reason(&pack, "Purchased"), "True Adopted");
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));
    let refused = world.try_change("concert", json!({"adopt": null})).await.unwrap_err().to_string();
    assert!(refused.contains("adopt cannot be changed once the pack has instances"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_packs_name_is_taken_by_none_until_one_lets_go() {
    let world = start().await;
    let ids = buy_by_hand(&world);
    world.apply("concert", json!({"mode": "Observe", "quantity": 3, "adopt": {"instanceIds": ids}})).await;
    world.until_reason("concert", "Observing").await;
    world.apply("gala", adopting(&ids)).await;
    let gala = world.until_reason("gala", "AlreadyClaimed").await;
    let holder = format!("ConcurrencyPack {}/concert names it in spec.adopt too", world.tenant);
    assert!(message(&gala, "Ready").contains(&holder), "{}", message(&gala, "Ready"));
    world.change("concert", json!({"mode": null})).await;
    world.until_reason("concert", "AlreadyClaimed").await;
    world.sweeps(3).await;
    assert!(world.simulator.instances().iter().all(|instance| instance.name.starts_with("by-hand")));
    world.delete("concert").await;
    world.gone("concert").await;
    world.until_ready("gala").await;
    nothing_was_bought(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pack_has_is_not_taken_from_it() {
    let world = start().await;
    world.apply("concert", json!({"project": PROJECT})).await;
    let concert = world.until_ready("concert").await;
    world.apply("thief", adopting(&world.ids())).await;
    let thief = world.until_reason("thief", "AlreadyClaimed").await;
    let holder = format!("ConcurrencyPack {}/concert has it", world.tenant);
    assert!(message(&thief, "Ready").contains(&holder), "{}", message(&thief, "Ready"));
    world.delete("thief").await;
    world.gone("thief").await;
    world.sweeps(2).await;
    assert_eq!(world.pack("concert").await.status.unwrap().instances, concert.status.unwrap().instances);
    assert_eq!(world.bought(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_leave_or_with_another_count_nothing_is_taken_over_and_nothing_bought_in_its_place() {
    let world = World::start().await;
    let ids = buy_by_hand(&world);
    world.apply("concert", adopting(&ids)).await;
    let pack = world.until_reason("concert", "AdoptionNotGranted").await;
    assert!(message(&pack, "Ready").contains("set adopt: true"), "{}", message(&pack, "Ready"));
    world.apply("many", json!({"quantity": 4, "adopt": {"instanceIds": ids}})).await;
    world.delete("concert").await;
    let tenants = json!([{"namespaces": [world.tenant], "projects": [], "adopt": true}]);
    world.put_account(json!({ "tenants": tenants })).await;
    let pack = world.until_reason("many", "AdoptionMismatch").await;
    let advice = "the instances in spec.adopt hold 3 concurrencies, and spec.quantity is 4: delete this pack and apply it with quantity 3";
    assert!(message(&pack, "Ready").contains(advice), "{}", message(&pack, "Ready"));
    nothing_was_bought(&world).await;
    assert_eq!(world.asked("ModifyConcurrentPackage"), 0);
}
