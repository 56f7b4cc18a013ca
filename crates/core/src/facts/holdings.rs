//! Which instances in the cloud belong to a pack, and in which state they are.

use std::collections::BTreeSet;

use carpack_api::order::OrderAction;
use carpack_api::pack::{InstanceState, InstanceStatus, RenewFlag};
use carpack_api::{ConcurrencyPack, PackOrder};
use jiff::Timestamp;

use super::ledger::{has_paid, instance_ids, lines_of};
use crate::names::carries_hash;
use crate::observation::{Binding, Instance, Observation};
use crate::time::is_renewed;

/// What tells which instances belong to a pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traces<'a> {
    /// The pack, with what was recorded of it.
    pub pack: &'a ConcurrencyPack,
    /// All orders for its namespace and name.
    pub orders: &'a [&'a PackOrder],
    /// The sweep in hand.
    pub observation: Option<&'a Observation>,
    /// What other packs have on record: it is theirs, whatever name it carries.
    pub ids_of_others: &'a BTreeSet<String>,
    /// Now.
    pub now: Timestamp,
}

/// An instance of the pack: what was recorded of it, and what the newest sweep shows.
#[derive(Debug, Clone)]
pub(crate) struct Claimed<'a> {
    pub id: String,
    pub observed: Option<&'a Instance>,
    pub recorded: Option<&'a InstanceStatus>,
    pub expiration: Option<Timestamp>,
    pub state: InstanceState,
}

impl Claimed<'_> {
    /// How many concurrencies it holds; one when the cloud has never said it.
    pub fn concurrencies(&self) -> i32 {
        self.known_concurrencies().unwrap_or(1)
    }

    /// How many concurrencies it holds, by the newest sweep that said it.
    pub fn known_concurrencies(&self) -> Option<i32> {
        self.observed.and_then(|i| i.concurrencies).or_else(|| self.recorded.and_then(|r| r.concurrencies))
    }

    pub fn flag(&self) -> RenewFlag {
        self.observed.map_or(RenewFlag::Unknown, |i| i.renew_flag)
    }

    pub fn project(&self) -> Option<&str> {
        match self.observed {
            Some(instance) => instance.project.project(),
            None => self.recorded.and_then(|r| r.project.as_deref()),
        }
    }

    pub fn binding(&self) -> &Binding {
        self.observed.map_or(&Binding::Unknown, |i| &i.project)
    }

    pub fn status(&self) -> InstanceStatus {
        InstanceStatus {
            id: self.id.clone(),
            name: self.observed.and_then(|i| i.name.clone()).or_else(|| self.recorded.and_then(|r| r.name.clone())),
            concurrencies: self.known_concurrencies(),
            project: self.project().map(str::to_owned),
            expiration_time: self.expiration.map(carpack_api::common::Time),
            renew_flag: match self.observed {
                Some(instance) => instance.renew_flag,
                None => self.recorded.map_or(RenewFlag::Unknown, |r| r.renew_flag),
            },
            state: self.state,
        }
    }
}

/// The sum of the concurrencies of these instances.
pub(crate) fn total<'c, 'a: 'c>(instances: impl IntoIterator<Item = &'c Claimed<'a>>) -> i32 {
    instances.into_iter().fold(0, |sum, c| sum.saturating_add(c.concurrencies()))
}

