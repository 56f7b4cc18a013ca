//! The decision about an order: evidence first, then the rules, then at most one effect.

use carpack_api::common::Time;
use carpack_api::order::{LineState, LineStatus};
use carpack_api::{ORDER_FINALIZER, PackOrderStatus};
use jiff::{SignedDuration, Timestamp};

use super::chains::chain_of;
use super::doubt::{exhausted, may_repeat, quarantine_end};
use super::evidence;
use super::input::{Decision, Effect, Input};
use super::intent::{note, with_lines};
use super::report::report;
use super::retention::{is_handed_over, prune};
use crate::facts::ledger::{is_in_doubt, is_settled};
use crate::rules::case::{check_all, check_in_turn, decisive};
use crate::rules::obstacle::{Obstacle, Outlook};
use crate::time::{plus, whole_up};

/// After a status was written, the effect follows as soon as the record is seen.
const AFTER_A_WRITE: SignedDuration = SignedDuration::from_secs(1);
/// How often an order with unsettled lines is reconciled at least.
const WHILE_UNSETTLED: SignedDuration = SignedDuration::from_secs(30);
/// How often the cloud's books are read for what a line has cost, at most.
const BETWEEN_READS_OF_DEALS: SignedDuration = SignedDuration::from_secs(15);
/// The longer a cost is missing, the later the books are read again: after this part of the time that has passed.
const PART_OF_AGE: i32 = 4;
/// How much further the books are read than the calls in question: the cloud's clock may differ by minutes, and its zone by as much
/// as zones can differ. The span is asked for without a zone, and outside of it an absence would prove nothing.
const DEALS_AROUND: SignedDuration = SignedDuration::from_mins(26 * 60 + 15);

/// What the rules say of each line that could be sent, by its index.
struct Verdicts(Vec<(i32, Result<(), Obstacle>)>);

impl Verdicts {
    /// True when the rules let this line be sent now.
    fn allow(&self, index: i32) -> bool {
        self.0.iter().any(|(of, verdict)| *of == index && verdict.is_ok())
    }
}

/// Decides about an order. Pure and total.
///
/// *Guarantees*: [`Effect::Submit`] only when the order is approved as the ladder demands, priced, within `maxPrice`, before its
/// deadline, still wanted, and the observation is newer than the order and shows what the line renews from. Never while an order
/// of the pack has an unknown outcome, except once more with the same token while the cloud is known to honour it.
pub fn decide(input: &Input<'_>) -> Decision {
    let order = input.order;
    let finalized = order.metadata.finalizers.iter().flatten().any(|f| f == ORDER_FINALIZER);
    let deleting = order.metadata.deletion_timestamp.is_some();
    let mut status = with_lines(order);
    evidence::apply(input, &mut status);
    let verdicts = judge_lines(input, &mut status, deleting);
    let obstacle = close_lines(input, &mut status, &verdicts);
    let settled = status.lines.iter().all(is_settled);
    let events = report(input, &mut status, obstacle.as_ref());
    let changed = Some(&status) != order.status.as_ref();

    let effect = if !finalized && !deleting {
        Some(Effect::AddFinalizer)
    } else if deleting && settled && is_handed_over(input, &status.lines) {
        finalized.then_some(Effect::RemoveFinalizer)
    } else if changed {
        // Record first; the effect follows when the record stands.
        None
    } else {
        next_effect(input, &status, &verdicts, obstacle.is_none() && !deleting)
    };
    let needs_sweep = obstacle.is_some_and(|obstacle| obstacle.outlook == Outlook::NeedsSweep);
    let awaits_evidence = |line: &LineStatus| matches!(line.state, LineState::Unknown | LineState::Committed);
    let wants_sweep = !settled && (needs_sweep || status.lines.iter().any(awaits_evidence));
    let wake_at = wake_at(input, &status, changed);
    Decision { effect, status, events, wake_at, wants_sweep }
}

/// Asks the rules about every line that has not been sent, or that may be sent again.
fn judge_lines(input: &Input<'_>, status: &mut PackOrderStatus, deleting: bool) -> Verdicts {
    let is_judged = |line: &LineStatus| line.state == LineState::Pending || may_repeat(input, line);
    if !status.lines.iter().any(is_judged) {
        return Verdicts(Vec::new());
    }
    let (case, chain) = (input.case(), chain_of(&input.order.spec));
    let of_order = check_all(&case, chain.order);
    if status.lines.iter().any(|line| line.state == LineState::Pending) {
        status.cleared_time = match &of_order {
            Err(obstacle) if !obstacle.is_final() => None,
            _ => status.cleared_time.take().or_else(|| Some(whole_up(input.now))),
        };
    }
    let cleared = status.cleared_time.as_ref().map(|time| time.0);
    let verdicts = status.lines.iter().filter(|line| is_judged(line)).filter_map(|line| {
        let spec = input.order.spec.lines.iter().find(|spec| spec.index == line.index)?;
        if deleting {
            return Some((line.index, Err(Obstacle::void("the order was deleted before it was sent"))));
        }
        let of_line = check_in_turn(&case.of_line(spec, input.sweep_after(line, cleared)), chain.line);
        Some((line.index, decisive([of_order.clone(), of_line].into_iter())))
    });
    Verdicts(verdicts.collect())
}

