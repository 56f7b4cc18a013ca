//! Mistakes that operators of this kind have made, made here on purpose, in what stands around carpack's own code: in the
//! client of the API server, the client of the cloud, the clock, the lease, the settings. None of them is in anything
//! that is built or shipped. Each must be found out: rules that nothing can break say nothing.

use std::fmt;
use std::str::FromStr;

use crate::fault::names;

/// A mistake that is made on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sabotage {
    /// The token is made anew for each call.
    TokenPerCall,
    /// The token is a function of the process, not of the order.
    TokenPerProcess,
    /// An intent is acknowledged, and not written.
    IntentUnwritten,
    /// The intent is written only once the call is over.
    IntentAfterCall,
    /// Whoever writes last is right: versions are not looked at.
    NoVersions,
    /// Orders are read from a cache before money moves.
    CachedReads,
    /// A call without an answer counts as refused.
    SilenceIsRefusal,
    /// A call without an answer counts as carried out.
    SilenceIsSuccess,
    /// Every error of a paid call counts as a proof that nothing was spent.
    AnyErrorIsRefusal,
    /// A paid call is sent again by the transport when no answer came.
    TransportRetries,
    /// Each paid call is sent twice.
    SentTwice,
    /// An absence is believed at once.
    NoQuarantine,
    /// The lease is not looked at once a call is signed.
    NoMargin,
    /// A process that has led once leads for ever.
    NeverStepsDown,
    /// Of the lists only the first row is read.
    FirstRowOnly,
    /// A list that cannot be read counts as empty.
    UnreadIsEmpty,
    /// Looks show what was a quarter of an hour ago.
    OldLooks,
    /// The cloud's books are taken for empty.
    NoBooks,
    /// Instances have no names, so that nothing is recognised.
    NoNames,
    /// Of the instances of a pack only the first is renewed; the others are said to be.
    SecondInstanceSkipped,
    /// Expiries are read eight hours late.
    WrongZone,
    /// The operator's clock stands still.
    ClockStands,
    /// A process hears nothing of changes after its first list.
    Deaf,
    /// A binding is acknowledged, and not made.
    BindUnmade,
    /// Finalizers are not put on.
    NoFinalizer,
    /// What is deleted is gone at once, whatever finalizers hold it.
    CarelessFinalizer,
    /// A purchase is of one concurrency more than ordered.
    OneTooMany,
    /// A renewal is of twice the term.
    TwiceTheTerm,
}

impl Sabotage {
    /// All of them.
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
        Self::OldLooks,
        Self::NoBooks,
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
            Self::OldLooks => "old-looks",
            Self::NoBooks => "no-books",
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

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no sabotage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is no sabotage; there are: {}", .0, names(&Sabotage::ALL))]
pub struct NoSabotage(String);

impl FromStr for Sabotage {
    type Err = NoSabotage;

    fn from_str(text: &str) -> Result<Self, NoSabotage> {
        Self::ALL.into_iter().find(|act| act.name() == text).ok_or_else(|| NoSabotage(text.to_owned()))
    }
}
