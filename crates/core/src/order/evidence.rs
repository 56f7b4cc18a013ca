//! Evidence: what the cloud shows of calls that were made. It settles lines, one by one.
//!
//! A renewal is proven by the expiry of its instance. A purchase is proven by the name frozen in the order, by the ids, and by the
//! deals since the intent. An absence counts only in complete sweeps that began after the quarantine, and only after two of them.

use carpack_api::order::{LineState, LineStatus, OrderAction, OrderLine};
use carpack_api::{PackOrderStatus, Reason};
use jiff::Timestamp;

use super::books::{book, sum_up};
use super::delivery::{check_payment, deliver, named, renewed};
use super::doubt::{CLEAR_SWEEPS, SaidByHand, api, asks_a_person, may_be_sent_again, quarantine_end, said_by_hand};
use super::input::Input;
use super::intent::{doubt, join_ids, note};
use crate::facts::holdings::owns_instance;
use crate::facts::ledger::is_unpaid;
use crate::observation::{Deal, DealAction, DealState, Instance, Observation};
use crate::time::whole_up;
use crate::zone;

/// Settles every line that the evidence in hand settles, and notes what was seen.
pub(super) fn apply(input: &Input<'_>, status: &mut PackOrderStatus) {
    let mut notes = Vec::new();
    for line in &mut status.lines {
        let Some(spec) = input.order.spec.lines.iter().find(|spec| spec.index == line.index) else { continue };
        let said = [check_payment(input, spec, line), settle_line(input, spec, line), book(input, line)];
        notes.extend(said.into_iter().flatten().map(|text| format!("line {}: {text}", line.index)));
    }
    for text in notes {
        note(status, input.now, text);
    }
    sum_up(input, status);
    status.time_zone = input
        .deals
        .and_then(|deals| zone::observed(input.order.spec.action, &status.lines, deals))
        .map(zone::text)
        .or(status.time_zone.take());
}

fn settle_line(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus) -> Option<String> {
    match line.state {
        LineState::Submitting => {
            let why = "the operator stopped between writing the intent and recording the answer";
            doubt(line, Reason::Interrupted, why);
            Some(format!("outcome unknown: {why}"))
        }
        LineState::Unknown => settle_unknown(input, spec, line).or_else(|| settle_by_hand(input, line)),
        // Only the deals can show that it was paid after all.
        LineState::Committed if is_unpaid(line) => settle_by_hand(input, line),
        LineState::Committed => deliver(input, spec, line).or_else(|| settle_by_hand(input, line)),
        // The call was believed not executed, and may show after all.
        LineState::Pending if line.doubts > 0 => recognise(input, spec, line, line.submit_time.as_ref()?.0),
        LineState::Pending | LineState::Done | LineState::Rejected | LineState::Void => None,
    }
}

/// Settles a call that is proven to be executed by what it has left behind.
fn recognise(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus, submitted: Timestamp) -> Option<String> {
    line.instance_ids = trace(input, spec, submitted)?;
    line.state = LineState::Committed;
    line.in_doubt_since = None;
    line.retry_time = None;
    let seen = format!("found in the cloud: {}", join_ids(&line.instance_ids));
    let rest = deliver(input, spec, line);
    line.category = None;
    Some(rest.map_or_else(|| seen.clone(), |rest| format!("{seen}; {rest}")))
}

fn settle_unknown(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus) -> Option<String> {
    let submitted = line.submit_time.as_ref()?.0;
    if let Some(found) = recognise(input, spec, line, submitted) {
        return Some(found);
    }
    let earliest = line.last_look_time.as_ref().map_or(quarantine_end(input, submitted), |last| last.0);
    let (observation, deals) = (input.observation?, input.deals?);
    if is_proven_absent(input, line) {
        return Some(send_again(line));
    }
    if observation.started <= earliest || deals.started <= earliest || line.clear_looks >= CLEAR_SWEEPS {
        return None;
    }
    if deals.deals.iter().any(|deal| could_be_ours(input, spec, deal, observation)) {
        return None;
    }
    line.clear_looks = line.clear_looks.saturating_add(1);
    line.last_look_time = Some(whole_up(observation.started.max(deals.started)));
    if is_proven_absent(input, line) {
        return Some(send_again(line));
    }
    Some(format!("complete sweep {} of {CLEAR_SWEEPS} found no trace", line.clear_looks))
}

