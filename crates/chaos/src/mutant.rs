//! Mutants: bugs that operators of this kind have had. Each is seeded into what stands around carpack's own code: the
//! client of the API server, the client of the cloud, the clock, the lease, the settings. None of them is in anything
//! that is built or shipped. Each must be detected: an oracle that detects nothing proves nothing.

use std::fmt;
use std::str::FromStr;

use crate::fault::names;

/// A seeded bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// Each call has a token of its own.
    TokenPerCall,
    /// The token is derived from the process, not from the order.
    TokenPerProcess,
    /// The write of an intent is acknowledged, but nothing is stored.
    IntentUnwritten,
    /// The intent is stored only after the call.
    IntentAfterCall,
    /// The last write wins: resource versions are not compared.
    NoVersions,
    /// The read of an order before money moves is answered from a cache.
    CachedReads,
    /// A call without an answer counts as rejected.
    SilenceIsRefusal,
    /// A call without an answer counts as executed.
    SilenceIsSuccess,
    /// Every error of a paid call counts as a proof that nothing was charged.
    AnyErrorIsRefusal,
    /// The transport sends a paid call again when no answer came.
    TransportRetries,
    /// Each paid call is sent twice.
    SentTwice,
    /// There is no quarantine: an absence is believed at once.
    NoQuarantine,
    /// The lease is not checked after a call is signed.
    NoMargin,
    /// A process that has led once leads for ever.
    NeverStepsDown,
    /// Only the first row of a list is read.
    FirstRowOnly,
    /// A list that cannot be read counts as empty.
    UnreadIsEmpty,
    /// Lists show the state of 15 minutes ago.
    StaleLists,
    /// The cloud's list of deals is always empty.
    NoDeals,
    /// Instances have no names, so no purchase is recognised by its name.
    NoNames,
    /// Only the first instance of a pack is renewed; the renewal of the others is only acknowledged.
    SecondInstanceSkipped,
    /// Expiries are read eight hours too late.
    WrongZone,
    /// The operator's clock stands still.
    ClockStands,
    /// The watches of a process report nothing after their first list.
    Deaf,
    /// A binding is acknowledged, but not made.
    BindUnmade,
    /// The write of a finalizer is acknowledged, but nothing is stored.
    NoFinalizer,
    /// A deleted object is removed at once, whatever finalizers it has.
    CarelessFinalizer,
    /// A purchase buys one concurrency more than ordered.
    OneTooMany,
    /// A renewal is for twice the term.
    TwiceTheTerm,
}

impl Mutant {
    /// All mutants.
    pub const ALL: [Self; 28] = [
        Self::TokenPerCall,
        Self::TokenPerProcess,
        Self::IntentUnwritten,
        Self::IntentAfterCall,
        Self::NoVersions,
        Self::CachedReads,
        Self::SilenceIsRefusal,
        Self::SilenceIsSuccess,
        Self::AnyErrorIsRefusal,
        Self::TransportRetries,
        Self::SentTwice,
        Self::NoQuarantine,
        Self::NoMargin,
        Self::NeverStepsDown,
        Self::FirstRowOnly,
        Self::UnreadIsEmpty,
        Self::StaleLists,
        Self::NoDeals,
        Self::NoNames,
        Self::SecondInstanceSkipped,
        Self::WrongZone,
        Self::ClockStands,
        Self::Deaf,
        Self::BindUnmade,
        Self::NoFinalizer,
        Self::CarelessFinalizer,
        Self::OneTooMany,
        Self::TwiceTheTerm,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::TokenPerCall => "token-per-call",
            Self::TokenPerProcess => "token-per-process",
            Self::IntentUnwritten => "intent-unwritten",
            Self::IntentAfterCall => "intent-after-call",
            Self::NoVersions => "no-versions",
            Self::CachedReads => "cached-reads",
            Self::SilenceIsRefusal => "silence-is-refusal",
            Self::SilenceIsSuccess => "silence-is-success",
            Self::AnyErrorIsRefusal => "any-error-is-refusal",
            Self::TransportRetries => "transport-retries",
            Self::SentTwice => "sent-twice",
            Self::NoQuarantine => "no-quarantine",
            Self::NoMargin => "no-margin",
            Self::NeverStepsDown => "never-steps-down",
            Self::FirstRowOnly => "first-row-only",
            Self::UnreadIsEmpty => "unread-is-empty",
            Self::StaleLists => "stale-lists",
            Self::NoDeals => "no-deals",
            Self::NoNames => "no-names",
            Self::SecondInstanceSkipped => "second-instance-skipped",
            Self::WrongZone => "wrong-zone",
            Self::ClockStands => "clock-stands",
            Self::Deaf => "deaf",
            Self::BindUnmade => "bind-unmade",
            Self::NoFinalizer => "no-finalizer",
            Self::CarelessFinalizer => "careless-finalizer",
            Self::OneTooMany => "one-too-many",
            Self::TwiceTheTerm => "twice-the-term",
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no mutant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is no mutant; there are: {}", .0, names(&Mutant::ALL))]
pub struct UnknownMutant(String);

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(text: &str) -> Result<Self, UnknownMutant> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == text).ok_or_else(|| UnknownMutant(text.to_owned()))
    }
}
