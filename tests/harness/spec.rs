//! Specs of packs.

use serde_json::{Value, json};

use super::PROJECT;

/// A Daily pack of one instance for 3 days, renewed by the operator for 1 day 6 h before its expiry, with these changes.
pub fn daily(changes: Value) -> Value {
    let mut spec = json!({
        "billingMode": "Daily", "region": "ap-singapore", "concurrencyScale": "L1", "quantity": 1, "duration": 3,
        "renewal": {"mode": "Operator", "duration": 1, "renewBefore": "6h"}
    });
    merge(&mut spec, &changes);
    spec
}

/// Merges changes: top-level fields replace, null removes.
pub fn merge(into: &mut Value, changes: &Value) {
    let (Some(into), Some(changes)) = (into.as_object_mut(), changes.as_object()) else { return };
    for (key, value) in changes {
        if value.is_null() {
            into.remove(key);
        } else {
            into.insert(key.clone(), value.clone());
        }
    }
}

/// A Monthly pack of three that the cloud itself renews, with this deletionPolicy.
pub fn monthly(policy: &str) -> Value {
    json!({"billingMode": "Monthly", "duration": 1, "quantity": 3, "renewal": {"mode": "AutoRenew"},
        "deletionPolicy": policy, "project": PROJECT})
}
