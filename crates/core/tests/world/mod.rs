//! A world in virtual time: an API server, a cloud with a ledger, and the two decisions driven the way the controllers
//! drive them. No clock, no threads: a step is a function call.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction, OrderState};
use carpack_api::pack::{ExpirationTimeSource, RenewFlag};
use carpack_api::{
    BillingMode, CarAccountSpec, ConcurrencyPack, ConcurrencyPackSpec, Mode, ORDER_FINALIZER, PACK_FINALIZER, PackOrder,
};
use carpack_core::account::{Account, Health};
use carpack_core::adoption::{Holders, holders};
use carpack_core::limits::Commitments;
use carpack_core::observation::{Binding, Deal, DealAction, DealState, DealsLook, Instance, Observation, Project};
use carpack_core::order::{self, Outcome};
use carpack_core::pack::{self, Change, ChangeFailure};
use carpack_core::{Event, Timing};
use jiff::{SignedDuration, Timestamp};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use serde_json::json;

pub const NAMESPACE: &str = "events";
pub const NAME: &str = "concert";
pub const TREASURY: &str = "carpack-system";

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

/// What the cloud does with the next paid calls, first to last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Honest,
    /// Executed; the answer is lost.
    LostAfterCommit,
    /// Not executed; the caller cannot know.
    LostBeforeCommit,
    Refused {
        category: carpack_api::Reason,
        may_pass: bool,
    },
    /// Executed; delivery only on `deliver()`.
    Delayed,
    /// Taken, and left unpaid: nothing is delivered.
    Unpaid,
    /// Executed; only so many are delivered.
    Partial(usize),
}

pub struct World {
    pub now: Timestamp,
    pub pack: Option<ConcurrencyPack>,
    pub orders: Vec<PackOrder>,
    pub account: Option<Account>,
    pub installation_mode: Mode,
    /// How far the operator's clock is ahead of the cloud's.
    pub clock_ahead: SignedDuration,
    pub instances: BTreeMap<String, Instance>,
    pub projects: BTreeMap<String, Project>,
    pub charges: Vec<Charge>,
    pub undelivered: Vec<Instance>,
    pub replies: Vec<Reply>,
    pub observation: Option<Observation>,
    pub sweeps: bool,
    pub changes: Vec<Change>,
    pub refuse_changes: bool,
    pub last_change: Option<Timestamp>,
    pub failures: Vec<ChangeFailure>,
    /// The cloud refuses every change that names this instance.
    pub stubborn: Option<String>,
    /// The cloud takes every change, and shows none.
    pub deaf: bool,
    pub events: Vec<Event>,
    pub order_events: Vec<Event>,
    pub timing: Timing,
    pub elsewhere: BTreeSet<String>,
    pub unreadable: BTreeSet<String>,
    /// Other packs of the account: their renewals count against its limits.
    pub neighbours: Vec<ConcurrencyPack>,
    /// Their orders, which nobody drives here.
    pub neighbours_orders: Vec<PackOrder>,
    /// What else holds the instances that the pack wants to take over.
    pub holders: Holders,
    counter: u32,
}

/// At least so many cases, and always the same; others, and as many as asked for, with `PROPTEST_CASES`.
pub fn cases(usual: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let rng_seed = if asked.cases > usual { asked.rng_seed } else { RngSeed::Fixed(20_261_201) };
    ProptestConfig {
        cases: usual.max(asked.cases),
        rng_seed,
        max_shrink_iters: 600,
        failure_persistence: None,
        ..asked
    }
}

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn account() -> Account {
    let spec: CarAccountSpec = serde_json::from_value(json!({
        "site": "International",
        "credentials": {"secretRef": {"name": "key"}},
        "mode": "Automatic",
        "purchase": {"channel": "Api", "api": {
            "productCode": "p_car", "subProductCode": "sp_car", "parameterTemplate": "{}",
            "periodUnits": {"Daily": "d", "Monthly": "m"}}},
        "priceList": {"currency": "USD", "prices": [
            {"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"},
            {"region": "*", "concurrencyScale": "L1", "billingMode": "Monthly", "amount": "1041.00"}]},
        "tenants": [{"namespaces": [NAMESPACE], "projects": ["cap-a", "cap-b", "cap-small", "cap-nowhere"]}]
    }))
    .unwrap();
    Account { name: "default".into(), spec, health: Health::Ready }
}

