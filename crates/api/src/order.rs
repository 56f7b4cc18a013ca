//! `PackOrder`: one purchase, renewal or return, and the record of it.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Reason;
use crate::common::{AccountReference, ApplicationType, BillingMode, Condition, Money};

/// One purchase, renewal or return of a concurrency pack. carpack writes it before any money moves, and keeps it as the record.
///
/// Only `spec.approval` can be changed. To approve: kubectl patch packorder NAME --type merge -p '{"spec":{"approval":{"decision":"Approved"}}}'
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "carpack.io",
    version = "v1alpha1",
    kind = "PackOrder",
    doc = "One purchase, renewal or return of a concurrency pack. carpack writes it before any money moves, and keeps it as the record. Only spec.approval can be changed, and only a person sets it.",
    plural = "packorders",
    shortname = "porder",
    category = "carpack",
    namespaced,
    status = "PackOrderStatus",
    selectable = ".spec.packRef.namespace",
    selectable = ".spec.packRef.name",
    selectable = ".spec.action",
    selectable = ".spec.accountRef.name",
    printcolumn(name = "Action", type_ = "string", description = "Buy, Renew or Return", json_path = ".spec.action"),
    printcolumn(name = "State", type_ = "string", description = "AwaitingApproval, Pending, InProgress, Ambiguous, Fulfilled or Failed", json_path = ".status.state"),
    printcolumn(name = "Quote", type_ = "string", description = "What the order costs by the price list", json_path = ".spec.quote.amount"),
    printcolumn(name = "Currency", type_ = "string", description = "The currency of the quote", json_path = ".spec.quote.currency"),
    printcolumn(name = "Paid", type_ = "string", description = "What was paid, or came back by a return, as far as the cloud's deals show it", json_path = ".status.paid.amount"),
    printcolumn(name = "Namespace", type_ = "string", description = "Namespace of the pack", json_path = ".spec.packRef.namespace"),
    printcolumn(name = "Pack", type_ = "string", description = "Name of the pack", json_path = ".spec.packRef.name"),
    printcolumn(name = "Approval", type_ = "string", description = "A person's decision: Approved or Denied", json_path = ".spec.approval.decision", priority = 1),
    printcolumn(name = "Message", type_ = "string", description = "What the order waits for, or what became of it", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", description = "Time since the order was made", json_path = ".metadata.creationTimestamp"),
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
    /// The account that pays, or that is paid back by a return.
    pub account_ref: AccountReference,
    /// What the order does: Buy (a pack, or the successor of one), Renew (instances) or Return (instances, for a refund).
    pub action: OrderAction,
    /// Number of the order among those of this action for this namespace and name, from 1. A number is never used twice.
    #[schemars(range(min = 1))]
    pub ordinal: i64,
    /// The exact name of the pack in the cloud. The cloud may append a number to it.
    pub pack_name: String,
    /// What is bought, renewed or returned.
    pub terms: OrderTerms,
    /// What the order costs by the account's price list. Absent for a return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Money>,
    /// The pack's `maxPrice` when the order was made. Absent: the pack had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Money>,
    /// When carpack decided on this order, in UTC. Only a sweep that began later allows its calls.
    pub decision_time: Time,
    /// No call is sent from this moment on. Absent: the order has no deadline.
    ///
    /// For a first purchase: `purchaseWindow.notAfter` or `renewal.until`, whichever is earlier. For a renewal: the latest expiry of its lines or `renewal.until`, whichever is earlier.
    ///
    /// For a return: the latest expiry of its lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// The paid calls of the order, 1 to 200: one for a purchase, and one for each instance of a renewal or return.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["index".into()]))]
    pub lines: Vec<OrderLine>,
    /// A person's decision, the only field that a person sets. Absent: nobody has decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// Names a ConcurrencyPack, and the object that had this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackReference {
    /// Namespace of the pack.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Name of the pack.
    #[schemars(length(max = 63))]
    pub name: String,
    /// UID of the pack. An object that is created later under the same name has another one.
    #[schemars(length(max = 64))]
    pub uid: String,
}

/// What an order does.
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

/// What is bought, renewed or returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderTerms {
    /// Application type, as on the purchase form.
    pub application_type: ApplicationType,
    /// Billing mode: Daily or Monthly.
    pub billing_mode: BillingMode,
    /// Region of the instances.
    #[schemars(length(max = 64))]
    pub region: String,
    /// Concurrency scale of the instances.
    #[schemars(length(max = 32))]
    pub concurrency_scale: String,
    /// Number of concurrencies, over all lines.
    pub quantity: i32,
    /// Term in days (Daily) or months (Monthly).
    pub duration: i32,
    /// True: the purchase switches the cloud's own renewal on.
    pub auto_renew: bool,
}

/// One paid call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// Number of the line, from 0.
    pub index: i32,
    /// The instance that is renewed or returned. Absent for a purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub instance_id: Option<String>,
    /// For a renewal the expiry that is extended, for a successor the moment from which its pack has less than its quantity. Absent for a first purchase.
    ///
    /// The line becomes Void if the expiry has moved, or if instances that last longer carry the whole pack. A return records the expiry here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews_from: Option<Time>,
    /// Token that is sent with the call and with every repetition of it, so that the cloud can recognise a repetition.
    #[schemars(length(max = 64))]
    pub client_token: String,
}

