//! Tests of the state, and what they share.

mod invariants;
mod projects;
mod purchases;
mod renewals;

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
