//! Renewals, expiry and returns.

use super::*;

#[test]
fn a_renewal_extends_from_the_current_expiry_and_is_charged() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Month);
    assert_eq!(state.instance(&id).unwrap().expires.to_string(), "2026-02-28T02:00:00Z");
    state.renew_instance(&call("r"), &renewal(&id, 2, PeriodUnit::Month)).unwrap();
    state.renew_instance(&call("r"), &renewal(&id, 2, PeriodUnit::Month)).unwrap();
    assert_eq!(state.instance(&id).unwrap().expires.to_string(), "2026-04-28T02:00:00Z");
    assert_eq!(state.ledger().last().unwrap().amount_cents, 2 * 39_800);
    assert_eq!(state.ledger().len(), 2);
}

#[test]
fn an_expired_instance_is_isolated_cannot_be_renewed_and_is_removed_later() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Day);
    hours(&mut state, 23);
    assert_eq!(state.instance(&id).unwrap().status, InstanceStatus::Normal);
    hours(&mut state, 1);
    assert_eq!(state.instance(&id).unwrap().status, InstanceStatus::Isolated);
    let refused = state.renew_instance(&call("r"), &renewal(&id, 1, PeriodUnit::Day));
    assert_eq!(code(refused), "FailedOperation.BusinessCheckErrCode");
    hours(&mut state, 7 * 24);
    assert!(state.instance(&id).is_none());
    assert_eq!(code(state.renew_instance(&call("r"), &renewal(&id, 1, PeriodUnit::Day))), "InvalidParameterValue");
}

#[test]
fn a_daily_pack_is_renewed_by_the_day_and_only_where_that_is_offered() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Day);
    assert_eq!(code(state.renew_instance(&call("a"), &renewal(&id, 1, PeriodUnit::Month))), "InvalidParameterValue");
    assert!(state.renew_instance(&call("b"), &renewal(&id, 1, PeriodUnit::Day)).is_ok());
    settings(&mut state, |settings| settings.daily_renewal = false);
    assert_eq!(code(state.renew_instance(&call("c"), &renewal(&id, 1, PeriodUnit::Day))), "UnsupportedOperation");
}

#[test]
fn the_cloud_renews_for_a_month_on_the_day_of_expiry_if_the_balance_suffices() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Month);
    assert!(state.set_renewal(&call(""), &target(), &id, RenewFlag::NotifyAndAutoRenew).unwrap().is_empty());
    state.advance_to("2026-02-27T15:59:59Z".parse().unwrap());
    assert_eq!(state.ledger().len(), 1);
    state.advance_to("2026-02-27T16:00:00Z".parse().unwrap());
    assert_eq!(state.instance(&id).unwrap().expires.to_string(), "2026-03-28T02:00:00Z");
    let entry = state.ledger().last().unwrap();
    assert_eq!((entry.action.as_str(), entry.amount_cents), ("AutoRenew", 39_800));
    state.set_balance("default", 0).unwrap();
    state.advance_to("2026-03-28T02:00:00Z".parse().unwrap());
    assert_eq!(state.instance(&id).unwrap().status, InstanceStatus::Isolated);
    assert_eq!(state.ledger().len(), 2);
}

#[test]
fn a_long_jump_of_the_clock_passes_through_everything_in_order() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Month);
    state.set_renewal(&call(""), &target(), &id, RenewFlag::NotifyAndAutoRenew).unwrap();
    state.set_balance("default", 2 * 39_800).unwrap();
    state.advance_to("2027-01-01T00:00:00Z".parse().unwrap());
    let times: Vec<String> = state.ledger().iter().map(|entry| entry.time.to_string()).collect();
    assert_eq!(times, ["2026-01-31T02:00:00Z", "2026-02-27T16:00:00Z", "2026-03-27T16:00:00Z"]);
    assert!(state.instances().is_empty());
}

#[test]
fn a_daily_pack_cannot_be_set_to_auto_renew() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Day);
    let failed = state.set_renewal(&call(""), &target(), &id, RenewFlag::NotifyAndAutoRenew).unwrap();
    assert_eq!(failed[0].instance_id, id);
    assert_eq!(state.instance(&id).unwrap().renew_flag, RenewFlag::NotifyAndManualRenew);
}

#[test]
fn the_first_return_within_five_days_is_full_and_the_next_pays_for_started_days() {
    let mut state = cloud();
    let (first, second) = (buy_one(&mut state, PeriodUnit::Month), buy_one(&mut state, PeriodUnit::Month));
    hours(&mut state, 49);
    state.refund_instance(&call("a"), &target(), &first).unwrap();
    assert_eq!(state.ledger().last().unwrap().amount_cents, -39_800);
    state.refund_instance(&call("b"), &target(), &second).unwrap();
    assert_eq!(state.ledger().last().unwrap().amount_cents, -(39_800 - 3 * 4_000));
    assert!(state.instances().is_empty());
    assert_eq!(state.orders()[0].status, order_status::REFUNDED);
    state.refund_instance(&call("b"), &target(), &second).unwrap();
    assert_eq!(code(state.refund_instance(&call("c"), &target(), &second)), "InvalidParameterValue");
    assert_eq!(state.ledger().len(), 4);
}

#[test]
fn a_return_after_five_days_is_never_full_and_never_negative() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Month);
    hours(&mut state, 20 * 24);
    state.refund_instance(&call("a"), &target(), &id).unwrap();
    assert_eq!(state.ledger().last().unwrap().amount_cents, 0);
}
