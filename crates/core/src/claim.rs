//! Which instances in the cloud belong to a pack, and in which state they are.

use std::collections::BTreeSet;

use carpack_api::order::OrderAction;
use carpack_api::pack::{InstanceState, InstanceStatus, RenewFlag};
use carpack_api::{ConcurrencyPack, PackOrder};
use jiff::Timestamp;

use crate::adoption::carries_name_of;
use crate::observation::{Binding, Instance, Observation};
use crate::order::has_paid;
use crate::time::is_renewed;

/// What tells which instances are a pack's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traces<'a> {
    /// The pack, with what was recorded of it.
    pub pack: &'a ConcurrencyPack,
    /// All orders for its namespace and name.
    pub orders: &'a [&'a PackOrder],
    /// The sweep in hand.
    pub observation: Option<&'a Observation>,
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
    /// How many it holds; one, when nobody says.
    pub fn concurrencies(&self) -> i32 {
        self.known_concurrencies().unwrap_or(1)
    }

    /// How many it holds, by the newest look that said so.
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

/// Concurrencies of these instances.
pub(crate) fn total<'c, 'a: 'c>(instances: impl IntoIterator<Item = &'c Claimed<'a>>) -> i32 {
    instances.into_iter().fold(0, |sum, c| sum.saturating_add(c.concurrencies()))
}

/// All instances of the pack: recorded in its status, delivered by its own purchases, or named as those were.
pub(crate) fn claimed<'a>(traces: Traces<'a>) -> Vec<Claimed<'a>> {
    let Traces { pack, observation, .. } = traces;
    let recorded = pack.status.as_ref().map(|s| s.instances.as_slice()).unwrap_or_default();
    let mut ids: BTreeSet<String> = recorded.iter().map(|r| r.id.clone()).collect();
    let paid: Vec<&PackOrder> = own_purchases(traces).collect();
    for order in &paid {
        let lines = order.status.iter().flat_map(|s| &s.lines);
        ids.extend(lines.flat_map(|line| line.instance_ids.iter().cloned()));
    }
    if let Some(observation) = observation {
        let named =
            observation.instances.values().filter(|i| paid.iter().any(|order| i.is_named(&order.spec.pack_name)));
        ids.extend(named.map(|i| i.id.clone()));
    }
    // What was promised and never seen is not there yet, which is not the same as missing.
    let seen =
        |id: &String| recorded.iter().any(|r| r.id == *id) || observation.is_some_and(|o| o.instances.contains_key(id));
    let claimed = ids.into_iter().filter(seen).map(|id| claim(traces, recorded, id)).collect();
    without_outlived(claimed, pack.spec.quantity)
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

/// Expired instances are of no more interest once others carry the whole pack in their place.
fn without_outlived(mut claimed: Vec<Claimed<'_>>, quantity: i32) -> Vec<Claimed<'_>> {
    let usable = claimed.iter().filter(|c| c.state == InstanceState::Usable && c.observed.is_some());
    if total(usable) >= quantity {
        claimed.retain(|c| c.state != InstanceState::Expired);
    }
    claimed
}

/// True when the pack's status claims the instance. For reports of what nobody claims.
pub fn owns_instance(pack: &ConcurrencyPack, id: &str) -> bool {
    pack.status.iter().flat_map(|s| &s.instances).any(|instance| instance.id == id)
}

/// The live instances that carry the pack's hash, and are none of those that it claims: nobody here has bought them.
pub(crate) fn strangers<'a>(traces: Traces<'a>, claimed: &[Claimed<'a>]) -> impl Iterator<Item = &'a Instance> {
    let ours = |id: &str| claimed.iter().any(|c| c.id == id && c.state != InstanceState::Missing);
    let instances = traces.observation.into_iter().flat_map(|observation| observation.instances.values());
    instances.filter(move |i| i.is_live(traces.now) && !ours(&i.id) && carries_name_of(traces.pack, i))
}

/// True when what outlasts this expiry carries the whole pack: what expires then is not needed any more. An instance that was
/// there once, and whose order is on record, counts although a look misses it: nothing is bought in its place.
pub(crate) fn is_outlasted(traces: Traces<'_>, claimed: &[Claimed<'_>], expiration: Timestamp) -> bool {
    let counts = |c: &&Claimed<'_>| match c.state {
        InstanceState::Usable => true,
        InstanceState::Missing => own_purchases(traces).any(|order| brought(order, c)),
        InstanceState::Expired => false,
    };
    let later = claimed.iter().filter(counts).filter(|c| c.expiration.is_some_and(|at| is_renewed(at, expiration)));
    total(later) >= traces.pack.spec.quantity
}

/// True when an instance came with this purchase.
pub(crate) fn brought(order: &PackOrder, instance: &Claimed<'_>) -> bool {
    let listed = order.status.iter().flat_map(|s| &s.lines).any(|line| line.instance_ids.contains(&instance.id));
    listed || instance.observed.is_some_and(|i| i.is_named(&order.spec.pack_name))
}

/// The purchases of this very object that have cost money.
fn own_purchases<'a>(traces: Traces<'a>) -> impl Iterator<Item = &'a PackOrder> {
    let uid = traces.pack.metadata.uid.as_deref().unwrap_or_default();
    let purchase = move |o: &&PackOrder| o.spec.action == OrderAction::Buy && o.spec.pack_ref.uid == uid && has_paid(o);
    traces.orders.iter().copied().filter(purchase)
}

/// The usable instances that carry the pack: those that expire last, as many as its quantity needs. In the overlap of a
/// replacement these are the successors.
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
