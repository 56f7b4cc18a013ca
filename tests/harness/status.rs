//! Reads the status of an object.

use carpack_api::{ConcurrencyPack, PackOrder};
use jiff::Timestamp;

/// Whether the status is about the present spec.
pub fn is_current(pack: &ConcurrencyPack) -> bool {
    pack.status.as_ref().and_then(|s| s.observed_generation) == pack.metadata.generation
}

/// The reason of the pack; empty when it has none.
pub fn reason_of(pack: &ConcurrencyPack) -> &str {
    pack.status.as_ref().and_then(|s| s.reason.as_deref()).unwrap_or_default()
}

/// The status of a condition: `True`, `False`, `Unknown`, or empty when the pack does not have it.
pub fn condition<'a>(pack: &'a ConcurrencyPack, kind: &str) -> &'a str {
    let conditions = pack.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map(|c| c.status.as_str()).unwrap_or_default()
}

/// Status and reason of a condition, such as `True Bound`.
pub fn condition_with_reason(pack: &ConcurrencyPack, kind: &str) -> String {
    let conditions = pack.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map(|c| format!("{} {}", c.status, c.reason)).unwrap_or_default()
}

/// The message of a condition.
pub fn message(pack: &ConcurrencyPack, kind: &str) -> String {
    let conditions = pack.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map(|c| c.message.clone()).unwrap_or_default()
}

/// The state of an order, such as `Fulfilled`; empty when it has none.
pub fn order_state(order: &PackOrder) -> String {
    order.status.as_ref().and_then(|s| s.state).map(|s| format!("{s:?}")).unwrap_or_default()
}

/// When the pack expires.
pub fn expiration(pack: &ConcurrencyPack) -> Option<Timestamp> {
    pack.status.as_ref().and_then(|s| s.expiration_time.as_ref()).map(|t| t.0)
}

/// How often the pack was renewed.
pub fn renewals(pack: &ConcurrencyPack) -> i64 {
    pack.status.as_ref().map_or(0, |s| s.renewals)
}
