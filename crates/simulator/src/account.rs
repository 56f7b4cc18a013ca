//! Accounts: keys, and the knobs that differ between them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A key pair; with `token` it is a temporary credential.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// The public half.
    pub secret_id: String,
    /// The secret half: compared, never written anywhere.
    pub secret_key: String,
    /// The session token of a temporary credential.
    #[serde(default)]
    pub token: Option<String>,
    /// When a temporary credential ends, in real time.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

impl AccessKey {
    /// A key that does not end.
    pub fn lasting(secret_id: &str, secret_key: &str) -> Self {
        Self { secret_id: secret_id.to_owned(), secret_key: secret_key.to_owned(), token: None, expires: None }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("secret_id", &self.secret_id).finish_non_exhaustive()
    }
}

/// What the cloud makes of a `ClientToken` it has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenHandling {
    /// The first successful answer is replayed, without charging.
    #[default]
    Honoured,
    /// Tokens are not looked at.
    Ignored,
    /// Everything remembered counts as past its lifetime.
    Expired,
}

/// The knobs of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// Whether CAR has been activated; if not, `OperationDenied`.
    pub signed_up: bool,
    /// Whether the account is on CAR's allow-list; if not, `UnauthorizedOperation` (car) and
    /// `FailedOperation.dealCreateWhitelistError` (billing).
    pub approved: bool,
    /// Whether its holder's identity is verified; if not, paid calls answer `UnauthorizedOperation.NotCertification`.
    pub certified: bool,
    /// Actions the key's policy denies: `CreateInstance`, `car:*`, `*`...
    pub denied_actions: Vec<String>,
    /// Whether the purchase API offers CAR at all; if not, `UnsupportedOperation`.
    pub api_purchase: bool,
    /// Whether `PeriodUnit` `d` is offered.
    pub day_unit: bool,
    /// Whether a Daily pack may be extended by `RenewInstance`.
    pub daily_renewal: bool,
    /// What is made of client tokens.
    pub token_handling: TokenHandling,
    /// How long a token is remembered, on the business clock.
    pub token_lifetime_seconds: i64,
    /// Whether `DescribeRenewInstances` lists Daily packs.
    pub list_daily_in_renewals: bool,
    /// `CreateInstance` leaves an unpaid order behind, for `PayDeals`.
    pub unpaid_orders: bool,
    /// Requests per second and action, in real time; 0 = no limit.
    pub rate_limit_per_second: u32,
    /// Whether the one full return was used already.
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
    /// Whether the policy denies this action.
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
    /// Its name in the ledger, the log and the control interface.
    pub id: String,
    /// The number the cloud knows it by.
    #[serde(default = "default_uin")]
    pub uin: i64,
    /// Balance at the start, in US cents.
    #[serde(default)]
    pub balance_cents: i64,
    /// Its keys.
    pub keys: Vec<AccessKey>,
    /// Its knobs.
    #[serde(default)]
    pub settings: AccountSettings,
}

fn default_uin() -> i64 {
    200_000_000_001
}

impl Default for AccountConfig {
    /// The account everybody starts with: `AKIDsimulator` / `simulator-secret-key`, 1,000,000.00 USD.
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

/// An account as the control interface shows it: everything but the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    /// Its name.
    pub id: String,
    /// The number the cloud knows it by.
    pub uin: i64,
    /// What is left, in US cents.
    pub balance_cents: i64,
    /// The public halves of its keys.
    pub secret_ids: Vec<String>,
    /// Its knobs.
    pub settings: AccountSettings,
}
