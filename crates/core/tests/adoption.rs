//! Taking over what was already bought: what is free and fits the declaration, and never for money.
#![allow(clippy::unwrap_used)]

mod world;

use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction, OrderState};
use carpack_api::pack::{Adopt, ExpirationTimeSource, RenewFlag};
use carpack_api::{ConcurrencyPack, Mode, PackOrder};
use carpack_core::adoption::is_pending;
use carpack_core::names::{carries_hash, cloud_name};
use carpack_core::observation::{Binding, Instance};
use carpack_core::pack::Effect;
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;
use world::{NAME, NAMESPACE, Reply, World, pack};

const IDS: [&str; 3] = ["i-a", "i-b", "i-c"];

/// Three instances that a person bought, and a pack that names them.
fn adopting(spec: serde_json::Value) -> World {
    let mut pack = pack(spec);
    pack.spec.adopt = Some(Adopt { instance_ids: IDS.map(str::to_owned).into() });
    let mut world = World::new(pack);
    world.account.as_mut().unwrap().spec.tenants[0].adopt = Some(true);
    let expiration = world.now.checked_add(SignedDuration::from_hours(50)).unwrap();
    let bought = |id: &str| Instance {
        id: id.into(),
        name: Some("by hand".into()),
        concurrencies: Some(1),
        project: Binding::Unbound,
        expiration: Some(expiration),
        expiration_source: ExpirationTimeSource::Billing,
        renew_flag: RenewFlag::Manual,
        scale: Some("L1".into()),
        region: Some("ap-singapore".into()),
        isolated: false,
    };
    world.instances = IDS.map(|id| (id.to_owned(), bought(id))).into();
    world
}

fn ready(world: &World) -> String {
    world.condition("Ready").unwrap().1
}

fn names(world: &World) -> Vec<String> {
    world.instances.values().filter_map(|instance| instance.name.clone()).collect()
}

#[test]
fn what_is_named_in_adopt_is_taken_over_named_and_bound_and_nothing_is_bought() {
    let mut world = adopting(json!({"project": "cap-a"}));
    world.settle();
    assert_eq!((ready(&world), world.charges.len(), world.orders.len()), ("Active".into(), 0, 0));
    assert_eq!(world.condition("Purchased").unwrap(), ("True".into(), "Adopted".into()));
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
    let mut names = names(&world);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.iter().all(|name| carries_hash(NAMESPACE, NAME, name)), "{names:?}");
    let changes = world.changes.len();
    world.settle();
    assert_eq!(world.changes.len(), changes, "it is left in peace");
}

#[test]
fn what_is_taken_over_is_on_record_before_anything_is_done_with_it() {
    let mut world = adopting(json!({"project": "cap-a"}));
    world.step_pack();
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(world.step_pack(), None);
    assert_eq!(world.status().instances.len(), 3);
    assert!(matches!(world.step_pack(), Some(Effect::Change(_))));
}

#[test]
fn what_was_taken_over_is_renewed_in_time() {
    let mut world = adopting(json!({}));
    world.settle();
    world.run_until("2026-12-05T00:00:00Z", SignedDuration::from_mins(30));
    assert_eq!((world.bought(), ready(&world)), (0, "Active".into()));
    assert!(world.renewed() >= 6 && world.renewed().is_multiple_of(3), "{}", world.renewed());
}

#[test]
fn what_was_taken_over_has_a_successor_of_another_name() {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}}));
    world.settle();
    world.until_due();
    world.settle();
    assert_eq!((world.bought(), world.renewed()), (1, 0), "{:?}", world.condition("RenewalOnTrack"));
    world.run_until("2026-12-03T04:00:00Z", SignedDuration::from_mins(30));
    assert_eq!((ready(&world), world.status().instances.len()), ("Active".into(), 3), "the successors alone are left");
}

/// Lets only the first order run, with a look that is newer than it.
fn run_after_a_look(world: &mut World) {
    world.step_order(0);
    world.pass(SignedDuration::from_secs(1));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    for _ in 0..12 {
        world.step_order(0);
    }
}

