//! The first purchase of a pack: when it is ordered, what keeps it from being ordered, and that it is never ordered again.

use carpack_api::Mode;
use carpack_api::pack::RenewalMode;
use rstest::rstest;
use serde_json::{Value, json};

use crate::orders::sent;
use crate::packs::active;
use crate::world::{DAY, HOUR, MINUTE, Reply, SECOND, World, pack};

#[test]
fn a_pack_is_bought_once_bound_and_ready_with_its_expiry() {
    let world = active(json!({"project": "cap-a"}));
    assert_eq!(world.bought(), 1);
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
    let status = world.status();
    assert_eq!(status.quantity.as_deref(), Some("3/3"));
    assert_eq!(status.project.as_deref(), Some("cap-a"));
    assert_eq!(
        status.expiration_time.as_ref().map(|t| t.0),
        world.instances.values().filter_map(|i| i.expiration).min()
    );
    assert!(status.next.as_ref().unwrap().starts_with("renew 1 day at 12-03 18:00Z, 315.00 USD"), "{:?}", status.next);
    assert_eq!(status.spent.as_deref(), Some("105.00 USD"), "as the cloud's books say");
}

#[test]
fn a_price_of_nothing_is_no_price() {
    let mut world = World::new(pack(json!({})));
    world.account.as_mut().unwrap().spec.price_list.prices.iter_mut().for_each(|price| price.amount = "0.00".into());
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.orders.len()), ("False Unpriced", 0));
    assert!(world.condition_message("Ready").contains("a price of nothing is no price"));
}

#[test]
fn what_a_pack_has_cost_is_told_in_the_currency_it_was_paid_in() {
    let mut world = active(json!({}));
    world.account.as_mut().unwrap().spec.price_list.currency = "CNY".into();
    world.edit_spec(|spec| spec.project = Some("cap-a".into()));
    world.run_rounds();
    assert_eq!(world.status().spent.as_deref(), Some("105.00 USD"));
    let mut renewal = world.orders[0].clone();
    renewal.metadata.name = Some("events.concert.buy-2".into());
    renewal.status.as_mut().unwrap().paid =
        Some(carpack_api::Money { amount: "700.00".into(), currency: "CNY".into() });
    world.orders.push(renewal);
    world.reconcile_pack();
    assert_eq!(world.status().spent.as_deref(), Some("105.00 USD and 700.00 CNY"));
}

#[test]
fn a_purchase_that_goes_well_warns_of_nothing() {
    let world = active(json!({"project": "cap-a"}));
    let warnings: Vec<_> = world.events.iter().filter(|event| event.warning).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[rstest]
#[case(Mode::Observe, "False Observing", 0)]
#[case(Mode::DryRun, "False DryRun", 0)]
#[case(Mode::ApprovalRequired, "False AwaitingApproval", 1)]
#[case(Mode::Automatic, "True Active", 1)]
fn the_lowest_step_of_the_ladder_wins_at_each_of_its_three_places(
    #[case] mode: Mode,
    #[case] ready: &str,
    #[case] orders: usize,
) {
    for place in 0..3 {
        let mut world = World::new(pack(json!({"project": "cap-a"})));
        match place {
            0 => world.installation_mode = mode,
            1 => world.account.as_mut().unwrap().spec.mode = mode,
            _ => world.edit_spec(|spec| spec.mode = mode),
        }
        world.run_rounds();
        assert_eq!((world.ready().as_str(), world.orders.len()), (ready, orders), "place {place}");
        assert_eq!(world.bought(), usize::from(mode == Mode::Automatic));
    }
}

#[rstest]
#[case(json!({"maxPrice": {"amount": "944.99", "currency": "USD"}}), "AboveMaxPrice")]
#[case(json!({"maxPrice": {"amount": "9999", "currency": "CNY"}}), "AboveMaxPrice")]
#[case(json!({"concurrencyScale": "S1"}), "Unpriced")]
#[case(json!({"quantity": 0}), "Unpriced")]
#[case(json!({"quantity": -3}), "Unpriced")]
#[case(json!({"duration": 0}), "Unpriced")]
fn what_is_too_dear_or_has_no_price_is_not_bought(#[case] spec: Value, #[case] reason: &str) {
    let mut world = World::new(pack(spec));
    world.run_rounds();
    assert_eq!((world.ready(), world.orders.len()), (format!("False {reason}"), 0));
}

#[test]
fn a_pack_is_bought_only_within_its_window() {
    let window = json!({"notBefore": "2026-12-02T00:00:00Z", "notAfter": "2026-12-03T00:00:00Z"});
    let mut world = World::new(pack(json!({"purchaseWindow": window})));
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.orders.len()), ("False WaitingForWindow", 0));
    let mut late = World::new(pack(json!({"purchaseWindow": window})));
    late.advance(HOUR * 48);
    late.run_rounds();
    assert_eq!(late.condition("Ended"), "True WindowClosed");
    assert_eq!(late.orders.len(), 0);
    world.advance(DAY);
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 1));
}

