//! Predicates: whether an order or a pack is at rest, and whether an order asks a person.

use carpack_api::order::OrderState;
use carpack_api::{ConcurrencyPack, PackOrder};

use crate::state::State;

/// True when everything that the order is for was paid and delivered.
pub fn is_fulfilled(order: &PackOrder) -> bool {
    order.status.as_ref().and_then(|status| status.state) == Some(OrderState::Fulfilled)
}

/// True when the order is settled, or its message asks a person with a reason.
pub fn is_order_at_rest(order: &PackOrder) -> bool {
    let Some(status) = &order.status else { return false };
    let message = status.message.as_deref().unwrap_or_default();
    let reason = reason(order);
    match status.state {
        Some(OrderState::Fulfilled | OrderState::Failed | OrderState::AwaitingApproval) => true,
        Some(OrderState::Ambiguous) => message.contains("kubectl annotate"),
        Some(OrderState::InProgress) => matches!(reason, Some("PaidNotDelivered" | "Unpaid")),
        Some(OrderState::Pending) => matches!(reason, Some("NameTaken" | "Vanished")),
        None => false,
    }
}

/// True when the pack is not being worked on: it is Ready, ended, Stalled, or waits for a person.
pub fn is_pack_at_rest(pack: &ConcurrencyPack) -> bool {
    let Some(status) = &pack.status else { return false };
    let is_true = |kind: &str| status.conditions.iter().find(|c| c.type_ == kind).filter(|c| c.status == "True");
    let waits_for_person = ["AwaitingApproval", "OrderAmbiguous", "OutcomeUnknown", "NameTaken"];
    let working = is_true("Reconciling").filter(|c| !waits_for_person.contains(&c.reason.as_str()));
    working.is_none() || is_true("Stalled").is_some()
}

/// True when an order for this pack asks a person, or was refused.
pub fn asks_a_person(state: &State, uid: &str) -> bool {
    state.orders.values().any(|order| order.object.spec.pack_ref.uid == uid && asks(&order.object))
}

/// A void order asks nobody: the next order follows at once, or none is needed.
fn asks(order: &PackOrder) -> bool {
    !is_fulfilled(order) && reason(order) != Some("Void") && is_order_at_rest(order)
}

fn reason(order: &PackOrder) -> Option<&str> {
    let mut conditions = order.status.iter().flat_map(|status| &status.conditions);
    conditions.find(|c| c.type_ == "Fulfilled").map(|c| c.reason.as_str())
}