/// All instances of the pack: recorded in its status, delivered by its own purchases, or named like those purchases. A name
/// proves nothing against a record: what another pack has on record is not claimed by its name.
pub(crate) fn claimed<'a>(traces: Traces<'a>) -> Vec<Claimed<'a>> {
    let Traces { pack, observation, ids_of_others, .. } = traces;
    let recorded = pack.status.as_ref().map(|s| s.instances.as_slice()).unwrap_or_default();
    let mut ids: BTreeSet<String> = recorded.iter().map(|r| r.id.clone()).collect();
    let paid: Vec<&PackOrder> = own_purchases(traces).collect();
    ids.extend(paid.iter().flat_map(|order| instance_ids(order)).cloned());
    if let Some(observation) = observation {
        let named =
            observation.instances.values().filter(|i| paid.iter().any(|order| i.is_named(&order.spec.pack_name)));
        ids.extend(named.filter(|i| !ids_of_others.contains(&i.id)).map(|i| i.id.clone()));
    }
    // An instance that was promised and never observed is not delivered yet. That is not the same as missing.
    let seen =
        |id: &String| recorded.iter().any(|r| r.id == *id) || observation.is_some_and(|o| o.instances.contains_key(id));
    let claimed = ids.into_iter().filter(seen).map(|id| claim(traces, recorded, id)).collect();
    without_outlived(claimed, pack.spec.quantity)
}

/// True when an instance carries the name of one of these orders and is not on record as the pack's. Only then does it matter what
/// other packs have on record.
pub fn has_unrecorded_namesakes(
    pack: &ConcurrencyPack,
    orders: &[&PackOrder],
    observation: Option<&Observation>,
) -> bool {
    let is_named = |instance: &Instance| orders.iter().any(|order| instance.is_named(&order.spec.pack_name));
    let mut instances = observation.into_iter().flat_map(|observation| observation.instances.values());
    instances.any(|instance| !owns_instance(pack, &instance.id) && is_named(instance))
}

/// The ids of instances, and of orders in the cloud, that the packs of other names and their orders have on record.
pub fn recorded_by_others<'o, 'p>(
    (namespace, name): (&str, &str),
    orders: impl Iterator<Item = &'o PackOrder>,
    packs: impl Iterator<Item = &'p ConcurrencyPack>,
) -> BTreeSet<String> {
    let is_other = |of: &str, called: &str| (of, called) != (namespace, name);
    let orders = orders.filter(|order| is_other(&order.spec.pack_ref.namespace, &order.spec.pack_ref.name));
    let lines = orders.flat_map(lines_of).flat_map(|line| line.order_ids.iter().chain(&line.instance_ids));
    let packs = packs.filter(|pack| {
        let meta = &pack.metadata;
        is_other(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    });
    let instances = packs.flat_map(|pack| &pack.status).flat_map(|status| &status.instances);
    lines.cloned().chain(instances.map(|instance| instance.id.clone())).collect()
}

/// What is known of one instance.
pub(crate) fn claim<'a>(traces: Traces<'a>, recorded: &'a [InstanceStatus], id: String) -> Claimed<'a> {
    let Traces { observation, now, .. } = traces;
    let observed = observation.and_then(|o| o.instances.get(&id));
    let recorded = recorded.iter().find(|r| r.id == id);
    let known = recorded.and_then(|r| r.expiration_time.as_ref()).map(|t| t.0);
    let expiration = observed.and_then(|i| i.expiration).or(known);
    let expired = expiration.is_some_and(|at| at <= now) || observed.is_some_and(|i| i.isolated);
    let state = match (expired, observed, observation) {
        (true, ..) => InstanceState::Expired,
        (false, None, Some(_)) => InstanceState::Missing,
        (false, ..) => InstanceState::Usable,
    };
    Claimed { id, observed, recorded, expiration, state }
}

/// Leaves out expired instances once others carry the whole pack in their place.
fn without_outlived(mut claimed: Vec<Claimed<'_>>, quantity: i32) -> Vec<Claimed<'_>> {
    let usable = claimed.iter().filter(|c| c.state == InstanceState::Usable && c.observed.is_some());
    if total(usable) >= quantity {
        claimed.retain(|c| c.state != InstanceState::Expired);
    }
    claimed
}

/// True when the pack's status has the instance on record.
pub fn owns_instance(pack: &ConcurrencyPack, id: &str) -> bool {
    pack.status.iter().flat_map(|s| &s.instances).any(|instance| instance.id == id)
}

/// The live instances that carry the pack's name without being the pack's: none of its orders has bought them.
pub(crate) fn namesakes<'a>(traces: Traces<'a>, claimed: &[Claimed<'a>]) -> impl Iterator<Item = &'a Instance> {
    let ours = |id: &str| claimed.iter().any(|c| c.id == id && c.state != InstanceState::Missing);
    let instances = traces.observation.into_iter().flat_map(|observation| observation.instances.values());
    instances.filter(move |i| i.is_live(traces.now) && !ours(&i.id) && carries_name_of(traces.pack, i))
}

/// True when instances that expire later carry the whole pack: what expires at this moment is not needed any more. A missing
/// instance counts while the order that bought it is on record: nothing is bought in its place.
pub(crate) fn is_outlasted(traces: Traces<'_>, claimed: &[Claimed<'_>], expiration: Timestamp) -> bool {
    let counts = |c: &&Claimed<'_>| match c.state {
        InstanceState::Usable => true,
        InstanceState::Missing => own_purchases(traces).any(|order| was_bought_by(c, order)),
        InstanceState::Expired => false,
    };
    let later = claimed.iter().filter(counts).filter(|c| c.expiration.is_some_and(|at| is_renewed(at, expiration)));
    total(later) >= traces.pack.spec.quantity
}

/// True when an instance came with this purchase: the order lists it, or it carries the order's name.
pub(crate) fn was_bought_by(instance: &Claimed<'_>, order: &PackOrder) -> bool {
    let listed = instance_ids(order).any(|id| *id == instance.id);
    listed || instance.observed.is_some_and(|i| i.is_named(&order.spec.pack_name))
}

/// The purchases that were made for this very object (the same UID) and have cost money.
fn own_purchases<'a>(traces: Traces<'a>) -> impl Iterator<Item = &'a PackOrder> {
    let uid = traces.pack.metadata.uid.as_deref().unwrap_or_default();
    let purchase = move |o: &&PackOrder| o.spec.action == OrderAction::Buy && o.spec.pack_ref.uid == uid && has_paid(o);
    traces.orders.iter().copied().filter(purchase)
}

