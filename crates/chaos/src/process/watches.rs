//! The watches of a process. They replace kube-runtime's, whose order is random: a schedule must happen the same way
//! each time.

use std::sync::Arc;
use std::time::Duration;

use carpack::controllers::queueing::{account_touched, order_touched, pack_touched};
use carpack::operator::{Operator, Stores};
use carpack::runtime::feed::{Feed, Touched};
use carpack::runtime::guarded::Guarded;
use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_fake_api_server::{Change, ChangeKind, Object, Resource};
use kube::runtime::watcher::Event;
use tokio::time::sleep;

use crate::circumstance::Circumstance;
use crate::mutant::Mutant;
use crate::world::World;

/// How often a watch tries to reach an API server that is down.
const RETRY: Duration = Duration::from_secs(1);

/// The watches of a process. They fill its stores.
pub struct Watches {
    /// Packs.
    pub packs: Feed<ConcurrencyPack>,
    /// Orders.
    pub orders: Feed<PackOrder>,
    /// Accounts.
    pub accounts: Feed<CarAccount>,
}

impl Watches {
    /// The stores that they fill.
    pub fn stores(&self) -> Stores {
        Stores { packs: self.packs.seen(), orders: self.orders.seen(), accounts: self.accounts.seen() }
    }

    /// Lists everything, then reports each change a little later than it happened.
    pub async fn run(mut self, world: Arc<World>, operator: Arc<Operator>) {
        sleep(world.latency()).await;
        let mut version = self.list(&world, &operator);
        if world.plan.is(Mutant::Deaf) {
            return std::future::pending().await;
        }
        let mut silent = world.plan.has(Circumstance::DeafWatch);
        loop {
            let changed = world.api.changed().notified();
            let changes = world.api.changes_since(version);
            let Some(last) = changes.last() else {
                changed.await;
                continue;
            };
            if silent && world.random.chance(4) {
                // After at most 65 s the watch gives up the silent connection and lists again.
                silent = false;
                let incident = world.begin_incident();
                sleep(world.random.between(1000, 65_000)).await;
                drop(incident);
                version = self.list(&world, &operator);
                continue;
            }
            version = last.version;
            sleep(world.watch_lag()).await;
            while world.is_api_down() {
                sleep(RETRY).await;
            }
            let times = if world.plan.has(Circumstance::RepeatedEvents) { 2 } else { 1 };
            for change in changes.iter().flat_map(|change| std::iter::repeat_n(change, times)) {
                self.report(&world, &operator, change);
            }
        }
    }

    fn list(&mut self, world: &World, operator: &Operator) -> u64 {
        let all = |resource| world.api.list(resource, None).0;
        let packs = all(Resource::ConcurrencyPacks);
        list(&mut self.packs, packs.iter().filter_map(|o| world.objects.pack(o)), |t| pack_touched(operator, t));
        let orders = all(Resource::PackOrders);
        list(&mut self.orders, orders.iter().filter_map(|o| world.objects.order(o)), |t| order_touched(operator, t));
        let accounts = all(Resource::CarAccounts);
        list(&mut self.accounts, accounts.iter().filter_map(|o| world.objects.account(o)), |t| {
            account_touched(operator, t)
        });
        world.api.version()
    }

    fn report(&mut self, world: &World, operator: &Operator, change: &Change) {
        let object: &Object = &change.object;
        match change.key.resource {
            Resource::ConcurrencyPacks => {
                report(&mut self.packs, change.kind, world.objects.pack(object), |t| pack_touched(operator, t));
            }
            Resource::PackOrders => {
                report(&mut self.orders, change.kind, world.objects.order(object), |t| order_touched(operator, t));
            }
            Resource::CarAccounts => {
                report(&mut self.accounts, change.kind, world.objects.account(object), |t| {
                    account_touched(operator, t)
                });
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
        feed.take(0, Event::InitApply(Guarded(Ok(K::clone(&object)))), &mut touched);
    }
    feed.take(0, Event::InitDone, touched);
}

fn report<K>(feed: &mut Feed<K>, kind: ChangeKind, object: Option<Arc<K>>, touched: impl FnMut(Touched<'_, K>))
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let Some(object) = object else { return };
    let object = Guarded(Ok(K::clone(&object)));
    let event = match kind {
        ChangeKind::Added | ChangeKind::Modified => Event::Apply(object),
        ChangeKind::Deleted => Event::Delete(object),
    };
    feed.take(0, event, touched);
}
