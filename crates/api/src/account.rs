//! `CarAccount`: whose money it is and who may spend it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{BillingMode, Condition, Mode};

/// An account with the cloud: its credentials, how packs are bought with it, at which prices, and which namespaces may spend from it.
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
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Balance", type_ = "string", json_path = ".status.balance"),
    printcolumn(name = "Due-7d", type_ = "string", json_path = ".status.due7Days"),
    printcolumn(name = "Due-30d", type_ = "string", json_path = ".status.due30Days"),
    printcolumn(name = "Unclaimed", type_ = "integer", json_path = ".status.unclaimed"),
    printcolumn(name = "Seen", type_ = "string", json_path = ".status.lastSweepTime", priority = 1)
)]
#[x_kube(
    validation = Rule::new("self.site != 'Custom' || has(self.endpoint)").message("site Custom needs endpoint: the URL of the API").field_path(".endpoint"),
    validation = Rule::new("self.site == 'Custom' || !has(self.endpoint)").message("endpoint belongs to site Custom: remove it, or set site to Custom").field_path(".endpoint"),
    validation = Rule::new("self.purchase.channel != 'Console'").message("the Console channel is not built yet: use channel Api, or mode Observe to only look").field_path(".purchase.channel"),
    validation = Rule::new("self.purchase.channel != 'Api' || has(self.purchase.api)").message("channel Api needs purchase.api: product codes, parameter template and period units").field_path(".purchase.api")
)]
#[serde(rename_all = "camelCase")]
pub struct CarAccountSpec {
    /// International, Mainland, or Custom with an endpoint of its own.
    pub site: Site,
    /// With site Custom: URL of the API, such as http://127.0.0.1:8080 for the simulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^https?://[^/]+/?$"))]
    pub endpoint: Option<String>,
    /// The key to the account.
    pub credentials: Credentials,
    /// How far the operator may go with this account: Observe, DryRun, ApprovalRequired or Automatic. Required.
    pub mode: Mode,
    /// How packs are bought.
    pub purchase: Purchase,
    /// Prices by which orders are quoted. What has no price is not bought.
    pub price_list: PriceList,
    /// Offset from UTC of the timestamps that the cloud writes without a zone, such as +08:00. It counts until the operator has observed the offset in an order of its own: see status.timeZone. Without it they are read as the earliest of what they may mean until then (+14:00).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[+-](0[0-9]|1[0-4]):[0-5][0-9]$"))]
    pub time_zone: Option<String>,
    /// Which namespaces may spend from this account, and onto which projects.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub tenants: Vec<Tenant>,
    /// Spending limits of the whole account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// Which of the cloud's sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Site {
    /// The international site.
    International,
    /// The mainland site.
    Mainland,
    /// An endpoint of one's own, such as the simulator.
    Custom,
}

/// The key to the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The Secret that holds the key.
    pub secret_ref: SecretReference,
}

/// A Secret in the operator's namespace with the keys secretId, secretKey and, for temporary credentials, token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Name of the Secret in the operator's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// How packs are bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Purchase {
    /// Api: by the cloud's billing API. Console: a person buys what the order says (not built yet).
    pub channel: Channel,
    /// With channel Api: what the billing API wants to hear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiChannel>,
}

/// How packs are bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Channel {
    /// By the cloud's billing API.
    Api,
    /// By a person in the console.
    Console,
}

/// What the billing API wants to hear. The public documents do not list these values for CAR: they are configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiChannel {
    /// ProductCode.
    #[schemars(length(min = 1, max = 64))]
    pub product_code: String,
    /// SubProductCode.
    #[schemars(length(min = 1, max = 64))]
    pub sub_product_code: String,
    /// ZoneCode: the same for every region, or with {region} in it. Default: the region.
    #[serde(default = "default_zone_code")]
    #[schemars(length(min = 1, max = 64))]
    pub zone_code: String,
    /// Billing project (ProjectId of the billing API), 0 = the default project.
    #[serde(default)]
    pub billing_project: i64,
    /// JSON text for Parameter. Within its strings {packName}, {concurrencyScale}, {applicationType} and {region} are filled in.
    #[schemars(length(min = 2, max = 4096))]
    pub parameter_template: String,
    /// PeriodUnit for each billing mode. A billing mode that is not here cannot be bought with this account.
    pub period_units: BTreeMap<String, String>,
    /// For how many minutes the cloud is known to answer a repeated ClientToken with what the first call came to. A call whose answer was lost is then sent once more with the same token, at once and within this time, instead of after the quarantine. Leave it out when tokens are ignored or this was not tried: nothing relies on them then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 15, max = 43200))]
    pub client_token_honored_minutes: Option<i32>,
    /// What follows when a call was not answered and two complete looks after the quarantine show no trace of it: Retry (default: it is sent again, which is safe where lists and books show within the quarantine what was bought) or Ask (a person is asked, and nothing is sent again: for a cloud that may show it later).
    #[serde(default)]
    pub unanswered_calls: UnansweredCalls,
}

