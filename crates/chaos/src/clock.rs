//! Business time in a simulation: it runs with tokio's paused clock, and can be set.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every simulation begins, unless it says otherwise.
pub const BEGIN: &str = "2026-12-01T02:00:00Z";

/// The clock on the wall.
#[derive(Debug)]
pub struct WallClock {
    begin: Timestamp,
    began: Instant,
    ahead: Mutex<SignedDuration>,
}

impl WallClock {
    /// A clock that shows this moment now.
    pub fn new(begin: Timestamp) -> Self {
        Self { begin, began: Instant::now(), ahead: Mutex::new(SignedDuration::ZERO) }
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        self.begin.checked_add(elapsed).and_then(|at| at.checked_add(ahead)).unwrap_or(Timestamp::MAX)
    }

    /// Sets it forward, or back. Nobody is told.
    pub fn shift(&self, by: SignedDuration) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = ahead.saturating_add(by);
    }
}
