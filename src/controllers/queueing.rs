//! Says which objects to reconcile when something else has changed.

use std::sync::Arc;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_core::facts::takeover::is_pending;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::accounts;
use super::orders::is_open;
use crate::account::changes::Memories;
use crate::account::inventory::Published;
use crate::operator::Operator;
use crate::runtime::feed::Touched;

/// Queues what depends on a pack: the pack itself, its open orders, its account when the account counts it otherwise, and the
/// packs that wait to adopt what it may have let go.
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
        // The instances that it owned or named may be free now.
        queue_packs(operator, is_pending);
    }
    let (namespace, name) = (pack.namespace().unwrap_or_default(), pack.name_any());
    let its = |order: &PackOrder| order.spec.pack_ref.namespace == namespace && order.spec.pack_ref.name == name;
    queue_orders(operator, |order| is_open(order) && its(order));
}

/// Queues what depends on an order: the order itself, its pack, and the other open orders of that pack. Its account reports
/// the brake, which a new or deleted order may change, and the zone that orders show.
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
    // The instances that it was for may be free now. An order that was settled before frees nothing, and there are many.
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

/// Queues what depends on an account: the account itself, its packs, and its open orders.
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

/// Queues the objects of an account after each sweep that matters to them.
pub async fn requeue_after_sweeps(
    mut published: UnboundedReceiver<Published>,
    operator: Arc<Operator>,
    memories: Arc<Memories>,
) {
    while let Some(Published { account, old, new }) = published.next().await {
        let object = ObjectRef::new(&account).within(&operator.settings.namespace);
        if operator.stores.accounts.store.get(&object).is_none() {
            // It was deleted while its inventory was being started.
            operator.inventories.stop(&account);
            continue;
        }
        let differs = new.differs(&old);
        let before = old.observation.as_ref().map(|observation| observation.started);
        let now = operator.clock.now();
        let waits = |pack: &ConcurrencyPack| pack.uid().is_some_and(|uid| memories.is_newer(&uid, before, now));
        // The sweep before was too old to decide by. This one is not, whatever it shows.
        let aged = before.is_some_and(|before| now.duration_since(before) >= operator.settings.timing.stale_after);
        if new.reads_differently(&old) {
            operator.queues.account(object);
        }
        queue_packs(&operator, |pack| pack.spec.account_ref.name == account && (differs || aged || waits(pack)));
        // Before the first sweep nothing was decided for any order, not even what a settled one has cost.
        let first = !old.is_settled();
        queue_orders(&operator, |order| order.spec.account_ref.name == account && (first || is_open(order)));
    }
}

/// Queues everything: when this process begins to lead, and when a rehearsal's clock was set.
pub async fn requeue_all(operator: Arc<Operator>) {
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
