//! One task for each account sweeps it: at an interval, and when somebody requests it. It publishes a [`Snapshot`] each time.
//!
//! Nobody asks the cloud about a single pack.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carpack_api::{CarAccount, CarAccountSpec};
use carpack_core::account::Health;
use carpack_core::zone;
use futures::channel::mpsc::UnboundedSender;
use jiff::tz::Offset;
use kube::ResourceExt;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, connect};
use super::health::check_owner;
use super::snapshot::Snapshot;
use super::sweep::{sweep, zone_of};
use crate::money::desk::PaidDesk;
use crate::money::dial::Dial;
use crate::runtime::clock::Clock;
use crate::runtime::kubernetes::Kube;
use crate::runtime::metrics::Metrics;
use crate::runtime::tasks::Tasks;

/// An account is not swept more often than this.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// So many requested sweeps in a row are made at once. If none shows anything new, the next ones are made later and later.
const AT_ONCE: u32 = 4;
/// A requested sweep is not delayed for longer, however long nothing new was seen.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The pause after a sweep that failed. It doubles with each further failure, up to the usual interval.
const AGAIN: Duration = Duration::from_secs(2);

/// A new snapshot that has replaced an old one.
pub struct Published {
    /// Of which account.
    pub account: String,
    /// What was known before.
    pub old: Arc<Snapshot>,
    /// What is known now.
    pub new: Arc<Snapshot>,
}

/// The inventories of all accounts.
pub struct Inventories {
    tools: Arc<Tools>,
    accounts: Mutex<HashMap<String, Entry>>,
}

struct Entry {
    uid: Option<String>,
    spec: watch::Sender<CarAccountSpec>,
    zone: watch::Sender<Option<Offset>>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    requested: Arc<Notify>,
    stop: CancellationToken,
}

/// What every inventory works with.
pub struct Tools {
    /// The API server.
    pub kube: Kube,
    /// The operator's namespace.
    pub namespace: String,
    /// Business time.
    pub clock: Clock,
    /// How often each account is swept.
    pub interval: Duration,
    /// How long one call to the cloud may take.
    pub call_timeout: Duration,
    /// Makes the clients.
    pub dial: Dial,
    /// Takes the paid half of each client.
    pub desk: Arc<PaidDesk>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Receives every new snapshot.
    pub published: UnboundedSender<Published>,
    /// Runs the sweeps.
    pub tasks: Tasks,
}

impl Inventories {
    /// No inventories yet.
    pub fn new(tools: Tools) -> Self {
        Self { tools: Arc::new(tools), accounts: Mutex::default() }
    }

