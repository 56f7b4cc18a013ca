//! The cloud as a process sees it: the simulator's model, at the end of a way with faults.

use std::sync::Arc;
use std::time::Duration;

use carpack_cloud::outcome::{PaidFailure, classify};
use carpack_cloud::port::{
    Balance, ConcurrentPackage, CreateInstance, Deadline, Deal, DealQuery, Product, Project, ProjectBinding, Receipt,
    RefundInstance, RenewFlag, RenewInstance, RenewableInstance,
};
use carpack_cloud::{BeforeSend, CallError, Category, Cloud, PaidCalls};
use carpack_simulator::ApiError;
use carpack_simulator::actions::{Action, Conduct, Service};
use carpack_simulator::state::{self, RenewQuery, State, View};
use carpack_simulator::term::format_time;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::fault::{Outcome, Point, Site};
use crate::journey::{Call, Link};
use crate::sabotage::Sabotage;
use crate::world::World;

/// The account that pays.
pub const ACCOUNT: &str = "default";
/// How long the cloud accepts a signature (tencent-cloud-facts.md).
pub const SIGNATURE: SignedDuration = SignedDuration::from_mins(5);
const EXPIRED: &str = "AuthFailure.SignatureExpire";
const TOO_MANY: &str = "RequestLimitExceeded";
/// How long the operator waits for a connection, and for an answer.
const PATIENCE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];

/// A connection of a process to the cloud.
#[derive(Clone)]
pub struct CloudWire(pub Link);

type Answer<T> = Result<T, CallError>;

impl CloudWire {
    /// A call that costs nothing.
    fn free<T: Send + 'static>(
        &self,
        action: &'static str,
        site: Option<Site>,
        execute: impl FnOnce(&World, &mut State) -> Answer<T> + Send + 'static,
    ) -> BoxFuture<'_, Answer<T>> {
        let world = Arc::clone(&self.0.world);
        let carry_out = move || {
            let answer = if world.is_stormy() {
                Err(CallError::of_code(action, TOO_MANY, "too many requests"))
            } else if world.is_too_far_off() {
                Err(CallError::of_code(action, EXPIRED, "the signature has expired"))
            } else {
                execute(&world, &mut world.cloud())
            };
            tracing::debug!(action, error = ?answer.as_ref().err().map(ToString::to_string), "cloud");
            answer
        };
        let spoilt = move |_: Point, outcome: Outcome| {
            let (category, message) = match outcome {
                Outcome::ServerError => (Category::CloudInternal, "HTTP 503"),
                Outcome::TooManyRequests => (Category::RateLimited, "too many requests"),
                Outcome::Garbage => (Category::Garbled, "not JSON"),
                Outcome::Crash | Outcome::Zombie | Outcome::Timeout | Outcome::Reset => {
                    (Category::NoAnswer, "the answer was lost")
                }
            };
            Err(CallError::new(action, category, message))
        };
        let call = Call { site, persists: false, patience: PATIENCE };
        async move { self.0.travel(call, carry_out, || (), spoilt).await }.boxed()
    }

    /// A list.
    fn list<T: Send + 'static>(
        &self,
        action: &'static str,
        site: Option<Site>,
        execute: impl FnOnce(&World, &mut State) -> Answer<Vec<T>> + Send + 'static,
    ) -> BoxFuture<'_, Answer<Vec<T>>> {
        let list = self.free(action, site, execute);
        if !self.0.world.plan.is(Sabotage::UnreadIsEmpty) {
            return list;
        }
        async move { Ok(list.await.unwrap_or_default()) }.boxed()
    }

    /// A call that spends, or returns money. Sent once.
    fn paid(
        &self,
        action: &'static str,
        site: Option<Site>,
        parameters: Value,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        async move {
            let world = &self.0.world;
            let signed = world.operators_time();
            if let Err(why) = before_send()
                && !world.plan.is(Sabotage::NoMargin)
            {
                let error = CallError::new(action, Category::HeldBack, why);
                return carpack_cloud::Outcome::Rejected(error);
            }
            world.oracle().leaves(world, self.0.process, &parameters);
            let request = PaidRequest { action, parameters, signed, process: self.0.process };
            let carry_out = || request.carry_out(world);
            let stray = || request.clone().go_astray(Arc::clone(world));
            let call = Call { site, persists: false, patience: PATIENCE };
            let spoilt = |point, outcome| Err(paid_failure(action, point, outcome));
            let mut result = self.0.travel(call, carry_out, stray, spoilt).await;
            world.oracle().is_over(self.0.process, &request.parameters);
            if world.plan.is(Sabotage::TransportRetries) && matches!(result, Err(PaidFailure::NoVerdict(_))) {
                result = request.carry_out(world);
            }
            misread(world, classify(result))
        }
        .boxed()
    }
}

