//! What to do next for a PackOrder, and how the outcome of a paid call is recorded.

mod approval;
mod decide;
mod evidence;
mod gate;
mod lines;
mod look;
mod report;

use std::collections::BTreeSet;

use carpack_api::order::LineStatus;
use carpack_api::{ConcurrencyPack, Mode, PackOrder, PackOrderStatus};
use jiff::{SignedDuration, Timestamp};

use crate::account::Account;
use crate::claim::Traces;
use crate::limits::Commitments;
use crate::observation::{DealsLook, Observation};
use crate::{Event, Timing};

pub use decide::decide;
pub(crate) use gate::{is_open, is_unresolved, not_granted, not_offered, opening, opens_at, paid_for};
pub use lines::{Outcome, adds_to, has_paid, intend, may_leave, settle};
pub(crate) use lines::{is_unpaid, last_call};
pub(crate) use look::{check_project, stands_already};
pub(crate) use report::{ABOUT_TO_BE_SENT, reason_of};

/// Begins the annotations by which a person settles a call; see [`settle_annotation`].
pub const SETTLE_ANNOTATION: &str = "carpack.io/settle-line-";

/// The annotation for a person's last word, `NotExecuted` or `Executed`, on a call whose outcome no evidence settles. It names
/// the line and the attempt: what was said of one call settles no other.
pub fn settle_annotation(line: &LineStatus) -> String {
    format!("{SETTLE_ANNOTATION}{}-attempt-{}", line.index, line.attempts)
}

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
    /// The newest look into the cloud's books for this order, if one was made.
    pub deals: Option<&'a DealsLook>,
    /// Ids of orders and instances in the cloud that the orders of other packs have recorded as theirs.
    pub elsewhere: &'a BTreeSet<String>,
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
    /// None once the pack is gone.
    fn traces(&self) -> Option<Traces<'a>> {
        let Self { siblings: orders, observation, now, .. } = *self;
        self.pack.map(|pack| Traces { pack, orders, observation, now })
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
    /// Look into the cloud's books for everything within this span.
    LookAtDeals {
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
