//! The data of the simulated cloud.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    account::{AccessKey, AccountConfig, AccountSettings, AccountView},
    term::{BillingMode, Term},
};

/// What happens at expiry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RenewFlag {
    /// The owner is told, and renews by hand.
    #[default]
    NotifyAndManualRenew,
    /// The cloud renews it for a month.
    NotifyAndAutoRenew,
    /// The owner is not told.
    DisableNotifyAndManualRenew,
}

impl RenewFlag {
    /// The flag with this name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::NotifyAndManualRenew, Self::NotifyAndAutoRenew, Self::DisableNotifyAndManualRenew]
            .into_iter()
            .find(|flag| flag.as_str() == text)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotifyAndManualRenew => "NOTIFY_AND_MANUAL_RENEW",
            Self::NotifyAndAutoRenew => "NOTIFY_AND_AUTO_RENEW",
            Self::DisableNotifyAndManualRenew => "DISABLE_NOTIFY_AND_MANUAL_RENEW",
        }
    }
}

/// Whether an instance can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InstanceStatus {
    /// In service.
    Normal,
    /// Expired, but not removed yet.
    Isolated,
}

impl InstanceStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Isolated => "ISOLATED",
        }
    }
}

/// An instance: one concurrency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// `cgpack-` and eight letters.
    pub id: String,
    /// The account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Daily or Monthly.
    pub billing_mode: BillingMode,
    /// The region.
    pub region: String,
    /// The availability zone named at the purchase.
    pub zone: String,
    /// The concurrency scale.
    pub scale: String,
    /// `Cloud3D`.
    pub application_type: String,
    /// The project that it is bound to.
    pub project_id: Option<String>,
    /// What happens at expiry.
    pub renew_flag: RenewFlag,
    /// Whether it is in service or expired.
    pub status: InstanceStatus,
    /// When it was delivered.
    pub created: Timestamp,
    /// When it was bought.
    pub bought: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// What was paid for it so far, in cents.
    pub paid_cents: i64,
    /// The order that bought it.
    pub order_id: String,
    /// How often it was reset.
    pub resets: u32,
}

/// An instance with its history, so that a list can show an earlier state.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) current: Option<Instance>,
    pub(crate) versions: Vec<(Timestamp, Option<Instance>)>,
}

impl Record {
    pub(crate) fn as_of(&self, at: Timestamp) -> Option<&Instance> {
        self.versions.iter().rev().find(|(since, _)| *since <= at).and_then(|(_, instance)| instance.as_ref())
    }
}

/// What an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderAction {
    /// A purchase.
    Purchase,
    /// A renewal.
    Renew,
    /// A return.
    Refund,
}

impl OrderAction {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Renew => "renew",
            Self::Refund => "refund",
        }
    }
}

/// An order, which billing calls a deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The sub-order's number.
    pub order_id: String,
    /// The big order's number.
    pub big_deal_id: String,
    /// The account.
    pub account: String,
    /// Purchase, renew or refund.
    pub action: OrderAction,
    /// The documented status: 1 unpaid, 3 shipping, 4 shipped, 5 shipment failed, 6 refunded, 12 paying.
    pub status: i64,
    /// When it was placed.
    pub created: Timestamp,
    /// When it was paid; its term starts here.
    pub paid: Option<Timestamp>,
    /// What it costs, or refunds, in cents.
    pub cost_cents: i64,
    /// Its instances, as far as they are delivered.
    pub instance_ids: Vec<String>,
    /// The term.
    pub term: Term,
    /// The number of concurrencies.
    pub quantity: i64,
    /// Region.
    pub region: String,
    /// Availability zone.
    pub zone: String,
    /// The parameters, for a purchase.
    pub purchase: Option<Purchase>,
    /// The name of the pack, or of the instance.
    pub name: String,
    /// The caller's token.
    pub client_token: Option<String>,
}

/// A project, to which packs are bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// The account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The only concurrency scale that it takes.
    pub scale: String,
    /// DESKTOP or MOBILE.
    pub category: String,
    /// SHARED or EXCLUSIVE.
    pub project_type: String,
    /// The application that it runs.
    pub application_id: String,
    /// How many of its concurrencies are in use.
    pub using: i64,
    /// When it was created.
    pub created: Timestamp,
}

/// The decoded parameters of `CreateInstance`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Purchase {
    /// Product and region.
    pub target: Target,
    /// Availability zone.
    pub zone: String,
    /// The name of the pack.
    pub name: String,
    /// The concurrency scale.
    pub scale: String,
    /// `Cloud3D`.
    pub application_type: String,
    /// The project to bind to at once.
    pub project_id: Option<String>,
    /// The number of concurrencies.
    pub quantity: i64,
    /// The term.
    pub term: Term,
    /// What happens at expiry.
    pub renew_flag: RenewFlag,
}

/// A product in a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `ProductCode`.
    pub product_code: String,
    /// `SubProductCode`; `SetRenewal` has none.
    pub sub_product_code: Option<String>,
    /// `RegionCode`.
    pub region: String,
}

/// The decoded parameters of `RenewInstance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Product and region.
    pub target: Target,
    /// The instance.
    pub instance_id: String,
    /// By how much it is extended.
    pub term: Term,
}

/// The answer to a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchased {
    /// The order.
    pub order_id: String,
    /// The instances that were delivered at once.
    pub instance_ids: Vec<String>,
}

/// How a purchase is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The number of instances that are delivered at once; absent = all.
    #[serde(default)]
    pub first: Option<i64>,
    /// After how many seconds of business time the rest is delivered; absent = never, or when `deliver` is called.
    #[serde(default)]
    pub rest_after_seconds: Option<i64>,
    /// The order is paid, but its delivery fails: `FailedOperation.PaySuccDeliverFailed`, order status 5.
    #[serde(default)]
    pub fails: bool,
}

impl Delivery {
    /// Everything is delivered at once.
    pub const AT_ONCE: Self = Self { first: None, rest_after_seconds: None, fails: false };
}

/// An account with its secrets.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) uin: i64,
    pub(crate) balance_cents: i64,
    pub(crate) keys: Vec<AccessKey>,
    pub(crate) settings: AccountSettings,
}

impl Account {
    pub(crate) fn new(config: AccountConfig) -> Self {
        let AccountConfig { id, uin, balance_cents, keys, settings } = config;
        Self { id, uin, balance_cents, keys, settings }
    }

    pub(crate) fn has_key(&self, secret_id: &str) -> bool {
        self.keys.iter().any(|key| key.secret_id == secret_id)
    }

    pub(crate) fn view(&self) -> AccountView {
        AccountView {
            id: self.id.clone(),
            uin: self.uin,
            balance_cents: self.balance_cents,
            secret_ids: self.keys.iter().map(|key| key.secret_id.clone()).collect(),
            settings: self.settings.clone(),
        }
    }
}

/// Account, action and token.
pub(crate) type TokenKey = (String, &'static str, String);

/// The first successful answer to a token.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub(crate) parameters: String,
    pub(crate) answer: Purchased,
    pub(crate) at: Timestamp,
}
