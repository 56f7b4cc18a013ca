//! Runs the three controllers, and says which object is looked at again when something else has changed.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_core::adoption::is_pending;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use futures::future::BoxFuture;
use kube::runtime::controller::{self, Action, Config};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use crate::accounts;
use crate::changes::Memories;
use crate::error::StepError;
use crate::inventory::Published;
use crate::lease::Standing;
use crate::operator::Operator;
use crate::orders::is_open;
use crate::watches::{Seen, Touched};

/// Objects of one kind that are looked at together.
const CONCURRENCY: u16 = 16;
/// After an error.
const AGAIN: Duration = Duration::from_secs(5);
/// While not everything was seen yet.
const SOON: Duration = Duration::from_millis(250);
/// After somebody else was faster: mostly what was written is seen sooner, and that alone leads to another look.
const OVERTAKEN: Duration = Duration::from_secs(2);

/// When to look at an object again even if nothing happens; none: only when something changes.
pub type Again = Option<Duration>;

/// The look of a controller at one object.
pub type Look<K> = Arc<dyn Fn(Arc<K>) -> BoxFuture<'static, Result<Again, StepError>> + Send + Sync>;

/// Looks at every object of a kind whenever it is queued.
pub async fn drive<K>(
    controller: &'static str,
    seen: Seen<K>,
    queue: UnboundedReceiver<ObjectRef<K>>,
    operator: Arc<Operator>,
    look: Look<K>,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let stop = operator.tasks.stop().clone();
    let queue = queue.map(Ok::<_, Infallible>).take_until(async move { stop.cancelled().await });
    let reconcile = move |object: Arc<K>, operator: Arc<Operator>| -> BoxFuture<'static, Result<Action, Infallible>> {
        let look = Arc::clone(&look);
        Box::pin(async move {
            let again = look_once(controller, object, &operator, &look).await;
            Ok(again.map_or_else(Action::await_change, Action::requeue))
        })
    };
    let never = |_: Arc<K>, error: &Infallible, _: Arc<Operator>| match *error {};
    let config = Config::default().concurrency(CONCURRENCY);
    controller::applier(reconcile, never, operator, seen.store, queue, config)
        .for_each(async |result| match result {
            // An object that is gone needs no look.
            Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
            Err(error) => tracing::error!(controller, %error, "the controller stumbled"),
        })
        .await;
}

