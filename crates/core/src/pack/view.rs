//! What all parts of a decision about a pack work with.

use carpack_api::Mode;
use carpack_api::order::OrderAction;
use carpack_api::pack::InstanceState;
use jiff::Timestamp;

use super::input::{Change, ChangeFailure, Input};
use super::orders;
use crate::condition::{PURCHASED, is_true};
use crate::facts::holdings::{Claimed, carrying, claimed, total};
use crate::facts::ledger::has_paid;
use crate::rules::case::{Case, CaseFacts};
use crate::rules::ladder::{MissingAccount, lowest};
use crate::rules::observation::observation_is_new_enough;

/// What all the parts of a decision work with.
pub(super) struct View<'a> {
    pub input: Input<'a>,
    pub namespace: &'a str,
    pub name: &'a str,
    /// The step of the ladder that counts.
    pub mode: Mode,
    /// What the rules examine: the whole pack, for its own term.
    pub case: Case<'a>,
    /// The usable instances that carry the pack.
    pub carrying: Vec<Claimed<'a>>,
    /// When the first of those expires.
    pub expiration: Option<Timestamp>,
    /// True when the observation is newer than our own last change, and not stale.
    pub fresh: bool,
}

impl<'a> View<'a> {
    pub fn new(input: Input<'a>) -> Self {
        Self::of(input, claimed(input.traces()))
    }

    /// A view in which these instances are the pack's, whatever is recorded.
    pub fn of(input: Input<'a>, claimed: Vec<Claimed<'a>>) -> Self {
        let pack = input.pack;
        let namespace = pack.metadata.namespace.as_deref().unwrap_or_default();
        let carrying: Vec<Claimed<'a>> = carrying(&claimed, pack.spec.quantity).into_iter().cloned().collect();
        let mode = lowest(input.installation_mode, input.account, Some(pack), MissingAccount::AllowsAll);
        let facts = CaseFacts {
            pack: Some(pack),
            namespace,
            orders: input.orders,
            recorded: None,
            line: None,
            account_name: &pack.spec.account_ref.name,
            account: input.account,
            billing_mode: pack.spec.billing_mode,
            quantity: pack.spec.quantity,
            duration: pack.spec.duration,
            mode,
            observation: input.observation,
            sweep_after: input.last_change,
            stale_after: input.timing.stale_after,
            ids_of_others: input.ids_of_others,
            holders: Some(input.holders),
            operator_namespace: input.operator_namespace,
            now: input.now,
            earliest_now: input.now,
        };
        let case = Case::new(facts, Some(claimed));
        Self {
            input,
            namespace,
            name: pack.metadata.name.as_deref().unwrap_or_default(),
            mode,
            expiration: carrying.iter().filter_map(|c| c.expiration).min(),
            carrying,
            fresh: observation_is_new_enough(&case).is_ok(),
            case,
        }
    }

    /// The pack's instances.
    pub fn claimed(&self) -> &[Claimed<'a>] {
        self.case.claimed()
    }

    pub fn usable(&self) -> impl Iterator<Item = &Claimed<'a>> {
        self.claimed().iter().filter(|c| c.state == InstanceState::Usable)
    }

    /// The refusal of this change, if the cloud has refused it.
    pub fn failure(&self, change: &Change) -> Option<&'a ChangeFailure> {
        self.input.failures.iter().find(|failure| failure.change == *change)
    }

    /// True when the cloud has refused this change, and it is too early to try it again.
    pub fn waits(&self, change: &Change) -> bool {
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

    /// The first of these changes that may be tried now; while all of them wait, the first. A refused change holds back none of the
    /// others.
    pub fn first_ready(&self, changes: Vec<Change>) -> Option<Change> {
        let ready = changes.iter().position(|change| !self.waits(change)).unwrap_or(0);
        changes.into_iter().nth(ready)
    }

    /// True when something was paid for, for this very object.
    pub fn purchased(&self) -> bool {
        let status = self.input.pack.status.as_ref();
        let recorded = status.is_some_and(|s| is_true(&s.conditions, PURCHASED) || !s.instances.is_empty());
        recorded || orders::own(&self.input, OrderAction::Buy).any(has_paid)
    }
}
