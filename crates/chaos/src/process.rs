//! A process of the operator: everything that `carpack run` starts, but its watches, its scheduling of looks and its
//! health server, which [`crate::plumbing`] stands in for.

use std::sync::Arc;
use std::time::Duration;

use carpack::account::connection::{Dial, Halves};
use carpack::controllers::queueing::{requeue_after_sweeps, requeue_all};
use carpack::money::desk::PaidClient;
use carpack::operator::{Operator, Settings, Stores};
use carpack::runtime::clock::Clock;
use carpack::runtime::kubernetes::Kube;
use carpack::runtime::lease::{Elector, LeaseGuard, LeaseSettings};
use carpack::runtime::tasks::Tasks;
use carpack::runtime::watches::Feed;
use carpack::wiring::{Assembly, Foundation, assemble};
use carpack_api::Mode;
use carpack_core::Timing;
use jiff::SignedDuration;
use kube::Client;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Wire;
use crate::cloud::CloudWire;
use crate::journey::Link;
use crate::life::Life;
use crate::plumbing::{Feeds, drive};
use crate::sabotage::Sabotage;
use crate::world::{TREASURY, World};

/// As `carpack run` has it by default.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
const LEASE_DURATION: Duration = Duration::from_secs(30);
const LEASE_RENEW_EVERY: Duration = Duration::from_secs(5);
const LEASE_STEP_DOWN: Duration = Duration::from_secs(20);
const WORKING: Duration = Duration::from_secs(30);
const PAYING: Duration = Duration::from_secs(100);
const RELEASING: Duration = Duration::from_secs(12);
/// Longer than any quiet time.
const HELD: Duration = Duration::from_secs(24 * 3600);

/// A process.
pub struct Process {
    /// Its life.
    pub life: Arc<Life>,
    /// The life of its election, which can stand still while the rest goes on.
    election: Arc<Life>,
    guard: LeaseGuard,
    /// Tells it to stop in order.
    stop: CancellationToken,
}

impl Process {
    /// Starts a process.
    pub fn start(world: Arc<World>, number: usize) -> Self {
        let (life, election) = (Arc::new(Life::default()), Arc::new(Life::default()));
        let tasks = Tasks::wrapped(life.wrapper());
        let link = Link { world: Arc::clone(&world), process: number, life: Arc::clone(&life) };
        let client = Client::new(Wire(link.clone()), TREASURY);
        let kube = Kube { reads: client.clone(), once: client, own_namespace: TREASURY.to_owned() };
        let identity = identity(number);
        let elector = Elector::new(&kube, lease(&identity));
        let guard = elector.guard();
        let feeds = Feeds { packs: Feed::new(1), orders: Feed::new(1), accounts: Feed::new(1) };
        let time = Arc::clone(&world);
        let cloud = CloudWire(link);
        let dial: Dial = Arc::new(move |_| {
            Ok(Halves { cloud: Arc::new(cloud.clone()), paid: PaidClient::new(Arc::new(cloud.clone())) })
        });
        let assembly = assemble(Foundation {
            settings: Settings {
                namespace: TREASURY.to_owned(),
                mode: Mode::Automatic,
                timing: timing(&world),
                call_timeout: CALL_TIMEOUT,
            },
            sweep_interval: SWEEP_INTERVAL,
            identity,
            kube,
            clock: Clock::of(Arc::new(move || time.operators_time(number))),
            guard: guard.clone(),
            stores: feeds.seen(),
            tasks: tasks.clone(),
            dial,
        });
        let operator = Arc::clone(&assembly.operator);
        run(assembly, feeds, &world);
        let (stop, release) = (CancellationToken::new(), CancellationToken::new());
        let elect = election.wrapper()(Box::pin(elector.run(release.clone())));
        let elected = tasks.spawn_lasting(elect);
        let ending =
            Ending { operator, life: Arc::clone(&life), world: Arc::clone(&world), stop: stop.clone(), release };
        if world.plan.is(Sabotage::NeverStepsDown) {
            let (guard, life) = (guard.clone(), Arc::clone(&life));
            world.spawn(async move { lead_for_ever(&guard, &life).await });
        }
        // Not one of its own tasks: whatever holds those, the end of the process comes.
        world.spawn(async move { ending.come(elected).await });
        Self { life, election, guard, stop }
    }