/// The cloud shows an expiry that is so much later.
pub fn extend(instance: &mut Instance, by: SignedDuration) {
    instance.expiration = instance.expiration.map(|at| at.checked_add(by).unwrap());
}

pub fn pack(spec: serde_json::Value) -> ConcurrencyPack {
    let mut all = json!({
        "billingMode": "Daily", "region": "ap-singapore", "concurrencyScale": "L1", "quantity": 3, "duration": 3,
        "renewal": {"mode": "Operator", "duration": 1, "renewBefore": "6h"}
    });
    for (key, value) in spec.as_object().unwrap() {
        all[key] = value.clone();
    }
    let spec: ConcurrencyPackSpec = serde_json::from_value(all).unwrap();
    let mut pack = ConcurrencyPack::new(NAME, spec);
    pack.metadata.namespace = Some(NAMESPACE.into());
    pack.metadata.uid = Some("uid-1".into());
    pack.metadata.generation = Some(1);
    pack
}

impl World {
    pub fn new(pack: ConcurrencyPack) -> Self {
        let project = |id: &str, scale: &str| (id.to_owned(), Project { id: id.into(), scale: Some(scale.into()) });
        Self {
            now: time("2026-12-01T00:00:00Z"),
            pack: Some(pack),
            orders: Vec::new(),
            account: Some(account()),
            installation_mode: Mode::Automatic,
            clock_ahead: SignedDuration::ZERO,
            instances: BTreeMap::new(),
            projects: [project("cap-a", "L1"), project("cap-b", "L1"), project("cap-small", "S1")].into(),
            charges: Vec::new(),
            undelivered: Vec::new(),
            replies: Vec::new(),
            observation: None,
            sweeps: true,
            changes: Vec::new(),
            refuse_changes: false,
            last_change: None,
            failures: Vec::new(),
            stubborn: None,
            deaf: false,
            order_events: Vec::new(),
            events: Vec::new(),
            timing: Timing::default(),
            elsewhere: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            neighbours: Vec::new(),
            neighbours_orders: Vec::new(),
            holders: Holders::new(),
            counter: 0,
        }
    }

    pub fn spec(&mut self, edit: impl FnOnce(&mut ConcurrencyPackSpec)) {
        let pack = self.pack.as_mut().unwrap();
        edit(&mut pack.spec);
        pack.metadata.generation = pack.metadata.generation.map(|g| g + 1);
    }

    /// Time passes; the cloud isolates what has expired.
    pub fn pass(&mut self, duration: SignedDuration) {
        self.now = self.now.checked_add(duration).unwrap();
        for instance in self.instances.values_mut() {
            instance.isolated = instance.expiration.is_some_and(|at| at <= self.now);
        }
    }

    /// A complete sweep of the account.
    pub fn sweep(&mut self) {
        if self.sweeps {
            let (instances, projects) = (self.instances.clone(), self.projects.clone());
            self.observation = Some(Observation { started: self.now, instances, projects });
        }
    }

    /// A few rounds of sweep, pack, orders, two seconds apart: what the controllers do when nothing else happens.
    pub fn settle(&mut self) {
        for _ in 0..24 {
            self.round();
        }
    }

    pub fn round(&mut self) {
        self.pass(SignedDuration::from_secs(2));
        self.sweep();
        self.pass(SignedDuration::from_millis(100));
        self.step_pack();
        self.pass(SignedDuration::from_millis(100));
        for index in 0..self.orders.len() {
            self.step_order(index);
            self.step_order(index);
        }
    }

    /// Passes until the renewal is due, and makes its order.
    pub fn until_due(&mut self) {
        let at = self.status().next_renewal_time.clone().unwrap().0;
        self.pass(at.duration_since(self.now));
        self.sweep();
        self.pass(SignedDuration::from_secs(1));
        self.step_pack();
    }

    /// Runs until this moment, in steps of so many minutes.
    pub fn run_until(&mut self, until: &str, step: SignedDuration) {
        while self.now < time(until) {
            self.pass(step);
            self.round();
            self.round();
            self.round();
        }
    }

