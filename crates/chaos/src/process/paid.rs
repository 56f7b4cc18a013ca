//! The paid calls of a process to the cloud: one attempt each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carpack_cloud::outcome::{PaidFailure, classify};
use carpack_cloud::port::{CreateInstance, Deadline, Receipt, RefundInstance, RenewFlag, RenewInstance};
use carpack_cloud::{BeforeSend, CallError, Category, PaidCalls};
use carpack_simulator::ApiError;
use carpack_simulator::actions::{Action, ActionOptions, Service};
use carpack_simulator::state::{self, State};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::fault::{Outcome, Point, Site};
use crate::mutant::Mutant;
use crate::oracle::calls;
use crate::process::cloud::{CloudConnection, cloud_call};
use crate::world::World;
use crate::world::cloud::{ACCOUNT, SIGNATURE_EXPIRED, SIGNATURE_LIFETIME, TOO_MANY_REQUESTS};

impl CloudConnection {
    /// Makes a call that spends or returns money. It is sent once.
    fn paid(
        &self,
        action: &'static str,
        site: Option<Site>,
        parameters: Value,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        async move {
            let world = &self.0.world;
            let signed = world.process_time(self.0.process);
            if let Err(why) = before_send()
                && !world.plan.is(Mutant::NoMargin)
            {
                let error = CallError::new(action, Category::HeldBack, why);
                return carpack_cloud::Outcome::Rejected(error);
            }
            calls::paid_call_leaves(world, self.0.process, &parameters, signed);
            world.paid_call_left();
            let request = PaidRequest { action, parameters, signed, process: self.0.process };
            let execute = || request.execute(world);
            let arrives_later = AtomicBool::new(false);
            let lost = || arrives_later.store(request.clone().arrive_later(Arc::clone(world)), Ordering::Relaxed);
            let failed = |point, outcome| Err(paid_failure(action, point, outcome));
            let mut result = self.0.call(cloud_call(site), execute, lost, failed).await;
            // A call that arrives later is in flight until then, or until its signature is too old.
            if !arrives_later.into_inner() {
                calls::paid_call_is_over(world, self.0.process, &request.parameters);
            }
            if world.plan.is(Mutant::TransportRetries) && matches!(result, Err(PaidFailure::NoVerdict(_))) {
                result = request.execute(world);
            }
            mutate(world, classify(result))
        }
        .boxed()
    }
}

