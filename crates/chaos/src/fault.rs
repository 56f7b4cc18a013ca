//! Faults: at which effect, at which point of it, and what happens there.

use std::fmt;
use std::str::FromStr;

/// An effect of the operator on the world outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// Our finalizer is put on a pack.
    FinalizerAdd,
    /// Our finalizer is taken off a pack or an order.
    FinalizerRemove,
    /// The intent to buy is written.
    IntentBuy,
    /// The intent to renew is written.
    IntentRenew,
    /// That a project is about to be ours is written.
    IntentRebind,
    /// What came of a purchase is written.
    ReceiptBuy,
    /// What came of a renewal is written.
    ReceiptRenew,
    /// That a pack has arrived in its project is written.
    ReceiptRebind,
    /// Instances are bound to a project.
    Bind,
    /// Instances are unbound from a project.
    Unbind,
    /// Money leaves for a purchase.
    Buy,
    /// Money leaves for a renewal.
    Renew,
    /// CAR's own list is read.
    Describe,
    /// The renewal list is read.
    List,
    /// The cloud's books are read.
    OrderQuery,
    /// Any other status is written.
    Status,
    /// The lease is taken or renewed.
    Lease,
}

/// How far an effect has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// It does not leave the process.
    NotSent,
    /// It leaves, and nobody carries it out.
    NotExecuted,
    /// It is carried out, and the answer is lost.
    ReplyLost,
    /// The answer arrives; what follows is that the next write to the API server fails.
    NotPersisted,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The process is killed; another one is started.
    Crash,
    /// The process is frozen; another one is started, and the first wakes up later.
    Zombie,
    /// No answer comes.
    Timeout,
    /// The connection breaks.
    Reset,
    /// A gateway answers 5xx.
    ServerError,
    /// 429.
    TooManyRequests,
    /// The answer is no answer.
    Garbage,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// Where.
    pub site: Site,
    /// When.
    pub point: Point,
    /// What.
    pub outcome: Outcome,
}

impl Site {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::FinalizerAdd,
        Self::FinalizerRemove,
        Self::IntentBuy,
        Self::IntentRenew,
        Self::IntentRebind,
        Self::ReceiptBuy,
        Self::ReceiptRenew,
        Self::ReceiptRebind,
        Self::Bind,
        Self::Unbind,
        Self::Buy,
        Self::Renew,
        Self::Describe,
        Self::List,
        Self::OrderQuery,
        Self::Status,
        Self::Lease,
    ];

    /// How many occasions of a life a fault may let pass, and there is still one left.
    pub fn spare(self) -> u32 {
        match self {
            Self::Describe | Self::List | Self::OrderQuery | Self::Status | Self::Lease => 3,
            _ => 0,
        }
    }

    /// True for what happens only where packs have a project.
    pub fn is_about_moves(self) -> bool {
        matches!(self, Self::IntentRebind | Self::ReceiptRebind | Self::Bind | Self::Unbind)
    }

    fn name(self) -> &'static str {
        match self {
            Self::FinalizerAdd => "finalizer-add",
            Self::FinalizerRemove => "finalizer-remove",
            Self::IntentBuy => "intent-buy",
            Self::IntentRenew => "intent-renew",
            Self::IntentRebind => "intent-rebind",
            Self::ReceiptBuy => "receipt-buy",
            Self::ReceiptRenew => "receipt-renew",
            Self::ReceiptRebind => "receipt-rebind",
            Self::Bind => "bind",
            Self::Unbind => "unbind",
            Self::Buy => "buy",
            Self::Renew => "renew",
            Self::Describe => "describe",
            Self::List => "list",
            Self::OrderQuery => "order-query",
            Self::Status => "status",
            Self::Lease => "lease",
        }
    }
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NotSent, Self::NotExecuted, Self::ReplyLost, Self::NotPersisted];

    fn name(self) -> &'static str {
        match self {
            Self::NotSent => "not-sent",
            Self::NotExecuted => "not-executed",
            Self::ReplyLost => "reply-lost",
            Self::NotPersisted => "not-persisted",
        }
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Crash,
        Self::Zombie,
        Self::Timeout,
        Self::Reset,
        Self::ServerError,
        Self::TooManyRequests,
        Self::Garbage,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Zombie => "zombie",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::ServerError => "5xx",
            Self::TooManyRequests => "429",
            Self::Garbage => "garbage",
        }
    }
}

impl Fault {
    /// All 476 of them.
    pub fn all() -> Vec<Self> {
        let points = |site| Point::ALL.into_iter().map(move |point| (site, point));
        let outcomes = |(site, point)| Outcome::ALL.into_iter().map(move |outcome| Self { site, point, outcome });
        Site::ALL.into_iter().flat_map(points).flat_map(outcomes).collect()
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.site.name(), self.point.name(), self.outcome.name())
    }
}

/// What may be written, in words.
pub(crate) fn names<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{:?} is no fault: write site/point/outcome, such as buy/reply-lost/crash; there are: {}; {}; {}",
    .0,
    names(&Site::ALL),
    names(&Point::ALL),
    names(&Outcome::ALL)
)]
pub struct NoFault(String);

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        Self::all().into_iter().find(|fault| fault.to_string() == text).ok_or_else(|| NoFault(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_476_faults_and_each_is_read_as_it_is_written() {
        let all = Fault::all();
        assert_eq!(all.len(), 476);
        let names: BTreeSet<String> = all.iter().map(Fault::to_string).collect();
        assert_eq!(names.len(), 476);
        for fault in all {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        assert!("buy/reply-lost/boredom".parse::<Fault>().is_err());
    }
}
