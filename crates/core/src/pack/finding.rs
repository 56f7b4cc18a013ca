//! What one concern of a pack (purchase, assignment, renewal) has to say.

use carpack_api::{Mode, Reason};
use jiff::Timestamp;

use super::input::Effect;
use crate::condition::{PURCHASED, Verdict, verdict};
use crate::rules::case::{Case, Rule};
use crate::rules::obstacle::{Obstacle, Outlook};

/// How the column NEXT begins where a mode only reports.
pub(super) fn nothing_but(mode: Mode) -> String {
    format!("nothing (mode {mode}): would ")
}

/// Asks these rules one after another, and reports the first obstacle as the rule's row says.
///
/// # Errors
/// When one of the rules does not hold: what the pack reports.
pub(super) fn check(kind: &'static str, case: &Case<'_>, rules: &[(Rule, Progress)]) -> Result<(), Box<Finding>> {
    rules.iter().try_for_each(|(rule, progress)| {
        rule(case).map_err(|obstacle| Box::new(Finding::of(kind, *progress, obstacle)))
    })
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

    /// What a pack reports of an obstacle.
    pub fn of(kind: &'static str, progress: Progress, obstacle: Obstacle) -> Self {
        let finding = Self::new(kind, progress, obstacle.reason, obstacle.message);
        match obstacle.outlook {
            Outlook::NeedsSweep => finding.wants_sweep(),
            Outlook::MayPass | Outlook::Rejected | Outlook::Void => finding,
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

    /// Held back by a mode that only reports: it says what would be done.
    pub fn only_reports(kind: &'static str, mode: Mode, what: &str) -> Self {
        let reason = if mode == Mode::Observe { Reason::Observing } else { Reason::DryRun };
        Self::held(kind, reason, format!("mode {mode}: would {what}")).next(format!("{}{what}", nothing_but(mode)))
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
