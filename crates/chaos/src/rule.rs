//! The rules that every schedule is judged by.

use std::fmt;

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// I1: one order was charged twice, or two orders were charged for the same thing.
    DoubleCharge,
    /// More was paid than the order says.
    Overpaid,
    /// I2: one expiry was renewed twice.
    RepeatedRenewal,
    /// I3: no object points to a charge or to an instance.
    LostPack,
    /// I4: a paid call without a recorded intent.
    NoIntent,
    /// A process made a paid call while another one held the lease.
    NotLeader,
    /// I5: an order was released although the outcome of one of its calls was unknown.
    ReleasedUnresolved,
    /// I6: a write without the resource version that it is based on.
    UnversionedWrite,
    /// I7: a renewal came too late, or never.
    MissedRenewal,
    /// I8: two paid calls for one pack at the same time.
    ConcurrentCalls,
    /// A person was asked although no circumstance explains it.
    NeedlessQuestion,
    /// The operator did not finish in time after the last fault.
    NotSettled,
    /// Something was written or paid although nothing had happened.
    NotIdle,
    /// Something panicked, or the schedule could not be run.
    Panic,
}

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}
