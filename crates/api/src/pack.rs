//! `ConcurrencyPack`: prepaid capacity that a tenant wants.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{AccountReference, ApplicationType, BillingMode, Condition, Mode, Money};

/// A concurrency pack: so many concurrent users, of one scale, in one region, for so many days or months, bound to a project.
///
/// What was paid for cannot be changed: a different region, scale, quantity or duration is a different pack with another name.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "carpack.io",
    version = "v1alpha1",
    kind = "ConcurrencyPack",
    doc = "A concurrency pack: so many concurrent users, of one scale, in one region, for so many days or months, bound to a project. Applying it buys it. What was paid for cannot be changed: a different region, scale, quantity or duration is another pack with another name.",
    plural = "concurrencypacks",
    shortname = "cpack",
    category = "all",
    category = "carpack",
    namespaced,
    status = "ConcurrencyPackStatus",
    selectable = ".spec.region",
    selectable = ".spec.concurrencyScale",
    selectable = ".spec.billingMode",
    selectable = ".spec.accountRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Scale", type_ = "string", json_path = ".spec.concurrencyScale"),
    printcolumn(name = "Qty", type_ = "string", json_path = ".status.quantity"),
    printcolumn(name = "Project", type_ = "string", json_path = ".status.project"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expirationTime"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.next"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region", priority = 1),
    printcolumn(name = "Billing", type_ = "string", json_path = ".spec.billingMode", priority = 1),
    printcolumn(name = "Renewal", type_ = "string", json_path = ".spec.renewal.mode", priority = 1),
    printcolumn(name = "Spent", type_ = "string", json_path = ".status.spent", priority = 1),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountRef.name", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 63").message("the name of a ConcurrencyPack is at most 63 characters: it becomes part of the names of its orders"),
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.instances) || size(oldSelf.status.instances) == 0 || (has(self.spec.adopt) == has(oldSelf.spec.adopt) && (!has(self.spec.adopt) || self.spec.adopt == oldSelf.spec.adopt))").message("adopt cannot be changed once the pack has instances: to take over others, create another ConcurrencyPack").field_path(".spec.adopt")
)]
#[x_kube(
    validation = Rule::new("self.billingMode == oldSelf.billingMode").message("billingMode cannot be changed: what was paid for stays what it is; create another ConcurrencyPack").field_path(".billingMode"),
    validation = Rule::new("self.region == oldSelf.region").message("region cannot be changed: what was paid for stays where it is; create another ConcurrencyPack").field_path(".region"),
    validation = Rule::new("self.concurrencyScale == oldSelf.concurrencyScale").message("concurrencyScale cannot be changed after purchase: create another ConcurrencyPack and let this one lapse").field_path(".concurrencyScale"),
    validation = Rule::new("self.quantity == oldSelf.quantity").message("quantity cannot be changed: for more capacity create another ConcurrencyPack beside this one").field_path(".quantity"),
    validation = Rule::new("self.duration == oldSelf.duration").message("duration cannot be changed: set renewal.duration for the terms to come, or create another ConcurrencyPack").field_path(".duration"),
    validation = Rule::new("has(self.accountRef) == has(oldSelf.accountRef) && (!has(self.accountRef) || self.accountRef == oldSelf.accountRef)").message("accountRef cannot be changed: a pack belongs to the account that paid for it; create another ConcurrencyPack").field_path(".accountRef"),
    validation = Rule::new("has(self.applicationType) == has(oldSelf.applicationType) && (!has(self.applicationType) || self.applicationType == oldSelf.applicationType)").message("applicationType cannot be changed: create another ConcurrencyPack").field_path(".applicationType"),
    validation = Rule::new("!(self.billingMode == 'Daily' && self.renewal.mode == 'AutoRenew')").message("a Daily pack cannot auto-renew in the cloud: use renewal.mode Operator, and the operator renews it in time").field_path(".renewal.mode"),
    validation = Rule::new("self.renewal.mode != 'None' || has(self.adopt) || (has(self.purchaseWindow) && has(self.purchaseWindow.notAfter))").message("renewal.mode None needs purchaseWindow.notAfter, so that the same manifest applied again later does not buy a past event once more: set the last moment at which buying still makes sense").field_path(".purchaseWindow"),
    validation = Rule::new("self.quantity <= 100").message("quantity is at most 100, as in one purchase: for more capacity create several ConcurrencyPacks").field_path(".quantity"),
    validation = Rule::new("!has(self.renewal.renewBefore) || !self.renewal.renewBefore.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') || duration(self.renewal.renewBefore).getSeconds() < (has(self.renewal.duration) && self.renewal.duration < self.duration ? self.renewal.duration : self.duration) * (self.billingMode == 'Daily' ? 86400 : 2419200)").message("renewBefore must be shorter than the term: a pack would be renewed as soon as it was bought; shorten renewBefore or lengthen the duration").field_path(".renewal.renewBefore")
)]
#[serde(rename_all = "camelCase")]
pub struct ConcurrencyPackSpec {
    /// The account that pays. Default: the CarAccount named `default`. Immutable.
    #[serde(default)]
    pub account_ref: AccountReference,
    /// Application type, as on the purchase form. Immutable.
    #[serde(default)]
    pub application_type: ApplicationType,
    /// Id of the project whose users the pack serves. Absent = to be allocated. May be changed at any time: the pack moves. The project's concurrency scale must be the pack's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub project: Option<String>,
    /// Daily or Monthly. Immutable.
    pub billing_mode: BillingMode,
    /// Region where the concurrencies run, such as ap-singapore. Immutable.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[a-z0-9-]+$"))]
    pub region: String,
    /// Concurrency scale, such as S1, M1, L1, L2, XL2. Cannot be changed after purchase. Immutable.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub concurrency_scale: String,
    /// Number of concurrencies = concurrent users, 1 to 100 (the most that one purchase allows). Immutable.
    #[schemars(range(min = 1, max = 100))]
    pub quantity: i32,
    /// How long the pack lasts when bought: days (Daily) or months (Monthly), 1 to 36 (the most that one purchase allows). Immutable.
    #[schemars(range(min = 1))]
    #[x_kube(
        validation = Rule::new("self <= 36").message("a pack is bought for at most 36 days (Daily) or 36 months (Monthly): set a shorter duration and let it renew")
    )]
    pub duration: i32,
    /// Name of the pack in the cloud's console. Default: made of namespace and name. A short hash is always appended, and by the cloud a number where several concurrencies were bought together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$"))]
    pub pack_name: Option<String>,
    /// What happens when the pack nears its expiry. Required, so that nobody lapses by forgetting.
    pub renewal: Renewal,
    /// When the pack may be bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_window: Option<PurchaseWindow>,
    /// The most that one order for this pack may cost. Above it nothing is bought or renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Money>,
    /// Take over what was already bought instead of buying. The instances must be of the declared region, scale and quantity; they get the pack's name. The account's tenants must allow it. Cannot be changed once the pack has instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,
    /// What deletion of this object does in the cloud: Retain (default: nothing is touched), Lapse (the cloud's auto-renewal is switched off and the pack runs out) or Return (a refund, by an order that always waits for approval). Deletion never spends.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How far the operator may go for this pack: Observe, DryRun, ApprovalRequired or Automatic. The lowest of installation, account and pack wins.
    #[serde(default)]
    pub mode: Mode,
}

