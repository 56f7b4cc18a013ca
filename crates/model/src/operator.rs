//! An operator: what it reads, what the decisions of carpack make of that, and how it carries them out.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use carpack_api::{ConcurrencyPack, Mode, PACK_FINALIZER, PackOrder};
use carpack_core::Timing;
use carpack_core::account::Account;
use carpack_core::facts::takeover::Holders;
use carpack_core::observation::DealList;
use carpack_core::rules::limits::Commitments;
use carpack_core::{order, pack};
use jiff::SignedDuration;

use crate::api::{lean_order, lean_pack, name_of, with_status};
use crate::config::{Mutant, TREASURY, World, at};
use crate::properties::UNMODELLED;
use crate::state::{Held, Rec, State, digest};

/// Decisions that are kept by a thread: the same question comes up in many states.
const KEPT: usize = 200_000;

/// A world, and what every decision in it is given.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The world.
    pub world: World,
    /// The account.
    pub account: Option<Account>,
    /// The intervals.
    pub timing: Timing,
    id: u128,
}

impl Scene {
    /// The scene of a world.
    pub fn new(world: World) -> Self {
        let id = digest(&format!("{world:?}"));
        Self { account: world.account(), timing: world.intervals(), id, world }
    }
}

/// What a decision about an order came to.
pub struct OrderTurn {
    /// The decision; its status is as the model keeps it.
    pub decision: order::Decision,
    /// The look into the books that it was made on.
    pub deals: Option<DealList>,
    /// The order with the decided status, when it is not recorded like this yet.
    pub written: Option<Rec<PackOrder>>,
}

/// What a decision about a pack came to.
pub struct PackTurn {
    /// The decision; its status is as the model keeps it.
    pub decision: pack::Decision,
    /// The pack with the decided status, when it is not recorded like this yet.
    pub written: Option<Rec<ConcurrencyPack>>,
}

fn keys_of(packs: &[Option<Rec<ConcurrencyPack>>]) -> Vec<u128> {
    packs.iter().flatten().map(Rec::key).collect()
}

thread_local! {
    static ORDER_TURNS: RefCell<HashMap<u128, Arc<OrderTurn>>> = RefCell::default();
    static PACK_TURNS: RefCell<HashMap<u128, Arc<PackTurn>>> = RefCell::default();
}

/// The decisions are pure: asked the same, they answer the same. So each is asked once.
fn once<T>(
    memory: &'static std::thread::LocalKey<RefCell<HashMap<u128, Arc<T>>>>,
    key: u128,
    ask: impl FnOnce() -> T,
) -> Arc<T> {
    if let Some(known) = memory.with_borrow(|kept| kept.get(&key).cloned()) {
        return known;
    }
    let answer = Arc::new(ask());
    memory.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, Arc::clone(&answer));
    });
    answer
}

impl State {
    /// The orders as this operator has read them.
    pub fn orders_of(&self, operator: usize) -> &BTreeMap<String, Rec<PackOrder>> {
        match self.operators.get(operator).and_then(|o| o.held.as_ref()) {
            Some(held) => &held.orders,
            None => &self.orders,
        }
    }

    /// The packs as this operator has read them.
    pub fn packs_of(&self, operator: usize) -> &[Option<Rec<ConcurrencyPack>>] {
        match self.operators.get(operator).and_then(|o| o.held.as_ref()) {
            Some(held) => &held.packs,
            None => &self.packs,
        }
    }

    /// Everything that there is to read.
    pub fn reading(&self) -> Held {
        Held { packs: self.packs.clone(), orders: self.orders.clone() }
    }

    fn sweep_key(&self, operator: usize) -> Option<u128> {
        self.operators.get(operator).and_then(|o| o.sweep.as_ref()).map(|sweep| sweep.key)
    }

    /// What an operator would do for a pack.
    pub fn pack_turn(&self, scene: &Scene, operator: usize, read: &Rec<ConcurrencyPack>) -> Arc<PackTurn> {
        let name = read.object.metadata.name.as_deref().unwrap_or_default();
        let orders = self.orders_of(operator).values().filter(|o| o.object.spec.pack_ref.name == name);
        let orders: Vec<&Rec<PackOrder>> = orders.collect();
        let keys: Vec<u128> = orders.iter().map(|o| o.key()).collect();
        let key = digest(&(scene.id, self.now, read.key(), keys, self.sweep_key(operator)));
        once(&PACK_TURNS, key, || {
            let orders: Vec<&PackOrder> = orders.iter().map(|o| o.object.as_ref()).collect();
            let sweep = self.operators.get(operator).and_then(|o| o.sweep.as_ref());
            let mut decision = pack::decide(&pack::Input {
                holders: &Holders::new(),
                pack: &read.object,
                orders: &orders,
                account: scene.account.as_ref(),
                observation: sweep.map(|sweep| sweep.observation.as_ref()),
                installation_mode: Mode::Automatic,
                operator_namespace: TREASURY,
                last_change: None,
                failures: &[],
                now: at(self.now),
                timing: &scene.timing,
            });
            decision.status = lean_pack(decision.status);
            let changed = read.object.status.clone().unwrap_or_default() != decision.status;
            let status = Some(decision.status.clone());
            let written = changed.then(|| Rec::new(ConcurrencyPack { status, ..read.object.as_ref().clone() }, 0));
            PackTurn { decision, written }
        })
    }

