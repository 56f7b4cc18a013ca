//! The ledger of money and the log of requests. Safety tests judge by them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One charge or refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Counts from 1.
    pub sequence: u64,
    /// The time, on the business clock.
    pub time: Timestamp,
    /// The account.
    pub account: String,
    /// `CreateInstance`, `RenewInstance`, `RefundInstance`, `PayDeals`, `AutoRenew`, or the same with `Console` in
    /// front.
    pub action: String,
    /// The id of the order.
    pub order_id: String,
    /// The instances that were paid for, as far as they are delivered.
    pub instance_ids: Vec<String>,
    /// A positive amount was charged, a negative one refunded.
    pub amount_cents: i64,
    /// The client token of the call, if any.
    pub client_token: Option<String>,
    /// The request that caused it, if any.
    pub request_id: Option<String>,
}

/// One request to the API as it arrived, also when it was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Counts from 1.
    pub sequence: u64,
    /// The time of arrival, on the business clock.
    pub time: Timestamp,
    /// `car`, `billing`, or the version header when it is unknown.
    pub service: String,
    /// The action header.
    pub action: String,
    /// The account; absent when the signature was not accepted.
    pub account: Option<String>,
    /// The decoded parameters; null when they could not be decoded.
    pub parameters: Value,
    /// `pending`, `ok`, an error code; or, by a fault, `dropped`, `garbage`, `http 503` and so on.
    pub outcome: String,
    /// Whether the action was executed. It is false for a call that was refused before that.
    pub committed: bool,
    /// The id of the answer.
    pub request_id: String,
}
