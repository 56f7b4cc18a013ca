//! The state of an order's lines: the intent before a call, the outcome after it.

use carpack_api::order::{LineState, LineStatus, OrderAction, TrailEntry};
use carpack_api::{PackOrder, PackOrderStatus, Reason};
use jiff::{SignedDuration, Timestamp};

use crate::Timing;
use crate::time::{plus, whole, whole_up};

/// Entries of the trail that are kept.
const TRAIL: usize = 50;
/// The longest wait before a refused call is sent again.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// A wait is at most this part of the time that is left.
const PART_OF_TIME_LEFT: i32 = 8;
/// More doublings than any wait needs.
const MOST_DOUBLINGS: i32 = 12;

/// What became of a paid call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done and paid.
    Committed {
        /// The cloud's order ids.
        order_ids: Vec<String>,
        /// Instances delivered at once; may be empty.
        instance_ids: Vec<String>,
        /// The cloud's id of the request.
        request_id: Option<String>,
    },
    /// Proven not executed.
    Rejected {
        /// Category of the refusal.
        category: Reason,
        /// The refusal in words.
        message: String,
        /// True when the same call may succeed later.
        may_pass: bool,
    },
    /// Anything else.
    Unknown {
        /// Category of the doubt.
        category: Reason,
        /// The doubt in words.
        message: String,
    },
    /// Paid and not delivered: never bought again.
    PaidNotDelivered {
        /// What the cloud said.
        message: String,
    },
}

/// The lines of an order as they stand: those never touched are Pending.
pub(super) fn current(order: &PackOrder) -> Vec<LineStatus> {
    let recorded = order.status.as_ref().map(|s| s.lines.as_slice()).unwrap_or_default();
    order
        .spec
        .lines
        .iter()
        .map(|line| find(recorded, line.index).cloned().unwrap_or_else(|| untouched(line.index)))
        .collect()
}

pub(super) fn find(lines: &[LineStatus], index: i32) -> Option<&LineStatus> {
    lines.iter().find(|line| line.index == index)
}

fn untouched(index: i32) -> LineStatus {
    LineStatus {
        index,
        state: LineState::Pending,
        attempts: 0,
        doubts: 0,
        submit_time: None,
        in_doubt_since: None,
        retry_time: None,
        order_ids: Vec::new(),
        request_id: None,
        instance_ids: Vec::new(),
        paid: None,
        category: None,
        message: None,
        clear_looks: 0,
        last_look_time: None,
    }
}

/// The status that says "this line is about to be sent". It is written, with the resource version of a freshly read order, before
/// the call; when that write is refused the call is not made. Without a line of this index the status stays as it is.
pub fn intend(order: &PackOrder, index: i32, now: Timestamp) -> PackOrderStatus {
    let mut status = with_lines(order);
    if let Some(line) = status.lines.iter_mut().find(|line| line.index == index) {
        line.in_doubt_since = line.submit_time.take().filter(|_| line.state == LineState::Unknown);
        line.state = LineState::Submitting;
        line.attempts = line.attempts.saturating_add(1);
        line.submit_time = Some(whole_up(now));
        line.retry_time = None;
        line.clear_looks = 0;
        line.last_look_time = None;
        let text = format!("line {index}: attempt {} is about to be sent", line.attempts);
        note(&mut status, now, text);
    }
    status
}

/// Whether the call of an intent may still leave. A process that was held up since it wrote the intent may not send it any more,
/// even when it leads: others conclude from the cloud's silence that the call was never made.
pub fn may_leave(intended: &PackOrder, index: i32, now: Timestamp, timing: &Timing) -> bool {
    let lines = intended.status.as_ref().map(|status| status.lines.as_slice()).unwrap_or_default();
    let submitted = find(lines, index).and_then(|line| line.submit_time.as_ref());
    submitted.is_some_and(|time| now.duration_since(time.0) <= timing.intent_valid)
}

