//! Who leads: a Lease in the operator's namespace, taken and renewed by compare-and-swap.
//!
//! A lease is not a fence: a frozen process may wake up after its lease expired. So the leader steps down by its own monotonic
//! clock, well before others may take over. It counts from the moment before its last successful renewal was sent. The margin
//! is checked again when a paid call is about to leave ([`LeaseGuard::check`]). The rules of money hold even with two leaders.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::runtime::clock::wall;
use crate::runtime::error::StepError;
use crate::runtime::kubernetes::{ANSWER, Kube, answer};

/// The wait after a failed attempt, at most.
const RETRY: Duration = Duration::from_secs(1);

/// How the lease is held.
#[derive(Debug, Clone)]
pub struct LeaseSettings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// The name of this process in the lease: unique to it.
    pub identity: String,
    /// How long others wait for a leader that does not renew.
    pub duration: Duration,
    /// How often the leader renews it.
    pub renew_every: Duration,
    /// After how long without a renewal the leader steps down.
    pub step_down: Duration,
}

/// Where this process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not known yet.
    Unknown,
    /// Another process leads.
    Standby,
    /// This process leads.
    Leading,
    /// This process led, and does not lead any more. It never leads again.
    Lost,
}

/// Says how long this process may still act as the leader.
#[derive(Debug, Clone)]
pub struct LeaseGuard {
    until: Arc<Mutex<Option<Instant>>>,
    standing: watch::Sender<Standing>,
}

impl LeaseGuard {
    fn new() -> Self {
        Self { until: Arc::default(), standing: watch::Sender::new(Standing::Unknown) }
    }

    /// The guard of a process that leads for so long.
    #[cfg(test)]
    pub fn leading_for(margin: Duration) -> Self {
        let guard = Self::new();
        guard.extend(Some(Instant::now() + margin));
        guard.stand(Standing::Leading);
        guard
    }

