//! `PackOrder`: one spending act.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reason;
use crate::common::{AccountReference, ApplicationType, BillingMode, Condition, Money};

/// One spending act for a concurrency pack: a purchase, a renewal or a return. Written by the operator before any money moves, kept as the record of it.
///
/// Everything but `spec.approval` is immutable. To approve: kubectl patch packorder NAME --type merge -p '{"spec":{"approval":{"decision":"Approved"}}}'
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "carpack.io",
    version = "v1alpha1",
    kind = "PackOrder",
    doc = "One spending act for a concurrency pack: a purchase, a renewal or a return. Written by the operator before any money moves, and kept as the record of it. Only spec.approval is set by a person.",
    plural = "packorders",
    shortname = "porder",
    category = "carpack",
    namespaced,
    status = "PackOrderStatus",
    selectable = ".spec.packRef.namespace",
    selectable = ".spec.packRef.name",
    selectable = ".spec.action",
    selectable = ".spec.accountRef.name",
    printcolumn(name = "Action", type_ = "string", json_path = ".spec.action"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Quote", type_ = "string", json_path = ".spec.quote.amount"),
    printcolumn(name = "Currency", type_ = "string", json_path = ".spec.quote.currency"),
    printcolumn(name = "Paid", type_ = "string", json_path = ".status.paid.amount"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".spec.packRef.namespace"),
    printcolumn(name = "Pack", type_ = "string", json_path = ".spec.packRef.name"),
    printcolumn(name = "Approval", type_ = "string", json_path = ".spec.approval.decision", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.lines) || (has(self.status) && has(self.status.lines) && oldSelf.status.lines.all(o, self.status.lines.exists(n, n.index == o.index)))").message("what was recorded of an order's paid calls cannot be removed")
)]
#[x_kube(
    validation = Rule::new("self.packRef == oldSelf.packRef && self.accountRef == oldSelf.accountRef && self.action == oldSelf.action && self.ordinal == oldSelf.ordinal && self.packName == oldSelf.packName && self.decisionTime == oldSelf.decisionTime && self.terms == oldSelf.terms && self.lines == oldSelf.lines").message("an order cannot be changed: only spec.approval may be set"),
    validation = Rule::new("has(self.quote) == has(oldSelf.quote) && (!has(self.quote) || self.quote == oldSelf.quote)").message("an order's quote cannot be changed: only spec.approval may be set"),
    validation = Rule::new("has(self.maxPrice) == has(oldSelf.maxPrice) && (!has(self.maxPrice) || self.maxPrice == oldSelf.maxPrice)").message("an order's maxPrice cannot be changed: only spec.approval may be set"),
    validation = Rule::new("has(self.deadline) == has(oldSelf.deadline) && (!has(self.deadline) || self.deadline == oldSelf.deadline)").message("an order's deadline cannot be changed: only spec.approval may be set"),
    validation = Rule::new("!has(oldSelf.approval) || oldSelf.approval.decision != 'Denied' || (has(self.approval) && self.approval.decision == 'Denied')").message("a denied order stays denied: delete it, and the operator asks again")
)]
#[serde(rename_all = "camelCase")]
pub struct PackOrderSpec {
    /// The pack that this order is for.
    pub pack_ref: PackReference,
    /// The account that pays.
    pub account_ref: AccountReference,
    /// Buy, Renew or Return.
    pub action: OrderAction,
    /// Counts the orders of this action for this namespace and name, from 1. Only grows.
    #[schemars(range(min = 1))]
    pub ordinal: i64,
    /// The exact name under which the pack stands in the cloud; a number may be appended to it by the cloud.
    pub pack_name: String,
    /// What is bought.
    pub terms: OrderTerms,
    /// What it will cost by the account's price list. Absent for a return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Money>,
    /// The pack's maxPrice when the order was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Money>,
    /// When the operator decided on this order. Nothing is sent on the word of an older look at the cloud.
    pub decision_time: Time,
    /// Nothing is sent from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// One for each paid call.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["index".into()]))]
    pub lines: Vec<OrderLine>,
    /// The one part that a person sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// Names a pack and the object it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackReference {
    /// Namespace of the pack.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Name of the pack.
    #[schemars(length(max = 63))]
    pub name: String,
    /// UID of the pack.
    #[schemars(length(max = 64))]
    pub uid: String,
}

/// What a spending act does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OrderAction {
    /// Buys a pack, or the successor of one.
    Buy,
    /// Renews instances.
    Renew,
    /// Returns instances for a refund.
    Return,
}

impl OrderAction {
    /// The action as users, logs and metrics see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "Buy",
            Self::Renew => "Renew",
            Self::Return => "Return",
        }
    }
}

