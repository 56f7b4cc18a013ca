//! What one concern of a pack (purchase, assignment, renewal) has to say.

use carpack_api::Mode;
use carpack_api::Reason;
use jiff::Timestamp;

use super::Effect;
use crate::condition::{PURCHASED, Verdict, verdict};

/// How the column NEXT begins where a mode only looks.
pub(super) fn nothing_but(mode: Mode) -> String {
    format!("nothing (mode {mode:?}): would ")
}

/// How far one concern is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// As it should be.
    Good,
    /// On its way, by itself.
    Working,
    /// Held back on purpose; a person may let it go.
    Held,
    /// A person is needed.
    Stuck,
    /// Over, as planned.
    Ended,
    /// Not known.
    Unsure,
}

/// What one concern (purchase, assignment, renewal) has to say.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub kind: &'static str,
    pub progress: Progress,
    pub reason: Reason,
    pub message: String,
    pub effect: Option<Effect>,
    pub next: Option<String>,
    pub wake: Option<Timestamp>,
    pub renewal: Option<Timestamp>,
    pub wants_sweep: bool,
}

impl Finding {
    fn new(kind: &'static str, progress: Progress, reason: Reason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            kind,
            progress,
            reason,
            message,
            effect: None,
            next: None,
            wake: None,
            renewal: None,
            wants_sweep: false,
        }
    }
    pub fn good(kind: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Good, reason, message)
    }
    pub fn working(kind: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Working, reason, message)
    }
    pub fn held(kind: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Held, reason, message)
    }
    /// Held back by a mode that only looks, which says what it would do.
    pub fn only_looks(kind: &'static str, mode: Mode, what: &str) -> Self {
        let reason = if mode == Mode::Observe { Reason::Observing } else { Reason::DryRun };
        Self::held(kind, reason, format!("mode {mode:?}: would {what}")).next(format!("{}{what}", nothing_but(mode)))
    }
    pub fn stuck(kind: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Stuck, reason, message)
    }
    pub fn unsure(kind: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Unsure, reason, message)
    }
    pub fn ended(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(PURCHASED, Progress::Ended, reason, message)
    }
    pub fn about(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
    pub fn wake(mut self, at: Timestamp) -> Self {
        self.wake = Some(at);
        self
    }
    pub fn renewal(mut self, at: Timestamp) -> Self {
        self.renewal = Some(at);
        self
    }
    pub fn wants_sweep(mut self) -> Self {
        self.wants_sweep = true;
        self
    }

    pub fn verdict(&self) -> Verdict {
        let status = match self.progress {
            Progress::Good => Some(true),
            Progress::Unsure => None,
            Progress::Working | Progress::Held | Progress::Stuck | Progress::Ended => Some(false),
        };
        verdict(self.kind, status, self.reason, self.message.clone())
    }
}
