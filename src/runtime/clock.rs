//! Time. Only this file reads the machine's clock.
//!
//! Business time (decisions, statuses) comes from [`Clock::now`] and can be rehearsed. Signatures use [`wall`]. Leases use the
//! monotonic clock.
#![allow(clippy::disallowed_methods)] // this is where the disallowed methods are allowed

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carpack_core::time::plus;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

/// The longest wait for a moment. After it the clock is read again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The wait where no moment is waited for, in case a change was not seen.
const IDLE: Duration = Duration::from_secs(600);
/// The shortest wait, so that nothing spins.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// The machine's time.
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// Business time: the machine's, or that of a rehearsal.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    jumps: watch::Sender<u64>,
}

#[derive(Clone)]
enum Source {
    /// The machine's clock, or that of a simulation.
    Now(Arc<dyn Fn() -> Timestamp + Send + Sync>),
    Rehearsal(Arc<Mutex<Rehearsed>>),
}

/// A reading of a rehearsal's clock, and how fast it runs.
#[derive(Debug)]
struct Rehearsed {
    seen: Timestamp,
    at: Instant,
    rate: f64,
    /// The latest time that was given out. Between two readings the clock does not go backwards.
    given: Timestamp,
}

impl Rehearsed {
    fn now(&mut self, at: Instant) -> Timestamp {
        self.given = self.given.max(self.interpolated(at));
        self.given
    }

    fn interpolated(&self, at: Instant) -> Timestamp {
        let elapsed = at.saturating_duration_since(self.at).as_secs_f64() * self.rate;
        let elapsed = SignedDuration::try_from_secs_f64(elapsed).unwrap_or(SignedDuration::MAX);
        self.seen.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// Takes in a new reading. True when the clock was set, or its rate changed.
    fn see(&mut self, seen: Timestamp, rate: f64, at: Instant) -> bool {
        let off = seen.duration_since(self.interpolated(at)).as_secs_f64().abs();
        let jumped = off > 1.0 + rate.max(self.rate) || (rate - self.rate).abs() > f64::EPSILON;
        if seen < self.seen {
            self.given = seen;
        }
        (self.seen, self.at, self.rate) = (seen, at, rate);
        jumped
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::of(Arc::new(wall))
    }

    /// A clock that reads the time from this function.
    pub fn of(now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self { source: Source::Now(now), jumps: watch::Sender::new(0) }
    }

    /// A rehearsal's clock, by its first reading.
    pub fn rehearsal(seen: Timestamp, rate: f64) -> Self {
        let rehearsed = Rehearsed { seen, at: Instant::now(), rate, given: seen };
        Self { source: Source::Rehearsal(Arc::new(Mutex::new(rehearsed))), jumps: watch::Sender::new(0) }
    }

    /// Takes in a new reading of a rehearsal's clock.
    pub fn see(&self, seen: Timestamp, rate: f64) {
        let Source::Rehearsal(rehearsal) = &self.source else { return };
        if lock(rehearsal).see(seen, rate, Instant::now()) {
            self.jumps.send_modify(|count| *count += 1);
        }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::Rehearsal(rehearsal) => lock(rehearsal).now(Instant::now()),
            Source::Now(now) => now(),
        }
    }

    /// Now, cut down to whole seconds as statuses keep them: what is newer than a recorded second really was newer.
    pub fn second(&self) -> Timestamp {
        let now = self.now();
        Timestamp::from_second(now.as_nanosecond().div_euclid(1_000_000_000).try_into().unwrap_or(0)).unwrap_or(now)
    }

    /// Changes whenever a rehearsal's clock was set or its rate changed.
    pub fn jumps(&self) -> watch::Receiver<u64> {
        self.jumps.subscribe()
    }

    /// The real wait for a moment of business time. It is capped, because clocks are set and machines sleep. Without a moment
    /// only changes are waited for.
    pub fn wait_for(&self, moment: Option<Timestamp>) -> Duration {
        let left = moment.map(|moment| moment.duration_since(self.now()));
        real_wait(left, self.rate())
    }

    /// How long a span of business time really takes: never longer than the span itself.
    pub fn real(&self, span: Duration) -> Duration {
        span.div_f64(self.rate().max(1.0))
    }

