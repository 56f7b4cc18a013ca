//! The outcome of a paid call: Committed, Rejected or Unknown; never "failed".

use std::sync::Arc;

use crate::error::{CallError, Category};

/// Asked after signing and immediately before a paid request leaves; `Err(reason)` keeps it from being sent.
pub type BeforeSend = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is known of a paid call once it is over.
#[derive(Debug)]
pub enum Outcome<T> {
    /// The cloud says it is done and paid (or accepted and paid, delivery to follow).
    Committed(T),
    /// Proven not executed: a code of the allow-list, or a failure before the request was sent.
    Rejected(CallError),
    /// Anything else: the money may be gone. Never to be read as a failure.
    Unknown(CallError),
    /// Paid and not delivered (`FailedOperation.PaySuccDeliverFailed`): never buy again.
    PaidNotDelivered(CallError),
}

impl<T> Outcome<T> {
    /// The error's category, for reasons and labels; none when committed.
    pub fn category(&self) -> Option<Category> {
        match self {
            Self::Committed(_) => None,
            Self::Rejected(error) | Self::Unknown(error) | Self::PaidNotDelivered(error) => Some(error.category()),
        }
    }
}