/// The usable instances that carry the pack: those that expire last, as many as its quantity needs. While a successor overlaps
/// with what it replaces, these are the successor's.
pub(crate) fn carrying<'c, 'a>(claimed: &'c [Claimed<'a>], quantity: i32) -> Vec<&'c Claimed<'a>> {
    let mut usable: Vec<_> = claimed.iter().filter(|c| c.state == InstanceState::Usable).collect();
    usable.sort_by(|a, b| (b.expiration, &a.id).cmp(&(a.expiration, &b.id)));
    let mut sum = 0_i32;
    let mut kept = Vec::new();
    for instance in usable {
        if sum >= quantity {
            break;
        }
        sum = sum.saturating_add(instance.concurrencies());
        kept.push(instance);
    }
    kept
}

/// The ids that the pack names in `spec.adopt`.
pub(crate) fn named_ids(pack: &ConcurrencyPack) -> &[String] {
    pack.spec.adopt.as_ref().map(|adopt| adopt.instance_ids.as_slice()).unwrap_or_default()
}

/// True when the pack has taken the instance over instead of buying it.
pub(crate) fn is_adopted(pack: &ConcurrencyPack, id: &str) -> bool {
    named_ids(pack).iter().any(|named| named == id)
}

/// True when an instance was taken over and carries a name that this pack has not given it. When two clusters take over the same
/// instance, only the cluster whose name it carries pays for it.
pub(crate) fn carries_another_name(pack: &ConcurrencyPack, instance: &Instance) -> bool {
    is_adopted(pack, &instance.id) && instance.name.is_some() && !carries_name_of(pack, instance)
}

/// True when an instance carries the hash of a pack in its name.
pub(crate) fn carries_name_of(pack: &ConcurrencyPack, instance: &Instance) -> bool {
    let namespace = pack.metadata.namespace.as_deref().unwrap_or_default();
    let name = pack.metadata.name.as_deref().unwrap_or_default();
    instance.name.as_deref().is_some_and(|observed| carries_hash(namespace, name, observed))
}