fn neighbour(change: fn(&mut ConcurrencyPack)) -> ConcurrencyPack {
    let mut other = pack(json!({}));
    other.metadata.name = Some("other".into());
    other.metadata.uid = Some("uid-other".into());
    change(&mut other);
    other
}

fn neighbours_order(status: serde_json::Value, uid: &str) -> PackOrder {
    let mut world = World::new(neighbour(|_| {}));
    world.settle();
    let mut order = world.orders.remove(0);
    order.spec.pack_ref.uid = uid.into();
    order.status = serde_json::from_value(status).unwrap();
    order
}

/// One that brings three like those that are named, and has not said which.
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
#[case::less_than_declared("AdoptionMismatch", |w: &mut World| w.spec(|spec| drop(spec.adopt.as_mut().unwrap().instance_ids.pop())))]
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
    world.settle();
    let (purchased, said) = world.condition("Purchased").unwrap();
    let wanted = if reason.ends_with("Unknown") { "Unknown" } else { "False" };
    assert_eq!((purchased.as_str(), said.as_str(), ready(&world).as_str()), (wanted, reason, reason));
    assert_eq!((world.orders.len(), world.changes.len(), world.status().instances.len()), (0, 0, 0));
    let right = adopting(json!({}));
    (world.instances, world.account) = (right.instances.clone(), right.account.clone());
    world.spec(|spec| spec.adopt = right.pack.unwrap().spec.adopt);
    (world.neighbours, world.neighbours_orders) = (Vec::new(), Vec::new());
    world.settle();
    assert_eq!((ready(&world), world.charges.len()), ("Active".into(), 0), "once it is right, it is taken over");
}

#[rstest]
#[case::not_sent_yet("Pending", |_: &mut PackOrder| ())]
#[case::of_another_scale("Unknown", |order: &mut PackOrder| order.spec.terms.concurrency_scale = "S1".into())]
#[case::of_another_region("Unknown", |order: &mut PackOrder| order.spec.terms.region = "ap-tokyo".into())]
#[case::a_renewal("Unknown", |order: &mut PackOrder| order.spec.action = OrderAction::Renew)]
#[case::not_paid_yet("Committed", |order: &mut PackOrder| {
    order.status.as_mut().unwrap().lines[0].category = Some(carpack_api::Reason::Unpaid);
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
    world.settle();
    assert_eq!(ready(&world), "Active");
}

#[test]
fn an_adoption_is_pending_until_the_pack_has_what_it_names() {
    let mut world = adopting(json!({}));
    let pending = |world: &World| is_pending(world.pack.as_ref().unwrap());
    assert!(pending(&world));
    world.settle();
    assert!(!pending(&world));
    assert!(!is_pending(&pack(json!({}))), "it is to be bought");
}

#[test]
fn what_a_pack_that_is_gone_has_bought_may_be_taken_over() {
    let mut world = adopting(json!({}));
    let lines = json!([{"index": 0, "state": "Committed", "attempts": 1, "instanceIds": ["i-b"]}]);
    world.neighbours_orders = vec![neighbours_order(json!({"state": "Fulfilled", "lines": lines}), "gone")];
    world.instances.get_mut("i-b").unwrap().name = Some(cloud_name(NAMESPACE, "other", None, 1));
    world.settle();
    assert_eq!((ready(&world), world.charges.len()), ("Active".into(), 0));
}

#[test]
fn a_pack_that_may_take_over_nothing_keeps_nothing_from_others() {
    let mut world = adopting(json!({}));
    world.neighbours = vec![neighbour(|other| {
        other.metadata.namespace = Some("strangers".into());
        other.spec.adopt = Some(Adopt { instance_ids: vec!["i-b".into()] });
    })];
    world.settle();
    assert_eq!((ready(&world), world.charges.len()), ("Active".into(), 0));
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
    world.settle();
    assert!(world.condition_message("Ready").ends_with("ConcurrencyPack events/owner has it"), "{:?}", world.status());
    world.neighbours = vec![wants("another", "S1")];
    world.settle();
    assert_eq!((ready(&world), world.charges.len()), ("Active".into(), 0));
}

