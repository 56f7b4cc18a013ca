//! What the controllers and the spender share: settings, clock, clients, stores, queues.

pub mod reads;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::{CarAccount, ConcurrencyPack, Mode, PackOrder, Reason};
use carpack_core::Timing;
use carpack_core::account::{Account, Health, grants_adoption};
use carpack_core::facts::commitments::Commitments;
use carpack_core::facts::holdings::recorded_by_others;
use carpack_core::facts::takeover::{Holders, holders, is_pending};
use futures::channel::mpsc::UnboundedSender;
use kube::ResourceExt;
use kube::core::ObjectMeta;
use kube::runtime::reflector::ObjectRef;

use crate::account::inventory::Inventories;
use crate::account::snapshot::Snapshot;
use crate::runtime::clock::Clock;
use crate::runtime::events::Events;
use crate::runtime::kubernetes::Kube;
use crate::runtime::lease::LeaseGuard;
use crate::runtime::metrics::Metrics;
use crate::runtime::seen::Seen;
use crate::runtime::tasks::Tasks;

/// What the controllers and the spender share.
pub struct Operator {
    /// Settings that the controllers need.
    pub settings: Settings,
    /// Business time.
    pub clock: Clock,
    /// The API server.
    pub kube: Kube,
    /// Whether this process leads, and for how long.
    pub guard: LeaseGuard,
    /// The objects that the watches have seen.
    pub stores: Stores,
    /// Objects to reconcile.
    pub queues: Queues,
    /// The inventories of the accounts.
    pub inventories: Inventories,
    /// Publishes Kubernetes events.
    pub events: Events,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The tasks of the process.
    pub tasks: Tasks,
}

/// Settings that the controllers need.
pub struct Settings {
    /// The operator's namespace.
    pub namespace: String,
    /// The installation's step of the ladder.
    pub mode: Mode,
    /// Intervals that decisions depend on.
    pub timing: Timing,
    /// How long one call to the cloud may take.
    pub call_timeout: Duration,
}

/// The objects that the watches have seen.
#[derive(Clone)]
pub struct Stores {
    /// Packs, in the namespaces that are watched.
    pub packs: Seen<ConcurrencyPack>,
    /// Orders, in the operator's namespace.
    pub orders: Seen<PackOrder>,
    /// Accounts, in the operator's namespace.
    pub accounts: Seen<CarAccount>,
}

impl Stores {
    /// True once every object was seen. Before that an absence means nothing, and nothing is decided.
    pub fn are_complete(&self) -> bool {
        self.packs.is_complete() && self.orders.is_complete() && self.accounts.is_complete()
    }
}

/// Objects to reconcile. An object that is queued twice is reconciled once.
#[derive(Clone)]
pub struct Queues {
    /// Packs.
    pub packs: UnboundedSender<ObjectRef<ConcurrencyPack>>,
    /// Orders.
    pub orders: UnboundedSender<ObjectRef<PackOrder>>,
    /// Accounts.
    pub accounts: UnboundedSender<ObjectRef<CarAccount>>,
    /// Packs that are being deleted and cannot be read.
    pub unreadable: UnboundedSender<ObjectMeta>,
}

// A queue is closed only when the process stops, and then nothing has to be reconciled.
impl Queues {
    /// Queues a pack.
    pub fn pack(&self, pack: ObjectRef<ConcurrencyPack>) {
        let _ = self.packs.unbounded_send(pack);
    }

    /// Queues an order.
    pub fn order(&self, order: ObjectRef<PackOrder>) {
        let _ = self.orders.unbounded_send(order);
    }

    /// Queues an account.
    pub fn account(&self, account: ObjectRef<CarAccount>) {
        let _ = self.accounts.unbounded_send(account);
    }

    /// Queues a pack of which only the metadata can be read.
    pub fn unreadable(&self, pack: ObjectMeta) {
        let _ = self.unreadable.unbounded_send(pack);
    }
}

impl Operator {
    /// True when this process may act: it leads, has seen every object, and is not stopping.
    pub fn may_act(&self) -> bool {
        self.guard.leads() && self.stores.are_complete() && !self.tasks.is_stopping()
    }

