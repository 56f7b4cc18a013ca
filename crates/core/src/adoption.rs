//! Taking over what was already bought: which instances are free to be taken.

use std::collections::BTreeMap;

use carpack_api::{ConcurrencyPack, PackOrder};

use crate::names::carries_hash;
use crate::observation::{Instance, Observation};
use crate::order::is_open;

/// What else holds the instances that a pack names in `adopt`: by their ids, in words. The others are free.
pub type Holders = BTreeMap<String, String>;

/// True while a pack has not taken over what it names.
pub fn is_pending(pack: &ConcurrencyPack) -> bool {
    pack.spec.adopt.is_some() && pack.status.as_ref().is_none_or(|status| status.instances.is_empty())
}

/// The ids that a pack names in `adopt`.
pub(crate) fn wanted(pack: &ConcurrencyPack) -> &[String] {
    pack.spec.adopt.as_ref().map(|adopt| adopt.instance_ids.as_slice()).unwrap_or_default()
}

/// True when an instance was taken over, and not bought.
pub(crate) fn is_adopted(pack: &ConcurrencyPack, id: &str) -> bool {
    wanted(pack).iter().any(|wanted| wanted == id)
}

/// True when an instance carries the name of the pack that took it over. A name is one: of two packs in two clusters, or of
/// two operators with different views of one, only one carries it, and only that one is renewed.
pub(crate) fn is_marked(pack: &ConcurrencyPack, instance: &Instance) -> bool {
    let namespace = pack.metadata.namespace.as_deref().unwrap_or_default();
    let name = pack.metadata.name.as_deref().unwrap_or_default();
    instance.name.as_deref().is_some_and(|observed| carries_hash(namespace, name, observed))
}

/// What else holds the instances that this pack names: a pack that has them, names them or gave them its name, or an order
/// that is under way for them. Of two packs that name the same none takes it before the other lets go.
///
/// *Assumptions*: `packs` and `orders` are all that there are. Of two packs, whoever sees the one that was written later sees
/// the other too; where that fails, the name in the cloud decides which of them is renewed.
pub fn holders<'a>(
    pack: &ConcurrencyPack,
    packs: impl Iterator<Item = &'a ConcurrencyPack>,
    orders: impl Iterator<Item = &'a PackOrder>,
    observation: Option<&Observation>,
) -> Holders {
    let place = |pack: &ConcurrencyPack| (pack.metadata.namespace.clone(), pack.metadata.name.clone());
    let others: Vec<&ConcurrencyPack> = packs.filter(|other| place(other) != place(pack)).collect();
    let lives = |order: &PackOrder| {
        others.iter().any(|other| other.metadata.uid.as_deref() == Some(order.spec.pack_ref.uid.as_str()))
    };
    let orders: Vec<&PackOrder> = orders.filter(|order| is_open(order) || lives(order)).collect();
    let holder = |id: &String| {
        let instance = observation.and_then(|observation| observation.instances.get(id));
        let held = others.iter().find_map(|other| held_by_pack(other, id, instance));
        held.or_else(|| orders.iter().find_map(|order| held_by_order(order, id, instance)))
    };
    wanted(pack).iter().filter_map(|id| Some((id.clone(), holder(id)?))).collect()
}

fn held_by_pack(other: &ConcurrencyPack, id: &str, instance: Option<&Instance>) -> Option<String> {
    let how = match () {
        () if crate::pack::owns_instance(other, id) => "has it",
        () if is_adopted(other, id) => "names it in spec.adopt too",
        () if instance.is_some_and(|instance| is_marked(other, instance)) => "has given it its name",
        () => return None,
    };
    let namespace = other.metadata.namespace.as_deref().unwrap_or_default();
    Some(format!("ConcurrencyPack {namespace}/{} {how}", other.metadata.name.as_deref().unwrap_or_default()))
}

fn held_by_order(order: &PackOrder, id: &str, instance: Option<&Instance>) -> Option<String> {
    let named = order.spec.lines.iter().filter_map(|line| line.instance_id.as_deref());
    let brought = order.status.iter().flat_map(|status| &status.lines).flat_map(|line| &line.instance_ids);
    let marked = instance.is_some_and(|instance| instance.is_named(&order.spec.pack_name));
    let holds = marked || named.chain(brought.map(String::as_str)).any(|of_order| of_order == id);
    holds.then(|| format!("PackOrder {} is for it", order.metadata.name.as_deref().unwrap_or_default()))
}