    pub fn pack_input<'a>(&'a self, pack: &'a ConcurrencyPack, orders: &'a [&'a PackOrder]) -> pack::Input<'a> {
        pack::Input {
            pack,
            orders,
            account: self.account.as_ref(),
            observation: self.observation.as_ref(),
            holders: &self.holders,
            installation_mode: self.installation_mode,
            operator_namespace: TREASURY,
            last_change: self.last_change,
            failures: &self.failures,
            now: self.now,
            timing: &self.timing,
        }
    }

    pub fn step_pack(&mut self) -> Option<pack::Effect> {
        let pack = self.pack.clone()?;
        let account = self.account.clone();
        let may_adopt = |other: &ConcurrencyPack| {
            let namespace = other.metadata.namespace.clone().unwrap_or_default();
            account.as_ref().is_some_and(|account| account.grants_adoption(&namespace))
        };
        let all_orders = self.neighbours_orders.iter().chain(&self.orders);
        self.holders = holders(&pack, self.neighbours.iter(), may_adopt, all_orders, self.observation.as_ref());
        let orders: Vec<&PackOrder> = self.orders.iter().collect();
        let decision = pack::decide(&self.pack_input(&pack, &orders));
        assert!(decision.wake_at.is_none_or(|at| at > self.now), "wake_at lies in the past");
        self.events.extend(decision.events);
        let stored = self.pack.as_mut().unwrap();
        stored.status = Some(stored_form(&decision.status));
        match decision.effect.clone() {
            None => {}
            Some(pack::Effect::AddFinalizer) => stored.metadata.finalizers = Some(vec![PACK_FINALIZER.into()]),
            Some(pack::Effect::RemoveFinalizer) => self.pack = None,
            Some(pack::Effect::CreateOrder { name, spec }) => self.create_order(&name, &spec),
            Some(pack::Effect::Change(change)) => self.change(change),
        }
        decision.effect
    }

    fn create_order(&mut self, name: &str, spec: &carpack_api::PackOrderSpec) {
        if self.orders.iter().any(|o| o.metadata.name.as_deref() == Some(name)) {
            return;
        }
        let mut order = PackOrder::new(name, stored_form(spec));
        order.metadata.namespace = Some(TREASURY.into());
        order.metadata.finalizers = Some(vec![ORDER_FINALIZER.into()]);
        order.metadata.generation = Some(1);
        self.orders.push(order);
    }

    fn change(&mut self, change: Change) {
        self.last_change = Some(self.now);
        self.failures.retain(|failure| failure.change != change);
        let stubborn = self.stubborn.as_ref().is_some_and(|id| format!("{change:?}").contains(id.as_str()));
        if self.refuse_changes || stubborn || !self.possible(&change) {
            let retry_time = self.now.checked_add(SignedDuration::from_secs(30)).unwrap();
            let category = if stubborn { carpack_api::Reason::Locked } else { carpack_api::Reason::CloudInternal };
            self.failures.push(ChangeFailure { change, category, message: "no".into(), retry_time, refusals: 1 });
            return;
        }
        match &change {
            _ if self.deaf => {}
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

    pub fn decide_order(&self, index: usize, deals: Option<&DealsLook>) -> order::Decision {
        let order = &self.orders[index];
        let uid = Some(order.spec.pack_ref.uid.as_str());
        let account = self.account.as_ref();
        let packs = || self.pack.iter().chain(&self.neighbours);
        let orders = || self.orders.iter().chain(&self.neighbours_orders);
        let commitments = account.map(|account| Commitments::gather(account, orders(), packs(), self.now));
        let commitments = commitments.unwrap_or_default();
        order::decide(&order::Input {
            order,
            siblings: &self.orders.iter().collect::<Vec<_>>(),
            unreadable: &self.unreadable,
            pack: self.pack.as_ref().filter(|p| p.metadata.uid.as_deref() == uid),
            account: self.account.as_ref(),
            observation: self.observation.as_ref(),
            deals,
            elsewhere: &self.elsewhere,
            commitments: &commitments,
            installation_mode: self.installation_mode,
            now: self.now,
            clock_ahead: self.clock_ahead,
            timing: &self.timing,
        })
    }

    /// The cloud refuses what no longer fits, because somebody else was there in between.
    fn possible(&self, change: &Change) -> bool {
        match change {
            Change::Bind { ids, .. } => {
                ids.iter().all(|id| self.instances.get(id).is_some_and(|i| i.project == Binding::Unbound))
            }
            Change::Unbind { ids, project } => ids
                .iter()
                .all(|id| self.instances.get(id).is_some_and(|i| i.project == Binding::Bound(project.clone()))),
            Change::Rename { id, .. } | Change::SetAutoRenew { id, .. } => self.instances.contains_key(id),
        }
    }

    pub fn step_order(&mut self, index: usize) -> Option<order::Effect> {
        let mut deals = None;
        for _ in 0..3 {
            let decision = self.decide_order(index, deals.as_ref());
            assert!(decision.wake_at.is_none_or(|at| at > self.now), "wake_at lies in the past");
            self.orders[index].status = Some(stored_form(&decision.status));
            self.order_events.extend(decision.events);
            match decision.effect {
                Some(order::Effect::LookAtDeals { .. }) => {
                    deals = Some(DealsLook { started: self.now, deals: self.deals() });
                    continue;
                }
                Some(order::Effect::Submit { index: line }) => {
                    self.submit(index, line);
                    return Some(order::Effect::Submit { index: line });
                }
                other => return other,
            }
        }
        None
    }

    /// The spender: intent, call, record.
    fn submit(&mut self, index: usize, line: i32) {
        self.orders[index].status = Some(stored_form(&order::intend(&self.orders[index], line, self.now)));
        let outcome = self.call(index, line);
        self.pass(SignedDuration::from_millis(100));
        self.orders[index].status =
            Some(stored_form(&order::settle(&self.orders[index], line, &outcome, self.now, &self.timing)));
    }

    fn call(&mut self, index: usize, line: i32) -> Outcome {
        let reply = if self.replies.is_empty() { Reply::Honest } else { self.replies.remove(0) };
        let unknown = Outcome::Unknown { category: carpack_api::Reason::NoAnswer, message: "no answer in time".into() };
        match reply {
            Reply::Refused { category, may_pass } => {
                Outcome::Rejected { category, message: "refused".into(), may_pass }
            }
            Reply::LostBeforeCommit => unknown,
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
                unknown
            }
        }
    }

    /// When the last instances that carry so many concurrencies, delivered or on their way, begin to expire.
    fn ends(&self, quantity: i32) -> Option<Timestamp> {
        let all = self.instances.values().chain(&self.undelivered).filter(|instance| !instance.isolated);
        let mut expirations: Vec<_> = all.filter_map(|instance| instance.expiration).collect();
        expirations.sort_by_key(|at| std::cmp::Reverse(*at));
        expirations.truncate(usize::try_from(quantity).unwrap());
        expirations.pop()
    }

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
            OrderAction::Buy => self.make(&spec, delivered),
            OrderAction::Renew => {
                let id = line.instance_id.clone().unwrap();
                let instance = self.instances.get_mut(&id).unwrap();
                assert!(!instance.isolated, "renewed what had expired");
                assert_ne!(instance.renew_flag, RenewFlag::Auto, "renewed although the cloud renews it too");
                instance.expiration = instance
                    .expiration
                    .map(|at| at.checked_add(days(spec.terms.billing_mode, spec.terms.duration)).unwrap());
                vec![id]
            }
            OrderAction::Return => {
                let id = line.instance_id.clone().unwrap();
                self.instances.remove(&id);
                vec![id]
            }
        };
        let delivered_ids = if delivered == 0 { Vec::new() } else { instances.clone() };
        self.charges.push(Charge {
            action: spec.action,
            token: line.client_token,
            order_id: order_id.clone(),
            instances,
            ends,
            state: DealState::InEffect,
        });
        Outcome::Committed { order_ids: vec![order_id], instance_ids: delivered_ids, request_id: Some("r".into()) }
    }

