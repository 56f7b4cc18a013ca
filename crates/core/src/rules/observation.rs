//! The observation: nothing is decided by one that is stale, or that began before the event it is asked about.
//!
//! Rule 17 of docs/money.md, which names the tests that fail without it.

use carpack_api::Reason;
use jiff::{SignedDuration, Timestamp};

use super::case::Case;
use super::obstacle::Obstacle;
use crate::observation::Observation;

/// The observation began after the event that it is asked about, and is not stale.
pub(crate) fn observation_is_new_enough(case: &Case<'_>) -> Result<(), Obstacle> {
    let is_new_enough = case.observation.is_some_and(|observation| {
        let is_newer = case.sweep_after.is_none_or(|after| observation.started > after);
        is_newer && !is_stale(observation, case.now, case.stale_after)
    });
    if is_new_enough {
        return Ok(());
    }
    Err(Obstacle::needs_sweep(Reason::AwaitingObservation, "waits for a complete sweep of the account"))
}

/// True when the observation is too old to say anything about now.
pub(crate) fn is_stale(observation: &Observation, now: Timestamp, stale_after: SignedDuration) -> bool {
    now.duration_since(observation.started) >= stale_after
}
