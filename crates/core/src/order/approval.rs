//! A person's word: for this order, or for this and later renewals.

use carpack_api::order::{ApprovalScope, Decision as Word, OrderAction};
use carpack_api::{PackOrder, PackOrderSpec};
use jiff::Timestamp;

use super::Input;
use crate::account::check_max_price;
use crate::limits::is_first;
use crate::money;

/// True when a person has approved the order, or this renewal with an earlier one.
pub(super) fn is_approved(input: &Input<'_>) -> bool {
    let spec = &input.order.spec;
    let own = spec.approval.as_ref().is_some_and(|a| a.decision == Word::Approved);
    own || is_renewal(input.order) && input.siblings.iter().any(|other| covers(other, input.order, input.now))
}

/// True for a renewal, and for the purchase of a successor.
fn is_renewal(order: &PackOrder) -> bool {
    order.spec.action != OrderAction::Return && !is_first(&order.spec)
}

/// True when the approval of an earlier order reaches to this renewal: same pack, same terms, no higher price, in time.
fn covers(earlier: &PackOrder, renewal: &PackOrder, now: Timestamp) -> bool {
    is_meant_for(earlier, renewal, now) && same_terms(earlier, renewal) && no_higher_price(earlier, renewal)
}

/// Why the newest approval that was given for later renewals too does not reach to this one.
pub(super) fn falls_short(input: &Input<'_>) -> Option<String> {
    let meant = input.siblings.iter().filter(|other| is_meant_for(other, input.order, input.now));
    let newest = meant.filter(|_| is_renewal(input.order)).max_by_key(|other| other.spec.decision_time.0)?;
    let name = newest.metadata.name.as_deref().unwrap_or_default();
    let (a, b) = (&newest.spec, &input.order.spec);
    let price = |spec: &PackOrderSpec| spec.quote.as_ref().map(money::display).unwrap_or_default();
    let why = match () {
        () if a.terms.duration != b.terms.duration => {
            format!("its duration is {}, this one's {}", a.terms.duration, b.terms.duration)
        }
        () if !same_terms(newest, input.order) => "its terms are others".to_owned(),
        () => format!("it was given for {}, and this one costs {}", price(a), price(b)),
    };
    Some(format!("; the approval of PackOrder {name} for later renewals does not reach to it: {why}"))
}

/// True while the approval of an earlier order is for later renewals of the same pack too.
fn is_meant_for(earlier: &PackOrder, renewal: &PackOrder, now: Timestamp) -> bool {
    let (a, b) = (&earlier.spec, &renewal.spec);
    covers_later_renewals(a, now) && a.pack_ref == b.pack_ref && a.account_ref == b.account_ref
}

fn no_higher_price(earlier: &PackOrder, renewal: &PackOrder) -> bool {
    match (&renewal.spec.quote, &earlier.spec.quote) {
        (Some(new), Some(old)) => check_max_price(new, Some(old)).is_ok(),
        _ => false,
    }
}

/// True while the approval of an order reaches to later renewals.
pub(super) fn covers_later_renewals(spec: &PackOrderSpec, now: Timestamp) -> bool {
    spec.approval.as_ref().is_some_and(|approval| {
        approval.decision == Word::Approved
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