    fn make(&mut self, spec: &carpack_api::PackOrderSpec, delivered: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 1..=spec.terms.quantity {
            self.counter += 1;
            let id = format!("i-{:03}", self.counter);
            let name =
                if spec.terms.quantity == 1 { spec.pack_name.clone() } else { format!("{}-{number}", spec.pack_name) };
            let instance = Instance {
                id: id.clone(),
                name: Some(name),
                concurrencies: Some(1),
                project: Binding::Unbound,
                expiration: Some(
                    whole(self.now).checked_add(days(spec.terms.billing_mode, spec.terms.duration)).unwrap(),
                ),
                expiration_source: ExpirationTimeSource::Billing,
                renew_flag: if spec.terms.auto_renew { RenewFlag::Auto } else { RenewFlag::Manual },
                scale: Some(spec.terms.concurrency_scale.clone()),
                region: Some(spec.terms.region.clone()),
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

    pub fn deals(&self) -> Vec<Deal> {
        let deal = |charge: &Charge| Deal {
            order_id: charge.order_id.clone(),
            action: match charge.action {
                OrderAction::Buy => DealAction::Purchase,
                OrderAction::Renew => DealAction::Renew,
                OrderAction::Return => DealAction::Refund,
            },
            cost_cents: (charge.state != DealState::Unpaid).then_some(if charge.action == OrderAction::Return {
                -10_500
            } else {
                10_500
            }),
            currency: Some("USD".into()),
            instance_ids: charge.instances.clone(),
            product_code: Some("p_car".into()),
            state: charge.state,
            created: None,
        };
        self.charges.iter().map(deal).collect()
    }

    // What tests ask.

    pub fn condition(&self, kind: &str) -> Option<(String, String)> {
        let status = self.pack.as_ref()?.status.as_ref()?;
        status.conditions.iter().find(|c| c.type_ == kind).map(|c| (c.status.clone(), c.reason.clone()))
    }

    pub fn condition_message(&self, kind: &str) -> String {
        let conditions = &self.status().conditions;
        conditions.iter().find(|c| c.type_ == kind).unwrap().message.clone()
    }

    pub fn ready(&self) -> String {
        self.condition("Ready").map_or_else(|| "-".into(), |(status, reason)| format!("{status} {reason}"))
    }

    pub fn bought(&self) -> usize {
        self.charges.iter().filter(|c| c.action == OrderAction::Buy).count()
    }

    pub fn renewed(&self) -> usize {
        self.charges.iter().filter(|c| c.action == OrderAction::Renew).count()
    }

    pub fn projects_of_instances(&self) -> Vec<Option<String>> {
        self.instances.values().map(|i| i.project.project().map(str::to_owned)).collect()
    }

    pub fn names_of_instances(&self) -> Vec<String> {
        self.instances.values().filter_map(|i| i.name.clone()).collect()
    }

    pub fn open_orders(&self) -> usize {
        let open = |o: &&PackOrder| {
            !matches!(o.status.as_ref().and_then(|s| s.state), Some(OrderState::Fulfilled | OrderState::Failed))
        };
        self.orders.iter().filter(open).count()
    }

    pub fn unresolved(&self) -> bool {
        self.orders
            .iter()
            .filter_map(|o| o.status.as_ref())
            .flat_map(|s| &s.lines)
            .any(|l| matches!(l.state, LineState::Unknown | LineState::Submitting))
    }

    pub fn approve(&mut self, index: usize, scope: &str) {
        self.orders[index].spec.approval =
            Some(serde_json::from_value(json!({"decision": "Approved", "scope": scope})).unwrap());
    }

    pub fn status(&self) -> &carpack_api::ConcurrencyPackStatus {
        self.pack.as_ref().unwrap().status.as_ref().unwrap()
    }

    pub fn delete_pack(&mut self) {
        self.pack.as_mut().unwrap().metadata.deletion_timestamp = Some(Time(self.now));
    }
}

/// The cloud writes whole seconds.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

/// What is left after the API server has stored it: whole seconds.
fn stored_form<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_value(serde_json::to_value(value).unwrap()).unwrap()
}

fn days(mode: BillingMode, duration: i32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(duration) * if mode == BillingMode::Daily { 24 } else { 24 * 30 })
}