/// Mistakes in reading what came of a paid call.
fn misread(world: &World, outcome: carpack_cloud::Outcome<Receipt>) -> carpack_cloud::Outcome<Receipt> {
    use carpack_cloud::Outcome::{Committed, Rejected, Unknown};
    match (world.plan.sabotage, outcome) {
        (Some(Sabotage::SilenceIsRefusal), Unknown(error)) if error.category() == Category::NoAnswer => Rejected(error),
        (Some(Sabotage::SilenceIsSuccess), Unknown(_)) => Committed(Receipt::default()),
        (Some(Sabotage::AnyErrorIsRefusal), Unknown(error)) if error.category() == Category::Garbled => {
            Rejected(CallError::new(error.action(), Category::CloudInternal, error.message()))
        }
        (_, outcome) => outcome,
    }
}

/// What a paid call that did not come through is to the caller, as the real client sees it.
fn paid_failure(action: &'static str, point: Point, outcome: Outcome) -> PaidFailure {
    let error = |category, message| CallError::new(action, category, message);
    match (point, outcome) {
        (Point::NotSent, _) => PaidFailure::NotSent(error(Category::Unreachable, "no connection was made")),
        (Point::NotExecuted, Outcome::TooManyRequests) => {
            PaidFailure::Answered(CallError::of_code(action, TOO_MANY, "too many requests"))
        }
        (_, Outcome::ServerError | Outcome::TooManyRequests | Outcome::Garbage) => {
            PaidFailure::NoVerdict(error(Category::Garbled, "the answer is not the cloud's"))
        }
        (_, Outcome::Crash | Outcome::Zombie | Outcome::Timeout | Outcome::Reset) => {
            PaidFailure::NoVerdict(error(Category::NoAnswer, "the answer was lost"))
        }
    }
}

/// A paid call on its way.
#[derive(Clone)]
struct PaidRequest {
    action: &'static str,
    parameters: Value,
    signed: Timestamp,
    process: usize,
}