    /// An account as decisions see it. None when there is no such CarAccount.
    pub fn account(&self, name: &str, snapshot: &Snapshot) -> Option<Account> {
        let key = ObjectRef::new(name).within(&self.settings.namespace);
        let account = self.stores.accounts.store.get(&key)?;
        // Of an account that cannot be read the store holds an earlier version, perhaps with another mode or other limits.
        let health = if self.stores.accounts.unreadable().contains(name) {
            let message = format!(
                "CarAccount {name} cannot be read as it is now: run the version of carpack that its CRD is from, or correct what is new in it"
            );
            Health::NotReady { reason: Reason::AccountUnreadable, message }
        } else {
            snapshot.health.clone()
        };
        Some(Account { name: account.name_any(), spec: account.spec.clone(), health })
    }

    /// All orders for a pack of this namespace and name, whatever its UID was.
    pub fn orders_for(&self, namespace: &str, name: &str) -> Vec<Arc<PackOrder>> {
        let wanted = |order: &PackOrder| order.spec.pack_ref.namespace == namespace && order.spec.pack_ref.name == name;
        self.stores.orders.select(wanted)
    }

    /// Ids of instances, and of orders in the cloud, that packs of other names and their orders have on record.
    pub fn recorded_by_other_packs(&self, namespace: &str, name: &str) -> BTreeSet<String> {
        let (orders, packs) = (self.stores.orders.store.state(), self.stores.packs.store.state());
        recorded_by_others((namespace, name), orders.iter().map(Arc::as_ref), packs.iter().map(Arc::as_ref))
    }

    /// What else holds the instances that a pack wants to adopt. An object that cannot be read may hold each of them.
    pub fn holders(&self, pack: &ConcurrencyPack, snapshot: &Snapshot) -> Holders {
        let Some(adopt) = pack.spec.adopt.as_ref().filter(|_| is_pending(pack)) else { return Holders::new() };
        let (packs, orders) = (self.stores.packs.store.state(), self.stores.orders.store.state());
        let (pack_refs, order_refs) = (packs.iter().map(Arc::as_ref), orders.iter().map(Arc::as_ref));
        let accounts = &self.stores.accounts.store;
        let may_adopt = |other: &ConcurrencyPack| {
            let account = ObjectRef::new(&other.spec.account_ref.name).within(&self.settings.namespace);
            let namespace = other.namespace().unwrap_or_default();
            accounts.get(&account).is_some_and(|account| grants_adoption(&account.spec, &namespace))
        };
        let mut holders = holders(pack, pack_refs, may_adopt, order_refs, snapshot.observation.as_deref());
        let packs = self.stores.packs.unreadable().into_iter().map(|name| format!("ConcurrencyPack {name}"));
        let orders = self.stores.orders.unreadable().into_iter().map(|name| format!("PackOrder {name}"));
        let unreadable = packs.chain(orders).map(|object| {
            format!("{object} cannot be read, and may hold it: run the version of carpack that wrote it, or correct it")
        });
        let unlisted = self.stores.packs.unlisted().into_iter().map(|namespace| {
            format!("the packs of namespace {namespace} cannot be listed, and one may hold it: let the operator list them, or watch that namespace no more")
        });
        if let Some(why) = unreadable.chain(unlisted).next() {
            for id in &adopt.instance_ids {
                holders.entry(id.clone()).or_insert_with(|| why.clone());
            }
        }
        holders
    }

    /// What counts against an account's limits, by the orders in the store.
    pub fn commitments(&self, account: Option<&Account>) -> Commitments {
        let Some(account) = account.filter(|account| account.has_limits()) else { return Commitments::default() };
        let orders = self.stores.orders.store.state();
        self.commitments_of(account, orders.iter().map(Arc::as_ref))
    }

    /// What counts against an account's limits, by these orders.
    pub fn commitments_of<'a>(
        &self,
        account: &Account,
        orders: impl IntoIterator<Item = &'a PackOrder>,
    ) -> Commitments {
        let packs = self.stores.packs.store.state();
        Commitments::gather(account, orders, packs.iter().map(Arc::as_ref), self.clock.second())
    }

    /// All other orders for the same pack.
    pub fn siblings(&self, order: &PackOrder) -> Vec<Arc<PackOrder>> {
        self.stores.orders.select(|other| is_sibling(other, order))
    }

    /// The newest snapshot of an account.
    pub fn snapshot(&self, account: &str) -> Arc<Snapshot> {
        self.inventories.snapshot(account).unwrap_or_else(|| Arc::new(Snapshot::unknown()))
    }
}

/// True when both orders are for a pack of the same namespace and name, and are not the same order.
pub fn is_sibling(order: &PackOrder, of: &PackOrder) -> bool {
    let (own, other) = (&of.spec.pack_ref, &order.spec.pack_ref);
    order.metadata.name != of.metadata.name && (&own.namespace, &own.name) == (&other.namespace, &other.name)
}
