//! Adoption of what a person bought: only what is free and fits the declaration, and never for money.

use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction, OrderState};
use carpack_api::pack::{Adopt, RenewFlag};
use carpack_api::{ConcurrencyPack, Mode, PackOrder, Reason};
use carpack_core::account::Health;
use carpack_core::facts::takeover::is_pending;
use carpack_core::names::{carries_hash, cloud_name};
use carpack_core::observation::Binding;
use carpack_core::pack;
use rstest::rstest;
use serde_json::{Value, json};

use crate::packs::adopting;
use crate::world::{HOUR, NAME, NAMESPACE, Reply, SECOND, World, pack};

#[test]
fn what_is_named_in_adopt_is_taken_over_named_and_bound_and_nothing_is_bought() {
    let mut world = adopting(json!({"project": "cap-a"}));
    world.run_rounds();
    assert_eq!((world.reason("Ready"), world.charges.len(), world.orders.len()), ("Active".into(), 0, 0));
    assert_eq!(world.condition("Purchased"), "True Adopted");
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
    let mut names = world.names_of_instances();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().all(|name| carries_hash(NAMESPACE, NAME, name)), "{names:?}");
    let changes = world.changes.len();
    world.run_rounds();
    assert_eq!(world.changes.len(), changes, "it is left in peace");
}

#[test]
fn what_is_taken_over_is_on_record_before_anything_is_done_with_it() {
    let mut world = adopting(json!({"project": "cap-a"}));
    world.reconcile_pack();
    world.sweep();
    world.advance(SECOND);
    assert_eq!(world.reconcile_pack(), None);
    assert_eq!(world.status().instances.len(), 3);
    assert!(matches!(world.reconcile_pack(), Some(pack::Effect::Change(_))));
}

#[rstest]
#[case::an_account("AccountMissing", |world: &mut World| world.account = None)]
#[case::a_grant("NamespaceNotGranted", |world: &mut World| world.account.as_mut().unwrap().spec.tenants.clear())]
#[case::a_healthy_account("WrongCredentials", |world: &mut World| world.account.as_mut().unwrap().health = Health::NotReady {
    reason: Reason::WrongCredentials, message: "wrong credentials".into() })]
fn nothing_is_taken_over_without(#[case] reason: &str, #[case] change: fn(&mut World)) {
    let mut world = adopting(json!({}));
    change(&mut world);
    world.run_rounds();
    assert_eq!((world.reason("Ready").as_str(), world.status().instances.len()), (reason, 0));
}

#[test]
fn nothing_is_taken_over_on_the_word_of_an_old_sweep() {
    let mut world = adopting(json!({}));
    world.sweep();
    world.sweeping = false;
    world.advance(HOUR * 7);
    world.run_rounds();
    assert_eq!((world.reason("Ready").as_str(), world.status().instances.len()), ("AwaitingObservation", 0));
    world.sweeping = true;
    world.run_rounds();
    assert_eq!(world.status().instances.len(), 3);
}

/// Another pack of the account.
fn neighbour(change: fn(&mut ConcurrencyPack)) -> ConcurrencyPack {
    let mut other = pack(json!({}));
    other.metadata.name = Some("other".into());
    other.metadata.uid = Some("uid-other".into());
    change(&mut other);
    other
}

/// An order that was made for the neighbour while it had this uid.
fn neighbours_order(status: Value, uid: &str) -> PackOrder {
    let mut world = World::new(neighbour(|_| {}));
    world.run_rounds();
    let mut order = world.orders.remove(0);
    order.spec.pack_ref.uid = uid.into();
    order.status = serde_json::from_value(status).unwrap();
    order
}

/// A purchase of three instances like those that `adopting` names. Its line does not say which they are.
fn neighbours_purchase(line: &str) -> PackOrder {
    let lines = json!([{"index": 0, "state": line, "attempts": 1}]);
    neighbours_order(json!({"state": "InProgress", "lines": lines}), "uid-other")
}

