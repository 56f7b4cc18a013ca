//! The cloud: what it does with paid calls and with changes, and what stands in its order books.

use carpack_api::order::OrderAction;
use carpack_api::pack::{ExpirationTimeSource, RenewFlag};
use carpack_api::{BillingMode, PackOrderSpec, Reason};
use carpack_core::observation::{Binding, Deal, DealAction, DealState, Instance};
use carpack_core::order::Outcome;
use carpack_core::pack::{Change, ChangeFailure};
use jiff::{SignedDuration, Timestamp};

use super::{SECOND, World};

/// One charge (or refund) in the cloud's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub action: OrderAction,
    pub token: String,
    pub order_id: String,
    pub instances: Vec<String>,
    /// When the pack would have had less than its quantity, had this not been bought.
    pub ends: Option<Timestamp>,
    /// What the books say of it.
    pub state: DealState,
}

/// What the cloud does with a paid call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Executed and answered.
    Honest,
    /// Executed; the answer is lost.
    LostAfterCommit,
    /// Not executed; the caller cannot know.
    LostBeforeCommit,
    Refused {
        category: Reason,
        may_pass: bool,
    },
    /// Executed; nothing is delivered before `World::deliver`.
    Delayed,
    /// Accepted and left unpaid: nothing is delivered.
    Unpaid,
    /// Executed; only so many instances are delivered.
    Partial(usize),
}

impl Reply {
    /// Refused for now: the balance may be topped up.
    pub const BALANCE_INSUFFICIENT: Self = Self::Refused { category: Reason::BalanceInsufficient, may_pass: true };
    /// Refused for now: too many calls.
    pub const RATE_LIMITED: Self = Self::Refused { category: Reason::RateLimited, may_pass: true };
    /// Refused for good.
    pub const INVALID_REQUEST: Self = Self::Refused { category: Reason::InvalidRequest, may_pass: false };
    /// Refused for good: the cloud does not know the instance.
    pub const NOT_FOUND: Self = Self::Refused { category: Reason::NotFound, may_pass: false };
}

/// The outcome of a call that nobody answered.
pub fn unanswered() -> Outcome {
    Outcome::Unknown { category: Reason::NoAnswer, message: "no answer in time".into() }
}

/// The outcome of a call that was refused for now.
pub fn rate_limited() -> Outcome {
    Outcome::Rejected { category: Reason::RateLimited, message: "not now".into(), may_pass: true }
}

/// The outcome of a call that was answered with the ids of these deals, and with no instances.
pub fn committed(order_ids: &[&str]) -> Outcome {
    let order_ids = order_ids.iter().map(|id| (*id).to_owned()).collect();
    Outcome::Committed { order_ids, instance_ids: Vec::new(), request_id: None }
}

impl World {
    /// A call that changes what is free: a binding, a name, or the cloud's own renewal.
    pub(super) fn change(&mut self, change: Change) {
        self.last_change = Some(self.now);
        self.failures.retain(|failure| failure.change != change);
        let locked = self.refused_instance.as_ref().is_some_and(|id| format!("{change:?}").contains(id.as_str()));
        if self.refuse_changes || locked || !self.is_possible(&change) {
            let retry_time = self.now.checked_add(SECOND * 30).unwrap();
            let category = if locked { Reason::Locked } else { Reason::CloudInternal };
            self.failures.push(ChangeFailure { change, category, message: "no".into(), retry_time, refusals: 1 });
            return;
        }
        match &change {
            _ if self.ignores_changes => {}
            Change::Bind { ids, project } => {
                for id in ids {
                    let instance = self.instances.get_mut(id).unwrap();
                    assert_eq!(self.projects[project].scale, instance.scale, "binding to another scale");
                    instance.project = Binding::Bound(project.clone());
                }
            }
            Change::Unbind { ids, .. } => {
                for id in ids {
                    self.instances.get_mut(id).unwrap().project = Binding::Unbound;
                }
            }
            Change::Rename { id, name } => self.instances.get_mut(id).unwrap().name = Some(name.clone()),
            Change::SetAutoRenew { id, on, .. } => {
                self.instances.get_mut(id).unwrap().renew_flag = if *on { RenewFlag::Auto } else { RenewFlag::Manual };
            }
        }
        self.changes.push(change);
    }

    /// The cloud refuses what no longer fits, because somebody else changed it in between.
    fn is_possible(&self, change: &Change) -> bool {
        let is = |id: &String, binding: &Binding| self.instances.get(id).is_some_and(|i| i.project == *binding);
        match change {
            Change::Bind { ids, .. } => ids.iter().all(|id| is(id, &Binding::Unbound)),
            Change::Unbind { ids, project } => ids.iter().all(|id| is(id, &Binding::Bound(project.clone()))),
            Change::Rename { id, .. } | Change::SetAutoRenew { id, .. } => self.instances.contains_key(id),
        }
    }

