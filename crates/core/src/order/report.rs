//! What an order's status says.

use carpack_api::order::{Decision as ApprovalDecision, LineState, LineStatus, OrderAction, OrderState};
use carpack_api::{PackOrderStatus, Reason};

use super::doubt::{SaidByHand, asks_a_person, said_by_hand, settle_annotation};
use super::input::Input;
use super::intent::{join_ids, taken_in_words};
use super::retention::is_handed_over;
use crate::Event;
use crate::condition::{
    AMBIGUOUS, APPROVED, FAILED, FULFILLED, PAID_AS_QUOTED, SUBMITTED, Verdict, events, merge, verdict,
};
use crate::facts::ledger::{ABOUT_TO_BE_SENT, is_paid, is_settled, is_unpaid, name_of};
use crate::rules::obstacle::Obstacle;
use crate::rules::price::paid_above_quote;

/// Writes state, message and conditions; returns the events of what has changed.
pub(super) fn report(input: &Input<'_>, status: &mut PackOrderStatus, obstacle: Option<&Obstacle>) -> Vec<Event> {
    let (state, reason, message) = summary(input, status, obstacle);
    let lines = &status.lines;
    let sent = lines.iter().any(|line| line.attempts > 0);
    let paid = lines.iter().filter(|line| is_paid(line)).count();
    let mut verdicts: Vec<Verdict> = approved(input, state, sent, &message).into_iter().collect();
    let submitted = format!("{paid} of {} lines {}", lines.len(), taken_in_words(input.order.spec.action));
    verdicts.push(verdict(SUBMITTED, Some(sent), if sent { Reason::Sent } else { Reason::NotSent }, submitted));
    verdicts.push(verdict(FULFILLED, Some(state == OrderState::Fulfilled), reason, message.clone()));
    if state == OrderState::Failed {
        verdicts.push(verdict(FAILED, Some(true), reason, message.clone()));
    }
    if state == OrderState::Ambiguous {
        verdicts.push(verdict(AMBIGUOUS, Some(true), reason, message.clone()));
    }
    if let Some(words) = paid_above_quote(&input.order.spec, status) {
        let message = format!(
            "{words}: correct the account's priceList, or ask the cloud; approvals given so far do not cover later renewals any more"
        );
        verdicts.push(verdict(PAID_AS_QUOTED, Some(false), Reason::PaidAboveQuote, message));
    }
    let generation = input.order.metadata.generation;
    let over = matches!(state, OrderState::Fulfilled | OrderState::Failed);
    let quiet: &[&str] = if over { &[APPROVED, SUBMITTED, FAILED] } else { &[APPROVED, SUBMITTED] };
    let said = events(&status.conditions, &verdicts, quiet);
    status.conditions = merge(&status.conditions, &verdicts, generation, input.now);
    status.observed_generation = generation;
    status.state = Some(state);
    status.message = Some(message);
    said
}

/// Who has allowed the order; none while nobody is asked.
fn approved(input: &Input<'_>, state: OrderState, sent: bool, message: &str) -> Option<Verdict> {
    let decision = input.order.spec.approval.as_ref().map(|approval| approval.decision);
    let (status, reason, message) = match decision {
        Some(ApprovalDecision::Approved) => (true, Reason::ApprovedByPerson, "approved by a person"),
        Some(ApprovalDecision::Denied) => (false, Reason::Denied, "denied by a person"),
        None if state == OrderState::AwaitingApproval => (false, Reason::AwaitingApproval, message),
        None if sent => (true, Reason::AllowedByMode, "allowed by the mode or by an earlier approval"),
        None => return None,
    };
    Some(verdict(APPROVED, Some(status), reason, message))
}

fn summary(input: &Input<'_>, status: &PackOrderStatus, obstacle: Option<&Obstacle>) -> (OrderState, Reason, String) {
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
        let (reason, message) = taken(input, line);
        return (OrderState::InProgress, reason, message);
    }
    // That the observation is not new enough passes within moments: it is not worth a write of its own.
    if let Some(Obstacle { reason, message, .. }) = obstacle.filter(|o| o.reason != Reason::AwaitingObservation) {
        let awaits_approval = *reason == Reason::AwaitingApproval;
        let state = if awaits_approval { OrderState::AwaitingApproval } else { OrderState::Pending };
        return (state, *reason, message.clone());
    }
    let refused = lines.iter().filter(|line| line.state == LineState::Pending).find(|line| line.message.is_some());
    match refused {
        Some(line) => {
            let detail = line.message.as_deref().unwrap_or_default();
            let message = format!("refused, nothing was spent; tried again with growing intervals: {detail}");
            (OrderState::Pending, line.category.unwrap_or(Reason::Rejected), message)
        }
        None => (OrderState::Pending, Reason::Pending, ABOUT_TO_BE_SENT.to_owned()),
    }
}

/// What is said of a call that the cloud took, and whose effect is not seen yet.
fn taken(input: &Input<'_>, line: &LineStatus) -> (Reason, String) {
    let orders = join_ids(&line.order_ids);
    let is_return = input.order.spec.action == OrderAction::Return;
    if !asks_a_person(input, line) {
        let message = if is_return {
            format!("taken (order {orders}); waits until the cloud no longer lists the instance")
        } else {
            format!("paid (order {orders}); waits until the cloud shows the delivery")
        };
        return (Reason::AwaitingDelivery, message);
    }
    let words = line.message.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
    let settling = settling(input, line);
    let message = if is_return {
        format!(
            "the cloud took the return (order {orders}){words} and still lists the instance: ask its support; when it stays, run: {settling}, or =Executed when it was refunded"
        )
    } else {
        format!(
            "paid and not delivered: nothing is bought again; ask the cloud's support about order {orders}{words}; once it is refunded, run: {settling}, or =Executed to let it be"
        )
    };
    (Reason::PaidNotDelivered, message)
}

/// The command by which a person says that nothing came of a call; when the last one was not understood, that too.
fn settling(input: &Input<'_>, line: &LineStatus) -> String {
    let name = name_of(input.order);
    let namespace = input.order.metadata.namespace.as_deref().unwrap_or_default();
    let (again, heard) = match said_by_hand(input, line) {
        Some(SaidByHand::NotUnderstood(word)) => (" --overwrite", format!(" ({word:?} is not understood)")),
        Some(SaidByHand::NotExecuted | SaidByHand::Executed) | None => ("", String::new()),
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
            format!("{}: {done} of {} lines done{rest}", input.order.spec.action, lines.len()),
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
