//! What all the parts of a decision about a pack look at.

use carpack_api::Mode;
use carpack_api::order::OrderAction;
use carpack_api::pack::InstanceState;
use jiff::Timestamp;

use super::{Change, ChangeFailure, Input, orders};
use crate::claim::{Claimed, carrying, claimed, total};
use crate::condition::{PURCHASED, is_true};
use crate::order::has_paid;

/// What all the parts of a decision look at.
pub(super) struct View<'a> {
    pub input: Input<'a>,
    pub namespace: &'a str,
    pub name: &'a str,
    /// The lowest step of the ladder.
    pub mode: Mode,
    pub claimed: Vec<Claimed<'a>>,
    /// The usable instances that carry the pack.
    pub carrying: Vec<Claimed<'a>>,
    /// When the first of those expires.
    pub expiration: Option<Timestamp>,
    /// True when the newest sweep is young, and newer than our own last change.
    pub fresh: bool,
}

impl<'a> View<'a> {
    pub fn new(input: Input<'a>) -> Self {
        Self::of(input, claimed(input.traces()))
    }

    /// The same, as if these instances were the pack's.
    pub fn of(input: Input<'a>, claimed: Vec<Claimed<'a>>) -> Self {
        let carrying: Vec<Claimed<'a>> = carrying(&claimed, input.pack.spec.quantity).into_iter().cloned().collect();
        let account = input.account.map_or(Mode::Automatic, |a| a.spec.mode);
        let fresh = input
            .observation
            .is_some_and(|o| input.last_change.is_none_or(|change| o.started > change) && !is_stale(&input, o.started));
        Self {
            namespace: input.pack.metadata.namespace.as_deref().unwrap_or_default(),
            name: input.pack.metadata.name.as_deref().unwrap_or_default(),
            mode: input.installation_mode.min(account).min(input.pack.spec.mode),
            expiration: carrying.iter().filter_map(|c| c.expiration).min(),
            claimed,
            carrying,
            fresh,
            input,
        }
    }

    pub fn usable(&self) -> impl Iterator<Item = &Claimed<'a>> {
        self.claimed.iter().filter(|c| c.state == InstanceState::Usable)
    }

    /// How this change was refused, if it was.
    pub fn failure(&self, change: &Change) -> Option<&'a ChangeFailure> {
        self.input.failures.iter().find(|failure| failure.change == *change)
    }

    /// True when this change was refused, and it is too early to try it again.
    pub fn rests(&self, change: &Change) -> bool {
        self.failure(change).is_some_and(|failure| failure.retry_time > self.input.now)
    }

    /// Concurrencies of the usable instances.
    pub fn usable_concurrencies(&self) -> i32 {
        total(self.usable())
    }

    /// Concurrencies of the usable instances that are bound as declared: those of a successor join them.
    pub fn bound_concurrencies(&self) -> i32 {
        let declared = self.input.pack.spec.project.as_deref();
        total(self.usable().filter(|c| declared.is_some() && c.project() == declared))
    }

    /// The first of these that may be tried now; while all of them rest, the first. One that is refused holds back none
    /// of the others.
    pub fn first_awake(&self, changes: Vec<Change>) -> Option<Change> {
        let awake = changes.iter().position(|change| !self.rests(change)).unwrap_or(0);
        changes.into_iter().nth(awake)
    }

    /// True when something was paid for, for this very object.
    pub fn purchased(&self) -> bool {
        let status = self.input.pack.status.as_ref();
        let recorded = status.is_some_and(|s| is_true(&s.conditions, PURCHASED) || !s.instances.is_empty());
        recorded || orders::own(&self.input, OrderAction::Buy).any(has_paid)
    }
}

pub(super) fn is_stale(input: &Input<'_>, seen: Timestamp) -> bool {
    input.now.duration_since(seen) >= input.timing.stale_after
}