#[rstest]
#[case::nobody_allows_it("AdoptionNotGranted", |w: &mut World| w.account.as_mut().unwrap().spec.tenants[0].adopt = None)]
#[case::another_namespace_may("AdoptionNotGranted", |w: &mut World| {
    let tenants = &mut w.account.as_mut().unwrap().spec.tenants;
    let mut other = tenants[0].clone();
    tenants[0].adopt = Some(false);
    other.namespaces = vec!["elsewhere".into()];
    tenants.push(other);
})]
#[case::not_listed("AdoptionMismatch", |w: &mut World| drop(w.instances.remove("i-b")))]
#[case::expired("AdoptionMismatch", |w: &mut World| w.instances.get_mut("i-b").unwrap().expiration = Some(w.now))]
#[case::another_scale("AdoptionMismatch", |w: &mut World| w.instances.get_mut("i-b").unwrap().scale = Some("S1".into()))]
#[case::an_unknown_scale("ScaleUnknown", |w: &mut World| w.instances.get_mut("i-b").unwrap().scale = None)]
#[case::another_region("AdoptionMismatch", |w: &mut World| w.instances.get_mut("i-b").unwrap().region = Some("ap-tokyo".into()))]
#[case::more_than_declared("AdoptionMismatch", |w: &mut World| w.instances.get_mut("i-b").unwrap().concurrencies = Some(2))]
#[case::an_unknown_region("RegionUnknown", |w: &mut World| w.instances.get_mut("i-b").unwrap().region = None)]
#[case::an_unknown_count("CountUnknown", |w: &mut World| w.instances.get_mut("i-b").unwrap().concurrencies = None)]
#[case::less_than_declared("AdoptionMismatch", |w: &mut World| w.edit_spec(|spec| drop(spec.adopt.as_mut().unwrap().instance_ids.pop())))]
#[case::in_the_project_of_others("ProjectNotGranted", |w: &mut World| {
    w.instances.get_mut("i-b").unwrap().project = Binding::Bound("cap-theirs".into());
})]
#[case::another_pack_has_it("AlreadyClaimed", |w: &mut World| w.neighbours = vec![neighbour(|other| {
    let instance = json!({"id": "i-b", "state": "Usable", "renewFlag": "Manual"});
    other.status = serde_json::from_value(json!({"instances": [instance]})).unwrap();
})])]
#[case::the_cloud_itself_renews_it("AdoptionMismatch", |w: &mut World| {
    w.instances.get_mut("i-b").unwrap().renew_flag = RenewFlag::Auto;
})]
#[case::in_a_project_that_is_not_told("BindingUnknown", |w: &mut World| {
    w.instances.get_mut("i-b").unwrap().project = Binding::Unknown;
})]
#[case::it_carries_the_name_of_a_pack_that_is_not_here("AlreadyClaimed", |w: &mut World| {
    w.instances.get_mut("i-b").unwrap().name = Some(cloud_name("elsewhere", "other", None, 1));
})]
#[case::its_renewal_is_not_seen_yet("AlreadyClaimed", |w: &mut World| {
    let lines = json!([{"index": 0, "state": "Done", "attempts": 1}]);
    let mut order = neighbours_order(json!({"state": "Fulfilled", "lines": lines}), "gone");
    order.spec.action = OrderAction::Renew;
    order.spec.lines[0].instance_id = Some("i-b".into());
    order.spec.lines[0].renews_from = w.instances["i-b"].expiration.map(Time);
    w.neighbours_orders = vec![order];
})]
#[case::another_pack_names_it_too("AlreadyClaimed", |w: &mut World| w.neighbours = vec![neighbour(|other| {
    other.spec.adopt = Some(Adopt { instance_ids: vec!["i-b".into()] });
})])]
#[case::it_carries_the_name_of_another_pack("AlreadyClaimed", |w: &mut World| {
    w.neighbours = vec![neighbour(|_| {})];
    w.instances.get_mut("i-b").unwrap().name = Some(cloud_name(NAMESPACE, "other", None, 1));
})]
#[case::a_lost_purchase_may_have_brought_it("AlreadyClaimed", |w: &mut World| {
    let lines = json!([{"index": 0, "state": "Unknown", "attempts": 1}]);
    w.neighbours_orders = vec![neighbours_order(json!({"state": "Ambiguous", "lines": lines}), "gone")];
    w.instances.get_mut("i-b").unwrap().name = Some(cloud_name(NAMESPACE, "other", None, 1));
})]
#[case::a_lost_purchase_may_have_brought_it_under_no_name("AlreadyClaimed", |w: &mut World| {
    w.neighbours = vec![neighbour(|_| {})];
    w.neighbours_orders = vec![neighbours_purchase("Unknown")];
})]
#[case::a_purchase_that_was_delivered_in_part_has_named_it("AlreadyClaimed", |w: &mut World| {
    let lines = json!([{"index": 0, "state": "Committed", "attempts": 1, "instanceIds": ["i-other"]}]);
    w.neighbours_orders = vec![neighbours_order(json!({"state": "InProgress", "lines": lines}), "gone")];
    w.instances.get_mut("i-b").unwrap().name = Some(cloud_name(NAMESPACE, "other", None, 1));
})]
#[case::what_was_paid_and_is_not_delivered_may_be_it("AlreadyClaimed", |w: &mut World| {
    w.neighbours = vec![neighbour(|_| {})];
    w.neighbours_orders = vec![neighbours_purchase("Committed")];
})]
#[case::a_living_pack_bought_it("AlreadyClaimed", |w: &mut World| {
    let lines = json!([{"index": 0, "state": "Committed", "attempts": 1, "instanceIds": ["i-b"]}]);
    w.neighbours = vec![neighbour(|_| {})];
    w.neighbours_orders = vec![neighbours_order(json!({"state": "Fulfilled", "lines": lines}), "uid-other")];
})]
#[case::it_is_to_be_returned("AlreadyClaimed", |w: &mut World| {
    let mut order = neighbours_order(json!({"state": "AwaitingApproval", "lines": []}), "gone");
    order.spec.lines[0].instance_id = Some("i-b".into());
    w.neighbours_orders = vec![order];
})]
fn what_does_not_fit_or_is_not_free_is_not_taken_over_and_nothing_is_bought_instead(
    #[case] reason: &str,
    #[case] change: fn(&mut World),
) {
    let mut world = adopting(json!({"project": "cap-a"}));
    change(&mut world);
    world.run_rounds();
    let status = if reason.ends_with("Unknown") { "Unknown" } else { "False" };
    assert_eq!(world.condition("Purchased"), format!("{status} {reason}"));
    assert_eq!(world.reason("Ready"), reason);
    assert_eq!((world.orders.len(), world.changes.len(), world.status().instances.len()), (0, 0, 0));
    let right = adopting(json!({}));
    (world.instances, world.account) = (right.instances.clone(), right.account.clone());
    world.edit_spec(|spec| spec.adopt = right.pack.unwrap().spec.adopt);
    (world.neighbours, world.neighbours_orders) = (Vec::new(), Vec::new());
    world.run_rounds();
    assert_eq!(
        (world.reason("Ready"), world.charges.len()),
        ("Active".into(), 0),
        "once it is right, it is taken over"
    );
}