    /// What an operator would do for an order that it has read like this. The books are looked into when the decision
    /// asks for it.
    pub fn order_turn(&self, scene: &Scene, operator: usize, read: &Rec<PackOrder>) -> Arc<OrderTurn> {
        let packs = self.packs_of(operator);
        let turn = self.order_turn_on(scene, operator, read, packs, None);
        match turn.decision.effect {
            Some(order::Effect::ReadDeals { .. }) => {
                self.order_turn_on(scene, operator, read, packs, Some(self.books(&scene.world)))
            }
            _ => turn,
        }
    }

    /// The same, on given packs and a given look into the books.
    pub fn order_turn_on(
        &self,
        scene: &Scene,
        operator: usize,
        read: &Rec<PackOrder>,
        packs: &[Option<Rec<ConcurrencyPack>>],
        deals: Option<DealList>,
    ) -> Arc<OrderTurn> {
        let spec = &read.object.spec;
        let alive =
            |pack: &&Rec<ConcurrencyPack>| pack.object.metadata.uid.as_deref() == Some(spec.pack_ref.uid.as_str());
        let pack = packs.iter().flatten().find(alive);
        let others: Vec<&Rec<PackOrder>> =
            self.orders_of(operator).values().filter(|o| name_of(&o.object) != name_of(&read.object)).collect();
        let keys: Vec<u128> = others.iter().map(|o| o.key()).collect();
        let books = deals.as_ref().map(|look| (look.started.as_second(), digest(&format!("{:?}", look.deals))));
        let key = digest(&(
            (scene.id, self.now, read.key(), keys),
            (pack.map(Rec::key), self.sweep_key(operator), books),
            scene.account.as_ref().filter(|a| a.has_limits()).map(|_| keys_of(packs)),
        ));
        once(&ORDER_TURNS, key, || {
            let same = |o: &&&Rec<PackOrder>| o.object.spec.pack_ref.name == spec.pack_ref.name;
            let siblings = others.iter().copied().filter(|o| same(&o)).chain([read]);
            let siblings: Vec<&PackOrder> = siblings.map(|o| o.object.as_ref()).collect();
            let strangers = others.iter().filter(|o| !same(o)).filter_map(|o| o.object.status.as_ref());
            let lines = strangers.flat_map(|status| &status.lines);
            let ids_of_others: BTreeSet<String> =
                lines.flat_map(|line| line.order_ids.iter().chain(&line.instance_ids)).cloned().collect();
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
            decision.status = lean_order(decision.status);
            let changed = read.object.status.as_ref() != Some(&decision.status);
            let written = changed.then(|| with_status(&read.object, decision.status.clone()));
            OrderTurn { decision, deals, written }
        })
    }

    /// True when a look at a pack may come to something: cheap, and true too often rather than too seldom.
    pub fn may_step_pack(&self, scene: &Scene, operator: usize, index: usize) -> bool {
        let Some(Some(read)) = self.packs_of(operator).get(index) else { return false };
        let due = read.object.status.as_ref().and_then(|status| status.next_renewal_time.as_ref());
        if scene.world.is(Mutant::Overslept) && due.is_some_and(|due| due.0.as_second() <= self.now) {
            return false;
        }
        let turn = self.pack_turn(scene, operator, read);
        turn.written.is_some() || turn.decision.effect.is_some()
    }

    /// The same for an order.
    pub fn may_step_order(&self, scene: &Scene, operator: usize, name: &str) -> bool {
        let Some(read) = self.orders_of(operator).get(name) else { return false };
        let turn = self.order_turn(scene, operator, read);
        turn.written.is_some() || turn.decision.effect.is_some() || read.object.metadata.deletion_timestamp.is_some()
    }