    /// Takes so much of the margin away, as if time had passed.
    #[cfg(test)]
    pub fn pass(&self, time: Duration) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = until.and_then(|until| until.checked_sub(time));
    }

    /// The time until this process steps down: zero when it does not lead. Others can take over only later, by the lease's
    /// duration less the time after which the leader steps down.
    pub fn remaining(&self) -> Duration {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Checks that this process leads for at least as long as `needed`.
    ///
    /// # Errors
    /// When it does not: in words for the trail of an order.
    pub fn check(&self, needed: Duration) -> Result<(), String> {
        let remaining = self.remaining();
        if remaining >= needed && self.standing() == Standing::Leading {
            return Ok(());
        }
        let (sure, needed) = (remaining.as_secs_f64(), needed.as_secs_f64());
        Err(format!("leadership is sure for {sure:.1} s more, and the call may take {needed:.1} s"))
    }

    /// True when this process leads now.
    pub fn leads(&self) -> bool {
        self.standing() == Standing::Leading && !self.remaining().is_zero()
    }

    /// Where this process stands.
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Changes whenever [`Self::standing`] changes.
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Resolves when this process has lost the lease.
    pub async fn lost(&self) {
        let mut changes = self.changes();
        // The sender is in this guard, so waiting cannot fail.
        let _ = changes.wait_for(|standing| *standing == Standing::Lost).await;
    }

    fn stand(&self, standing: Standing) {
        self.standing.send_if_modified(|old| {
            let changed = *old != standing;
            *old = standing;
            changed
        });
    }

    /// Sets until when this process may act as the leader. Only the elector calls it, and simulations that hold the lease
    /// without renewing it.
    pub fn extend(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// The lease of another process, as this process saw it last.
struct Foreign {
    holder: String,
    version: String,
    /// When this process first saw this version.
    since: Instant,
}

/// Takes the lease, renews it, and releases it.
pub struct Elector {
    settings: LeaseSettings,
    api: Api<Lease>,
    guard: LeaseGuard,
    /// The lease as this process wrote it last.
    ours: Option<Lease>,
    /// The lease of another process.
    foreign: Option<Foreign>,
}

impl Elector {
    /// An elector. Nothing is sent before [`Self::run`].
    pub fn new(kube: &Kube, settings: LeaseSettings) -> Self {
        let api = Api::namespaced(kube.once.clone(), &settings.namespace);
        Self { settings, api, guard: LeaseGuard::new(), ours: None, foreign: None }
    }

    /// The guard that says for how long this process may act as the leader.
    pub fn guard(&self) -> LeaseGuard {
        self.guard.clone()
    }

    /// Takes and renews the lease until it is lost, or until `release`: then it is released.
    pub async fn run(mut self, release: CancellationToken) {
        loop {
            let wait = self.step().await;
            if self.guard.standing() == Standing::Lost {
                return;
            }
            if release.run_until_cancelled(sleep(wait)).await.is_none() {
                return self.release().await;
            }
        }
    }

    /// One attempt; returns how long to wait for the next.
    async fn step(&mut self) -> Duration {
        let leading = self.guard.standing() == Standing::Leading;
        let before = Instant::now();
        // A leader waits for an answer only as long as it leads.
        let patience = if leading { ANSWER.min(self.guard.remaining()) } else { ANSWER };
        let attempt = match timeout(patience, self.attempt()).await {
            Ok(attempt) => attempt,
            Err(_) => {
                self.ours = None;
                Err(StepError::Timeout { step: "renewing the lease", after: patience })
            }
        };
        match attempt {
            Ok(true) => {
                self.guard.extend(Some(before + self.settings.step_down));
                if !leading {
                    tracing::info!(identity = self.settings.identity, "leading");
                }
                self.guard.stand(Standing::Leading);
                self.settings.renew_every
            }
            Ok(false) if leading => self.lose("another process holds the lease"),
            Ok(false) => {
                self.guard.stand(Standing::Standby);
                self.settings.renew_every.min(RETRY)
            }
            Err(error) => {
                tracing::warn!(%error, "the lease was not renewed");
                if leading && self.guard.remaining().is_zero() {
                    return self.lose("it could not be renewed in time");
                }
                let retry = self.settings.renew_every.min(RETRY);
                if leading { retry.min(self.guard.remaining()) } else { retry }
            }
        }
    }

    fn lose(&mut self, why: &str) -> Duration {
        tracing::error!(why, "the lease is lost: this process stops");
        self.guard.extend(None);
        self.guard.stand(Standing::Lost);
        Duration::ZERO
    }

    /// Takes or renews the lease. False when another process holds it.
    async fn attempt(&mut self) -> Result<bool, StepError> {
        let known = match self.ours.take() {
            Some(lease) => Some(lease),
            None => answer("reading the lease", self.api.get_opt(&self.settings.name)).await?,
        };
        let written = match known {
            None => answer("creating the lease", self.api.create(&PostParams::default(), &self.new_lease())).await?,
            Some(lease) if self.may_take(&lease) => {
                let next = self.next(lease);
                answer("renewing the lease", self.api.replace(&self.settings.name, &PostParams::default(), &next))
                    .await?
            }
            Some(_) => return Ok(false),
        };
        self.ours = Some(written);
        Ok(true)
    }

    /// The lease of another process has expired when *this* process has seen it unchanged for its whole duration. Its timestamps
    /// are of another clock and say nothing.
    fn may_take(&mut self, lease: &Lease) -> bool {
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
        if holder.is_empty() || holder == self.settings.identity {
            return true;
        }
        let version = lease.resource_version().unwrap_or_default();
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map_or(self.settings.duration, Duration::from_secs).max(self.settings.duration);
        if let Some(foreign) = self.foreign.as_ref().filter(|foreign| foreign.version == version) {
            return foreign.since.elapsed() > duration;
        }
        if self.foreign.as_ref().is_none_or(|foreign| foreign.holder != holder) {
            tracing::info!(holder, "another process leads");
        }
        self.foreign = Some(Foreign { holder: holder.to_owned(), version, since: Instant::now() });
        false
    }

    fn new_lease(&self) -> Lease {
        let metadata = ObjectMeta { name: Some(self.settings.name.clone()), ..ObjectMeta::default() };
        Lease { metadata, spec: Some(self.spec(None)) }
    }

    /// The lease held by this process, with the version that was read.
    fn next(&self, lease: Lease) -> Lease {
        Lease { spec: Some(self.spec(lease.spec.as_ref())), ..lease }
    }

    fn spec(&self, old: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(wall());
        let held = old.filter(|old| old.holder_identity.as_deref() == Some(self.settings.identity.as_str()));
        let transitions = old.and_then(|old| old.lease_transitions).unwrap_or(0);
        LeaseSpec {
            acquire_time: held.and_then(|held| held.acquire_time.clone()).or_else(|| Some(now.clone())),
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: i32::try_from(self.settings.duration.as_secs()).ok(),
            lease_transitions: Some(if held.is_some() || old.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    /// Releases the lease, so that the next leader need not wait.
    async fn release(mut self) {
        self.guard.extend(None);
        self.guard.stand(Standing::Standby);
        let Some(mut lease) = self.ours.take() else { return };
        if let Some(spec) = lease.spec.as_mut() {
            spec.holder_identity = None;
            spec.renew_time = Some(MicroTime(wall()));
        }
        match answer("releasing the lease", self.api.replace(&self.settings.name, &PostParams::default(), &lease)).await
        {
            Ok(_) => tracing::info!("the lease is released"),
            Err(error) => tracing::warn!(%error, "the lease was not released: the next leader waits until it expires"),
        }
    }
}

#[cfg(test)]
mod tests;
