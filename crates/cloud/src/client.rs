//! The client: both traits of the port, over API 3.0.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use jiff::tz::Offset;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::config::Config;
use crate::decode::{self, List, Row, UnknownShapes};
use crate::endpoint::{Endpoints, Service};
use crate::error::{CallError, Category, ConfigError};
use crate::limiter::Limiter;
use crate::listing::{self, PAGE, Shape};
use crate::outcome::{BeforeSend, Outcome, PaidFailure, classify};
use crate::port::{
    Balance, Cloud, ConcurrentPackage, CreateInstance, Deadline, Deal, DealQuery, PaidCalls, Product, Project, Receipt,
    RefundInstance, RenewFlag, RenewInstance, RenewableInstance,
};
use crate::time;
use crate::transport::{Call, Transport};

/// The two halves of a client. The free half does not lead to the paid one.
pub struct Client {
    /// Reads, and changes that are free of charge.
    pub cloud: Arc<dyn Cloud>,
    /// Calls that spend or return money.
    pub paid: Arc<dyn PaidCalls>,
}

/// Makes the client of one account. Nothing is sent. Make one for each account: it keeps the account's rate limits.
///
/// This is the only way to a client. In the operator only `src/money/dial.rs` calls it; `clippy.toml` forbids it elsewhere.
///
/// # Errors
/// When the address cannot be used, or TLS cannot be set up because this machine has no root certificates.
pub fn connect(config: Config) -> Result<Client, ConfigError> {
    let client = Arc::new(TencentClient::new(config)?);
    Ok(Client { cloud: Arc::clone(&client) as Arc<dyn Cloud>, paid: client })
}

/// One account of Tencent Cloud: both halves.
#[derive(Debug)]
pub(crate) struct TencentClient {
    transport: Transport,
    limiter: Limiter,
    unknown: UnknownShapes,
    utc_offset: Offset,
    read_budget: Duration,
}

const PACKAGES: Shape = Shape {
    action: "DescribeConcurrentPackages",
    rows: "ConcurrentPackages",
    total: "Total",
    identity: decode::package_identity,
    maybe_pages: false,
};
const PROJECTS: Shape = Shape {
    action: "DescribeApplicationProjects",
    rows: "Projects",
    total: "Total",
    identity: decode::project_identity,
    maybe_pages: false,
};
const DEALS: Shape = Shape {
    action: "DescribeDealsByCond",
    rows: "Deals",
    total: "TotalCount",
    identity: decode::deal_identity,
    maybe_pages: true,
};
const RENEWABLES: Shape = Shape {
    action: "DescribeRenewInstances",
    rows: "InstanceList",
    total: "",
    identity: decode::renewable_identity,
    maybe_pages: false,
};

/// DescribeDealsByCond shows only status 4 unless it is asked for more. 1 to 12 are documented ([`crate::port::DealStatus`]);
/// the others are for statuses of later versions.
const DEAL_STATUSES: std::ops::RangeInclusive<u8> = 1..=20;

impl TencentClient {
    fn new(config: Config) -> Result<Self, ConfigError> {
        let endpoints = Endpoints::new(&config.site)?;
        let transport =
            Transport::new(endpoints, config.credentials, config.clock, config.connect_timeout, config.call_timeout)?;
        Ok(Self {
            transport,
            limiter: Limiter::default(),
            unknown: UnknownShapes::default(),
            utc_offset: config.utc_offset,
            read_budget: config.read_budget,
        })
    }

    /// Sends once.
    async fn once(&self, call: &Call, by: Deadline) -> Result<Row, CallError> {
        self.limiter.turn(call.action, by).await;
        let answer = self.transport.send(call).await?;
        Ok(decode::read(call.action, answer, self.transport.credentials())?)
    }

    /// Sends a call that changes nothing, up to three times.
    async fn read(&self, call: Call, by: Deadline) -> Result<Row, CallError> {
        let started = Instant::now();
        let policy = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_jitter()
            .with_max_times(2);
        (|| self.once(&call, by))
            .retry(policy)
            .when(|error| error.is_retryable() && started.elapsed() < self.read_budget)
            .notify(|error, delay| tracing::debug!(%error, ?delay, "a read is repeated"))
            .await
    }

    /// Sends a change that is free of charge, exactly once.
    async fn change(
        &self,
        service: Service,
        action: &'static str,
        body: Value,
        by: Deadline,
    ) -> Result<Row, CallError> {
        self.once(&Call { action, service, body }, by).await
    }

