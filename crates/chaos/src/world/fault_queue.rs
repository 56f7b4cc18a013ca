//! The faults of a schedule: those that are still to come, and those that have happened.

use crate::fault::{Fault, Outcome, Point, Site};

/// The faults of a schedule. One after the other waits for its occasion.
#[derive(Debug, Default)]
pub struct FaultQueue {
    /// The faults that are still to come, each with the number of occasions that it skips.
    pending: Vec<(Fault, u32)>,
    /// The number of faults that have happened.
    happened: usize,
    /// What happens to the next write of this process to the API server: the second half of a fault at
    /// [`Point::NotPersisted`].
    next_write: Option<(usize, Outcome)>,
}

impl FaultQueue {
    /// These faults, in this order.
    pub fn new(pending: Vec<(Fault, u32)>) -> Self {
        Self { pending, ..Self::default() }
    }

    /// True when every fault has happened.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.next_write.is_none()
    }

    /// The number of faults that have happened completely.
    pub fn happened(&self) -> usize {
        self.happened.saturating_sub(usize::from(self.next_write.is_some()))
    }

    /// The fault that happens at this effect, if it is that fault's turn.
    pub fn take_at(&mut self, site: Site) -> Option<(Point, Outcome)> {
        let (fault, skip) = self.pending.first_mut().filter(|_| self.next_write.is_none())?;
        if fault.site != site {
            return None;
        }
        if *skip > 0 {
            *skip = skip.saturating_sub(1);
            return None;
        }
        let fault = *fault;
        self.pending.remove(0);
        self.happened = self.happened.saturating_add(1);
        Some((fault.point, fault.outcome))
    }

    /// The next write of this process fails.
    pub fn fail_next_write(&mut self, process: usize, outcome: Outcome) {
        self.next_write = Some((process, outcome));
    }

    /// What happens to this write because of [`Self::fail_next_write`].
    pub fn take_at_write(&mut self, process: usize) -> Option<Outcome> {
        let (_, outcome) = self.next_write.take_if(|(of, _)| *of == process)?;
        Some(outcome)
    }
}