/// One look at an object, if this process may act; and when to look again, also after an error.
pub async fn look_once<K>(controller: &'static str, object: Arc<K>, operator: &Operator, look: &Look<K>) -> Again
where
    K: Resource<DynamicType = ()>,
{
    if !operator.may_act() {
        // A standby is told when it leads; a leader whose margin has run out for a moment is not.
        return (operator.guard.standing() == Standing::Leading).then_some(SOON);
    }
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    tracing::trace!(controller, namespace, name, "looking");
    let result = look(object).await;
    operator.metrics.reconciled(controller, result.as_ref().err().map_or("Ok", StepError::category));
    match result {
        Ok(again) => again,
        Err(error @ StepError::Conflict { .. }) => {
            tracing::debug!(controller, namespace, name, %error, "looking again");
            Some(OVERTAKEN)
        }
        Err(error) => {
            tracing::warn!(controller, namespace, name, %error, category = error.category(), "looking again");
            Some(AGAIN)
        }
    }
}

/// A pack was touched.
pub fn pack_touched(operator: &Operator, touched: Touched<'_, ConcurrencyPack>) {
    let (pack, before) = match touched {
        Touched::Present(pack, before) => (pack, before),
        Touched::Gone(pack) => (pack, None),
        Touched::Unreadable(meta) => {
            if meta.deletion_timestamp.is_some() {
                operator.queues.unreadable(meta.clone());
            }
            return;
        }
    };
    if matches!(touched, Touched::Present(..)) {
        operator.queues.pack(ObjectRef::from_obj(pack));
    }
    if before.is_none_or(|before| accounts::counts(before) != accounts::counts(pack)) {
        let account = &pack.spec.account_ref.name;
        operator.queues.account(ObjectRef::new(account).within(&operator.settings.namespace));
    }
    if before.map_or(matches!(touched, Touched::Gone(_)), |before| before.spec.adopt != pack.spec.adopt) {
        // What it had or named may be free now.
        queue_packs(operator, is_pending);
    }
    let (namespace, name) = (pack.namespace().unwrap_or_default(), pack.name_any());
    let its = |order: &PackOrder| order.spec.pack_ref.namespace == namespace && order.spec.pack_ref.name == name;
    queue_orders(operator, |order| is_open(order) && its(order));
}

/// An order was touched: its pack and the other open orders of that pack may wait for it. Its account reports whether a brake
/// is on, which what is new or gone may turn, and the zone that orders show.
pub fn order_touched(operator: &Operator, touched: Touched<'_, PackOrder>) {
    let (Touched::Present(order, _) | Touched::Gone(order)) = touched else { return };
    if matches!(touched, Touched::Present(..)) {
        operator.queues.order(ObjectRef::from_obj(order));
    }
    let zone = |order: &PackOrder| order.status.as_ref().and_then(|status| status.time_zone.clone());
    if !matches!(touched, Touched::Present(_, Some(old)) if zone(old) == zone(order)) {
        let account = ObjectRef::new(&order.spec.account_ref.name).within(&operator.settings.namespace);
        operator.queues.account(account);
    }
    let pack = &order.spec.pack_ref;
    operator.queues.pack(ObjectRef::new(&pack.name).within(&pack.namespace));
    // What it was for may be free now. Those that were settled before free nothing: there are many of them.
    let settles = matches!(touched, Touched::Present(_, Some(before)) if is_open(before) && !is_open(order));
    if settles || matches!(touched, Touched::Gone(_)) {
        queue_packs(operator, is_pending);
    }
    let name = order.name_any();
    queue_orders(operator, |other| {
        let same = other.spec.pack_ref.namespace == pack.namespace && other.spec.pack_ref.name == pack.name;
        same && is_open(other) && other.name_any() != name
    });
}

/// An account was touched.
pub fn account_touched(operator: &Operator, touched: Touched<'_, CarAccount>) {
    let (Touched::Present(account, _) | Touched::Gone(account)) = touched else { return };
    let name = account.name_any();
    if matches!(touched, Touched::Present(..)) {
        operator.queues.account(ObjectRef::from_obj(account));
    } else {
        operator.inventories.stop(&name);
    }
    queue_packs(operator, |pack| pack.spec.account_ref.name == name);
    queue_orders(operator, |order| is_open(order) && order.spec.account_ref.name == name);
}

/// Tells the objects of an account of each new snapshot that matters to them.
pub async fn spread_snapshots(
    mut published: UnboundedReceiver<Published>,
    operator: Arc<Operator>,
    memories: Arc<Memories>,
) {
    while let Some(Published { account, old, new }) = published.next().await {
        let object = ObjectRef::new(&account).within(&operator.settings.namespace);
        if operator.stores.accounts.store.get(&object).is_none() {
            // It went while its inventory was being started.
            operator.inventories.stop(&account);
            continue;
        }
        let differs = new.differs(&old);
        let before = old.observation.as_ref().map(|observation| observation.started);
        let now = operator.clock.now();
        let waits = |pack: &ConcurrencyPack| pack.uid().is_some_and(|uid| memories.is_newer(&uid, before, now));
        // What was too old to decide by is now new again, whatever it shows.
        let aged = before.is_some_and(|before| now.duration_since(before) >= operator.settings.timing.stale_after);
        if new.reads_differently(&old) {
            operator.queues.account(object);
        }
        queue_packs(&operator, |pack| pack.spec.account_ref.name == account && (differs || aged || waits(pack)));
        // Before the first look nothing was decided for any order, not even for what a settled one has cost.
        let first = !old.is_settled();
        queue_orders(&operator, |order| order.spec.account_ref.name == account && (first || is_open(order)));
    }
}

/// Queues everything: when this process begins to lead, and when a rehearsal's clock was set.
pub async fn spread_turns(operator: Arc<Operator>) {
    let (mut standing, mut jumps) = (operator.guard.changes(), operator.clock.jumps());
    loop {
        tokio::select! {
            biased;
            changed = standing.changed() => if changed.is_err() { return },
            changed = jumps.changed() => if changed.is_err() { return },
        }
        if operator.guard.leads() {
            operator
                .stores
                .accounts
                .store
                .state()
                .iter()
                .for_each(|account| operator.queues.account(ObjectRef::from_obj(account.as_ref())));
            queue_packs(&operator, |_| true);
            queue_orders(&operator, |_| true);
        }
    }
}

fn queue_packs(operator: &Operator, wanted: impl Fn(&ConcurrencyPack) -> bool) {
    let packs = operator.stores.packs.select(wanted);
    packs.iter().for_each(|pack| operator.queues.pack(ObjectRef::from_obj(pack.as_ref())));
}

fn queue_orders(operator: &Operator, wanted: impl Fn(&PackOrder) -> bool) {
    let orders = operator.stores.orders.select(wanted);
    orders.iter().for_each(|order| operator.queues.order(ObjectRef::from_obj(order.as_ref())));
}
