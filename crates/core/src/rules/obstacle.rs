//! What stands in the way of a spending act.

use carpack_api::Reason;

/// What stands in the way of a spending act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Why.
    pub reason: Reason,
    /// One sentence: what is wrong and what to do.
    pub message: String,
    /// What may become of it.
    pub outlook: Outlook,
}

/// What may become of an obstacle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It may pass.
    MayPass,
    /// Only a newer sweep of the account can tell whether it has passed.
    NeedsSweep,
    /// It does not pass: nothing was spent, and the same is not tried again.
    Rejected,
    /// The spending act is no longer wanted.
    Void,
}

impl Obstacle {
    pub(crate) fn wait(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), outlook: Outlook::MayPass }
    }

    pub(crate) fn needs_sweep(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), outlook: Outlook::NeedsSweep }
    }

    pub(crate) fn reject(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), outlook: Outlook::Rejected }
    }

    pub(crate) fn void(message: impl Into<String>) -> Self {
        Self { reason: Reason::Void, message: message.into(), outlook: Outlook::Void }
    }

    /// True when it ends a line: it will never be sent.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.outlook, Outlook::Rejected | Outlook::Void)
    }
}
