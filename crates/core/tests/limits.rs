//! Spending limits and the brake: what counts against them, and what they hold.
#![allow(clippy::unwrap_used)]

mod world;

use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction};
use carpack_api::{ConcurrencyPack, ConcurrencyPackStatus, PackOrder};
use carpack_core::account::Account;
use carpack_core::brake::all_engaged;
use carpack_core::limits::{Commitments, renewals_due};
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};
use world::{NAMESPACE, World, account, pack, time};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The account with limits: of its own, or of its only tenant.
fn limited(limits: Value, of_tenant: bool) -> Account {
    let mut account = account();
    let limits = Some(serde_json::from_value(limits).unwrap());
    if of_tenant {
        account.spec.tenants[0].limits = limits;
    } else {
        account.spec.limits = limits;
    }
    account
}

/// A world in which a pack for 945.00 is wanted.
fn wanted(limits: Value, of_tenant: bool) -> World {
    let mut world = World::new(pack(json!({})));
    world.account = Some(limited(limits, of_tenant));
    world
}

/// Another pack's purchase for 100.00, sent an hour ago.
fn neighbours_order(world: &World, namespace: &str, state: LineState) -> PackOrder {
    let order = json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "PackOrder",
        "metadata": {"name": format!("{namespace}.other.buy-1"), "namespace": "carpack-system", "finalizers": ["x"]},
        "spec": {
            "packRef": {"namespace": namespace, "name": "other", "uid": "u"}, "accountRef": {"name": "default"},
            "action": "Buy", "ordinal": 1, "packName": "other", "decisionTime": "2026-11-30T23:00:00Z",
            "terms": {"applicationType": "Cloud3D", "billingMode": "Daily", "region": "ap-singapore",
                "concurrencyScale": "L1", "quantity": 1, "duration": 1, "autoRenew": false},
            "quote": {"amount": "100.00", "currency": "USD"},
            "lines": [{"index": 0, "clientToken": "t"}]},
        "status": {"lines": [{"index": 0, "state": state, "attempts": 1,
            "submitTime": world.now.checked_sub(HOUR).unwrap().to_string()}]}
    });
    serde_json::from_value(order).unwrap()
}

/// Only the pack's own orders are driven.
fn settle_with(world: &mut World, neighbour: PackOrder) {
    world.neighbours_orders.push(neighbour);
    world.settle();
}

fn said(world: &World) -> String {
    world.condition_message("Ready")
}

#[rstest]
#[case(json!({"spendPerOrder": "944.99"}), "limits.spendPerOrder")]
#[case(json!({"spendPerDay": "944.99"}), "limits.spendPerDay")]
#[case(json!({"spendPer30Days": "944.99"}), "limits.spendPer30Days")]
#[case(json!({"ordersPerHour": 0}), "limits.ordersPerHour")]
fn what_is_above_a_limit_is_not_bought_until_the_limit_is_raised(
    #[case] limits: Value,
    #[case] field: &str,
    #[values(false, true)] of_tenant: bool,
) {
    let mut world = wanted(limits, of_tenant);
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("False AboveLimit", 0));
    assert!(said(&world).contains(field), "{}", said(&world));
    let enough = json!({"spendPerOrder": "945", "spendPerDay": "945", "spendPer30Days": "945", "ordersPerHour": 1});
    world.account = Some(limited(enough, of_tenant));
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[rstest]
#[case(LineState::Submitting, true)]
#[case(LineState::Unknown, true)]
#[case(LineState::Committed, true)]
#[case(LineState::Done, true)]
#[case(LineState::Rejected, false)]
#[case(LineState::Void, false)]
#[case(LineState::Pending, false)]
fn what_is_spent_or_on_its_way_counts_and_what_was_refused_does_not(#[case] state: LineState, #[case] counts: bool) {
    let mut world = wanted(json!({"spendPerDay": "1044.99"}), false);
    let neighbour = neighbours_order(&world, NAMESPACE, state);
    settle_with(&mut world, neighbour);
    assert_eq!(world.bought(), usize::from(!counts), "{}", said(&world));
}

