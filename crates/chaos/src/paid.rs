//! Paid calls as a process makes them: one attempt each, at the end of a way with faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carpack_cloud::outcome::{PaidFailure, classify};
use carpack_cloud::port::{CreateInstance, Deadline, Receipt, RefundInstance, RenewFlag, RenewInstance};
use carpack_cloud::{BeforeSend, CallError, Category, PaidCalls};
use carpack_simulator::ApiError;
use carpack_simulator::actions::{Action, Conduct, Service};
use carpack_simulator::state::{self, State};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cloud::{ACCOUNT, CloudWire, EXPIRED, PATIENCE, SIGNATURE, TOO_MANY};
use crate::fault::{Outcome, Point, Site};
use crate::journey::Call;
use crate::sabotage::Sabotage;
use crate::world::World;

impl CloudWire {
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
            let signed = world.operators_time(self.0.process);
            if let Err(why) = before_send()
                && !world.plan.is(Sabotage::NoMargin)
            {
                let error = CallError::new(action, Category::HeldBack, why);
                return carpack_cloud::Outcome::Rejected(error);
            }
            world.oracle().leaves(world, self.0.process, &parameters, signed);
            world.go_blind();
            let request = PaidRequest { action, parameters, signed, process: self.0.process };
            let carry_out = || request.carry_out(world);
            let astray = AtomicBool::new(false);
            let stray = || astray.store(request.clone().go_astray(Arc::clone(world)), Ordering::Relaxed);
            let call = Call { site, persists: false, patience: PATIENCE };
            let spoilt = |point, outcome| Err(paid_failure(action, point, outcome));
            let mut result = self.0.travel(call, carry_out, stray, spoilt).await;
            // What is astray is under way until it arrives, or its signature is too old.
            if !astray.into_inner() {
                world.oracle().is_over(self.0.process, &request.parameters);
            }
            if world.plan.is(Sabotage::TransportRetries) && matches!(result, Err(PaidFailure::NoVerdict(_))) {
                result = request.carry_out(world);
            }
            misread(world, classify(result))
        }
        .boxed()
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
        // It has arrived: whatever else happens to its sender, it is not under way any more.
        world.oracle().is_over(self.process, &self.parameters);
        if world.is_stormy() {
            return Err(refused(ApiError::new(TOO_MANY, "too many requests")));
        }
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
    fn go_astray(self, world: Arc<World>) -> bool {
        let Some(late) = world.straying() else { return false };
        let place = Arc::clone(&world);
        place.spawn_trouble(async move {
            tokio::time::sleep(late).await;
            tracing::info!(action = self.action, "a stray call arrives");
            // Whatever comes of it, nobody hears of it.
            let _ = self.carry_out(&world);
        });
        true
    }
}
