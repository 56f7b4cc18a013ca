//! Spending limits of accounts and tenants, against a real API server and the simulated cloud.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Amounts are in cents: 945_00 is 945.00.
#![allow(clippy::inconsistent_digit_grouping)]

mod harness;

use harness::{PROJECT, World, condition, expiration, message, reason_of};
use jiff::SignedDuration;
use serde_json::{Value, json};

const PACKS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
/// A little later than renewBefore (6h) before the expiry.
const DUE: SignedDuration = SignedDuration::from_secs(-6 * 3600 + 2);

/// Packs of three for 945.00 each, all applied at once.
async fn apply_all(world: &World) {
    let spec = json!({"quantity": 3, "project": PROJECT});
    futures::future::join_all(PACKS.map(|name| world.apply(name, spec.clone()))).await;
}

/// How many packs are bought and how many are held by a limit, once all are the one or the other.
async fn bought_and_held(world: &World) -> (usize, usize) {
    let (mut bought, mut held) = (0, 0);
    for name in PACKS {
        let settled = |pack: &_| condition(pack, "Ready") == "True" || reason_of(pack) == "AboveLimit";
        let pack = world.until(name, settled).await;
        if condition(&pack, "Ready") == "True" { bought += 1 } else { held += 1 }
    }
    (bought, held)
}

async fn only_so_many_are_bought(limits: Value, words: &str, more: Value) {
    let world = World::start().await;
    world.put_account(limits).await;
    apply_all(&world).await;
    assert_eq!(bought_and_held(&world).await, (2, 2));
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (2, 2), "{:#?}", world.simulator.ledger());
    let held = PACKS.map(|name| world.pack(name));
    let held = futures::future::join_all(held).await.into_iter().find(|pack| reason_of(pack) == "AboveLimit").unwrap();
    assert!(message(&held, "Ready").contains(words), "{}", message(&held, "Ready"));
    world.put_account(more).await;
    for name in PACKS {
        world.until_ready(name).await;
    }
    assert_eq!(world.bought(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_packs_applied_together_only_those_are_bought_that_fit() {
    let words = "of the 2000 that account default may spend in any 24 hours";
    let (two, all) = (json!({"limits": {"spendPerDay": "2000"}}), json!({"limits": {"spendPerDay": "3780"}}));
    only_so_many_are_bought(two, words, all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_packs_applied_together_only_so_many_are_bought_in_an_hour() {
    let (two, all) = (json!({"limits": {"ordersPerHour": 2}}), json!({"limits": null}));
    only_so_many_are_bought(two, "raise limits.ordersPerHour", all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_waits_while_the_renewals_that_are_due_need_the_room_and_they_take_it() {
    let world = World::start().await;
    world.apply("alpha", json!({"quantity": 3, "project": PROJECT})).await;
    let expiry = expiration(&world.until_ready("alpha").await).unwrap();
    world.put_account(json!({"limits": {"spendPerDay": "1000"}})).await;
    world.go_to(expiry + DUE - SignedDuration::from_hours(6));
    world.sweeps(2).await;
    world.apply("beta", json!({"quantity": 3, "project": PROJECT})).await;
    let kept = "0.00 are spent or on their way and 315.00 are kept for renewals";
    world.until("beta", |pack| reason_of(pack) == "AboveLimit" && message(pack, "Ready").contains(kept)).await;
    world.go_to(expiry + DUE);
    world.until("alpha", |pack| expiration(pack).is_some_and(|at| at > expiry)).await;
    assert_eq!((world.bought(), world.renewed()), (1, 3));
    assert_eq!(reason_of(&world.pack("beta").await), "AboveLimit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_packs_is_held_by_the_brake_until_a_person_releases_it() {
    let world = World::start().await;
    let tenants = |released: Option<String>| {
        let mut brake = json!({"orders": 3, "withinMinutes": 60});
        if let Some(released) = released {
            brake["releasedTime"] = json!(released);
        }
        json!({"tenants": [{"namespaces": [world.tenant], "projects": ["*"], "brake": brake}]})
    };
    world.put_account(tenants(None)).await;
    let spec = json!({"quantity": 3, "project": PROJECT});
    for name in ["alpha", "beta"] {
        world.apply(name, spec.clone()).await;
        world.until_ready(name).await;
    }
    world.simulator.set_balance("default", 0).unwrap();
    for name in ["gamma", "delta"] {
        world.apply(name, spec.clone()).await;
    }
    world.until_reason("gamma", "BrakeOn").await;
    world.until_reason("delta", "BrakeOn").await;
    world.simulator.set_balance("default", 100_000_00).unwrap();
    world.sweeps(2).await;
    assert_eq!(world.bought(), 2);
    let pack = world.pack("delta").await;
    assert!(message(&pack, "Ready").contains("/spec/tenants/0/brake/releasedTime"), "{}", message(&pack, "Ready"));
    world.put_account(tenants(Some(world.simulator.now().to_string()))).await;
    for name in ["gamma", "delta"] {
        world.until_ready(name).await;
    }
    assert_eq!(world.bought(), 4);
}
