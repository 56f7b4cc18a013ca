//! Taking over what was already bought: which instances are free to be taken.

use std::collections::BTreeMap;

use carpack_api::order::OrderAction;
use carpack_api::{ConcurrencyPack, PackOrder};

use crate::names::{carries_a_hash, carries_hash};
use crate::observation::{Instance, Observation};
use crate::order::{is_open, is_unpaid, is_unresolved, paid_for};

/// What else holds the instances that a pack names in `adopt`: by their ids, in words. The others are free.
pub type Holders = BTreeMap<String, String>;

/// True while a pack has not taken over what it names.
pub fn is_pending(pack: &ConcurrencyPack) -> bool {
    pack.spec.adopt.is_some() && pack.status.as_ref().is_none_or(|status| status.instances.is_empty())
}

/// The ids that a pack names in `adopt`.
pub(crate) fn named_ids(pack: &ConcurrencyPack) -> &[String] {
    pack.spec.adopt.as_ref().map(|adopt| adopt.instance_ids.as_slice()).unwrap_or_default()
}

/// True when an instance was taken over, and not bought.
pub(crate) fn is_adopted(pack: &ConcurrencyPack, id: &str) -> bool {
    named_ids(pack).iter().any(|named| named == id)
}

/// True when an instance was taken over and the cloud shows another's name on it. A name is one: of two clusters that take
/// over the same, only the one whose name it carries pays for it.
pub(crate) fn is_astray(pack: &ConcurrencyPack, instance: &Instance) -> bool {
    is_adopted(pack, &instance.id) && instance.name.is_some() && !carries_name_of(pack, instance)
}

/// True when an instance carries the hash of a pack in its name.
pub(crate) fn carries_name_of(pack: &ConcurrencyPack, instance: &Instance) -> bool {
    let namespace = pack.metadata.namespace.as_deref().unwrap_or_default();
    let name = pack.metadata.name.as_deref().unwrap_or_default();
    instance.name.as_deref().is_some_and(|observed| carries_hash(namespace, name, observed))
}

/// What else holds the instances that this pack names: a pack that has them, names them (and may take them) or gave them its
/// name; an order that is under way for them, may have bought them, or has renewed them without that being seen; or whoever
/// gave them a name that only a pack can have given, and none that is known here. Of two packs that name the same none takes
/// it before the other lets go.
///
/// *Assumptions*: `packs` and `orders` are all that this installation has. Of two packs, whoever sees the one that was written
/// later sees the other too; where that fails, the name in the cloud decides which of them renews.
pub fn holders<'a>(
    pack: &ConcurrencyPack,
    packs: impl Iterator<Item = &'a ConcurrencyPack>,
    may_adopt: impl Fn(&ConcurrencyPack) -> bool,
    orders: impl Iterator<Item = &'a PackOrder>,
    observation: Option<&Observation>,
) -> Holders {
    let place = |pack: &ConcurrencyPack| (pack.metadata.namespace.clone(), pack.metadata.name.clone());
    let others: Vec<&ConcurrencyPack> = packs.filter(|other| place(other) != place(pack)).collect();
    let orders: Vec<&PackOrder> = orders.collect();
    let lives = |order: &PackOrder| {
        others.iter().any(|other| other.metadata.uid.as_deref() == Some(order.spec.pack_ref.uid.as_str()))
    };
    let holder = |id: &String| {
        let instance = observation.and_then(|observation| observation.instances.get(id));
        let by_order = || orders.iter().find_map(|order| held_by_order(order, lives(order), id, instance));
        held_by_pack(&others, &may_adopt, id, instance)
            .or_else(by_order)
            .or_else(|| held_elsewhere(pack, &orders, instance?))
    };
    named_ids(pack).iter().filter_map(|id| Some((id.clone(), holder(id)?))).collect()
}