impl PaidRequest {
    /// The cloud carries it out, or refuses it.
    fn carry_out(&self, world: &World) -> Result<Receipt, PaidFailure> {
        let now = world.clock.now();
        let refused = |error: ApiError| {
            tracing::info!(action = self.action, code = error.code, "the cloud refuses a paid call");
            PaidFailure::Answered(CallError::of_code(self.action, error.code, error.message))
        };
        if now.duration_since(self.signed).abs() > SIGNATURE {
            return Err(refused(ApiError::new(EXPIRED, "the signature has expired")));
        }
        if world.is_stormy() {
            return Err(refused(ApiError::new(TOO_MANY, "too many requests")));
        }
        // It has arrived: whatever else happens to its sender, it is not under way any more.
        world.oracle().is_over(self.process, &self.parameters);
        let mut cloud = world.cloud();
        let before = cloud.ledger().len();
        if world.plan.is(Sabotage::SentTwice) {
            // Nobody hears of the first answer.
            let _ = self.run(world, &mut cloud);
        }
        let answer = self.run(world, &mut cloud);
        let charged: Vec<_> = cloud.ledger().iter().skip(before).cloned().collect();
        for entry in &charged {
            tracing::info!(action = self.action, cents = entry.amount_cents, ids = ?entry.instance_ids, "CHARGED");
            world.oracle().charged(world, &self.parameters, entry, &cloud);
        }
        if !charged.is_empty() {
            world.disturb();
        }
        let answer = answer.map_err(refused)?;
        let texts = |value: &Value| -> Vec<String> {
            let list = value.as_array().into_iter().flatten();
            list.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let mut order_ids = texts(&answer["OrderIdList"]);
        order_ids.extend(answer["OrderId"].as_str().map(str::to_owned));
        Ok(Receipt { order_ids, instance_ids: texts(&answer["InstanceIdList"]), request_id: cloud.request_id() })
    }

    fn run(&self, world: &World, cloud: &mut State) -> Result<Value, ApiError> {
        let action = Action::find(Service::Billing, self.action)
            .ok_or_else(|| ApiError::new("InvalidAction", "there is no such action"))?;
        let call = state::Call { account: ACCOUNT.to_owned(), ..state::Call::default() };
        let mut parameters: Map<String, Value> = self.parameters.as_object().cloned().unwrap_or_default();
        if let Some(answer) = self.sabotaged(world, cloud, &mut parameters) {
            return Ok(answer);
        }
        let conduct = Conduct { delivery: world.delivery(), ..Conduct::default() };
        action.run(cloud, call, parameters, conduct)
    }

    /// Mistakes in what is sent that are made on purpose; an answer where nothing is sent.
    fn sabotaged(&self, world: &World, cloud: &State, parameters: &mut Map<String, Value>) -> Option<Value> {
        let mut set = |field: &str, value: Value| drop(parameters.insert(field.to_owned(), value));
        let more = |field: &str, by: i64| Value::from(self.parameters[field].as_i64().unwrap_or(0).saturating_add(by));
        match world.plan.sabotage? {
            Sabotage::TokenPerCall => set("ClientToken", format!("call-{}", world.oracle().counts().1).into()),
            Sabotage::TokenPerProcess => {
                set("ClientToken", format!("{}-{}", self.process, self.parameters["InstanceId"]).into());
            }
            Sabotage::OneTooMany if self.action == "CreateInstance" => set("Quantity", more("Quantity", 1)),
            Sabotage::TwiceTheTerm if self.action == "RenewInstance" => set("Period", more("Period", 1)),
            Sabotage::SecondInstanceSkipped if self.action == "RenewInstance" => {
                let first = cloud.instances().into_iter().next().map(|instance| instance.id);
                let skipped = first.is_some_and(|first| self.parameters["InstanceId"] != first);
                return skipped.then(|| json!({"OrderIdList": ["skipped"]}));
            }
            _ => {}
        }
        None
    }

    /// Nobody waits for it any more: it arrives later, while its signature is young enough or not, or never.
    fn go_astray(self, world: Arc<World>) {
        let Some(late) = world.straying() else { return };
        let place = Arc::clone(&world);
        place.spawn_trouble(async move {
            tokio::time::sleep(late).await;
            tracing::info!(action = self.action, "a stray call arrives");
            // Whatever comes of it, nobody hears of it.
            let _ = self.carry_out(&world);
        });
    }
}

fn refused(action: &'static str, error: ApiError) -> CallError {
    CallError::of_code(action, error.code, error.message)
}

fn call() -> state::Call {
    state::Call { account: ACCOUNT.to_owned(), ..state::Call::default() }
}

impl Cloud for CloudWire {
    fn clock_skew(&self) -> Option<SignedDuration> {
        None
    }

    fn list_renewable_instances(&self, _: Deadline) -> BoxFuture<'_, Answer<Vec<RenewableInstance>>> {
        self.list("DescribeRenewInstances", Some(Site::List), |world, cloud| {
            let mut rows = world.shifting(cloud.renew_instances(ACCOUNT, &RenewQuery::default(), view(world, cloud)));
            spoil(world, &mut rows);
            Ok(rows.iter().map(|row| renewable(cloud, row)).collect())
        })
    }

