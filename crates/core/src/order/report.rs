//! What an order's status says.

use carpack_api::order::{LineState, LineStatus, OrderAction, OrderState};
use carpack_api::{PackOrder, PackOrderStatus, Reason};

use super::Input;
use super::decide::is_handed_over;
use super::evidence::{asks_a_person, said_by_hand};
use super::gate::Gate;
use super::lines::{is_paid, is_settled, is_unpaid, list, taken};
use super::settle_annotation;
use crate::Event;
use crate::condition::{Verdict, events, merge, verdict};

/// What an order says before its first call.
pub(crate) const ABOUT_TO_BE_SENT: &str = "about to be sent, after a look at the cloud that is newer than the order";

/// Writes state, message and conditions; returns the events of what has changed.
pub(super) fn report(input: &Input<'_>, status: &mut PackOrderStatus, gate: &Gate) -> Vec<Event> {
    let (state, reason, message) = summary(input, status, gate);
    let lines = &status.lines;
    let over = matches!(state, OrderState::Fulfilled | OrderState::Failed);
    let approved = input.order.spec.approval.as_ref().map(|a| a.decision == carpack_api::order::Decision::Approved);
    let sent = lines.iter().any(|line| line.attempts > 0);
    let paid = lines.iter().filter(|line| is_paid(line)).count();
    let mut verdicts: Vec<Verdict> = Vec::new();
    match (approved, state) {
        (Some(true), _) => {
            verdicts.push(verdict("Approved", Some(true), Reason::ApprovedByPerson, "approved by a person"))
        }
        (Some(false), _) => verdicts.push(verdict("Approved", Some(false), Reason::Denied, "denied by a person")),
        (None, OrderState::AwaitingApproval) => {
            verdicts.push(verdict("Approved", Some(false), Reason::AwaitingApproval, message.clone()))
        }
        (None, _) if sent => verdicts.push(verdict(
            "Approved",
            Some(true),
            Reason::AllowedByMode,
            "allowed by the mode or by an earlier approval",
        )),
        (None, _) => {}
    }
    let submitted = format!("{paid} of {} lines {}", lines.len(), taken(input.order.spec.action));
    verdicts.push(verdict("Submitted", Some(sent), if sent { Reason::Sent } else { Reason::NotSent }, submitted));
    let fulfilled = verdict("Fulfilled", Some(state == OrderState::Fulfilled), reason, message.clone());
    verdicts.push(fulfilled);
    if state == OrderState::Failed {
        verdicts.push(verdict("Failed", Some(true), reason, message.clone()));
    }
    if state == OrderState::Ambiguous {
        verdicts.push(verdict("Ambiguous", Some(true), reason, message.clone()));
    }
    let generation = input.order.metadata.generation;
    let said = events(
        &status.conditions,
        &verdicts,
        if over { &["Approved", "Submitted", "Failed"] } else { &["Approved", "Submitted"] },
    );
    status.conditions = merge(&status.conditions, &verdicts, generation, input.now);
    status.observed_generation = generation;
    status.state = Some(state);
    status.message = Some(message);
    said
}

fn summary(input: &Input<'_>, status: &PackOrderStatus, gate: &Gate) -> (OrderState, Reason, String) {
    let lines = &status.lines;
    let any = |state: LineState| lines.iter().find(|line| line.state == state);
    if let Some(line) = any(LineState::Unknown).or(any(LineState::Submitting)) {
        return (OrderState::Ambiguous, Reason::OutcomeUnknown, ambiguous(input, line));
    }
    if lines.iter().all(is_settled) {
        let (state, reason, message) = over(input, lines);
        let held = input.order.metadata.deletion_timestamp.is_some() && !is_handed_over(input, lines);
        let waits = if held { "; it is deleted once its pack has on record what it bought" } else { "" };
        return (state, reason, message + waits);
    }
    if let Some(line) = lines.iter().find(|line| is_unpaid(line)) {
        let message = line.message.clone().unwrap_or_default();
        let way_out = asks_a_person(input, line)
            .then(|| format!(": look into the console, then run: {}, or =Executed", settling(input, line)));
        return (OrderState::InProgress, Reason::Unpaid, message + &way_out.unwrap_or_default());
    }
    if let Some(line) = any(LineState::Committed) {
        let orders = list(&line.order_ids);
        return if asks_a_person(input, line) {
            let words = line.message.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
            let settling = settling(input, line);
            let message = match input.order.spec.action {
                OrderAction::Return => format!(
                    "the cloud took the return (order {orders}){words} and still lists the instance: ask its support; when it stays, run: {settling}, or =Executed when it was refunded"
                ),
                OrderAction::Buy | OrderAction::Renew => format!(
                    "paid and not delivered: nothing is bought again; ask the cloud's support about order {orders}{words}; once it is refunded, run: {settling}, or =Executed to let it be"
                ),
            };
            (OrderState::InProgress, Reason::PaidNotDelivered, message)
        } else {
            let message = match input.order.spec.action {
                OrderAction::Return => {
                    format!("taken (order {orders}); waits until the cloud no longer lists the instance")
                }
                OrderAction::Buy | OrderAction::Renew => {
                    format!("paid (order {orders}); waits until the cloud shows the delivery")
                }
            };
            (OrderState::InProgress, Reason::AwaitingDelivery, message)
        };
    }
    // That a look is not new enough passes within moments: it is not worth a write of its own.
    if let Gate::Wait { reason, message, .. } = gate
        && *reason != Reason::AwaitingObservation
    {
        let state =
            if *reason == Reason::AwaitingApproval { OrderState::AwaitingApproval } else { OrderState::Pending };
        return (state, *reason, message.clone());
    }
    let refused = lines.iter().filter(|line| line.state == LineState::Pending).find(|line| line.message.is_some());
    match refused {
        Some(line) => {
            let reason = line.category.unwrap_or(Reason::Rejected);
            let detail = line.message.as_deref().unwrap_or_default();
            (
                OrderState::Pending,
                reason,
                format!("refused, nothing was spent; tried again with growing intervals: {detail}"),
            )
        }
        None => (OrderState::Pending, Reason::Pending, ABOUT_TO_BE_SENT.to_owned()),
    }
}

