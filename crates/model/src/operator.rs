//! An operator: it reconciles packs and orders, one effect at a time.

use carpack_api::{ConcurrencyPack, PACK_FINALIZER, PackOrder};
use carpack_core::{order, pack};

use crate::api::name_of;
use crate::config::{Mutant, at};
use crate::decisions::OrderDecision;
use crate::marks::UNMODELLED;
use crate::scene::Scene;
use crate::state::{State, Stored};

impl State {
    /// False when a reconcile of the pack changes nothing. True may be wrong: this is only the cheap part of the
    /// question.
    pub fn may_change_pack(&self, scene: &Scene, operator: usize, index: usize) -> bool {
        let Some(Some(read)) = self.packs_of(operator).get(index) else { return false };
        let due = read.object.status.as_ref().and_then(|status| status.next_renewal_time.as_ref());
        if scene.world.is(Mutant::MissedRenewal) && due.is_some_and(|due| due.0.as_second() <= self.now) {
            return false;
        }
        let decided = self.decide_pack(scene, operator, read);
        decided.written.is_some() || decided.decision.effect.is_some()
    }

    /// The same for an order.
    pub fn may_change_order(&self, scene: &Scene, operator: usize, name: &str) -> bool {
        let Some(read) = self.orders_of(operator).get(name) else { return false };
        let decided = self.decide_order(scene, operator, read);
        decided.written.is_some()
            || decided.decision.effect.is_some()
            || read.object.metadata.deletion_timestamp.is_some()
    }

    /// An operator reconciles a pack. None when nothing changes.
    pub fn reconcile_pack(&self, scene: &Scene, operator: usize, index: usize) -> Option<Self> {
        let read = self.packs_of(operator).get(index)?.clone()?;
        let decided = self.decide_pack(scene, operator, &read);
        let mut next = self.clone();
        let mut recorded = read;
        if let Some(written) = &decided.written {
            recorded = next.write_pack(index, &recorded, written)?;
        }
        let acted = match &decided.decision.effect {
            None => false,
            Some(pack::Effect::AddFinalizer) => {
                let mut pack = recorded.object.as_ref().clone();
                pack.metadata.finalizers = Some(vec![PACK_FINALIZER.to_owned()]);
                recorded = next.write_pack(index, &recorded, &Stored::new(pack, 0))?;
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
                // An order that exists already is a success: the operator waits until it reads it.
                let known = waits.is_some()
                    || self.orders.contains_key(name) && self.operators.get(operator)?.snapshot.is_none();
                if !known {
                    *waits = Some(Stored::new(order, 0));
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
        (decided.written.is_some() || acted).then_some(next)
    }

    /// An operator reconciles an order: it records the decision and carries out its effect in one pass. None when nothing
    /// changes.
    pub fn reconcile_order(&self, scene: &Scene, operator: usize, name: &str) -> Option<Self> {
        if self.operators.get(operator)?.tasks.contains_key(name) {
            return None;
        }
        let read = self.orders_of(operator).get(name)?.clone();
        if scene.world.is(Mutant::CarelessFinalizer) && read.object.metadata.deletion_timestamp.is_some() {
            let mut next = self.clone();
            return next.release_order(&read).then_some(next);
        }
        let decided = self.decide_order(scene, operator, &read);
        let mut next = self.clone();
        let mut recorded = read;
        if let Some(written) = &decided.written {
            recorded = next.write_order(&scene.world, &recorded, written)?;
            next.remember_order(operator, name, recorded.clone());
        }
        let acted = next.act_on_order(scene, operator, &recorded, &decided);
        acted.or_else(|| decided.written.is_some().then_some(next))
    }

    /// An operator carries out the effect of a decision, on the order as it is recorded. None when nothing comes of it.
    fn act_on_order(
        &self,
        scene: &Scene,
        operator: usize,
        recorded: &Stored<PackOrder>,
        decided: &OrderDecision,
    ) -> Option<Self> {
        let name = name_of(&recorded.object);
        let mut next = self.clone();
        match decided.decision.effect.as_ref()? {
            order::Effect::Submit { index } => self.start_payment(scene, operator, name, *index, decided.deals.clone()),
            order::Effect::RemoveFinalizer => next.release_order(recorded).then_some(next),
            order::Effect::Prune => {
                let current = self.orders.get(name).is_some_and(|live| live.version == recorded.version);
                let deleting = recorded.object.metadata.deletion_timestamp.is_some();
                next.delete_order(name, at(self.now));
                (current && !deleting).then_some(next)
            }
            // Orders are created with the finalizer, and the list of deals was read for the decision.
            order::Effect::AddFinalizer | order::Effect::ReadDeals { .. } => None,
        }
    }

    /// An operator creates the order that it has decided on.
    pub fn create(&self, operator: usize) -> Option<Self> {
        let mut next = self.clone();
        let order = next.operators.get_mut(operator)?.creating.take()?;
        next.create_order(order.object.as_ref().clone());
        Some(next)
    }

    /// True when an operator needs a new sweep. A process begins with one. The last regular sweep comes when nothing
    /// else is left to happen.
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
        packs.into_iter().any(|pack| self.decide_pack(scene, operator, pack).decision.wants_sweep)
            || orders.into_iter().any(|(_, order)| self.decide_order(scene, operator, order).decision.wants_sweep)
            || regular()
    }

    fn remember_pack(&mut self, operator: usize, index: usize, pack: Stored<ConcurrencyPack>) {
        let snapshot = self.operators.get_mut(operator).and_then(|o| o.snapshot.as_mut());
        if let Some(place) = snapshot.and_then(|snapshot| snapshot.packs.get_mut(index)) {
            *place = Some(pack);
        }
    }

    /// The operator knows what it has just written, also when it was frozen before.
    pub fn remember_order(&mut self, operator: usize, name: &str, order: Stored<PackOrder>) {
        if let Some(snapshot) = self.operators.get_mut(operator).and_then(|o| o.snapshot.as_mut()) {
            snapshot.orders.insert(name.to_owned(), order);
        }
    }
}
