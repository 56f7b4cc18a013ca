//! `carpack run`: puts everything together, runs it, and stops it in order.

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use futures::FutureExt;
use kube::Client;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::RunArgs;
use crate::controllers::driver::drive;
use crate::controllers::queueing::{account_touched, order_touched, pack_touched, requeue_after_sweeps, requeue_all};
use crate::controllers::unreadable;
use crate::http::server;
use crate::http::state_metrics::StateMetrics;
use crate::money::dial::tencent;
use crate::money::payment::RECORDING;
use crate::operator::{Operator, Settings, Stores};
use crate::runtime::clock::Clock;
use crate::runtime::kubernetes::Kube;
use crate::runtime::lease::{Elector, LeaseSettings};
use crate::runtime::tasks::Tasks;
use crate::runtime::watches::Watch;
use crate::runtime::{rehearsal, signals, telemetry};
use crate::wiring::{Assembly, Foundation, assemble};

/// Exit code of a process that lost the lease: another process leads.
const LEASE_LOST: u8 = 3;
/// How long reconciles that are under way may take to end.
const WORKING: Duration = Duration::from_secs(30);
/// How long releasing the lease may take.
const RELEASING: Duration = Duration::from_secs(12);

/// Why the process stops.
enum Stop {
    Signal(&'static str),
    LeaseLost,
    TaskFailed,
}

/// Runs the operator until it has to stop.
pub fn run(args: RunArgs) -> ExitCode {
    let begun = telemetry::start(args.log_format, &args.log_level).and_then(|()| args.check());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string());
    let ended = begun.and(runtime).and_then(|runtime| runtime.block_on(Box::pin(operate(args))));
    match ended {
        Ok(Stop::Signal(_)) => ExitCode::SUCCESS,
        Ok(Stop::LeaseLost) => ExitCode::from(LEASE_LOST),
        Ok(Stop::TaskFailed) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!(error, "the operator cannot run");
            ExitCode::FAILURE
        }
    }
}

/// One watch for each kind.
struct Watches {
    packs: Watch<ConcurrencyPack>,
    orders: Watch<PackOrder>,
    accounts: Watch<CarAccount>,
}

impl Watches {
    fn new(client: &Client, tenants: &[String], own: &str) -> Self {
        let own = [own.to_owned()];
        Self {
            packs: Watch::new(client, tenants),
            orders: Watch::new(client, &own),
            accounts: Watch::new(client, &own),
        }
    }

    fn stores(&self) -> Stores {
        Stores { packs: self.packs.seen(), orders: self.orders.seen(), accounts: self.accounts.seen() }
    }
}

async fn operate(args: RunArgs) -> Result<Stop, String> {
    let tasks = Tasks::default();
    let clock = match &args.rehearsal_clock {
        Some(url) => rehearsal::follow(url, &tasks).await?,
        None => Clock::system(),
    };
    let kube = Kube::connect().await?;
    let given = [&args.namespace, &args.pod_namespace];
    let namespace = given.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or(&kube.own_namespace).clone();
    let identity = format!("{}_{:016x}", args.identity(), RandomState::new().hash_one(()));
    let watched =
        if args.watch_namespace.is_empty() { "all namespaces".to_owned() } else { args.watch_namespace.join(", ") };
    tracing::info!(namespace, identity, mode = %args.mode, watched, version = env!("CARGO_PKG_VERSION"), "starting");

    let lease = LeaseSettings {
        namespace: namespace.clone(),
        name: args.lease_name.clone(),
        identity: identity.clone(),
        duration: args.lease_duration,
        renew_every: args.lease_renew_every,
        step_down: args.lease_step_down,
    };
    let listener = server::bind(args.health_address).await?;
    let watches = Watches::new(&kube.reads, &args.watch_namespace, &namespace);
    let elector = Elector::new(&kube, lease);
    let assembly = assemble(Foundation {
        settings: Settings { namespace, mode: args.mode, timing: args.timing(), call_timeout: args.call_timeout },
        sweep_interval: args.sweep_interval,
        identity,
        kube,
        clock,
        guard: elector.guard(),
        stores: watches.stores(),
        tasks,
        dial: tencent(),
    });
    let operator = Arc::clone(&assembly.operator);
    start(assembly, watches, listener);
    let released = CancellationToken::new();
    let election = elector.run(released.clone()).boxed();
    Ok(Box::pin(until_stopped(&operator, election, released)).await)
}

/// Starts the tasks: first the watches, then the controllers that they feed.
fn start(assembly: Assembly, watches: Watches, listener: TcpListener) {
    let reconcilers = assembly.reconcilers();
    let Assembly { operator, memories, queued, published, .. } = assembly;
    let tasks = operator.tasks.clone();
    let share = || Arc::clone(&operator);
    operator.metrics.register(Box::new(StateMetrics(share())));

    let (o, stop) = (share(), tasks.stop().clone());
    tasks.spawn_vital("watch of packs", async move {
        stop.run_until_cancelled(watches.packs.run(|touched| pack_touched(&o, touched))).await;
    });
    let (o, stop) = (share(), tasks.stop().clone());
    tasks.spawn_vital("watch of orders", async move {
        stop.run_until_cancelled(watches.orders.run(|touched| order_touched(&o, touched))).await;
    });
    let (o, stop) = (share(), tasks.stop().clone());
    tasks.spawn_vital("watch of accounts", async move {
        stop.run_until_cancelled(watches.accounts.run(|touched| account_touched(&o, touched))).await;
    });

    let stores = operator.stores.clone();
    tasks.spawn_vital("packs", drive("pack", stores.packs, queued.packs, share(), reconcilers.packs));
    tasks.spawn_vital("orders", drive("order", stores.orders, queued.orders, share(), reconcilers.orders));
    tasks.spawn_vital("accounts", drive("account", stores.accounts, queued.accounts, share(), reconcilers.accounts));

    tasks.spawn_background(requeue_after_sweeps(published, share(), memories));
    tasks.spawn_background(requeue_all(share()));
    tasks.spawn_background(unreadable::release_all(queued.unreadable, share()));
    tasks.spawn_vital("health server", server::serve(listener, share()));
}

/// Runs until there is a reason to stop. Then it starts no new work, waits for paid calls while this process still leads, and
/// releases the lease.
async fn until_stopped(
    operator: &Operator,
    election: impl Future<Output = ()> + Send + 'static,
    release: CancellationToken,
) -> Stop {
    let tasks = &operator.tasks;
    let election = tasks.spawn_lasting(election);
    let stop = tokio::select! {
        signal = signals::stop_requested() => signal.map_or(Stop::TaskFailed, Stop::Signal),
        () = operator.guard.lost() => Stop::LeaseLost,
        () = tasks.failed() => Stop::TaskFailed,
    };
    match &stop {
        Stop::Signal(signal) => tracing::info!(signal, "stopping"),
        Stop::LeaseLost => tracing::error!("stopping: the lease is lost"),
        Stop::TaskFailed => tracing::error!("stopping: a task failed"),
    }
    tasks.stop().cancel();
    tasks.wait_for_working(WORKING).await;
    tasks.wait_for_paid(RECORDING + operator.settings.call_timeout + WORKING).await;
    release.cancel();
    if tokio::time::timeout(RELEASING, election).await.is_err() {
        tracing::warn!("the lease could not be released in time");
    }
    tracing::info!("stopped");
    stop
}
