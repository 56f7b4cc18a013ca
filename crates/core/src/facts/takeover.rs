//! Taking over what was already bought: what else holds the instances that a pack names in `spec.adopt`.

use std::collections::BTreeMap;

use carpack_api::order::OrderAction;
use carpack_api::{ConcurrencyPack, PackOrder};

use super::holdings::{carries_name_of, is_adopted, named_ids, owns_instance};
use super::ledger::{instance_ids, is_open, is_unpaid, is_unresolved, lines_of, name_of, paid_for};
use crate::names::{carries_a_hash, carries_hash};
use crate::observation::{Instance, Observation};

/// Who holds the instances that a pack names in `spec.adopt`: a sentence for each id that is not free.
pub type Holders = BTreeMap<String, String>;

/// True while a pack has not taken over yet what it names in `spec.adopt`.
pub fn is_pending(pack: &ConcurrencyPack) -> bool {
    pack.spec.adopt.is_some() && pack.status.as_ref().is_none_or(|status| status.instances.is_empty())
}

/// What else holds the instances that this pack names in `spec.adopt`. These hold an instance:
/// - a pack that has it, that has given it its name, or that names it in `spec.adopt` too and may take it over;
/// - an order that is under way for it, may have bought it, or has renewed it while the cloud does not show that yet;
/// - a pack of another cluster: the instance carries a name that only a pack can have given, and no pack here has given it.
///
/// When two packs name the same instance, neither takes it over before one of them stops naming it.
///
/// *Assumptions*: `packs` and `orders` are all that this installation has. When two packs name the same instance, the one that is
/// decided about later sees both. Where that fails, the name in the cloud decides which of them renews.
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
            .or_else(|| held_by_another_cluster(pack, &orders, instance?))
    };
    named_ids(pack).iter().filter_map(|id| Some((id.clone(), holder(id)?))).collect()
}

/// A pack that has the instance is named before one that only wants it.
fn held_by_pack(
    others: &[&ConcurrencyPack],
    may_adopt: impl Fn(&ConcurrencyPack) -> bool,
    id: &str,
    instance: Option<&Instance>,
) -> Option<String> {
    let has = |other: &&&ConcurrencyPack| owns_instance(other, id);
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

/// True as long as the pack could take the instance over: a pack that could not does not hold it.
fn is_declared_by(pack: &ConcurrencyPack, instance: &Instance) -> bool {
    instance.may_be_of(&pack.spec.concurrency_scale, &pack.spec.region)
}

/// True while a purchase was sent and may have bought this instance: the cloud may not have taken over the order's name.
fn may_have_bought(order: &PackOrder, instance: &Instance) -> bool {
    let terms = &order.spec.terms;
    order.spec.action == OrderAction::Buy
        && is_unresolved(order)
        && !lines_of(order).iter().any(is_unpaid)
        && instance.may_be_of(&terms.concurrency_scale, &terms.region)
}

fn held_by_order(order: &PackOrder, pack_lives: bool, id: &str, instance: Option<&Instance>) -> Option<String> {
    let name = name_of(order);
    let named = order.spec.lines.iter().filter_map(|line| line.instance_id.as_deref());
    let marked = instance.is_some_and(|instance| instance.is_named(&order.spec.pack_name));
    let is_for_it = marked || named.chain(instance_ids(order).map(String::as_str)).any(|of_order| of_order == id);
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

/// A name with a hash was given by a pack. When no pack or order here has given it, another cluster or installation has.
fn held_by_another_cluster(pack: &ConcurrencyPack, orders: &[&PackOrder], instance: &Instance) -> Option<String> {
    let name = instance.name.as_deref().filter(|name| carries_a_hash(name))?;
    let gone = |order: &&PackOrder| carries_hash(&order.spec.pack_ref.namespace, &order.spec.pack_ref.name, name);
    let known = carries_name_of(pack, instance) || orders.iter().any(gone);
    (!known).then(|| {
        format!(
            "it carries the name that a pack which is not here may have given it ({name}): if nobody has it, rename it in the console"
        )
    })
}
