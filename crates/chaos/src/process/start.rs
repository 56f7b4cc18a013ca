//! Starts a process of the operator: everything that `carpack run` starts, except its watches and its work queues,
//! which [`super::watches`] and [`super::work_queue`] replace, and its health server.

use std::sync::Arc;
use std::time::Duration;

use carpack::controllers::queueing::{requeue_after_sweeps, requeue_all};
use carpack::money::dial::{Dial, Halves, PaidClient};
use carpack::operator::{Operator, Settings, Stores};
use carpack::runtime::clock::Clock;
use carpack::runtime::feed::Feed;
use carpack::runtime::kubernetes::Kube;
use carpack::runtime::lease::{Elector, LeaseGuard, LeaseSettings};
use carpack::runtime::tasks::Tasks;
use carpack::wiring::{Assembly, Foundation, assemble};
use carpack_api::Mode;
use carpack_core::Timing;
use jiff::SignedDuration;
use kube::Client;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::api_server::ApiConnection;
use super::cloud::CloudConnection;
use super::connection::Connection;
use super::watches::Watches;
use super::work_queue::run_controller;
use crate::mutant::Mutant;
use crate::world::process::{LONGER_THAN_A_SCHEDULE, Process, identity};
use crate::world::run_state::RunState;
use crate::world::{TREASURY, World};

// The defaults of `carpack run`.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
const LEASE_DURATION: Duration = Duration::from_secs(30);
const LEASE_RENEW_EVERY: Duration = Duration::from_secs(5);
const LEASE_STEP_DOWN: Duration = Duration::from_secs(20);
const WAIT_FOR_WORK: Duration = Duration::from_secs(30);
const WAIT_FOR_PAID_CALLS: Duration = Duration::from_secs(100);
const WAIT_FOR_RELEASE: Duration = Duration::from_secs(12);

/// Starts a process of the operator.
pub fn start(world: &Arc<World>, number: usize) -> Process {
    let (run_state, election) = (Arc::new(RunState::default()), Arc::new(RunState::default()));
    let tasks = Tasks::wrapped(run_state.wrapper());
    let connection = Connection { world: Arc::clone(world), process: number, run_state: Arc::clone(&run_state) };
    let client = Client::new(ApiConnection(connection.clone()), TREASURY);
    let kube = Kube { reads: client.clone(), once: client, own_namespace: TREASURY.to_owned() };
    let identity = identity(number);
    let elector = Elector::new(&kube, lease(&identity));
    let guard = elector.guard();
    let watches = Watches { packs: Feed::new(1), orders: Feed::new(1), accounts: Feed::new(1) };
    let time = Arc::clone(world);
    let cloud = CloudConnection(connection);
    let dial: Dial = Arc::new(move |_| {
        Ok(Halves { cloud: Arc::new(cloud.clone()), paid: PaidClient::new(Arc::new(cloud.clone())) })
    });
    let assembly = assemble(Foundation {
        settings: Settings {
            namespace: TREASURY.to_owned(),
            mode: Mode::Automatic,
            timing: timing(world),
            call_timeout: CALL_TIMEOUT,
        },
        sweep_interval: SWEEP_INTERVAL,
        identity,
        kube,
        clock: Clock::of(Arc::new(move || time.process_time(number))),
        guard: guard.clone(),
        stores: watches.stores(),
        tasks: tasks.clone(),
        dial,
    });
    let operator = Arc::clone(&assembly.operator);
    start_controllers(assembly, watches, world);
    let (stop, release) = (CancellationToken::new(), CancellationToken::new());
    let elect = election.wrapper()(Box::pin(elector.run(release.clone())));
    let elected = tasks.spawn_lasting(elect);
    let shutdown =
        Shutdown { operator, run_state: Arc::clone(&run_state), world: Arc::clone(world), stop: stop.clone(), release };
    if world.plan.is(Mutant::NeverStepsDown) {
        let (guard, run_state) = (guard.clone(), Arc::clone(&run_state));
        world.spawn(async move { lead_for_ever(&guard, &run_state).await });
    }
    // A task of the world, not of the process: the process must end even when its own tasks hang.
    world.spawn(async move { shutdown.run(elected).await });
    Process { run_state, election, guard, stop }
}

fn timing(world: &World) -> Timing {
    let plain = Timing::default();
    if world.plan.is(Mutant::NoQuarantine) { Timing { quarantine: SignedDuration::ZERO, ..plain } } else { plain }
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

/// A mutant: a process that has led once leads for ever.
async fn lead_for_ever(guard: &LeaseGuard, run_state: &RunState) {
    while !run_state.is_dead() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if guard.leads() {
            guard.extend(Some(Instant::now() + LONGER_THAN_A_SCHEDULE));
        }
    }
}

fn start_controllers(assembly: Assembly, watches: Watches, world: &Arc<World>) {
    let reconcilers = assembly.reconcilers();
    let Assembly { operator, memories, queued, published, .. } = assembly;
    let tasks = operator.tasks.clone();
    let share = || Arc::clone(&operator);
    let Stores { packs, orders, accounts } = operator.stores.clone();
    tasks.spawn_vital("watches", watches.run(Arc::clone(world), share()));
    tasks.spawn_vital("packs", run_controller("pack", packs, queued.packs, share(), reconcilers.packs));
    tasks.spawn_vital("orders", run_controller("order", orders, queued.orders, share(), reconcilers.orders));
    tasks.spawn_vital("accounts", run_controller("account", accounts, queued.accounts, share(), reconcilers.accounts));
    tasks.spawn_background(requeue_after_sweeps(published, share(), memories));
    tasks.spawn_background(requeue_all(share()));
}

/// How a process ends by itself, as `carpack run` does.
struct Shutdown {
    operator: Arc<Operator>,
    run_state: Arc<RunState>,
    world: Arc<World>,
    stop: CancellationToken,
    release: CancellationToken,
}

impl Shutdown {
    /// Waits until the lease is lost, a task has failed, or the process is told to stop. Then ends the process in
    /// order.
    async fn run(self, elected: JoinHandle<()>) {
        let Self { operator, run_state, world, stop, release } = self;
        let (guard, tasks) = (operator.guard.clone(), operator.tasks.clone());
        let stopped_in_order = tokio::select! {
            biased;
            () = guard.lost() => false,
            () = tasks.failed() => false,
            () = stop.cancelled() => true,
        };
        if run_state.is_dead() {
            return;
        }
        tracing::info!(stopped_in_order, "a process ends by itself");
        tasks.stop().cancel();
        tasks.wait_for_working(WAIT_FOR_WORK).await;
        tasks.wait_for_paid(WAIT_FOR_PAID_CALLS).await;
        release.cancel();
        // The process ends even when the release of the lease hangs.
        let _ = tokio::time::timeout(WAIT_FOR_RELEASE, elected).await;
        run_state.kill();
        world.disturb();
        if !stopped_in_order && world.alive() == 0 {
            world.replace_killed();
        }
    }
}