#[rstest]
#[case("spendPerDay", "1000", 24)]
#[case("spendPer30Days", "1000", 24 * 30)]
fn an_order_that_waits_for_room_is_sent_when_the_span_has_passed(
    #[case] field: &str,
    #[case] limit: &str,
    #[case] hours: i64,
) {
    let mut world = wanted(json!({field: limit}), false);
    let neighbour = neighbours_order(&world, NAMESPACE, LineState::Done);
    settle_with(&mut world, neighbour);
    assert_eq!(world.ready(), "False AboveLimit");
    world.pass(SignedDuration::from_hours(hours) - HOUR - HOUR);
    world.settle();
    assert_eq!(world.bought(), 0);
    world.pass(HOUR);
    world.settle();
    assert_eq!(world.bought(), 1);
}

#[rstest]
#[case::there_is_room(json!({"spendPerDay": "1045"}), "USD", 1)]
#[case::there_is_none(json!({"spendPerDay": "1044.99"}), "USD", 0)]
#[case::nobody_can_tell(json!({"spendPerDay": "5000"}), "CNY", 0)]
fn what_others_spent_is_added_to_the_order(
    #[case] limits: Value,
    #[case] currency: &str,
    #[case] bought: usize,
    #[values(false, true)] of_tenant: bool,
) {
    let mut world = wanted(limits, of_tenant);
    let mut neighbour = neighbours_order(&world, NAMESPACE, LineState::Done);
    neighbour.spec.quote.as_mut().unwrap().currency = currency.into();
    settle_with(&mut world, neighbour);
    assert_eq!(world.bought(), bought, "{}", said(&world));
    assert_eq!(said(&world).contains("not all in USD"), currency == "CNY", "{}", said(&world));
}

#[rstest]
#[case::a_purchase(59, false, 0)]
#[case::an_older_purchase(61, false, 1)]
#[case::a_renewal(59, true, 1)]
fn purchases_of_the_last_hour_count_against_the_orders_per_hour(
    #[case] minutes: i64,
    #[case] renews: bool,
    #[case] bought: usize,
) {
    let mut world = wanted(json!({"ordersPerHour": 1}), false);
    let mut neighbour = neighbours_order(&world, NAMESPACE, LineState::Done);
    let sent = world.now - SignedDuration::from_mins(minutes);
    neighbour.status.as_mut().unwrap().lines[0].submit_time = Some(Time(sent));
    if renews {
        neighbour.spec.action = OrderAction::Renew;
    }
    world.neighbours_orders.push(neighbour);
    world.settle();
    assert_eq!(world.bought(), bought, "{}", said(&world));
}

#[test]
fn renewals_are_due_until_the_horizon_or_the_end_of_renewal() {
    let mut daily = pack(json!({"duration": 1}));
    let first = time("2026-12-01T05:00:00Z");
    daily.status = Some(ConcurrencyPackStatus { next_renewal_time: Some(Time(first)), ..Default::default() });
    let days = |pack: &ConcurrencyPack, horizon| {
        let due = renewals_due(&account(), pack, horizon);
        assert!(due.iter().all(|(_, cost)| cost.amount == "315.00"));
        due.iter().map(|(at, _)| at.duration_since(first).as_hours() / 24).collect::<Vec<_>>()
    };
    assert_eq!(days(&daily, first), Vec::<i64>::new());
    assert_eq!(days(&daily, first + HOUR), [0]);
    assert_eq!(days(&daily, first + HOUR * 48), [0, 1]);
    daily.spec.renewal.until = Some(Time(first + HOUR));
    assert_eq!(days(&daily, first + HOUR * 48), [0]);
}

