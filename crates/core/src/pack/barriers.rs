//! What bars a renewal although it is due: it is paid for, was refused for good, is not needed, or waits for a name.

use carpack_api::common::Time;
use carpack_api::order::OrderAction;
use carpack_api::pack::{ConcurrencyPackSpec, InstanceState, RenewalStrategy};
use carpack_api::{PackOrder, Reason};
use jiff::Timestamp;

use super::finding::Finding;
use super::input::Change;
use super::naming::new_name;
use super::orders;
use super::view::View;
use crate::condition::RENEWAL_ON_TRACK;
use crate::facts::holdings::{Claimed, carries_another_name, is_adopted, is_outlasted, total, was_bought_by};
use crate::facts::ledger::{last_call, lines_of, name_of, refused_for, renewed_by};
use crate::time::plus;

/// Why this expiry is not renewed by another order: it is not needed, one was paid for it, or one was refused for good.
pub(super) fn barred(view: &View<'_>, action: OrderAction, instance: Option<&str>, from: Timestamp) -> Option<Finding> {
    let input = view.input;
    if let Some(finding) = outlasted(view, from) {
        return Some(finding);
    }
    if let Some(order) = renewed_by(input.orders.iter().copied(), &orders::uid(&input), action, instance, from) {
        return Some(awaiting_its_effect(view, order, from));
    }
    let order = refused_for(orders::own(&input, action), instance, from)?;
    let (reason, message) = orders::standing(order);
    let message = format!("{message}; to try again, {}", deleting(view, order));
    Some(Finding::stuck(RENEWAL_ON_TRACK, reason, message))
}

/// What is said of a renewal that was paid for, and whose effect the cloud does not show.
fn awaiting_its_effect(view: &View<'_>, order: &PackOrder, from: Timestamp) -> Finding {
    let (input, name) = (view.input, name_of(order));
    let late = plus(last_call(lines_of(order)).unwrap_or(from), input.timing.delivery_grace);
    if input.now < late {
        let message = format!("order {name} has renewed it; waits until the cloud shows it again");
        return Finding::working(RENEWAL_ON_TRACK, Reason::AwaitingDelivery, message).wake(late).wants_sweep();
    }
    let brought: Vec<_> = view.usable().filter(|c| was_bought_by(c, order)).collect();
    if order.spec.action != OrderAction::Buy || brought.is_empty() {
        let message = format!(
            "order {name} has renewed it, and the cloud does not show it: ask the cloud's support; only if it was not, {}: then it is renewed once more",
            deleting(view, order)
        );
        return Finding::stuck(RENEWAL_ON_TRACK, Reason::PaidNotDelivered, message);
    }
    if brought.iter().any(|c| c.known_concurrencies().is_none()) {
        let message = format!(
            "order {name} has bought the successor, and the cloud does not say how many concurrencies its instances hold"
        );
        return Finding::unsure(RENEWAL_ON_TRACK, Reason::CountUnknown, message);
    }
    let message = format!(
        "order {name} has bought the successor, and the cloud shows {} of its {} concurrencies: ask the cloud's support; it is never bought again",
        total(brought),
        order.spec.terms.quantity
    );
    Finding::stuck(RENEWAL_ON_TRACK, Reason::PartiallyDelivered, message)
}

fn deleting(view: &View<'_>, order: &PackOrder) -> String {
    format!("delete PackOrder {} in namespace {}", name_of(order), view.input.operator_namespace)
}

/// Why nothing is bought or renewed for this expiry: with the missing instances the pack lasts longer.
fn outlasted(view: &View<'_>, from: Timestamp) -> Option<Finding> {
    let input = view.input;
    if !is_outlasted(input.traces(), view.claimed(), from) {
        return None;
    }
    let missing = |c: &&Claimed<'_>| c.state == InstanceState::Missing && c.expiration.is_some_and(|at| at > from);
    let missing: Vec<&Claimed<'_>> = view.claimed().iter().filter(missing).collect();
    let ids: Vec<&str> = missing.iter().map(|c| c.id.as_str()).collect();
    let bought = orders::own(&input, OrderAction::Buy).find(|order| missing.iter().any(|c| was_bought_by(c, order)));
    let message = format!(
        "{} of the pack are no longer listed by the cloud, and nothing is bought or renewed in their place: look into the console; only if they were returned, delete PackOrder {} in namespace {}",
        ids.join(", "),
        bought.map(name_of).unwrap_or_default(),
        input.operator_namespace
    );
    Some(Finding::stuck(RENEWAL_ON_TRACK, Reason::Vanished, message).wants_sweep())
}

/// True while the instance is being renamed, and the cloud has not refused that.
pub(super) fn is_being_named(view: &View<'_>, instance: &Claimed<'_>) -> bool {
    let refused = |name| view.failure(&Change::Rename { id: instance.id.clone(), name }).is_some();
    to_be_named(view, instance).is_some_and(|name| !refused(name))
}

/// The name that an instance must get before money is spent on it: it was taken over and carries another. Where it gets a successor,
/// it must carry exactly its own name, for the successor is bought under the pack's next one.
pub(super) fn to_be_named(view: &View<'_>, instance: &Claimed<'_>) -> Option<String> {
    let pack = view.input.pack;
    let observed = instance.observed.filter(|observed| is_adopted(pack, &observed.id))?;
    let replaced = pack.spec.renewal.strategy == Some(RenewalStrategy::Replace);
    new_name(view, instance).filter(|_| replaced || carries_another_name(pack, observed))
}

/// Why money is not spent on an instance before it carries the pack's name.
pub(super) fn name_not_seen(view: &View<'_>, instance: &Claimed<'_>) -> Option<Finding> {
    let name = to_be_named(view, instance)?;
    let id = instance.id.clone();
    let message = format!(
        "instance {id}, which was taken over, is renewed or replaced once it carries the pack's name: if it does not get it by itself, rename it to {name} in the console"
    );
    let finding = match view.failure(&Change::Rename { id, name }) {
        Some(_) => Finding::stuck(RENEWAL_ON_TRACK, Reason::NameNotSeen, message),
        None => Finding::working(RENEWAL_ON_TRACK, Reason::NameNotSeen, message),
    };
    Some(finding.wants_sweep())
}

/// Until when an order for this expiry may be sent.
pub(super) fn deadline(spec: &ConcurrencyPackSpec, expiration: Option<Timestamp>) -> Option<Timestamp> {
    let until = spec.renewal.until.as_ref().map(|Time(t)| *t);
    expiration.into_iter().chain(until).min()
}
