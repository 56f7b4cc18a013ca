//! Accounts: their keys, and the settings that differ between them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A key pair. With `token` it is a temporary credential.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// The public half of the key.
    pub secret_id: String,
    /// The secret half. It is compared and never written anywhere.
    pub secret_key: String,
    /// The session token of a temporary credential.
    #[serde(default)]
    pub token: Option<String>,
    /// When a temporary credential expires, in real time. None: it does not expire.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

impl AccessKey {
    /// A key that does not expire.
    pub fn lasting(secret_id: &str, secret_key: &str) -> Self {
        Self { secret_id: secret_id.to_owned(), secret_key: secret_key.to_owned(), token: None, expires: None }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("secret_id", &self.secret_id).finish_non_exhaustive()
    }
}

/// What the cloud does with a `ClientToken` that it has seen before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenHandling {
    /// It answers with the first successful answer, and charges nothing.
    #[default]
    Honoured,
    /// It pays no attention to tokens.
    Ignored,
    /// It treats every remembered token as past its lifetime.
    Expired,
}

/// The settings of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// Whether CAR is activated. If not, calls are refused with `OperationDenied`.
    pub signed_up: bool,
    /// Whether the account is on CAR's allow-list. If not, calls are refused with `UnauthorizedOperation` (car) or
    /// `FailedOperation.dealCreateWhitelistError` (billing).
    pub approved: bool,
    /// Whether the identity of the account's owner is verified. If not, paid calls are refused with
    /// `UnauthorizedOperation.NotCertification`.
    pub certified: bool,
    /// Actions that the policy of the key denies, such as `CreateInstance`, `car:*` or `*`.
    pub denied_actions: Vec<String>,
    /// Whether the purchase API offers CAR. If not, paid calls are refused with `UnsupportedOperation`.
    pub api_purchase: bool,
    /// Whether the `PeriodUnit` `d` is offered.
    pub day_unit: bool,
    /// Whether a Daily pack may be extended by `RenewInstance`.
    pub daily_renewal: bool,
    /// What the cloud does with client tokens.
    pub token_handling: TokenHandling,
    /// How long a token is remembered, in seconds of the business clock.
    pub token_lifetime_seconds: i64,
    /// Whether `DescribeRenewInstances` lists Daily packs.
    pub list_daily_in_renewals: bool,
    /// Whether `CreateInstance` makes an unpaid order, to be paid by `PayDeals`.
    pub unpaid_orders: bool,
    /// Requests per second for each action, in real time. 0: no limit.
    pub rate_limit_per_second: u32,
    /// Whether the account has used its one full return.
    pub full_refund_used: bool,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            signed_up: true,
            approved: true,
            certified: true,
            denied_actions: Vec::new(),
            api_purchase: true,
            day_unit: true,
            daily_renewal: true,
            token_handling: TokenHandling::Honoured,
            token_lifetime_seconds: 86_400,
            list_daily_in_renewals: true,
            unpaid_orders: false,
            rate_limit_per_second: 20,
            full_refund_used: false,
        }
    }
}

impl AccountSettings {
    /// Whether the policy of the key denies this action of this service.
    pub fn denies(&self, service: &str, action: &str) -> bool {
        self.denied_actions.iter().any(|denied| {
            denied == "*"
                || denied == action
                || denied.strip_prefix(service).is_some_and(|rest| rest == ":*" || rest == format!(":{action}"))
        })
    }
}

/// An account as configured at the start.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// The account's name in the ledger, the log and the control interface.
    pub id: String,
    /// The cloud's number of the account.
    #[serde(default = "default_uin")]
    pub uin: i64,
    /// The balance at the start, in US cents.
    #[serde(default)]
    pub balance_cents: i64,
    /// The keys of the account.
    pub keys: Vec<AccessKey>,
    /// The settings of the account.
    #[serde(default)]
    pub settings: AccountSettings,
}

fn default_uin() -> i64 {
    200_000_000_001
}

impl Default for AccountConfig {
    /// The account of a simulator without a configuration: `AKIDsimulator` / `simulator-secret-key`, 1,000,000.00 USD.
    fn default() -> Self {
        Self {
            id: "default".to_owned(),
            uin: default_uin(),
            balance_cents: 100_000_000,
            keys: vec![AccessKey::lasting("AKIDsimulator", "simulator-secret-key")],
            settings: AccountSettings::default(),
        }
    }
}

/// An account without its secrets, as the control interface shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// The account's name.
    pub id: String,
    /// The cloud's number of the account.
    pub uin: i64,
    /// The balance, in US cents.
    pub balance_cents: i64,
    /// The public halves of its keys.
    pub secret_ids: Vec<String>,
    /// The settings of the account.
    pub settings: AccountSettings,
}
