//! The handle of a process of the operator.

use std::sync::Arc;
use std::time::Duration;

use carpack::runtime::lease::LeaseGuard;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::run_state::RunState;

/// Longer than a schedule lasts after all faults.
pub const LONGER_THAN_A_SCHEDULE: Duration = Duration::from_secs(24 * 3600);

/// A process of the operator, as the world holds it. [`crate::process::start`] makes it.
pub struct Process {
    /// Whether it runs.
    pub run_state: Arc<RunState>,
    /// Whether its leader election runs. It can be frozen alone.
    pub election: Arc<RunState>,
    /// Its view of the lease.
    pub guard: LeaseGuard,
    /// Cancelled when the process is told to stop in order, as by SIGTERM.
    pub stop: CancellationToken,
}

impl Process {
    /// True while it leads.
    pub fn leads(&self) -> bool {
        self.guard.leads()
    }

    /// How much longer it would lead if it could not renew its lease.
    pub fn lease_left(&self) -> Duration {
        self.guard.remaining()
    }

    /// Makes it believe that it leads for so long.
    pub fn lead_for(&self, time: Duration) {
        self.guard.extend(Some(Instant::now() + time));
    }

    /// If it leads, it leads from now on without renewing its lease. If it does not lead, it is killed.
    pub fn keep_leading_or_die(&self) {
        if self.guard.leads() {
            self.election.freeze();
            self.lead_for(LONGER_THAN_A_SCHEDULE);
        } else {
            self.run_state.kill();
        }
    }
}

/// The identity of a process in the lease.
pub fn identity(process: usize) -> String {
    format!("operator-{process}")
}
