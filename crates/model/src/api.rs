//! The API server: objects with resource versions, and compare-and-swap. It marks broken rules at each write.

use carpack_api::common::Time;
use carpack_api::order::{LineState, LineStatus};
use carpack_api::{ConcurrencyPack, ConcurrencyPackStatus, ORDER_FINALIZER, PackOrder, PackOrderStatus};
use jiff::Timestamp;

use crate::config::{Mutant, World};
use crate::marks::{CARELESS, LOST_UPDATE, UNREACHABLE};
use crate::state::{State, Stored};

/// The name of an order.
pub fn name_of(order: &PackOrder) -> &str {
    order.metadata.name.as_deref().unwrap_or_default()
}

/// The status of an order without its trail and its transition times. No decision about what is modelled reads them.
/// The trail only grows together with a change of a line, so an unchanged status stays unchanged.
pub fn without_times(mut status: PackOrderStatus) -> PackOrderStatus {
    status.trail.clear();
    for condition in &mut status.conditions {
        condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
    }
    status
}

/// The status of a pack without its transition times and without `lastObservedTime`, which is only written for people.
pub fn pack_without_times(mut status: ConcurrencyPackStatus) -> ConcurrencyPackStatus {
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

    /// Writes the status of an order, if the order is still the version that was read. Returns the stored order; none
    /// after a conflict.
    pub fn write_order(
        &mut self,
        world: &World,
        read: &Stored<PackOrder>,
        written: &Stored<PackOrder>,
    ) -> Option<Stored<PackOrder>> {
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
        if status.is_none_or(|new| forgets(live.object.status.as_ref(), new)) {
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

    /// Writes a pack, if it is still the version that was read. Returns the stored pack; none after a conflict.
    pub fn write_pack(
        &mut self,
        index: usize,
        read: &Stored<ConcurrencyPack>,
        written: &Stored<ConcurrencyPack>,
    ) -> Option<Stored<ConcurrencyPack>> {
        let live = self.packs.get(index)?.as_ref()?;
        if live.version != read.version {
            return None;
        }
        let mut stored = written.clone();
        stored.version = self.next_version();
        *self.packs.get_mut(index)? = Some(stored.clone());
        Some(stored)
    }

    /// Creates an order. False when there is one with this name.
    pub fn create_order(&mut self, mut order: PackOrder) -> bool {
        let name = name_of(&order).to_owned();
        if self.orders.contains_key(&name) {
            return false;
        }
        order.metadata.finalizers = Some(vec![ORDER_FINALIZER.to_owned()]);
        order.metadata.generation = Some(1);
        let stored = Stored::new(order, self.next_version());
        self.orders.insert(name, stored);
        true
    }

    /// Changes an order without comparing versions, as people do.
    pub fn edit_order(&mut self, name: &str, edit: impl FnOnce(&mut PackOrder)) {
        let Some(live) = self.orders.get(name) else { return };
        let mut order = live.object.as_ref().clone();
        edit(&mut order);
        let stored = Stored::new(order, self.next_version());
        self.orders.insert(name.to_owned(), stored);
    }

    /// Deletes an order: it gets a deletion timestamp, and stays until its finalizer is removed.
    pub fn delete_order(&mut self, name: &str, now: Timestamp) {
        self.edit_order(name, |order| order.metadata.deletion_timestamp = Some(Time(now)));
    }

    /// Removes the finalizer of a deleted order, and so the order. False after a conflict.
    pub fn release_order(&mut self, read: &Stored<PackOrder>) -> bool {
        let name = name_of(&read.object);
        let Some(live) = self.orders.get(name) else { return false };
        if live.version != read.version {
            return false;
        }
        let lines = live.object.status.iter().flat_map(|status| &status.lines);
        if lines.into_iter().any(is_open) {
            self.broken.set(CARELESS);
        }
        // A charge is lost when the order is released without the payment on record. Charges of an earlier order with
        // this name are recorded already.
        let object = std::sync::Arc::clone(&live.object);
        for charge in self.charges.iter_mut().filter(|charge| charge.order == name && !charge.recorded) {
            if !is_paid_on_record(&object, charge.line) {
                self.broken.set(UNREACHABLE);
            }
            charge.recorded = true;
        }
        self.orders.remove(name);
        true
    }

    /// Stores a new pack at this index.
    pub fn put_pack(&mut self, index: usize, pack: ConcurrencyPack) {
        let stored = Stored::new(pack, self.next_version());
        if let Some(place) = self.packs.get_mut(index) {
            *place = Some(stored);
        }
    }

    /// Notes that something was seen.
    pub fn saw(&mut self, mark: u32) {
        self.seen.set(mark);
    }
}

/// An order with another status, not written yet.
pub fn with_status(order: &PackOrder, status: PackOrderStatus) -> Stored<PackOrder> {
    Stored::new(PackOrder { status: Some(status), ..order.clone() }, 0)
}

/// The status of an order's line.
pub fn line_of(order: &PackOrder, index: i32) -> Option<&LineStatus> {
    order.status.as_ref()?.lines.iter().find(|line| line.index == index)
}

fn is_paid_on_record(order: &PackOrder, index: i32) -> bool {
    line_of(order, index).is_some_and(|line| matches!(line.state, LineState::Committed | LineState::Done))
}

/// True for a line whose paid call may have been executed, and is not settled.
fn is_open(line: &LineStatus) -> bool {
    matches!(line.state, LineState::Submitting | LineState::Unknown | LineState::Committed)
}

/// True when the new status forgets a payment or an attempt that the old one records.
fn forgets(old: Option<&PackOrderStatus>, new: &PackOrderStatus) -> bool {
    old.iter().flat_map(|status| &status.lines).any(|before| {
        let Some(after) = new.lines.iter().find(|line| line.index == before.index) else { return true };
        let paid = |line: &LineStatus| matches!(line.state, LineState::Committed | LineState::Done);
        after.attempts < before.attempts || (paid(before) && !paid(after))
    })
}