    fn list_concurrent_packages(&self, _: Deadline) -> BoxFuture<'_, Answer<Vec<ConcurrentPackage>>> {
        self.list("DescribeConcurrentPackages", Some(Site::Describe), |world, cloud| {
            let mut rows = cloud.packages(ACCOUNT, &[], view(world, cloud)).unwrap_or_default();
            spoil(world, &mut rows);
            Ok(rows.iter().map(|row| package(cloud, row)).collect())
        })
    }

    fn list_projects(&self, _: Deadline) -> BoxFuture<'_, Answer<Vec<Project>>> {
        self.free("DescribeApplicationProjects", None, |_, cloud| {
            let project = |row: state::Project| Project {
                id: row.id,
                name: Some(row.name),
                scale: Some(row.scale),
                amount: None,
            };
            Ok(cloud.projects_of(ACCOUNT).into_iter().map(project).collect())
        })
    }

    fn list_deals(&self, query: DealQuery, _: Deadline) -> BoxFuture<'_, Answer<Vec<Deal>>> {
        self.list("DescribeDealsByCond", Some(Site::OrderQuery), move |world, cloud| {
            let query = state::DealQuery {
                from: query.start,
                until: query.end,
                statuses: Vec::new(),
                order_id: query.order_id,
                big_deal_id: None,
                instance_id: query.resource_id,
            };
            let mut rows = cloud.deals(ACCOUNT, &query, view(world, cloud));
            if world.plan.is(Sabotage::NoBooks) {
                rows.clear();
            }
            Ok(rows.into_iter().map(|row| deal(cloud, row)).collect())
        })
    }

    fn balance(&self, _: Deadline) -> BoxFuture<'_, Answer<Balance>> {
        self.free("DescribeAccountBalance", None, |_, cloud| Ok(Balance { cents: cloud.balance(ACCOUNT).unwrap_or(0) }))
    }

    fn bind(&self, ids: Vec<String>, project: String, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        self.free("BindConcurrentPackagesToProject", Some(Site::Bind), move |world, cloud| {
            if world.plan.is(Sabotage::BindUnmade) {
                return Ok(());
            }
            let action = "BindConcurrentPackagesToProject";
            let bind = |cloud: &mut State, ids: &[String]| {
                cloud.bind(&call(), ids, &project).map_err(|error| refused(action, error))
            };
            in_part(world, cloud, action, &ids, bind)
        })
    }

    fn unbind(&self, ids: Vec<String>, project: String, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        let action = "UnbindConcurrentPackagesFromProject";
        self.free(action, Some(Site::Unbind), move |world, cloud| {
            let unbind = |cloud: &mut State, ids: &[String]| {
                cloud.unbind(&call(), ids, Some(&project)).map_err(|error| refused(action, error))
            };
            in_part(world, cloud, action, &ids, unbind)
        })
    }

    fn rename(&self, id: String, name: String, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        self.free("ModifyConcurrentPackage", None, move |_, cloud| {
            cloud.rename(&call(), &id, &name).map_err(|error| refused("ModifyConcurrentPackage", error))
        })
    }

    fn set_renew_flag(&self, id: String, product: Product, flag: RenewFlag, _: Deadline) -> BoxFuture<'_, Answer<()>> {
        self.free("SetRenewal", None, move |_, cloud| {
            let target = state::Target {
                product_code: product.product_code,
                sub_product_code: Some(product.sub_product_code),
                region: product.region,
            };
            let flag = match flag {
                RenewFlag::Auto => state::RenewFlag::NotifyAndAutoRenew,
                RenewFlag::Manual => state::RenewFlag::NotifyAndManualRenew,
                RenewFlag::ManualSilent => state::RenewFlag::DisableNotifyAndManualRenew,
            };
            let failed =
                cloud.set_renewal(&call(), &target, &id, flag).map_err(|error| refused("SetRenewal", error))?;
            match failed.first() {
                None => Ok(()),
                Some(failed) => Err(CallError::new("SetRenewal", Category::InvalidRequest, &failed.message)),
            }
        })
    }
}

impl PaidCalls for CloudWire {
    fn create_instance(
        &self,
        request: CreateInstance,
        _: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        let parameters = json!({
            "ClientToken": request.client_token, "ProductCode": request.product.product_code,
            "SubProductCode": request.product.sub_product_code, "RegionCode": request.product.region,
            "ZoneCode": request.zone, "PayMode": "PrePay", "Parameter": request.parameter,
            "Quantity": request.quantity, "ProjectId": request.billing_project, "Period": request.period.count,
            "PeriodUnit": request.period.unit,
            "RenewFlag": match request.renew_flag {
                RenewFlag::Auto => "NOTIFY_AND_AUTO_RENEW",
                RenewFlag::Manual | RenewFlag::ManualSilent => "NOTIFY_AND_MANUAL_RENEW",
            },
        });
        self.paid("CreateInstance", Some(Site::Buy), parameters, before_send)
    }

