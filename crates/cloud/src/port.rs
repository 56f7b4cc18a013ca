//! The port: what the operator asks of the cloud, in the cloud's own words and nothing of Kubernetes.
//!
//! Two traits, because they are two powers. [`Cloud`] looks and makes changes that cost nothing. [`PaidCalls`] spends or
//! returns money; only the operator's spender may hold one. Facts named here come from `tencent-cloud-facts.md`
//! ("Actions", "API 3.0 wire format").

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::error::CallError;
use crate::outcome::{BeforeSend, Outcome};

/// How urgent a call is: among calls waiting for the rate limit of one action the earliest deadline goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub Timestamp);

/// One concurrency instance as the renewal list shows it (`billing` DescribeRenewInstances).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewableInstance {
    /// The instance's id.
    pub id: String,
    /// Its name; the cloud appends a number when several were bought together.
    pub name: Option<String>,
    /// Product code.
    pub product_code: Option<String>,
    /// Sub-product code.
    pub sub_product_code: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Expiry as the cloud wrote it: `yyyy-MM-dd HH:mm:ss`, without a zone.
    pub expire_time: Option<String>,
    /// The cloud's own renewal switch; `None` when null or a value we do not know.
    pub renew_flag: Option<RenewFlag>,
    /// True when the cloud says ISOLATED.
    pub isolated: bool,
}

/// One instance as CAR's own list shows it (`car` DescribeConcurrentPackages).
///
/// The element's fields are not documented: every field but the id may be missing, and the expiry is a string without a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrentPackage {
    /// The instance's id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The project it is bound to.
    pub project: ProjectBinding,
    /// Concurrency scale.
    pub scale: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Number of concurrencies in this instance.
    pub concurrencies: Option<u32>,
    /// Expiry as the cloud wrote it.
    pub expire_time: Option<String>,
}

/// What a look tells of an instance's project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectBinding {
    /// The answer has no field that we know as the project's.
    Unknown,
    /// Bound to none: the field is there, and null or empty.
    Unbound,
    /// Bound to this project.
    Bound(String),
}

/// One project (`car` DescribeApplicationProjects).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Project id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its concurrency scale (`Type`).
    pub scale: Option<String>,
    /// Concurrencies configured.
    pub amount: Option<u32>,
}

/// RenewFlag values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewFlag {
    /// NOTIFY_AND_AUTO_RENEW
    Auto,
    /// NOTIFY_AND_MANUAL_RENEW
    Manual,
    /// DISABLE_NOTIFY_AND_MANUAL_RENEW
    ManualSilent,
}

/// An order as the cloud's books show it (`billing` DescribeDealsByCond).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// The order's id.
    pub order_id: String,
    /// 1 unpaid .. 4 shipped, 5 shipment failed, 6 refunded, 12 paying.
    pub status: Option<i64>,
    /// purchase, renew, refund ...
    pub action: Option<String>,
    /// What it cost, in cents.
    pub cost_cents: Option<i64>,
    /// Currency.
    pub currency: Option<String>,
    /// Instances it made or changed; empty when null.
    pub resource_ids: Vec<String>,
    /// Product code.
    pub product_code: Option<String>,
    /// Creation time as the cloud wrote it.
    pub create_time: Option<String>,
}

/// A span of time in which to look for deals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealQuery {
    /// From this instant on.
    pub start: Timestamp,
    /// Until this instant.
    pub end: Timestamp,
}

/// Account balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// In cents.
    pub cents: i64,
    /// The number of the cloud account that the key belongs to (Uin), where the answer has one.
    pub uin: Option<String>,
}

/// Which product an instance belongs to: renewal calls want it spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// ProductCode.
    pub product_code: String,
    /// SubProductCode.
    pub sub_product_code: String,
    /// RegionCode.
    pub region: String,
}

/// Length of a purchase or a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// How many units.
    pub count: u32,
    /// The account's unit for it (`m`, `y`; ASSUMED `d` for days).
    pub unit: String,
}

