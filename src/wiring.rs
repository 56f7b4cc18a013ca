//! Puts the parts of the operator together, over whatever API server, cloud and clock it is given.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use futures::FutureExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use kube::core::ObjectMeta;
use kube::runtime::reflector::ObjectRef;

use crate::changes::Memories;
use crate::clock::Clock;
use crate::controllers::Look;
use crate::events::Events;
use crate::inventory::{Inventories, Published, Tools};
use crate::kubernetes::Kube;
use crate::lease::LeaseGuard;
use crate::metrics::Metrics;
use crate::operator::{Operator, Queues, Settings, Stores};
use crate::spender::{PaidDesk, Spender};
use crate::sweep::Dial;
use crate::tasks::Tasks;
use crate::{accounts, orders, packs};

/// What the operator stands on.
pub struct Foundation {
    /// Settings that the controllers need.
    pub settings: Settings,
    /// How often each account is looked at as a whole.
    pub sweep_interval: Duration,
    /// Who this process is.
    pub identity: String,
    /// The API server.
    pub kube: Kube,
    /// Business time.
    pub clock: Clock,
    /// Whether this process leads.
    pub guard: LeaseGuard,
    /// What the watches will have seen.
    pub stores: Stores,
    /// The tasks of the process.
    pub tasks: Tasks,
    /// Makes the clients of accounts.
    pub dial: Dial,
}

/// The operator, put together; nothing of it runs yet.
pub struct Assembly {
    /// What the controllers share.
    pub operator: Arc<Operator>,
    /// Makes paid calls.
    pub spender: Arc<Spender>,
    /// What was changed in the cloud.
    pub memories: Arc<Memories>,
    /// Objects to be looked at.
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

/// The looks of the three controllers.
pub struct Looks {
    /// At a pack.
    pub packs: Look<ConcurrencyPack>,
    /// At an order.
    pub orders: Look<PackOrder>,
    /// At an account.
    pub accounts: Look<CarAccount>,
}

impl Assembly {
    /// The looks of the three controllers.
    pub fn looks(&self) -> Looks {
        let (operator, memories) = (Arc::clone(&self.operator), Arc::clone(&self.memories));
        let look_at_pack = move |pack| packs::reconcile(pack, Arc::clone(&operator), Arc::clone(&memories)).boxed();
        let (operator, spender) = (Arc::clone(&self.operator), Arc::clone(&self.spender));
        let look_at_order = move |order| orders::reconcile(order, Arc::clone(&operator), Arc::clone(&spender)).boxed();
        let operator = Arc::clone(&self.operator);
        let look_at_account = move |account| accounts::reconcile(account, Arc::clone(&operator)).boxed();
        Looks { packs: Arc::new(look_at_pack), orders: Arc::new(look_at_order), accounts: Arc::new(look_at_account) }
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
