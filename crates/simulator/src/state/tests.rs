//! Behaviour of the state in virtual time.

mod laws;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::*;
use crate::{
    account::TokenHandling,
    prices::PriceRule,
    term::{BillingMode, PeriodUnit, Term},
};

const PLENTY: i64 = 100_000_000;

fn cloud() -> State {
    let rules = Rules {
        product_code: "p".to_owned(),
        sub_product_code: "sp".to_owned(),
        zone: TimeZone::fixed(jiff::tz::offset(8)),
        isolation_seconds: 7 * 86_400,
    };
    let now: Timestamp = "2026-01-31T02:00:00Z".parse().unwrap();
    State::new(rules, PriceList::default(), vec![AccountConfig::default()], 7, now).unwrap()
}

fn call(token: &str) -> Call {
    Call { account: "default".to_owned(), client_token: Some(token.to_owned()), request_id: None, console: false }
}

fn target() -> Target {
    Target { product_code: "p".to_owned(), sub_product_code: Some("sp".to_owned()), region: "ap-singapore".to_owned() }
}

fn purchase(quantity: i64, period: i64, unit: PeriodUnit) -> Purchase {
    Purchase {
        target: target(),
        zone: "ap-singapore-1".to_owned(),
        name: "concert".to_owned(),
        scale: "S1".to_owned(),
        application_type: "Cloud3D".to_owned(),
        project_id: None,
        quantity,
        term: Term { period, unit },
        renew_flag: RenewFlag::default(),
    }
}

fn renewal(id: &str, period: i64, unit: PeriodUnit) -> Renewal {
    Renewal { target: target(), instance_id: id.to_owned(), term: Term { period, unit } }
}

fn hours(state: &mut State, hours: i64) {
    state.advance_to(state.now() + SignedDuration::from_hours(hours));
}

fn settings(state: &mut State, with: impl FnOnce(&mut AccountSettings)) {
    let mut settings = state.settings("default").unwrap().clone();
    with(&mut settings);
    state.set_settings("default", settings).unwrap();
}

fn buy_one(state: &mut State, unit: PeriodUnit) -> String {
    let token = format!("buy-{}", state.orders().len());
    state.create_instance(&call(&token), &purchase(1, 1, unit), Delivery::AT_ONCE).unwrap().instance_ids.remove(0)
}

fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
    result.unwrap_err().code
}

#[test]
fn a_pack_of_three_is_three_instances_with_numbered_names_and_one_charge() {
    let mut state = cloud();
    let bought = state.create_instance(&call("t"), &purchase(3, 2, PeriodUnit::Day), Delivery::AT_ONCE).unwrap();
    let names: Vec<String> = state.instances().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["concert-1", "concert-2", "concert-3"]);
    let [entry] = state.ledger() else { panic!("one charge") };
    assert_eq!((entry.amount_cents, &entry.instance_ids), (3 * 2 * 4000, &bought.instance_ids));
    assert_eq!(state.balance("default"), Some(PLENTY - 24_000));
}

#[test]
fn a_pack_of_one_has_the_plain_name() {
    let mut state = cloud();
    buy_one(&mut state, PeriodUnit::Day);
    assert_eq!(state.instances()[0].name, "concert");
}

#[test]
fn the_same_token_replays_the_first_answer_and_charges_once() {
    let mut state = cloud();
    let first = state.create_instance(&call("t"), &purchase(2, 1, PeriodUnit::Day), Delivery::AT_ONCE).unwrap();
    let again = state.create_instance(&call("t"), &purchase(2, 1, PeriodUnit::Day), Delivery::AT_ONCE).unwrap();
    assert_eq!(first, again);
    assert_eq!(state.ledger().len(), 1);
    let other = state.create_instance(&call("t"), &purchase(3, 1, PeriodUnit::Day), Delivery::AT_ONCE);
    assert_eq!(code(other), "InvalidParameter");
}

#[test]
fn a_refused_purchase_leaves_nothing_behind_and_its_token_can_be_used_again() {
    let mut state = cloud();
    state.set_balance("default", 3_999).unwrap();
    let refused = state.create_instance(&call("t"), &purchase(1, 1, PeriodUnit::Day), Delivery::AT_ONCE);
    assert_eq!(code(refused), "FailedOperation.BalanceInsufficient");
    assert!(state.orders().is_empty() && state.ledger().is_empty() && state.instances().is_empty());
    state.set_balance("default", 4_000).unwrap();
    assert!(state.create_instance(&call("t"), &purchase(1, 1, PeriodUnit::Day), Delivery::AT_ONCE).is_ok());
}

#[test]
fn an_ignored_or_expired_token_buys_again() {
    for handling in [TokenHandling::Ignored, TokenHandling::Expired] {
        let mut state = cloud();
        state.create_instance(&call("t"), &purchase(1, 1, PeriodUnit::Day), Delivery::AT_ONCE).unwrap();
        settings(&mut state, |settings| settings.token_handling = handling);
        state.create_instance(&call("t"), &purchase(1, 1, PeriodUnit::Day), Delivery::AT_ONCE).unwrap();
        assert_eq!(state.ledger().len(), 2);
    }
    let mut state = cloud();
    state.create_instance(&call("t"), &purchase(1, 9, PeriodUnit::Day), Delivery::AT_ONCE).unwrap();
    hours(&mut state, 24);
    state.create_instance(&call("t"), &purchase(1, 9, PeriodUnit::Day), Delivery::AT_ONCE).unwrap();
    assert_eq!(state.ledger().len(), 2);
}

