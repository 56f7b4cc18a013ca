//! Who leads: a Lease in the operator's namespace, taken and renewed by compare-and-swap.
//!
//! A lease is not a fence: a process that was frozen may wake after it ran out. So the leader steps down on its own
//! monotonic clock, counted from before its last successful renewal was sent and well before others may take over, and
//! the margin is asked for again when a paid call is about to leave ([`LeaseGuard::check`]). The rules of money hold even
//! with two leaders.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::wall;
use crate::error::StepError;
use crate::kubernetes::{ANSWER, Kube, answer};

/// After a failed attempt the next one follows soon.
const RETRY: Duration = Duration::from_secs(1);

/// How the lease is held.
#[derive(Debug, Clone)]
pub struct LeaseSettings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who we are; unique to this process.
    pub identity: String,
    /// How long others wait for a silent leader.
    pub duration: Duration,
    /// How often it is renewed.
    pub renew_every: Duration,
    /// A leader that could not renew for so long steps down.
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
    /// This process led and does not any more. It never leads again.
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

    /// A leader for so long.
    #[cfg(test)]
    pub fn leading_for(margin: Duration) -> Self {
        let guard = Self::new();
        guard.extend(Some(Instant::now() + margin));
        guard.stand(Standing::Leading);
        guard
    }

    /// As if so much time had gone by.
    #[cfg(test)]
    pub fn pass(&self, time: Duration) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = until.and_then(|until| until.checked_sub(time));
    }

    /// What is left until this process steps down; zero when it does not lead.
    ///
    /// Others take over only later, by the difference of the lease's duration and the time of stepping down.
    pub fn remaining(&self) -> Duration {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Whether this process leads long enough for something that takes `needed`.
    ///
    /// # Errors
    /// When it does not: in words for a trail.
    pub fn check(&self, needed: Duration) -> Result<(), String> {
        let remaining = self.remaining();
        if remaining >= needed && self.standing() == Standing::Leading {
            return Ok(());
        }
        Err(format!("held back: leadership is sure for {remaining:.1?} more, and the call may take {needed:.1?}"))
    }

    /// True when this process leads now.
    pub fn leads(&self) -> bool {
        self.standing() == Standing::Leading && !self.remaining().is_zero()
    }

    /// Where this process stands.
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Changes whenever this process stands elsewhere.
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Resolves when this process led and does not any more.
    pub async fn lost(&self) {
        let mut changes = self.changes();
        // The sender lives in this very guard.
        let _ = changes.wait_for(|standing| *standing == Standing::Lost).await;
    }

    fn stand(&self, standing: Standing) {
        self.standing.send_if_modified(|old| {
            let changed = *old != standing;
            *old = standing;
            changed
        });
    }

    /// This process may act as the leader until then. For the elector, and for simulations that hold the lease without
    /// renewing it.
    pub fn extend(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Somebody else's lease.
struct Foreign {
    holder: String,
    version: String,
    /// Since when we have seen this version.
    since: Instant,
}

/// Takes the lease, renews it, and gives it back.
pub struct Elector {
    settings: LeaseSettings,
    api: Api<Lease>,
    guard: LeaseGuard,
    /// The lease as we wrote it last.
    ours: Option<Lease>,
    /// Somebody else's lease, as we have seen it last.
    foreign: Option<Foreign>,
}

impl Elector {
    /// An elector that has not tried yet.
    pub fn new(kube: &Kube, settings: LeaseSettings) -> Self {
        let api = Api::namespaced(kube.once.clone(), &settings.namespace);
        Self { settings, api, guard: LeaseGuard::new(), ours: None, foreign: None }
    }

    /// Says how long this process may act as the leader.
    pub fn guard(&self) -> LeaseGuard {
        self.guard.clone()
    }

    /// Stands for election until the lease is lost, or until `release`: then it is given back.
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
        // A leader waits for an answer no longer than it leads.
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

    /// Takes or renews the lease; false when another process holds it.
    async fn attempt(&mut self) -> Result<bool, StepError> {
        let known = match self.ours.take() {
            Some(lease) => Some(lease),
            None => answer("reading the lease", self.api.get_opt(&self.settings.name)).await?,
        };
        let written = match known {
            None => answer("creating the lease", self.api.create(&PostParams::default(), &self.first())).await?,
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

    /// A foreign lease has run out when *we* have seen it unchanged for its whole duration; its stamps are another clock's.
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

    fn first(&self) -> Lease {
        let metadata = ObjectMeta { name: Some(self.settings.name.clone()), ..ObjectMeta::default() };
        Lease { metadata, spec: Some(self.spec(None)) }
    }

    /// The lease as we want it, with the version we have seen.
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

    /// Gives the lease back, so that the next leader need not wait.
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
            Err(error) => tracing::warn!(%error, "the lease was not released: the next leader waits until it runs out"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: &str = "http://127.0.0.1:1";

    #[test]
    fn who_does_not_lead_has_no_margin() {
        let guard = LeaseGuard::new();
        assert!(guard.remaining().is_zero());
        assert!(guard.check(Duration::ZERO).is_err());
    }

    #[test]
    fn a_call_that_may_outlive_leadership_is_held_back() {
        let guard = LeaseGuard::leading_for(Duration::from_secs(5));
        assert!(guard.check(Duration::from_secs(1)).is_ok());
        assert!(guard.check(Duration::from_secs(6)).is_err());
        guard.stand(Standing::Lost);
        assert!(guard.check(Duration::from_secs(1)).is_err());
    }

    fn elector(api_server: &str, lease: Duration) -> Elector {
        let client = kube::Client::try_from(kube::Config::new(api_server.parse().unwrap())).unwrap();
        let kube = Kube { looks: client.clone(), once: client, own_namespace: "carpack-system".to_owned() };
        let settings = LeaseSettings {
            namespace: "carpack-system".to_owned(),
            name: "carpack".to_owned(),
            identity: "we".to_owned(),
            duration: lease,
            renew_every: lease / 3,
            step_down: lease / 2,
        };
        Elector::new(&kube, settings)
    }

    fn lease(holder: &str, version: &str) -> Lease {
        let spec = serde_json::json!({"holderIdentity": holder, "leaseDurationSeconds": 15,
            "renewTime": "2020-01-01T00:00:00.000000Z"});
        let metadata = serde_json::json!({"name": "carpack", "resourceVersion": version});
        serde_json::from_value(serde_json::json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    /// Time goes by without a sign of the other process.
    fn pass(elector: &mut Elector, seconds: u64) {
        let foreign = elector.foreign.as_mut().unwrap();
        foreign.since = foreign.since.checked_sub(Duration::from_secs(seconds)).unwrap();
    }

    #[tokio::test]
    async fn anothers_lease_is_taken_only_when_we_have_seen_it_unchanged_for_its_whole_duration() {
        let mut elector = elector(NOWHERE, Duration::from_secs(15));
        assert!(!elector.may_take(&lease("they", "1")), "its stamps are of another clock");
        pass(&mut elector, 14);
        assert!(!elector.may_take(&lease("they", "1")));
        assert!(!elector.may_take(&lease("they", "2")), "renewed");
        pass(&mut elector, 14);
        assert!(!elector.may_take(&lease("they", "2")));
        pass(&mut elector, 2);
        assert!(elector.may_take(&lease("they", "2")));
        assert!(elector.may_take(&lease("we", "3")) && elector.may_take(&lease("", "4")));
    }

    #[tokio::test]
    async fn a_lease_is_written_only_over_the_version_that_was_read() {
        let next = elector(NOWHERE, Duration::from_secs(15)).next(lease("they", "7"));
        assert_eq!(next.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(next.spec.unwrap().holder_identity.as_deref(), Some("we"));
    }

    #[tokio::test]
    async fn leadership_counts_from_before_the_request_however_late_its_answer_comes() {
        const LATE: Duration = Duration::from_millis(300);
        let slow = axum::Router::new().fallback(async |method: axum::http::Method, body: String| {
            sleep(LATE).await;
            let none = r#"{"metadata":{},"status":"Failure","message":"none","reason":"NotFound","code":404}"#;
            match method.as_str() {
                "GET" => (axum::http::StatusCode::NOT_FOUND, none.to_owned()),
                _ => (axum::http::StatusCode::OK, body),
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let tasks = crate::tasks::Tasks::default();
        tasks.spawn_background(async move { axum::serve(listener, slow).await.unwrap() });
        let mut elector = elector(&address, Duration::from_secs(20));
        elector.step().await;
        assert_eq!(elector.guard().standing(), Standing::Leading);
        assert!(elector.guard().remaining() <= Duration::from_secs(10) - 2 * LATE, "{:?}", elector.guard().remaining());
    }
}
