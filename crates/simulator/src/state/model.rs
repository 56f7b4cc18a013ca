//! The things the simulated cloud remembers.

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
    /// Told, and renewed by hand.
    #[default]
    NotifyAndManualRenew,
    /// Renewed by the cloud for a month.
    NotifyAndAutoRenew,
    /// Not even told.
    DisableNotifyAndManualRenew,
}

impl RenewFlag {
    /// The flag written so on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::NotifyAndManualRenew, Self::NotifyAndAutoRenew, Self::DisableNotifyAndManualRenew]
            .into_iter()
            .find(|flag| flag.as_str() == text)
    }

    /// As written on the wire.
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
    /// Expired, not yet removed.
    Isolated,
}

impl InstanceStatus {
    /// As written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Isolated => "ISOLATED",
        }
    }
}

/// One concurrency: what the cloud calls an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// `cgpack-` and eight letters.
    pub id: String,
    /// Whose.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Daily or Monthly.
    pub billing_mode: BillingMode,
    /// Where.
    pub region: String,
    /// The availability zone named at the purchase.
    pub zone: String,
    /// The concurrency scale.
    pub scale: String,
    /// `Cloud3D`.
    pub application_type: String,
    /// The project it is bound to.
    pub project_id: Option<String>,
    /// What happens at expiry.
    pub renew_flag: RenewFlag,
    /// In service or expired.
    pub status: InstanceStatus,
    /// When it was delivered.
    pub created: Timestamp,
    /// When it was bought.
    pub bought: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// Paid for it so far, in cents.
    pub paid_cents: i64,
    /// The order it came with.
    pub order_id: String,
    /// How often it was reset.
    pub resets: u32,
}

/// An instance with its history, so that a list can be answered as of earlier.
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

/// What an order is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderAction {
    /// Bought.
    Purchase,
    /// Renewed.
    Renew,
    /// Returned.
    Refund,
}

impl OrderAction {
    /// As written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Renew => "renew",
            Self::Refund => "refund",
        }
    }
}

/// An order ("deal").
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The sub-order's number.
    pub order_id: String,
    /// The big order's number.
    pub big_deal_id: String,
    /// Whose.
    pub account: String,
    /// Purchase, renew or refund.
    pub action: OrderAction,
    /// The documented status: 1 unpaid, 3 shipping, 4 shipped, 5 shipment failed, 6 refunded, 12 paying.
    pub status: i64,
    /// When it was placed.
    pub created: Timestamp,
    /// When it was paid; its term starts here.
    pub paid: Option<Timestamp>,
    /// What it costs, or gives back, in cents.
    pub cost_cents: i64,
    /// The instances it is about, as far as delivered.
    pub instance_ids: Vec<String>,
    /// How long.
    pub term: Term,
    /// How many.
    pub quantity: i64,
    /// Region.
    pub region: String,
    /// Availability zone.
    pub zone: String,
    /// What was bought, for a purchase.
    pub purchase: Option<Purchase>,
    /// The name of the pack, or of the instance.
    pub name: String,
    /// The caller's token.
    pub client_token: Option<String>,
}

/// A project: what packs are bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Whose.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The one concurrency scale it takes.
    pub scale: String,
    /// DESKTOP or MOBILE.
    pub category: String,
    /// SHARED or EXCLUSIVE.
    pub project_type: String,
    /// The application it runs.
    pub application_id: String,
    /// How many of its concurrencies are in use.
    pub using: i64,
    /// When it was made.
    pub created: Timestamp,
}

/// The parameters of `CreateInstance`, understood.
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
    /// How many.
    pub quantity: i64,
    /// How long.
    pub term: Term,
    /// What happens at expiry.
    pub renew_flag: RenewFlag,
}

/// Which product, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `ProductCode`.
    pub product_code: String,
    /// `SubProductCode`; `SetRenewal` has none.
    pub sub_product_code: Option<String>,
    /// `RegionCode`.
    pub region: String,
}

/// The parameters of `RenewInstance`, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Product and region.
    pub target: Target,
    /// The instance.
    pub instance_id: String,
    /// How much longer.
    pub term: Term,
}

/// The answer to a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchased {
    /// The order.
    pub order_id: String,
    /// What was delivered at once.
    pub instance_ids: Vec<String>,
}

/// How a purchase is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// How many are delivered at once; absent = all.
    #[serde(default)]
    pub first: Option<i64>,
    /// When the rest follows, on the business clock; absent = never, or when `deliver` is called.
    #[serde(default)]
    pub rest_after_seconds: Option<i64>,
    /// Paid, but the delivery fails: `FailedOperation.PaySuccDeliverFailed`, order status 5.
    #[serde(default)]
    pub fails: bool,
}

impl Delivery {
    /// Everything at once.
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
