//! The objects that tests begin with, and short ways to write moments and durations.

use carpack_api::{CarAccountSpec, ConcurrencyPack, ConcurrencyPackSpec};
use carpack_core::account::{Account, Health};
use carpack_core::observation::Instance;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// The namespace and the name of the pack.
pub const NAMESPACE: &str = "events";
pub const NAME: &str = "concert";
/// The operator's namespace.
pub const TREASURY: &str = "carpack-system";

pub const SECOND: SignedDuration = SignedDuration::from_secs(1);
pub const MINUTE: SignedDuration = SignedDuration::from_mins(1);
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An account that buys by API. An L1 concurrency costs 105.00 USD a day.
pub fn account() -> Account {
    let spec: CarAccountSpec = serde_json::from_value(json!({
        "site": "International",
        "credentials": {"secretRef": {"name": "key"}},
        "mode": "Automatic",
        "purchase": {"channel": "Api", "api": {
            "productCode": "p_car", "subProductCode": "sp_car", "parameterTemplate": "{}",
            "periodUnits": {"Daily": "d", "Monthly": "m"}}},
        "priceList": {"currency": "USD", "prices": [
            {"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"},
            {"region": "*", "concurrencyScale": "L1", "billingMode": "Monthly", "amount": "1041.00"}]},
        "tenants": [{"namespaces": [NAMESPACE], "projects": ["cap-a", "cap-b", "cap-small", "cap-nowhere"]}]
    }))
    .unwrap();
    Account { name: "default".into(), spec, health: Health::Ready }
}

/// A pack of three for three days, 945.00 USD, renewed by the operator each day, with these fields of the spec instead.
pub fn pack(spec: serde_json::Value) -> ConcurrencyPack {
    let mut all = json!({
        "billingMode": "Daily", "region": "ap-singapore", "concurrencyScale": "L1", "quantity": 3, "duration": 3,
        "renewal": {"mode": "Operator", "duration": 1, "renewBefore": "6h"}
    });
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    let spec: ConcurrencyPackSpec = serde_json::from_value(all).unwrap();
    let mut pack = ConcurrencyPack::new(NAME, spec);
    pack.metadata.namespace = Some(NAMESPACE.into());
    pack.metadata.uid = Some("uid-1".into());
    pack.metadata.generation = Some(1);
    pack
}

/// The cloud shows an expiry that is so much later.
pub fn extend(instance: &mut Instance, by: SignedDuration) {
    instance.expiration = instance.expiration.map(|at| at.checked_add(by).unwrap());
}