    /// A paid call for one line of an order.
    pub(super) fn call(&mut self, index: usize, line: i32) -> Outcome {
        let reply = if self.replies.is_empty() { Reply::Honest } else { self.replies.remove(0) };
        match reply {
            Reply::Refused { category, may_pass } => {
                Outcome::Rejected { category, message: "refused".into(), may_pass }
            }
            Reply::LostBeforeCommit => unanswered(),
            Reply::Honest => self.execute(index, line, usize::MAX),
            Reply::Delayed => self.execute(index, line, 0),
            Reply::Unpaid => {
                let outcome = self.execute(index, line, 0);
                self.charges.last_mut().unwrap().state = DealState::Unpaid;
                outcome
            }
            Reply::Partial(count) => self.execute(index, line, count),
            Reply::LostAfterCommit => {
                self.execute(index, line, usize::MAX);
                unanswered()
            }
        }
    }

    /// Charges the call, once for each token, and delivers at most so many instances.
    fn execute(&mut self, index: usize, line: i32, delivered: usize) -> Outcome {
        let spec = self.orders[index].spec.clone();
        let ends = self.ends(spec.terms.quantity);
        let line = spec.lines.iter().find(|l| l.index == line).unwrap().clone();
        if let Some(before) = self.charges.iter().find(|c| c.token == line.client_token) {
            let (order_ids, instance_ids) = (vec![before.order_id.clone()], before.instances.clone());
            return Outcome::Committed { order_ids, instance_ids, request_id: None };
        }
        self.counter += 1;
        let order_id = format!("deal-{}", self.counter);
        let instances = match spec.action {
            OrderAction::Buy => self.create_instances(&spec, delivered),
            OrderAction::Renew => {
                let id = line.instance_id.clone().unwrap();
                let instance = self.instances.get_mut(&id).unwrap();
                assert!(!instance.isolated, "renewed what had expired");
                assert_ne!(instance.renew_flag, RenewFlag::Auto, "renewed although the cloud renews it too");
                super::extend(instance, term(&spec));
                vec![id]
            }
            OrderAction::Return => {
                let id = line.instance_id.clone().unwrap();
                self.instances.remove(&id);
                vec![id]
            }
        };
        let instance_ids = if delivered == 0 { Vec::new() } else { instances.clone() };
        self.charges.push(Charge {
            action: spec.action,
            token: line.client_token,
            order_id: order_id.clone(),
            instances,
            ends,
            state: DealState::InEffect,
        });
        Outcome::Committed { order_ids: vec![order_id], instance_ids, request_id: Some("r".into()) }
    }

    /// When the last instances that carry so many concurrencies, delivered or on their way, begin to expire.
    fn ends(&self, quantity: i32) -> Option<Timestamp> {
        let all = self.instances.values().chain(&self.undelivered).filter(|instance| !instance.isolated);
        let mut expirations: Vec<_> = all.filter_map(|instance| instance.expiration).collect();
        expirations.sort_by_key(|at| std::cmp::Reverse(*at));
        expirations.truncate(usize::try_from(quantity).unwrap());
        expirations.pop()
    }

    /// Makes one instance for each concurrency; the ids of those that are delivered at once.
    fn create_instances(&mut self, spec: &PackOrderSpec, delivered: usize) -> Vec<String> {
        let terms = &spec.terms;
        let mut ids = Vec::new();
        for number in 1..=terms.quantity {
            self.counter += 1;
            let id = format!("i-{:03}", self.counter);
            let name =
                if terms.quantity == 1 { spec.pack_name.clone() } else { format!("{}-{number}", spec.pack_name) };
            let instance = Instance {
                id: id.clone(),
                name: Some(name),
                concurrencies: Some(1),
                project: Binding::Unbound,
                expiration: Some(whole_second(self.now).checked_add(term(spec)).unwrap()),
                expiration_source: ExpirationTimeSource::Billing,
                renew_flag: if terms.auto_renew { RenewFlag::Auto } else { RenewFlag::Manual },
                scale: Some(terms.concurrency_scale.clone()),
                region: Some(terms.region.clone()),
                isolated: false,
            };
            if ids.len() < delivered {
                self.instances.insert(id.clone(), instance);
                ids.push(id);
            } else {
                self.undelivered.push(instance);
            }
        }
        ids
    }

    /// Delayed deliveries arrive.
    pub fn deliver(&mut self) {
        for instance in std::mem::take(&mut self.undelivered) {
            self.instances.insert(instance.id.clone(), instance);
        }
    }

    /// The cloud's order books: one deal for each charge. What is unpaid has no cost yet.
    pub fn all_deals(&self) -> Vec<Deal> {
        let deal = |charge: &Charge| {
            let (action, cost_cents) = match charge.action {
                OrderAction::Buy => (DealAction::Purchase, 10_500),
                OrderAction::Renew => (DealAction::Renew, 10_500),
                OrderAction::Return => (DealAction::Refund, -10_500),
            };
            Deal {
                order_id: charge.order_id.clone(),
                action,
                cost_cents: (charge.state != DealState::Unpaid).then_some(cost_cents),
                currency: Some("USD".into()),
                instance_ids: charge.instances.clone(),
                product_code: Some("p_car".into()),
                state: charge.state,
                created: None,
            }
        };
        self.charges.iter().map(deal).collect()
    }
}

/// The cloud writes whole seconds.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

/// What an order buys: days, or months of 30 days.
fn term(spec: &PackOrderSpec) -> SignedDuration {
    let unit = if spec.terms.billing_mode == BillingMode::Daily { 1 } else { 30 };
    super::DAY * spec.terms.duration * unit
}
