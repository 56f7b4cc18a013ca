//! The decision about an order: evidence first, then the gate, then at most one effect.

use carpack_api::common::Time;
use carpack_api::order::{LineState, LineStatus};
use carpack_api::{ORDER_FINALIZER, PackOrderStatus};
use jiff::{SignedDuration, Timestamp};

use super::approval::covers_later_renewals;
use super::evidence::{self, exhausted, may_repeat, quarantine_end};
use super::gate::{Gate, gate, hold};
use super::lines::{is_paid, is_settled, last_call, note, with_lines};
use super::report::report;
use super::{Decision, Effect, Input};
use crate::pack::owns_instance;
use crate::time::{plus, whole_up};

/// Decides about an order. Pure and total.
///
/// *Guarantees*: [`Effect::Submit`] only when the order is approved as the ladder demands, priced, within maxPrice, before
/// its deadline, still wanted, and the sweep in hand is newer than the order and shows what the line renews from; never
/// while any order of the pack has an unknown outcome, but once more with the same token while the cloud is known to honour it.
pub fn decide(input: &Input<'_>) -> Decision {
    let order = input.order;
    let finalized = order.metadata.finalizers.iter().flatten().any(|f| f == ORDER_FINALIZER);
    let deleting = order.metadata.deletion_timestamp.is_some();
    let mut status = with_lines(order);
    evidence::apply(input, &mut status);
    let gate = close_gate(input, &mut status, deleting);
    let settled = status.lines.iter().all(is_settled);
    let events = report(input, &mut status, &gate);
    let changed = Some(&status) != order.status.as_ref();

    let effect = if !finalized && !deleting {
        Some(Effect::AddFinalizer)
    } else if deleting && settled && is_handed_over(input, &status.lines) {
        finalized.then_some(Effect::RemoveFinalizer)
    } else if changed {
        // Record first; the effect follows when the record stands.
        None
    } else {
        next_effect(input, &status, &gate)
    };
    let wants_sweep = !settled
        && (matches!(gate, Gate::Wait { wants_sweep: true, .. })
            || status.lines.iter().any(|line| matches!(line.state, LineState::Unknown | LineState::Committed)));
    let wake_at = wake_at(input, &status, changed);
    Decision { effect, status, events, wake_at, wants_sweep }
}

/// Examines every unsent line: those that are over are closed, and the first that is left tells what it waits for.
fn close_gate(input: &Input<'_>, status: &mut PackOrderStatus, deleting: bool) -> Gate {
    let hold = hold(input);
    if status.lines.iter().any(|line| line.state == LineState::Pending) {
        status.cleared_time = match hold {
            Gate::Wait { .. } => None,
            _ => status.cleared_time.take().or_else(|| Some(whole_up(input.now))),
        };
    }
    let cleared = status.cleared_time.as_ref().map(|t| t.0);
    let mut first = None;
    let mut notes = Vec::new();
    for line in status.lines.iter_mut().filter(|line| line.state == LineState::Pending) {
        let Some(spec) = input.order.spec.lines.iter().find(|spec| spec.index == line.index) else { continue };
        let gate = if deleting {
            Gate::Void("the order was deleted before it was sent".to_owned())
        } else {
            gate(input, &hold, cleared, spec, line)
        };
        match gate {
            Gate::Reject(reason, message) => {
                line.state = LineState::Rejected;
                line.category = Some(reason);
                notes.push(format!("line {}: over, nothing was spent: {message}", line.index));
                line.message = Some(message);
            }
            Gate::Void(message) => {
                line.state = LineState::Void;
                notes.push(format!("line {}: void: {message}", line.index));
                line.message = Some(message);
            }
            gate @ Gate::Open => first = Some(gate),
            gate @ Gate::Wait { .. } => {
                first.get_or_insert(gate);
            }
        }
    }
    for text in notes {
        note(status, input.now, text);
    }
    first.unwrap_or(Gate::Open)
}

fn next_effect(input: &Input<'_>, status: &PackOrderStatus, gate: &Gate) -> Option<Effect> {
    let in_doubt = status.lines.iter().any(|line| matches!(line.state, LineState::Unknown | LineState::Submitting));
    let due = |line: &&LineStatus| match line.state {
        LineState::Pending => !in_doubt && line.retry_time.as_ref().is_none_or(|t| input.now >= t.0),
        _ => may_repeat(input, line),
    };
    if *gate == Gate::Open && input.order.metadata.deletion_timestamp.is_none() {
        let (hold, cleared) = (hold(input), status.cleared_time.as_ref().map(|t| t.0));
        let open = |line: &&LineStatus| {
            let spec = input.order.spec.lines.iter().find(|spec| spec.index == line.index);
            spec.is_some_and(|spec| self::gate(input, &hold, cleared, spec, line) == Gate::Open)
        };
        if let Some(line) = status.lines.iter().filter(due).find(open) {
            return Some(Effect::Submit { index: line.index });
        }
    }
    // After what is due: books that cannot be read delay no renewal.
    if let Some(since) = needs_deals(input, status) {
        let around = |at, sign: i32| plus(at, DEALS_AROUND.saturating_mul(sign));
        return Some(Effect::LookAtDeals { since: around(since, -1), until: around(input.now, 1) });
    }
    prune(input, status)
}

