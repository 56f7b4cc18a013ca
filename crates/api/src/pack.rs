//! `ConcurrencyPack`: the prepaid capacity that a tenant declares.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{AccountReference, ApplicationType, BillingMode, Condition, Mode, Money};

/// A concurrency pack: prepaid capacity for so many concurrent users, of one scale, in one region, for so many days or months, bound to a project.
///
/// Applying it buys it, unless `adopt` is set. What was paid for cannot be changed: another region, scale, quantity or duration needs another object with another name.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "carpack.io",
    version = "v1alpha1",
    kind = "ConcurrencyPack",
    doc = "A concurrency pack: prepaid capacity for so many concurrent users, of one scale, in one region, for so many days or months, bound to a project. Applying it buys it, unless spec.adopt is set. What was paid for cannot be changed: another region, scale, quantity or duration needs another object with another name.",
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
    printcolumn(name = "Ready", type_ = "string", description = "True while the pack is usable as declared", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", description = "The reason of the condition Ready, or Ended", json_path = ".status.reason"),
    printcolumn(name = "Scale", type_ = "string", description = "Concurrency scale", json_path = ".spec.concurrencyScale"),
    printcolumn(name = "Qty", type_ = "string", description = "Usable concurrencies of those declared", json_path = ".status.quantity"),
    printcolumn(name = "Project", type_ = "string", description = "The project that all usable instances are bound to", json_path = ".status.project"),
    printcolumn(name = "Expires", type_ = "string", description = "The earliest expiry of the instances in use, in UTC", json_path = ".status.expirationTime"),
    printcolumn(name = "Next", type_ = "string", description = "What happens next, when, and for how much", json_path = ".status.next"),
    printcolumn(name = "Region", type_ = "string", description = "Region where the concurrencies run", json_path = ".spec.region", priority = 1),
    printcolumn(name = "Billing", type_ = "string", description = "Daily or Monthly", json_path = ".spec.billingMode", priority = 1),
    printcolumn(name = "Renewal", type_ = "string", description = "Who renews the pack: None, AutoRenew (the cloud) or Operator (carpack)", json_path = ".spec.renewal.mode", priority = 1),
    printcolumn(name = "Spent", type_ = "string", description = "What the existing orders of the pack have cost", json_path = ".status.spent", priority = 1),
    printcolumn(name = "Account", type_ = "string", description = "The CarAccount that pays", json_path = ".spec.accountRef.name", priority = 1),
    printcolumn(name = "Age", type_ = "date", description = "Time since the object was created", json_path = ".metadata.creationTimestamp", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 63").message("the name of a ConcurrencyPack is at most 63 characters: it becomes part of the names of its orders"),
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.instances) || size(oldSelf.status.instances) == 0 || (has(self.spec.adopt) == has(oldSelf.spec.adopt) && (!has(self.spec.adopt) || self.spec.adopt == oldSelf.spec.adopt))").message("adopt cannot be changed once the pack has instances: to adopt others, create another ConcurrencyPack").field_path(".spec.adopt")
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
    /// The account that pays. Absent: the CarAccount named `default`. Cannot be changed.
    #[serde(default)]
    pub account_ref: AccountReference,
    /// Application type of the purchase form: Cloud3D, its only value and the default. Cannot be changed.
    #[serde(default)]
    pub application_type: ApplicationType,
    /// Project of the purchase form: id of the project whose users use the pack, 1 to 128 characters. Absent: to be allocated later; nobody can use the pack until then.
    ///
    /// May be changed at any time: carpack moves the pack, and moves it back when somebody else moves it. When it is removed, carpack unbinds what it has bound itself.
    ///
    /// The project must have the pack's concurrency scale, and the account's `tenants` must grant it to this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(
        validation = Rule::new("self.matches('^[!-~]+$')").message("project is the id of a project, such as cap-1a2b3c4d: it has no spaces and no control characters")
    )]
    pub project: Option<String>,
    /// Billing mode of the purchase form: Daily (prepaid by the day) or Monthly (prepaid by the month). Cannot be changed.
    ///
    /// By the cloud's published prices one month costs about as much as ten days. The cloud's auto-renew takes Monthly packs only; carpack renews both.
    ///
    /// The account must have a price and a period unit for the billing mode.
    pub billing_mode: BillingMode,
    /// Region of the purchase form, where the concurrencies run, such as ap-singapore, ap-tokyo or eu-frankfurt. Cannot be changed.
    ///
    /// Choose one near the users: a session across regions is worse for them. The account's price list must have a price for the region.
    ///
    /// 1 to 64 lower-case letters, digits and hyphens. carpack takes any region, because the cloud's list grows.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[a-z0-9-]+$"))]
    pub region: String,
    /// Concurrency scale of the purchase form, such as S1, M1, L1, L2, XL2: how large the machine behind each concurrency is. Cannot be changed.
    ///
    /// A pack can be bound only to a project of its own scale. The cloud cannot change the scale after the purchase. The account's price list must have a price for it.
    ///
    /// 1 to 32 letters, digits, hyphens and underscores. carpack takes any scale, because the cloud's list grows.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub concurrency_scale: String,
    /// Quantity of the purchase form: number of concurrencies, which is the number of concurrent users, 1 to 100. Cannot be changed.
    ///
    /// 100 is the most that one purchase allows: for more, create several packs.
    #[schemars(range(min = 1, max = 100))]
    pub quantity: i32,
    /// Duration of the purchase form: how many days (Daily) or months (Monthly), 1 to 36, the pack lasts when it is bought. Cannot be changed.
    ///
    /// 36 is the most that one purchase allows: for a longer time, let the pack renew. `renewal.duration` sets the length of later terms.
    #[schemars(range(min = 1))]
    #[x_kube(
        validation = Rule::new("self <= 36").message("a pack is bought for at most 36 days (Daily) or 36 months (Monthly): set a shorter duration and let it renew")
    )]
    pub duration: i32,
    /// Pack name of the purchase form, 1 to 40 characters. Absent: `<namespace>-<name>`, cut to 40 characters. May be changed: carpack renames the instances.
    ///
    /// In the cloud the name is `<packName>-<hash>`: carpack recognises the pack by the hash. The cloud appends a number to the name of each of several instances.
    ///
    /// Letters, digits, spaces, dots, underscores and hyphens; the first is a letter or a digit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$"))]
    pub pack_name: Option<String>,
    /// What happens when the pack nears its expiry. Required, so that no pack lapses because somebody forgot to set it.
    pub renewal: Renewal,
    /// When the pack may be bought. Absent: at once, and at any later time before `renewal.until`. Renewals do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_window: Option<PurchaseWindow>,
    /// The most that one order for this pack may cost, in the currency of the account's price list. Above it nothing is bought or renewed. Absent: the pack sets no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Money>,
    /// Instances that were already bought, and that this pack adopts instead of being bought. Absent: the pack is bought.
    ///
    /// The instances must have the declared region and scale, and hold the declared quantity together. carpack gives them the pack's name. The account's `tenants` must allow it.
    ///
    /// Cannot be changed once the pack has instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,
    /// What the deletion of this object does in the cloud: Retain (default), Lapse or Return. A deletion never spends.
    ///
    /// Retain: nothing is touched. Lapse: carpack switches the cloud's own renewal off, and the pack expires. Return: carpack makes an order for a refund, which always waits for approval.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How far carpack may go for this pack. Default: Automatic. The lowest mode of installation, account and pack wins.
    ///
    /// Observe and DryRun change nothing and report what would be done. ApprovalRequired spends after a person's approval of each order. Automatic spends within prices and limits.
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
    /// Who renews the pack: None (nobody, it ends at its expiry), AutoRenew (the cloud, Monthly only) or Operator (carpack).
    ///
    /// None needs `purchaseWindow.notAfter`, unless `adopt` is set.
    ///
    /// AutoRenew is Auto-renew of the purchase form: the cloud renews for one month on the day of expiry if the balance suffices. If it does not, the pack ends.
    pub mode: RenewalMode,
    /// With Operator: term of each renewal in days (Daily) or months (Monthly), 1 to 36. Absent: the pack's own `duration`.
    ///
    /// 36 is the most that one renewal allows; the renewals follow one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    #[x_kube(
        validation = Rule::new("self <= 36").message("a pack is renewed for at most 36 days (Daily) or 36 months (Monthly) at a time: set a shorter renewal.duration; the renewals follow one another")
    )]
    pub duration: Option<i32>,
    /// With Operator: how long before the expiry carpack renews, in hours, minutes and seconds, such as 6h or 90m. At least 1h, and shorter than the term.
    ///
    /// Absent: a third of the term, at least 2h and at most 72h. Where `duration` and `renewal.duration` differ, the shorter of them is the term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    pub renew_before: Option<String>,
    /// With Operator: carpack renews what expires an hour or more before this moment, and renews nothing from this moment on. Absent: the renewals have no end.
    ///
    /// What expires later counts as lasting until this moment. A pack that was not bought before this moment is not bought any more; it can still adopt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::moment")]
    pub until: Option<Time>,
    /// With Operator: how the pack is renewed. Extend (default): each instance is renewed. Replace: carpack buys a successor, binds it, and lets the old instances expire.
    ///
    /// Use Replace where the cloud does not extend packs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RenewalStrategy>,
}

