//! Deletion of a pack. It never spends, and returns money only when the policy says so. An invalid spec, a missing account or an
//! unresolved order does not hold it for ever.

use carpack_api::order::OrderAction;
use carpack_api::pack::{DeletionPolicy, InstanceState, RenewFlag};
use carpack_api::{ConcurrencyPackStatus, Reason};
use jiff::SignedDuration;

use super::input::{Change, Decision, Effect, Input};
use super::orders::{self, Draft};
use super::view::View;
use crate::Event;
use crate::condition::{Verdict, events, merge, verdict};
use crate::facts::holdings::Claimed;
use crate::facts::ledger::{is_open, name_of, newest, was_sent};
use crate::observation::seen_off;
use crate::rules::ladder::mode_allows_action;
use crate::time::{plus, since};

const DELETING: &str = "Deleting";
/// How long a cloud that cannot be reached may hold a deletion.
const LONGEST_HOLD: SignedDuration = SignedDuration::from_hours(1);
/// How often a deletion that waits is reconciled.
const WHILE_WAITING: SignedDuration = SignedDuration::from_secs(5);
/// When a pack is let go after the order for its return was made.
const AFTER_THE_ORDER: SignedDuration = SignedDuration::from_secs(1);

pub(super) fn decide(input: &Input<'_>, finalized: bool) -> Decision {
    if !finalized {
        let status = input.pack.status.clone().unwrap_or_default();
        return Decision { effect: None, status, events: Vec::new(), wake_at: None, wants_sweep: false };
    }
    let view = View::new(*input);
    match input.pack.spec.deletion_policy {
        DeletionPolicy::Retain => release(input, Reason::Released, retained(&view)),
        DeletionPolicy::Lapse => lapse(&view),
        DeletionPolicy::Return => give_back(&view),
    }
}

fn retained(view: &View<'_>) -> String {
    match view.usable().count() {
        0 => "released: nothing is left in the cloud".to_owned(),
        count if view.usable().any(|c| c.flag() == RenewFlag::Auto) => {
            format!(
                "retained: {count} instances stay in the cloud, and the cloud goes on renewing them; the account reports them as unclaimed"
            )
        }
        count => format!("retained: {count} instances stay in the cloud; the account reports them as unclaimed"),
    }
}

fn lapse(view: &View<'_>) -> Decision {
    if let Some(waiting) = wait_for_purchase(view) {
        return waiting;
    }
    let input = &view.input;
    let region = &input.pack.spec.region;
    let on = view.usable().filter(|c| c.flag() == RenewFlag::Auto);
    let off = on.map(|c| Change::SetAutoRenew { id: c.id.clone(), region: region.clone(), on: false });
    let Some(change) = view.first_ready(off.collect()) else {
        let off = |c: &Claimed<'_>| seen_off(c.flag(), input.pack.spec.billing_mode);
        let alive = |c: &&Claimed<'_>| c.state != InstanceState::Expired;
        let alive: Vec<_> = view.claimed().iter().filter(alive).collect();
        if alive.is_empty() {
            return release(input, Reason::Released, retained(view));
        }
        if view.fresh && alive.into_iter().all(off) {
            return release(input, Reason::Lapsing, "the cloud's own renewal is off: the pack runs out".to_owned());
        }
        return wait_or_release(view, None, "waits for a sweep that shows the cloud's own renewal off");
    };
    wait_or_release(view, Some(change), "switches the cloud's own renewal off")
}

/// Waits until a purchase in flight is settled, so that what it buys is not left behind.
fn wait_for_purchase(view: &View<'_>) -> Option<Decision> {
    let order = orders::own(&view.input, OrderAction::Buy).find(|o| is_open(o) && was_sent(o))?;
    let name = name_of(order);
    Some(wait_or_release(view, None, &format!("waits until order {name}, which was sent, is settled")))
}

