//! Schedules: what is to happen in a world, as a short text from which it happens again the same way.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use carpack_simulator::Delivery;
use carpack_simulator::term::{PeriodUnit, Term};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::clock::BEGIN;
use crate::fault::{Fault, Site};

/// What the cloud does with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// A call with a known token is answered as the first one was.
    Honoured,
    /// They mean nothing.
    Ignored,
    /// Honoured for so many seconds.
    Expire(i64),
}

/// Faults one after the other, and the seed of everything that is left to chance. Seed 0 leaves out whatever else could
/// go wrong: then the faults alone do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schedule {
    /// The faults, in order.
    pub faults: Vec<Fault>,
    /// The seed.
    pub seed: u64,
}

/// What is to happen in a world.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The faults in order, each with how many occasions it lets pass.
    pub faults: Vec<(Fault, u32)>,
    /// The seed of what is left to chance.
    pub luck: u64,
    /// When it begins.
    pub begin: Timestamp,
    /// Concurrencies of each pack.
    pub quantity: i32,
    /// Monthly packs instead of Daily ones.
    pub monthly: bool,
    /// Renewed by successors instead of extended.
    pub replace: bool,
    /// What the cloud does with tokens.
    pub tokens: Tokens,
    /// How far lists and books lag behind.
    pub lag: SignedDuration,
    /// How purchases are delivered.
    pub delivery: Delivery,
    /// So many times the renewal list misses a row: it moved between two pages while they were read.
    pub missed_rows: u32,
    /// Paid calls that nobody waits for may arrive later.
    pub stray: bool,
    /// How long it takes until a process sees a change, at most.
    pub watch_lag: u64,
}

impl Plan {
    /// What a schedule stands for.
    pub fn of(schedule: &Schedule) -> Self {
        let luck = luck(schedule);
        let mut random = SmallRng::seed_from_u64(luck);
        let mut faults = Vec::new();
        for fault in &schedule.faults {
            faults.push((*fault, random.random_range(0..=fault.site.spare())));
        }
        let mut one_in = |n: u32| schedule.seed > 0 && random.random_range(0..n) == 0;
        let (ignored, expiring, monthly, replace) = (one_in(2), one_in(4), one_in(4), one_in(3));
        // Where packs are replaced, nothing is renewed.
        let renews = |site| matches!(site, Site::IntentRenew | Site::Renew | Site::ReceiptRenew);
        let replace = replace && !schedule.faults.iter().any(|fault| renews(fault.site));
        let (lagging, partial, shifting, stray, slow) = (one_in(4), one_in(6), one_in(6), one_in(2), one_in(5));
        let tokens = match (ignored, expiring) {
            (true, _) => Tokens::Ignored,
            (false, true) => Tokens::Expire(600),
            (false, false) => Tokens::Honoured,
        };
        let quantity = if schedule.seed == 0 { 3 } else { random.random_range(1..=3) };
        let lag = SignedDuration::from_secs(if lagging { random.random_range(1..=110) } else { 0 });
        let first = partial.then(|| random.random_range(0..i64::from(quantity)));
        let rest_after_seconds = partial.then(|| random.random_range(5..=300));
        Self {
            faults,
            luck,
            begin: BEGIN.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            quantity,
            monthly,
            replace,
            tokens,
            lag,
            delivery: Delivery { first, rest_after_seconds, fails: false },
            missed_rows: if shifting { random.random_range(1..=3) } else { 0 },
            stray,
            watch_lag: if slow { 3000 } else { 20 },
        }
    }

    /// True when packs are moved too: only where a fault waits for it.
    pub fn moves(&self) -> bool {
        let about_moves = |site| matches!(site, Site::IntentRebind | Site::ReceiptRebind | Site::Bind | Site::Unbind);
        self.faults.is_empty() || self.faults.iter().any(|(fault, _)| about_moves(fault.site))
    }

    /// How much longer than else it may take to settle, because the cloud itself takes its time.
    pub fn allowance(&self) -> Duration {
        let seconds = |seconds: i64| Duration::from_secs(seconds.try_into().unwrap_or(0));
        // A step is seen only after the lag, and a life has at most four steps between two looks at it.
        seconds(self.lag.as_secs()) * 4 + self.delivery.rest_after_seconds.map_or(Duration::ZERO, seconds)
    }

    /// The expiry after a renewal from this one.
    pub fn renewed(&self, from: Timestamp) -> Timestamp {
        let unit = if self.monthly { PeriodUnit::Month } else { PeriodUnit::Day };
        Term { period: 1, unit }.end(from, &TimeZone::fixed(Offset::constant(8)))
    }
}

/// FNV-1a over the schedule's text: the same on every machine.
fn luck(schedule: &Schedule) -> u64 {
    schedule
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        write!(f, "{}@{}", faults.join("+"), self.seed)
    }
}

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no schedule: write fault+fault@seed, such as buy/reply-lost/crash+lease/not-sent/zombie@7")]
pub struct NoSchedule(String);

impl FromStr for Schedule {
    type Err = NoSchedule;

    fn from_str(text: &str) -> Result<Self, NoSchedule> {
        let wrong = || NoSchedule(text.to_owned());
        let (faults, seed) = text.rsplit_once('@').ok_or_else(wrong)?;
        let faults = faults.split('+').filter(|name| !name.is_empty()).map(str::parse).collect::<Result<_, _>>();
        Ok(Self { faults: faults.map_err(|_| wrong())?, seed: seed.parse().map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        for text in ["@0", "buy/reply-lost/crash@3", "buy/reply-lost/crash+lease/not-sent/zombie@7"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        assert!("buy/reply-lost/crash".parse::<Schedule>().is_err());
        assert!("buy/crash@1".parse::<Schedule>().is_err());
    }
}
