//! A process of the operator: everything that `carpack run` starts, but its watches, its scheduling of looks and its
//! health server, which [`crate::plumbing`] stands in for.

use std::sync::Arc;
use std::time::Duration;

use carpack::clock::Clock;
use carpack::controllers::{spread_snapshots, spread_turns};
use carpack::kubernetes::Kube;
use carpack::lease::{Elector, LeaseGuard, LeaseSettings};
use carpack::operator::{Operator, Settings, Stores};
use carpack::sweep::{Dial, Halves};
use carpack::tasks::Tasks;
use carpack::watches::Feed;
use carpack::wiring::{Assembly, Foundation, assemble};
use carpack_api::Mode;
use carpack_core::Timing;
use kube::Client;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Wire;
use crate::cloud::CloudWire;
use crate::journey::Link;
use crate::life::Life;
use crate::plumbing::{Feeds, drive};
use crate::world::{TREASURY, World};

/// As `carpack run` has it by default.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
const LEASE_DURATION: Duration = Duration::from_secs(30);
const LEASE_RENEW_EVERY: Duration = Duration::from_secs(5);
const LEASE_STEP_DOWN: Duration = Duration::from_secs(20);
/// Longer than any quiet time.
const HELD: Duration = Duration::from_secs(24 * 3600);

/// A process.
pub struct Process {
    /// Its life.
    pub life: Arc<Life>,
    /// The life of its election, which can stand still while the rest goes on.
    election: Arc<Life>,
    guard: LeaseGuard,
}

impl Process {
    /// Starts a process.
    pub fn start(world: Arc<World>, number: usize) -> Self {
        let (life, election) = (Arc::new(Life::default()), Arc::new(Life::default()));
        let tasks = Tasks::wrapped(life.wrapper());
        let link = Link { world: Arc::clone(&world), process: number, life: Arc::clone(&life) };
        let client = Client::new(Wire(link.clone()), TREASURY);
        let kube = Kube { looks: client.clone(), once: client, own_namespace: TREASURY.to_owned() };
        let identity = format!("operator-{number}");
        let elector = Elector::new(&kube, lease(&identity));
        let guard = elector.guard();
        let feeds = Feeds { packs: Feed::new(1), orders: Feed::new(1), accounts: Feed::new(1) };
        let time = Arc::clone(&world.clock);
        let cloud = CloudWire(link);
        let dial: Dial =
            Arc::new(move |_| Ok(Halves { cloud: Arc::new(cloud.clone()), paid: Arc::new(cloud.clone()) }));
        let assembly = assemble(Foundation {
            settings: Settings {
                namespace: TREASURY.to_owned(),
                mode: Mode::Automatic,
                timing: Timing::default(),
                call_timeout: CALL_TIMEOUT,
            },
            sweep_interval: SWEEP_INTERVAL,
            identity,
            kube,
            clock: Clock::of(Arc::new(move || time.now())),
            guard: guard.clone(),
            stores: feeds.seen(),
            tasks: tasks.clone(),
            dial,
        });
        let operator = Arc::clone(&assembly.operator);
        run(assembly, feeds, &world);
        let elect = election.wrapper()(Box::pin(elector.run(CancellationToken::new())));
        drop(tasks.spawn_lasting(elect));
        // Not one of its own tasks: whatever holds those, the end of the process comes.
        let (ended, place) = (Arc::clone(&life), Arc::clone(&world));
        world.spawn(async move { until_ended(operator, ended, place).await });
        Self { life, election, guard }
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

fn run(assembly: Assembly, feeds: Feeds, world: &Arc<World>) {
    let looks = assembly.looks();
    let Assembly { operator, memories, queued, published, .. } = assembly;
    let tasks = operator.tasks.clone();
    let share = || Arc::clone(&operator);
    let Stores { packs, orders, accounts } = operator.stores.clone();
    tasks.spawn_vital("watches", feeds.run(Arc::clone(world), share()));
    tasks.spawn_vital("packs", drive("pack", packs, queued.packs, share(), looks.packs));
    tasks.spawn_vital("orders", drive("order", orders, queued.orders, share(), looks.orders));
    tasks.spawn_vital("accounts", drive("account", accounts, queued.accounts, share(), looks.accounts));
    tasks.spawn_background(spread_snapshots(published, share(), memories));
    tasks.spawn_background(spread_turns(share()));
}

/// As `carpack run` ends: when the lease is lost, or a task failed.
async fn until_ended(operator: Arc<Operator>, life: Arc<Life>, world: Arc<World>) {
    let (guard, tasks) = (operator.guard.clone(), operator.tasks.clone());
    let failed = tokio::select! {
        biased;
        () = guard.lost() => false,
        () = tasks.failed() => true,
    };
    if life.is_over() {
        return;
    }
    tracing::info!(failed, "a process ends by itself");
    tasks.stop().cancel();
    tasks.wait_for_working(Duration::from_secs(30)).await;
    tasks.wait_for_paid(Duration::from_secs(100)).await;
    life.kill();
    world.disturb();
    if world.alive() == 0 {
        world.replace_crashed();
    }
}