#[test]
fn after_its_window_a_pack_takes_over_nothing_and_has_ended() {
    let mut world = adopting(json!({"purchaseWindow": {"notAfter": "2026-11-30T00:00:00Z"}}));
    world.settle();
    assert_eq!(world.condition("Ended").unwrap(), ("True".into(), "WindowClosed".into()));
    assert_eq!((world.status().instances.len(), world.changes.len()), (0, 0));
}

#[test]
fn what_was_paid_for_and_never_came_may_be_replaced_by_what_is_there() {
    let mut world = adopting(json!({}));
    let adopt = world.pack.as_mut().unwrap().spec.adopt.take();
    world.replies = vec![Reply::Partial(0)];
    world.settle();
    world.undelivered.clear();
    assert_eq!((ready(&world), world.bought()), ("AwaitingDelivery".into(), 1));
    let lines = &mut world.orders[0].status.as_mut().unwrap().lines;
    (lines[0].state, lines[0].instance_ids) = (LineState::Done, Vec::new());
    world.orders[0].status.as_mut().unwrap().state = Some(OrderState::Fulfilled);
    world.spec(|spec| spec.adopt = adopt);
    world.settle();
    assert_eq!((ready(&world), world.bought()), ("Active".into(), 1));
}

#[rstest]
#[case(Mode::Observe, "Observing")]
#[case(Mode::DryRun, "DryRun")]
fn a_mode_that_only_looks_says_what_would_be_taken_over(#[case] mode: Mode, #[case] reason: &str) {
    let mut world = adopting(json!({"project": "cap-a"}));
    world.spec(|spec| spec.mode = mode);
    world.settle();
    assert_eq!((ready(&world), world.changes.len(), world.status().instances.len()), (reason.into(), 0, 0));
    let would =
        "would take over i-a, i-b, i-c and bind them to project cap-a, and renew 1 day at 12-02 20:00Z, 315.00 USD";
    assert_eq!(world.status().next, Some(format!("nothing (mode {mode:?}): {would}")));
    world.spec(|spec| spec.mode = Mode::ApprovalRequired);
    world.settle();
    assert_eq!(ready(&world), "Active", "it costs nothing, and needs no approval");
}

#[test]
fn a_purchase_that_waits_is_void_once_the_pack_is_to_take_over_what_exists() {
    let mut world = adopting(json!({"mode": "ApprovalRequired"}));
    let adopt = world.pack.as_mut().unwrap().spec.adopt.take();
    world.settle();
    assert_eq!(ready(&world), "AwaitingApproval");
    world.spec(|spec| spec.adopt = adopt);
    world.approve(0, "ThisOrder");
    world.settle();
    assert_eq!((ready(&world), world.charges.len()), ("Active".into(), 0));
    assert_eq!(world.orders[0].status.as_ref().unwrap().lines[0].state, LineState::Void);
}

#[test]
fn what_does_not_carry_the_packs_name_is_not_renewed_before_it_does_and_holds_back_no_other() {
    let mut world = adopting(json!({}));
    world.stubborn = Some("i-b".into());
    world.settle();
    world.until_due();
    world.settle();
    assert_eq!((world.renewed(), world.condition("RenewalOnTrack").unwrap().1.as_str()), (2, "NameNotSeen"));
    assert_eq!(world.condition("Stalled").unwrap().0, "True", "the name was refused");
    let name = cloud_name(NAMESPACE, NAME, None, 0);
    assert!(world.condition_message("RenewalOnTrack").contains(&format!("rename it to {name}-2 in the console")));
    world.stubborn = None;
    world.pass(SignedDuration::from_mins(1));
    world.settle();
    assert_eq!(world.renewed(), 3);
}

#[test]
fn what_the_cloud_shows_without_a_name_is_renewed_all_the_same() {
    let mut world = adopting(json!({}));
    world.instances.values_mut().for_each(|instance| instance.name = None);
    world.settle();
    world.until_due();
    world.settle();
    assert_eq!(world.renewed(), 3);
}

