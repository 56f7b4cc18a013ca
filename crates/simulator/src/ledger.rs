//! The ledger of money and the log of requests: what the safety tests are judged by.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One movement of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Counts from 1.
    pub sequence: u64,
    /// When, on the business clock.
    pub time: Timestamp,
    /// Whose money.
    pub account: String,
    /// `CreateInstance`, `RenewInstance`, `RefundInstance`, `PayDeals`, `AutoRenew`, or the same with `Console` in front.
    pub action: String,
    /// The order.
    pub order_id: String,
    /// The instances paid for; those not delivered yet are missing.
    pub instance_ids: Vec<String>,
    /// Positive: charged. Negative: refunded.
    pub amount_cents: i64,
    /// The caller's token, where there was one.
    pub client_token: Option<String>,
    /// The request that caused it, where there was one.
    pub request_id: Option<String>,
}

/// One request of the API as it arrived, whatever became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Counts from 1.
    pub sequence: u64,
    /// When it arrived, on the business clock.
    pub time: Timestamp,
    /// `car`, `billing`, or what was sent as a version.
    pub service: String,
    /// The action header.
    pub action: String,
    /// Who asked; absent when the signature was not accepted.
    pub account: Option<String>,
    /// The parameters as decoded; null when they could not be.
    pub parameters: Value,
    /// `pending`, `ok`, an error code, or `dropped`, `garbage`, `http 503`... by a fault.
    pub outcome: String,
    /// Whether the state was changed, or read, before the answer; a refused call is not committed.
    pub committed: bool,
    /// The id of the answer.
    pub request_id: String,
}