/// A pack that has it goes before one that only wants it.
fn held_by_pack(
    others: &[&ConcurrencyPack],
    may_adopt: impl Fn(&ConcurrencyPack) -> bool,
    id: &str,
    instance: Option<&Instance>,
) -> Option<String> {
    let has = |other: &&&ConcurrencyPack| crate::pack::owns_instance(other, id);
    let named = |other: &&&ConcurrencyPack| instance.is_some_and(|instance| carries_name_of(other, instance));
    let wants = |other: &&&ConcurrencyPack| {
        is_adopted(other, id) && may_adopt(other) && instance.is_none_or(|instance| is_declared_by(other, instance))
    };
    let say = |other: &&ConcurrencyPack, how: &str| {
        let namespace = other.metadata.namespace.as_deref().unwrap_or_default();
        format!("ConcurrencyPack {namespace}/{} {how}", other.metadata.name.as_deref().unwrap_or_default())
    };
    let has = others.iter().find(has).map(|other| say(other, "has it"));
    let named = || others.iter().find(named).map(|other| say(other, "has given it its name"));
    let wants =
        || others.iter().find(wants).map(|other| say(other, "names it in spec.adopt too: remove it from one of them"));
    has.or_else(named).or_else(wants)
}

/// What a pack cannot take over, as the cloud shows it, it keeps from nobody.
fn is_declared_by(pack: &ConcurrencyPack, instance: &Instance) -> bool {
    fits(instance, &pack.spec.concurrency_scale, &pack.spec.region)
}

/// True as long as the cloud shows neither another scale nor another region.
fn fits(instance: &Instance, scale: &str, region: &str) -> bool {
    let is =
        |observed: &Option<String>, declared: &str| observed.as_deref().is_none_or(|observed| observed == declared);
    is(&instance.scale, scale) && is(&instance.region, region)
}

/// True while a purchase was sent, and nobody knows what it has brought: the cloud may not have taken its name.
fn may_have_bought(order: &PackOrder, instance: &Instance) -> bool {
    let terms = &order.spec.terms;
    let mut lines = order.status.iter().flat_map(|status| &status.lines);
    order.spec.action == OrderAction::Buy
        && is_unresolved(order)
        && !lines.any(is_unpaid)
        && fits(instance, &terms.concurrency_scale, &terms.region)
}

fn held_by_order(order: &PackOrder, pack_lives: bool, id: &str, instance: Option<&Instance>) -> Option<String> {
    let name = order.metadata.name.as_deref().unwrap_or_default();
    let named = order.spec.lines.iter().filter_map(|line| line.instance_id.as_deref());
    let brought = order.status.iter().flat_map(|status| &status.lines).flat_map(|line| &line.instance_ids);
    let marked = instance.is_some_and(|instance| instance.is_named(&order.spec.pack_name));
    let is_for_it = marked || named.chain(brought.map(String::as_str)).any(|of_order| of_order == id);
    if is_for_it && (pack_lives || is_open(order)) {
        return Some(format!("PackOrder {name} is for it"));
    }
    if instance.is_some_and(|instance| may_have_bought(order, instance)) {
        return Some(format!("PackOrder {name} may have bought it: it is free once that order is settled without it"));
    }
    let shown = instance.and_then(|instance| instance.expiration)?;
    paid_for(std::iter::once(order), OrderAction::Renew, Some(id), shown)
        .map(|_| format!("PackOrder {name} has renewed it, and the cloud does not show that yet"))
}

/// Names of packs are given by packs: where none of these, nor any that was, has given it, another cluster or installation has.
fn held_elsewhere(pack: &ConcurrencyPack, orders: &[&PackOrder], instance: &Instance) -> Option<String> {
    let name = instance.name.as_deref().filter(|name| carries_a_hash(name))?;
    let gone = |order: &&PackOrder| carries_hash(&order.spec.pack_ref.namespace, &order.spec.pack_ref.name, name);
    let known = carries_name_of(pack, instance) || orders.iter().any(gone);
    (!known).then(|| {
        format!(
            "it carries the name that a pack which is not here may have given it ({name}): if nobody has it, rename it in the console"
        )
    })
}