    /// One look at a pack. None when nothing comes of it.
    pub fn step_pack(&self, scene: &Scene, operator: usize, index: usize) -> Option<Self> {
        let read = self.packs_of(operator).get(index)?.clone()?;
        let turn = self.pack_turn(scene, operator, &read);
        let mut next = self.clone();
        let mut recorded = read;
        if let Some(written) = &turn.written {
            recorded = next.write_pack(index, &recorded, written)?;
        }
        let acted = match &turn.decision.effect {
            None => false,
            Some(pack::Effect::AddFinalizer) => {
                let mut pack = recorded.object.as_ref().clone();
                pack.metadata.finalizers = Some(vec![PACK_FINALIZER.to_owned()]);
                recorded = next.write_pack(index, &recorded, &Rec::new(pack, 0))?;
                true
            }
            Some(pack::Effect::RemoveFinalizer) => {
                let live = next.packs.get(index)?.as_ref()?;
                if live.version != recorded.version {
                    return None;
                }
                *next.packs.get_mut(index)? = None;
                true
            }
            Some(pack::Effect::CreateOrder { name, spec }) => {
                let order = PackOrder::new(name, spec.as_ref().clone());
                let waits = &mut next.operators.get_mut(operator)?.creating;
                // It exists already: that is success, and the controller waits until it sees it.
                let known =
                    waits.is_some() || self.orders.contains_key(name) && self.operators.get(operator)?.held.is_none();
                if !known {
                    *waits = Some(Rec::new(order, 0));
                }
                !known
            }
            Some(pack::Effect::Change(change)) => {
                next.broken.set(UNMODELLED);
                next.wanted = Some(format!("{change:?}"));
                true
            }
        };
        next.remember_pack(operator, index, recorded);
        (turn.written.is_some() || acted).then_some(next)
    }

    /// One look at an order. None when nothing comes of it.
    pub fn step_order(&self, scene: &Scene, operator: usize, name: &str) -> Option<Self> {
        if self.operators.get(operator)?.tasks.contains_key(name) {
            return None;
        }
        let read = self.orders_of(operator).get(name)?.clone();
        if scene.world.is(Mutant::CarelessFinalizer) && read.object.metadata.deletion_timestamp.is_some() {
            let mut next = self.clone();
            return next.release_order(&read).then_some(next);
        }
        let turn = self.order_turn(scene, operator, &read);
        let mut next = self.clone();
        if let Some(written) = &turn.written {
            let recorded = next.write_order(&scene.world, &read, written)?;
            next.remember_order(operator, name, recorded);
            return Some(next);
        }
        match turn.decision.effect.as_ref()? {
            order::Effect::Submit { index } => self.look(scene, operator, name, *index, turn.deals.clone()),
            order::Effect::RemoveFinalizer => next.release_order(&read).then_some(next),
            order::Effect::Prune => {
                let current = self.orders.get(name).is_some_and(|live| live.version == read.version);
                let deleting = read.object.metadata.deletion_timestamp.is_some();
                next.delete_order(name, at(self.now));
                (current && !deleting).then_some(next)
            }
            // Orders are created with the finalizer, and the books were looked into above.
            order::Effect::AddFinalizer | order::Effect::ReadDeals { .. } => None,
        }
    }

    /// The order that was decided on is created.
    pub fn create(&self, operator: usize) -> Option<Self> {
        let mut next = self.clone();
        let order = next.operators.get_mut(operator)?.creating.take()?;
        next.create_order(order.object.as_ref().clone());
        Some(next)
    }

    /// True when a newer sweep is what an operator waits for. A process begins with one, and the regular one comes anyway: before
    /// nothing is left to happen, it shows what is there.
    pub fn wants_sweep(&self, scene: &Scene, operator: usize) -> bool {
        let Some(process) = self.operators.get(operator) else { return false };
        let Some(sweep) = &process.sweep else { return true };
        if sweep.started >= self.now {
            return false;
        }
        let regular =
            || self.next_moment(scene).is_none() && sweep.observation.instances != self.sweep().observation.instances;
        let packs = self.packs_of(operator).iter().flatten();
        let orders = self.orders_of(operator).iter().filter(|(name, _)| !process.tasks.contains_key(*name));
        packs.into_iter().any(|pack| self.pack_turn(scene, operator, pack).decision.wants_sweep)
            || orders.into_iter().any(|(_, order)| self.order_turn(scene, operator, order).decision.wants_sweep)
            || regular()
    }

    fn remember_pack(&mut self, operator: usize, index: usize, pack: Rec<ConcurrencyPack>) {
        let held = self.operators.get_mut(operator).and_then(|o| o.held.as_mut());
        if let Some(place) = held.and_then(|held| held.packs.get_mut(index)) {
            *place = Some(pack);
        }
    }

    /// What was just written is known as it was answered.
    pub fn remember_order(&mut self, operator: usize, name: &str, order: Rec<PackOrder>) {
        if let Some(held) = self.operators.get_mut(operator).and_then(|o| o.held.as_mut()) {
            held.orders.insert(name.to_owned(), order);
        }
    }
}