#[test]
fn what_the_product_does_not_offer_is_refused_before_money_moves() {
    let mut state = cloud();
    let mut refused = |with: fn(&mut Purchase)| {
        let mut wanted = purchase(1, 1, PeriodUnit::Day);
        with(&mut wanted);
        code(state.create_instance(&call("t"), &wanted, Delivery::AT_ONCE))
    };
    assert_eq!(refused(|it| it.quantity = 101), "FailedOperation.NumLimitError");
    assert_eq!(refused(|it| it.quantity = 0), "InvalidParameterValue");
    assert_eq!(refused(|it| it.term.period = 37), "InvalidParameterValue");
    assert_eq!(refused(|it| it.renew_flag = RenewFlag::NotifyAndAutoRenew), "InvalidParameterValue");
    assert_eq!(refused(|it| it.scale = "XL2".to_owned()), "FailedOperation.GetPriceParamError");
    assert_eq!(refused(|it| it.project_id = Some("nowhere".to_owned())), "InvalidParameterValue");
    assert_eq!(refused(|it| it.target.product_code = "p_waf".to_owned()), "UnsupportedOperation");
    assert!(state.ledger().is_empty());
    settings(&mut state, |settings| settings.day_unit = false);
    let day = state.create_instance(&call("t"), &purchase(1, 1, PeriodUnit::Day), Delivery::AT_ONCE);
    assert_eq!(code(day), "InvalidParameterValue");
    settings(&mut state, |settings| settings.api_purchase = false);
    let any = state.create_instance(&call("t"), &purchase(1, 1, PeriodUnit::Month), Delivery::AT_ONCE);
    assert_eq!(code(any), "UnsupportedOperation");
}

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

#[test]
fn a_late_delivery_comes_when_it_is_due_and_a_lost_one_when_it_is_delivered_by_hand() {
    let mut state = cloud();
    let late = Delivery { first: Some(1), rest_after_seconds: Some(3600), fails: false };
    let bought = state.create_instance(&call("t"), &purchase(3, 1, PeriodUnit::Day), late).unwrap();
    assert_eq!((bought.instance_ids.len(), state.orders()[0].status), (1, order_status::SHIPPING));
    hours(&mut state, 1);
    assert_eq!((state.instances().len(), state.orders()[0].status), (3, order_status::SHIPPED));
    assert!(state.instances().iter().all(|row| row.expires == state.instances()[0].expires));
    let lost = Delivery { first: Some(0), rest_after_seconds: None, fails: false };
    let bought = state.create_instance(&call("u"), &purchase(2, 5, PeriodUnit::Day), lost).unwrap();
    hours(&mut state, 48);
    assert!(state.instances().iter().all(|row| row.order_id != bought.order_id));
    assert_eq!(state.console_deliver(&bought.order_id).unwrap(), 2);
    assert_eq!(state.console_deliver(&bought.order_id).unwrap(), 0);
}

#[test]
fn a_failed_delivery_is_paid_and_marked() {
    let mut state = cloud();
    let fails = Delivery { first: None, rest_after_seconds: None, fails: true };
    let result = state.create_instance(&call("t"), &purchase(1, 1, PeriodUnit::Day), fails);
    assert_eq!(code(result), "FailedOperation.PaySuccDeliverFailed");
    assert_eq!(state.ledger().len(), 1);
    assert_eq!(state.orders()[0].status, order_status::SHIPMENT_FAILED);
}

#[test]
fn an_unpaid_order_costs_nothing_until_it_is_paid_and_its_term_starts_then() {
    let mut state = cloud();
    settings(&mut state, |settings| settings.unpaid_orders = true);
    let bought = state.create_instance(&call("t"), &purchase(2, 1, PeriodUnit::Day), Delivery::AT_ONCE).unwrap();
    assert!(bought.instance_ids.is_empty() && state.ledger().is_empty());
    hours(&mut state, 5);
    let paid = state.pay_deals(&call(""), std::slice::from_ref(&bought.order_id), Delivery::AT_ONCE).unwrap();
    assert_eq!(paid[0].instance_ids.len(), 2);
    assert_eq!(state.instances()[0].expires, state.now() + SignedDuration::from_hours(24));
    let again = state.pay_deals(&call(""), &[bought.order_id], Delivery::AT_ONCE);
    assert_eq!(code(again), "FailedOperation.InvalidDeal");
    assert_eq!(state.ledger().len(), 1);
}