/// It has been taken over when its renewal was due already.
fn taken_over_late(hours: i64) -> World {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "12h"}}));
    let expiration = world.now.checked_add(SignedDuration::from_hours(hours)).unwrap();
    world.instances.values_mut().for_each(|instance| instance.expiration = Some(expiration));
    world.settle();
    world
}

#[test]
fn what_is_taken_over_when_its_renewal_is_due_gets_all_its_names_and_is_renewed_by_one_order() {
    let world = taken_over_late(8);
    assert_eq!((world.orders.len(), world.renewed()), (1, 3));
}

#[test]
fn what_is_about_to_expire_does_not_wait_for_the_names_of_others() {
    let world = taken_over_late(2);
    assert_eq!((world.orders[0].spec.lines.len(), world.renewed()), (1, 3));
}

#[test]
fn what_ends_first_does_not_wait_for_a_name_that_is_never_shown_on_what_ends_later() {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "12h"}}));
    for (instance, hours) in world.instances.values_mut().zip([1, 8, 8]) {
        instance.expiration = Some(world.now.checked_add(SignedDuration::from_hours(hours)).unwrap());
    }
    let named = world.instances.get_mut("i-a").unwrap();
    named.name = Some(cloud_name(NAMESPACE, NAME, None, 0));
    world.deaf = true;
    world.settle();
    assert_eq!(world.renewed(), 1, "{:?}", world.condition("RenewalOnTrack"));
}

#[test]
fn a_successor_is_bought_though_what_is_not_needed_ends_with_its_predecessor_under_another_name() {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}}));
    world.settle();
    world.until_due();
    world.settle();
    assert_eq!(world.bought(), 1);
    let ends = world.instances.values().filter_map(|instance| instance.expiration).max();
    // Another cluster has taken the first one over since, renewed it, named it, and holds on to it. It comes last by its id.
    world.stubborn = Some("i-a".into());
    let mut other = world.instances.remove("i-a").unwrap();
    (other.expiration, other.name) = (ends, Some(cloud_name("elsewhere", "other", None, 0)));
    world.instances.insert(other.id.clone(), other);
    world.sweep();
    world.settle();
    world.until_due();
    world.settle();
    assert_eq!((world.bought(), world.orders.len()), (2, 2), "{:?}", world.condition("RenewalOnTrack"));
}

#[test]
fn no_successor_is_ordered_under_a_name_that_is_listed_though_it_has_expired() {
    let mut world =
        World::new(pack(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}})));
    world.settle();
    let mut expired = world.instances.values().next().unwrap().clone();
    expired.id = "i-expired".into();
    (expired.name, expired.isolated) = (Some(cloud_name(NAMESPACE, NAME, None, 2)), true);
    expired.expiration = Some(world.now);
    world.instances.insert(expired.id.clone(), expired);
    world.until_due();
    world.settle();
    assert_eq!(
        (world.orders.len(), world.condition("RenewalOnTrack")),
        (1, Some(("False".into(), "NameTaken".into())))
    );
    world.instances.remove("i-expired");
    world.sweep();
    world.settle();
    assert_eq!(world.bought(), 2, "once it is gone from the list");
}

#[test]
fn a_successor_is_bought_though_what_ends_later_that_day_has_not_its_name_and_is_not_renewed() {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}}));
    let first = world.instances["i-a"].expiration.unwrap();
    let hours = |hours| Some(first.checked_add(SignedDuration::from_hours(hours)).unwrap());
    // Found before the one that ends first.
    world.instances.get_mut("i-a").unwrap().expiration = hours(9);
    world.spec(|spec| spec.renewal.until = hours(5).map(Time));
    world.stubborn = Some("i-a".into());
    world.settle();
    world.until_due();
    world.settle();
    assert_eq!((world.orders.len(), world.bought()), (1, 1), "{:?}", world.condition("RenewalOnTrack"));
}

