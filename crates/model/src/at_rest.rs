//! Predicates: whether an order or a pack is at rest, and whether an order asks a person.

use carpack_api::order::{LineStatus, OrderState};
use carpack_api::{ConcurrencyPack, PackOrder, PackOrderStatus, Reason};
use carpack_core::condition::{FULFILLED, RECONCILING, STALLED, is_true};
use carpack_core::order::settle_annotation;

use crate::state::State;

/// True when everything that the order is for was paid and delivered.
pub fn is_fulfilled(order: &PackOrder) -> bool {
    order.status.as_ref().and_then(|status| status.state) == Some(OrderState::Fulfilled)
}

/// True when the order is settled, or asks a person with a reason.
pub fn is_order_at_rest(order: &PackOrder) -> bool {
    let Some(status) = &order.status else { return false };
    let reason = reason(order);
    match status.state {
        Some(OrderState::Fulfilled | OrderState::Failed | OrderState::AwaitingApproval) => true,
        Some(OrderState::Ambiguous) => names_the_annotation(status),
        Some(OrderState::InProgress) => matches!(reason, Some(Reason::PaidNotDelivered | Reason::Unpaid)),
        Some(OrderState::Pending) => matches!(reason, Some(Reason::NameTaken | Reason::Vanished)),
        None => false,
    }
}

/// True when the message names the annotation that settles a line. No reason tells whether a person is asked about an
/// unknown outcome: only the message does.
fn names_the_annotation(status: &PackOrderStatus) -> bool {
    let message = status.message.as_deref().unwrap_or_default();
    let is_named = |line: &LineStatus| message.contains(&settle_annotation(line));
    status.lines.iter().any(is_named)
}

/// True when the pack is not being worked on: it is Ready, ended, Stalled, or waits for a person.
pub fn is_pack_at_rest(pack: &ConcurrencyPack) -> bool {
    let Some(status) = &pack.status else { return false };
    let working = status.conditions.iter().find(|c| c.type_ == RECONCILING && c.status == "True");
    is_true(&status.conditions, STALLED)
        || working.is_none_or(|c| Reason::parse(&c.reason).is_some_and(waits_for_person))
}

/// True for the reason of a pack that waits for a person.
fn waits_for_person(reason: Reason) -> bool {
    matches!(reason, Reason::AwaitingApproval | Reason::OrderAmbiguous | Reason::OutcomeUnknown | Reason::NameTaken)
}

/// True when an order for this pack asks a person, or was refused.
pub fn asks_a_person(state: &State, uid: &str) -> bool {
    state.orders.values().any(|order| order.object.spec.pack_ref.uid == uid && asks(&order.object))
}

/// A void order asks nobody: the next order follows at once, or none is needed.
fn asks(order: &PackOrder) -> bool {
    !is_fulfilled(order) && reason(order) != Some(Reason::Void) && is_order_at_rest(order)
}

/// The reason of an order's condition Fulfilled.
fn reason(order: &PackOrder) -> Option<Reason> {
    let mut conditions = order.status.iter().flat_map(|status| &status.conditions);
    conditions.find(|c| c.type_ == FULFILLED).and_then(|c| Reason::parse(&c.reason))
}
