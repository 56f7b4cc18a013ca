//! The journal: what has happened in a world. The oracle writes it and judges by it.

use std::hash::{DefaultHasher, Hash, Hasher};

use carpack_api::order::OrderAction;
use jiff::Timestamp;

use crate::rule::{Breach, Rule};

/// A charge, and what it was for.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The name of the order object.
    pub order: String,
    /// The name of the pack. A pack that is created again under its name still counts as the same one.
    pub pack: String,
    /// What was paid.
    pub action: OrderAction,
    /// For a renewal: the instance (none for a successor), and the expiry that the order's line names.
    pub renews: Option<(Option<String>, Timestamp)>,
    /// The token of the call.
    pub token: String,
    /// The id of the cloud's order.
    pub order_id: String,
}

/// A paid call that has left a process and may still be executed.
#[derive(Debug, Clone)]
pub struct PaidCall {
    /// The number of the process.
    pub process: usize,
    /// The token of the call.
    pub token: String,
    /// The UID of the pack.
    pub pack_uid: String,
    /// When the call was signed.
    pub signed: Timestamp,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Journal {
    /// The paid calls that are on their way.
    pub in_flight: Vec<PaidCall>,
    /// All charges.
    pub charges: Vec<Charge>,
    /// All breaches.
    pub breaches: Vec<Breach>,
    /// The number of paid calls.
    pub paid_calls: usize,
    /// The number of writes to the API server, without those to the lease.
    pub writes: usize,
    digest: DefaultHasher,
}

impl Journal {
    /// A number for everything that was noted. Two runs of one schedule have the same number.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// Adds something that happened to the digest.
    pub fn note(&mut self, at: Timestamp, what: &str) {
        (at.as_millisecond(), what).hash(&mut self.digest);
    }

    /// Adds a breach of a rule.
    pub fn breach(&mut self, rule: Rule, what: impl Into<String>) {
        let breach = Breach { rule, what: what.into() };
        tracing::error!(%breach, "BREACH");
        self.breaches.push(breach);
    }
}
