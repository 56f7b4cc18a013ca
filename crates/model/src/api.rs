//! The API server: objects with versions, compare-and-swap, and the rules that are watched at its door.

use carpack_api::common::Time;
use carpack_api::order::{LineState, LineStatus};
use carpack_api::{ConcurrencyPack, ConcurrencyPackStatus, ORDER_FINALIZER, PackOrder, PackOrderStatus};
use jiff::Timestamp;

use crate::config::{Mutant, World};
use crate::properties::{CARELESS, LOST_UPDATE, UNREACHABLE};
use crate::state::{Marks, Rec, State};

/// Name of an order.
pub fn name_of(order: &PackOrder) -> &str {
    order.metadata.name.as_deref().unwrap_or_default()
}

/// A status as the model keeps it. The trail and the transition times are left out: no decision about what is modelled
/// reads them, and a note is made only together with a change of a line, so that "nothing has changed" stays true.
pub fn lean_order(mut status: PackOrderStatus) -> PackOrderStatus {
    status.trail.clear();
    for condition in &mut status.conditions {
        condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
    }
    status
}

/// The same for a pack; `lastObservedTime` is only written, and only so that people can read it.
pub fn lean_pack(mut status: ConcurrencyPackStatus) -> ConcurrencyPackStatus {
    status.last_observed_time = None;
    for condition in &mut status.conditions {
        condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
    }
    status
}

impl State {
    fn next_version(&mut self) -> u64 {
        self.version = self.version.saturating_add(1);
        self.version
    }

    /// Replaces an order by itself with another status, if it is still what was read; returns it as it is then.
    pub fn write_order(
        &mut self,
        world: &World,
        read: &Rec<PackOrder>,
        written: &Rec<PackOrder>,
    ) -> Option<Rec<PackOrder>> {
        let name = name_of(&read.object);
        let live = self.orders.get(name)?.clone();
        let mut written = written.clone();
        if live.version != read.version {
            if !world.is(Mutant::NoVersionCheck) {
                return None;
            }
            self.broken.set(LOST_UPDATE);
            written = with_status(&live.object, written.object.status.clone().unwrap_or_default());
        }
        if live.key() == written.key() {
            return Some(live);
        }
        let status = written.object.status.as_ref();
        if status.is_none_or(|new| takes_back(live.object.status.as_ref(), new)) {
            self.broken.set(LOST_UPDATE);
        }
        let lines = status.iter().flat_map(|status| &status.lines);
        for line in lines.filter(|line| line.state == LineState::Submitting) {
            self.intents.insert((name.to_owned(), line.index, line.attempts));
        }
        written.version = self.next_version();
        self.orders.insert(name.to_owned(), written.clone());
        Some(written)
    }

    /// Replaces a pack, if it is still what was read.
    pub fn write_pack(
        &mut self,
        index: usize,
        read: &Rec<ConcurrencyPack>,
        written: &Rec<ConcurrencyPack>,
    ) -> Option<Rec<ConcurrencyPack>> {
        let live = self.packs.get(index)?.as_ref()?;
        if live.version != read.version {
            return None;
        }
        let mut stored = written.clone();
        stored.version = self.next_version();
        *self.packs.get_mut(index)? = Some(stored.clone());
        Some(stored)
    }

    /// Creates an order; that there is one of this name is refused.
    pub fn create_order(&mut self, mut order: PackOrder) -> bool {
        let name = name_of(&order).to_owned();
        if self.orders.contains_key(&name) {
            return false;
        }
        order.metadata.finalizers = Some(vec![ORDER_FINALIZER.to_owned()]);
        order.metadata.generation = Some(1);
        let stored = Rec::new(order, self.next_version());
        self.orders.insert(name, stored);
        true
    }

    /// Changes an order by another hand than the operator's.
    pub fn edit_order(&mut self, name: &str, edit: impl FnOnce(&mut PackOrder)) {
        let Some(live) = self.orders.get(name) else { return };
        let mut order = live.object.as_ref().clone();
        edit(&mut order);
        let stored = Rec::new(order, self.next_version());
        self.orders.insert(name.to_owned(), stored);
    }

    /// Marks an order as being deleted, by a person or by the operator's pruning.
    pub fn delete_order(&mut self, name: &str, now: Timestamp) {
        self.edit_order(name, |order| order.metadata.deletion_timestamp = Some(Time(now)));
    }

    /// Takes the finalizer off an order that is being deleted: then it is gone.
    pub fn release_order(&mut self, read: &Rec<PackOrder>) -> bool {
        let name = name_of(&read.object);
        let Some(live) = self.orders.get(name) else { return false };
        if live.version != read.version {
            return false;
        }
        let lines = live.object.status.iter().flat_map(|status| &status.lines);
        if lines.into_iter().any(is_open) {
            self.broken.set(CARELESS);
        }
        // What was paid for an order whose record says nothing of it could not be found any more.
        // One of the same name may have been let go before, with its payments on record.
        let object = std::sync::Arc::clone(&live.object);
        for charge in self.charges.iter_mut().filter(|charge| charge.order == name && !charge.filed) {
            if !says_paid(&object, charge.line) {
                self.broken.set(UNREACHABLE);
            }
            charge.filed = true;
        }
        self.orders.remove(name);
        true
    }

    /// Puts a new pack in a place.
    pub fn put_pack(&mut self, index: usize, pack: ConcurrencyPack) {
        let stored = Rec::new(pack, self.next_version());
        if let Some(place) = self.packs.get_mut(index) {
            *place = Some(stored);
        }
    }

    /// Notes that something worth showing was reached.
    pub fn reach(&mut self, bit: u32) {
        let mut seen: Marks = self.seen;
        seen.set(bit);
        self.seen = seen;
    }
}

/// An order with another status, not stored yet.
pub fn with_status(order: &PackOrder, status: PackOrderStatus) -> Rec<PackOrder> {
    Rec::new(PackOrder { status: Some(status), ..order.clone() }, 0)
}

/// The line of an order as it is recorded.
pub fn line_of(order: &PackOrder, index: i32) -> Option<&LineStatus> {
    order.status.as_ref()?.lines.iter().find(|line| line.index == index)
}

fn says_paid(order: &PackOrder, index: i32) -> bool {
    line_of(order, index).is_some_and(|line| matches!(line.state, LineState::Committed | LineState::Done))
}

/// A line whose paid call may have been made, and is not settled.
fn is_open(line: &LineStatus) -> bool {
    matches!(line.state, LineState::Submitting | LineState::Unknown | LineState::Committed)
}

/// True when a newer record would be taken back: a payment, or an attempt.
fn takes_back(old: Option<&PackOrderStatus>, new: &PackOrderStatus) -> bool {
    old.iter().flat_map(|status| &status.lines).any(|before| {
        let Some(after) = new.lines.iter().find(|line| line.index == before.index) else { return true };
        let paid = |line: &LineStatus| matches!(line.state, LineState::Committed | LineState::Done);
        after.attempts < before.attempts || (paid(before) && !paid(after))
    })
}
