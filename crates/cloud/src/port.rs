//! The port: what the operator asks of the cloud, in the cloud's own words. It knows nothing of Kubernetes.
//!
//! There are two traits, because there are two powers. [`Cloud`] reads, and makes changes that are free of charge. [`PaidCalls`]
//! spends or returns money; only the operator's spender may use it. The actions are those of the public API documents of
//! `car` 2022-01-10 and `billing` 2018-07-09. What these documents do not say is in `docs/real-cloud.md`.

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::error::CallError;
use crate::outcome::{BeforeSend, Outcome};

/// How urgent a call is. Of the calls that wait for the rate limit of an action, the one with the earliest deadline goes first.
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
    /// The cloud's own renewal switch. `None` when it is null or a value that is not known here.
    pub renew_flag: Option<RenewFlag>,
    /// True when the status is `ISOLATED`.
    pub isolated: bool,
}

/// One instance as CAR's own list shows it (`car` DescribeConcurrentPackages).
///
/// The fields of an element are not documented. Every field but the id may be missing.
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
    /// Expiry as the cloud wrote it: `yyyy-MM-dd HH:mm:ss`, without a zone.
    pub expire_time: Option<String>,
}

/// The project of an instance, as far as the answer tells.
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

/// Values of the cloud's own renewal switch (`RenewFlag`).
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
    /// Its status. `None` when the answer has none, or something else than a whole number.
    pub status: Option<DealStatus>,
    /// What it was for.
    pub action: DealAction,
    /// What it cost (`RealTotalCost`), in cents of the currency.
    pub cost_cents: Option<i64>,
    /// Currency.
    pub currency: Option<String>,
    /// Ids of the instances that it made or changed. Empty when null.
    pub resource_ids: Vec<String>,
    /// Product code.
    pub product_code: Option<String>,
    /// Creation time as the cloud wrote it: `yyyy-MM-dd HH:mm:ss`, without a zone.
    pub create_time: Option<String>,
}

/// What an order in the cloud's books was for (`billing` 2018-07-09, DescribeDealsByCond, `Action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DealAction {
    /// `purchase`
    Purchase,
    /// `renew`
    Renew,
    /// `refund`
    Refund,
    /// Another word, or none.
    Other,
}

impl DealAction {
    /// The action that the cloud writes as this word, in any case of letters.
    pub fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "purchase" => Self::Purchase,
            "renew" => Self::Renew,
            "refund" => Self::Refund,
            _ => Self::Other,
        }
    }
}

/// The status of an order in the cloud's books (`billing` 2018-07-09, DescribeDealsByCond, `Status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DealStatus {
    /// 1: made, and not paid.
    Unpaid,
    /// 2: paid.
    Paid,
    /// 3: being shipped.
    Shipping,
    /// 4: shipped.
    Shipped,
    /// 5: the shipment failed.
    ShipmentFailed,
    /// 6: refunded.
    Refunded,
    /// 7: closed.
    Closed,
    /// 8: expired without a payment.
    Expired,
    /// 9: the order is invalid.
    InvalidOrder,
    /// 10: the product is invalid.
    InvalidProduct,
    /// 11: the payment was refused.
    PaymentRefused,
    /// 12: being paid.
    Paying,
    /// A number that the document does not name.
    Unknown(i64),
}

impl DealStatus {
    /// The status that the cloud writes as this number.
    pub fn of(number: i64) -> Self {
        match number {
            1 => Self::Unpaid,
            2 => Self::Paid,
            3 => Self::Shipping,
            4 => Self::Shipped,
            5 => Self::ShipmentFailed,
            6 => Self::Refunded,
            7 => Self::Closed,
            8 => Self::Expired,
            9 => Self::InvalidOrder,
            10 => Self::InvalidProduct,
            11 => Self::PaymentRefused,
            12 => Self::Paying,
            other => Self::Unknown(other),
        }
    }
}