    /// True while it leads.
    pub fn leads(&self) -> bool {
        self.guard.leads()
    }

    /// It is told to stop, as by SIGTERM.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// How much longer it would lead if it could not renew its lease.
    pub fn lease_left(&self) -> Duration {
        self.guard.remaining()
    }

    /// It leads for so long, as far as it knows.
    pub fn lead_for(&self, time: Duration) {
        self.guard.extend(Some(Instant::now() + time));
    }

    /// From here on it leads, if it leads, without renewing its lease; if it does not lead, it is gone.
    pub fn hold_the_lease(&self) {
        if self.guard.leads() {
            self.election.freeze();
            self.guard.extend(Some(Instant::now() + HELD));
        } else {
            self.life.kill();
        }
    }
}

/// Who holds the lease when a process leads.
pub fn identity(process: usize) -> String {
    format!("operator-{process}")
}

fn timing(world: &World) -> Timing {
    let plain = Timing::default();
    if world.plan.is(Sabotage::NoQuarantine) { Timing { quarantine: SignedDuration::ZERO, ..plain } } else { plain }
}

fn lease(identity: &str) -> LeaseSettings {
    LeaseSettings {
        namespace: TREASURY.to_owned(),
        name: "carpack".to_owned(),
        identity: identity.to_owned(),
        duration: LEASE_DURATION,
        renew_every: LEASE_RENEW_EVERY,
        step_down: LEASE_STEP_DOWN,
    }
}

/// A process that has led once goes on.
async fn lead_for_ever(guard: &LeaseGuard, life: &Life) {
    while !life.is_over() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if guard.leads() {
            guard.extend(Some(Instant::now() + HELD));
        }
    }
}

fn run(assembly: Assembly, feeds: Feeds, world: &Arc<World>) {
    let reconcilers = assembly.reconcilers();
    let Assembly { operator, memories, queued, published, .. } = assembly;
    let tasks = operator.tasks.clone();
    let share = || Arc::clone(&operator);
    let Stores { packs, orders, accounts } = operator.stores.clone();
    tasks.spawn_vital("watches", feeds.run(Arc::clone(world), share()));
    tasks.spawn_vital("packs", drive("pack", packs, queued.packs, share(), reconcilers.packs));
    tasks.spawn_vital("orders", drive("order", orders, queued.orders, share(), reconcilers.orders));
    tasks.spawn_vital("accounts", drive("account", accounts, queued.accounts, share(), reconcilers.accounts));
    tasks.spawn_background(requeue_after_sweeps(published, share(), memories));
    tasks.spawn_background(requeue_all(share()));
}

/// How a process ends by itself: as `carpack run` does.
struct Ending {
    operator: Arc<Operator>,
    life: Arc<Life>,
    world: Arc<World>,
    stop: CancellationToken,
    release: CancellationToken,
}

impl Ending {
    /// When the lease is lost, a task has failed, or it was told to stop.
    async fn come(self, elected: JoinHandle<()>) {
        let Self { operator, life, world, stop, release } = self;
        let (guard, tasks) = (operator.guard.clone(), operator.tasks.clone());
        let told = tokio::select! {
            biased;
            () = guard.lost() => false,
            () = tasks.failed() => false,
            () = stop.cancelled() => true,
        };
        if life.is_over() {
            return;
        }
        tracing::info!(told, "a process ends by itself");
        tasks.stop().cancel();
        tasks.wait_for_working(WORKING).await;
        tasks.wait_for_paid(PAYING).await;
        release.cancel();
        // As long as a process waits for it.
        let _ = tokio::time::timeout(RELEASING, elected).await;
        life.kill();
        world.disturb();
        if !told && world.alive() == 0 {
            world.replace_crashed();
        }
    }
}
