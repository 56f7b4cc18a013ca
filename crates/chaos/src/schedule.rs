//! Schedules: what is to happen in a world, as a short text. The same text always gives the same run.

use std::fmt;
use std::str::FromStr;

use crate::circumstance::{Circumstance, UnknownCircumstance};
use crate::fault::{Fault, UnknownFault};
use crate::mutant::{Mutant, UnknownMutant};

/// What is to happen in a world, in short.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schedule {
    /// The faults, in the order in which they happen.
    pub faults: Vec<Fault>,
    /// What differs from the plain world.
    pub circumstances: Vec<Circumstance>,
    /// The bug that is seeded, if any.
    pub mutant: Option<Mutant>,
    /// Everything that is random is derived from this number.
    pub seed: u64,
}

impl Schedule {
    /// The seed of the random generator: FNV-1a of the schedule's text, so it is the same on every machine. The mutant
    /// is left out: a seeded bug happens in the same world as the schedule without it.
    pub fn rng_seed(&self) -> u64 {
        let schedule = Self { mutant: None, ..self.clone() };
        let text = schedule.to_string();
        text.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        f.write_str(&faults.join("+"))?;
        self.circumstances.iter().try_for_each(|circumstance| write!(f, "~{circumstance}"))?;
        self.mutant.iter().try_for_each(|mutant| write!(f, "!{mutant}"))?;
        write!(f, "@{}", self.seed)
    }
}

/// A text that is no valid schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no schedule: {why}; write fault+fault~circumstance!mutant@seed, such as buy/reply-lost/crash+lease/not-sent/zombie~lag@7"
)]
pub struct InvalidSchedule {
    text: String,
    why: String,
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let wrong = |why: String| InvalidSchedule { text: text.to_owned(), why };
        let (rest, seed) = text.rsplit_once('@').ok_or_else(|| wrong("it has no @seed".to_owned()))?;
        let seed = seed.parse().map_err(|_| wrong(format!("the seed {seed:?} is no number")))?;
        let (rest, mutant) = match rest.split_once('!') {
            Some((rest, name)) => (rest, Some(name.parse().map_err(|error: UnknownMutant| wrong(error.to_string()))?)),
            None => (rest, None),
        };
        let mut parts = rest.split('~');
        let faults = parts.next().unwrap_or_default().split('+').filter(|name| !name.is_empty()).map(str::parse);
        let faults = faults.collect::<Result<_, UnknownFault>>().map_err(|error| wrong(error.to_string()))?;
        let circumstances = parts.map(str::parse).collect::<Result<_, UnknownCircumstance>>();
        let circumstances = circumstances.map_err(|error| wrong(error.to_string()))?;
        Ok(Self { faults, circumstances, mutant, seed })
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
