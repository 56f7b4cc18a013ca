//! How the cloud of a world behaves: late lists, missing rows, partial changes, deliveries.

use carpack_simulator::state::Delivery;
use jiff::SignedDuration;

use super::World;
use super::lock::lock;
use crate::circumstance::Circumstance;
use crate::plan::MAX_LAG;

impl World {
    /// How far the list that is read now lags behind.
    pub fn lag(&self) -> SignedDuration {
        if self.plan.has(Circumstance::Replicas) && self.random.chance(3) {
            return SignedDuration::from_millis(self.random.draw(1000..=MAX_LAG.saturating_mul(1000)));
        }
        self.plan.lag
    }

    /// True when the cloud executes only a part of this call.
    pub fn is_partial(&self) -> bool {
        let partial = self.plan.has(Circumstance::PartialBind) && !self.is_calm() && self.random.chance(2);
        if partial {
            self.disturb();
        }
        partial
    }

    /// How the purchase that is made now is delivered.
    pub fn delivery(&self) -> Delivery {
        let fails = self.plan.has(Circumstance::Undelivered) && self.journal().charges.is_empty();
        Delivery { fails, ..self.plan.delivery }
    }

    /// The rows of the renewal list as they are read: one may be missing because it moved between pages.
    pub fn miss_a_row<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        let mut missed = lock(&self.missed_rows);
        if !self.is_calm() && *missed < self.plan.missed_rows && !rows.is_empty() && self.random.chance(4) {
            *missed = missed.saturating_add(1);
            let row = self.random.draw(0..rows.len());
            rows.remove(row);
            self.disturb();
            tracing::info!(row, "a list misses a row");
        }
        rows
    }
}
