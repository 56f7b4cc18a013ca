//! What stands between the operator and its servers: latency, outages, lost calls, slow watches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::World;
use super::cloud::STORM;
use super::lock::lock;
use crate::circumstance::Circumstance;

/// How long every list of the cloud fails with [`Circumstance::Blind`].
const LISTS_FAIL: Duration = Duration::from_secs(600);

impl World {
    /// How long a call takes.
    pub fn latency(&self) -> Duration {
        self.random.between(1, 6)
    }

    /// How long it takes until a process sees a change.
    pub fn watch_lag(&self) -> Duration {
        self.random.between(1, if self.plan.has(Circumstance::SlowWatch) { 3000 } else { 20 })
    }

    /// The API server goes down, or comes up again.
    pub fn set_api_down(&self, down: bool) {
        *lock(&self.api_down) = down;
        tracing::info!(down, "API server");
    }

    /// True while the API server is down.
    pub fn is_api_down(&self) -> bool {
        *lock(&self.api_down)
    }

    /// True when the cloud refuses this call because there are too many.
    pub fn is_refused_by_storm(&self) -> bool {
        self.plan.has(Circumstance::Storm) && self.began.elapsed() < STORM && self.random.chance(2)
    }

    /// A paid call leaves. With [`Circumstance::Blind`], the lists of the cloud fail from now on.
    pub fn paid_call_left(self: &Arc<Self>) {
        let mut until = lock(&self.lists_fail_until);
        if self.plan.has(Circumstance::Blind) && until.is_none() {
            *until = Some(Instant::now() + LISTS_FAIL);
            self.spawn_incident(sleep(LISTS_FAIL));
        }
    }

    /// True while the lists of the cloud fail.
    pub fn lists_fail(&self) -> bool {
        lock(&self.lists_fail_until).is_some_and(|until| Instant::now() < until)
    }

    /// After how long a lost paid call arrives at the cloud after all; none: never.
    pub fn late_arrival(&self) -> Option<Duration> {
        let arrives = self.plan.has(Circumstance::Stray) && self.random.chance(2);
        arrives.then(|| self.random.between(1000, 299_000))
    }
}