/// Who renews a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RenewalMode {
    /// Nobody: the pack ends at its expiry.
    None,
    /// The cloud, by its own renewal switch (Monthly only).
    AutoRenew,
    /// carpack.
    Operator,
}

/// With Operator: how the pack is renewed. Extend (default): each instance is renewed. Replace: carpack buys a successor, binds it, and lets the old instances expire.
///
/// Use Replace where the cloud does not extend packs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RenewalStrategy {
    /// Each instance is renewed.
    #[default]
    Extend,
    /// carpack buys a successor, binds it, and lets the old instances expire.
    Replace,
}

/// When the pack may be bought.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter").message("notBefore must be before notAfter")
)]
#[serde(rename_all = "camelCase")]
pub struct PurchaseWindow {
    /// carpack does not buy the pack before this moment. Absent: the window is open from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::moment")]
    pub not_before: Option<Time>,
    /// carpack neither buys nor adopts anything from this moment on, even if the manifest is applied again. Absent: the window has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::moment")]
    pub not_after: Option<Time>,
}

/// What was already bought and is to be adopted.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopt {
    /// Ids of the instances to adopt, 1 to 100, each of 1 to 128 characters.
    ///
    /// The account's `status.unclaimedInstances` lists instances that no pack of the account has.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 128)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(id, id.matches('^[!-~]+$'))").message("instanceIds are ids of instances as status.unclaimedInstances shows them: an id has no spaces and no control characters")
    )]
    pub instance_ids: Vec<String>,
}