#[rstest]
#[case::at_the_same_time(0)]
#[case::on_another_day(40)]
fn a_successor_waits_until_its_predecessor_has_given_up_the_name_that_it_is_bought_under(#[case] later: i64) {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}}));
    let ends = &mut world.instances.get_mut("i-b").unwrap().expiration;
    *ends = ends.map(|at| at.checked_add(SignedDuration::from_hours(later)).unwrap());
    for (instance, number) in world.instances.values_mut().zip(1..) {
        instance.name = Some(format!("{}-{number}", cloud_name(NAMESPACE, NAME, None, 1)));
    }
    world.stubborn = Some("i-b".into());
    world.settle();
    world.until_due();
    world.settle();
    assert_eq!((world.orders.len(), world.condition("RenewalOnTrack").unwrap().1.as_str()), (0, "NameNotSeen"));
    world.stubborn = None;
    world.pass(SignedDuration::from_mins(1));
    world.settle();
    assert_eq!((world.bought(), world.unresolved()), (1, false), "{:?}", world.condition("RenewalOnTrack"));
}

#[test]
fn a_successor_is_void_when_another_has_given_its_predecessor_its_name_meanwhile() {
    let mut world = adopting(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}}));
    world.settle();
    world.until_due();
    assert_eq!(world.orders.len(), 1);
    world.instances.values_mut().for_each(|instance| instance.name = Some("another cluster's".into()));
    run_after_a_look(&mut world);
    assert_eq!((world.bought(), world.orders[0].status.as_ref().unwrap().lines[0].state), (0, LineState::Void));
}

#[test]
fn a_renewal_that_an_earlier_object_of_the_name_has_paid_for_is_not_ordered_again_and_again() {
    let mut world = adopting(json!({}));
    world.settle();
    world.until_due();
    let from = world.instances["i-a"].expiration;
    world.settle();
    assert_eq!((world.orders.len(), world.renewed()), (1, 3));
    let pack = world.pack.as_mut().unwrap();
    (pack.status, pack.metadata.uid) = (None, Some("uid-2".into()));
    world.settle();
    assert_eq!(ready(&world), "Active");
    // A list of before.
    world.instances.values_mut().for_each(|instance| instance.expiration = from);
    world.pass(SignedDuration::from_hours(2));
    world.settle();
    assert_eq!((world.orders.len(), world.renewed()), (1, 3));
    assert_eq!(world.condition("RenewalOnTrack").unwrap().1, "PaidNotDelivered");
}

#[test]
fn a_renewal_is_void_when_another_has_given_the_instance_its_name_meanwhile() {
    let mut world = adopting(json!({}));
    world.settle();
    world.until_due();
    assert_eq!(world.orders.len(), 1);
    world.instances.get_mut("i-b").unwrap().name = Some("another cluster's".into());
    run_after_a_look(&mut world);
    let lines = world.orders[0].status.iter().flat_map(|status| &status.lines).map(|line| line.state);
    assert_eq!(lines.collect::<Vec<_>>(), [LineState::Committed, LineState::Void, LineState::Committed]);
    let why = world.orders[0].status.as_ref().unwrap().lines[1].message.as_deref();
    assert_eq!(why, Some("instance i-b, which was taken over, does not carry the pack's name any more"));
    world.settle();
    assert_eq!(world.renewed(), 3, "once it carries the pack's name again");
}

#[test]
fn what_was_taken_over_and_has_ended_is_not_bought_again_although_its_record_is_lost() {
    let mut world = adopting(json!({}));
    world.spec(|spec| spec.renewal.until = Some(Time("2026-12-02T00:00:00Z".parse().unwrap())));
    world.settle();
    world.run_until("2026-12-04T00:00:00Z", SignedDuration::from_hours(1));
    assert_eq!(world.condition("Ended").unwrap().0, "True");
    world.pack.as_mut().unwrap().status = None;
    world.settle();
    assert_eq!((ready(&world), world.orders.len()), ("AdoptionMismatch".into(), 0));
}