#[test]
fn a_tenants_limit_counts_only_its_own_namespaces_and_an_accounts_limit_counts_all() {
    for (of_tenant, bought) in [(true, 1), (false, 0)] {
        let mut world = wanted(json!({"spendPerDay": "1000"}), of_tenant);
        let neighbour = neighbours_order(&world, "elsewhere", LineState::Done);
        settle_with(&mut world, neighbour);
        assert_eq!(world.bought(), bought, "of_tenant: {of_tenant}");
    }
    let mut world = wanted(json!({"spendPerDay": "1000"}), true);
    world.account.as_mut().unwrap().spec.tenants[0].namespaces = vec!["*".into()];
    let neighbour = neighbours_order(&world, "elsewhere", LineState::Done);
    settle_with(&mut world, neighbour);
    assert_eq!(world.bought(), 0, "all namespaces are the tenant's");
}

#[test]
fn a_purchase_leaves_room_for_the_renewals_that_are_due_and_a_renewal_takes_it() {
    let mut world = wanted(json!({"spendPerDay": "1000"}), false);
    let mut neighbour = pack(json!({"quantity": 1}));
    neighbour.metadata.name = Some("other".into());
    neighbour.status = Some(ConcurrencyPackStatus {
        next_renewal_time: Some(Time(time("2026-12-01T05:00:00Z"))),
        ..Default::default()
    });
    world.neighbours = vec![neighbour];
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("False AboveLimit", 0));
    assert!(said(&world).contains("105.00 are kept for renewals"), "{}", said(&world));
    world.neighbours.clear();
    world.settle();
    assert_eq!(world.bought(), 1);

    // Its own renewals for 315.00 fall due; another pack's are no reason to wait.
    let mut neighbour = pack(json!({"quantity": 3}));
    neighbour.metadata.name = Some("other".into());
    let due = time("2026-12-04T00:00:00Z");
    neighbour.status = Some(ConcurrencyPackStatus { next_renewal_time: Some(Time(due)), ..Default::default() });
    world.neighbours = vec![neighbour];
    world.account = Some(limited(json!({"spendPerDay": "315", "ordersPerHour": 0}), false));
    world.run_until("2026-12-03T20:00:00Z", HOUR);
    assert_eq!(world.renewed(), 3);
}

/// A neighbour's purchase that was decided so many minutes ago, and not sent.
fn decided(world: &World, number: i32, minutes: i64) -> PackOrder {
    let mut order = neighbours_order(world, NAMESPACE, LineState::Pending);
    order.metadata.name = Some(format!("events.other-{number}.buy-1"));
    order.spec.decision_time = Time(world.now.checked_sub(SignedDuration::from_mins(minutes)).unwrap());
    order
}

fn braked(released: Option<jiff::Timestamp>) -> Account {
    let mut account = account();
    let released = released.map(|at| at.to_string());
    let brake = json!({"orders": 3, "withinMinutes": 10, "releasedTime": released});
    account.spec.tenants[0].brake = Some(serde_json::from_value(brake).unwrap());
    account
}

#[rstest]
#[case::with_its_own_there_are_four(&[1, 2, 9], true)]
#[case::with_its_own_there_are_three(&[1, 2], false)]
#[case::a_trickle(&[1, 11, 22, 33], false)]
#[case::a_flood_of_yesterday_that_nobody_released(&[1440, 1441, 1445, 1450], true)]
fn more_purchases_than_the_brake_allows_within_its_span_hold_them_all(#[case] minutes: &[i64], #[case] held: bool) {
    let mut world = World::new(pack(json!({})));
    world.account = Some(braked(None));
    let neighbours = (0_i32..).zip(minutes).map(|(number, minutes)| decided(&world, number, *minutes));
    world.neighbours_orders = neighbours.collect();
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), if held { ("False BrakeOn", 0) } else { ("True Active", 1) });
}

