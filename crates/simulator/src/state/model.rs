//! What the simulated cloud stores.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    account::{AccessKey, AccountConfig, AccountSettings, AccountView},
    term::{BillingMode, Term},
};

/// What happens to an instance at its expiry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RenewFlag {
    /// The owner is notified; the cloud does not renew it.
    #[default]
    NotifyAndManualRenew,
    /// The cloud renews it for a month.
    NotifyAndAutoRenew,
    /// The owner is not notified; the cloud does not renew it.
    DisableNotifyAndManualRenew,
}

impl RenewFlag {
    /// Reads a flag as requests have it. None: the text is not a flag.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::NotifyAndManualRenew, Self::NotifyAndAutoRenew, Self::DisableNotifyAndManualRenew]
            .into_iter()
            .find(|flag| flag.as_str() == text)
    }

    /// The flag as requests and answers have it.
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
    /// The instance is in service.
    Normal,
    /// The instance has expired and is not removed yet.
    Isolated,
}

impl InstanceStatus {
    /// The status as answers have it.
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
    /// Its id: `cgpack-` and eight letters or digits.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Daily or Monthly.
    pub billing_mode: BillingMode,
    /// Its region.
    pub region: String,
    /// The availability zone that the purchase named.
    pub zone: String,
    /// Its concurrency scale.
    pub scale: String,
    /// Its application type: `Cloud3D`.
    pub application_type: String,
    /// The project that it is bound to. None: it is bound to none.
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
    /// The order that brought it.
    pub order_id: String,
    /// How many times it was reset.
    pub resets: u32,
}

/// An instance with its history, so that a list can be answered as it was earlier.
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

/// What an order did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderAction {
    /// It bought instances.
    Purchase,
    /// It renewed an instance.
    Renew,
    /// It returned an instance.
    Refund,
}

impl OrderAction {
    /// The action as answers have it.
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
    /// The number of the sub-order.
    pub order_id: String,
    /// The number of the big order.
    pub big_deal_id: String,
    /// The account that pays.
    pub account: String,
    /// Whether it is a purchase, a renewal or a refund.
    pub action: OrderAction,
    /// The documented status: 1 unpaid, 3 shipping, 4 shipped, 5 shipment failed, 6 refunded, 7 closed.
    pub status: i64,
    /// When the order was made.
    pub created: Timestamp,
    /// When the order was paid, which is when its term starts. None: it is not paid.
    pub paid: Option<Timestamp>,
    /// What the order costs or pays back, in cents.
    pub cost_cents: i64,
    /// The instances of the order, as far as they are delivered.
    pub instance_ids: Vec<String>,
    /// The term that is paid for.
    pub term: Term,
    /// The number of concurrencies.
    pub quantity: i64,
    /// The region of the instances.
    pub region: String,
    /// The availability zone of the instances.
    pub zone: String,
    /// What was bought. None: it is not a purchase.
    pub purchase: Option<Purchase>,
    /// The name of the pack, or of the instance.
    pub name: String,
    /// The caller's token. None where the call had none.
    pub client_token: Option<String>,
}

/// A project, to which packs are bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    /// The id of the project.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// The name of the project.
    pub name: String,
    /// Any text.
    pub description: String,
    /// The one concurrency scale of packs that can be bound to it.
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

/// The parameters of `CreateInstance`, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Purchase {
    /// The product and the region.
    pub target: Target,
    /// The availability zone.
    pub zone: String,
    /// The name of the pack.
    pub name: String,
    /// The concurrency scale.
    pub scale: String,
    /// The application type: `Cloud3D`.
    pub application_type: String,
    /// The project that the pack is bound to at once. None: it is bound to none.
    pub project_id: Option<String>,
    /// The number of concurrencies.
    pub quantity: i64,
    /// The term that is paid for.
    pub term: Term,
    /// What happens at expiry.
    pub renew_flag: RenewFlag,
}

/// A product and a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `ProductCode`.
    pub product_code: String,
    /// `SubProductCode`. None for `SetRenewal`, which has none.
    pub sub_product_code: Option<String>,
    /// `RegionCode`.
    pub region: String,
}

/// The parameters of `RenewInstance`, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The product and the region.
    pub target: Target,
    /// The id of the instance.
    pub instance_id: String,
    /// The term by which it is extended.
    pub term: Term,
}

/// The answer to a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchased {
    /// The id of the order.
    pub order_id: String,
    /// The ids of the instances that were delivered at once.
    pub instance_ids: Vec<String>,
}

/// How a purchase is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// How many instances are delivered at once. None: all.
    #[serde(default)]
    pub first: Option<i64>,
    /// After how many seconds of the business clock the rest is delivered. None: never, or when `deliver` is called.
    #[serde(default)]
    pub rest_after_seconds: Option<i64>,
    /// The purchase is paid and its delivery fails: `FailedOperation.PaySuccDeliverFailed`, and the order has status 5.
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

/// An account, an action and a token.
pub(crate) type TokenKey = (String, &'static str, String);

/// The first successful answer to a call with a token.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub(crate) parameters: String,
    pub(crate) answer: Purchased,
    pub(crate) at: Timestamp,
}