/// What follows when nothing shows what became of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnansweredCalls {
    /// It is sent again, with the same token.
    #[default]
    Retry,
    /// A person is asked.
    Ask,
}

fn default_zone_code() -> String {
    "{region}".to_owned()
}

impl ApiChannel {
    /// The account's PeriodUnit for a billing mode.
    pub fn period_unit(&self, mode: BillingMode) -> Option<&str> {
        let key = match mode {
            BillingMode::Daily => "Daily",
            BillingMode::Monthly => "Monthly",
        };
        self.period_units.get(key).map(String::as_str)
    }
}

/// Prices by which orders are quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceList {
    /// ISO 4217 code of all prices, such as USD.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub currency: String,
    /// The prices. The first entry that fits counts.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub prices: Vec<Price>,
}

/// The price of one concurrency for one day or one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Region, or * for every region.
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// Concurrency scale, or * for every scale.
    #[schemars(length(min = 1, max = 32))]
    pub concurrency_scale: String,
    /// Daily (price of one day) or Monthly (price of one month).
    pub billing_mode: BillingMode,
    /// Decimal number as text, such as "105.00".
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub amount: String,
}

/// Namespaces that may spend from the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Namespaces, or * for every namespace.
    #[schemars(length(min = 1, max = 256))]
    pub namespaces: Vec<String>,
    /// Projects that these namespaces may bind packs to, or * for every project.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub projects: Vec<String>,
    /// Whether they may take over what was already bought, by naming it in `spec.adopt` of a pack: anything of the account that no pack has, and that is bound to no project or to one of theirs. Default: no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<bool>,
    /// Spending limits of these namespaces together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Holds their purchases and returns when there are suddenly too many, until a person says that they are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brake: Option<Brake>,
}

/// Spending limits, as decimal numbers in the price list's currency. An order that does not fit waits, and says for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The most that one order may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub spend_per_order: Option<String>,
    /// The most that may be spent in any 24 hours. What is on its way counts, and a purchase leaves room for the renewals that fall due within 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub spend_per_day: Option<String>,
    /// The most that may be spent in any 30 days. What is on its way counts, and a purchase leaves room for the renewals that fall due within 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub spend_per_30_days: Option<String>,
    /// The most packs that may be bought in any hour. Renewals are not counted and not held by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub orders_per_hour: Option<i32>,
}

/// A brake on a sudden flood of orders. Renewals are not counted and never held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Brake {
    /// More purchases and returns than this within the span hold every purchase and return of these namespaces.
    #[schemars(range(min = 1, max = 10000))]
    pub orders: i32,
    /// The span, in minutes. Default 10.
    #[serde(default = "default_within_minutes")]
    #[schemars(range(min = 1, max = 10080))]
    pub within_minutes: i32,
    /// Releases the brake: a person has looked at all orders that were made until this moment, and they are meant. In UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_time: Option<Time>,
}

fn default_within_minutes() -> i32 {
    10
}

impl Tenant {
    /// True when the entry is for this namespace.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|entry| entry == "*" || entry == namespace)
    }
}

/// What the operator knows of an account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarAccountStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The number of the cloud account (Uin) that the key belonged to when it was first used. It stays: a key of another cloud account is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_account: Option<String>,
    /// Offset from UTC of the timestamps that the cloud writes without a zone, as it was observed in an order of the operator's own. It goes before spec.timeZone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Balance, such as "1200.00 USD".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<String>,
    /// What renewals by the operator will cost in the next 7 days, such as "2100.00 USD".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "due7Days")]
    pub due_7_days: Option<String>,
    /// What renewals by the operator will cost in the next 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "due30Days")]
    pub due_30_days: Option<String>,
    /// How many instances in the account no ConcurrencyPack claims.
    #[serde(default)]
    pub unclaimed: i64,
    /// The first 20 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unclaimed_instances: Vec<UnclaimedInstance>,
    /// What the account was seen to be able to do: Observe, Buy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// When the last complete sweep of the account began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sweep_time: Option<Time>,
    /// Ready, with a reason for each way in which an account can be unusable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// An instance that no pack claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnclaimedInstance {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
    /// True when the cloud itself will renew it: it goes on costing money.
    pub renews_itself: bool,
}
