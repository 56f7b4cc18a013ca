//! The names of instances in the cloud.

use carpack_api::PackOrder;

use super::input::{Change, Effect};
use super::orders;
use super::view::View;
use crate::facts::holdings::{Claimed, named_ids};
use crate::facts::ledger::{has_paid, instance_ids};
use crate::names::{cloud_name, instance_name, number_of};
use crate::rules::ladder::mode_allows_action;
use carpack_api::order::OrderAction;

/// Stands in a name for the ordinal of the purchase that carpack did not make.
const ADOPTED: i64 = 0;

/// Renames the first instance whose name is not the declared one.
pub(super) fn plan(view: &View<'_>) -> Option<Effect> {
    if mode_allows_action(&view.case).is_err() || orders::open(&view.input).is_some() {
        return None;
    }
    let renames = view
        .usable()
        .filter_map(|instance| Some(Change::Rename { id: instance.id.clone(), name: new_name(view, instance)? }));
    view.first_ready(renames.collect()).map(Effect::Change)
}

/// The name that an instance is to have, while it has another.
pub(super) fn new_name(view: &View<'_>, instance: &Claimed<'_>) -> Option<String> {
    let observed = instance.observed?.name.as_deref()?;
    let wanted = wanted_name(view, instance, observed);
    (wanted != observed).then_some(wanted)
}

fn wanted_name(view: &View<'_>, instance: &Claimed<'_>, observed: &str) -> String {
    let ids = |order: &PackOrder| -> Vec<String> { instance_ids(order).cloned().collect() };
    let bought_by = orders::own(&view.input, OrderAction::Buy).find(|o| has_paid(o) && ids(o).contains(&instance.id));
    let adopted = named_ids(view.input.pack);
    let (ordinal, together) = match bought_by {
        Some(order) => (order.spec.ordinal, ids(order)),
        None if adopted.contains(&instance.id) => (ADOPTED, adopted.to_vec()),
        None => (1, view.claimed().iter().map(|c| c.id.clone()).collect()),
    };
    let name = cloud_name(view.namespace, view.name, view.input.pack.spec.pack_name.as_deref(), ordinal);
    let own_number = number_of(view.namespace, view.name, observed);
    let number = own_number.or_else(|| (together.len() > 1).then(|| free_number(view, &together, &instance.id)));
    instance_name(&name, number.as_deref())
}

/// The number for an instance that has none: the first that no other instance carries, in the order of the ids.
fn free_number(view: &View<'_>, together: &[String], id: &str) -> String {
    let number = |c: &Claimed<'_>| number_of(view.namespace, view.name, c.observed?.name.as_deref()?);
    let others: Vec<&Claimed<'_>> = view.claimed().iter().filter(|c| together.contains(&c.id)).collect();
    let taken: Vec<String> = others.iter().filter_map(|c| number(c)).collect();
    let position = others.iter().filter(|c| number(c).is_none()).position(|c| c.id == id).unwrap_or(0);
    let free = (1_usize..).map(|n| n.to_string()).filter(|n| !taken.contains(n));
    free.take(position.saturating_add(1)).last().unwrap_or_default()
}
