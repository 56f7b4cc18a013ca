//! Calls whose outcome is in doubt: how long evidence is waited for, and when a person is asked.

use carpack_api::Reason;
use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_api::purchase::{ApiChannel, UnansweredCalls};
use jiff::{SignedDuration, Timestamp};

use super::input::Input;
use crate::facts::ledger::is_unpaid;
use crate::time::plus;

/// Complete sweeps without a trace of a call that prove that it was not executed.
pub(super) const CLEAR_SWEEPS: i32 = 2;

/// Begins the annotations by which a person settles a call; see [`settle_annotation`].
const SETTLE_ANNOTATION: &str = "carpack.io/settle-line-";

/// The annotation by which a person settles a call whose outcome no evidence settles: `NotExecuted` or `Executed`. It names the line
/// and the attempt, so that it settles no other call.
pub fn settle_annotation(line: &LineStatus) -> String {
    format!("{SETTLE_ANNOTATION}{}-attempt-{}", line.index, line.attempts)
}

/// What a person said of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaidByHand<'a> {
    /// Nothing came of it.
    NotExecuted,
    /// It was carried out.
    Executed,
    /// A text that is neither.
    NotUnderstood(&'a str),
}

/// What a person said of the line, in its annotation.
pub(super) fn said_by_hand<'a>(input: &Input<'a>, line: &LineStatus) -> Option<SaidByHand<'a>> {
    let annotations = input.order.metadata.annotations.as_ref()?;
    Some(match annotations.get(&settle_annotation(line))?.as_str() {
        "NotExecuted" => SaidByHand::NotExecuted,
        "Executed" => SaidByHand::Executed,
        other => SaidByHand::NotUnderstood(other),
    })
}

/// True while the cloud is known to answer the line's token with the result of the call in doubt: sending the same again is safe.
/// It is done once only: after a second call without an answer, evidence is waited for.
pub(super) fn may_repeat(input: &Input<'_>, line: &LineStatus) -> bool {
    let api = api(input).filter(|api| api.unanswered_calls == UnansweredCalls::Retry);
    let Some(minutes) = api.and_then(|api| api.client_token_honored_minutes) else { return false };
    let Some(submitted) = line.submit_time.as_ref() else { return false };
    // The repetition may arrive as late as any call, and the cloud counts by a clock of its own.
    let arrives = plus(plus(input.now, input.timing.quarantine), input.clock_ahead.abs());
    let forgotten = plus(submitted.0, SignedDuration::from_mins(i64::from(minutes)));
    line.state == LineState::Unknown && line.doubts <= 1 && line.clear_looks == 0 && arrives < forgotten
}

/// True when the sweeps are done, and the call is not sent again.
pub(super) fn exhausted(input: &Input<'_>, line: &LineStatus) -> bool {
    line.state == LineState::Unknown && !may_be_sent_again(input, line) && line.clear_looks >= CLEAR_SWEEPS
}

/// True when the call is sent again once it is proven that it was not executed; false when a person is asked instead.
pub(super) fn may_be_sent_again(input: &Input<'_>, line: &LineStatus) -> bool {
    most_doubts(input).is_none_or(|most| line.doubts < most)
}

/// How the account buys by API.
pub(super) fn api<'a>(input: &Input<'a>) -> Option<&'a ApiChannel> {
    input.account.and_then(|account| account.spec.purchase.api.as_ref())
}

/// A purchase or a return is sent in so many calls at most, while their outcomes stay unknown.
const CALLS_IN_DOUBT: i32 = 3;

/// After so many calls without a known outcome a person is asked; none: never. A renewal is sent again as long as there is time: that the expiry of its
/// instance has not moved is proof, and nobody who is asked may answer before it runs out.
fn most_doubts(input: &Input<'_>) -> Option<i32> {
    match (api(input).map(|api| api.unanswered_calls), input.order.spec.action) {
        // Without an account nobody says what is wanted.
        (Some(UnansweredCalls::Ask) | None, _) => Some(1),
        (Some(UnansweredCalls::Retry), OrderAction::Renew) => None,
        (Some(UnansweredCalls::Retry), OrderAction::Buy | OrderAction::Return) => Some(CALLS_IN_DOUBT),
    }
}

/// True when nothing that is still to come settles the line: a person is asked.
pub(super) fn asks_a_person(input: &Input<'_>, line: &LineStatus) -> bool {
    let Some(submitted) = line.submit_time.as_ref().map(|t| t.0) else { return false };
    match line.state {
        LineState::Unknown => {
            let in_vain = input.now >= plus(quarantine_end(input, submitted), input.timing.quarantine);
            exhausted(input, line) || in_vain
        }
        LineState::Committed => {
            let denied = line.category == Some(Reason::PaidNotDelivered) && line.instance_ids.is_empty();
            let unlisted = line.category == Some(Reason::UnpaidAndUnlisted);
            unlisted || !is_unpaid(line) && (denied || is_late(input, submitted))
        }
        _ => false,
    }
}

/// True when a sweep would show by now what was paid.
pub(super) fn is_late(input: &Input<'_>, submitted: Timestamp) -> bool {
    input.observation.is_some_and(|observation| observation.started >= plus(submitted, input.timing.delivery_grace))
}

/// The end of the quarantine: from then on a sweep without a trace counts. It is later where our clock is ahead of the cloud's, by
/// which signatures are judged.
pub(super) fn quarantine_end(input: &Input<'_>, submitted: Timestamp) -> Timestamp {
    plus(plus(submitted, input.timing.quarantine), input.clock_ahead.max(SignedDuration::ZERO))
}