#[test]
fn a_brake_is_not_released_before_the_moment_that_a_person_has_set() {
    let mut world = World::new(pack(json!({})));
    let later = world.now.checked_add(HOUR).unwrap();
    world.account = Some(braked(Some(later)));
    world.neighbours_orders = (0..4).map(|number| decided(&world, number, 1)).collect();
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("False BrakeOn", 0));
    assert!(said(&world).contains("is yet to come, and releases nothing before"), "{}", said(&world));
    world.pass(HOUR);
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[test]
fn a_brake_holds_until_a_person_releases_it_and_says_how() {
    let mut world = World::new(pack(json!({})));
    world.account = Some(braked(None));
    world.neighbours_orders = (0..4).map(|number| decided(&world, number, 1)).collect();
    world.run_until("2026-12-02T00:00:00Z", HOUR);
    assert_eq!((world.ready().as_str(), world.bought()), ("False BrakeOn", 0));
    let command = "kubectl patch caraccount default -n carpack-system --type=json -p '[{\"op\":\"add\",\"path\":\"/spec/tenants/0/brake/releasedTime\"";
    assert!(said(&world).contains(command), "{}", said(&world));
    world.account = Some(braked(Some(world.now)));
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[test]
fn orders_are_counted_only_for_an_account_that_limits_them() {
    assert!(!account().has_limits());
    assert!(braked(None).has_limits());
    assert!([true, false].into_iter().all(|of_tenant| limited(json!({}), of_tenant).has_limits()));
}

#[test]
fn an_account_says_which_tenants_brakes_are_on() {
    let mut world = World::new(pack(json!({})));
    let account = braked(None);
    let engaged = |orders: &[PackOrder]| {
        let commitments = Commitments::gather(&account, orders, [], world.now);
        all_engaged(&account, "carpack-system", &commitments)
    };
    let flood: Vec<PackOrder> = (0..4).map(|number| decided(&world, number, 1)).collect();
    assert_eq!(engaged(&flood[..3]), Vec::<String>::new());
    let [said] = &engaged(&flood)[..] else { panic!("one tenant") };
    world.account = Some(account.clone());
    world.neighbours_orders = flood;
    world.settle();
    assert!(self::said(&world).contains(said), "a pack that is held says the same: {said}");
}

#[test]
fn a_release_covers_what_was_decided_up_to_it_and_nothing_after() {
    let world = World::new(pack(json!({})));
    let flood: Vec<PackOrder> = (0..4).map(|number| decided(&world, number, 5)).collect();
    let ago = |minutes| world.now.checked_sub(SignedDuration::from_mins(minutes)).unwrap();
    let engaged = |released| {
        let account = braked(Some(released));
        all_engaged(&account, "carpack-system", &Commitments::gather(&account, &flood, [], world.now)).len()
    };
    assert_eq!([6, 5, 4, 0].map(|minutes| engaged(ago(minutes))), [1, 0, 0, 0]);
}

#[test]
fn a_brake_never_holds_a_renewal_and_renewals_are_not_counted() {
    let mut world = World::new(pack(json!({})));
    world.settle();
    world.account = Some(braked(None));
    world.neighbours_orders = (0..4).map(|number| decided(&world, number, 1)).collect();
    world.run_until("2026-12-03T20:00:00Z", HOUR);
    assert_eq!(world.renewed(), 3);

    let renewal = world.orders.iter().find(|o| o.spec.action == OrderAction::Renew).unwrap().clone();
    let mut other = World::new(pack(json!({})));
    other.account = Some(braked(None));
    other.neighbours_orders = vec![renewal; 9];
    other.settle();
    assert_eq!(other.bought(), 1);
}

#[test]
fn a_brake_holds_returns() {
    let mut world = World::new(pack(json!({"deletionPolicy": "Return"})));
    world.settle();
    world.account = Some(braked(None));
    world.neighbours_orders = (0..4).map(|number| decided(&world, number, 1)).collect();
    world.delete_pack();
    world.settle();
    let index = world.orders.iter().position(|o| o.spec.action == OrderAction::Return).unwrap();
    world.approve(index, "ThisOrder");
    world.settle();
    assert_eq!(world.charges.len(), 1, "{:#?}", world.orders[index].status);
    world.account = Some(braked(Some(world.now)));
    world.settle();
    assert_eq!(world.charges.len(), 4);
}
