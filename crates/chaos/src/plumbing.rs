//! Stands in for kube-runtime's watches and scheduler, in an order that is the same each time: they keep what waits in
//! hash tables, whose order is left to chance, and a schedule must be repeatable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use carpack::controllers::driver::{Reconcile, Requeue, reconcile_once};
use carpack::controllers::queueing::{account_touched, order_touched, pack_touched};
use carpack::operator::{Operator, Stores};
use carpack::runtime::watches::{Feed, Seen, Touched};
use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_fake_api_server::{Change, ChangeKind, Object, Resource};
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use tokio::time::{Instant, sleep, sleep_until};

use crate::sabotage::Sabotage;
use crate::trouble::Trouble;
use crate::world::World;

/// How often a watch tries to begin anew.
const CUT_OFF: Duration = Duration::from_secs(1);
/// Where nothing is due.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Fills the stores of a process.
pub struct Feeds {
    /// Packs.
    pub packs: Feed<ConcurrencyPack>,
    /// Orders.
    pub orders: Feed<PackOrder>,
    /// Accounts.
    pub accounts: Feed<CarAccount>,
}

impl Feeds {
    /// What they will have seen.
    pub fn seen(&self) -> Stores {
        Stores { packs: self.packs.seen(), orders: self.orders.seen(), accounts: self.accounts.seen() }
    }

    /// Lists everything, then follows the changes, each a little later than it happened.
    pub async fn run(mut self, world: Arc<World>, operator: Arc<Operator>) {
        sleep(world.latency()).await;
        let mut version = self.list(&world, &operator);
        if world.plan.is(Sabotage::Deaf) {
            return std::future::pending().await;
        }
        let mut deaf = world.plan.has(Trouble::DeafWatch);
        loop {
            let changed = world.api.changed().notified();
            let changes = world.api.changes_since(version);
            let Some(last) = changes.last() else {
                changed.await;
                continue;
            };
            if deaf && world.chance(4) {
                // A silent connection is given up after 65 s, and the watch begins anew with what is there.
                deaf = false;
                let under_way = world.trouble();
                sleep(world.between(1000, 65_000)).await;
                drop(under_way);
                version = self.list(&world, &operator);
                continue;
            }
            version = last.version;
            sleep(world.watch_lag()).await;
            while world.is_cut_off() {
                sleep(CUT_OFF).await;
            }
            let again = if world.plan.has(Trouble::RepeatedEvents) { 2 } else { 1 };
            for change in changes.iter().flat_map(|change| std::iter::repeat_n(change, again)) {
                self.take(&world, &operator, change);
            }
        }
    }

    fn list(&mut self, world: &World, operator: &Operator) -> u64 {
        let all = |resource| world.api.list(resource, None).0;
        let packs = all(Resource::ConcurrencyPacks);
        list(&mut self.packs, packs.iter().filter_map(|o| world.pack_of(o)), |t| pack_touched(operator, t));
        let orders = all(Resource::PackOrders);
        list(&mut self.orders, orders.iter().filter_map(|o| world.order_of(o)), |t| order_touched(operator, t));
        let accounts = all(Resource::CarAccounts);
        list(&mut self.accounts, accounts.iter().filter_map(|o| world.account_of(o)), |t| account_touched(operator, t));
        world.api.version()
    }

    fn take(&mut self, world: &World, operator: &Operator, change: &Change) {
        let object: &Object = &change.object;
        match change.key.resource {
            Resource::ConcurrencyPacks => {
                tell(&mut self.packs, change.kind, world.pack_of(object), |t| pack_touched(operator, t));
            }
            Resource::PackOrders => {
                tell(&mut self.orders, change.kind, world.order_of(object), |t| order_touched(operator, t));
            }
            Resource::CarAccounts => {
                tell(&mut self.accounts, change.kind, world.account_of(object), |t| account_touched(operator, t));
            }
            Resource::Leases | Resource::Secrets | Resource::Events => {}
        }
    }
}

fn list<K>(feed: &mut Feed<K>, objects: impl Iterator<Item = Arc<K>>, mut touched: impl FnMut(Touched<'_, K>))
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    feed.take(0, Event::Init, &mut touched);
    for object in objects {
        feed.take(0, Event::InitApply(DeserializeGuard(Ok(K::clone(&object)))), &mut touched);
    }
    feed.take(0, Event::InitDone, touched);
}

fn tell<K>(feed: &mut Feed<K>, kind: ChangeKind, object: Option<Arc<K>>, touched: impl FnMut(Touched<'_, K>))
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let Some(object) = object else { return };
    let object = DeserializeGuard(Ok(K::clone(&object)));
    let event = match kind {
        ChangeKind::Added | ChangeKind::Modified => Event::Apply(object),
        ChangeKind::Deleted => Event::Delete(object),
    };
    feed.take(0, event, touched);
}

/// Namespace and name.
type Name = (String, String);

/// Looks at the objects of a kind: each when it is queued or due, and never twice at the same time.
pub async fn drive<K>(
    controller: &'static str,
    seen: Seen<K>,
    mut queue: UnboundedReceiver<ObjectRef<K>>,
    operator: Arc<Operator>,
    look: Reconcile<K>,
) where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let stop = operator.tasks.stop().clone();
    let mut due: BTreeMap<Name, Instant> = BTreeMap::new();
    let mut busy: BTreeSet<Name> = BTreeSet::new();
    let mut running: FuturesUnordered<BoxFuture<'static, (Name, Requeue)>> = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let ready: Vec<Name> = due
            .iter()
            .filter(|(name, at)| **at <= now && !busy.contains(*name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in ready {
            due.remove(&name);
            let Some(object) = seen.store.get(&ObjectRef::new(&name.1).within(&name.0)) else { continue };
            busy.insert(name.clone());
            let (operator, look) = (Arc::clone(&operator), Arc::clone(&look));
            running.push(Box::pin(async move { (name, reconcile_once(controller, object, &operator, &look).await) }));
        }
        let next = due.iter().filter(|(name, _)| !busy.contains(*name)).map(|(_, at)| *at).min();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((name, again)) = running.next() => {
                busy.remove(&name);
                if let Some(again) = again {
                    schedule(&mut due, name, Instant::now() + again);
                }
            }
            Some(object) = queue.next() => {
                schedule(&mut due, (object.namespace.unwrap_or_default(), object.name), Instant::now());
            }
            () = sleep_until(next.unwrap_or(now + FAR)) => {}
        }
    }
    // What is running may end, as in a real one.
    while running.next().await.is_some() {}
}

/// The earlier moment counts.
fn schedule(due: &mut BTreeMap<Name, Instant>, name: Name, at: Instant) {
    due.entry(name).and_modify(|known| *known = at.min(*known)).or_insert(at);
}
