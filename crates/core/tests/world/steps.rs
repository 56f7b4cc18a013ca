//! The steps of the controllers: reconciles of the pack and of its orders, and the paid calls of the spender.

use carpack_api::{ConcurrencyPack, ORDER_FINALIZER, PACK_FINALIZER, PackOrder, PackOrderSpec};
use carpack_core::facts::commitments::Commitments;
use carpack_core::facts::takeover::holders;
use carpack_core::observation::{Deal, DealList};
use carpack_core::order::{self, Outcome};
use carpack_core::pack;
use jiff::SignedDuration;

use super::{SECOND, TREASURY, World, time};

/// The time between two steps of a round.
const BETWEEN_STEPS: SignedDuration = SignedDuration::from_millis(100);

impl World {
    /// A sweep, a reconcile of the pack, and two of each order.
    pub fn round(&mut self) {
        self.advance(SECOND * 2);
        self.sweep();
        self.advance(BETWEEN_STEPS);
        self.reconcile_pack();
        self.advance(BETWEEN_STEPS);
        for index in 0..self.orders.len() {
            self.reconcile_order(index);
            self.reconcile_order(index);
        }
    }

    /// As many rounds as it takes until the controllers have nothing left to do at once: just under a minute.
    pub fn run_rounds(&mut self) {
        for _ in 0..24 {
            self.round();
        }
    }

    /// Three rounds after each of these steps, up to this moment.
    pub fn run_until(&mut self, until: &str, step: SignedDuration) {
        while self.now < time(until) {
            self.advance(step);
            self.round();
            self.round();
            self.round();
        }
    }

    /// Time passes until the renewal is due, and the pack orders it.
    pub fn order_renewal(&mut self) {
        self.advance_to(self.status().next_renewal_time.clone().unwrap().0);
        self.sweep();
        self.advance(SECOND);
        self.reconcile_pack();
    }

    /// Reconciles the newest order, and no other, until all its lines are sent or something holds them.
    pub fn run_last_order(&mut self) {
        let last = self.last_order();
        for _ in 0..12 {
            self.reconcile_order(last);
        }
    }

    /// The same, and once more after a sweep that is newer than what held the order.
    pub fn run_last_order_with_new_sweep(&mut self) {
        self.run_last_order();
        self.sweep_after(SECOND);
        self.run_last_order();
    }

    pub fn pack_input<'a>(&'a self, pack: &'a ConcurrencyPack, orders: &'a [&'a PackOrder]) -> pack::Input<'a> {
        pack::Input {
            pack,
            orders,
            account: self.account.as_ref(),
            observation: self.observation.as_ref(),
            holders: &self.holders,
            ids_of_others: &self.ids_of_others,
            installation_mode: self.installation_mode,
            operator_namespace: TREASURY,
            last_change: self.last_change,
            failures: &self.failures,
            now: self.now,
            timing: &self.timing,
        }
    }

    /// One reconcile of the pack: its new status is stored and its effect carried out.
    pub fn reconcile_pack(&mut self) -> Option<pack::Effect> {
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

    /// The API server refuses a name that is there already.
    fn create_order(&mut self, name: &str, spec: &PackOrderSpec) {
        if self.orders.iter().any(|o| o.metadata.name.as_deref() == Some(name)) {
            return;
        }
        let mut order = PackOrder::new(name, stored_form(spec));
        order.metadata.namespace = Some(TREASURY.into());
        order.metadata.finalizers = Some(vec![ORDER_FINALIZER.into()]);
        order.metadata.generation = Some(1);
        self.orders.push(order);
    }

    /// What is decided about an order while nobody has read the cloud's order books.
    pub fn decide_order(&self, index: usize) -> order::Decision {
        self.decide(index, None)
    }

    /// What is decided about an order once these deals were read from the cloud's order books.
    pub fn decide_order_with(&self, index: usize, deals: &DealList) -> order::Decision {
        self.decide(index, Some(deals))
    }

    /// Order books that hold these deals, read now.
    pub fn deal_list(&self, deals: Vec<Deal>) -> DealList {
        DealList { started: self.now, deals }
    }

    fn decide(&self, index: usize, deals: Option<&DealList>) -> order::Decision {
        let order = &self.orders[index];
        let uid = Some(order.spec.pack_ref.uid.as_str());
        order::decide(&order::Input {
            order,
            siblings: &self.orders.iter().collect::<Vec<_>>(),
            unreadable: &self.unreadable,
            pack: self.pack.as_ref().filter(|p| p.metadata.uid.as_deref() == uid),
            account: self.account.as_ref(),
            observation: self.observation.as_ref(),
            deals,
            ids_of_others: &self.ids_of_others,
            commitments: &self.commitments(),
            installation_mode: self.installation_mode,
            now: self.now,
            clock_ahead: self.clock_ahead,
            timing: &self.timing,
        })
    }

    /// What counts against the limits of the account.
    fn commitments(&self) -> Commitments {
        let packs = self.pack.iter().chain(&self.neighbours);
        let orders = self.orders.iter().chain(&self.neighbours_orders);
        let commitments = self.account.as_ref().map(|account| Commitments::gather(account, orders, packs, self.now));
        commitments.unwrap_or_default()
    }

    /// One reconcile of an order: its new status is stored and its effect carried out.
    pub fn reconcile_order(&mut self, index: usize) -> Option<order::Effect> {
        let mut deals = None;
        for _ in 0..3 {
            let decision = self.decide(index, deals.as_ref());
            assert!(decision.wake_at.is_none_or(|at| at > self.now), "wake_at lies in the past");
            self.orders[index].status = Some(stored_form(&decision.status));
            self.order_events.extend(decision.events);
            match decision.effect {
                Some(order::Effect::ReadDeals { .. }) => deals = Some(self.deal_list(self.all_deals())),
                Some(order::Effect::Submit { index: line }) => {
                    self.submit(index, line);
                    return Some(order::Effect::Submit { index: line });
                }
                other => return other,
            }
        }
        None
    }

    /// What the spender does: it records the intent, calls the cloud, and records the outcome.
    fn submit(&mut self, index: usize, line: i32) {
        self.orders[index].status = Some(stored_form(&order::intend(&self.orders[index], line, self.now)));
        let outcome = self.call(index, line);
        self.advance(BETWEEN_STEPS);
        let settled = order::settle(&self.orders[index], line, &outcome, self.now, &self.timing);
        self.orders[index].status = Some(stored_form(&settled));
    }

    /// Records a paid call for the first line of an order, and its outcome, without any cloud.
    pub fn record_call(&mut self, index: usize, outcome: &Outcome) {
        let order = &mut self.orders[index];
        order.status = Some(order::intend(order, 0, self.now));
        order.status = Some(order::settle(order, 0, outcome, self.now, &self.timing));
    }
}

/// True when the decision is to read the cloud's order books.
pub fn reads_deals(decision: &order::Decision) -> bool {
    matches!(decision.effect, Some(order::Effect::ReadDeals { .. }))
}

/// What is left after the API server has stored it: whole seconds.
fn stored_form<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_value(serde_json::to_value(value).unwrap()).unwrap()
}
