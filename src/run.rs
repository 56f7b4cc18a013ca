//! `carpack run`: puts everything together, runs it, and takes it down in order.

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use futures::FutureExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use kube::core::ObjectMeta;
use kube::runtime::reflector::ObjectRef;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::changes::Memories;
use crate::cli::RunArgs;
use crate::clock::Clock;
use crate::controllers::{account_touched, drive, order_touched, pack_touched, spread_snapshots, spread_turns};
use crate::events::Events;
use crate::inventory::{Inventories, Published, Tools};
use crate::kubernetes::Kube;
use crate::lease::{Elector, LeaseGuard, LeaseSettings};
use crate::metrics::Metrics;
use crate::operator::{Operator, Queues, Settings, Stores};
use crate::spender::{PaidDesk, RECORDING, Spender};
use crate::tasks::Tasks;
use crate::watches::Watch;
use crate::{accounts, http, orders, packs, rehearsal, signals, telemetry, unreadable};

/// The lease was lost: another process leads.
const LEASE_LOST: u8 = 3;
/// How long looks that are under way may take to end.
const WORKING: Duration = Duration::from_secs(30);
/// How long giving the lease back may take.
const RELEASING: Duration = Duration::from_secs(12);

/// Why the process stops.
enum Stop {
    Signal(&'static str),
    LeaseLost,
    TaskFailed,
}

/// Runs the operator until it is told to stop.
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

/// What is connected and opened before anything runs.
struct Parts {
    operator: Arc<Operator>,
    desk: Arc<PaidDesk>,
    watches: Watches,
    queued: Queued,
    published: UnboundedReceiver<Published>,
    listener: TcpListener,
}

/// One watch per kind.
struct Watches {
    packs: Watch<ConcurrencyPack>,
    orders: Watch<PackOrder>,
    accounts: Watch<CarAccount>,
}

/// The receiving ends of the queues.
struct Queued {
    packs: UnboundedReceiver<ObjectRef<ConcurrencyPack>>,
    orders: UnboundedReceiver<ObjectRef<PackOrder>>,
    accounts: UnboundedReceiver<ObjectRef<CarAccount>>,
    unreadable: UnboundedReceiver<ObjectMeta>,
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
    tracing::info!(namespace, identity, mode = ?args.mode, watched = ?args.watch_namespace, version = env!("CARGO_PKG_VERSION"), "starting");

    let lease = LeaseSettings {
        namespace: namespace.clone(),
        name: args.lease_name.clone(),
        identity: identity.clone(),
        duration: args.lease_duration,
        renew_every: args.lease_renew_every,
        step_down: args.lease_step_down,
    };
    let elector = Elector::new(&kube, lease);
    let guard = elector.guard();
    let parts = assemble(&args, tasks, clock, kube, namespace, &identity, guard).await?;
    let operator = Arc::clone(&parts.operator);
    start(parts);
    let released = CancellationToken::new();
    let election = elector.run(released.clone()).boxed();
    Ok(Box::pin(until_stopped(&operator, election, released)).await)
}

async fn assemble(
    args: &RunArgs,
    tasks: Tasks,
    clock: Clock,
    kube: Kube,
    namespace: String,
    identity: &str,
    guard: LeaseGuard,
) -> Result<Parts, String> {
    let listener = http::bind(args.health_address).await?;
    let own = [namespace.clone()];
    let watches = Watches {
        packs: Watch::new(&kube.looks, &args.watch_namespace),
        orders: Watch::new(&kube.looks, &own),
        accounts: Watch::new(&kube.looks, &own),
    };
    let stores =
        Stores { packs: watches.packs.seen(), orders: watches.orders.seen(), accounts: watches.accounts.seen() };
    let ((packs, queued_packs), (orders, queued_orders), (accounts, queued_accounts)) =
        (unbounded(), unbounded(), unbounded());
    let (unreadable, queued_unreadable) = unbounded();
    let (metrics, desk) = (Arc::new(Metrics::new()), Arc::new(PaidDesk::default()));
    let (publish, published) = unbounded();
    let inventories = Inventories::new(Tools {
        kube: kube.clone(),
        namespace: namespace.clone(),
        clock: clock.clone(),
        interval: args.sweep_interval,
        call_timeout: args.call_timeout,
        desk: Arc::clone(&desk),
        metrics: Arc::clone(&metrics),
        published: publish,
        tasks: tasks.clone(),
    });
    let operator = Arc::new(Operator {
        settings: Settings { namespace, mode: args.mode, timing: args.timing(), call_timeout: args.call_timeout },
        clock,
        guard,
        stores,
        queues: Queues { packs, orders, accounts, unreadable },
        inventories,
        events: Events::new(&kube, identity),
        kube,
        metrics: Arc::clone(&metrics),
        tasks,
    });
    metrics.watch(Arc::clone(&operator));
    let queued =
        Queued { packs: queued_packs, orders: queued_orders, accounts: queued_accounts, unreadable: queued_unreadable };
    Ok(Parts { operator, desk, watches, queued, published, listener })
}

/// Starts the tasks: watches first, then what they feed.
fn start(parts: Parts) {
    let Parts { operator, desk, watches, queued, published, listener } = parts;
    let tasks = operator.tasks.clone();
    let memories = Arc::new(Memories::default());
    let spender = Arc::new(Spender::new(Arc::clone(&operator), desk));
    let share = || Arc::clone(&operator);

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

    let (o, m) = (share(), Arc::clone(&memories));
    let look = move |pack| packs::reconcile(pack, Arc::clone(&o), Arc::clone(&m)).boxed();
    tasks.spawn_vital("packs", drive("pack", operator.stores.packs.clone(), queued.packs, share(), look));
    let o = share();
    let look = move |order| orders::reconcile(order, Arc::clone(&o), Arc::clone(&spender)).boxed();
    tasks.spawn_vital("orders", drive("order", operator.stores.orders.clone(), queued.orders, share(), look));
    let o = share();
    let look = move |account| accounts::reconcile(account, Arc::clone(&o)).boxed();
    tasks.spawn_vital("accounts", drive("account", operator.stores.accounts.clone(), queued.accounts, share(), look));

    tasks.spawn_background(spread_snapshots(published, share(), memories));
    tasks.spawn_background(spread_turns(share()));
    tasks.spawn_background(unreadable::let_go(queued.unreadable, share()));
    tasks.spawn_vital("health server", http::serve(listener, share()));
}

/// Runs until there is a reason to stop; then: no new work, wait for paid calls while still leading, give the lease back.
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
        tracing::warn!("the lease could not be given back in time");
    }
    tracing::info!("stopped");
    stop
}
