//! What the status of an object says, as a person reads it.

use std::sync::Arc;

use carpack_api::order::{LineState, LineStatus, OrderState};
use carpack_api::pack::RenewalMode;
use carpack_api::{ConcurrencyPack, PackOrder, Reason};
use carpack_core::Timing;
use carpack_core::condition::{READY, RENEWAL_ON_TRACK, STALLED, is_true};
use carpack_core::order::settle_annotation;
use jiff::Timestamp;

use crate::oracle::expiry::is_later_expiry;
use crate::world::objects::name_of;

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The reason.
    pub reason: Reason,
    /// The message, with the way out.
    pub message: String,
}

/// The expiry that a pack's status shows.
pub fn expiration_time(pack: &ConcurrencyPack) -> Option<Timestamp> {
    pack.status.as_ref()?.expiration_time.as_ref().map(|time| time.0)
}

/// True when the pack is Ready in this project, says when it is renewed next, and expires later than `after`.
pub fn is_ready(packs: &[Arc<ConcurrencyPack>], name: &str, project: &str, after: Option<Timestamp>) -> bool {
    let Some(pack) = packs.iter().find(|pack| name_of(pack.as_ref()) == name) else { return false };
    let Some(status) = &pack.status else { return false };
    is_true(&status.conditions, READY)
        && is_true(&status.conditions, RENEWAL_ON_TRACK)
        && (status.next_renewal_time.is_some() || pack.spec.renewal.mode == RenewalMode::AutoRenew)
        && status.observed_generation == pack.metadata.generation
        && status.project.as_deref().unwrap_or_default() == project
        && after.is_none_or(|after| expiration_time(pack).is_some_and(|expires| is_later_expiry(expires, after)))
}

/// True when nothing more will happen to the order: it has ended, and its status says what was paid.
pub fn is_settled(order: &PackOrder) -> bool {
    let Some(status) = &order.status else { return false };
    let is_booked = |line: &LineStatus| line.state != LineState::Done || line.paid.is_some();
    matches!(status.state, Some(OrderState::Fulfilled | OrderState::Failed))
        && status.lines.iter().all(is_booked)
        && order.metadata.deletion_timestamp.is_none()
}

/// True while an order waits on purpose: for the end of a quarantine, for the retry after a refusal, or for a person.
pub fn waits_on_purpose(orders: &[Arc<PackOrder>], now: Timestamp) -> bool {
    orders.iter().filter_map(|order| order.status.as_ref()).any(|status| {
        status.state == Some(OrderState::AwaitingApproval) || status.lines.iter().any(|line| line_waits(line, now))
    })
}

fn line_waits(line: &LineStatus, now: Timestamp) -> bool {
    let quarantine = Timing::default().quarantine;
    let quarantine_ends = line.submit_time.as_ref().and_then(|time| time.0.checked_add(quarantine).ok());
    match line.state {
        LineState::Unknown | LineState::Submitting => quarantine_ends.is_some_and(|until| now < until),
        LineState::Pending => line.retry_time.as_ref().is_some_and(|until| now < until.0),
        LineState::Committed | LineState::Done | LineState::Rejected | LineState::Void => false,
    }
}

/// The question that a person is asked, if any. An order with an unknown outcome asks one when its message names the
/// annotation that settles a line: no reason tells it.
pub fn question(packs: &[Arc<ConcurrencyPack>], orders: &[Arc<PackOrder>]) -> Option<Question> {
    let of_order = |order: &Arc<PackOrder>| {
        let status = order.status.clone()?;
        let message = status.message.unwrap_or_default();
        let is_named = |line: &LineStatus| message.contains(&settle_annotation(line));
        let asks = status.state == Some(OrderState::Ambiguous) && status.lines.iter().any(is_named);
        asks.then_some(Question { reason: Reason::OrderAmbiguous, message })
    };
    let of_pack = |pack: &Arc<ConcurrencyPack>| {
        let status = pack.status.clone()?;
        let stalled = status.conditions.into_iter().find(|c| c.type_ == STALLED && c.status == "True")?;
        Some(Question { reason: Reason::parse(&stalled.reason)?, message: stalled.message })
    };
    orders.iter().find_map(of_order).or_else(|| packs.iter().find_map(of_pack))
}

/// A pack in one line.
pub fn describe_pack(pack: &ConcurrencyPack) -> String {
    let status = pack.status.clone().unwrap_or_default();
    let conditions: Vec<String> =
        status.conditions.iter().map(|c| format!("{}={} {} ({})", c.type_, c.status, c.reason, c.message)).collect();
    format!("{}: {}", name_of(pack), conditions.join(", "))
}

/// An order in one line.
pub fn describe_order(order: &PackOrder) -> String {
    let status = order.status.clone().unwrap_or_default();
    let lines: Vec<String> = status.lines.iter().map(|line| format!("{:?}", line.state)).collect();
    format!("{}: {:?} {} [{}]", name_of(order), status.state, status.message.unwrap_or_default(), lines.join(", "))
}