impl PaidCalls for CloudConnection {
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

/// Mutants that read the outcome of a paid call wrongly.
fn mutate(world: &World, outcome: carpack_cloud::Outcome<Receipt>) -> carpack_cloud::Outcome<Receipt> {
    use carpack_cloud::Outcome::{Committed, Rejected, Unknown};
    match (world.plan.mutant, outcome) {
        (Some(Mutant::SilenceIsRefusal), Unknown(error)) if error.category() == Category::NoAnswer => Rejected(error),
        (Some(Mutant::SilenceIsSuccess), Unknown(_)) => Committed(Receipt::default()),
        (Some(Mutant::AnyErrorIsRefusal), Unknown(error)) if error.category() == Category::Garbled => {
            Rejected(CallError::new(error.action(), Category::CloudInternal, error.message()))
        }
        (_, outcome) => outcome,
    }
}

/// The error of a paid call that failed, as the real client reports it.
fn paid_failure(action: &'static str, point: Point, outcome: Outcome) -> PaidFailure {
    let error = |category, message| CallError::new(action, category, message);
    match (point, outcome) {
        (Point::NotSent, _) => PaidFailure::NotSent(error(Category::Unreachable, "no connection was made")),
        (Point::NotExecuted, Outcome::TooManyRequests) => {
            PaidFailure::Answered(CallError::of_code(action, TOO_MANY_REQUESTS, "too many requests"))
        }
        (_, Outcome::ServerError | Outcome::TooManyRequests | Outcome::Garbage) => {
            PaidFailure::NoVerdict(error(Category::Garbled, "the answer is not the cloud's"))
        }
        (_, Outcome::Crash | Outcome::Zombie | Outcome::Timeout | Outcome::Reset) => {
            PaidFailure::NoVerdict(error(Category::NoAnswer, "the answer was lost"))
        }
    }
}

/// A paid call that has left a process.
#[derive(Clone)]
struct PaidRequest {
    action: &'static str,
    parameters: Value,
    signed: Timestamp,
    process: usize,
}

impl PaidRequest {
    /// The cloud executes it, or refuses it.
    fn execute(&self, world: &World) -> Result<Receipt, PaidFailure> {
        let now = world.clock.now();
        let refused = |error: ApiError| {
            tracing::info!(action = self.action, code = error.code, "the cloud refuses a paid call");
            PaidFailure::Answered(CallError::of_code(self.action, error.code, error.message))
        };
        if now.duration_since(self.signed).abs() > SIGNATURE_LIFETIME {
            return Err(refused(ApiError::new(SIGNATURE_EXPIRED, "the signature has expired")));
        }
        // It has arrived, so it is no longer in flight, whatever happens to its sender.
        calls::paid_call_is_over(world, self.process, &self.parameters);
        if world.is_refused_by_storm() {
            return Err(refused(ApiError::new(TOO_MANY_REQUESTS, "too many requests")));
        }
        let mut cloud = world.cloud();
        let before = cloud.ledger().len();
        if world.plan.is(Mutant::SentTwice) {
            // The first answer is dropped.
            let _ = self.run(world, &mut cloud);
        }
        let answer = self.run(world, &mut cloud);
        let charged: Vec<_> = cloud.ledger().iter().skip(before).cloned().collect();
        for entry in &charged {
            tracing::info!(action = self.action, cents = entry.amount_cents, ids = ?entry.instance_ids, "CHARGED");
            calls::charged(world, &self.parameters, entry, &cloud);
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
        if let Some(answer) = self.mutated(world, cloud, &mut parameters) {
            return Ok(answer);
        }
        let options = ActionOptions { delivery: world.delivery(), ..ActionOptions::default() };
        action.run(cloud, call, parameters, options)
    }

    /// Mutants that send something else. They change the parameters, or return an answer without sending anything.
    fn mutated(&self, world: &World, cloud: &State, parameters: &mut Map<String, Value>) -> Option<Value> {
        let mut set = |field: &str, value: Value| drop(parameters.insert(field.to_owned(), value));
        let more = |field: &str, by: i64| Value::from(self.parameters[field].as_i64().unwrap_or(0).saturating_add(by));
        match world.plan.mutant? {
            Mutant::TokenPerCall => set("ClientToken", format!("call-{}", world.journal().paid_calls).into()),
            Mutant::TokenPerProcess => {
                set("ClientToken", format!("{}-{}", self.process, self.parameters["InstanceId"]).into());
            }
            Mutant::OneTooMany if self.action == "CreateInstance" => set("Quantity", more("Quantity", 1)),
            Mutant::TwiceTheTerm if self.action == "RenewInstance" => set("Period", more("Period", 1)),
            Mutant::SecondInstanceSkipped if self.action == "RenewInstance" => {
                let first = cloud.instances().into_iter().next().map(|instance| instance.id);
                let skipped = first.is_some_and(|first| self.parameters["InstanceId"] != first);
                return skipped.then(|| json!({"OrderIdList": ["skipped"]}));
            }
            _ => {}
        }
        None
    }

    /// The call was lost and nobody waits for its answer. It may arrive later, with a signature that is still valid or
    /// not. False when it never arrives.
    fn arrive_later(self, world: Arc<World>) -> bool {
        let Some(late) = world.late_arrival() else { return false };
        let world_then = Arc::clone(&world);
        world.spawn_incident(async move {
            tokio::time::sleep(late).await;
            tracing::info!(action = self.action, "a lost call arrives");
            // Nobody gets its answer.
            let _ = self.execute(&world_then);
        });
        true
    }
}
