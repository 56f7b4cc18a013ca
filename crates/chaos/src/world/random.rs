//! The random generator of a world: the same seed gives the same draws.

use std::sync::Mutex;
use std::time::Duration;

use rand::distr::uniform::{SampleRange, SampleUniform};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::lock::lock;

/// A random generator that is shared by everything in a world.
#[derive(Debug)]
pub struct Random(Mutex<SmallRng>);

impl Random {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(SmallRng::seed_from_u64(seed)))
    }

    /// A number of this range.
    pub fn draw<T: SampleUniform>(&self, range: impl SampleRange<T>) -> T {
        lock(&self.0).random_range(range)
    }

    /// One of these; none when there is none.
    pub fn choose<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        let last = of.len().checked_sub(1)?;
        of.get(self.draw(0..=last))
    }

    /// A duration between these milliseconds.
    pub fn between(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.draw(low..=high))
    }

    /// True in one case of so many.
    pub fn chance(&self, one_in: u32) -> bool {
        self.draw(0..one_in.max(1)) == 0
    }
}
