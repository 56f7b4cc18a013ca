//! What a decision about a pack depends on, and what comes of it.

use std::collections::BTreeSet;

use carpack_api::pack::ConcurrencyPackStatus;
use carpack_api::{ConcurrencyPack, Mode, PackOrder, PackOrderSpec, Reason};
use jiff::Timestamp;

use crate::account::Account;
use crate::facts::holdings::Traces;
use crate::facts::takeover::Holders;
use crate::observation::Observation;
use crate::{Event, Timing};

/// Everything that a decision about a pack depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The pack as the API server has it.
    pub pack: &'a ConcurrencyPack,
    /// All orders for its namespace and name, whatever UID they were for.
    pub orders: &'a [&'a PackOrder],
    /// Its account; none when there is no such CarAccount.
    pub account: Option<&'a Account>,
    /// The newest complete sweep of the account; none before the first one.
    pub observation: Option<&'a Observation>,
    /// What else holds the instances that the pack wants to take over; see [`holders`](crate::facts::takeover::holders).
    pub holders: &'a Holders,
    /// What other packs have on record; needed only while an instance carries the pack's name and is not on record as its own. See
    /// [`has_unrecorded_namesakes`](crate::facts::holdings::has_unrecorded_namesakes).
    pub ids_of_others: &'a BTreeSet<String>,
    /// The installation's step of the ladder.
    pub installation_mode: Mode,
    /// Namespace of the orders.
    pub operator_namespace: &'a str,
    /// When this process last changed something in the cloud for this pack: an older sweep proves nothing.
    pub last_change: Option<Timestamp>,
    /// The changes that the cloud refused, each until it succeeds.
    pub failures: &'a [ChangeFailure],
    /// Now.
    pub now: Timestamp,
    /// Intervals.
    pub timing: &'a Timing,
}

impl<'a> Input<'a> {
    /// What tells which instances are the pack's.
    pub(super) fn traces(&self) -> Traces<'a> {
        let Self { pack, orders, observation, ids_of_others, now, .. } = *self;
        Traces { pack, orders, observation, ids_of_others, now }
    }
}

/// A change in the cloud that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFailure {
    /// What was tried.
    pub change: Change,
    /// Category of the error.
    pub category: Reason,
    /// The error in words.
    pub message: String,
    /// Not tried again before this moment.
    pub retry_time: Timestamp,
    /// How often it was refused in a row.
    pub refusals: i32,
}

/// What to do, and what to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// At most one effect.
    pub effect: Option<Effect>,
    /// The whole new status.
    pub status: ConcurrencyPackStatus,
    /// Events to publish.
    pub events: Vec<Event>,
    /// When to decide again even if nothing happens; never in the past. None: only when something changes.
    pub wake_at: Option<Timestamp>,
    /// True when only a newer sweep of the account can bring it on.
    pub wants_sweep: bool,
}

/// The one effect of a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Put our finalizer on the pack, before anything else.
    AddFinalizer,
    /// Let the pack go.
    RemoveFinalizer,
    /// Create the order of this name; that it exists already is success.
    CreateOrder {
        /// Name of the order.
        name: String,
        /// Its spec.
        spec: Box<PackOrderSpec>,
    },
    /// Change something in the cloud that costs nothing.
    Change(Change),
}

/// A change in the cloud that costs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Bind instances to a project. The status already names the project as ours before this is carried out.
    Bind {
        /// Which instances.
        ids: Vec<String>,
        /// To which project.
        project: String,
    },
    /// Unbind instances from a project.
    Unbind {
        /// Which instances.
        ids: Vec<String>,
        /// From which project.
        project: String,
    },
    /// Rename an instance.
    Rename {
        /// Which instance.
        id: String,
        /// Its new name.
        name: String,
    },
    /// Set the cloud's own renewal switch of an instance.
    SetAutoRenew {
        /// Which instance.
        id: String,
        /// Its region.
        region: String,
        /// On or off.
        on: bool,
    },
}
