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
use crate::fault::{Fault, NoFault};
use crate::sabotage::{NoSabotage, Sabotage};
use crate::trouble::{NoTrouble, Trouble};

/// Days after which a month later is another day than it seems.
const MONTH_ENDS: [&str; 5] = [
    "2027-01-31T02:00:00Z",
    "2027-01-30T17:30:00Z",
    "2028-01-31T15:59:30Z",
    "2026-12-31T15:59:50Z",
    "2027-03-31T16:00:10Z",
];

/// What one concurrency costs for a day.
const DAILY_CENTS: i64 = 10_500;

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

/// What is to happen in a world, in short: its faults one after the other, what else is different from the plain world,
/// and the seed of everything that is left to chance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schedule {
    /// The faults, in order.
    pub faults: Vec<Fault>,
    /// What else.
    pub troubles: Vec<Trouble>,
    /// The mistake that is made on purpose, if one is.
    pub sabotage: Option<Sabotage>,
    /// The seed.
    pub seed: u64,
}

/// What is to happen in a world.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The faults in order, each with how many occasions it lets pass.
    pub faults: Vec<(Fault, u32)>,
    /// What else is different.
    pub troubles: Vec<Trouble>,
    /// The mistake that is made on purpose, if one is.
    pub sabotage: Option<Sabotage>,
    /// The seed of what is left to chance.
    pub luck: u64,
    /// When it begins.
    pub begin: Timestamp,
    /// Concurrencies of each pack.
    pub quantity: i32,
    /// What the cloud does with tokens.
    pub tokens: Tokens,
    /// How far lists and books lag behind.
    pub lag: SignedDuration,
    /// How purchases are delivered.
    pub delivery: Delivery,
    /// So many times the renewal list misses a row.
    pub missed_rows: u32,
    /// How much later CAR's own list dates an expiry than the renewal list.
    pub between_lists: SignedDuration,
    /// How far the operator's clock is ahead of the cloud's.
    pub skew: SignedDuration,
}