    /// How much business time passes within a real span: never less than the span itself.
    pub fn business(&self, span: SignedDuration) -> SignedDuration {
        SignedDuration::try_from_secs_f64(span.as_secs_f64() * self.rate().max(1.0)).unwrap_or(SignedDuration::MAX)
    }

    fn rate(&self) -> f64 {
        match &self.source {
            Source::Rehearsal(rehearsal) => lock(rehearsal).rate,
            Source::Now(_) => 1.0,
        }
    }
}

/// The real wait for what is left of business time at this rate.
fn real_wait(left: Option<SignedDuration>, rate: f64) -> Duration {
    let Some(left) = left else { return IDLE };
    let seconds = left.as_secs_f64().max(0.0) / rate;
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT).clamp(SHORTEST_WAIT, LONGEST_WAIT)
}

/// A moment of the monotonic clock, in the time of a wall clock that shows `now`.
pub fn on_the_wall(at: Instant, now: Timestamp) -> Timestamp {
    let clock = Instant::now();
    let signed = |span: Duration| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    match at.checked_duration_since(clock) {
        Some(ahead) => plus(now, signed(ahead)),
        None => plus(now, SignedDuration::ZERO.saturating_sub(signed(clock.saturating_duration_since(at)))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn rehearsed(rate: f64) -> (Rehearsed, Instant) {
        let (noon, start) = (at("2026-12-01T12:00:00Z"), Instant::now());
        (Rehearsed { seen: noon, at: start, rate, given: noon }, start)
    }

    #[test]
    fn between_two_readings_time_runs_on_at_the_rate() {
        let (mut clock, start) = rehearsed(3600.0);
        assert_eq!(clock.now(start + Duration::from_secs(2)), at("2026-12-01T14:00:00Z"));
    }

    #[test]
    fn a_reading_that_lags_behind_does_not_turn_the_clock_back() {
        let (mut clock, start) = rehearsed(1.0);
        let later = start + Duration::from_secs(10);
        assert_eq!(clock.now(later), at("2026-12-01T12:00:10Z"));
        assert!(!clock.see(at("2026-12-01T12:00:09Z"), 1.0, later));
        assert_eq!(clock.now(later), at("2026-12-01T12:00:10Z"));
        assert_eq!(clock.now(later + Duration::from_secs(3)), at("2026-12-01T12:00:12Z"));
    }

    #[test]
    fn a_clock_that_was_set_is_followed_and_reported() {
        let (mut clock, start) = rehearsed(0.0);
        assert!(clock.see(at("2026-12-03T00:00:00Z"), 0.0, start));
        assert_eq!(clock.now(start), at("2026-12-03T00:00:00Z"));
        assert!(clock.see(at("2026-12-02T00:00:00Z"), 0.0, start));
        assert_eq!(clock.now(start), at("2026-12-02T00:00:00Z"));
        assert!(clock.see(at("2026-12-02T00:00:00Z"), 60.0, start));
    }

    #[test]
    fn a_real_span_is_as_much_business_time_as_the_rate_says_and_never_less() {
        let span = SignedDuration::from_secs(10);
        let business = |rate| Clock::rehearsal(at("2026-12-01T12:00:00Z"), rate).business(span);
        assert_eq!([0.0, 1.0, 1800.0].map(business), [span, span, span * 1800]);
    }

    #[test]
    fn waits_are_scaled_by_the_rate_and_capped_at_both_ends() {
        let wait = |seconds, rate| real_wait(Some(SignedDuration::from_secs(seconds)), rate);
        assert_eq!(wait(30, 1.0), Duration::from_secs(30));
        assert_eq!(wait(3600, 360.0), Duration::from_secs(10));
        assert_eq!(wait(86_400, 1.0), LONGEST_WAIT);
        assert_eq!(wait(10, 0.0), LONGEST_WAIT);
        assert_eq!(wait(0, 0.0), LONGEST_WAIT, "0 / 0: a stopped clock wakes nobody");
        assert_eq!(wait(-5, 1.0), SHORTEST_WAIT);
        assert_eq!(real_wait(None, 1.0), IDLE);
    }
}
