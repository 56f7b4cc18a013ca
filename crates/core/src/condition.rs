//! Conditions: merged so that a transition time changes only with the status.

use carpack_api::common::Condition;
use jiff::Timestamp;

use crate::Event;
use crate::time::whole;

/// A condition before it has a transition time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Condition type.
    pub kind: &'static str,
    /// True, False or unknown.
    pub status: Option<bool>,
    /// PascalCase reason.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
}

/// A verdict.
pub fn verdict(kind: &'static str, status: Option<bool>, reason: &'static str, message: impl Into<String>) -> Verdict {
    Verdict { kind, status, reason, message: message.into() }
}

/// The new list of conditions: exactly the verdicts, transition times kept where the status did not change.
pub fn merge(old: &[Condition], verdicts: &[Verdict], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    verdicts
        .iter()
        .map(|verdict| {
            let status = match verdict.status {
                Some(true) => "True",
                Some(false) => "False",
                None => "Unknown",
            };
            let unchanged = old.iter().find(|c| c.type_ == verdict.kind && c.status == status);
            Condition {
                type_: verdict.kind.to_owned(),
                status: status.to_owned(),
                reason: verdict.reason.to_owned(),
                message: verdict.message.clone(),
                observed_generation: generation,
                last_transition_time: unchanged.map_or(whole(now), |c| c.last_transition_time.clone()),
            }
        })
        .collect()
}

/// One event for each condition whose reason has changed, a first "all is well" included; what passes in a moment by
/// itself is none.
pub fn events(old: &[Condition], verdicts: &[Verdict], quiet: &[&str]) -> Vec<Event> {
    verdicts
        .iter()
        .filter(|verdict| !quiet.contains(&verdict.kind))
        .filter(|verdict| !matches!(verdict.reason, "AwaitingObservation" | "Pending"))
        .filter(|verdict| !old.iter().any(|c| c.type_ == verdict.kind && c.reason == verdict.reason))
        .map(|verdict| Event {
            warning: verdict.kind == STALLED
                || (verdict.kind != RECONCILING && verdict.status == Some(false) && is_bad(verdict.reason)),
            reason: verdict.reason,
            message: verdict.message.clone(),
        })
        .collect()
}

/// Reasons of a False that are part of a normal life.
fn is_bad(reason: &str) -> bool {
    !matches!(
        reason,
        "WaitingForWindow"
            | "Purchasing"
            | "AwaitingApproval"
            | "AwaitingDelivery"
            | "Observing"
            | "DryRun"
            | "Reassigning"
            | "NotPurchased"
            | "NotRenewing"
            | "WindowClosed"
            | "Renaming"
            | "Renewing"
            | "Pending"
            | "InProgress"
            | "Ended"
            | "AwaitingObservation"
            | "AutoRenewNotSeenOn"
            | "AutoRenewStillOn"
            | "EarlierOrderUnresolved"
    )
}

/// True when a condition of this type is True.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    conditions.iter().any(|c| c.type_ == kind && c.status == "True")
}

/// Usable now as declared.
pub const READY: &str = "Ready";
/// No brake of an account holds anything.
pub const BRAKE_RELEASED: &str = "BrakeReleased";
/// Bought, and paid for.
pub const PURCHASED: &str = "Purchased";
/// Bound as the spec says.
pub const ASSIGNED: &str = "Assigned";
/// The renewal (or the planned end) is on its way.
pub const RENEWAL_ON_TRACK: &str = "RenewalOnTrack";
/// Ended as planned.
pub const ENDED: &str = "Ended";
/// kstatus: work is under way.
pub const RECONCILING: &str = "Reconciling";
/// kstatus: a person is needed.
pub const STALLED: &str = "Stalled";