impl fmt::Display for OrderAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is bought or renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderTerms {
    /// Application type.
    pub application_type: ApplicationType,
    /// Daily or Monthly.
    pub billing_mode: BillingMode,
    /// Region.
    #[schemars(length(max = 64))]
    pub region: String,
    /// Concurrency scale.
    #[schemars(length(max = 32))]
    pub concurrency_scale: String,
    /// Number of concurrencies, over all lines.
    pub quantity: i32,
    /// Term in days (Daily) or months (Monthly).
    pub duration: i32,
    /// True when the cloud's own renewal is switched on with the purchase.
    pub auto_renew: bool,
}

/// One paid call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// Counts the lines from 0.
    pub index: i32,
    /// The instance that is renewed or returned; absent for a purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub instance_id: Option<String>,
    /// The expiry that is extended, or for a successor the moment from which its pack would have less than its quantity: if what outlasts it carries the whole pack meanwhile, the line is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews_from: Option<Time>,
    /// Sent with the call and with every repetition of it, so that the cloud can tell them for the same.
    #[schemars(length(max = 64))]
    pub client_token: String,
}

/// A person's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Approved or Denied.
    pub decision: Decision,
    /// ThisOrder (default), or ThisAndLaterRenewals: also the later renewals of this pack on the same terms, at no higher price, until `until`.
    #[serde(default)]
    pub scope: ApprovalScope,
    /// Last moment at which this approval covers a later renewal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decision {
    /// Yes.
    Approved,
    /// No: the order fails without any call.
    Denied,
}

/// How far an approval reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalScope {
    /// This order only.
    #[default]
    ThisOrder,
    /// This order and the later renewals of the same pack on the same terms, at no higher price.
    ThisAndLaterRenewals,
}

/// What became of an order.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackOrderStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<OrderState>,
    /// What it waits for or what became of it, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when only a look at the cloud, newer than this, stands between the order and its calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_time: Option<Time>,
    /// What was paid (for a return: what came back), as far as the cloud's books show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Money>,
    /// Offset from UTC of the cloud's timestamps, as this order shows it: the cloud has dated it, and when its call left is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What became of each line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["index".into()]))]
    pub lines: Vec<LineStatus>,
    /// What was tried and seen, newest last; the oldest entries beyond 50 are dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<TrailEntry>,
    /// Approved, Submitted, Fulfilled, Failed, Ambiguous.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The state in one word: AwaitingApproval (waits for a person), Pending (allowed, not sent yet), InProgress (being paid or delivered), Ambiguous (the outcome of a call is unknown: nothing more is spent on the pack until evidence settles it), Fulfilled, or Failed (proven not executed, and over).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OrderState {
    /// Waits for a person.
    AwaitingApproval,
    /// Allowed, and not sent yet (or refused for a reason that may pass).
    Pending,
    /// Calls are being made, or paid calls wait for their delivery to be seen.
    InProgress,
    /// The outcome of a call is not known: nothing more is spent on this pack until evidence settles it.
    Ambiguous,
    /// Done.
    Fulfilled,
    /// Proven not executed, and over.
    Failed,
}

/// What became of one paid call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineStatus {
    /// Which line.
    pub index: i32,
    /// Pending (not sent), Submitting (the intent is written), Unknown (sent, the money may be gone), Committed (paid, delivery not seen), Done, Rejected (proven not executed, over) or Void (no longer wanted when its turn came).
    pub state: LineState,
    /// How often the call was sent.
    #[serde(default)]
    pub attempts: i32,
    /// How often its outcome was not known at once.
    #[serde(default)]
    pub doubts: i32,
    /// When the intent to send was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit_time: Option<Time>,
    /// When the call before the last one was sent, if that was still in doubt when the last one was sent with the same token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_doubt_since: Option<Time>,
    /// Not sent again before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_time: Option<Time>,
    /// The cloud's order ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order_ids: Vec<String>,
    /// The cloud's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Instances that the call delivered, renewed or returned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_ids: Vec<String>,
    /// What it cost (for a return: what came back), as far as the cloud's books show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Money>,
    /// Category of the last refusal or doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Reason>,
    /// The last refusal or doubt in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// While the outcome is unknown: complete looks after the quarantine that found no trace of it.
    #[serde(default)]
    pub clear_looks: i32,
    /// While the outcome is unknown: when the last such look was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_look_time: Option<Time>,
}

/// State of one paid call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LineState {
    /// Not sent, or proven not executed and to be sent again.
    Pending,
    /// The intent to send is written; if nothing follows, the outcome is unknown.
    Submitting,
    /// Sent, outcome unknown: the money may be gone.
    Unknown,
    /// Paid; delivery not seen yet.
    Committed,
    /// Paid and delivered as far as it will be.
    Done,
    /// Proven not executed, and not to be sent again.
    Rejected,
    /// No longer wanted when its turn came: the expiry it renews from has moved, or the pack is gone.
    Void,
}

/// Something that was tried or seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrailEntry {
    /// When.
    pub time: Time,
    /// What.
    pub message: String,
}