/// True when the call counts as not executed, and no person has to be asked instead.
fn is_proven_absent(input: &Input<'_>, line: &LineStatus) -> bool {
    line.clear_looks >= CLEAR_SWEEPS && may_be_sent_again(input, line)
}

fn send_again(line: &mut LineStatus) -> String {
    line.state = LineState::Pending;
    line.in_doubt_since = None;
    line.retry_time = None;
    line.category = None;
    line.message = None;
    "proven not executed: two complete sweeps after the quarantine found no trace".to_owned()
}

/// Settles a line by what a person said of it, once a person is asked.
fn settle_by_hand(input: &Input<'_>, line: &mut LineStatus) -> Option<String> {
    let (state, said) = match said_by_hand(input, line)? {
        SaidByHand::NotExecuted => (LineState::Rejected, "settled by hand: not executed"),
        SaidByHand::Executed => (LineState::Done, "settled by hand: executed"),
        SaidByHand::NotUnderstood(_) => return None,
    };
    if !asks_a_person(input, line) {
        return None;
    }
    line.state = state;
    line.category = Some(Reason::SettledByHand);
    line.message = Some(said.to_owned());
    Some(said.to_owned())
}

/// The instances that prove the call was executed.
fn trace(input: &Input<'_>, spec: &OrderLine, submitted: Timestamp) -> Option<Vec<String>> {
    let observation = input.observation.filter(|o| o.started > submitted)?;
    match input.order.spec.action {
        OrderAction::Buy => {
            let ids = named(input, observation);
            (!ids.is_empty()).then_some(ids)
        }
        OrderAction::Renew => renewed(spec, observation).then(|| spec.instance_id.clone().into_iter().collect()),
        OrderAction::Return => {
            let id = spec.instance_id.clone()?;
            let refunded =
                input.deals?.deals.iter().any(|d| d.action == DealAction::Refund && d.instance_ids.contains(&id));
            let gone = observation.instances.get(&id).is_none_or(|i| i.isolated);
            (refunded && gone).then(|| vec![id])
        }
    }
}

/// True for a deal that may be the work of the call in doubt: nothing else explains it.
fn could_be_ours(input: &Input<'_>, spec: &OrderLine, deal: &Deal, observation: &Observation) -> bool {
    if deal.state == DealState::WithoutEffect || input.has_on_record(deal) {
        return false;
    }
    match (input.order.spec.action, deal.action) {
        (OrderAction::Buy, DealAction::Purchase | DealAction::Other) => {
            // A purchase whose instances are another order's, or of other terms, is somebody else's. A name proves nothing here: a
            // person may have changed it, or the cloud may not have taken it over.
            let product = api(input).map(|api| api.product_code.as_str());
            let of_product = deal.product_code.is_none() || deal.product_code.as_deref() == product;
            let explained = !deal.instance_ids.is_empty()
                && deal.instance_ids.iter().all(|id| belongs_to_another(input, observation, id));
            of_product && !explained
        }
        (OrderAction::Renew, DealAction::Renew | DealAction::Other)
        | (OrderAction::Return, DealAction::Refund | DealAction::Other) => {
            deal.instance_ids.is_empty() || spec.instance_id.as_ref().is_some_and(|id| deal.instance_ids.contains(id))
        }
        _ => false,
    }
}

/// True when an instance belongs to another order (also to one that was deleted), or is not what this order buys.
fn belongs_to_another(input: &Input<'_>, observation: &Observation, id: &str) -> bool {
    let terms = &input.order.spec.terms;
    let other = |i: &Instance| !i.may_be_of(&terms.concurrency_scale, &terms.region);
    // What the pack has on record, it had before: an instance of a call in doubt is not recorded.
    let had = input.pack.is_some_and(|pack| owns_instance(pack, id));
    had || input.ids_of_others.contains(id) || observation.instances.get(id).is_some_and(other)
}