/// A person's decision on an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Approved, or Denied: the order fails without a call, and stays denied.
    pub decision: Decision,
    /// ThisOrder (default), or ThisAndLaterRenewals: also later renewals of this pack on the same terms, at no higher price, until `until`.
    ///
    /// The same terms are the same application type, billing mode, region, scale and duration, for no more concurrencies.
    #[serde(default)]
    pub scope: ApprovalScope,
    /// From this moment on the approval covers no later renewal. Absent: it covers them without an end. This order itself stays approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::moment")]
    pub until: Option<Time>,
}

/// A person's yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decision {
    /// Yes.
    Approved,
    /// No: the order fails without a call.
    Denied,
}

/// How far an approval reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalScope {
    /// It covers this order only.
    #[default]
    ThisOrder,
    /// It covers this order, and later renewals of the same pack on the same terms, at no higher price.
    ThisAndLaterRenewals,
}

/// What became of an order.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackOrderStatus {
    /// The generation of the spec that this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state in one word: AwaitingApproval (a person must decide), Pending (allowed, not sent yet), InProgress (being paid or delivered), Ambiguous, Fulfilled or Failed.
    ///
    /// Ambiguous: the outcome of a call is unknown, and nothing more is spent on the pack until evidence settles it. Failed: nothing was spent, and the order is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<OrderState>,
    /// What the order waits for, or what became of it, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when the order waits for nothing but a newer sweep, in UTC: only a sweep that began later allows its calls. Absent: it waits for something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_time: Option<Time>,
    /// What was paid, or came back by a return, as far as the cloud's deals show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Money>,
    /// Offset from UTC of the cloud's timestamps, such as +08:00: when the call left, compared with the date of its deal. Absent: this order does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What became of each line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["index".into()]))]
    pub lines: Vec<LineStatus>,
    /// What was tried and observed, newest last. Beyond 50 entries the oldest are dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<TrailEntry>,
    /// Approved, Submitted and Fulfilled; Failed or Ambiguous; PaidAsQuoted once the order is known to have cost more than its quote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The state in one word: AwaitingApproval (a person must decide), Pending (allowed, not sent yet), InProgress (being paid or delivered), Ambiguous, Fulfilled or Failed.
///
/// Ambiguous: the outcome of a call is unknown, and nothing more is spent on the pack until evidence settles it. Failed: nothing was spent, and the order is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OrderState {
    /// The order waits for a person's decision.
    AwaitingApproval,
    /// The order is allowed and not sent yet, or it was refused for a reason that may pass.
    Pending,
    /// Calls are being made, or paid calls wait until their delivery is observed.
    InProgress,
    /// The outcome of a call is unknown: nothing more is spent on the pack until evidence settles it.
    Ambiguous,
    /// Paid and delivered, as far as it will be.
    Fulfilled,
    /// Nothing was spent, and the order is over.
    Failed,
}

/// What became of one paid call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineStatus {
    /// Number of the line in `spec.lines`.
    pub index: i32,
    /// Pending (not sent), Submitting (the intent is written), Unknown (sent, outcome unknown), Committed (paid, delivery not observed), Done, Rejected or Void.
    ///
    /// Unknown: the money may be gone. Rejected: proven not executed, and not sent again. Void: no longer wanted when its turn came.
    pub state: LineState,
    /// How often carpack has written the intent to send the call: it counts before each call.
    #[serde(default)]
    pub attempts: i32,
    /// How many of the attempts had an outcome that was unknown at first.
    #[serde(default)]
    pub doubts: i32,
    /// When the intent to send was last written, in UTC. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit_time: Option<Time>,
    /// When the attempt before the last one was made, in UTC, if its outcome was still unknown when the last one was made with the same token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_doubt_since: Option<Time>,
    /// carpack does not send the call again before this moment, in UTC. Absent: it need not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_time: Option<Time>,
    /// Ids of the deals, the cloud's own orders, that the call made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order_ids: Vec<String>,
    /// The cloud's id of the request, for questions to the cloud's support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Ids of the instances that the call delivered, renewed or returned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_ids: Vec<String>,
    /// What the call cost, or brought back by a return, as far as the cloud's deals show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Money>,
    /// Reason of the last refusal or of the last unknown outcome, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Reason>,
    /// The last refusal, or why the outcome was unknown, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// While the outcome is unknown: how many complete sweeps after the quarantine found no trace of the call. Two prove that it was not executed.
    #[serde(default)]
    pub clear_looks: i32,
    /// While the outcome is unknown: when the last sweep that `clearLooks` counts began, in UTC.
    ///
    /// For a Done line: when the deals were last read in which its cost was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_look_time: Option<Time>,
}

/// The state of one paid call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LineState {
    /// Not sent, or proven not executed and to be sent again.
    Pending,
    /// The intent to send is written. If nothing follows, the outcome is unknown.
    Submitting,
    /// Sent, and the outcome is unknown: the money may be gone.
    Unknown,
    /// Paid, and the delivery is not observed yet.
    Committed,
    /// Paid, and delivered as far as it will be.
    Done,
    /// Proven not executed, and not sent again.
    Rejected,
    /// No longer wanted when its turn came: the expiry that it renews from has moved, or the pack is gone.
    Void,
}

/// Something that was tried or observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrailEntry {
    /// When it was tried or observed, in UTC.
    pub time: Time,
    /// What was tried or observed.
    pub message: String,
}
