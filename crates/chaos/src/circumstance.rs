//! Circumstances: what else is different in a world, besides its faults.

use std::fmt;
use std::str::FromStr;

use crate::fault::names;

/// Something that differs from the plain world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Circumstance {
    /// The cloud ignores tokens.
    TokensIgnored,
    /// The cloud forgets a token after two minutes: before any quarantine is over.
    TokensExpire,
    /// The cloud honours tokens, and the account says so.
    TokensKnown,
    /// Packs are billed by the month.
    Monthly,
    /// The schedule begins at the end of a month.
    MonthEnd,
    /// Packs are renewed by successors.
    Replace,
    /// Lists and deals lag by up to 110 s.
    Lag,
    /// Lists and deals lag by 2 to 15 minutes. That may be longer than the quarantine, so that only tokens help.
    LongLag,
    /// Each list may come from a replica that is up to 110 s behind: an instance that was listed once may disappear and
    /// come back.
    Replicas,
    /// A frozen process stays frozen for 8 to 12 minutes: longer than any quarantine.
    LongFreeze,
    /// The same, but its machine is suspended too: the process does not notice that its lease has expired.
    Suspended,
    /// A person deletes orders at any moment.
    OrdersDeleted,
    /// Purchases are delivered in two parts, the second up to five minutes later.
    Partial,
    /// The cloud binds or unbinds only the first of several instances, and reports an error.
    PartialBind,
    /// The renewal list misses rows, because they moved between pages. CAR's own list, which replaces it then, shows
    /// expiries that differ by up to ten minutes.
    MissedRows,
    /// CAR's own list shows the count of an instance only every other time.
    FewCounts,
    /// A paid call that was lost may arrive up to five minutes later.
    Stray,
    /// Watches report changes up to three seconds late.
    SlowWatch,
    /// The watches of a process report nothing for up to 65 s, then list again.
    DeafWatch,
    /// Watches report each change twice.
    RepeatedEvents,
    /// The clocks of the operator's processes are wrong by up to four minutes.
    Skew,
    /// The operator's clock is wrong by an hour or a day, until somebody sets it two minutes later.
    WrongClock,
    /// The account has no money for up to 200 s.
    Poor,
    /// For ten minutes the cloud refuses half of all calls with "too many requests".
    Storm,
    /// The API server is down for up to two minutes.
    ApiOutage,
    /// Packs have no project.
    Unassigned,
    /// A person renames, unbinds and binds instances in the console.
    Console,
    /// A person edits the pack's name and its maximum price.
    Edits,
    /// The operator is stopped in order and started again, three times.
    Rollout,
    /// A second process stands by from the beginning.
    Standby,
    /// Every order waits for a person's approval.
    Approval,
    /// The operator is down when a renewal is due.
    Outage,
    /// A neighbour has a pack in the same account.
    Neighbour,
    /// The pack is deleted and created again under its name while it is being bought.
    Recreated,
    /// The first purchase is charged, but never delivered.
    Undelivered,
    /// The account's time zone is missing or wrong.
    OtherZone,
    /// A neighbour spends from the same account, which has limits and a brake. Both packs fit in, and nothing more.
    Limits,
    /// Deleted packs are returned, and a person approves.
    Returned,
    /// Monthly packs that the cloud itself renews, and that lapse when they are deleted.
    AutoRenew,
    /// Somebody has renewed some of the instances in the console when the renewal is due.
    ByHand,
    /// Lists and deals lag by 2 to 8 minutes, tokens are ignored, and the account wants a person to be asked about
    /// calls without a trace.
    Cautious,
    /// After the first paid call every list fails for ten minutes.
    Blind,
    /// Packs take over instances that were bought by hand, and for a while another pack names the same instances.
    Adopted,
}

impl Circumstance {
    /// All circumstances.
    pub const ALL: [Self; 43] = [
        Self::TokensIgnored,
        Self::TokensExpire,
        Self::TokensKnown,
        Self::Monthly,
        Self::MonthEnd,
        Self::Replace,
        Self::Lag,
        Self::LongLag,
        Self::Replicas,
        Self::LongFreeze,
        Self::Suspended,
        Self::OrdersDeleted,
        Self::Partial,
        Self::PartialBind,
        Self::MissedRows,
        Self::FewCounts,
        Self::Stray,
        Self::SlowWatch,
        Self::DeafWatch,
        Self::RepeatedEvents,
        Self::Skew,
        Self::WrongClock,
        Self::Poor,
        Self::Storm,
        Self::ApiOutage,
        Self::Unassigned,
        Self::Console,
        Self::Edits,
        Self::Rollout,
        Self::Standby,
        Self::Approval,
        Self::Outage,
        Self::Neighbour,
        Self::Recreated,
        Self::Undelivered,
        Self::OtherZone,
        Self::Limits,
        Self::Returned,
        Self::AutoRenew,
        Self::ByHand,
        Self::Cautious,
        Self::Blind,
        Self::Adopted,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::TokensIgnored => "tokens-ignored",
            Self::TokensExpire => "tokens-expire",
            Self::TokensKnown => "tokens-known",
            Self::Monthly => "monthly",
            Self::MonthEnd => "month-end",
            Self::Replace => "replace",
            Self::Lag => "lag",
            Self::LongLag => "long-lag",
            Self::Replicas => "replicas",
            Self::LongFreeze => "long-freeze",
            Self::Suspended => "suspended",
            Self::OrdersDeleted => "orders-deleted",
            Self::Partial => "partial",
            Self::PartialBind => "partial-bind",
            Self::MissedRows => "missed-rows",
            Self::FewCounts => "few-counts",
            Self::Stray => "stray",
            Self::SlowWatch => "slow-watch",
            Self::DeafWatch => "deaf-watch",
            Self::RepeatedEvents => "repeated-events",
            Self::Skew => "skew",
            Self::WrongClock => "wrong-clock",
            Self::Poor => "poor",
            Self::Storm => "storm",
            Self::ApiOutage => "api-outage",
            Self::Unassigned => "unassigned",
            Self::Console => "console",
            Self::Edits => "edits",
            Self::Rollout => "rollout",
            Self::Standby => "standby",
            Self::Approval => "approval",
            Self::Outage => "outage",
            Self::Neighbour => "neighbour",
            Self::Recreated => "recreated",
            Self::Undelivered => "undelivered",
            Self::OtherZone => "other-zone",
            Self::Limits => "limits",
            Self::Returned => "returned",
            Self::AutoRenew => "auto-renew",
            Self::ByHand => "by-hand",
            Self::Cautious => "cautious",
            Self::Blind => "blind",
            Self::Adopted => "adopted",
        }
    }

    /// True when the operator may ask a person although it makes no mistake.
    pub fn needs_a_person(self) -> bool {
        matches!(self, Self::Recreated | Self::Undelivered | Self::Outage | Self::Cautious)
    }
}

impl fmt::Display for Circumstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no circumstance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is no circumstance; there are: {}", .0, names(&Circumstance::ALL))]
pub struct UnknownCircumstance(String);

impl FromStr for Circumstance {
    type Err = UnknownCircumstance;

    fn from_str(text: &str) -> Result<Self, UnknownCircumstance> {
        Self::ALL
            .into_iter()
            .find(|circumstance| circumstance.name() == text)
            .ok_or_else(|| UnknownCircumstance(text.to_owned()))
    }
}