/// A purchase (`billing` CreateInstance).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateInstance {
    /// At most 64 ASCII characters.
    pub client_token: String,
    /// Product and region.
    pub product: Product,
    /// ZoneCode.
    pub zone: String,
    /// Product detail: a JSON text, filled in from the account's template.
    pub parameter: String,
    /// Number of concurrencies.
    pub quantity: u32,
    /// Billing project.
    pub billing_project: i64,
    /// Term.
    pub period: Period,
    /// The cloud's own renewal switch from the start.
    pub renew_flag: RenewFlag,
}

/// A renewal of one instance (`billing` RenewInstance).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewInstance {
    /// At most 64 ASCII characters.
    pub client_token: String,
    /// Product and region.
    pub product: Product,
    /// Which instance.
    pub instance_id: String,
    /// Term.
    pub period: Period,
}

/// A refund of one instance (`billing` RefundInstance).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundInstance {
    /// At most 64 ASCII characters.
    pub client_token: String,
    /// Product and region.
    pub product: Product,
    /// Which instance.
    pub instance_id: String,
}

/// What a paid call left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Order ids (one for a purchase, a list for renewals and refunds).
    pub order_ids: Vec<String>,
    /// Instances delivered at once; **may be empty when delivery is delayed**.
    pub instance_ids: Vec<String>,
    /// RequestId of the answer.
    pub request_id: String,
}

/// Looks, and changes that cost nothing.
///
/// *Guarantees*: every call has a timeout; a call that changes nothing is retried a few times on transport failures and
/// rate limits, a call that changes something is sent once. *Cancellation*: dropping a future may leave a change made.
/// *Errors*: [`CallError`], whose category is closed.
pub trait Cloud: Send + Sync {
    /// How far the cloud's clock was ahead of ours at the last answer: at least so much, as its times are whole seconds.
    /// More than 5 minutes either way, and signatures are refused. `None` before the first answer.
    fn clock_skew(&self) -> Option<SignedDuration>;
    /// All instances the renewal page knows, every page of it.
    fn list_renewable_instances(&self, by: Deadline) -> BoxFuture<'_, Result<Vec<RenewableInstance>, CallError>>;
    /// All concurrent packages of CAR's own list, every page of it.
    fn list_concurrent_packages(&self, by: Deadline) -> BoxFuture<'_, Result<Vec<ConcurrentPackage>, CallError>>;
    /// All projects.
    fn list_projects(&self, by: Deadline) -> BoxFuture<'_, Result<Vec<Project>, CallError>>;
    /// Deals in a span of time, of every status, every page of it.
    fn list_deals(&self, query: DealQuery, by: Deadline) -> BoxFuture<'_, Result<Vec<Deal>, CallError>>;
    /// The account's balance.
    fn balance(&self, by: Deadline) -> BoxFuture<'_, Result<Balance, CallError>>;
    /// Binds instances to a project.
    fn bind(&self, ids: Vec<String>, project: String, by: Deadline) -> BoxFuture<'_, Result<(), CallError>>;
    /// Unbinds instances from a project.
    fn unbind(&self, ids: Vec<String>, project: String, by: Deadline) -> BoxFuture<'_, Result<(), CallError>>;
    /// Renames an instance.
    fn rename(&self, id: String, name: String, by: Deadline) -> BoxFuture<'_, Result<(), CallError>>;
    /// Sets the cloud's own renewal switch of one instance.
    fn set_renew_flag(
        &self,
        id: String,
        product: Product,
        flag: RenewFlag,
        by: Deadline,
    ) -> BoxFuture<'_, Result<(), CallError>>;
}

/// Calls that spend or return money. Exactly one HTTP attempt each.
///
/// *Guarantees*: `before_send` is asked after signing and immediately before the request leaves; when it refuses, nothing
/// was sent. *Assumptions*: the caller has persisted its intent. *Cancellation*: dropping the future leaves the outcome
/// unknown. *Errors*: never an error, always an [`Outcome`]: only an allow-list of codes and failures before the request
/// was sent are [`Outcome::Rejected`].
pub trait PaidCalls: Send + Sync {
    /// Buys.
    fn create_instance(
        &self,
        request: CreateInstance,
        by: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, Outcome<Receipt>>;
    /// Renews one instance.
    fn renew_instance(
        &self,
        request: RenewInstance,
        by: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, Outcome<Receipt>>;
    /// Returns one instance.
    fn refund_instance(
        &self,
        request: RefundInstance,
        by: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, Outcome<Receipt>>;
}