    fn page(&self, service: Service, shape: Shape, body: Value, by: Deadline) -> BoxFuture<'_, Result<Row, CallError>> {
        self.read(Call { action: shape.action, service, body }, by).boxed()
    }

    async fn renewables(&self, by: Deadline) -> Result<Vec<RenewableInstance>, CallError> {
        let rows = listing::by_token(RENEWABLES, |token| {
            let body = match token {
                Some(token) => json!({"MaxResults": PAGE, "NextToken": token}),
                None => json!({"MaxResults": PAGE}),
            };
            self.page(Service::Billing, RENEWABLES, body, by)
        })
        .await?;
        Ok(self.unknown.read_all(RENEWABLES.action, &rows, decode::renewable))
    }

    async fn deals(&self, query: DealQuery, by: Deadline) -> Result<Vec<Deal>, CallError> {
        // The cloud takes whole seconds: the span is widened to them.
        let end = match query.end.subsec_nanosecond() {
            0 => query.end,
            _ => query.end.saturating_add(SignedDuration::from_secs(1)).unwrap_or(query.end),
        };
        let asked = json!({
            "StartTime": time::format(query.start, self.utc_offset),
            "EndTime": time::format(end, self.utc_offset),
            "StatusSet": DEAL_STATUSES.collect::<Vec<_>>(),
            "Limit": PAGE,
        });
        let rows = listing::by_offset(DEALS, |offset| {
            let mut body = asked.clone();
            body["Offset"] = offset.into();
            self.page(Service::Billing, DEALS, body, by)
        })
        .await?;
        Ok(self.unknown.read_all(DEALS.action, &rows, decode::deal))
    }

    async fn car_list<T>(&self, shape: Shape, read: fn(&Row) -> Option<T>, by: Deadline) -> Result<Vec<T>, CallError> {
        let rows = listing::by_offset(shape, |offset| {
            self.page(Service::Car, shape, json!({"Offset": offset, "Limit": PAGE}), by)
        })
        .await?;
        Ok(self.unknown.read_all(shape.action, &rows, read))
    }

    async fn account_balance(&self, by: Deadline) -> Result<Balance, CallError> {
        const ACTION: &str = "DescribeAccountBalance";
        let row = self.read(Call { action: ACTION, service: Service::Billing, body: json!({}) }, by).await?;
        let cents = row
            .whole(&["Balance", "RealBalance"])
            .ok_or_else(|| CallError::new(ACTION, Category::Garbled, "the answer has no balance"))?;
        Ok(Balance { cents, uin: row.text(&["Uin"]) })
    }

    async fn renew_flag(&self, id: &str, product: Product, flag: RenewFlag, by: Deadline) -> Result<(), CallError> {
        const ACTION: &str = "SetRenewal";
        let mut body = json!({
            "ProductCode": product.product_code,
            "RegionCode": product.region,
            "InstanceId": id,
            "RenewFlag": decode::renew_flag_text(flag),
        });
        if flag == RenewFlag::Auto {
            // A month at a time, as the purchase form says. Without it the cloud would use the product's default.
            body["RenewPeriod"] = "1".into();
            body["RenewPeriodUnit"] = "m".into();
        }
        let row = self.change(Service::Billing, ACTION, body, by).await?;
        // The answer lists the instances that failed: at most the one that was asked for.
        let List::Rows(failed) = row.list("InstanceList") else { return Ok(()) };
        let Some(first) = failed.first() else { return Ok(()) };
        let scrub = |text: String| self.transport.credentials().scrub(&text);
        let message = first.text(&["Message"]).map_or_else(|| "no message".to_owned(), scrub);
        let error = match first.text(&["Code"]) {
            Some(code) => CallError::of_code(ACTION, scrub(code), message),
            None => CallError::new(ACTION, Category::Other, message),
        };
        Err(match row.text(&["RequestId"]) {
            Some(request_id) => error.with_request_id(request_id),
            None => error,
        })
    }

    /// Sends a paid call, exactly once.
    async fn pay(&self, call: Call, by: Deadline, before_send: BeforeSend) -> Result<Receipt, PaidFailure> {
        let token = call.body["ClientToken"].as_str().unwrap_or_default();
        if token.is_empty() || token.len() > 64 || !token.is_ascii() {
            let message = "the client token must have 1 to 64 ASCII characters";
            return Err(PaidFailure::NotSent(CallError::new(call.action, Category::InvalidRequest, message)));
        }
        self.limiter.turn(call.action, by).await;
        let answer = self.transport.send_paid(&call, before_send).await?;
        decode::receipt(call.action, answer, self.transport.credentials())
    }

    fn paid(
        &self,
        action: &'static str,
        body: Value,
        by: Deadline,
        ask: BeforeSend,
    ) -> BoxFuture<'_, Outcome<Receipt>> {
        let call = Call { action, service: Service::Billing, body };
        self.pay(call, by, ask).map(classify).boxed()
    }
}

