//! One world: an API server, a cloud, a clock, the processes of the operator, and the faults that are still to come.
//!
//! This is state. What acts on it stands above: [`crate::process`], [`crate::incidents`] and [`crate::timeline`];
//! [`crate::oracle`] judges it.
#![allow(clippy::disallowed_methods)] // tasks of the world belong to no process

pub mod clock;
pub mod cloud;
pub mod fault_queue;
pub mod journal;
pub mod lock;
pub mod objects;
pub mod process;
pub mod random;
pub mod run_state;

mod clocks;
mod cloud_behaviour;
mod network;
mod processes;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use carpack_fake_api_server::ApiServer;
use carpack_simulator::state::State;
use jiff::SignedDuration;
use tokio::time::Instant;

use self::clock::WallClock;
use self::fault_queue::FaultQueue;
use self::journal::Journal;
use self::lock::lock;
use self::objects::Objects;
use self::process::Process;
use self::random::Random;
use crate::circumstance::Circumstance;
use crate::plan::Plan;

/// The operator's namespace.
pub const TREASURY: &str = "carpack-system";
/// The packs' namespace.
pub const TENANT: &str = "events";
/// How long the operator needs to ask a second time about a call that left no trace: a second quarantine.
const SECOND_QUARANTINE: Duration = Duration::from_secs(480);

/// Starts the process with this number.
pub type StartProcess = fn(&Arc<World>, usize) -> Process;

/// One world.
pub struct World {
    /// What is to happen in it.
    pub plan: Plan,
    /// The cloud's clock.
    pub clock: Arc<WallClock>,
    /// The API server.
    pub api: Arc<ApiServer>,
    /// The objects of the API server, parsed.
    pub objects: Objects,
    /// The random generator.
    pub random: Random,
    start_process: StartProcess,
    cloud: Mutex<State>,
    faults: Mutex<FaultQueue>,
    journal: Mutex<Journal>,
    processes: Mutex<Vec<Process>>,
    began: Instant,
    last_disturbance: Mutex<Instant>,
    /// How often the renewal list has missed a row.
    missed_rows: Mutex<u32>,
    /// True once nothing goes wrong any more.
    calm: Mutex<bool>,
    /// True once a person has renamed an instance that no order names yet: it can no longer be recognised.
    unrecognisable: Mutex<bool>,
    /// How far the operator's clock is ahead of the cloud's.
    skew: Mutex<SignedDuration>,
    /// True while the API server is down.
    api_down: Mutex<bool>,
    /// Until when every list of the cloud fails; none before that has begun.
    lists_fail_until: Mutex<Option<Instant>>,
    /// The number of incidents that are under way.
    incidents: Mutex<u32>,
}

/// The world's cloud could not be made, which is a bug in this crate.
#[derive(Debug, thiserror::Error)]
#[error("the world could not be made: {0}")]
pub struct NoWorld(String);

/// An incident that is under way; it ends when this is dropped.
pub struct Incident(Arc<World>);

impl Drop for Incident {
    fn drop(&mut self) {
        *lock(&self.0.incidents) -= 1;
        self.0.disturb();
    }
}

impl World {
    /// A world in which nothing has happened yet. Its processes are started by `start_process`.
    ///
    /// # Errors
    /// When its cloud cannot be made.
    pub fn new(plan: Plan, start_process: StartProcess) -> Result<Arc<Self>, NoWorld> {
        let clock = Arc::new(WallClock::new(plan.begin));
        let cloud = cloud::new_cloud(&plan, clock.now()).map_err(NoWorld)?;
        let time = Arc::clone(&clock);
        let api = Arc::new(ApiServer::new(Arc::new(move || time.now())));
        let (random, skew) = (Random::new(plan.rng_seed), plan.skew);
        Ok(Arc::new(Self {
            faults: Mutex::new(FaultQueue::new(plan.faults.clone())),
            plan,
            clock,
            objects: Objects::new(Arc::clone(&api)),
            api,
            random,
            start_process,
            cloud: Mutex::new(cloud),
            journal: Mutex::default(),
            processes: Mutex::default(),
            began: Instant::now(),
            last_disturbance: Mutex::new(Instant::now()),
            missed_rows: Mutex::new(0),
            calm: Mutex::new(false),
            unrecognisable: Mutex::new(false),
            skew: Mutex::new(skew),
            api_down: Mutex::new(false),
            lists_fail_until: Mutex::new(None),
            incidents: Mutex::new(0),
        }))
    }

    /// The cloud, as it is now.
    pub fn cloud(&self) -> MutexGuard<'_, State> {
        let mut cloud = lock(&self.cloud);
        cloud.advance_to(self.clock.now());
        cloud
    }

    /// The faults.
    pub fn faults(&self) -> MutexGuard<'_, FaultQueue> {
        lock(&self.faults)
    }

    /// What has happened.
    pub fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    /// A person renames an instance. If no order names the instance yet, the operator cannot recognise it any more.
    pub fn instance_renamed(&self, id: &str) {
        let orders = self.objects.orders();
        let mut lines = orders.iter().flat_map(|order| &order.status).flat_map(|status| &status.lines);
        let known = lines.any(|line| line.instance_ids.iter().any(|own| own == id));
        *lock(&self.unrecognisable) |= !known;
    }

    /// True when the operator may ask a person although it makes no mistake.
    pub fn needs_a_person(&self) -> bool {
        self.plan.needs_a_person() || *lock(&self.unrecognisable)
    }

    /// How much longer the operator may take to finish than in the plain world.
    pub fn extra_time(&self) -> Duration {
        let no_trace = self.plan.has(Circumstance::Undelivered) || *lock(&self.unrecognisable);
        self.plan.extra_time() + if no_trace { SECOND_QUARANTINE } else { Duration::ZERO }
    }

    /// Something happened from which the operator needs time to recover.
    pub fn disturb(&self) {
        *lock(&self.last_disturbance) = Instant::now();
    }

    /// The last time that something disturbed the operator.
    pub fn last_disturbance(&self) -> Instant {
        *lock(&self.last_disturbance)
    }

    /// True once nothing goes wrong any more.
    pub fn is_calm(&self) -> bool {
        *lock(&self.calm)
    }

    /// From now on nothing goes wrong any more.
    pub fn calm_down(&self) {
        *lock(&self.calm) = true;
    }

    /// Starts a task that belongs to the world and to no process.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::task::spawn(task);
    }

    /// Begins an incident. The operator need not finish anything before the incident ends.
    pub fn begin_incident(self: &Arc<Self>) -> Incident {
        *lock(&self.incidents) += 1;
        Incident(Arc::clone(self))
    }

    /// Starts a task that is an incident until it ends.
    pub fn spawn_incident(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let incident = self.begin_incident();
        self.spawn(async move {
            task.await;
            drop(incident);
        });
    }

    /// True while an incident is under way.
    pub fn has_incident(&self) -> bool {
        *lock(&self.incidents) > 0
    }
}
