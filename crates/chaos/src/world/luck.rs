//! What is left to chance in a world; the same each time for the same seed.

use std::time::Duration;

use carpack_simulator::state::Delivery;
use jiff::SignedDuration;
use rand::Rng;

use super::{World, lock};
use crate::plan::LAG;
use crate::trouble::Trouble;

impl World {
    /// One of these; none when there is none.
    pub fn choose<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        let last = of.len().checked_sub(1)?;
        of.get(lock(&self.random).random_range(0..=last))
    }

    /// A duration between these milliseconds.
    pub fn between(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(lock(&self.random).random_range(low..=high))
    }

    /// True once in so many.
    pub fn chance(&self, one_in: u32) -> bool {
        lock(&self.random).random_range(0..one_in.max(1)) == 0
    }

    /// How long a call takes.
    pub fn latency(&self) -> Duration {
        self.between(1, 6)
    }

    /// How far lists and books lag behind this time.
    pub fn lag(&self) -> SignedDuration {
        if self.plan.has(Trouble::Replicas) && self.chance(3) {
            return SignedDuration::from_millis(lock(&self.random).random_range(1000..=LAG.saturating_mul(1000)));
        }
        self.plan.lag
    }

    /// When a call arrives that nobody waits for; none: never.
    pub fn straying(&self) -> Option<Duration> {
        if self.plan.has(Trouble::Stray) && self.chance(2) { Some(self.between(1000, 299_000)) } else { None }
    }

    /// True when the cloud does only part of what it is asked for.
    pub fn is_half_done(&self) -> bool {
        let half = self.plan.has(Trouble::PartialBind) && !self.is_calm() && self.chance(2);
        if half {
            self.disturb();
        }
        half
    }

    /// How a purchase is delivered.
    pub fn delivery(&self) -> Delivery {
        let fails = self.plan.has(Trouble::Undelivered) && self.oracle().charges.is_empty();
        Delivery { fails, ..self.plan.delivery }
    }

    /// How long until a process sees a change.
    pub fn watch_lag(&self) -> Duration {
        self.between(1, if self.plan.has(Trouble::SlowWatch) { 3000 } else { 20 })
    }

    /// A list as it is read: rows that move between pages may be missed.
    pub fn shifting<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        let mut missed = lock(&self.missed_rows);
        if !self.is_calm() && *missed < self.plan.missed_rows && !rows.is_empty() && self.chance(4) {
            *missed = missed.saturating_add(1);
            let row = lock(&self.random).random_range(0..rows.len());
            rows.remove(row);
            self.disturb();
            tracing::info!(row, "a list misses a row");
        }
        rows
    }
}