    fn renew_instance(
        &self,
        request: RenewInstance,
        _: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        let parameters = json!({
            "ClientToken": request.client_token, "ProductCode": request.product.product_code,
            "SubProductCode": request.product.sub_product_code, "RegionCode": request.product.region,
            "InstanceId": request.instance_id, "Period": request.period.count, "PeriodUnit": request.period.unit,
        });
        self.paid("RenewInstance", Some(Site::Renew), parameters, before_send)
    }

    fn refund_instance(
        &self,
        request: RefundInstance,
        _: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        let parameters = json!({
            "ClientToken": request.client_token, "ProductCode": request.product.product_code,
            "SubProductCode": request.product.sub_product_code, "RegionCode": request.product.region,
            "InstanceId": request.instance_id,
        });
        self.paid("RefundInstance", None, parameters, before_send)
    }
}

/// Changes these instances, or only the first of them, and then reports an error.
fn in_part(
    world: &World,
    cloud: &mut State,
    action: &'static str,
    ids: &[String],
    change: impl Fn(&mut State, &[String]) -> Answer<()>,
) -> Answer<()> {
    match ids {
        [first, _, ..] if world.is_half_done() => {
            change(cloud, std::slice::from_ref(first))?;
            Err(CallError::of_code(action, "InternalError", "only some of the instances were changed"))
        }
        ids => change(cloud, ids),
    }
}

/// Mistakes in reading lists.
fn spoil(world: &World, rows: &mut Vec<state::Instance>) {
    match world.plan.sabotage {
        Some(Sabotage::FirstRowOnly) => rows.truncate(1),
        Some(Sabotage::NoNames) => rows.iter_mut().for_each(|row| row.name.clear()),
        Some(Sabotage::WrongZone) => rows.iter_mut().for_each(|row| {
            row.expires = row.expires.saturating_add(SignedDuration::from_hours(8)).unwrap_or(row.expires);
        }),
        _ => {}
    }
}

/// Lists and books show what was a while ago.
fn view(world: &World, cloud: &State) -> View {
    let lag = if world.plan.is(Sabotage::OldLooks) { SignedDuration::from_mins(15) } else { world.lag() };
    let as_of = (!lag.is_zero()).then(|| cloud.now().saturating_sub(lag).unwrap_or(Timestamp::MIN));
    View { as_of, rotate: 0 }
}

fn renewable(cloud: &State, row: &state::Instance) -> RenewableInstance {
    RenewableInstance {
        id: row.id.clone(),
        name: Some(row.name.clone()).filter(|name| !name.is_empty()),
        product_code: Some(cloud.rules().product_code.clone()),
        sub_product_code: Some(cloud.rules().sub_product_code.clone()),
        region: Some(row.region.clone()),
        expire_time: Some(format_time(row.expires, &cloud.rules().zone)),
        renew_flag: Some(match row.renew_flag {
            state::RenewFlag::NotifyAndAutoRenew => RenewFlag::Auto,
            state::RenewFlag::NotifyAndManualRenew => RenewFlag::Manual,
            state::RenewFlag::DisableNotifyAndManualRenew => RenewFlag::ManualSilent,
        }),
        isolated: row.status == state::InstanceStatus::Isolated,
    }
}

fn package(cloud: &State, row: &state::Instance) -> ConcurrentPackage {
    ConcurrentPackage {
        id: row.id.clone(),
        name: Some(row.name.clone()).filter(|name| !name.is_empty()),
        project: row.project_id.clone().map_or(ProjectBinding::Unbound, ProjectBinding::Bound),
        scale: Some(row.scale.clone()),
        region: Some(row.region.clone()),
        concurrencies: Some(1),
        expire_time: Some(format_time(row.expires, &cloud.rules().zone)),
    }
}

fn deal(cloud: &State, row: state::Order) -> Deal {
    let refund = row.action == state::OrderAction::Refund;
    Deal {
        order_id: row.order_id,
        status: Some(row.status),
        action: Some(row.action.as_str().to_owned()),
        cost_cents: Some(if refund { row.cost_cents.saturating_neg() } else { row.cost_cents }),
        currency: Some("USD".to_owned()),
        resource_ids: row.instance_ids,
        product_code: Some(cloud.rules().product_code.clone()),
        create_time: Some(format_time(row.created, &cloud.rules().zone)),
    }
}
