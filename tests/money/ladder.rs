//! The modes Observe, DryRun, ApprovalRequired and Automatic, at the three places where they are set, and approvals.

use carpack_api::PackOrder;
use carpack_simulator::ConsoleBuy;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::harness::status::{condition, condition_with_reason, expiration, is_current, message, reason_of, renewals};
use crate::harness::{PROJECT, Setup, World};

/// Where a mode can be set.
const PLACES: [&str; 3] = ["installation", "account", "pack"];

/// A world with this mode at one place, and a pack of three.
async fn held_at(place: &str, mode: &'static str) -> World {
    let mut setup = Setup::default();
    match place {
        "installation" => setup.flags = vec!["--mode", mode],
        "account" => setup.account = json!({ "mode": mode }),
        _ => {}
    }
    let world = World::with(setup).await;
    let own = if place == "pack" { mode } else { "Automatic" };
    world.apply("concert", json!({"quantity": 3, "project": PROJECT, "mode": own})).await;
    world
}

/// Sets the mode at this place to Automatic.
async fn raise(world: &mut World, place: &str) {
    match place {
        "installation" => {
            world.stop_operator().await;
            world.set_flags(&["--mode", "Automatic"]);
            world.start_operator();
        }
        "account" => world.put_account(json!({"mode": "Automatic"})).await,
        _ => drop(world.change("concert", json!({"mode": "Automatic"})).await),
    }
}

/// The cloud was only read.
fn untouched(world: &World) {
    let requests = world.simulator.requests();
    let acts: Vec<_> = requests.iter().filter(|r| !r.action.starts_with("Describe")).map(|r| &r.action).collect();
    assert!(acts.is_empty(), "{acts:?}");
    assert!(world.simulator.ledger().is_empty());
}

async fn ready_with_three(world: &World) {
    let status = world.until_ready("concert").await.status.unwrap();
    assert_eq!((status.quantity.as_deref(), status.project.as_deref()), (Some("3/3"), Some(PROJECT)));
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));
}