#[rstest]
#[case::not_sent_yet("Pending", |_: &mut PackOrder| ())]
#[case::of_another_scale("Unknown", |order: &mut PackOrder| order.spec.terms.concurrency_scale = "S1".into())]
#[case::of_another_region("Unknown", |order: &mut PackOrder| order.spec.terms.region = "ap-tokyo".into())]
#[case::a_renewal("Unknown", |order: &mut PackOrder| order.spec.action = OrderAction::Renew)]
#[case::not_paid_yet("Committed", |order: &mut PackOrder| {
    order.status.as_mut().unwrap().lines[0].category = Some(Reason::Unpaid);
})]
#[case::with_what_it_brought("Committed", |order: &mut PackOrder| {
    order.status.as_mut().unwrap().lines[0].instance_ids = vec!["i-other".into()];
})]
fn a_neighbours_order_that_cannot_have_brought_it_keeps_it_from_nobody(
    #[case] line: &str,
    #[case] change: fn(&mut PackOrder),
) {
    let mut world = adopting(json!({}));
    world.neighbours = vec![neighbour(|_| {})];
    let mut order = neighbours_purchase(line);
    change(&mut order);
    world.neighbours_orders = vec![order];
    world.run_rounds();
    assert_eq!(world.reason("Ready"), "Active");
}

#[test]
fn an_adoption_is_pending_until_the_pack_has_what_it_names() {
    let mut world = adopting(json!({}));
    let pending = |world: &World| is_pending(world.pack.as_ref().unwrap());
    assert!(pending(&world));
    world.run_rounds();
    assert!(!pending(&world));
    assert!(!is_pending(&pack(json!({}))), "it is to be bought");
}

#[test]
fn what_a_pack_that_is_gone_has_bought_may_be_taken_over() {
    let mut world = adopting(json!({}));
    let lines = json!([{"index": 0, "state": "Committed", "attempts": 1, "instanceIds": ["i-b"]}]);
    world.neighbours_orders = vec![neighbours_order(json!({"state": "Fulfilled", "lines": lines}), "gone")];
    world.instances.get_mut("i-b").unwrap().name = Some(cloud_name(NAMESPACE, "other", None, 1));
    world.run_rounds();
    assert_eq!((world.reason("Ready"), world.charges.len()), ("Active".into(), 0));
}

