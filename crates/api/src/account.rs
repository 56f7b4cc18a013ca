//! `CarAccount`: an account with the cloud, and which namespaces may spend from it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{BillingMode, Condition, Mode};
use crate::purchase::Purchase;

/// An account with the cloud: its key, how packs are bought with it and at which prices, and which namespaces may spend from it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "carpack.io",
    version = "v1alpha1",
    kind = "CarAccount",
    doc = "An account with the cloud: its key, how packs are bought with it and at which prices, and which namespaces may spend from it.",
    plural = "caraccounts",
    shortname = "caracct",
    category = "carpack",
    namespaced,
    status = "CarAccountStatus",
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "True while the account can be used",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        description = "The reason of the condition Ready",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        description = "The account's mode; the lowest mode of installation, account and pack wins",
        json_path = ".spec.mode"
    ),
    printcolumn(
        name = "Balance",
        type_ = "string",
        description = "Balance of the cloud account",
        json_path = ".status.balance"
    ),
    printcolumn(
        name = "Due-7d",
        type_ = "string",
        description = "What renewals by carpack will cost in the next 7 days",
        json_path = ".status.due7Days"
    ),
    printcolumn(
        name = "Due-30d",
        type_ = "string",
        description = "What renewals by carpack will cost in the next 30 days",
        json_path = ".status.due30Days"
    ),
    printcolumn(
        name = "Unclaimed",
        type_ = "integer",
        description = "Instances that no ConcurrencyPack of this account has",
        json_path = ".status.unclaimed"
    ),
    printcolumn(
        name = "Seen",
        type_ = "string",
        description = "When the newest complete sweep began, in UTC",
        json_path = ".status.lastSweepTime",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("self.site != 'Custom' || has(self.endpoint)").message("site Custom needs endpoint: the URL of the API").field_path(".endpoint"),
    validation = Rule::new("self.site == 'Custom' || !has(self.endpoint)").message("endpoint belongs to site Custom: remove it, or set site to Custom").field_path(".endpoint"),
    validation = Rule::new("self.purchase.channel != 'Console'").message("the Console channel is not built yet: use channel Api; mode Observe reports and buys nothing").field_path(".purchase.channel"),
    validation = Rule::new("self.purchase.channel != 'Api' || has(self.purchase.api)").message("channel Api needs purchase.api: product codes, parameter template and period units").field_path(".purchase.api")
)]
#[serde(rename_all = "camelCase")]
pub struct CarAccountSpec {
    /// The cloud's site that the account belongs to: International, Mainland, or Custom with an `endpoint` of its own.
    pub site: Site,
    /// With site Custom, and only then: URL of the API without a path, such as http://127.0.0.1:8080 for the simulator. At most 253 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^https?://[^/]+/?$"))]
    pub endpoint: Option<String>,
    /// The key of the account.
    pub credentials: Credentials,
    /// How far carpack may go with this account. Required. The lowest mode of installation, account and pack wins.
    ///
    /// Observe and DryRun change nothing and report what would be done. ApprovalRequired spends after a person's approval of each order. Automatic spends within prices and limits.
    pub mode: Mode,
    /// How packs are bought.
    pub purchase: Purchase,
    /// Prices by which orders are quoted. What has no price is neither bought nor renewed.
    pub price_list: PriceList,
    /// Offset from UTC of the timestamps that the cloud writes without a zone, such as +08:00. It counts until carpack has observed the offset in an order of its own: `status.timeZone`.
    ///
    /// Absent: until then carpack reads each timestamp as the earliest moment that it may mean (+14:00).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[+-](0[0-9]|1[0-4]):[0-5][0-9]$"))]
    pub time_zone: Option<String>,
    /// Which namespaces may spend from this account, and on which projects: at most 256 entries. Empty: nobody may spend.
    ///
    /// Several entries may name one namespace: what any of them grants is granted, and the limits and brakes of all of them hold.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub tenants: Vec<Tenant>,
    /// Spending limits of the whole account. Absent: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// A site of the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Site {
    /// The international site.
    International,
    /// The mainland site.
    Mainland,
    /// An endpoint of its own, such as the simulator.
    Custom,
}

/// The key of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The Secret that holds the key, in the operator's namespace: `secretId`, `secretKey` and, for temporary credentials, `token`.
    pub secret_ref: SecretReference,
}

/// A Secret in the operator's namespace with the keys `secretId`, `secretKey` and, for temporary credentials, `token`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Name of the Secret, 1 to 253 characters. The operator can read only those that the chart's `credentials.secretNames` names.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Prices by which orders are quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceList {
    /// ISO 4217 code of all prices and limits of the account, such as USD.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub currency: String,
    /// The prices, at most 512. The first entry that fits counts. Empty: nothing is bought.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub prices: Vec<Price>,
}

/// The price of one concurrency for one day or one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Region as the packs write it, or * for every region. 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// Concurrency scale as the packs write it, or * for every scale. 1 to 32 characters.
    #[schemars(length(min = 1, max = 32))]
    pub concurrency_scale: String,
    /// Daily (`amount` is the price of one day) or Monthly (`amount` is the price of one month).
    pub billing_mode: BillingMode,
    /// Price of one concurrency: decimal number as text, such as "105.00", in the price list's currency.
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub amount: String,
}

