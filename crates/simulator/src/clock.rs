//! The two clocks. The machine's own clock judges signatures. The business clock counts for everything about money and packs;
//! it can run slower or faster, stop, and be moved forward.
#![allow(clippy::disallowed_methods)] // the one place of this crate that reads the machine's clock

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The clock of purchases, expiries, renewals and deliveries.
#[derive(Debug, Clone)]
pub struct BusinessClock {
    anchor: Timestamp,
    anchored: Instant,
    rate: f64,
}

/// What the business clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockView {
    /// The business time.
    #[serde(with = "milliseconds")]
    pub now: Timestamp,
    /// Seconds of business time per second of real time.
    pub rate: f64,
    /// How many seconds the clock that judges signatures is ahead of the machine's clock.
    pub skew_seconds: i64,
}

impl BusinessClock {
    /// A clock that starts at `start`, or at the machine's time, and runs at `rate` business seconds per real second.
    ///
    /// # Errors
    /// When the rate is not a number from 0 to 1e9.
    pub fn new(start: Option<Timestamp>, rate: f64) -> Result<Self, Error> {
        let clock = Self { anchor: start.unwrap_or_else(wall), anchored: Instant::now(), rate: check_rate(rate)? };
        Ok(clock)
    }

    /// The business time.
    pub fn now(&self) -> Timestamp {
        let elapsed = self.anchored.elapsed().as_secs_f64() * self.rate;
        let elapsed = SignedDuration::try_from_secs_f64(elapsed).unwrap_or(SignedDuration::MAX);
        self.anchor.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// Business seconds per real second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Sets the rate from now on.
    ///
    /// # Errors
    /// When the rate is not a number from 0 to 1e9.
    pub fn set_rate(&mut self, rate: f64) -> Result<(), Error> {
        let rate = check_rate(rate)?;
        self.anchor_at(self.now());
        self.rate = rate;
        Ok(())
    }

    /// Sets the clock to `to`. What has happened cannot be undone, so the clock never goes back.
    ///
    /// # Errors
    /// When `to` is in the past.
    pub fn set(&mut self, to: Timestamp) -> Result<(), Error> {
        let now = self.now();
        if to < now {
            return Err(Error::Invalid(format!("the clock cannot go back from {now} to {to}")));
        }
        self.anchor_at(to);
        Ok(())
    }

    fn anchor_at(&mut self, at: Timestamp) {
        self.anchor = at;
        self.anchored = Instant::now();
    }
}

fn check_rate(rate: f64) -> Result<f64, Error> {
    if rate.is_finite() && (0.0..=1e9).contains(&rate) {
        Ok(rate)
    } else {
        Err(Error::Invalid(format!("rate must be a number from 0 to 1e9, not {rate}")))
    }
}

/// The machine's time.
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// The machine's monotonic time, for rate limits.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// RFC 3339 in UTC with exactly three digits of a second.
mod milliseconds {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{at:.3}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_by_hand_and_never_back() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut clock = BusinessClock::new(Some(start), 0.0).unwrap();
        assert_eq!(clock.now(), start);
        let later = start + SignedDuration::from_hours(1);
        clock.set(later).unwrap();
        assert_eq!(clock.now(), later);
        assert!(clock.set(start).is_err());
        assert!(clock.set_rate(-1.0).is_err());
    }

    #[test]
    fn now_is_written_with_milliseconds() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let view = serde_json::to_value(ClockView { now, rate: 1.0, skew_seconds: 0 }).unwrap();
        assert_eq!(view["now"], "2026-01-01T00:00:00.000Z");
    }
}