/// With Observe or DryRun at a place nothing is changed, the pack says what would be done, and is bought once it is raised.
async fn only_says_what_it_would_do(mode: &'static str, reason: &str) {
    for place in PLACES {
        let mut world = held_at(place, mode).await;
        let pack = world.until_reason("concert", reason).await;
        assert_eq!(condition(&pack, "Ready"), "False", "{place}");
        assert_eq!(condition(&pack, "Stalled"), "", "{place}: held back on purpose is not stuck");
        let next = format!("nothing (mode {mode}): would buy 3 x L1 for 3 days, 945.00 USD");
        assert_eq!(pack.status.as_ref().unwrap().next.as_deref(), Some(next.as_str()), "{place}");
        assert!(message(&pack, "Ready").contains("945.00 USD"), "{}", message(&pack, "Ready"));
        world.sweeps(2).await;
        untouched(&world);
        assert!(world.all_orders().await.is_empty(), "{place}");
        raise(&mut world, place).await;
        ready_with_three(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn observe_at_any_place_looks_and_touches_nothing() {
    only_says_what_it_would_do("Observe", "Observing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_at_any_place_says_what_would_be_bought_for_how_much_and_touches_nothing() {
    only_says_what_it_would_do("DryRun", "DryRun").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_required_at_any_place_asks_by_an_order_and_buys_when_a_person_approves_it() {
    for place in PLACES {
        let world = held_at(place, "ApprovalRequired").await;
        let order = world.until_order("concert", "buy-1", "AwaitingApproval").await;
        let name = world.order_name("concert", "buy-1");
        assert_eq!(order.spec.quote.unwrap().amount, "945.00", "{place}");
        let pack = world.until_reason("concert", "AwaitingApproval").await;
        assert_eq!(pack.status.as_ref().unwrap().next, Some(format!("approve {name}, 945.00 USD")), "{place}");
        assert!(message(&pack, "Ready").contains(&name), "{}", message(&pack, "Ready"));
        world.sweeps(2).await;
        untouched(&world);
        // With the command that the order prints.
        let patch = r#"{"spec":{"approval":{"decision":"Approved"}}}"#;
        let args = ["patch", "packorder", &name, "-n", &world.treasury, "--type", "merge", "-p", patch];
        world.plane.kubectl(&args).await.unwrap().success().unwrap();
        ready_with_three(&world).await;
        let order = world.until_order("concert", "buy-1", "Fulfilled").await;
        assert_eq!(order_condition(&order, "Approved"), "True ApprovedByPerson", "{place}");
        assert_eq!(world.all_orders().await.len(), 1, "{place}");
    }
}

fn order_condition(order: &PackOrder, kind: &str) -> String {
    let conditions = &order.status.as_ref().unwrap().conditions;
    conditions.iter().find(|c| c.type_ == kind).map(|c| format!("{} {}", c.status, c.reason)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_at_all_places_buys_without_a_word() {
    let world = held_at("pack", "Automatic").await;
    ready_with_three(&world).await;
    let order = world.until_order("concert", "buy-1", "Fulfilled").await;
    assert_eq!(order_condition(&order, "Approved"), "True AllowedByMode");
    assert!(order.spec.approval.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lowest_step_wins_wherever_it_stands() {
    let setup =
        Setup { account: json!({"mode": "DryRun"}), flags: vec!["--mode", "ApprovalRequired"], ..Setup::default() };
    let world = World::with(setup).await;
    world.apply("lower", json!({"mode": "Observe"})).await;
    world.apply("higher", json!({"mode": "Automatic"})).await;
    world.until_reason("lower", "Observing").await;
    world.until_reason("higher", "DryRun").await;
    world.put_account(json!({"mode": "Automatic"})).await;
    world.until_order("higher", "buy-1", "AwaitingApproval").await;
    world.sweeps(1).await;
    assert_eq!(reason_of(&world.pack("lower").await), "Observing");
    untouched(&world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_order_is_not_asked_for_again_until_it_is_deleted() {
    let world = held_at("pack", "ApprovalRequired").await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    world.decide_order("concert", "buy-1", json!({"decision": "Denied"})).await;
    let order = world.until_order("concert", "buy-1", "Failed").await;
    assert_eq!(order_condition(&order, "Approved"), "False Denied");
    let pack = world.until_reason("concert", "Denied").await;
    assert_eq!(condition(&pack, "Stalled"), "True");
    let name = world.order_name("concert", "buy-1");
    assert!(message(&pack, "Ready").contains(&format!("delete PackOrder {name}")), "{}", message(&pack, "Ready"));
    world.sweeps(2).await;
    // A person's decision holds in a higher mode too.
    world.change("concert", json!({"mode": "Automatic"})).await;
    world.until_reason("concert", "Denied").await;
    world.sweeps(2).await;
    untouched(&world);
    assert_eq!(world.all_orders().await.len(), 1);
    world.plane.kubectl(&["delete", "porder", &name, "-n", &world.treasury]).await.unwrap().success().unwrap();
    ready_with_three(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_left_unapproved_until_the_window_closes_dies_and_approving_it_then_buys_nothing() {
    let world = World::start().await;
    let closes = (world.simulator.now() + SignedDuration::from_hours(2)).to_string();
    world
        .apply("concert", json!({"quantity": 3, "mode": "ApprovalRequired", "purchaseWindow": {"notAfter": closes}}))
        .await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    world.advance(3);
    world.until_reason("concert", "Ended").await;
    world.until_order("concert", "buy-1", "Failed").await;
    world.decide_order("concert", "buy-1", json!({"decision": "Approved"})).await;
    world.sweeps(2).await;
    untouched(&world);
}

/// A Ready pack of three for one day, renewed by the operator each day, whose first order was approved like this.
async fn approved_for_a_day(approval: Value) -> World {
    let world = World::start().await;
    world.apply("concert", json!({"quantity": 3, "duration": 1, "mode": "ApprovalRequired"})).await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    world.decide_order("concert", "buy-1", approval).await;
    world.until_ready("concert").await;
    world
}

/// Moves business time to one hour after the next renewal is due (6 h before the expiry).
async fn until_due(world: &World) {
    let expiry = expiration(&world.pack("concert").await).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_one_order_does_not_cover_its_renewal() {
    let world = approved_for_a_day(json!({"decision": "Approved"})).await;
    until_due(&world).await;
    world.until_order("concert", "renew-1", "AwaitingApproval").await;
    let pack = world.until_condition("concert", "RenewalOnTrack", "False AwaitingApproval").await;
    assert_eq!(condition_with_reason(&pack, "Ready"), "True Active", "what was bought is still usable");
    world.sweeps(2).await;
    assert_eq!((world.renewed(), world.asked("RenewInstance")), (0, 0));
    world.decide_order("concert", "renew-1", json!({"decision": "Approved"})).await;
    world.until("concert", |pack| renewals(pack) == 1).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_renewal_lets_the_pack_run_out() {
    let world = approved_for_a_day(json!({"decision": "Approved"})).await;
    until_due(&world).await;
    world.until_order("concert", "renew-1", "AwaitingApproval").await;
    world.decide_order("concert", "renew-1", json!({"decision": "Denied"})).await;
    world.until_condition("concert", "RenewalOnTrack", "False Denied").await;
    world.advance(6);
    world.until_reason("concert", "Expired").await;
    world.sweeps(2).await;
    assert_eq!((world.renewed(), world.bought(), world.all_orders().await.len()), (0, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_this_and_later_renewals_covers_them_on_the_same_terms_until_its_date() {
    let until = noon() + SignedDuration::from_hours(48);
    let config = carpack_simulator::Config { start: Some(noon()), ..Default::default() };
    let world = World::with(Setup { simulator: config, ..Setup::default() }).await;
    world.apply("concert", json!({"quantity": 3, "duration": 1, "mode": "ApprovalRequired"})).await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    let approval = json!({"decision": "Approved", "scope": "ThisAndLaterRenewals", "until": until.to_string()});
    world.decide_order("concert", "buy-1", approval).await;
    world.until_ready("concert").await;
    for done in 1..=2 {
        until_due(&world).await;
        world.until("concert", |pack| renewals(pack) == done).await;
        assert_eq!(world.charged_each("RenewInstance"), [usize::try_from(done).unwrap(); 3]);
    }
    // The third renewal is due after that date.
    until_due(&world).await;
    world.until_order("concert", "renew-3", "AwaitingApproval").await;
    world.sweeps(2).await;
    assert_eq!(world.renewed(), 6);
    world.decide_order("concert", "renew-3", json!({"decision": "Approved"})).await;
    world.until("concert", |pack| renewals(pack) == 3).await;
}

/// When the simulated cloud's clock starts.
fn noon() -> jiff::Timestamp {
    "2030-06-01T12:00:00Z".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_covers_no_dearer_and_no_longer_renewal() {
    let world = approved_for_a_day(json!({"decision": "Approved", "scope": "ThisAndLaterRenewals"})).await;
    let price = |amount: &str| json!({"priceList": {"currency": "USD", "prices": [{"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": amount}]}});
    world.put_account(price("105.01")).await;
    until_due(&world).await;
    let order = world.until_order("concert", "renew-1", "AwaitingApproval").await;
    assert_eq!(order.spec.quote.unwrap().amount, "315.03");
    world.sweeps(2).await;
    assert_eq!(world.renewed(), 0);
    world.put_account(price("50")).await;
    // The order keeps its quote, and still needs an approval.
    world.decide_order("concert", "renew-1", json!({"decision": "Approved"})).await;
    world.until("concert", |pack| renewals(pack) == 1).await;
    world.change("concert", json!({"renewal": {"mode": "Operator", "duration": 2, "renewBefore": "6h"}})).await;
    until_due(&world).await;
    world.until_order("concert", "renew-2", "AwaitingApproval").await;
    world.sweeps(2).await;
    assert_eq!(world.renewed(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn lowering_the_step_holds_an_order_that_was_already_made_and_the_renewals_to_come() {
    let world = held_at("pack", "ApprovalRequired").await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    world.put_account(json!({"mode": "DryRun"})).await;
    let held = |order: &PackOrder| order.status.as_ref().unwrap().message.clone().unwrap_or_default();
    world.until_order_where("concert", "buy-1", |order| held(order).contains("the mode is DryRun")).await;
    world.decide_order("concert", "buy-1", json!({"decision": "Approved"})).await;
    world.sweeps(2).await;
    untouched(&world);
    world.put_account(json!({"mode": "Automatic"})).await;
    ready_with_three(&world).await;

    world.put_account(json!({"mode": "Observe"})).await;
    world.until_condition("concert", "RenewalOnTrack", "False Observing").await;
    until_due(&world).await;
    world.sweeps(3).await;
    let pack = world.until_condition("concert", "RenewalOnTrack", "False Observing").await;
    assert!(pack.status.unwrap().next.unwrap().starts_with("nothing (mode Observe): would renew 1 day at "));
    assert_eq!((world.renewed(), world.all_orders().await.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn observe_and_dry_run_change_nothing_that_costs_nothing_either() {
    let world = World::start().await;
    world.apply_three().await;
    ready_with_three(&world).await;
    let acts = |w: &World| w.simulator.requests().iter().filter(|r| !r.action.starts_with("Describe")).count();
    for mode in ["DryRun", "Observe"] {
        world.put_account(json!({ "mode": mode })).await;
        world
            .until_condition(
                "concert",
                "RenewalOnTrack",
                &format!("False {}", if mode == "DryRun" { mode } else { "Observing" }),
            )
            .await;
        let before = acts(&world);
        world.change("concert", json!({"project": "cap-b", "packName": "renamed"})).await;
        world.until("concert", |pack| is_current(pack) && condition(pack, "Assigned") == "False").await;
        world.sweeps(2).await;
        assert_eq!(acts(&world), before, "{mode}");
        assert_eq!(world.projects(), vec![Some(PROJECT.to_owned()); 3], "{mode}");
    }
    // ApprovalRequired only holds what costs money.
    world.put_account(json!({"mode": "ApprovalRequired"})).await;
    world.until("concert", |pack| pack.status.as_ref().unwrap().project.as_deref() == Some("cap-b")).await;
    assert_eq!((world.bought(), world.simulator.ledger().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_under_the_wanted_name_is_reported_at_every_step() {
    let world = held_at("account", "Observe").await;
    world.until_reason("concert", "Observing").await;
    world.put_account(json!({"mode": "ApprovalRequired"})).await;
    let order = world.until_order("concert", "buy-1", "AwaitingApproval").await;
    let buy = json!({"name": order.spec.pack_name, "mode": "Daily", "region": "ap-singapore", "scale": "L1"});
    let buy: ConsoleBuy = serde_json::from_value(buy).unwrap();
    world.simulator.console_buy(&buy).unwrap();
    world.decide_order("concert", "buy-1", json!({"decision": "Approved"})).await;
    let pack = world.until_reason("concert", "NameTaken").await;
    assert!(message(&pack, "Ready").contains("not bought a second time"), "{}", message(&pack, "Ready"));
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (0, 0));
}

/// A kubeconfig of a person with one of the roles that are installed with the operator.
async fn person(world: &World, role: &str, namespace: &str) -> std::path::PathBuf {
    let delivered = std::fs::read_to_string(carpack_testkit::workspace_root().join("deploy/carpack.yaml")).unwrap();
    let is_role = |text: &&str| text.contains("kind: ClusterRole\n") && text.contains(&format!("  name: {role}\n"));
    world.plane.apply_text(delivered.split("\n---\n").find(is_role).unwrap()).await.unwrap();
    let to = format!("--serviceaccount={namespace}:{role}");
    for args in [
        ["create", "serviceaccount", role, "-n", namespace].as_slice(),
        &["create", "rolebinding", role, "--clusterrole", role, &to, "-n", namespace],
    ] {
        world.plane.kubectl(args).await.unwrap().success().unwrap();
    }
    world.plane.service_account_kubeconfig(namespace, role).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_asks_cannot_approve_and_one_who_approves_can_do_nothing_else() {
    let world = held_at("account", "ApprovalRequired").await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    let name = world.order_name("concert", "buy-1");
    let asks = person(&world, "carpack-edit", &world.tenant).await;
    let approves = person(&world, "carpack-approver", &world.treasury).await;
    let patch = async |who: &std::path::Path, spec: Value| {
        let patch = json!({ "spec": spec }).to_string();
        let args = ["patch", "packorder", &name, "-n", &world.treasury, "--type", "merge", "-p", &patch];
        world.plane.kubectl_as(who, &args).await.unwrap().success().map_err(|error| error.to_string())
    };
    let approval = json!({"approval": {"decision": "Approved"}});
    let refused = patch(&asks, approval.clone()).await.unwrap_err();
    assert!(refused.contains("Forbidden") || refused.contains("forbidden"), "{refused}");
    let refused = patch(&approves, json!({"quote": null})).await.unwrap_err();
    assert!(refused.contains("only spec.approval may be set"), "{refused}");
    world.sweeps(1).await;
    untouched(&world);
    patch(&approves, approval).await.unwrap();
    ready_with_three(&world).await;
}
