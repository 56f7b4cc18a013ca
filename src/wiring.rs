//! Puts the parts of the operator together, over the API server, cloud and clock that it is given.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use futures::FutureExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use kube::core::ObjectMeta;
use kube::runtime::reflector::ObjectRef;

use crate::account::changes::Memories;
use crate::account::inventory::{Inventories, Published, Tools};
use crate::controllers::driver::Reconcile;
use crate::controllers::{accounts, orders, packs};
use crate::money::desk::PaidDesk;
use crate::money::dial::Dial;
use crate::money::spender::Spender;
use crate::operator::{Operator, Queues, Settings, Stores};
use crate::runtime::clock::Clock;
use crate::runtime::events::Events;
use crate::runtime::kubernetes::Kube;
use crate::runtime::lease::LeaseGuard;
use crate::runtime::metrics::Metrics;
use crate::runtime::tasks::Tasks;

/// What the operator stands on.
pub struct Foundation {
    /// Settings that the controllers need.
    pub settings: Settings,
    /// How often each account is swept.
    pub sweep_interval: Duration,
    /// Who this process is, for the events that it publishes.
    pub identity: String,
    /// The API server.
    pub kube: Kube,
    /// Business time.
    pub clock: Clock,
    /// Whether this process leads.
    pub guard: LeaseGuard,
    /// The stores that the watches fill.
    pub stores: Stores,
    /// The tasks of the process.
    pub tasks: Tasks,
    /// Makes the clients of accounts.
    pub dial: Dial,
}

/// The operator, put together. Nothing of it runs yet.
pub struct Assembly {
    /// What the controllers share.
    pub operator: Arc<Operator>,
    /// Makes paid calls.
    pub spender: Arc<Spender>,
    /// What this process changed in the cloud.
    pub memories: Arc<Memories>,
    /// Objects to reconcile.
    pub queued: Queued,
    /// New snapshots of accounts.
    pub published: UnboundedReceiver<Published>,
}

/// The receiving ends of the queues.
pub struct Queued {
    /// Packs.
    pub packs: UnboundedReceiver<ObjectRef<ConcurrencyPack>>,
    /// Orders.
    pub orders: UnboundedReceiver<ObjectRef<PackOrder>>,
    /// Accounts.
    pub accounts: UnboundedReceiver<ObjectRef<CarAccount>>,
    /// Packs that are being deleted and cannot be read.
    pub unreadable: UnboundedReceiver<ObjectMeta>,
}

/// The reconcile function of each controller.
pub struct Reconcilers {
    /// For packs.
    pub packs: Reconcile<ConcurrencyPack>,
    /// For orders.
    pub orders: Reconcile<PackOrder>,
    /// For accounts.
    pub accounts: Reconcile<CarAccount>,
}

impl Assembly {
    /// The reconcile function of each controller.
    pub fn reconcilers(&self) -> Reconcilers {
        let (operator, memories) = (Arc::clone(&self.operator), Arc::clone(&self.memories));
        let pack = move |pack| packs::reconcile(pack, Arc::clone(&operator), Arc::clone(&memories)).boxed();
        let (operator, spender) = (Arc::clone(&self.operator), Arc::clone(&self.spender));
        let order = move |order| orders::reconcile(order, Arc::clone(&operator), Arc::clone(&spender)).boxed();
        let operator = Arc::clone(&self.operator);
        let account = move |account| accounts::reconcile(account, Arc::clone(&operator)).boxed();
        Reconcilers { packs: Arc::new(pack), orders: Arc::new(order), accounts: Arc::new(account) }
    }
}

/// Puts the operator together.
pub fn assemble(foundation: Foundation) -> Assembly {
    let Foundation { settings, sweep_interval, identity, kube, clock, guard, stores, tasks, dial } = foundation;
    let ((packs, queued_packs), (orders, queued_orders), (accounts, queued_accounts)) =
        (unbounded(), unbounded(), unbounded());
    let (unreadable, queued_unreadable) = unbounded();
    let (metrics, desk) = (Arc::new(Metrics::default()), Arc::new(PaidDesk::default()));
    let (publish, published) = unbounded();
    let inventories = Inventories::new(Tools {
        kube: kube.clone(),
        namespace: settings.namespace.clone(),
        clock: clock.clone(),
        interval: sweep_interval,
        call_timeout: settings.call_timeout,
        dial,
        desk: Arc::clone(&desk),
        metrics: Arc::clone(&metrics),
        published: publish,
        tasks: tasks.clone(),
    });
    let operator = Arc::new(Operator {
        settings,
        clock,
        guard,
        stores,
        queues: Queues { packs, orders, accounts, unreadable },
        inventories,
        events: Events::new(&kube, identity),
        kube,
        metrics,
        tasks,
    });
    let queued =
        Queued { packs: queued_packs, orders: queued_orders, accounts: queued_accounts, unreadable: queued_unreadable };
    let spender = Arc::new(Spender::new(Arc::clone(&operator), desk));
    Assembly { operator, spender, memories: Arc::new(Memories::default()), queued, published }
}
