//! What an operator reads, and what the decisions of carpack make of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use carpack_api::{ConcurrencyPack, Mode, PackOrder};
use carpack_core::facts::commitments::Commitments;
use carpack_core::facts::holdings::{has_unrecorded_namesakes, recorded_by_others};
use carpack_core::facts::takeover::Holders;
use carpack_core::observation::DealList;
use carpack_core::{order, pack};
use jiff::SignedDuration;

use crate::api::{name_of, pack_without_times, with_status, without_times};
use crate::config::{NAMESPACE, TREASURY, at};
use crate::scene::Scene;
use crate::state::{Snapshot, State, Stored, digest};

/// The number of decisions that a thread remembers.
const REMEMBERED: usize = 200_000;

/// A decision about an order.
pub struct OrderDecision {
    /// The decision; its status has no times.
    pub decision: order::Decision,
    /// The list of deals that it is based on.
    pub deals: Option<DealList>,
    /// The order with the decided status; none when the status does not change.
    pub written: Option<Stored<PackOrder>>,
}

/// A decision about a pack.
pub struct PackDecision {
    /// The decision; its status has no times.
    pub decision: pack::Decision,
    /// The pack with the decided status; none when the status does not change.
    pub written: Option<Stored<ConcurrencyPack>>,
}

fn keys_of(packs: &[Option<Stored<ConcurrencyPack>>]) -> Vec<u128> {
    packs.iter().flatten().map(Stored::key).collect()
}

thread_local! {
    static ORDERS: RefCell<HashMap<u128, Arc<OrderDecision>>> = RefCell::default();
    static PACKS: RefCell<HashMap<u128, Arc<PackDecision>>> = RefCell::default();
}

/// Decides once for each key. The decisions are pure functions, and the same input comes up in many states.
fn once<T>(
    memory: &'static std::thread::LocalKey<RefCell<HashMap<u128, Arc<T>>>>,
    key: u128,
    decide: impl FnOnce() -> T,
) -> Arc<T> {
    if let Some(known) = memory.with_borrow(|remembered| remembered.get(&key).cloned()) {
        return known;
    }
    let decision = Arc::new(decide());
    memory.with_borrow_mut(|remembered| {
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, Arc::clone(&decision));
    });
    decision
}

impl State {
    /// The orders as this operator has read them.
    pub fn orders_of(&self, operator: usize) -> &BTreeMap<String, Stored<PackOrder>> {
        match self.operators.get(operator).and_then(|o| o.snapshot.as_ref()) {
            Some(snapshot) => &snapshot.orders,
            None => &self.orders,
        }
    }

    /// The packs as this operator has read them.
    pub fn packs_of(&self, operator: usize) -> &[Option<Stored<ConcurrencyPack>>] {
        match self.operators.get(operator).and_then(|o| o.snapshot.as_ref()) {
            Some(snapshot) => &snapshot.packs,
            None => &self.packs,
        }
    }