/// Closes the unsent lines that will never be sent, and says what the first of the others waits for; none when one may be sent.
fn close_lines(input: &Input<'_>, status: &mut PackOrderStatus, verdicts: &Verdicts) -> Option<Obstacle> {
    let mut waits = Vec::new();
    let mut notes = Vec::new();
    for (index, verdict) in &verdicts.0 {
        let unsent = |line: &&mut LineStatus| line.index == *index && line.state == LineState::Pending;
        let Some(line) = status.lines.iter_mut().find(unsent) else { continue };
        let Err(obstacle) = verdict else {
            waits.push(None);
            continue;
        };
        let message = &obstacle.message;
        match obstacle.outlook {
            Outlook::Rejected => {
                line.state = LineState::Rejected;
                line.category = Some(obstacle.reason);
                notes.push(format!("line {index}: over, nothing was spent: {message}"));
                line.message = Some(message.clone());
            }
            Outlook::Void => {
                line.state = LineState::Void;
                notes.push(format!("line {index}: void: {message}"));
                line.message = Some(message.clone());
            }
            Outlook::MayPass | Outlook::NeedsSweep => waits.push(Some(obstacle)),
        }
    }
    for text in notes {
        note(status, input.now, text);
    }
    if waits.contains(&None) { None } else { waits.into_iter().flatten().next().cloned() }
}

fn next_effect(input: &Input<'_>, status: &PackOrderStatus, verdicts: &Verdicts, may_send: bool) -> Option<Effect> {
    let in_doubt = status.lines.iter().any(is_in_doubt);
    let due = |line: &&LineStatus| match line.state {
        LineState::Pending => !in_doubt && line.retry_time.as_ref().is_none_or(|t| input.now >= t.0),
        _ => may_repeat(input, line),
    };
    let allowed = |line: &&LineStatus| may_send && verdicts.allow(line.index);
    if let Some(line) = status.lines.iter().filter(due).find(allowed) {
        return Some(Effect::Submit { index: line.index });
    }
    // After what is due: books that cannot be read delay no renewal.
    if let Some(since) = needs_deals(input, status) {
        let around = |at, sign: i32| plus(at, DEALS_AROUND.saturating_mul(sign));
        return Some(Effect::ReadDeals { since: around(since, -1), until: around(input.now, 1) });
    }
    prune(input, status)
}

/// From when on the cloud's deals are wanted: once the quarantine of an unknown line is over, and to see what was delivered and what
/// it has cost.
fn needs_deals(input: &Input<'_>, status: &PackOrderStatus) -> Option<Timestamp> {
    let wanted = |line: &&LineStatus| {
        let Some(submitted) = line.submit_time.as_ref().map(|t| t.0) else { return false };
        let seen = input.deals.map(|deals| deals.started);
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

/// True while the cost of a line is missing. However late it is, the books are read once more after the grace.
fn is_cost_wanted(input: &Input<'_>, line: &LineStatus) -> bool {
    let Some(submitted) = line.submit_time.as_ref() else { return false };
    let in_time = plus(submitted.0, input.timing.delivery_grace);
    line.state == LineState::Done
        && line.paid.is_none()
        && line.last_look_time.as_ref().is_none_or(|last| last.0 < in_time)
}

fn wake_at(input: &Input<'_>, status: &PackOrderStatus, changed: bool) -> Option<Timestamp> {
    let soon = plus(input.now, AFTER_A_WRITE);
    if changed {
        return Some(soon);
    }
    let mut moments: Vec<Timestamp> = Vec::new();
    for line in status.lines.iter().filter(|line| !is_settled(line)) {
        moments.extend(line.retry_time.as_ref().map(|Time(t)| *t));
        moments.extend(line.submit_time.as_ref().map(|t| quarantine_end(input, t.0)));
        moments.extend(line.submit_time.as_ref().map(|t| plus(t.0, input.timing.delivery_grace)));
        moments.push(plus(input.now, WHILE_UNSETTLED));
        moments.extend(input.order.spec.deadline.as_ref().map(|Time(t)| *t));
    }
    // The books may lag behind: the longer a cost is missing, the later they are read again.
    for line in status.lines.iter().filter(|line| is_cost_wanted(input, line)) {
        let age = line.submit_time.as_ref().map(|t| input.now.duration_since(t.0)).unwrap_or_default();
        let wait = age.checked_div(PART_OF_AGE).unwrap_or_default().max(BETWEEN_READS_OF_DEALS);
        moments.push(plus(input.now, wait));
    }
    moments.into_iter().filter(|moment| *moment > input.now).min().map(|moment| moment.max(soon))
}
