//! What counts against the limits of an account: what it has spent, has under way, and will need for renewals.

use carpack_api::{Money, PackOrder};
use jiff::Timestamp;

use super::ledger::name_of;

/// What an account has spent, has under way, and will need for renewals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commitments {
    pub(crate) entries: Vec<Commitment>,
    /// Of every purchase and return, sent or not: its namespace, and when it was decided.
    pub(crate) decisions: Vec<(String, Timestamp)>,
    /// When they were gathered.
    pub(crate) now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commitment {
    /// Namespace of the pack.
    pub namespace: String,
    /// How much.
    pub amount: Money,
    /// When it was, or will be, spent.
    pub at: Timestamp,
    /// What it is.
    pub kind: Kind,
}

impl Commitment {
    /// True when it is what this order has spent.
    pub fn is_of(&self, order: &PackOrder) -> bool {
        matches!(&self.kind, Kind::Spent { order: name, .. } if name == name_of(order))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By the order of this name: paid, or so far on its way that it may be.
    Spent { order: String, purchase: bool },
    /// A renewal to come.
    Due,
}