/// What the deletion of the object does in the cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Nothing is touched. The account reports the instances as unclaimed.
    #[default]
    Retain,
    /// carpack switches the cloud's own renewal off, and the pack expires.
    Lapse,
    /// carpack makes an order that returns the pack for a refund. The order always waits for approval.
    Return,
}

/// What carpack has recorded of a pack.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConcurrencyPackStatus {
    /// The generation of the spec that this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state in one word: the reason of the condition Ready, or Ended once the pack has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Usable concurrencies of those declared, such as 20/20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// The project that all usable instances are bound to. Absent: they are bound to different projects or to none, or the cloud does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The earliest expiry of the instances in use, in UTC; once none is in use, the latest expiry of all. Absent: the cloud does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// The list of the cloud that expirationTime comes from: Billing (the renewal list) or ConcurrentPackages (the list of concurrent packages).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time_source: Option<ExpirationTimeSource>,
    /// When the newest complete sweep that this status was made from began, in UTC. Written once an hour while nothing else changes; a sweep that is too old shows in Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_observed_time: Option<Time>,
    /// When carpack renews the pack next, in UTC. Absent: no renewal by carpack is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_renewal_time: Option<Time>,
    /// How many renewals were carried out for this pack, as far as their orders exist. The number never falls.
    #[serde(default)]
    pub renewals: i64,
    /// The order of this pack that is under way, or else the newest one. Absent: the pack has had no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<OrderReference>,
    /// What the existing orders of this pack have cost, such as "6300.00 USD", returns aside. Settled orders are kept for 90 days, and the newest of each action for longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<String>,
    /// What happens next, when, and for how much, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The project to which carpack bound the pack last. Absent: carpack has bound it to none. A binding by a person is not recorded here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_project: Option<String>,
    /// The highest ordinals of this pack's orders so far. An ordinal is never used again, even when its order was deleted.
    #[serde(default)]
    pub ordinals: Ordinals,
    /// The instances in the cloud that belong to this pack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub instances: Vec<InstanceStatus>,
    /// Ready, Purchased, Assigned and RenewalOnTrack; Ended; Deleting; and for generic tools Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The highest ordinal of each action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ordinals {
    /// The highest ordinal of a purchase. 0: there was none.
    #[serde(default)]
    pub buy: i64,
    /// The highest ordinal of a renewal. 0: there was none.
    #[serde(default)]
    pub renew: i64,
    /// The highest ordinal of a return. 0: there was none.
    #[serde(default)]
    pub r#return: i64,
}

/// The list of the cloud that expirationTime comes from: Billing (the renewal list) or ConcurrentPackages (the list of concurrent packages).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExpirationTimeSource {
    /// The cloud's renewal list (service billing).
    Billing,
    /// The cloud's list of concurrent packages (service car).
    ConcurrentPackages,
}

/// What carpack has recorded of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// The cloud's id of the instance.
    pub id: String,
    /// Its name in the cloud. Absent: the cloud has not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of concurrencies in it. Absent: the cloud has not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrencies: Option<i32>,
    /// The project it is bound to. Absent: it is bound to none, or the cloud does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// When it expires, in UTC. Absent: the cloud has not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// The cloud's own renewal of the instance: Auto (on), Manual (off) or Unknown (not observed).
    pub renew_flag: RenewFlag,
    /// Usable (listed and not expired), Expired, or Missing (not expired, and the cloud no longer lists it).
    pub state: InstanceState,
}

/// The cloud's own renewal of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RenewFlag {
    /// Switched on.
    Auto,
    /// Switched off.
    Manual,
    /// Not observed.
    Unknown,
}

/// The state of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InstanceState {
    /// Listed by the cloud and not expired.
    Usable,
    /// Past its expiry.
    Expired,
    /// Not expired, and no longer listed by the cloud.
    Missing,
}

/// Names a PackOrder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderReference {
    /// Namespace of the order: the operator's.
    pub namespace: String,
    /// Name of the order.
    pub name: String,
}
