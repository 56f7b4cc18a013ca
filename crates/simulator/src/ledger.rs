//! The ledger of money and the log of requests. The safety tests count charges in the ledger.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One movement of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The number of the entry, from 1.
    pub sequence: u64,
    /// When the money moved, on the business clock.
    pub time: Timestamp,
    /// The account whose money it is.
    pub account: String,
    /// `CreateInstance`, `RenewInstance`, `RefundInstance`, `PayDeals` or `AutoRenew`; after `Console` where a person
    /// acted.
    pub action: String,
    /// The id of the order.
    pub order_id: String,
    /// The instances that were paid for, as far as they are delivered.
    pub instance_ids: Vec<String>,
    /// The amount in cents: positive for a charge, negative for a refund.
    pub amount_cents: i64,
    /// The caller's token. None where the call had none.
    pub client_token: Option<String>,
    /// The id of the request that moved the money. None where no request did.
    pub request_id: Option<String>,
}

/// One request to the API as it arrived, whatever its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The number of the request, from 1.
    pub sequence: u64,
    /// When the request arrived, on the business clock.
    pub time: Timestamp,
    /// `car` or `billing`; for an unknown version the version that was sent.
    pub service: String,
    /// The value of the action header.
    pub action: String,
    /// The account that sent the request. None: its signature was not accepted.
    pub account: Option<String>,
    /// The decoded parameters. Null: they could not be decoded.
    pub parameters: Value,
    /// `pending`, `ok` or an error code; after a fault `dropped`, `garbage` or a status such as `http 503`.
    pub outcome: String,
    /// Whether the action was carried out before the answer. A refused call is not committed.
    pub committed: bool,
    /// The request id in the answer.
    pub request_id: String,
}
