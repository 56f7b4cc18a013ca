//! The cloud's own renewal switch, and the names of instances.

use carpack_api::order::OrderAction;
use carpack_api::pack::RenewFlag;
use carpack_api::{BillingMode, Mode};

use super::orders;
use super::view::View;
use super::{Change, Effect};
use crate::account::wants_auto_renew;
use crate::adoption::named_ids;
use crate::claim::Claimed;
use crate::names::{cloud_name, instance_name, number_of};
use crate::order::has_paid;

/// Stands in a name for the ordinal of the purchase that carpack did not make.
const ADOPTED: i64 = 0;

/// Where the switch stands otherwise than the spec says, and we may turn it.
pub(super) fn plan(view: &View<'_>) -> Option<Effect> {
    let spec = &view.input.pack.spec;
    let on = wants_auto_renew(spec);
    if view.mode <= Mode::DryRun || (on && !may_switch_on(view)) {
        return None;
    }
    let wrong = view.usable().filter(|c| match (c.flag(), on) {
        (RenewFlag::Auto, on) => !on,
        (RenewFlag::Manual, on) => on,
        (RenewFlag::Unknown, _) => false,
    });
    let turns = wrong.map(|c| Change::SetAutoRenew { id: c.id.clone(), region: spec.region.clone(), on });
    view.first_awake(turns.collect()).map(Effect::Change)
}

/// Switching it on lets the cloud spend: below Automatic only what a person approved with the purchase.
pub(super) fn may_switch_on(view: &View<'_>) -> bool {
    let approved =
        || orders::newest(orders::own(&view.input, OrderAction::Buy)).is_some_and(|o| o.spec.terms.auto_renew);
    view.input.pack.spec.billing_mode == BillingMode::Monthly && (view.mode == Mode::Automatic || approved())
}

/// Where a name is not what the spec says.
pub(super) fn rename(view: &View<'_>) -> Option<Effect> {
    if view.mode <= Mode::DryRun || orders::open(&view.input).is_some() {
        return None;
    }
    let renames = view
        .usable()
        .filter_map(|instance| Some(Change::Rename { id: instance.id.clone(), name: new_name(view, instance)? }));
    view.first_awake(renames.collect()).map(Effect::Change)
}

/// The name that an instance is to have, while it has another.
pub(super) fn new_name(view: &View<'_>, instance: &Claimed<'_>) -> Option<String> {
    let observed = instance.observed?.name.as_deref()?;
    let wanted = wanted_name(view, instance, observed);
    (wanted != observed).then_some(wanted)
}

fn wanted_name(view: &View<'_>, instance: &Claimed<'_>, observed: &str) -> String {
    let ids = |order: &'_ carpack_api::PackOrder| -> Vec<String> {
        order.status.iter().flat_map(|s| &s.lines).flat_map(|line| line.instance_ids.clone()).collect()
    };
    let bought_by = orders::own(&view.input, OrderAction::Buy).find(|o| has_paid(o) && ids(o).contains(&instance.id));
    let adopted = named_ids(view.input.pack);
    let (ordinal, together) = match bought_by {
        Some(order) => (order.spec.ordinal, ids(order)),
        None if adopted.contains(&instance.id) => (ADOPTED, adopted.to_vec()),
        None => (1, view.claimed.iter().map(|c| c.id.clone()).collect()),
    };
    let name = cloud_name(view.namespace, view.name, view.input.pack.spec.pack_name.as_deref(), ordinal);
    let own_number = number_of(view.namespace, view.name, observed);
    let number = own_number.or_else(|| (together.len() > 1).then(|| free_number(view, &together, &instance.id)));
    instance_name(&name, number.as_deref())
}

/// The number for an instance that has lost its own: of those that no other one carries, by the order of the ids.
fn free_number(view: &View<'_>, together: &[String], id: &str) -> String {
    let number = |c: &Claimed<'_>| number_of(view.namespace, view.name, c.observed?.name.as_deref()?);
    let others: Vec<&Claimed<'_>> = view.claimed.iter().filter(|c| together.contains(&c.id)).collect();
    let taken: Vec<String> = others.iter().filter_map(|c| number(c)).collect();
    let position = others.iter().filter(|c| number(c).is_none()).position(|c| c.id == id).unwrap_or(0);
    let free = (1_usize..).map(|n| n.to_string()).filter(|n| !taken.contains(n));
    free.take(position.saturating_add(1)).last().unwrap_or_default()
}
