//! Approval: a person's word for one order, or for it and later renewals.
//!
//! Rule 12 of docs/money.md, which names the tests that fail without it.

use carpack_api::order::{ApprovalScope, Decision as ApprovalDecision, OrderAction};
use carpack_api::{Mode, PackOrder, PackOrderSpec, Reason};
use jiff::Timestamp;

use super::case::Case;
use super::obstacle::Obstacle;
use super::price::{is_at_most, paid_above_quote};
use crate::facts::ledger::{is_first_purchase, name_of};
use crate::money;

/// No person has denied the order.
pub(crate) fn order_is_not_denied(case: &Case<'_>) -> Result<(), Obstacle> {
    let approval = case.recorded.and_then(|recorded| recorded.order.spec.approval.as_ref());
    match approval.filter(|approval| approval.decision == ApprovalDecision::Denied) {
        Some(_) => Err(Obstacle::reject(Reason::Denied, "denied by a person")),
        None => Ok(()),
    }
}

/// A person has approved the order where the mode asks for it.
pub(crate) fn order_is_approved_where_the_mode_asks(case: &Case<'_>) -> Result<(), Obstacle> {
    if case.mode == Mode::ApprovalRequired { order_is_approved(case) } else { Ok(()) }
}

/// A person has approved the order, whatever the mode. A return is never made without.
pub(crate) fn order_is_approved(case: &Case<'_>) -> Result<(), Obstacle> {
    let Some(order) = case.recorded.map(|recorded| recorded.order) else { return Ok(()) };
    let own = order.spec.approval.as_ref().is_some_and(|approval| approval.decision == ApprovalDecision::Approved);
    if own || is_renewal(order) && case.orders.iter().any(|other| covers(case, other, order)) {
        return Ok(());
    }
    let why_not = falls_short(case, order).unwrap_or_default();
    let message = format!(
        "waits for approval: set spec.approval.decision of PackOrder {} to Approved or Denied{why_not}",
        name_of(order)
    );
    Err(Obstacle::wait(Reason::AwaitingApproval, message))
}

/// True for a renewal, and for the purchase of a successor.
fn is_renewal(order: &PackOrder) -> bool {
    order.spec.action != OrderAction::Return && !is_first_purchase(&order.spec)
}

/// True when the approval of an earlier order covers this renewal: same pack, same terms, no higher price, in time, and nothing has
/// cost more than its quote since.
fn covers(case: &Case<'_>, earlier: &PackOrder, renewal: &PackOrder) -> bool {
    is_meant_for(earlier, renewal, case.now)
        && same_terms(earlier, renewal)
        && no_higher_price(earlier, renewal)
        && dearer_than_quoted(case, earlier).is_none()
}

/// An order of the pack, this one or a later one, that has cost more than its quote, in words: the quote is what the person saw.
fn dearer_than_quoted(case: &Case<'_>, approved: &PackOrder) -> Option<String> {
    let since = case.orders.iter().filter(|order| order.spec.decision_time.0 >= approved.spec.decision_time.0);
    let mut dearer = since.filter_map(|order| Some((order, paid_above_quote(&order.spec, order.status.as_ref()?)?)));
    dearer.next().map(|(order, words)| format!("PackOrder {} is dearer than it said: {words}", name_of(order)))
}

/// Why the newest approval that was given for later renewals too does not cover this one.
fn falls_short(case: &Case<'_>, order: &PackOrder) -> Option<String> {
    let meant = case.orders.iter().filter(|other| is_meant_for(other, order, case.now));
    let newest = meant.filter(|_| is_renewal(order)).max_by_key(|other| other.spec.decision_time.0)?;
    let (a, b) = (&newest.spec, &order.spec);
    let price = |spec: &PackOrderSpec| spec.quote.as_ref().map(money::display).unwrap_or_default();
    let why = match () {
        () if a.terms.duration != b.terms.duration => {
            format!("its duration is {}, this one's {}", a.terms.duration, b.terms.duration)
        }
        () if !same_terms(newest, order) => "its terms are others".to_owned(),
        () if !no_higher_price(newest, order) => {
            format!("it was given for {}, and this one costs {}", price(a), price(b))
        }
        () => dearer_than_quoted(case, newest)?,
    };
    let name = name_of(newest);
    Some(format!("; the approval of PackOrder {name} for later renewals does not reach to it: {why}"))
}

/// True while the approval of an earlier order is meant for later renewals of the same pack too.
fn is_meant_for(earlier: &PackOrder, renewal: &PackOrder, now: Timestamp) -> bool {
    let (a, b) = (&earlier.spec, &renewal.spec);
    covers_later_renewals(a, now) && a.pack_ref == b.pack_ref && a.account_ref == b.account_ref
}

fn no_higher_price(earlier: &PackOrder, renewal: &PackOrder) -> bool {
    match (&renewal.spec.quote, &earlier.spec.quote) {
        (Some(new), Some(old)) => is_at_most(new, old),
        _ => false,
    }
}

/// True while the approval of an order covers later renewals.
pub(crate) fn covers_later_renewals(spec: &PackOrderSpec, now: Timestamp) -> bool {
    spec.approval.as_ref().is_some_and(|approval| {
        approval.decision == ApprovalDecision::Approved
            && approval.scope == ApprovalScope::ThisAndLaterRenewals
            && approval.until.as_ref().is_none_or(|until| now < until.0)
    })
}

fn same_terms(earlier: &PackOrder, renewal: &PackOrder) -> bool {
    let (a, b) = (&earlier.spec.terms, &renewal.spec.terms);
    a.application_type == b.application_type
        && a.billing_mode == b.billing_mode
        && a.region == b.region
        && a.concurrency_scale == b.concurrency_scale
        && a.duration == b.duration
        && b.quantity <= a.quantity
}