    /// Starts the account's inventory, or tells the running one of a changed spec and of the zone that an order has shown. When
    /// the account was deleted and created again, its inventory starts anew.
    pub fn ensure(&self, account: &CarAccount, zone: Option<Offset>) {
        let (name, spec) = (account.name_any(), &account.spec);
        if let Some(zone) = zone {
            self.observe_zone(&name, zone);
        }
        let mut accounts = self.lock();
        if let Some(entry) = accounts.get(&name)
            && entry.uid == account.uid()
        {
            entry.spec.send_if_modified(|old| {
                let changed = old != spec;
                old.clone_from(spec);
                changed
            });
            return;
        }
        self.end(&mut accounts, &name);
        let (spec, specs) = watch::channel(spec.clone());
        let status = account.status.as_ref();
        let cloud_account = status.and_then(|status| status.cloud_account.clone());
        let observed = zone.or_else(|| status.and_then(|status| zone::parse(status.time_zone.as_deref()?)));
        let (zone, zones) = watch::channel(observed);
        let (publish, snapshot) = watch::channel(Arc::new(Snapshot { cloud_account, ..Snapshot::unknown() }));
        let (requested, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let inventory = Inventory {
            account: name.clone(),
            tools: Arc::clone(&self.tools),
            specs,
            zones,
            publish,
            requested: Arc::clone(&requested),
            connection: None,
        };
        let stopped = stop.clone();
        self.tools.tasks.spawn_background(async move {
            stopped.run_until_cancelled(inventory.run()).await;
        });
        accounts.insert(name, Entry { uid: account.uid(), spec, zone, snapshot, requested, stop });
    }

    /// Stops the account's inventory.
    pub fn stop(&self, account: &str) {
        self.end(&mut self.lock(), account);
    }

    fn end(&self, accounts: &mut HashMap<String, Entry>, account: &str) {
        if let Some(entry) = accounts.remove(account) {
            entry.stop.cancel();
            self.tools.desk.remove(account);
        }
    }

    /// The newest snapshot of an account. None before its inventory was started.
    pub fn snapshot(&self, account: &str) -> Option<Arc<Snapshot>> {
        self.lock().get(account).map(|entry| Arc::clone(&entry.snapshot.borrow()))
    }

    /// Takes in the zone of the cloud's timestamps, as it was observed. If it is news, the account is swept again.
    fn observe_zone(&self, account: &str, observed: Offset) {
        if let Some(entry) = self.lock().get(account) {
            let news = entry.zone.send_if_modified(|zone| zone.replace(observed) != Some(observed));
            if news {
                tracing::info!(account, zone = zone::text(observed), "the zone of the cloud's timestamps was observed");
            }
        }
    }

    /// Requests a sweep of the account. Requests that come together are one. Nothing happens when it has no inventory.
    pub fn request_sweep(&self, account: &str) {
        if let Some(entry) = self.lock().get(account) {
            entry.requested.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task of one account.
struct Inventory {
    account: String,
    tools: Arc<Tools>,
    specs: watch::Receiver<CarAccountSpec>,
    zones: watch::Receiver<Option<Offset>>,
    publish: watch::Sender<Arc<Snapshot>>,
    requested: Arc<Notify>,
    connection: Option<Connection>,
}

impl Inventory {
    async fn run(mut self) {
        let mut jumps = self.tools.clock.jumps();
        let mut again = AGAIN;
        let mut without_news = 0;
        loop {
            let begun = Instant::now();
            let spec = self.specs.borrow_and_update().clone();
            jumps.borrow_and_update();
            let snapshot = self.sweep(&spec).await;
            let interval = self.tools.clock.real(self.tools.interval);
            let pause = if snapshot.health == Health::Ready {
                again = AGAIN;
                interval
            } else {
                let pause = again.min(interval);
                again = again.saturating_mul(2);
                pause
            };
            if self.announce(snapshot) {
                without_news = 0;
            }
            sleep_until(begun + SHORTEST_PAUSE).await;
            let request = async {
                sleep_until(begun + self.tools.clock.real(delay(without_news))).await;
                self.requested.notified().await;
            };
            tokio::select! {
                biased;
                changed = self.specs.changed() => if changed.is_err() { return },
                _ = self.zones.changed() => {}
                _ = jumps.changed() => {}
                () = request => without_news = without_news.saturating_add(1),
                () = sleep(pause.saturating_sub(begun.elapsed())) => without_news = 0,
            }
        }
    }

    /// Sweeps once. When that fails, the snapshot keeps what was known, and its health says why.
    async fn sweep(&mut self, spec: &CarAccountSpec) -> Snapshot {
        let old = Arc::clone(&self.publish.borrow());
        match self.try_sweep(spec).await {
            Ok(snapshot) => snapshot,
            Err(health) => {
                if let Health::NotReady { reason, message } = &health
                    && health != old.health
                {
                    tracing::warn!(account = self.account, %reason, why = message, "the account could not be swept");
                }
                let skew = self.connection.as_ref().and_then(Connection::skew);
                Snapshot { health, skew, ..old.as_ref().clone() }
            }
        }
    }

    async fn try_sweep(&mut self, spec: &CarAccountSpec) -> Result<Snapshot, Health> {
        let tools = &self.tools;
        let observed = *self.zones.borrow_and_update();
        let (zone, current) = (zone_of(spec, observed), self.connection.as_ref());
        let connection =
            connect(&tools.kube, &tools.namespace, spec, zone, current, tools.call_timeout, &tools.dial).await?;
        let (observation, balance) = sweep(&connection, spec, zone, &tools.clock, &tools.metrics).await?;
        let is_new = !self.connection.as_ref().is_some_and(|old| old.is_same(&connection));
        let known = self.publish.borrow().cloud_account.clone();
        if let Some(known) = &known {
            check_owner(known, &balance, is_new)?;
        }
        let balance = balance.inspect_err(|error| tracing::warn!(%error, "the balance is not known")).ok();
        // A client is used only after a complete sweep with it.
        if is_new {
            tools.desk.put(&self.account, connection.halves.paid.clone());
        }
        let snapshot = Snapshot {
            observation: Some(Arc::new(observation)),
            cloud_account: known.or_else(|| balance.as_ref()?.uin.clone()),
            balance,
            health: Health::Ready,
            skew: connection.skew(),
            zone: observed,
            cloud: Some(Arc::clone(&connection.halves.cloud)),
        };
        self.connection = Some(connection);
        Ok(snapshot)
    }

    /// Publishes a snapshot; true when there is news in it.
    fn announce(&self, snapshot: Snapshot) -> bool {
        let new = Arc::new(snapshot);
        let old = self.publish.send_replace(Arc::clone(&new));
        let news = new.differs(&old);
        // Nobody listens only when the process stops.
        let _ = self.tools.published.unbounded_send(Published { account: self.account.clone(), old, new });
        news
    }
}

/// How long after a sweep the next requested one is made, when so many have shown nothing new.
fn delay(without_news: u32) -> Duration {
    let doublings = without_news.saturating_sub(AT_ONCE);
    SHORTEST_PAUSE.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requested_sweeps_that_show_nothing_new_follow_later_and_later() {
        let seconds: Vec<u64> = (0..10).map(|without_news| delay(without_news).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 1, 1, 1, 2, 4, 8, 10, 10]);
        assert_eq!(delay(u32::MAX), LONGEST_PAUSE);
    }
}
