//! Compares expiries.

use jiff::{SignedDuration, Timestamp};

/// Two lists may show one expiry with a difference of minutes, and the shortest renewal is a day. Half of that day
/// separates the two cases.
const SAME_EXPIRY: SignedDuration = SignedDuration::from_hours(12);

/// True when both are the same expiry, as two lists may show it.
pub fn is_same_expiry(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() < SAME_EXPIRY
}

/// True when the first is a later expiry, and not the same one in another list.
pub fn is_later_expiry(one: Timestamp, other: Timestamp) -> bool {
    one > other && !is_same_expiry(one, other)
}