/// The command by which a person says that nothing came of a call; when the last one was not understood, that too.
fn settling(input: &Input<'_>, line: &LineStatus) -> String {
    let name = input.order.metadata.name.as_deref().unwrap_or_default();
    let namespace = input.order.metadata.namespace.as_deref().unwrap_or_default();
    let (again, heard) = match said_by_hand(input, line).filter(|word| !["NotExecuted", "Executed"].contains(word)) {
        Some(word) => (" --overwrite", format!(" ({word:?} is not understood)")),
        None => ("", String::new()),
    };
    let key = settle_annotation(line);
    format!("kubectl annotate packorder {name} -n {namespace}{again} {key}=NotExecuted{heard}")
}

fn ambiguous(input: &Input<'_>, line: &LineStatus) -> String {
    let cause = line.message.as_deref().unwrap_or("no answer");
    if asks_a_person(input, line) {
        return format!(
            "the outcome of line {} stays unknown after {} attempts ({cause}); look it up in the console, then run: {}, or =Executed",
            line.index,
            line.attempts,
            settling(input, line)
        );
    }
    format!(
        "the outcome of line {} is unknown ({cause}); nothing is spent on this pack until the cloud shows what became of it",
        line.index
    )
}

fn over(input: &Input<'_>, lines: &[LineStatus]) -> (OrderState, Reason, String) {
    let done = lines.iter().filter(|line| line.state == LineState::Done).count();
    let rejected = lines.iter().find(|line| line.state == LineState::Rejected);
    let void = lines.iter().find(|line| line.state == LineState::Void);
    let partial = lines.iter().find(|line| line.category == Some(Reason::PartiallyDelivered));
    if let Some(line) = partial {
        return (OrderState::Fulfilled, Reason::PartiallyDelivered, line.message.clone().unwrap_or_default());
    }
    if done > 0 {
        let rest =
            rejected.and_then(|line| line.message.as_deref()).map(|m| format!("; refused: {m}")).unwrap_or_default();
        let reason = if rejected.is_some() { Reason::FulfilledInPart } else { Reason::Fulfilled };
        return (
            OrderState::Fulfilled,
            reason,
            format!("{:?}: {done} of {} lines done{rest}", input.order.spec.action, lines.len()),
        );
    }
    match (rejected, void) {
        (Some(line), _) => {
            let reason = line.category.unwrap_or(Reason::Rejected);
            (OrderState::Failed, reason, format!("nothing was spent: {}", line.message.as_deref().unwrap_or("refused")))
        }
        (None, line) => {
            let message = line.and_then(|line| line.message.as_deref()).unwrap_or("no longer wanted");
            (OrderState::Failed, Reason::Void, format!("nothing was spent: {message}"))
        }
    }
}

/// What an order waits for or has come to, as one of a closed set of reasons.
pub(crate) fn reason_of(order: &PackOrder) -> Reason {
    let conditions = order.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    match conditions.iter().find(|c| c.type_ == "Fulfilled") {
        Some(condition) => Reason::parse(&condition.reason).unwrap_or(Reason::Rejected),
        None => Reason::Pending,
    }
}