/// Namespaces that may spend from the account together.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// The namespaces, 1 to 256, or * for every namespace.
    #[schemars(length(min = 1, max = 256), inner(length(max = 63)))]
    #[x_kube(
        validation = Rule::new("self.all(name, name == '*' || name.matches('^[a-z0-9-]+$'))").message("namespaces are names of namespaces, or * for every namespace: a pattern such as ev* names none")
    )]
    pub namespaces: Vec<String>,
    /// Projects that these namespaces may bind packs to, at most 256, or * for every project. Empty: none; packs without a project can still be bought.
    #[serde(default)]
    #[schemars(length(max = 256), inner(length(max = 128)))]
    #[x_kube(
        validation = Rule::new("self.all(id, id.matches('^[!-~]+$'))").message("projects are ids of projects, such as cap-1a2b3c4d, or * for every project: an id has no spaces and no control characters")
    )]
    pub projects: Vec<String>,
    /// True: these namespaces may adopt what was already bought, by `spec.adopt` of a pack. Absent: they may not.
    ///
    /// They may adopt what no pack has, and what is bound to no project or to one of `projects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<bool>,
    /// Spending limits of these namespaces together. Absent: only the account's limits hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Holds purchases and returns of these namespaces when there are suddenly too many, until a person releases them. Absent: nothing holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brake: Option<Brake>,
}

/// Spending limits, as decimal numbers in the price list's currency. An order that does not fit waits, and its message says for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The most that one order may cost: decimal number as text, such as "2000", in the price list's currency. Absent: no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub spend_per_order: Option<String>,
    /// The most that may be spent in any 24 hours: decimal number as text, in the price list's currency. Absent: no such limit.
    ///
    /// A call of unknown outcome counts as spent. A purchase leaves room for the renewals that fall due within 24 hours; a renewal is held only by what was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub spend_per_day: Option<String>,
    /// The most that may be spent in any 30 days: decimal number as text, in the price list's currency. Absent: no such limit.
    ///
    /// A call of unknown outcome counts as spent. A purchase leaves room for the renewals that fall due within 30 days; a renewal is held only by what was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub spend_per_30_days: Option<String>,
    /// The most packs that may be bought in any hour, 0 to 10000. Renewals are neither counted nor held. Absent: no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub orders_per_hour: Option<i32>,
}

/// Holds a sudden flood of purchases and returns. Renewals are neither counted nor held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Brake {
    /// How many purchases and returns are allowed within the span, 1 to 10000. When there are more, all of these namespaces are held.
    #[schemars(range(min = 1, max = 10000))]
    pub orders: i32,
    /// The span in minutes, 1 to 10080. Absent: 10.
    #[serde(default = "default_within_minutes")]
    #[schemars(range(min = 1, max = 10080))]
    pub within_minutes: i32,
    /// A person has checked all orders that were made until this moment, in UTC, and releases them. A moment that is yet to come releases nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::common::moment")]
    pub released_time: Option<Time>,
}

fn default_within_minutes() -> i32 {
    10
}

impl Tenant {
    /// True when the entry names this namespace.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|entry| entry == "*" || entry == namespace)
    }
}

/// What carpack has recorded of an account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarAccountStatus {
    /// The generation of the spec that this status was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of the cloud account (Uin) that the key belonged to when it was first used. It stays: a key of another cloud account is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_account: Option<String>,
    /// Offset from UTC of the cloud's timestamps, such as +08:00, as carpack has observed it in an order of its own. It counts more than `spec.timeZone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Balance of the cloud account, such as "1200.00 USD".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<String>,
    /// What renewals by carpack will cost in the next 7 days at today's prices, such as "2100.00 USD". The cloud's own renewals are not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "due7Days")]
    pub due_7_days: Option<String>,
    /// What renewals by carpack will cost in the next 30 days at today's prices, such as "9000.00 USD". The cloud's own renewals are not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "due30Days")]
    pub due_30_days: Option<String>,
    /// How many instances of the cloud account no ConcurrencyPack of this CarAccount has.
    #[serde(default)]
    pub unclaimed: i64,
    /// The first 20 instances that no ConcurrencyPack of this CarAccount has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unclaimed_instances: Vec<UnclaimedInstance>,
    /// What the account has been observed to do: Observe (a complete sweep), Buy (a paid purchase).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// When the newest complete sweep of the account began, in UTC. Written once an hour while nothing else changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sweep_time: Option<Time>,
    /// Ready, with a reason for each way in which an account can be unusable; BrakeReleased where a tenant has a brake.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// An instance that no pack of the account has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnclaimedInstance {
    /// The cloud's id of the instance.
    pub id: String,
    /// Its name in the cloud. Absent: the cloud has not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it expires, in UTC. Absent: the cloud has not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// True: the cloud itself renews it, and it goes on costing money.
    pub renews_itself: bool,
}