impl Plan {
    /// What a schedule stands for.
    pub fn of(schedule: &Schedule) -> Self {
        let luck = luck(schedule);
        let mut random = SmallRng::seed_from_u64(luck);
        let has = |trouble| schedule.troubles.contains(&trouble);
        let faults = schedule.faults.iter().map(|fault| (*fault, random.random_range(0..=fault.site.spare())));
        let faults = faults.collect();
        let tokens = match (has(Trouble::TokensIgnored), has(Trouble::TokensExpire)) {
            (true, _) => Tokens::Ignored,
            (false, true) => Tokens::Expire(120),
            (false, false) => Tokens::Honoured,
        };
        // What is renewed by hand in part has parts.
        let three = schedule.seed.is_multiple_of(2) || has(Trouble::ByHand);
        let quantity = if three { 3 } else { random.random_range(1..=3) };
        let mut within = |trouble, low: i64, high: i64| if has(trouble) { random.random_range(low..=high) } else { 0 };
        let (lag, long_lag) = (within(Trouble::Lag, 1, LAG), within(Trouble::LongLag, LAG + 1, 900));
        let cautious = within(Trouble::Cautious, LAG + 1, 480);
        let (lag, missed_rows) = (lag + long_lag + cautious, within(Trouble::MissedRows, 1, 3));
        let between_lists = within(Trouble::MissedRows, -600, 600);
        let skew = within(Trouble::Skew, -240, 240);
        let (first, rest) = (within(Trouble::Partial, 0, i64::from(quantity) - 1), within(Trouble::Partial, 5, 300));
        let begin = within(Trouble::MonthEnd, 1, i64::try_from(MONTH_ENDS.len()).unwrap_or(1));
        let begin = usize::try_from(begin).ok().and_then(|n| MONTH_ENDS.get(n.wrapping_sub(1))).unwrap_or(&BEGIN);
        let partial = has(Trouble::Partial);
        Self {
            faults,
            troubles: schedule.troubles.clone(),
            sabotage: schedule.sabotage,
            luck,
            begin: begin.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            quantity,
            tokens,
            lag: SignedDuration::from_secs(lag),
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

    /// True when this mistake is made on purpose.
    pub fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    /// True when this is different from the plain world.
    pub fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    /// True when something happens that leaves a person something to do, however well everything goes.
    pub fn needs_a_person(&self) -> bool {
        self.troubles.iter().any(|trouble| trouble.needs_a_person())
    }

    /// True when packs are moved too: only where a fault waits for it.
    pub fn moves(&self) -> bool {
        self.faults.is_empty() || self.faults.iter().any(|(fault, _)| fault.site.is_about_moves())
    }

    /// The project into which packs are bought; empty for none.
    pub fn project(&self) -> &'static str {
        if self.has(Trouble::Unassigned) { "" } else { "cap-a" }
    }

    /// What an account with limits may spend in a day, in cents: two packs are bought and renewed, a third is bought while the
    /// first is still paid for, and renewals that are due keep their room.
    pub fn most_a_day(&self) -> i64 {
        i64::from(self.quantity).saturating_mul(DAILY_CENTS).saturating_mul(7)
    }

    /// How much longer than else it may take to settle, because the cloud itself takes its time.
    pub fn allowance(&self) -> Duration {
        let seconds = |seconds: i64| Duration::from_secs(seconds.try_into().unwrap_or(0));
        // A step is seen only after the lag, and a life has at most four steps between two looks at it.
        let late = self.delivery.rest_after_seconds.map_or(Duration::ZERO, seconds);
        // What a predecessor wrote lies in the future of a process whose clock is behind: no look of its own is newer yet.
        let behind = if self.has(Trouble::Replicas) { LAG } else { self.lag.as_secs() };
        // A renewal may have been planned by the later of two dates.
        let dated = seconds(self.between_lists.abs().as_secs());
        seconds(behind) * 4 + late + seconds(self.skew.abs().as_secs()) * 2 + dated
    }

    /// The expiry after a renewal from this one.
    pub fn renewed(&self, from: Timestamp) -> Timestamp {
        let unit = if self.has(Trouble::Monthly) { PeriodUnit::Month } else { PeriodUnit::Day };
        Term { period: 1, unit }.end(from, &TimeZone::fixed(Offset::constant(8)))
    }
}

/// How far lists and books lag behind at most, in seconds.
pub const LAG: i64 = 110;

/// FNV-1a over the schedule's text: the same on every machine.
fn luck(schedule: &Schedule) -> u64 {
    // What is broken on purpose happens in the very same world.
    let schedule = Schedule { sabotage: None, ..schedule.clone() };
    schedule
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        f.write_str(&faults.join("+"))?;
        self.troubles.iter().try_for_each(|trouble| write!(f, "~{trouble}"))?;
        self.sabotage.iter().try_for_each(|sabotage| write!(f, "!{sabotage}"))?;
        write!(f, "@{}", self.seed)
    }
}

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no schedule: {why}; write fault+fault~trouble!sabotage@seed, such as buy/reply-lost/crash+lease/not-sent/zombie~lag@7"
)]
pub struct NoSchedule {
    text: String,
    why: String,
}

impl FromStr for Schedule {
    type Err = NoSchedule;

    fn from_str(text: &str) -> Result<Self, NoSchedule> {
        let wrong = |why: String| NoSchedule { text: text.to_owned(), why };
        let (rest, seed) = text.rsplit_once('@').ok_or_else(|| wrong("it has no @seed".to_owned()))?;
        let seed = seed.parse().map_err(|_| wrong(format!("the seed {seed:?} is no number")))?;
        let (rest, sabotage) = match rest.split_once('!') {
            Some((rest, name)) => (rest, Some(name.parse().map_err(|error: NoSabotage| wrong(error.to_string()))?)),
            None => (rest, None),
        };
        let mut parts = rest.split('~');
        let faults = parts.next().unwrap_or_default().split('+').filter(|name| !name.is_empty()).map(str::parse);
        let faults = faults.collect::<Result<_, NoFault>>().map_err(|error| wrong(error.to_string()))?;
        let troubles = parts.map(str::parse).collect::<Result<_, NoTrouble>>();
        let troubles = troubles.map_err(|error| wrong(error.to_string()))?;
        Ok(Self { faults, troubles, sabotage, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        for text in [
            "@0",
            "buy/reply-lost/crash@3",
            "~lag~replace@1",
            "~lag!no-quarantine@2",
            "buy/reply-lost/crash+lease/not-sent/zombie~stray@7",
        ] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        assert!("buy/reply-lost/crash".parse::<Schedule>().is_err());
        assert!("buy/crash@1".parse::<Schedule>().is_err());
        assert!("~boredom@1".parse::<Schedule>().is_err());
    }
}