/// What happens when the pack nears its expiry.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.renewBefore) || self.renewBefore.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$')").message("renewBefore is written in hours, minutes and seconds, such as 6h, 90m or 1h30m; a day is 24h").field_path(".renewBefore"),
    validation = Rule::new("!has(self.renewBefore) || !self.renewBefore.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') || duration(self.renewBefore) >= duration('1h')").message("renewBefore must be at least 1h: less leaves no time to retry a renewal that fails").field_path(".renewBefore"),
    validation = Rule::new("self.mode == 'Operator' || (!has(self.duration) && !has(self.renewBefore) && !has(self.until) && !has(self.strategy))").message("duration, renewBefore, until and strategy belong to renewal.mode Operator: remove them, or set the mode to Operator")
)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    /// None (it ends at expiry), AutoRenew (the cloud's own switch, Monthly only, one month at a time) or Operator (carpack renews it).
    pub mode: RenewalMode,
    /// Operator: term of each renewal in days (Daily) or months (Monthly), 1 to 36 (the most that one renewal allows). Default: the pack's own duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    #[x_kube(
        validation = Rule::new("self <= 36").message("a pack is renewed for at most 36 days (Daily) or 36 months (Monthly) at a time: set a shorter renewal.duration; the renewals follow one another")
    )]
    pub duration: Option<i32>,
    /// Operator: how long before expiry to renew, such as 6h or 90m. Default: a third of the term, at least 2h, at most 72h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    pub renew_before: Option<String>,
    /// Operator: no renewal once the pack lasts until this moment, and none after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Operator: Extend (default) renews each instance; Replace buys a successor, binds it, and lets the old one run out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RenewalStrategy>,
}

