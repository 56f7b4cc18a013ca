//! What objects say, as a person reads them.

use std::sync::Arc;

use carpack_api::order::{LineState, LineStatus, OrderState};
use carpack_api::pack::RenewalMode;
use carpack_api::{ConcurrencyPack, PackOrder};
use carpack_core::Timing;
use carpack_core::order::SETTLE_ANNOTATION;
use jiff::Timestamp;

use crate::oracle::is_later_expiry;

/// Name of a pack.
pub fn name_of(pack: &ConcurrencyPack) -> &str {
    pack.metadata.name.as_deref().unwrap_or_default()
}

/// True when the pack is Ready in this project, knows when it is renewed next, and expires later than then.
pub fn stands(packs: &[Arc<ConcurrencyPack>], name: &str, project: &str, after: Option<Timestamp>) -> bool {
    let Some(pack) = packs.iter().find(|pack| name_of(pack) == name) else { return false };
    let Some(status) = &pack.status else { return false };
    let holds = |kind: &str| status.conditions.iter().any(|c| c.type_ == kind && c.status == "True");
    let expires = status.expiration_time.as_ref().map(|time| time.0);
    holds("Ready")
        && holds("RenewalOnTrack")
        && (status.next_renewal_time.is_some() || pack.spec.renewal.mode == RenewalMode::AutoRenew)
        && status.observed_generation == pack.metadata.generation
        && status.project.as_deref().unwrap_or_default() == project
        && after.is_none_or(|after| expires.is_some_and(|expires| is_later_expiry(expires, after)))
}

/// True when nothing more will happen to the order: it is over, and says what was paid.
pub fn is_settled(order: &PackOrder) -> bool {
    let Some(status) = &order.status else { return false };
    let is_booked = |line: &LineStatus| line.state != LineState::Done || line.paid.is_some();
    matches!(status.state, Some(OrderState::Fulfilled | OrderState::Failed))
        && status.lines.iter().all(is_booked)
        && order.metadata.deletion_timestamp.is_none()
}

/// True while an order waits for something that takes its time: the quarantine of a call in doubt, the growing wait after
/// refusals, or a person.
pub fn waits_by_design(orders: &[Arc<PackOrder>], now: Timestamp) -> bool {
    orders.iter().filter_map(|order| order.status.as_ref()).any(|status| {
        status.state == Some(OrderState::AwaitingApproval) || status.lines.iter().any(|line| line_waits(line, now))
    })
}

fn line_waits(line: &LineStatus, now: Timestamp) -> bool {
    let quarantine = Timing::default().quarantine;
    let settles = line.submit_time.as_ref().and_then(|time| time.0.checked_add(quarantine).ok());
    match line.state {
        LineState::Unknown | LineState::Submitting => settles.is_some_and(|until| now < until),
        LineState::Pending => line.retry_time.as_ref().is_some_and(|until| now < until.0),
        LineState::Committed | LineState::Done | LineState::Rejected | LineState::Void => false,
    }
}

/// What a person is asked to do, if anything: the reason, and the words.
pub fn asks(packs: &[Arc<ConcurrencyPack>], orders: &[Arc<PackOrder>]) -> Option<(String, String)> {
    let ambiguous = |order: &Arc<PackOrder>| {
        let status = order.status.clone()?;
        let words = status.message.unwrap_or_default();
        let asks = status.state == Some(OrderState::Ambiguous) && words.contains(SETTLE_ANNOTATION);
        asks.then(|| ("OrderAmbiguous".to_owned(), words))
    };
    let stalled = |pack: &Arc<ConcurrencyPack>| {
        let status = pack.status.clone()?;
        let condition = status.conditions.into_iter().find(|c| c.type_ == "Stalled" && c.status == "True")?;
        Some((condition.reason, condition.message))
    };
    orders.iter().find_map(ambiguous).or_else(|| packs.iter().find_map(stalled))
}

/// A pack in one line.
pub fn describe(pack: &ConcurrencyPack) -> String {
    let status = pack.status.clone().unwrap_or_default();
    let conditions: Vec<String> =
        status.conditions.iter().map(|c| format!("{}={} {} ({})", c.type_, c.status, c.reason, c.message)).collect();
    format!("{}: {}", name_of(pack), conditions.join(", "))
}

/// An order in one line.
pub fn describe_order(order: &PackOrder) -> String {
    let status = order.status.clone().unwrap_or_default();
    let lines: Vec<String> = status.lines.iter().map(|line| format!("{:?}", line.state)).collect();
    let name = order.metadata.name.as_deref().unwrap_or_default();
    format!("{name}: {:?} {} [{}]", status.state, status.message.unwrap_or_default(), lines.join(", "))
}
