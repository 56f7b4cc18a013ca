//! Plans: what a schedule means in numbers.

use std::time::Duration;

use carpack_simulator::Delivery;
use carpack_simulator::term::{PeriodUnit, Term};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::circumstance::Circumstance;
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::schedule::Schedule;

/// When a schedule begins, unless a circumstance says otherwise.
const BEGIN: &str = "2026-12-01T02:00:00Z";

/// Days from which a month later is not the same day of the month, in UTC or in the cloud's time zone.
const MONTH_ENDS: [&str; 5] = [
    "2027-01-31T02:00:00Z",
    "2027-01-30T17:30:00Z",
    "2028-01-31T15:59:30Z",
    "2026-12-31T15:59:50Z",
    "2027-03-31T16:00:10Z",
];

/// The price of one concurrency for a day.
const DAILY_CENTS: i64 = 10_500;

/// The longest time that lists and deals lag behind, in seconds. Only [`Circumstance::LongLag`] and
/// [`Circumstance::Cautious`] have a longer one.
pub const MAX_LAG: i64 = 110;

/// What the cloud does with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// The cloud answers a call with a known token as it answered the first one.
    Honoured,
    /// The cloud ignores tokens.
    Ignored,
    /// The cloud honours a token for so many seconds.
    Expire(i64),
}

/// What is to happen in a world.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The faults in order, each with the number of occasions that it skips.
    pub faults: Vec<(Fault, u32)>,
    /// What differs from the plain world.
    pub circumstances: Vec<Circumstance>,
    /// The bug that is seeded, if any.
    pub mutant: Option<Mutant>,
    /// The seed of the world's random generator.
    pub rng_seed: u64,
    /// When it begins.
    pub begin: Timestamp,
    /// Concurrencies of each pack.
    pub quantity: i32,
    /// What the cloud does with tokens.
    pub tokens: Tokens,
    /// How far lists and deals lag behind.
    pub lag: SignedDuration,
    /// How purchases are delivered.
    pub delivery: Delivery,
    /// How often the renewal list misses a row.
    pub missed_rows: u32,
    /// How much later an expiry is in CAR's own list than in the renewal list.
    pub between_lists: SignedDuration,
    /// How far the operator's clock is ahead of the cloud's.
    pub skew: SignedDuration,
}

impl Plan {
    /// The plan of a schedule. The order of the draws is part of what a schedule means: another order is another plan.
    pub fn of(schedule: &Schedule) -> Self {
        let rng_seed = schedule.rng_seed();
        let mut random = SmallRng::seed_from_u64(rng_seed);
        let has = |circumstance| schedule.circumstances.contains(&circumstance);
        let faults = schedule.faults.iter().map(|fault| (*fault, random.random_range(0..=fault.site.max_skipped())));
        let faults = faults.collect();
        let tokens = match (has(Circumstance::TokensIgnored), has(Circumstance::TokensExpire)) {
            (true, _) => Tokens::Ignored,
            (false, true) => Tokens::Expire(120),
            (false, false) => Tokens::Honoured,
        };
        // Only a pack with several instances can be renewed by hand in part.
        let three = schedule.seed.is_multiple_of(2) || has(Circumstance::ByHand);
        let quantity = if three { 3 } else { random.random_range(1..=3) };
        let mut within =
            |circumstance, low: i64, high: i64| if has(circumstance) { random.random_range(low..=high) } else { 0 };
        let lag = within(Circumstance::Lag, 1, MAX_LAG);
        let long_lag = within(Circumstance::LongLag, MAX_LAG + 1, 900);
        let cautious = within(Circumstance::Cautious, MAX_LAG + 1, 480);
        let missed_rows = within(Circumstance::MissedRows, 1, 3);
        let between_lists = within(Circumstance::MissedRows, -600, 600);
        let skew = within(Circumstance::Skew, -240, 240);
        let first = within(Circumstance::Partial, 0, i64::from(quantity) - 1);
        let rest = within(Circumstance::Partial, 5, 300);
        let begin = within(Circumstance::MonthEnd, 1, i64::try_from(MONTH_ENDS.len()).unwrap_or(1));
        let begin = usize::try_from(begin).ok().and_then(|n| MONTH_ENDS.get(n.wrapping_sub(1))).unwrap_or(&BEGIN);
        let partial = has(Circumstance::Partial);
        Self {
            faults,
            circumstances: schedule.circumstances.clone(),
            mutant: schedule.mutant,
            rng_seed,
            begin: begin.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            quantity,
            tokens,
            lag: SignedDuration::from_secs(lag + long_lag + cautious),
            delivery: Delivery {
                first: partial.then_some(first),
                rest_after_seconds: partial.then_some(rest),
                fails: false,
            },
            missed_rows: missed_rows.try_into().unwrap_or(0),
            between_lists: SignedDuration::from_secs(between_lists),
            skew: SignedDuration::from_secs(skew),
        }
    }

    /// True when this bug is seeded.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// True when the world differs from the plain one in this.
    pub fn has(&self, circumstance: Circumstance) -> bool {
        self.circumstances.contains(&circumstance)
    }

    /// True when the operator may ask a person although it makes no mistake.
    pub fn needs_a_person(&self) -> bool {
        self.circumstances.iter().any(|circumstance| circumstance.needs_a_person())
    }

    /// True when packs also move between projects. They do when a fault happens at such a move, or when there are no
    /// faults.
    pub fn moves_packs(&self) -> bool {
        self.faults.is_empty() || self.faults.iter().any(|(fault, _)| fault.site.is_about_projects())
    }

    /// The project for which packs are bought; empty for none.
    pub fn project(&self) -> &'static str {
        if self.has(Circumstance::Unassigned) { "" } else { "cap-a" }
    }

    /// What an account with limits may spend in a day, in cents. It is enough to buy and renew two packs and to buy a
    /// third one while the first one still counts, with room for the renewals that are due.
    pub fn daily_limit_cents(&self) -> i64 {
        i64::from(self.quantity).saturating_mul(DAILY_CENTS).saturating_mul(7)
    }

    /// How much longer the operator may take to finish, because the cloud itself is slow.
    pub fn extra_time(&self) -> Duration {
        let seconds = |seconds: i64| Duration::from_secs(seconds.try_into().unwrap_or(0));
        let late_delivery = self.delivery.rest_after_seconds.map_or(Duration::ZERO, seconds);
        // Each step is visible only after the lag, and there are at most four steps between two goals.
        let lag = if self.has(Circumstance::Replicas) { MAX_LAG } else { self.lag.as_secs() };
        // A record of another process may lie in the future of a process whose clock is behind: until then none of its
        // own observations is newer.
        let clocks = seconds(self.skew.abs().as_secs()) * 2;
        // A renewal may have been planned by the later of two expiries.
        let between_lists = seconds(self.between_lists.abs().as_secs());
        seconds(lag) * 4 + late_delivery + clocks + between_lists
    }

    /// The expiry after one renewal from this one.
    pub fn expiry_after_renewal(&self, from: Timestamp) -> Timestamp {
        let unit = if self.has(Circumstance::Monthly) { PeriodUnit::Month } else { PeriodUnit::Day };
        Term { period: 1, unit }.end(from, &TimeZone::fixed(Offset::constant(8)))
    }
}