/// Who renews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RenewalMode {
    /// Nobody: the pack ends at its expiry.
    None,
    /// The cloud's own switch (Monthly only).
    AutoRenew,
    /// carpack.
    Operator,
}

/// Operator: Extend (default) renews each instance; Replace buys a successor, binds it, and lets the old one run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RenewalStrategy {
    /// Renew each instance.
    #[default]
    Extend,
    /// Buy a successor, bind it, let the old one run out.
    Replace,
}

/// When the pack may be bought.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter").message("notBefore must be before notAfter")
)]
#[serde(rename_all = "camelCase")]
pub struct PurchaseWindow {
    /// Not bought before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// Not bought from this moment on, whatever is applied again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
}

/// Take over what was already bought.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopt {
    /// Ids of the instances to take over, 1 to 100.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub instance_ids: Vec<String>,
}

/// What deletion of the object does in the cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Nothing is touched; the account reports the pack as unclaimed.
    #[default]
    Retain,
    /// The cloud's auto-renewal is switched off; the pack runs out.
    Lapse,
    /// The pack is returned for a refund, by an order that always waits for approval.
    Return,
}

/// What the operator knows of a pack.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConcurrencyPackStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state in one word: the reason of Ready, or Ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Usable concurrencies of those declared, such as 20/20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// The project that all usable instances are bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// When the first of the instances in use expires, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// Where expirationTime comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time_source: Option<ExpirationTimeSource>,
    /// When the cloud was last seen to say so (refreshed every hour while nothing changes; a look that is too old shows in Ready).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_observed_time: Option<Time>,
    /// When the operator will renew next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_renewal_time: Option<Time>,
    /// How many renewals were carried out for this pack, as far as orders of them exist.
    #[serde(default)]
    pub renewals: i64,
    /// The order under way, or the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<OrderReference>,
    /// What the orders of this pack have cost that still exist (settled ones are kept for 90 days), such as "6300.00 USD".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<String>,
    /// What happens next, when, and for how much, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The project to which the operator bound the pack last; what a person bound is not in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_project: Option<String>,
    /// The highest ordinals of this pack's orders so far: an ordinal is never used again, even when its order was deleted.
    #[serde(default)]
    pub ordinals: Ordinals,
    /// The instances in the cloud that belong to this pack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub instances: Vec<InstanceStatus>,
    /// Ready, Purchased, Assigned, RenewalOnTrack; Ended; and for generic tools Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The highest ordinal of each action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ordinals {
    /// Of purchases.
    #[serde(default)]
    pub buy: i64,
    /// Of renewals.
    #[serde(default)]
    pub renew: i64,
    /// Of returns.
    #[serde(default)]
    pub r#return: i64,
}

/// Where expirationTime comes from: Billing (the cloud's renewal list) or ConcurrentPackages (its list of concurrent packages).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExpirationTimeSource {
    /// The cloud's renewal list (billing).
    Billing,
    /// The cloud's list of concurrent packages (car).
    ConcurrentPackages,
}

/// One instance in the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// The cloud's id of the instance.
    pub id: String,
    /// Its name in the cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of concurrencies in it; absent while the cloud has not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrencies: Option<i32>,
    /// The project it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// When it expires, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// The cloud's own renewal switch: Auto, Manual or Unknown.
    pub renew_flag: RenewFlag,
    /// Usable, Expired, or Missing (the cloud no longer lists it).
    pub state: InstanceState,
}

/// The cloud's own renewal switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RenewFlag {
    /// On.
    Auto,
    /// Off.
    Manual,
    /// Not seen.
    Unknown,
}

/// State of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InstanceState {
    /// Not expired and listed by the cloud.
    Usable,
    /// Past its expiry.
    Expired,
    /// Not expired, and no longer listed by the cloud.
    Missing,
}

/// Names a PackOrder in the operator's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderReference {
    /// Namespace of the order.
    pub namespace: String,
    /// Name of the order.
    pub name: String,
}