#[test]
fn a_pack_that_may_take_over_nothing_keeps_nothing_from_others() {
    let mut world = adopting(json!({}));
    world.neighbours = vec![neighbour(|other| {
        other.metadata.namespace = Some("strangers".into());
        other.spec.adopt = Some(Adopt { instance_ids: vec!["i-b".into()] });
    })];
    world.run_rounds();
    assert_eq!((world.reason("Ready"), world.charges.len()), ("Active".into(), 0));
}

#[test]
fn a_pack_that_declares_something_else_keeps_nothing_from_others_and_one_that_has_it_is_told_first() {
    let mut world = adopting(json!({}));
    let wants = |name: &str, scale: &str| {
        let mut other = neighbour(|other| other.spec.adopt = Some(Adopt { instance_ids: vec!["i-b".into()] }));
        other.metadata.name = Some(name.into());
        other.spec.concurrency_scale = scale.into();
        other
    };
    let mut owner = wants("owner", "L1");
    let instance = json!({"id": "i-b", "state": "Usable", "renewFlag": "Manual"});
    owner.status = serde_json::from_value(json!({"instances": [instance]})).unwrap();
    world.neighbours = vec![wants("another", "L1"), owner];
    world.run_rounds();
    assert!(world.condition_message("Ready").ends_with("ConcurrencyPack events/owner has it"), "{:?}", world.status());
    world.neighbours = vec![wants("another", "S1")];
    world.run_rounds();
    assert_eq!((world.reason("Ready"), world.charges.len()), ("Active".into(), 0));
}

#[test]
fn after_its_window_a_pack_takes_over_nothing_and_has_ended() {
    let mut world = adopting(json!({"purchaseWindow": {"notAfter": "2026-11-30T00:00:00Z"}}));
    world.run_rounds();
    assert_eq!(world.condition("Ended"), "True WindowClosed");
    assert_eq!((world.status().instances.len(), world.changes.len()), (0, 0));
}

#[test]
fn what_was_paid_for_and_never_came_may_be_replaced_by_what_is_there() {
    let mut world = adopting(json!({}));
    let adopt = world.pack.as_mut().unwrap().spec.adopt.take();
    world.replies = vec![Reply::Partial(0)];
    world.run_rounds();
    world.undelivered.clear();
    assert_eq!((world.reason("Ready"), world.bought()), ("AwaitingDelivery".into(), 1));
    let lines = &mut world.orders[0].status.as_mut().unwrap().lines;
    (lines[0].state, lines[0].instance_ids) = (LineState::Done, Vec::new());
    world.orders[0].status.as_mut().unwrap().state = Some(OrderState::Fulfilled);
    world.edit_spec(|spec| spec.adopt = adopt);
    world.run_rounds();
    assert_eq!((world.reason("Ready"), world.bought()), ("Active".into(), 1));
}

#[rstest]
#[case(Mode::Observe, "Observing")]
#[case(Mode::DryRun, "DryRun")]
fn a_mode_that_only_looks_says_what_would_be_taken_over(#[case] mode: Mode, #[case] reason: &str) {
    let mut world = adopting(json!({"project": "cap-a"}));
    world.edit_spec(|spec| spec.mode = mode);
    world.run_rounds();
    assert_eq!((world.reason("Ready"), world.changes.len(), world.status().instances.len()), (reason.into(), 0, 0));
    let would =
        "would take over i-a, i-b, i-c and bind them to project cap-a, and renew 1 day at 12-02 20:00Z, 315.00 USD";
    assert_eq!(world.status().next, Some(format!("nothing (mode {mode:?}): {would}")));
    world.edit_spec(|spec| spec.mode = Mode::ApprovalRequired);
    world.run_rounds();
    assert_eq!(world.reason("Ready"), "Active", "it costs nothing, and needs no approval");
}

#[test]
fn a_purchase_that_waits_is_void_once_the_pack_is_to_take_over_what_exists() {
    let mut world = adopting(json!({"mode": "ApprovalRequired"}));
    let adopt = world.pack.as_mut().unwrap().spec.adopt.take();
    world.run_rounds();
    assert_eq!(world.reason("Ready"), "AwaitingApproval");
    world.edit_spec(|spec| spec.adopt = adopt);
    world.approve(0, "ThisOrder");
    world.run_rounds();
    assert_eq!((world.reason("Ready"), world.charges.len()), ("Active".into(), 0));
    assert_eq!(world.line(0).state, LineState::Void);
}