#[test]
fn a_person_pays_or_cancels_an_unpaid_order_once() {
    let mut state = cloud();
    settings(&mut state, |settings| settings.unpaid_orders = true);
    let mut order = |token: &str| {
        let bought = state.create_instance(&call(token), &purchase(1, 1, PeriodUnit::Day), Delivery::AT_ONCE);
        bought.unwrap().order_id
    };
    let (paid, cancelled) = (order("t"), order("u"));
    state.console_pay(&paid).unwrap();
    state.console_cancel(&cancelled).unwrap();
    for id in [&paid, &cancelled] {
        assert!(state.console_pay(id).is_err() && state.console_cancel(id).is_err());
    }
    assert_eq!((state.ledger().len(), state.instances().len()), (1, 1));
    assert_eq!(state.order(&cancelled).unwrap().status, order_status::CLOSED);
}

#[test]
fn a_pack_is_bound_only_to_a_project_of_its_scale_and_only_when_free_and_in_service() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Day);
    let project = |id: &str, scale: &str| NewProject {
        id: Some(id.to_owned()),
        name: id.to_owned(),
        scale: scale.to_owned(),
        ..NewProject::default()
    };
    for (id, scale) in [("small", "S1"), ("other", "S1"), ("large", "L1")] {
        state.create_project("default", project(id, scale)).unwrap();
    }
    let ids = [id.clone()];
    assert_eq!(code(state.bind(&call(""), &ids, "large")), "FailedOperation");
    assert_eq!(code(state.bind(&call(""), &ids, "nowhere")), "InvalidParameterValue");
    state.bind(&call(""), &ids, "small").unwrap();
    state.bind(&call(""), &ids, "small").unwrap();
    assert_eq!(code(state.bind(&call(""), &ids, "other")), "OperationDenied");
    assert_eq!(code(state.unbind(&call(""), &ids, Some("other"))), "FailedOperation");
    assert_eq!(code(state.delete_projects("default", &["small".to_owned()])), "OperationDenied");
    state.unbind(&call(""), &ids, None).unwrap();
    assert_eq!(code(state.unbind(&call(""), &ids, None)), "FailedOperation");
    hours(&mut state, 24);
    assert_eq!(code(state.bind(&call(""), &ids, "small")), "OperationDenied");
}

#[test]
fn binding_several_is_all_or_nothing() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Day);
    let new = NewProject { id: Some("p".to_owned()), scale: "S1".to_owned(), ..NewProject::default() };
    state.create_project("default", new).unwrap();
    assert!(state.bind(&call(""), &[id.clone(), "nothing".to_owned()], "p").is_err());
    assert_eq!(state.instance(&id).unwrap().project_id, None);
}

#[test]
fn an_old_view_shows_what_was_there_then() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Month);
    let then = state.now();
    hours(&mut state, 1);
    state.rename(&call(""), &id, "renamed").unwrap();
    buy_one(&mut state, PeriodUnit::Day);
    let old = View { as_of: Some(then), rotate: 0 };
    let names =
        |view| state.packages("default", &[], view).unwrap().into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(old), ["concert"]);
    assert_eq!(names(View::default()), ["renamed", "concert"]);
    assert_eq!(names(View { as_of: None, rotate: 1 }), ["concert", "renamed"]);
}

#[test]
fn a_person_in_the_console_is_not_held_to_the_limits_of_the_api() {
    let mut state = cloud();
    settings(&mut state, |settings| (settings.api_purchase, settings.day_unit) = (false, false));
    let buy = ConsoleBuy::new("by hand", BillingMode::Daily, "ap-tokyo", "M1");
    let id = state.console_buy(&buy).unwrap().instance_ids.remove(0);
    state.console_renew(&id, 2).unwrap();
    let actions: Vec<&str> = state.ledger().iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["ConsoleCreateInstance", "ConsoleRenewInstance"]);
    assert_eq!(state.ledger()[1].amount_cents, 2 * 5_900);
    state.console_vanish(&id).unwrap();
    assert!(state.instances().is_empty());
}

#[test]
fn accounts_do_not_see_each_other() {
    let mut state = cloud();
    let key = crate::AccessKey::lasting("b", "b");
    let other = AccountConfig { id: "other".to_owned(), keys: vec![key], ..AccountConfig::default() };
    state.add_account(other).unwrap();
    let id = buy_one(&mut state, PeriodUnit::Day);
    let stranger = Call { account: "other".to_owned(), ..Call::default() };
    assert_eq!(code(state.renew_instance(&stranger, &renewal(&id, 1, PeriodUnit::Day))), "InvalidParameterValue");
    assert!(state.packages("other", &[], View::default()).unwrap().is_empty());
    assert!(state.add_account(AccountConfig { id: "third".to_owned(), ..AccountConfig::default() }).is_err());
}

#[test]
fn prices_are_data() {
    let mut state = cloud();
    let rule = PriceRule { region: "*".into(), scale: "*".into(), mode: BillingMode::Daily, cents: 7 };
    state.set_prices(PriceList::new(vec![rule]).unwrap());
    let mut wanted = purchase(3, 2, PeriodUnit::Day);
    (wanted.scale, wanted.target.region) = ("MM1_HD".to_owned(), "eu-frankfurt".to_owned());
    state.create_instance(&call("t"), &wanted, Delivery::AT_ONCE).unwrap();
    assert_eq!(state.ledger()[0].amount_cents, 42);
}
