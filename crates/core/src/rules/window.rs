//! Time: the pack's purchase window, the order's deadline, and the end of its renewals.
//!
//! Rule 15 of docs/money.md, which names the tests that fail without it.

use carpack_api::pack::{PurchaseWindow, RenewalMode};
use carpack_api::{ConcurrencyPack, Reason};
use jiff::Timestamp;

use super::case::Case;
use super::obstacle::Obstacle;
use crate::time::next_renewal;

/// The order's deadline has not passed.
pub(crate) fn deadline_is_ahead(case: &Case<'_>) -> Result<(), Obstacle> {
    let deadline = case.recorded.and_then(|recorded| recorded.order.spec.deadline.as_ref());
    match deadline.filter(|deadline| case.is_past(deadline.0)) {
        Some(_) => Err(Obstacle::reject(Reason::DeadlinePassed, "the order's deadline has passed")),
        None => Ok(()),
    }
}

/// The pack may still be bought: neither `purchaseWindow.notAfter` nor, where the operator renews, `renewal.until` has passed.
pub(crate) fn purchase_window_is_not_over(case: &Case<'_>) -> Result<(), Obstacle> {
    match closed_by(case) {
        Some(field) => Err(Obstacle::reject(Reason::DeadlinePassed, format!("the pack's {field} has passed"))),
        None => Ok(()),
    }
}

/// The field that ends the time in which the pack may be bought, once it has passed.
pub(crate) fn closed_by(case: &Case<'_>) -> Option<&'static str> {
    let pack = case.pack?;
    let ends = [(not_after(pack), "purchaseWindow.notAfter"), (renewed_until(pack), "renewal.until")];
    let passed = ends.into_iter().find(|(end, _)| end.is_some_and(|end| case.is_past(end)));
    passed.map(|(_, field)| field)
}

/// The purchase window has opened: `purchaseWindow.notBefore`.
pub(crate) fn purchase_window_has_opened(case: &Case<'_>) -> Result<(), Obstacle> {
    match opens_at(case.pack).filter(|opens| *opens > case.now) {
        Some(opens) => Err(Obstacle::wait(Reason::WaitingForWindow, format!("the purchase window opens at {opens}"))),
        None => Ok(()),
    }
}

/// When the pack's purchase window opens.
pub(crate) fn opens_at(pack: Option<&ConcurrencyPack>) -> Option<Timestamp> {
    window(pack)?.not_before.as_ref().map(|time| time.0)
}

/// From when on the pack is not bought any more.
pub(crate) fn closes_at(pack: &ConcurrencyPack) -> Option<Timestamp> {
    not_after(pack).into_iter().chain(renewed_until(pack)).min()
}

fn not_after(pack: &ConcurrencyPack) -> Option<Timestamp> {
    window(Some(pack))?.not_after.as_ref().map(|time| time.0)
}

/// Until when the operator renews the pack. From then on a purchase is not wanted; to take over what exists costs nothing.
fn renewed_until(pack: &ConcurrencyPack) -> Option<Timestamp> {
    let spec = &pack.spec;
    let is_meant = spec.renewal.mode == RenewalMode::Operator && spec.adopt.is_none();
    spec.renewal.until.as_ref().filter(|_| is_meant).map(|time| time.0)
}

fn window(pack: Option<&ConcurrencyPack>) -> Option<&PurchaseWindow> {
    pack?.spec.purchase_window.as_ref()
}

/// What expires at this moment is to be renewed by the operator: it expires before `renewal.until`. An order that was due by an
/// earlier reading of the expiry, or by an earlier `until`, may not be wanted any more.
pub(crate) fn expires_before_until(case: &Case<'_>, expiration: Option<Timestamp>) -> Result<(), Obstacle> {
    match case.pack.zip(expiration).map(|(pack, at)| next_renewal(&pack.spec, at)) {
        Some(None) => Err(Obstacle::void("what it renews lasts until renewal.until, and is not renewed")),
        Some(Some(_)) | None => Ok(()),
    }
}