impl Cloud for TencentClient {
    fn clock_skew(&self) -> Option<SignedDuration> {
        self.transport.skew()
    }

    fn list_renewable_instances(&self, by: Deadline) -> BoxFuture<'_, Result<Vec<RenewableInstance>, CallError>> {
        self.renewables(by).boxed()
    }

    fn list_concurrent_packages(&self, by: Deadline) -> BoxFuture<'_, Result<Vec<ConcurrentPackage>, CallError>> {
        self.car_list(PACKAGES, decode::package, by).boxed()
    }

    fn list_projects(&self, by: Deadline) -> BoxFuture<'_, Result<Vec<Project>, CallError>> {
        self.car_list(PROJECTS, decode::project, by).boxed()
    }

    fn list_deals(&self, query: DealQuery, by: Deadline) -> BoxFuture<'_, Result<Vec<Deal>, CallError>> {
        self.deals(query, by).boxed()
    }

    fn balance(&self, by: Deadline) -> BoxFuture<'_, Result<Balance, CallError>> {
        self.account_balance(by).boxed()
    }

    fn bind(&self, ids: Vec<String>, project: String, by: Deadline) -> BoxFuture<'_, Result<(), CallError>> {
        let body = json!({"ConcurrentIds": ids, "ProjectId": project});
        self.change(Service::Car, "BindConcurrentPackagesToProject", body, by).map(|done| done.map(drop)).boxed()
    }

    fn unbind(&self, ids: Vec<String>, project: String, by: Deadline) -> BoxFuture<'_, Result<(), CallError>> {
        let body = json!({"ConcurrentIds": ids, "ProjectId": project});
        self.change(Service::Car, "UnbindConcurrentPackagesFromProject", body, by).map(|done| done.map(drop)).boxed()
    }

    fn rename(&self, id: String, name: String, by: Deadline) -> BoxFuture<'_, Result<(), CallError>> {
        let body = json!({"ConcurrentId": id, "Name": name});
        self.change(Service::Car, "ModifyConcurrentPackage", body, by).map(|done| done.map(drop)).boxed()
    }

    fn set_renew_flag(
        &self,
        id: String,
        product: Product,
        flag: RenewFlag,
        by: Deadline,
    ) -> BoxFuture<'_, Result<(), CallError>> {
        async move { self.renew_flag(&id, product, flag, by).await }.boxed()
    }
}

impl PaidCalls for TencentClient {
    fn create_instance(
        &self,
        request: CreateInstance,
        by: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, Outcome<Receipt>> {
        let body = json!({
            "ClientToken": request.client_token,
            "ProductCode": request.product.product_code,
            "SubProductCode": request.product.sub_product_code,
            "RegionCode": request.product.region,
            "ZoneCode": request.zone,
            "PayMode": "PrePay",
            "Parameter": request.parameter,
            "Quantity": request.quantity,
            "ProjectId": request.billing_project,
            "Period": request.period.count,
            "PeriodUnit": request.period.unit,
            "RenewFlag": decode::renew_flag_text(request.renew_flag),
        });
        self.paid("CreateInstance", body, by, before_send)
    }

    fn renew_instance(
        &self,
        request: RenewInstance,
        by: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, Outcome<Receipt>> {
        let body = json!({
            "ClientToken": request.client_token,
            "ProductCode": request.product.product_code,
            "SubProductCode": request.product.sub_product_code,
            "RegionCode": request.product.region,
            "InstanceId": request.instance_id,
            "Period": request.period.count,
            "PeriodUnit": request.period.unit,
        });
        self.paid("RenewInstance", body, by, before_send)
    }

    fn refund_instance(
        &self,
        request: RefundInstance,
        by: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, Outcome<Receipt>> {
        let body = json!({
            "ClientToken": request.client_token,
            "ProductCode": request.product.product_code,
            "SubProductCode": request.product.sub_product_code,
            "RegionCode": request.product.region,
            "InstanceId": request.instance_id,
        });
        self.paid("RefundInstance", body, by, before_send)
    }
}

#[cfg(test)]
pub(crate) mod tests;