/// The span of time of the deals to read.
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
    /// The real balance, in cents of the account's currency. Negative when money is owed.
    pub cents: i64,
    /// The number of the cloud account that the key belongs to (Uin), if the answer has one.
    pub uin: Option<String>,
}

/// The product of an instance. Paid calls and the renewal switch have to name it.
///
/// The codes are sent as they are, whatever their length: nothing here checks them. The cloud answers wrong codes with an
/// error, and a paid call with such an error is rejected only if the code of the error is on the allow-list
/// ([`crate::outcome::proves_nothing_was_executed`]). Empty codes are sent as empty texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// `ProductCode`, such as `p_car`. No public document has the one of CAR: it comes from the account.
    pub product_code: String,
    /// `SubProductCode`, from the account. [`Cloud::set_renew_flag`] does not send it.
    pub sub_product_code: String,
    /// `RegionCode`, such as `ap-singapore`.
    pub region: String,
}

/// Length of a purchase or a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// How many units.
    pub count: u32,
    /// The unit, from the account: `m`, `y`, or `d` for days, which is ASSUMED. It is sent as it is.
    pub unit: String,
}

/// A purchase (`billing` CreateInstance).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateInstance {
    /// 1 to 64 ASCII characters. With another token nothing is sent: [`Outcome::Rejected`] with `InvalidRequest`.
    pub client_token: String,
    /// Product and region.
    pub product: Product,
    /// `ZoneCode`. It is sent as it is.
    pub zone: String,
    /// `Parameter`: a JSON text, filled in from the account's template. It is sent as it is.
    pub parameter: String,
    /// Number of concurrencies, at least 1.
    pub quantity: u32,
    /// `ProjectId` of billing: a number, not a project of CAR. 0 is the default project.
    pub billing_project: i64,
    /// Term.
    pub period: Period,
    /// The cloud's own renewal switch from the start.
    pub renew_flag: RenewFlag,
}

/// A renewal of one instance (`billing` RenewInstance).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewInstance {
    /// 1 to 64 ASCII characters. With another token nothing is sent: [`Outcome::Rejected`] with `InvalidRequest`.
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
    /// 1 to 64 ASCII characters. With another token nothing is sent: [`Outcome::Rejected`] with `InvalidRequest`.
    pub client_token: String,
    /// Product and region.
    pub product: Product,
    /// Which instance.
    pub instance_id: String,
}

/// The answer of a paid call that succeeded. At least one of the two lists has an element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Order ids: one for a purchase, a list for renewals and refunds.
    pub order_ids: Vec<String>,
    /// Instances that were delivered at once. **Empty when delivery is delayed.**
    pub instance_ids: Vec<String>,
    /// RequestId of the answer.
    pub request_id: String,
}

/// Reads, and changes that are free of charge.
///
/// *Guarantees*: every call has a timeout; a call that changes nothing is retried a few times on transport failures and
/// rate limits, a call that changes something is sent once. *Cancellation*: dropping a future may leave a change made.
/// *Errors*: [`CallError`], whose category is closed.
pub trait Cloud: Send + Sync {
    /// How far the cloud's clock was ahead of ours at the last answer, at least: its times are whole seconds. The cloud refuses
    /// signatures when it is more than [`crate::tc3::SIGNATURE_LIFETIME`] either way. `None` before the first answer.
    fn clock_skew(&self) -> Option<SignedDuration>;
    /// All instances of the renewal list, every page of it. An element without an id is left out and logged.
    fn list_renewable_instances(&self, by: Deadline) -> BoxFuture<'_, Result<Vec<RenewableInstance>, CallError>>;
    /// All concurrent packages of CAR's own list, every page of it. An element without an id is left out and logged.
    fn list_concurrent_packages(&self, by: Deadline) -> BoxFuture<'_, Result<Vec<ConcurrentPackage>, CallError>>;
    /// All projects, every page.
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
