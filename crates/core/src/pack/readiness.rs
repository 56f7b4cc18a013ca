//! Whether a pack that is bought is usable now, as declared.

use carpack_api::Reason;
use carpack_api::order::OrderAction;
use carpack_api::pack::InstanceState;

use super::finding::{Finding, Progress};
use super::orders;
use super::view::View;
use crate::condition::{PURCHASED, READY, Verdict, verdict};
use crate::facts::holdings::is_adopted;
use crate::facts::ledger::{has_paid, is_open};
use crate::rules::access::account_exists;
use crate::rules::observation::is_stale;
use crate::time::short;

/// Purchased: bought, or taken over.
pub(super) fn purchased(view: &View<'_>) -> Verdict {
    let adopted = view.claimed().iter().any(|c| is_adopted(view.input.pack, &c.id));
    let (reason, message) = if adopted {
        (Reason::Adopted, "taken over: it was bought before")
    } else {
        (Reason::Paid, "bought and paid for")
    };
    verdict(PURCHASED, Some(true), reason, message)
}

/// Ready: usable now as declared.
pub(super) fn ready(view: &View<'_>, usable: i32, assignment: &Finding) -> Verdict {
    let input = view.input;
    let wanted = input.pack.spec.quantity;
    if let Err(obstacle) = account_exists(&view.case) {
        return verdict(READY, None, obstacle.reason, obstacle.message);
    }
    let Some(observation) = input.observation else {
        return verdict(READY, None, Reason::AwaitingObservation, "waits for the first complete sweep of the account");
    };
    if is_stale(observation, input.now, input.timing.stale_after) {
        let age = short(observation.started, input.now);
        return verdict(
            READY,
            None,
            Reason::ObservationStale,
            format!("the cloud was last seen at {age}: too long ago to say"),
        );
    }
    if usable < wanted {
        return falls_short(view, usable);
    }
    if assignment.progress != Progress::Good && view.bound_concurrencies() < wanted {
        return Verdict { kind: READY, ..assignment.verdict() };
    }
    if view.carrying.iter().any(|c| c.expiration.is_none()) {
        return verdict(READY, None, Reason::ExpiryUnknown, "the cloud does not say when the pack expires");
    }
    let scale = &input.pack.spec.concurrency_scale;
    let until = view.expiration.map(|at| at.to_string()).unwrap_or_default();
    let unbound = if assignment.progress == Progress::Good { "" } else { &format!("; {}", assignment.message) };
    let message = format!("{usable} of {wanted} concurrencies of {scale} are usable until {until}{unbound}");
    verdict(READY, Some(true), Reason::Active, message)
}

fn delivery_pending(view: &View<'_>) -> bool {
    orders::own(&view.input, OrderAction::Buy).any(|order| is_open(order) && has_paid(order))
}

/// Why fewer concurrencies are usable than declared.
fn falls_short(view: &View<'_>, usable: i32) -> Verdict {
    let wanted = view.input.pack.spec.quantity;
    let any = |state: InstanceState| view.claimed().iter().any(|c| c.state == state);
    if view.usable().any(|c| c.known_concurrencies().is_none()) {
        let message = "the cloud does not say how many concurrencies the pack's instances hold";
        return verdict(READY, None, Reason::CountUnknown, message);
    }
    let (reason, why) = match () {
        () if any(InstanceState::Missing) => (
            Reason::Vanished,
            "instances are no longer listed by the cloud; nothing is bought in their place: look into the console",
        ),
        () if any(InstanceState::Expired) => (
            Reason::PartlyExpired,
            "instances have expired and are not bought again: where spec.renewal buys successors, the next one has the whole quantity; else create another pack for what is missing",
        ),
        () if delivery_pending(view) => (Reason::AwaitingDelivery, "paid; the rest is not delivered yet"),
        () => {
            (Reason::PartiallyDelivered, "paid, not delivered in full, and never bought again: ask the cloud's support")
        }
    };
    verdict(READY, Some(false), reason, format!("{usable} of {wanted} concurrencies are usable: {why}"))
}
