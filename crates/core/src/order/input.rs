//! What a decision about an order depends on, and what comes of it.

use std::collections::BTreeSet;

use carpack_api::order::LineStatus;
use carpack_api::{ConcurrencyPack, Mode, PackOrder, PackOrderStatus};
use jiff::{SignedDuration, Timestamp};

use crate::account::Account;
use crate::facts::commitments::Commitments;
use crate::facts::ledger::{last_call, lines_of};
use crate::observation::{Deal, DealList, Observation};
use crate::rules::case::{Case, CaseFacts, Recorded};
use crate::rules::ladder::{MissingAccount, lowest};
use crate::time::plus;
use crate::{Event, Timing};

/// Everything that a decision about an order depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The order as the API server has it.
    pub order: &'a PackOrder,
    /// All orders for the same namespace and name, this one included.
    pub siblings: &'a [&'a PackOrder],
    /// Names of all orders that are there and cannot be read, because they were written under other rules.
    pub unreadable: &'a BTreeSet<String>,
    /// The pack, if it still exists under the same UID.
    pub pack: Option<&'a ConcurrencyPack>,
    /// The account; none when there is no such CarAccount.
    pub account: Option<&'a Account>,
    /// The newest complete sweep of the account.
    pub observation: Option<&'a Observation>,
    /// The newest list of the cloud's deals for this order, if one was read.
    pub deals: Option<&'a DealList>,
    /// Ids of orders and instances in the cloud that other packs and their orders have on record.
    pub ids_of_others: &'a BTreeSet<String>,
    /// What counts against the account's limits besides this order; empty when it has none.
    pub commitments: &'a Commitments,
    /// The installation's step of the ladder.
    pub installation_mode: Mode,
    /// Now.
    pub now: Timestamp,
    /// How far our clock is ahead of the cloud's; negative when it is behind. The call in doubt may
    /// have been signed by a process with another clock.
    pub clock_ahead: SignedDuration,
    /// Intervals.
    pub timing: &'a Timing,
}

impl<'a> Input<'a> {
    /// What the rules examine before a call of the order leaves.
    pub(super) fn case(&self) -> Case<'a> {
        let spec = &self.order.spec;
        let facts = CaseFacts {
            pack: self.pack,
            namespace: &spec.pack_ref.namespace,
            orders: self.siblings,
            recorded: Some(Recorded { order: self.order, unreadable: self.unreadable, commitments: self.commitments }),
            line: None,
            account_name: &spec.account_ref.name,
            account: self.account,
            billing_mode: spec.terms.billing_mode,
            quantity: spec.terms.quantity,
            duration: spec.terms.duration,
            mode: lowest(self.installation_mode, self.account, self.pack, MissingAccount::AllowsNothing),
            observation: self.observation,
            sweep_after: None,
            stale_after: self.timing.stale_after,
            ids_of_others: self.ids_of_others,
            holders: None,
            operator_namespace: self.order.metadata.namespace.as_deref().unwrap_or_default(),
            now: self.now,
            earliest_now: plus(self.now, self.clock_ahead.max(SignedDuration::ZERO).saturating_mul(-1)),
        };
        Case::new(facts, None)
    }

    /// True when an order of this pack, or another pack, has this deal on record.
    pub(super) fn has_on_record(&self, deal: &Deal) -> bool {
        let own = self.siblings.iter().flat_map(|order| lines_of(order)).flat_map(|line| &line.order_ids);
        own.chain(self.ids_of_others).any(|id| *id == deal.order_id)
    }

    /// An observation that began at this moment or earlier proves nothing about a line: it must be newer than the order, than the
    /// last call for the line or by another order of the pack, and than the moment since which nothing else holds the order. While
    /// the order was held, a person may have changed something in the console.
    pub(super) fn sweep_after(&self, line: &LineStatus, cleared: Option<Timestamp>) -> Timestamp {
        let others = self.siblings.iter().filter(|order| order.metadata.name != self.order.metadata.name);
        let calls = others.flat_map(|order| lines_of(order)).chain([line]);
        last_call(calls).into_iter().chain(cleared).fold(self.order.spec.decision_time.0, Timestamp::max)
    }
}

/// What to do, and what to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// At most one effect. It is carried out only when the status is already recorded as decided.
    pub effect: Option<Effect>,
    /// The whole new status.
    pub status: PackOrderStatus,
    /// Events to publish on the order.
    pub events: Vec<Event>,
    /// When to decide again even if nothing happens; never in the past. None: only when something changes.
    pub wake_at: Option<Timestamp>,
    /// True when only a newer sweep of the account can bring it on.
    pub wants_sweep: bool,
}

/// The one effect of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Put our finalizer on the order.
    AddFinalizer,
    /// Let the order go (it is settled and being deleted).
    RemoveFinalizer,
    /// Delete the order: it is settled, old, and not the newest of its action.
    Prune,
    /// Read the cloud's deals of this span.
    ReadDeals {
        /// Its start.
        since: Timestamp,
        /// Its end, which is still to come.
        until: Timestamp,
    },
    /// Make the paid call of this line: first write the intent ([`intend`]), then send, then record ([`settle`]).
    Submit {
        /// Index of the line.
        index: i32,
    },
}
