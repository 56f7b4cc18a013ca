//! Objects for unit tests: a pack, its order and their account.

use std::time::Duration;

use carpack_api::{CarAccount, ConcurrencyPack, Mode, PackOrder};
use carpack_core::Timing;
use carpack_core::account::{Account, Health};
use carpack_core::facts::commitments::Commitments;
use carpack_core::order::{self, Effect};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::account::snapshot::Snapshot;

pub const TREASURY: &str = "carpack-system";
pub const ORDER: &str = "events.concert.buy-1";
pub const CALL: Duration = Duration::from_secs(5);

pub fn begin() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

pub fn after(seconds: i64) -> Timestamp {
    begin() + SignedDuration::from_secs(seconds)
}

pub fn pack(name: &str) -> ConcurrencyPack {
    serde_json::from_value(json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack",
        "metadata": {"name": name, "namespace": "events", "uid": format!("uid-{name}"), "resourceVersion": "1"},
        "spec": {
            "billingMode": "Daily", "region": "ap-singapore", "concurrencyScale": "L1", "quantity": 3, "duration": 3,
            "renewal": {"mode": "None"}}
    }))
    .unwrap()
}

pub fn account(limits: Value) -> CarAccount {
    serde_json::from_value(json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "CarAccount",
        "metadata": {"name": "default", "namespace": TREASURY},
        "spec": {
            "site": "International", "credentials": {"secretRef": {"name": "key"}}, "mode": "Automatic",
            "purchase": {"channel": "Api", "api": {
                "productCode": "p_car", "subProductCode": "sp_car", "parameterTemplate": "{}",
                "periodUnits": {"Daily": "d", "Monthly": "m"}}},
            "priceList": {"currency": "USD", "prices": [
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"}]},
            "limits": limits,
            "tenants": [{"namespaces": ["events"], "projects": ["*"]}]}
    }))
    .unwrap()
}

/// An order for 945.00 that was made a moment ago.
pub fn order(name: &str) -> PackOrder {
    serde_json::from_value(json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "PackOrder",
        "metadata": {
            "name": format!("events.{name}.buy-1"), "namespace": TREASURY, "resourceVersion": "1", "generation": 1,
            "finalizers": [carpack_api::ORDER_FINALIZER]},
        "spec": {
            "packRef": {"namespace": "events", "name": name, "uid": format!("uid-{name}")},
            "accountRef": {"name": "default"}, "action": "Buy", "ordinal": 1, "packName": format!("{name}-1a2b"),
            "terms": {
                "applicationType": "Cloud3D", "billingMode": "Daily", "region": "ap-singapore",
                "concurrencyScale": "L1", "quantity": 3, "duration": 3, "autoRenew": false},
            "quote": {"amount": "945.00", "currency": "USD"},
            "decisionTime": begin(),
            "lines": [{"index": 0, "clientToken": "t".repeat(64)}]}
    }))
    .unwrap()
}

/// The order as it stands when its line is about to be sent: everything that was decided is recorded.
pub fn decided(mut order: PackOrder, name: &str, account: &CarAccount, snapshot: &Snapshot) -> PackOrder {
    let account = Account { name: "default".to_owned(), spec: account.spec.clone(), health: Health::Ready };
    for _ in 0..5 {
        let decision = order::decide(&order::Input {
            order: &order,
            siblings: &[&order],
            unreadable: &Default::default(),
            pack: Some(&pack(name)),
            account: Some(&account),
            observation: snapshot.observation.as_deref(),
            deals: None,
            ids_of_others: &Default::default(),
            commitments: &Commitments::default(),
            installation_mode: Mode::Automatic,
            now: begin(),
            clock_ahead: SignedDuration::ZERO,
            timing: &Timing::default(),
        });
        if let Some(effect) = decision.effect {
            assert_eq!(effect, Effect::Submit { index: 0 });
            return order;
        }
        order.status = Some(serde_json::from_value(json!(decision.status)).unwrap());
    }
    panic!("not to be sent: {:?}", order.status)
}