    /// All objects as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { packs: self.packs.clone(), orders: self.orders.clone() }
    }

    /// What the packs of other names and their orders have on record, as this operator has read them.
    fn recorded_by_others(&self, operator: usize, namespace: &str, name: &str) -> BTreeSet<String> {
        let orders = self.orders_of(operator).values().map(|order| order.object.as_ref());
        let packs = self.packs_of(operator).iter().flatten().map(|pack| pack.object.as_ref());
        recorded_by_others((namespace, name), orders, packs)
    }

    fn sweep_key(&self, operator: usize) -> Option<u128> {
        self.operators.get(operator).and_then(|o| o.sweep.as_ref()).map(|sweep| sweep.key)
    }

    /// What an operator decides about a pack that it has read like this.
    pub fn decide_pack(&self, scene: &Scene, operator: usize, read: &Stored<ConcurrencyPack>) -> Arc<PackDecision> {
        let name = read.object.metadata.name.as_deref().unwrap_or_default();
        let orders = self.orders_of(operator).values().filter(|o| o.object.spec.pack_ref.name == name);
        let keys: Vec<u128> = orders.clone().map(Stored::key).collect();
        let orders: Vec<&PackOrder> = orders.map(|o| o.object.as_ref()).collect();
        let observation = self.operators.get(operator).and_then(|o| o.sweep.as_ref()).map(|s| s.observation.as_ref());
        let ids_of_others = if has_unrecorded_namesakes(&read.object, &orders, observation) {
            self.recorded_by_others(operator, NAMESPACE, name)
        } else {
            BTreeSet::new()
        };
        let key = digest(&(scene.id, self.now, read.key(), keys, self.sweep_key(operator), &ids_of_others));
        once(&PACKS, key, || {
            let mut decision = pack::decide(&pack::Input {
                holders: &Holders::new(),
                ids_of_others: &ids_of_others,
                pack: &read.object,
                orders: &orders,
                account: scene.account.as_ref(),
                observation,
                installation_mode: Mode::Automatic,
                operator_namespace: TREASURY,
                last_change: None,
                failures: &[],
                now: at(self.now),
                timing: &scene.timing,
            });
            decision.status = pack_without_times(decision.status);
            let changed = read.object.status.clone().unwrap_or_default() != decision.status;
            let status = Some(decision.status.clone());
            let written = changed.then(|| Stored::new(ConcurrencyPack { status, ..read.object.as_ref().clone() }, 0));
            PackDecision { decision, written }
        })
    }

    /// What an operator decides about an order that it has read like this. It reads the list of deals when the decision
    /// asks for it.
    pub fn decide_order(&self, scene: &Scene, operator: usize, read: &Stored<PackOrder>) -> Arc<OrderDecision> {
        let packs = self.packs_of(operator);
        let decided = self.decide_order_with(scene, operator, read, packs, None);
        match decided.decision.effect {
            Some(order::Effect::ReadDeals { .. }) => {
                self.decide_order_with(scene, operator, read, packs, Some(self.deals(&scene.world)))
            }
            _ => decided,
        }
    }

    /// The same with these packs and this list of deals.
    pub fn decide_order_with(
        &self,
        scene: &Scene,
        operator: usize,
        read: &Stored<PackOrder>,
        packs: &[Option<Stored<ConcurrencyPack>>],
        deals: Option<DealList>,
    ) -> Arc<OrderDecision> {
        let spec = &read.object.spec;
        let alive =
            |pack: &&Stored<ConcurrencyPack>| pack.object.metadata.uid.as_deref() == Some(spec.pack_ref.uid.as_str());
        let pack = packs.iter().flatten().find(alive);
        let others: Vec<&Stored<PackOrder>> =
            self.orders_of(operator).values().filter(|o| name_of(&o.object) != name_of(&read.object)).collect();
        let keys: Vec<u128> = others.iter().map(|o| o.key()).collect();
        // The spender reads pack and order live, but not what others have on record.
        let ids_of_others = self.recorded_by_others(operator, &spec.pack_ref.namespace, &spec.pack_ref.name);
        let deals_key = deals.as_ref().map(|list| (list.started.as_second(), digest(&format!("{:?}", list.deals))));
        let key = digest(&(
            (scene.id, self.now, read.key(), keys),
            (pack.map(Stored::key), self.sweep_key(operator), deals_key, &ids_of_others),
            scene.account.as_ref().filter(|a| a.has_limits()).map(|_| keys_of(packs)),
        ));
        once(&ORDERS, key, || {
            let same = |o: &&&Stored<PackOrder>| o.object.spec.pack_ref.name == spec.pack_ref.name;
            let siblings = others.iter().copied().filter(|o| same(&o)).chain([read]);
            let siblings: Vec<&PackOrder> = siblings.map(|o| o.object.as_ref()).collect();
            let sweep = self.operators.get(operator).and_then(|o| o.sweep.as_ref());
            let all = others.iter().copied().chain([read]).map(|o| o.object.as_ref());
            let living = packs.iter().flatten().map(|pack| pack.object.as_ref());
            let commitments = scene.account.as_ref().map(|a| Commitments::gather(a, all, living, at(self.now)));
            let mut decision = order::decide(&order::Input {
                order: &read.object,
                siblings: &siblings,
                pack: pack.map(|pack| pack.object.as_ref()),
                account: scene.account.as_ref(),
                observation: sweep.map(|sweep| sweep.observation.as_ref()),
                deals: deals.as_ref(),
                ids_of_others: &ids_of_others,
                unreadable: &BTreeSet::new(),
                commitments: &commitments.unwrap_or_default(),
                installation_mode: Mode::Automatic,
                now: at(self.now),
                clock_ahead: SignedDuration::ZERO,
                timing: &scene.timing,
            });
            decision.status = without_times(decision.status);
            let changed = read.object.status.as_ref() != Some(&decision.status);
            let written = changed.then(|| with_status(&read.object, decision.status.clone()));
            OrderDecision { decision, deals, written }
        })
    }
}
