//! What an account holds back: spending limits and the brake.

mod brake;
mod limits;

use carpack_api::PackOrder;
use carpack_api::order::LineState;
use carpack_core::account::Account;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::{HOUR, World, account};

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
        "status": {"lines": [{"index": 0, "state": state, "attempts": 1, "submitTime": (world.now - HOUR).to_string()}]}
    });
    serde_json::from_value(order).unwrap()
}

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

/// The account with a brake: three purchases in ten minutes, released at this moment.
fn braked(released: Option<Timestamp>) -> Account {
    let mut account = account();
    let released = released.map(|at| at.to_string());
    let brake = json!({"orders": 3, "withinMinutes": 10, "releasedTime": released});
    account.spec.tenants[0].brake = Some(serde_json::from_value(brake).unwrap());
    account
}

/// What the pack says about why it is not Ready.
fn message(world: &World) -> String {
    world.condition_message("Ready")
}
