//! Spending limits of accounts and tenants, and the brake.
// Amounts are in cents: 945_00 is 945.00.
#![allow(clippy::inconsistent_digit_grouping)]

use carpack_api::{CarAccount, PackOrder};
use carpack_testkit::watch_until;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::spec::{merge, monthly};
use crate::harness::status::{condition, expiration, message, order_state, reason_of};
use crate::harness::{DUE, PATIENCE, PROJECT, Setup, World};

const PACKS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// A pack of three for 945.00, renewed for 315.00 a day.
fn three() -> Value {
    json!({"quantity": 3, "project": PROJECT})
}

/// Packs of three for 945.00 each, all applied at once.
async fn apply_all(world: &World) {
    futures::future::join_all(PACKS.map(|name| world.apply(name, three()))).await;
}

/// Waits until a limit holds the purchase of the pack; returns the message of the pack.
async fn above_limit(world: &World, name: &str) -> String {
    message(&world.until_reason(name, "AboveLimit").await, "Ready")
}

/// The charge of each purchase, in cents.
fn costs(world: &World) -> Vec<i64> {
    world.charges("CreateInstance").iter().map(|charge| charge.amount_cents).collect()
}

/// How many packs are bought and how many are held by a limit, once each is one of the two.
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
    world.apply("alpha", three()).await;
    let expiry = expiration(&world.until_ready("alpha").await).unwrap();
    world.put_account(json!({"limits": {"spendPerDay": "1000"}})).await;
    world.go_to(expiry + DUE - SignedDuration::from_hours(6));
    world.sweeps(2).await;
    world.apply("beta", three()).await;
    let kept = "0.00 are spent or on their way and 315.00 are kept for renewals";
    world.until("beta", |pack| reason_of(pack) == "AboveLimit" && message(pack, "Ready").contains(kept)).await;
    world.go_to(expiry + DUE);
    world.until("alpha", |pack| expiration(pack).is_some_and(|at| at > expiry)).await;
    assert_eq!((world.bought(), world.renewed()), (1, 3));
    assert_eq!(reason_of(&world.pack("beta").await), "AboveLimit");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_costs_more_than_one_may_is_held_until_the_limit_is_raised_or_a_person_denies_it() {
    let limited = |limit: &str| json!({"limits": {"spendPerOrder": limit}});
    let world = World::with(Setup { account: limited("944.99"), ..Setup::default() }).await;
    for name in ["alpha", "beta"] {
        world.apply(name, three()).await;
    }
    world.apply("gamma", json!({"quantity": 2, "project": PROJECT})).await;
    for name in ["alpha", "beta"] {
        let said = above_limit(&world, name).await;
        let limit = "the order costs 945.00 USD, and one order of account default may cost 944.99";
        let way_out = "raise limits.spendPerOrder, or set spec.approval.decision of the order to Denied";
        assert!(said.contains(limit) && said.contains(way_out), "{said}");
    }
    world.until_ready("gamma").await;
    world.sweeps(2).await;
    assert_eq!((costs(&world), world.asked("CreateInstance")), (vec![630_00], 1), "what costs less is bought");
    world.decide_order("beta", "buy-1", json!({"decision": "Denied"})).await;
    world.until_reason("beta", "Denied").await;
    world.put_account(limited("945")).await;
    world.until_ready("alpha").await;
    world.sweeps(2).await;
    assert_eq!((costs(&world), world.asked("CreateInstance")), (vec![630_00, 945_00], 2));
    assert_eq!(reason_of(&world.pack("beta").await), "Denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_costs_more_than_one_order_may_is_held_until_the_limit_is_raised() {
    let world = World::start().await;
    world.apply("alpha", three()).await;
    let expiry = expiration(&world.until_ready("alpha").await).unwrap();
    world.put_account(json!({"limits": {"spendPerOrder": "314.99"}})).await;
    world.sweeps(1).await;
    world.go_to(expiry + DUE);
    let pack = world.until_condition("alpha", "RenewalOnTrack", "False AboveLimit").await;
    let said = message(&pack, "RenewalOnTrack");
    let limit = "the order costs 315.00 USD, and one order of account default may cost 314.99";
    assert!(said.contains(limit) && said.contains("raise limits.spendPerOrder"), "{said}");
    assert_eq!(condition(&pack, "Ready"), "True", "what was bought is still usable");
    world.sweeps(2).await;
    assert_eq!((world.renewed(), world.asked("RenewInstance")), (0, 0));
    world.put_account(json!({"limits": {"spendPerOrder": "315"}})).await;
    world.until("alpha", |pack| expiration(pack).is_some_and(|at| at > expiry)).await;
    assert_eq!((world.bought(), world.charged_each("RenewInstance")), (1, vec![1, 1, 1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_in_30_days_holds_a_purchase_until_that_is_longer_ago() {
    let limits = json!({"limits": {"spendPer30Days": "1889.99"}});
    let world = World::with(Setup { account: limits, ..Setup::default() }).await;
    let closes = (world.simulator.now() + SignedDuration::from_hours(24 * 60)).to_string();
    // Without renewals no money is kept for them.
    let mut spec = three();
    merge(&mut spec, &json!({"renewal": {"mode": "None"}, "purchaseWindow": {"notAfter": closes}}));
    world.apply("alpha", spec.clone()).await;
    world.until_ready("alpha").await;
    world.advance(25);
    world.apply("beta", spec).await;
    let said = above_limit(&world, "beta").await;
    let limit = "of the 1889.99 that account default may spend in any 30 days, 945.00 are spent";
    let way_out = "it waits until there is room; or raise limits.spendPer30Days";
    assert!(said.contains(limit) && said.contains(way_out), "{said}");
    world.advance(24 * 28);
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1), "29 days later");
    assert_eq!(reason_of(&world.pack("beta").await), "AboveLimit");
    world.advance(24);
    world.until_ready("beta").await;
    assert_eq!(costs(&world), [945_00, 945_00]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_leaves_room_for_the_renewals_of_30_days() {
    // Two purchases for 945.00, and 28 daily renewals of the first pack for 315.00, from 66 hours after its purchase on.
    let limited = |limit: &str| json!({"limits": {"spendPer30Days": limit}});
    let world = World::with(Setup { account: limited("10709.99"), ..Setup::default() }).await;
    world.apply("alpha", three()).await;
    world.until_ready("alpha").await;
    world.until("alpha", |pack| pack.status.as_ref().is_some_and(|s| s.next_renewal_time.is_some())).await;
    world.apply("beta", three()).await;
    let kept = "945.00 are spent or on their way and 8820.00 are kept for renewals";
    world.until("beta", |pack| reason_of(pack) == "AboveLimit" && message(pack, "Ready").contains(kept)).await;
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));
    world.put_account(limited("10710")).await;
    world.until_ready("beta").await;
    assert_eq!((costs(&world), world.renewed()), (vec![945_00, 945_00], 0));
}

/// A world that also watches a second namespace, without an operator yet; and the name of that namespace.
async fn with_a_second_namespace() -> (World, String) {
    let mut world = World::without_operator(Setup::default()).await;
    let second = world.plane.namespace("tenant").await.unwrap();
    let both = format!("{},{second}", world.tenant);
    world.set_flags(&["--watch-namespace", &both]);
    (world, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_above_its_own_limit_is_held_though_the_account_has_room_and_another_tenant_still_buys() {
    let (mut world, second) = with_a_second_namespace().await;
    let first = world.tenant.clone();
    let limited = |limit: &str| {
        let tenant = json!({"namespaces": [first], "projects": ["*"], "limits": {"spendPerDay": limit}});
        let other = json!({"namespaces": [second], "projects": ["*"]});
        json!({"limits": {"spendPerDay": "3780"}, "tenants": [tenant, other]})
    };
    world.put_account(limited("1889.99")).await;
    world.start_operator();
    world.apply("alpha", three()).await;
    world.until_ready("alpha").await;
    world.apply("beta", three()).await;
    let said = above_limit(&world, "beta").await;
    let limit = format!("of the 1889.99 that the tenant of namespace {first} in account default may spend");
    assert!(said.contains(&limit) && said.contains("945.00 are spent"), "{said}");
    assert!(said.contains("raise limits.spendPerDay"), "{said}");
    world.tenant.clone_from(&second);
    for name in ["gamma", "delta"] {
        world.apply(name, three()).await;
        world.until_ready(name).await;
    }
    world.tenant.clone_from(&first);
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (3, 3));
    assert_eq!(reason_of(&world.pack("beta").await), "AboveLimit");
    world.put_account(limited("1890")).await;
    world.until_ready("beta").await;
    assert_eq!(costs(&world), [945_00; 4]);
}

/// The spending of the first namespace holds the purchase of the second one until the limit is enough for both.
/// `account` makes the changes to the account from the limit and the two namespaces.
async fn held_by_what_the_first_has_spent(account: impl Fn(&str, &str, &str) -> Value, whose: &str) {
    let (mut world, second) = with_a_second_namespace().await;
    let first = world.tenant.clone();
    world.put_account(account("1889.99", &first, &second)).await;
    world.start_operator();
    world.apply("alpha", three()).await;
    world.until_ready("alpha").await;
    world.tenant.clone_from(&second);
    world.apply("beta", three()).await;
    let said = above_limit(&world, "beta").await;
    assert!(said.contains(whose) && said.contains("raise limits.spendPerDay"), "{said}");
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));
    world.put_account(account("1890", &first, &second)).await;
    world.until_ready("beta").await;
    assert_eq!(costs(&world), [945_00, 945_00]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_namespaces_of_one_tenant_share_its_limit() {
    let account = |limit: &str, first: &str, second: &str| {
        let limits = json!({"spendPerDay": limit});
        json!({"tenants": [{"namespaces": [first, second], "projects": ["*"], "limits": limits}]})
    };
    held_by_what_the_first_has_spent(account, "of the 1889.99 that the tenant of namespace").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_tenant_spends_counts_against_the_account_and_holds_another_that_has_room_of_its_own() {
    let account = |limit: &str, first: &str, second: &str| {
        let tenant = |name: &str| json!({"namespaces": [name], "projects": ["*"], "limits": {"spendPerDay": "945"}});
        json!({"limits": {"spendPerDay": limit}, "tenants": [tenant(first), tenant(second)]})
    };
    held_by_what_the_first_has_spent(account, "of the 1889.99 that account default may spend").await;
}

/// The tenant with a brake on more than three orders in an hour, released at this time.
fn braked(world: &World, released: Option<Timestamp>) -> Value {
    let mut brake = json!({"orders": 3, "withinMinutes": 60});
    if let Some(released) = released {
        brake["releasedTime"] = json!(released.to_string());
    }
    json!({"tenants": [{"namespaces": [world.tenant], "projects": ["*"], "brake": brake}]})
}

/// The patch of the command that a message prints, as the shell would pass it to kubectl at this time.
fn released_by(message: &str, now: Timestamp) -> String {
    let (_, patch) = message.split_once("--type=json -p '").unwrap();
    let (patch, _) = patch.split_once("}]'").unwrap();
    patch.replace("'$(date -u +%FT%TZ)'", &now.to_string()) + "}]"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_packs_is_held_by_the_brake_until_a_person_releases_it() {
    let world = World::start().await;
    world.put_account(braked(&world, None)).await;
    for name in ["alpha", "beta"] {
        world.apply(name, three()).await;
        world.until_ready(name).await;
    }
    world.simulator.set_balance("default", 0).unwrap();
    for name in ["gamma", "delta"] {
        world.apply(name, three()).await;
    }
    world.until_reason("gamma", "BrakeOn").await;
    world.until_reason("delta", "BrakeOn").await;
    world.simulator.set_balance("default", 100_000_00).unwrap();
    world.sweeps(2).await;
    assert_eq!(world.bought(), 2);
    let pack = world.pack("delta").await;
    let release = released_by(&message(&pack, "Ready"), world.simulator.now());
    let mut reordered = braked(&world, None);
    let tenants = reordered["tenants"].as_array_mut().unwrap();
    tenants.insert(0, json!({"namespaces": ["others"], "projects": [], "brake": {"orders": 3, "withinMinutes": 60}}));
    world.put_account(reordered).await;
    let patch = ["patch", "caraccount", "default", "-n", &world.treasury, "--type=json", "-p", &release];
    let refused = world.plane.kubectl(&patch).await.unwrap().success().unwrap_err();
    assert!(refused.to_string().contains("test"), "another tenant stands at this place: {refused}");
    world.put_account(braked(&world, None)).await;
    world.plane.kubectl(&patch).await.unwrap().success().unwrap();
    for name in ["gamma", "delta"] {
        world.until_ready(name).await;
    }
    assert_eq!(world.bought(), 4);
}

fn said_by(order: &PackOrder) -> &str {
    order.status.as_ref().and_then(|status| status.message.as_deref()).unwrap_or_default()
}

/// Waits until the brake condition of the account is like this, written `False BrakeOn`; returns its message.
async fn until_brake(world: &World, wanted: &str) -> String {
    let said = |account: &CarAccount| -> Option<String> {
        let conditions = account.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        let brake = conditions.iter().find(|c| c.type_ == "BrakeReleased")?;
        (format!("{} {}", brake.status, brake.reason) == wanted).then(|| brake.message.clone())
    };
    let account = watch_until(&world.accounts(), "default", PATIENCE, |account| said(account).is_some()).await;
    said(&account.unwrap_or_else(|error| world.fail(&error.to_string()))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_return_nothing_are_not_counted_by_the_brake_and_not_held_by_it() {
    let world = World::start().await;
    world.put_account(braked(&world, None)).await;
    for (name, policy) in [("alpha", "Retain"), ("beta", "Lapse")] {
        world.apply(name, monthly(policy)).await;
        world.until_ready(name).await;
        world.delete(name).await;
        world.gone(name).await;
    }
    // If the deletions counted, this would be the fifth of three.
    world.apply("gamma", monthly("Lapse")).await;
    world.until_ready("gamma").await;
    assert_eq!(world.renewing_themselves(), 6, "those of alpha and gamma");
    for name in ["delta", "epsilon"] {
        world.apply(name, monthly("Retain")).await;
    }
    world.until_reason("delta", "BrakeOn").await;
    world.until_reason("epsilon", "BrakeOn").await;
    let said = until_brake(&world, "False BrakeOn").await;
    assert!(said.contains("delete the packs that are not meant"), "{said}");
    assert!(said.contains("/spec/tenants/0/brake/releasedTime"), "{said}");

    // Unwanted orders are deleted and the others released, as the message says.
    for name in ["gamma", "delta"] {
        world.delete(name).await;
        world.gone(name).await;
    }
    let order = world.until_order("delta", "buy-1", "Failed").await;
    assert!(said_by(&order).contains("the pack is gone"), "{}", said_by(&order));
    world.sweeps(2).await;
    assert_eq!((world.renewing_themselves(), world.simulator.instances().len()), (3, 9));
    assert_eq!((world.bought(), world.asked("CreateInstance")), (3, 3));
    world.put_account(braked(&world, Some(world.simulator.now()))).await;
    world.until_ready("epsilon").await;
    until_brake(&world, "True BrakeReleased").await;
    assert_eq!((world.bought(), world.simulator.ledger().len()), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_is_counted_and_held_by_the_brake_though_a_person_has_approved_it() {
    let world = World::start().await;
    world.put_account(braked(&world, None)).await;
    for (name, policy) in [("alpha", "Return"), ("beta", "Retain"), ("gamma", "Retain")] {
        world.apply(name, json!({"quantity": 3, "deletionPolicy": policy})).await;
        world.until_ready(name).await;
    }
    world.delete("alpha").await;
    world.gone("alpha").await;
    world.until_order("alpha", "return-1", "AwaitingApproval").await;
    world.decide_order("alpha", "return-1", json!({"decision": "Approved"})).await;
    let way_out = "/spec/tenants/0/brake/releasedTime";
    let order = world.until_order_where("alpha", "return-1", |order| said_by(order).contains(way_out)).await;
    assert_eq!(order_state(&order), "Pending");
    world.sweeps(2).await;
    assert_eq!((world.charges("RefundInstance").len(), world.asked("RefundInstance")), (0, 0));
    world.put_account(braked(&world, Some(world.simulator.now()))).await;
    world.until_order("alpha", "return-1", "Fulfilled").await;
    assert_eq!((world.charges("RefundInstance").len(), world.asked("RefundInstance")), (3, 3));
    assert_eq!((world.bought(), world.simulator.instances().len()), (3, 6));
}
