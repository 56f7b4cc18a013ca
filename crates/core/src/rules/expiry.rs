//! What the observation must show of the instances that a line renews, replaces or returns.
//!
//! Rules 9 and 10 of docs/money.md, which names the tests that fail without them.

use carpack_api::Reason;
use carpack_api::pack::RenewFlag;

use super::case::Case;
use super::obstacle::Obstacle;
use super::window::expires_before_until;
use crate::facts::holdings::{Claimed, carries_another_name, carrying, is_outlasted, total};
use crate::observation::{Instance, seen_off};
use crate::time::is_same_expiry;

/// The line names an instance and the expiry that it renews from.
pub(crate) fn line_names_an_expiry(case: &Case<'_>) -> Result<(), Obstacle> {
    match case.line.map(|line| (&line.instance_id, &line.renews_from)) {
        Some((Some(_), Some(_))) => Ok(()),
        _ => Err(Obstacle::reject(Reason::InvalidOrder, "the line names no instance and expiry")),
    }
}

/// The cloud lists the instance that is to be renewed.
pub(crate) fn instance_is_listed(case: &Case<'_>) -> Result<(), Obstacle> {
    match case.observed_instance() {
        Some(_) => Ok(()),
        None => {
            let id = case.line.and_then(|line| line.instance_id.as_deref()).unwrap_or_default();
            Err(Obstacle::wait(Reason::Vanished, format!("instance {id} is not listed by the cloud")))
        }
    }
}

/// The cloud lists the instance that is to be returned.
pub(crate) fn instance_can_be_returned(case: &Case<'_>) -> Result<(), Obstacle> {
    match case.observed_instance() {
        Some(_) => Ok(()),
        None => Err(Obstacle::void("the instance is no longer listed")),
    }
}

/// The instance expires when the line says, and has not expired yet.
pub(crate) fn expiry_has_not_moved(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(instance), Some(from)) = (case.observed_instance(), case.renews_from()) else { return Ok(()) };
    let id = &instance.id;
    match instance.expiration {
        Some(expiration) if !is_same_expiry(expiration, from) => {
            Err(Obstacle::void("the expiry that it renews from has moved"))
        }
        None => {
            let message = format!("the cloud does not say when instance {id} expires");
            Err(Obstacle::wait(Reason::ExpiryUnknown, message))
        }
        Some(_) if case.is_past(from) || instance.isolated => {
            Err(Obstacle::reject(Reason::DeadlinePassed, format!("instance {id} has expired")))
        }
        Some(_) => Ok(()),
    }
}

/// The instance expires before `renewal.until`.
pub(crate) fn instance_expires_before_until(case: &Case<'_>) -> Result<(), Obstacle> {
    expires_before_until(case, case.observed_instance().and_then(|instance| instance.expiration))
}

/// An instance that was taken over still carries the pack's name.
pub(crate) fn instance_carries_the_packs_name(case: &Case<'_>) -> Result<(), Obstacle> {
    match case.pack.zip(case.observed_instance()) {
        Some((pack, instance)) if carries_another_name(pack, instance) => Err(lost_its_name(&instance.id)),
        Some(_) | None => Ok(()),
    }
}

/// Instances that expire later do not carry the whole pack yet.
pub(crate) fn expiry_is_not_outlasted(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(traces), Some(from)) = (case.traces(), case.renews_from()) else { return Ok(()) };
    if is_outlasted(traces, case.claimed(), from) {
        return Err(Obstacle::void("what outlasts the expiry that it renews from carries the whole pack already"));
    }
    Ok(())
}

/// The instances of the order hold no more concurrencies than it was made and priced for.
pub(crate) fn count_is_priced(case: &Case<'_>) -> Result<(), Obstacle> {
    let Some(spec) = case.recorded.map(|recorded| &recorded.order.spec) else { return Ok(()) };
    let is_renewed = |c: &&Claimed<'_>| spec.lines.iter().any(|line| line.instance_id.as_ref() == Some(&c.id));
    let (held, priced) = (total(case.claimed().iter().filter(is_renewed)), spec.terms.quantity);
    if held <= priced {
        return Ok(());
    }
    Err(Obstacle::void(format!("its instances hold {held} concurrencies, and it was made and priced for {priced}")))
}

/// The cloud's own renewal is observed off: of the instance in the line, or while a pack plans, of all that carry it.
pub(crate) fn clouds_own_renewal_is_off(case: &Case<'_>) -> Result<(), Obstacle> {
    let is_off = |instance: Option<&Instance>| {
        seen_off(instance.map_or(RenewFlag::Unknown, |instance| instance.renew_flag), case.billing_mode)
    };
    if case.line.is_some() {
        return match case.observed_instance().filter(|instance| !is_off(Some(instance))) {
            Some(instance) => {
                let message = format!("the cloud's own renewal of instance {} is not seen off yet", instance.id);
                Err(Obstacle::needs_sweep(Reason::AutoRenewStillOn, message))
            }
            None => Ok(()),
        };
    }
    let quantity = case.pack.map_or(0, |pack| pack.spec.quantity);
    match carrying(case.claimed(), quantity).into_iter().find(|c| !is_off(c.observed)) {
        Some(instance) => {
            let message =
                format!("no renewal by the operator until the cloud's own renewal of {} is seen off", instance.id);
            Err(Obstacle::needs_sweep(Reason::AutoRenewStillOn, message))
        }
        None => Ok(()),
    }
}

/// What a successor replaces is still there, carries the pack's name, and expires before `renewal.until`.
///
/// Other instances that end within the same hours may not be due yet, nor carry the name: only those that expire nearest to the
/// moment in the line are asked.
pub(crate) fn what_is_replaced_is_there(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(pack), Some(ends)) = (case.pack, case.renews_from()) else { return Ok(()) };
    let here = carrying(case.claimed(), pack.spec.quantity).into_iter().filter(|c| c.observed.is_some());
    let expirations = here.clone().filter_map(|c| c.expiration.filter(|at| is_same_expiry(*at, ends)));
    let Some(nearest) = expirations.min_by_key(|at| at.duration_since(ends).abs()) else {
        return Err(Obstacle::wait(Reason::Vanished, "what it replaces is not listed by the cloud"));
    };
    let mut nearest_ones = here.filter(|c| c.expiration == Some(nearest));
    let renamed = |c: &&Claimed<'_>| c.observed.is_some_and(|observed| carries_another_name(pack, observed));
    match nearest_ones.find(renamed) {
        Some(instance) => Err(lost_its_name(&instance.id)),
        None => expires_before_until(case, Some(nearest)),
    }
}

fn lost_its_name(id: &str) -> Obstacle {
    Obstacle::void(format!("instance {id}, which was taken over, does not carry the pack's name any more"))
}