#[test]
fn a_window_opens_at_its_moment_and_closes_at_its_moment() {
    for (moment, reason) in [("notBefore", "Purchasing"), ("notAfter", "Ended")] {
        let mut world = World::new(pack(json!({"purchaseWindow": {"notBefore": "2026-12-02T00:00:00Z"}})));
        world.run_rounds();
        let window = json!({moment: world.now.to_string()});
        world.edit_spec(|spec| spec.purchase_window = serde_json::from_value(window).unwrap());
        world.reconcile_pack();
        assert_eq!(world.status().reason.as_deref(), Some(reason), "{moment}");
    }
}

#[test]
fn a_pack_that_was_to_be_renewed_until_a_date_that_has_passed_is_not_bought() {
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "until": "2026-11-30T00:00:00Z"});
    let mut world = World::new(pack(json!({"renewal": renewal})));
    world.run_rounds();
    assert_eq!((world.condition("Ended").as_str(), world.orders.len()), ("True WindowClosed", 0));
    assert!(world.condition_message("Ended").contains("renewal.until has passed"));
    // The cloud's own renewal, or none, ends at no date of ours.
    world.edit_spec(|spec| spec.renewal.mode = RenewalMode::None);
    world.run_rounds();
    assert_eq!(world.bought(), 1);
}

#[test]
fn an_approval_that_comes_after_until_buys_nothing() {
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "until": "2026-12-02T00:00:00Z"});
    let mut world = World::new(pack(json!({"renewal": renewal, "mode": "ApprovalRequired"})));
    world.run_rounds();
    assert_eq!(world.ready(), "False AwaitingApproval");
    world.advance(DAY * 2);
    world.approve(0, "ThisOrder");
    world.run_rounds();
    assert_eq!((world.bought(), world.condition("Ended").as_str()), (0, "True WindowClosed"));
}

#[test]
fn the_same_object_applied_again_after_it_ended_buys_nothing() {
    let window = json!({"notAfter": "2026-12-02T00:00:00Z"});
    let mut world = active(json!({"renewal": {"mode": "None"}, "purchaseWindow": window}));
    world.run_until("2026-12-05T00:00:00Z", HOUR);
    assert_eq!(world.condition("Ended"), "True Ended");
    let mut again = pack(json!({"renewal": {"mode": "None"}, "purchaseWindow": window}));
    again.metadata.uid = Some("uid-2".into());
    world.pack = Some(again);
    world.run_rounds();
    assert_eq!(world.condition("Ended"), "True WindowClosed");
    assert_eq!(world.bought(), 1);
}

#[test]
fn a_refusal_that_may_pass_is_tried_again_until_it_has_passed() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::BALANCE_INSUFFICIENT; 3];
    world.run_rounds();
    assert_eq!(world.ready(), "False BalanceInsufficient");
    world.run_until("2026-12-01T01:00:00Z", MINUTE);
    assert_eq!((world.ready().as_str(), world.bought(), world.orders.len()), ("True Active", 1, 1));
}

#[test]
fn what_stands_under_the_wanted_name_is_not_bought_a_second_time() {
    let mut world = active(json!({}));
    // The object and all orders are lost; the cluster is rebuilt and the manifest applied again.
    let mut again = pack(json!({}));
    again.metadata.uid = Some("uid-2".into());
    world.pack = Some(again);
    world.orders.clear();
    world.last_change = None;
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought(), world.orders.len()), ("False NameTaken", 1, 0));
}

#[test]
fn nothing_is_ordered_while_an_order_for_an_earlier_object_of_the_name_is_open() {
    let mut world = sent(Reply::LostBeforeCommit);
    let mut again = pack(json!({}));
    again.metadata.uid = Some("uid-2".into());
    world.pack = Some(again);
    for _ in 0..5 {
        world.sweep_after(SECOND);
        world.reconcile_pack();
    }
    assert_eq!((world.orders.len(), world.ready()), (1, "False EarlierOrderUnresolved".into()));
}

#[test]
fn a_pack_that_was_bought_is_not_bought_again_when_its_order_was_deleted_and_its_instances_are_gone() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    assert_eq!(world.bought(), 1);
    world.orders.clear();
    world.instances.clear();
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought(), world.orders.len()), ("False Vanished", 1, 0));
}

#[test]
fn what_is_on_record_as_paid_or_as_there_is_not_bought_again_without_its_order() {
    for paid in [true, false] {
        let mut world = sent(Reply::Delayed);
        if !paid {
            world.deliver();
        }
        world.run_rounds();
        let status = world.pack.as_mut().unwrap().status.as_mut().unwrap();
        assert_eq!(status.instances.is_empty(), paid);
        if !paid {
            status.conditions.retain(|condition| condition.type_ != "Purchased");
        }
        world.orders.clear();
        world.instances.clear();
        world.run_rounds();
        assert_eq!((world.orders.len(), world.bought()), (0, 1), "on record as paid: {paid}");
    }
}
