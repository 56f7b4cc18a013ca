//! Purchases: what is charged, tokens, refusals, delivery, unpaid orders.

use super::*;

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
fn prices_are_data() {
    let mut state = cloud();
    let rule = PriceRule { region: "*".into(), scale: "*".into(), mode: BillingMode::Daily, cents: 7 };
    state.set_prices(PriceList::new(vec![rule]).unwrap());
    let mut wanted = purchase(3, 2, PeriodUnit::Day);
    (wanted.scale, wanted.target.region) = ("MM1_HD".to_owned(), "eu-frankfurt".to_owned());
    state.create_instance(&call("t"), &wanted, Delivery::AT_ONCE).unwrap();
    assert_eq!(state.ledger()[0].amount_cents, 42);
}