/// The status after a paid call. Without a line of this index the status stays as it is.
pub fn settle(order: &PackOrder, index: i32, outcome: &Outcome, now: Timestamp, timing: &Timing) -> PackOrderStatus {
    let mut status = with_lines(order);
    let spec = order.spec.lines.iter().find(|line| line.index == index);
    let Some(line) = status.lines.iter_mut().find(|line| line.index == index) else { return status };
    let text = match outcome {
        Outcome::Committed { order_ids, instance_ids, request_id } => {
            line.state = LineState::Committed;
            line.order_ids.clone_from(order_ids);
            line.request_id.clone_from(request_id);
            line.instance_ids = match spec.and_then(|spec| spec.instance_id.clone()) {
                Some(id) => vec![id],
                None => instance_ids.clone(),
            };
            line.category = None;
            line.message = None;
            format!("{}: order {}", taken_in_words(order.spec.action), join_ids(order_ids))
        }
        // The refusal may be about the repetition alone: it says nothing about the call before it.
        Outcome::Rejected { category, message, .. } if line.in_doubt_since.is_some() => {
            doubt(line, *category, message);
            format!("outcome still unknown: sent again, and refused: {message}")
        }
        Outcome::Rejected { category, message, may_pass } => {
            line.state = if *may_pass { LineState::Pending } else { LineState::Rejected };
            let by = spec.and_then(|spec| spec.renews_from.as_ref()).or(order.spec.deadline.as_ref()).map(|t| t.0);
            let wait = wait(timing.retry_after, line.attempts, by.map(|by| by.duration_since(now)));
            line.retry_time = may_pass.then(|| whole_up(plus(now, wait)));
            line.category = Some(*category);
            line.message = Some(message.clone());
            format!("refused, nothing was spent: {message}")
        }
        Outcome::Unknown { category, message } => {
            doubt(line, *category, message);
            format!("outcome unknown: {message}")
        }
        Outcome::PaidNotDelivered { message } => {
            line.state = LineState::Committed;
            line.category = Some(Reason::PaidNotDelivered);
            line.message = Some(message.clone());
            format!("paid and not delivered: {message}")
        }
    };
    note(&mut status, now, format!("line {index}: {text}"));
    status
}

/// Whether an answer still adds to what is recorded: evidence, or another leader, may have been faster.
pub fn adds_to(line: &LineStatus, attempts: i32, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Committed { .. } | Outcome::PaidNotDelivered { .. } => {
            !matches!(line.state, LineState::Committed | LineState::Done)
        }
        Outcome::Rejected { .. } | Outcome::Unknown { .. } => {
            matches!(line.state, LineState::Submitting | LineState::Unknown) && line.attempts == attempts
        }
    }
}

/// Records that nobody knows what became of the line's last call. It counts once, however often it is recorded.
pub(super) fn doubt(line: &mut LineStatus, category: Reason, message: &str) {
    if line.state != LineState::Unknown {
        line.state = LineState::Unknown;
        line.doubts = line.doubts.saturating_add(1);
    }
    line.category = Some(category);
    line.message = Some(message.to_owned());
}

/// The recorded status with all lines in it.
pub(super) fn with_lines(order: &PackOrder) -> PackOrderStatus {
    let mut status = order.status.clone().unwrap_or_default();
    status.lines = current(order);
    status
}

/// Adds to the trail; the oldest entries are dropped.
pub(super) fn note(status: &mut PackOrderStatus, now: Timestamp, message: String) {
    status.trail.push(TrailEntry { time: whole(now), message });
    let surplus = status.trail.len().saturating_sub(TRAIL);
    status.trail.drain(..surplus);
}

/// How long after a refusal the call is sent again. Doubles with each attempt, up to [`LONGEST_WAIT`]; never longer than a part of
/// the time that is left, so that a renewal is tried to the end.
fn wait(first: SignedDuration, attempts: i32, left: Option<SignedDuration>) -> SignedDuration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, MOST_DOUBLINGS)).unwrap_or(0);
    let factor = 1_i32.checked_shl(doublings).unwrap_or(i32::MAX);
    let doubled = first.checked_mul(factor).unwrap_or(SignedDuration::MAX).min(LONGEST_WAIT);
    let share = left.and_then(|left| left.checked_div(PART_OF_TIME_LEFT)).unwrap_or(SignedDuration::MAX);
    doubled.min(share.max(first))
}

/// The word for a call that the cloud took: a return is not paid for.
pub(super) fn taken_in_words(action: OrderAction) -> &'static str {
    match action {
        OrderAction::Buy | OrderAction::Renew => "paid",
        OrderAction::Return => "taken",
    }
}

/// The ids in one text.
pub(super) fn join_ids(items: &[String]) -> String {
    if items.is_empty() { "without an id".to_owned() } else { items.join(", ") }
}