/// True when nothing would be lost with the order: its pack has on record what the order bought for it, or never will.
pub(super) fn is_handed_over(input: &Input<'_>, lines: &[LineStatus]) -> bool {
    let Some(pack) = input.pack.filter(|pack| pack.metadata.deletion_timestamp.is_none()) else { return true };
    let mut bought = lines.iter().filter(|line| is_paid(line)).flat_map(|line| &line.instance_ids);
    bought.all(|id| {
        let stands = match input.observation {
            Some(observation) => observation.instances.get(id).is_some_and(|i| i.is_live(input.now)),
            None => input.account.is_some(),
        };
        owns_instance(pack, id) || !stands
    })
}

/// How much further the books are read than the calls in question: the cloud's clock may be another one by minutes, and its zone
/// by as much as zones can differ. The span is asked for without one, and outside it an absence would prove nothing.
const DEALS_AROUND: SignedDuration = SignedDuration::from_mins(26 * 60 + 15);

/// Since when the books are wanted. They are once the quarantine of an unknown line is over, and to see what was delivered and what it cost.
fn needs_deals(input: &Input<'_>, status: &PackOrderStatus) -> Option<Timestamp> {
    let wanted = |line: &&LineStatus| {
        let Some(submitted) = line.submit_time.as_ref().map(|t| t.0) else { return false };
        let seen = input.deals.map(|look| look.started);
        match line.state {
            LineState::Unknown => {
                let after = line.last_look_time.as_ref().map_or(quarantine_end(input, submitted), |t| t.0);
                let swept = input.observation.is_some_and(|o| o.started > after);
                swept && seen.is_none_or(|seen| seen <= after) && !exhausted(input, line)
            }
            LineState::Committed => seen.is_none(),
            LineState::Done => seen.is_none() && is_cost_wanted(input, line),
            _ => false,
        }
    };
    let first_call = |line: &LineStatus| line.in_doubt_since.as_ref().or(line.submit_time.as_ref()).map(|t| t.0);
    status.lines.iter().filter(wanted).filter_map(first_call).min()
}

/// What a line cost belongs on the record. However late it is, one look after the grace is made.
fn is_cost_wanted(input: &Input<'_>, line: &LineStatus) -> bool {
    let Some(submitted) = line.submit_time.as_ref() else { return false };
    let in_time = plus(submitted.0, input.timing.delivery_grace);
    line.state == LineState::Done
        && line.paid.is_none()
        && line.last_look_time.as_ref().is_none_or(|last| last.0 < in_time)
}

/// Old settled orders go, never the newest of their action, nor one whose approval later renewals rest on.
fn prune(input: &Input<'_>, status: &PackOrderStatus) -> Option<Effect> {
    let spec = &input.order.spec;
    let settled = status.lines.iter().all(is_settled);
    // What was paid long after it was decided counts against limits from then on.
    let last = last_call(&status.lines).map_or(spec.decision_time.0, |sent| sent.max(spec.decision_time.0));
    let old = input.now.duration_since(last) > input.timing.order_retention;
    let newest = !input.siblings.iter().any(|o| o.spec.action == spec.action && o.spec.ordinal > spec.ordinal);
    let leaving = input.order.metadata.deletion_timestamp.is_some();
    let needed = input.pack.is_some() && covers_later_renewals(spec, input.now);
    (settled && old && !newest && !leaving && !needed).then_some(Effect::Prune)
}

fn wake_at(input: &Input<'_>, status: &PackOrderStatus, changed: bool) -> Option<Timestamp> {
    let soon = plus(input.now, SignedDuration::from_secs(1));
    if changed {
        return Some(soon);
    }
    let mut moments: Vec<Timestamp> = Vec::new();
    for line in status.lines.iter().filter(|line| !is_settled(line)) {
        moments.extend(line.retry_time.as_ref().map(|Time(t)| *t));
        moments.extend(line.submit_time.as_ref().map(|t| quarantine_end(input, t.0)));
        moments.extend(line.submit_time.as_ref().map(|t| plus(t.0, input.timing.delivery_grace)));
        moments.push(plus(input.now, SignedDuration::from_secs(30)));
        moments.extend(input.order.spec.deadline.as_ref().map(|Time(t)| *t));
    }
    // The books may lag behind: they are asked again the later, the longer it has been.
    for line in status.lines.iter().filter(|line| is_cost_wanted(input, line)) {
        let age = line.submit_time.as_ref().map(|t| input.now.duration_since(t.0)).unwrap_or_default();
        let wait = age.checked_div(4).unwrap_or_default().max(SignedDuration::from_secs(15));
        moments.push(plus(input.now, wait));
    }
    moments.into_iter().filter(|moment| *moment > input.now).min().map(|moment| moment.max(soon))
}
