//! Spending limits: what counts against them, and what they hold.

use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction};
use carpack_api::{ConcurrencyPack, ConcurrencyPackStatus};
use carpack_core::rules::limits::renewals_due;
use carpack_core::time::renew_before;
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};

use crate::accounts::{braked, limited, message, neighbours_order};
use crate::orders::gate::purchase_to_send;
use crate::world::{HOUR, NAMESPACE, World, account, pack, time};

/// A world in which a pack for 945.00 is to be bought.
fn wanted(limits: Value, of_tenant: bool) -> World {
    let mut world = World::new(pack(json!({})));
    world.account = Some(limited(limits, of_tenant));
    world
}

#[test]
fn orders_are_counted_only_for_an_account_that_limits_them() {
    assert!(!account().has_limits());
    assert!(braked(None).has_limits());
    assert!([true, false].into_iter().all(|of_tenant| limited(json!({}), of_tenant).has_limits()));
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
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("False AboveLimit", 0));
    assert!(message(&world).contains(field), "{}", message(&world));
    let enough = json!({"spendPerOrder": "945", "spendPerDay": "945", "spendPer30Days": "945", "ordersPerHour": 1});
    world.account = Some(limited(enough, of_tenant));
    world.run_rounds();
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
    world.neighbours_orders.push(neighbour);
    world.run_rounds();
    assert_eq!(world.bought(), usize::from(!counts), "{}", message(&world));
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
    world.neighbours_orders.push(neighbour);
    world.run_rounds();
    assert_eq!(world.ready(), "False AboveLimit");
    world.advance(SignedDuration::from_hours(hours) - HOUR - HOUR);
    world.run_rounds();
    assert_eq!(world.bought(), 0);
    world.advance(HOUR);
    world.run_rounds();
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
    world.neighbours_orders.push(neighbour);
    world.run_rounds();
    assert_eq!(world.bought(), bought, "{}", message(&world));
    assert_eq!(message(&world).contains("is not in USD"), currency == "CNY", "{}", message(&world));
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
    world.run_rounds();
    assert_eq!(world.bought(), bought, "{}", message(&world));
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
    let expiry = first + renew_before(&daily.spec);
    daily.spec.renewal.until = Some(Time(expiry + HOUR * 2));
    assert_eq!(days(&daily, first + HOUR * 48), [0]);
    daily.spec.renewal.until = Some(Time(expiry - HOUR));
    assert_eq!(days(&daily, first + HOUR * 48), Vec::<i64>::new(), "it lasts until then, and is not renewed");
}

#[test]
fn a_tenants_limit_counts_only_its_own_namespaces_and_an_accounts_limit_counts_all() {
    for (of_tenant, bought) in [(true, 1), (false, 0)] {
        let mut world = wanted(json!({"spendPerDay": "1000"}), of_tenant);
        let neighbour = neighbours_order(&world, "elsewhere", LineState::Done);
        world.neighbours_orders.push(neighbour);
        world.run_rounds();
        assert_eq!(world.bought(), bought, "of_tenant: {of_tenant}");
    }
    let mut world = wanted(json!({"spendPerDay": "1000"}), true);
    world.account.as_mut().unwrap().spec.tenants[0].namespaces = vec!["*".into()];
    let neighbour = neighbours_order(&world, "elsewhere", LineState::Done);
    world.neighbours_orders.push(neighbour);
    world.run_rounds();
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
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("False AboveLimit", 0));
    assert!(message(&world).contains("105.00 are kept for renewals"), "{}", message(&world));
    world.neighbours.clear();
    world.run_rounds();
    assert_eq!(world.bought(), 1);

    // Its own renewals for 315.00 are due. They do not wait for those of another pack.
    let mut neighbour = pack(json!({"quantity": 3}));
    neighbour.metadata.name = Some("other".into());
    let due = time("2026-12-04T00:00:00Z");
    neighbour.status = Some(ConcurrencyPackStatus { next_renewal_time: Some(Time(due)), ..Default::default() });
    world.neighbours = vec![neighbour];
    world.account = Some(limited(json!({"spendPerDay": "315", "ordersPerHour": 0}), false));
    world.run_until("2026-12-03T20:00:00Z", HOUR);
    assert_eq!(world.renewed(), 3);
}

#[test]
fn where_there_are_limits_nothing_is_spent_while_any_order_cannot_be_counted() {
    let mut world = purchase_to_send(json!({}));
    let account = world.account.as_mut().unwrap();
    account.spec.limits = Some(serde_json::from_value(json!({"spendPerMonth": "1000000"})).unwrap());
    world.unreadable = ["tenant.other.buy-1".into()].into();
    world.run_last_order();
    assert_eq!((world.bought(), world.last_line_state()), (0, (LineState::Pending, 0)));
    world.unreadable.clear();
    world.run_last_order_with_new_sweep();
    assert_eq!(world.bought(), 1);
}
