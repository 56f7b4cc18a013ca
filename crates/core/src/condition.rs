//! Conditions, and the events of their changes. A transition time changes only with the status of its condition.

use carpack_api::Reason;
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
    /// Why.
    pub reason: Reason,
    /// One sentence.
    pub message: String,
}

/// Makes a verdict.
pub fn verdict(kind: &'static str, status: Option<bool>, reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { kind, status, reason, message: message.into() }
}

/// The new list of conditions: one for each verdict. A transition time is kept where the status has not changed.
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
                reason: verdict.reason.as_str().to_owned(),
                message: verdict.message.clone(),
                observed_generation: generation,
                last_transition_time: unchanged.map_or(whole(now), |c| c.last_transition_time.clone()),
            }
        })
        .collect()
}

/// One event for each condition whose reason has changed. Conditions in `quiet`, and reasons that pass within moments, have no event.
pub fn events(old: &[Condition], verdicts: &[Verdict], quiet: &[&str]) -> Vec<Event> {
    verdicts
        .iter()
        .filter(|verdict| !quiet.contains(&verdict.kind))
        .filter(|verdict| !matches!(verdict.reason, Reason::AwaitingObservation | Reason::Pending))
        .filter(|verdict| {
            !old.iter().any(|c| c.type_ == verdict.kind && Reason::parse(&c.reason) == Some(verdict.reason))
        })
        .map(|verdict| Event {
            warning: verdict.kind == STALLED
                || (verdict.kind != RECONCILING && verdict.status == Some(false) && verdict.reason.is_warning()),
            reason: verdict.reason,
            message: verdict.message.clone(),
        })
        .collect()
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
/// Of an order: a person, or the mode, has allowed it.
pub const APPROVED: &str = "Approved";
/// Of an order: a call was sent.
pub const SUBMITTED: &str = "Submitted";
/// Of an order: it has done what it was made for.
pub const FULFILLED: &str = "Fulfilled";
/// Of an order: proven not executed, and over.
pub const FAILED: &str = "Failed";
/// Of an order: the outcome of a call is unknown.
pub const AMBIGUOUS: &str = "Ambiguous";
/// Of an order: it has cost no more than it was quoted at.
pub const PAID_AS_QUOTED: &str = "PaidAsQuoted";
/// kstatus: work is under way.
pub const RECONCILING: &str = "Reconciling";
/// kstatus: a person is needed.
pub const STALLED: &str = "Stalled";

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use rstest::rstest;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn is_warning(old: &[Condition], kind: &'static str, status: Option<bool>, reason: Reason) -> Option<bool> {
        let said = events(old, &[verdict(kind, status, reason, "words")], &[PURCHASED]);
        said.first().map(|event| event.warning)
    }

    #[rstest]
    #[case::all_is_well(READY, Some(true), Reason::Active, Some(false))]
    #[case::a_failure(READY, Some(false), Reason::Unpriced, Some(true))]
    #[case::a_part_of_a_normal_life(READY, Some(false), Reason::Purchasing, Some(false))]
    #[case::nobody_knows(READY, None, Reason::Unreachable, Some(false))]
    #[case::a_person_is_needed(STALLED, Some(true), Reason::Unpriced, Some(true))]
    #[case::work_is_no_longer_under_way(RECONCILING, Some(false), Reason::Unpriced, Some(false))]
    #[case::what_passes_in_a_moment(READY, Some(false), Reason::AwaitingObservation, None)]
    #[case::what_is_about_to_happen(READY, Some(false), Reason::Pending, None)]
    #[case::a_quiet_condition(PURCHASED, Some(false), Reason::Unpriced, None)]
    fn a_new_reason_is_an_event_and_a_bad_one_is_a_warning(
        #[case] kind: &'static str,
        #[case] status: Option<bool>,
        #[case] reason: Reason,
        #[case] warning: Option<bool>,
    ) {
        assert_eq!(is_warning(&[], kind, status, reason), warning);
    }

    #[test]
    fn a_reason_is_an_event_once_for_each_condition() {
        let old = merge(&[], &[verdict(READY, Some(false), Reason::Unpriced, "words")], None, NOW);
        assert_eq!(is_warning(&old, READY, Some(false), Reason::Unpriced), None);
        assert_eq!(is_warning(&old, READY, Some(false), Reason::AboveLimit), Some(true));
        assert_eq!(is_warning(&old, ASSIGNED, Some(false), Reason::Unpriced), Some(true));
    }

    #[test]
    fn a_transition_time_stays_while_the_status_of_that_condition_stays() {
        let old = merge(&[], &[verdict(READY, Some(false), Reason::Unpriced, "words")], None, NOW);
        let later = NOW + SignedDuration::from_hours(1);
        let moved = |kind, status| {
            let new = merge(&old, &[verdict(kind, status, Reason::AboveLimit, "other words")], None, later);
            new[0].last_transition_time.0 == later
        };
        assert!(!moved(READY, Some(false)));
        assert!(moved(READY, Some(true)) && moved(READY, None) && moved(ASSIGNED, Some(false)));
    }
}
