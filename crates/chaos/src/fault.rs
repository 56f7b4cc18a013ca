//! Faults: at which effect of the operator, at which point of that effect, and what happens there.

use std::fmt;
use std::str::FromStr;

/// An effect of the operator: a call to the API server or to the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// The operator adds its finalizer to a pack.
    FinalizerAdd,
    /// The operator removes its finalizer from a pack or an order.
    FinalizerRemove,
    /// The intent of a purchase is written.
    IntentBuy,
    /// The intent of a renewal is written.
    IntentRenew,
    /// A pack's status names the project that the pack is about to be bound to.
    IntentRebind,
    /// The outcome of a purchase is written.
    ReceiptBuy,
    /// The outcome of a renewal is written.
    ReceiptRenew,
    /// A pack's status says that the pack is bound to its project.
    ReceiptRebind,
    /// Instances are bound to a project.
    Bind,
    /// Instances are unbound from a project.
    Unbind,
    /// The paid call of a purchase.
    Buy,
    /// The paid call of a renewal.
    Renew,
    /// CAR's own list is read.
    Describe,
    /// The renewal list is read.
    List,
    /// The cloud's list of deals is read.
    OrderQuery,
    /// Any other status is written.
    Status,
    /// The lease is taken or renewed.
    Lease,
}

/// The point of an effect at which a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// The call does not leave the process.
    NotSent,
    /// The call leaves, but the server does not execute it.
    NotExecuted,
    /// The server executes the call, but the answer is lost.
    ReplyLost,
    /// The answer arrives, but the next write to the API server fails.
    NotPersisted,
}

/// What happens at that point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The process is killed, and another one is started.
    Crash,
    /// The process is frozen and another one is started; the first one wakes up later.
    Zombie,
    /// No answer comes.
    Timeout,
    /// The connection breaks.
    Reset,
    /// A gateway answers with a 5xx status.
    ServerError,
    /// The server answers with status 429.
    TooManyRequests,
    /// The answer cannot be parsed.
    Garbage,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// The effect.
    pub site: Site,
    /// The point of the effect.
    pub point: Point,
    /// What happens.
    pub outcome: Outcome,
}

impl Site {
    /// All effects.
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

    /// How many occasions a fault may skip so that a pack's life still has one left.
    pub fn max_skipped(self) -> u32 {
        match self {
            Self::Describe | Self::List | Self::OrderQuery | Self::Status | Self::Lease => 3,
            _ => 0,
        }
    }

    /// True for effects that happen only when packs have a project.
    pub fn is_about_projects(self) -> bool {
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
    /// All points.
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
    /// All outcomes.
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
    /// All 476 faults.
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

/// The names that a text may use, for an error message.
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
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        Self::all().into_iter().find(|fault| fault.to_string() == text).ok_or_else(|| UnknownFault(text.to_owned()))
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