fn wait_or_release(view: &View<'_>, change: Option<Change>, doing: &str) -> Decision {
    let input = &view.input;
    let old = input.pack.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let began = old.iter().find(|c| c.type_ == DELETING).map_or(input.now, |c| c.last_transition_time.0);
    let hopeless = input.account.is_none() || is_held_by_mode(view) || since(input.now, began) > LONGEST_HOLD;
    if hopeless {
        let why = match input.account {
            None => "its account is missing",
            Some(_) if is_held_by_mode(view) => "the mode allows no change",
            Some(_) => "it could not be done within an hour",
        };
        let message = format!(
            "released before the policy could be carried out, because {why}: what it has bought stays, and may go on renewing itself; look into the console"
        );
        return release(input, Reason::ReleasedUnconfirmed, message);
    }
    let failure = change.as_ref().and_then(|change| view.failure(change));
    let message = failure.map_or_else(|| doing.to_owned(), |f| format!("{doing}: {}", f.message));
    let reason = match input.pack.spec.deletion_policy {
        DeletionPolicy::Return => Reason::Returning,
        DeletionPolicy::Lapse | DeletionPolicy::Retain => Reason::Lapsing,
    };
    let verdicts = [verdict(DELETING, Some(true), reason, message)];
    let may_act = view.fresh && change.as_ref().is_some_and(|change| !view.waits(change));
    Decision {
        effect: change.filter(|_| may_act).map(Effect::Change),
        status: status_with(input, &verdicts),
        events: events(old, &verdicts, &[]),
        wake_at: Some(plus(input.now, WHILE_WAITING)),
        wants_sweep: !view.fresh,
    }
}

/// Makes the order for the return, which outlives the pack. A person decides whether it is carried out.
fn give_back(view: &View<'_>) -> Decision {
    let input = &view.input;
    if let Some(order) = newest(orders::own(input, OrderAction::Return)) {
        let message = format!("released: PackOrder {} returns it once it is approved", name_of(order));
        return release(input, Reason::Returning, message);
    }
    if let Some(waiting) = wait_for_purchase(view) {
        return waiting;
    }
    let lines: Vec<_> = view
        .claimed()
        .iter()
        .filter(|c| c.state == InstanceState::Usable)
        .map(|c| (Some(c.id.clone()), c.expiration))
        .collect();
    if lines.is_empty() {
        return release(input, Reason::Released, "released: nothing is left to return".to_owned());
    }
    if is_held_by_mode(view) {
        return release(
            input,
            Reason::ReleasedUnconfirmed,
            "released without a return: the mode allows none".to_owned(),
        );
    }
    let quantity = view.usable_concurrencies();
    let deadline = view.usable().filter_map(|c| c.expiration).max();
    let draft = Draft {
        action: OrderAction::Return,
        quantity,
        duration: input.pack.spec.duration,
        quote: None,
        deadline,
        lines,
    };
    let verdicts = [verdict(DELETING, Some(true), Reason::Returning, "asks for the return by an order")];
    let old = input.pack.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    Decision {
        effect: Some(orders::create(input, draft)),
        status: status_with(input, &verdicts),
        events: events(old, &verdicts, &[]),
        wake_at: Some(plus(input.now, AFTER_THE_ORDER)),
        wants_sweep: false,
    }
}

fn is_held_by_mode(view: &View<'_>) -> bool {
    mode_allows_action(&view.case).is_err()
}

fn status_with(input: &Input<'_>, verdicts: &[Verdict]) -> ConcurrencyPackStatus {
    let mut status = input.pack.status.clone().unwrap_or_default();
    let merged = merge(&status.conditions, verdicts, input.pack.metadata.generation, input.now);
    status.conditions.retain(|c| c.type_ != DELETING);
    status.conditions.extend(merged);
    status.observed_generation = input.pack.metadata.generation;
    status
}

fn release(input: &Input<'_>, reason: Reason, message: String) -> Decision {
    let status = input.pack.status.clone().unwrap_or_default();
    let events = vec![Event { warning: reason.is_warning(), reason, message }];
    Decision { effect: Some(Effect::RemoveFinalizer), status, events, wake_at: None, wants_sweep: false }
}
