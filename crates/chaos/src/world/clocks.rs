//! The clocks of the operator's machines. They may differ from the cloud's clock, and from each other.

use jiff::{SignedDuration, Timestamp};

use super::World;
use super::cloud::SIGNATURE_LIFETIME;
use super::lock::lock;
use crate::circumstance::Circumstance;
use crate::mutant::Mutant;

impl World {
    /// The time on the machine of a process.
    pub fn process_time(&self, process: usize) -> Timestamp {
        if self.plan.is(Mutant::ClockStands) {
            return self.plan.begin;
        }
        self.clock.now().saturating_add(self.skew(process)).unwrap_or(Timestamp::MAX)
    }

    /// The earliest time that a process's machine shows.
    pub fn earliest_process_time(&self) -> Timestamp {
        self.process_time(0).min(self.process_time(1))
    }

    /// How far the clock of a process is ahead of the cloud's. With [`Circumstance::Skew`], every other process is
    /// wrong in the opposite direction.
    pub fn skew(&self, process: usize) -> SignedDuration {
        let skew = *lock(&self.skew);
        let opposite = self.plan.has(Circumstance::Skew) && !process.is_multiple_of(2);
        if opposite { SignedDuration::ZERO.saturating_sub(skew) } else { skew }
    }

    /// Somebody sets the clock of the operator's machine.
    pub fn shift_process_clock(&self, by: SignedDuration) {
        let mut skew = lock(&self.skew);
        *skew = skew.saturating_add(by);
        tracing::info!(skew = %*skew, "the operator's clock is set");
    }

    /// True when the operator's clock is so wrong that the cloud accepts none of its signatures.
    pub fn clock_is_refused(&self) -> bool {
        lock(&self.skew).abs() > SIGNATURE_LIFETIME
    }
}
