//! The cloud's clock: it runs with tokio's paused clock, and can be set.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::lock::lock;

/// A clock that shows the date and the time.
#[derive(Debug)]
pub struct WallClock {
    begin: Timestamp,
    began: Instant,
    ahead: Mutex<SignedDuration>,
}

impl WallClock {
    /// A clock that shows this time now.
    pub fn new(begin: Timestamp) -> Self {
        Self { begin, began: Instant::now(), ahead: Mutex::new(SignedDuration::ZERO) }
    }

    /// The time that it shows.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        let ahead = *lock(&self.ahead);
        self.begin.checked_add(elapsed).and_then(|at| at.checked_add(ahead)).unwrap_or(Timestamp::MAX)
    }

    /// Sets the clock forward, or back. Timers do not notice.
    pub fn shift(&self, by: SignedDuration) {
        let mut ahead = lock(&self.ahead);
        *ahead = ahead.saturating_add(by);
    }
}
