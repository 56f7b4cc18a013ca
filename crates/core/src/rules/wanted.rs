//! A purchase or a renewal is wanted by a pack that exists, and that still declares what the order was made for.
//!
//! Rules 1, 11, 12 and 16 of docs/money.md, which names the tests that fail without them.

use carpack_api::order::OrderAction;
use carpack_api::pack::{RenewalMode, RenewalStrategy};
use carpack_api::{ConcurrencyPack, PackOrderSpec};

use super::case::Case;
use super::obstacle::Obstacle;
use crate::facts::ledger::is_first_purchase;
use crate::time::renewal_duration;

/// The pack of the order, while it is not being deleted.
fn living_pack<'a>(case: &Case<'a>) -> Option<(&'a PackOrderSpec, &'a ConcurrencyPack)> {
    let spec = &case.recorded?.order.spec;
    let is_living = |pack: &&ConcurrencyPack| {
        pack.metadata.deletion_timestamp.is_none() && pack.metadata.uid.as_deref() == Some(spec.pack_ref.uid.as_str())
    };
    Some((spec, case.pack.filter(is_living)?))
}

/// The pack exists, under the UID that the order was made for, and is not being deleted.
pub(crate) fn pack_exists(case: &Case<'_>) -> Result<(), Obstacle> {
    match living_pack(case) {
        Some(_) => Ok(()),
        None => Err(Obstacle::void("the pack is gone")),
    }
}

/// The order buys what the pack declares. The API server refuses changes of these fields; they may differ where its rules were not
/// in force, or after a backup was restored.
pub(crate) fn terms_are_declared(case: &Case<'_>) -> Result<(), Obstacle> {
    let Some((order, pack)) = living_pack(case) else { return Ok(()) };
    let (terms, spec) = (&order.terms, &pack.spec);
    let same = terms.application_type == spec.application_type
        && terms.billing_mode == spec.billing_mode
        && terms.region == spec.region
        && terms.concurrency_scale == spec.concurrency_scale
        && order.account_ref == spec.account_ref
        && (order.action != OrderAction::Buy || terms.quantity == spec.quantity)
        && (!is_first_purchase(order) || terms.duration == spec.duration);
    if same { Ok(()) } else { Err(Obstacle::void("its terms are not those that the pack declares")) }
}

/// The pack has not been bought yet.
pub(crate) fn pack_is_not_bought(case: &Case<'_>) -> Result<(), Obstacle> {
    let status = living_pack(case).and_then(|(_, pack)| pack.status.as_ref());
    match status.filter(|status| !status.instances.is_empty()) {
        Some(_) => Err(Obstacle::void("the pack has been bought already")),
        None => Ok(()),
    }
}

/// The pack is still renewed by the operator, for this duration and with this strategy.
pub(crate) fn renewal_is_declared(case: &Case<'_>) -> Result<(), Obstacle> {
    let Some((order, pack)) = living_pack(case) else { return Ok(()) };
    let renewal = &pack.spec.renewal;
    if renewal.mode != RenewalMode::Operator {
        return Err(Obstacle::void("the pack is no longer renewed by the operator"));
    }
    let replaces = order.action == OrderAction::Buy;
    let is_replaced = renewal.strategy.unwrap_or_default() == RenewalStrategy::Replace;
    if order.terms.duration != renewal_duration(&pack.spec) || replaces != is_replaced {
        return Err(Obstacle::void("the pack's renewal was declared otherwise since the order was made"));
    }
    Ok(())
}
