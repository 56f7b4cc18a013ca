//! What is known of each account: one task per account looks at it as a whole, again and again and on demand.
//!
//! Packs and orders read the newest [`Snapshot`]; nobody asks the cloud about a single pack.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carpack_api::{CarAccount, CarAccountSpec};
use carpack_cloud::Cloud;
use carpack_cloud::port::Balance;
use carpack_core::account::Health;
use carpack_core::observation::Observation;
use carpack_core::zone;
use futures::channel::mpsc::UnboundedSender;
use jiff::tz::Offset;
use kube::ResourceExt;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::kubernetes::Kube;
use crate::metrics::Metrics;
use crate::spender::PaidDesk;
use crate::sweep::{Connection, Dial, check_owner, connect, sweep, zone_of};
use crate::tasks::Tasks;

/// An account is not looked at more often.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// So many looks in a row follow each wish at once. If none shows anything new, the next ones follow later and later.
const AT_ONCE: u32 = 4;
/// Nor does a wish wait for longer, however long nothing new was seen.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After a look that failed; twice as long after each further one, up to the usual interval.
const AGAIN: Duration = Duration::from_secs(2);

/// The reason of an account whose first look is under way.
const NOT_LOOKED_YET: &str = "NotLookedYet";
/// With a clock further off the cloud takes no signature.
const MOST_AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// What is known of an account.
#[derive(Clone)]
pub struct Snapshot {
    /// The newest complete sweep. It ages when later ones fail.
    pub observation: Option<Arc<Observation>>,
    /// Balance at that time.
    pub balance: Option<Balance>,
    /// The cloud account (Uin) that all of this is of, once it is known.
    pub cloud_account: Option<String>,
    /// Whether the last look succeeded.
    pub health: Health,
    /// How far the cloud's clock is ahead of ours.
    pub skew: Option<jiff::SignedDuration>,
    /// The zone of the cloud's timestamps, once it was observed.
    pub zone: Option<Offset>,
    /// For looks and for changes that cost nothing; none before the first complete sweep.
    pub cloud: Option<Arc<dyn Cloud>>,
}

impl Snapshot {
    /// Nothing is known yet.
    pub fn first() -> Self {
        let message = "the account has not been looked at yet".to_owned();
        let health = Health::NotReady { reason: NOT_LOOKED_YET, message };
        Self { observation: None, balance: None, cloud_account: None, health, skew: None, zone: None, cloud: None }
    }

    /// True once the account was looked at, with or without success. Before that nothing is decided for its objects: a
    /// restart would only report that nothing is known.
    pub fn is_settled(&self) -> bool {
        !matches!(self.health, Health::NotReady { reason: NOT_LOOKED_YET, .. })
    }

    /// How far our clock is ahead of the cloud's; as far as it may be, while no answer says it.
    pub fn clock_ahead(&self) -> jiff::SignedDuration {
        self.skew.and_then(jiff::SignedDuration::checked_neg).unwrap_or(MOST_AHEAD)
    }

    /// True when the account's own report of it would be different, apart from age.
    pub fn reads_differently(&self, other: &Self) -> bool {
        self.balance != other.balance || self.zone != other.zone || self.differs(other)
    }

    /// True when a decision made with the other snapshot may turn out different, apart from age.
    pub fn differs(&self, other: &Self) -> bool {
        let seen = |snapshot: &Self| snapshot.observation.clone();
        let same = match (seen(self), seen(other)) {
            (Some(a), Some(b)) => a.instances == b.instances && a.projects == b.projects,
            (None, None) => true,
            _ => false,
        };
        !same || self.health != other.health
    }
}

/// A new snapshot has replaced an old one.
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
    wanted: Arc<Notify>,
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
    /// How often each account is looked at.
    pub interval: Duration,
    /// How long one call may take.
    pub call_timeout: Duration,
    /// Makes the clients.
    pub dial: Dial,
    /// Where the paid half of a client goes.
    pub desk: Arc<PaidDesk>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Hears of every new snapshot.
    pub published: UnboundedSender<Published>,
    /// Runs the sweeps.
    pub tasks: Tasks,
}

impl Inventories {
    /// No inventories yet.
    pub fn new(tools: Tools) -> Self {
        Self { tools: Arc::new(tools), accounts: Mutex::default() }
    }

    /// Starts the account's inventory, or tells the running one of a changed spec, and of the zone that an order has shown. An
    /// account that was made anew under its old name starts with nothing known.
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
        let (publish, snapshot) = watch::channel(Arc::new(Snapshot { cloud_account, ..Snapshot::first() }));
        let (wanted, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let inventory = Inventory {
            account: name.clone(),
            tools: Arc::clone(&self.tools),
            specs,
            zones,
            publish,
            wanted: Arc::clone(&wanted),
            connection: None,
        };
        let stopped = stop.clone();
        self.tools.tasks.spawn_background(async move {
            stopped.run_until_cancelled(inventory.run()).await;
        });
        accounts.insert(name, Entry { uid: account.uid(), spec, zone, snapshot, wanted, stop });
    }

    /// Stops the account's inventory.
    pub fn stop(&self, account: &str) {
        self.end(&mut self.lock(), account);
    }

    fn end(&self, accounts: &mut HashMap<String, Entry>, account: &str) {
        if let Some(entry) = accounts.remove(account) {
            entry.stop.cancel();
            self.tools.desk.close(account);
        }
    }

    /// What is known of an account; none before its inventory was started.
    pub fn snapshot(&self, account: &str) -> Option<Arc<Snapshot>> {
        self.lock().get(account).map(|entry| Arc::clone(&entry.snapshot.borrow()))
    }

    /// The zone of the cloud's timestamps was observed. Where that is news, all of the account's are read anew.
    fn observe_zone(&self, account: &str, observed: Offset) {
        if let Some(entry) = self.lock().get(account) {
            let news = entry.zone.send_if_modified(|zone| zone.replace(observed) != Some(observed));
            if news {
                tracing::info!(account, zone = zone::text(observed), "the zone of the cloud's timestamps was observed");
            }
        }
    }

    /// Wants the account looked at soon. Wishes that come together are one.
    pub fn request_sweep(&self, account: &str) {
        if let Some(entry) = self.lock().get(account) {
            entry.wanted.notify_one();
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
    wanted: Arc<Notify>,
    connection: Option<Connection>,
}

impl Inventory {
    async fn run(mut self) {
        let mut jumps = self.tools.clock.jumps();
        let mut again = AGAIN;
        let mut in_vain = 0;
        loop {
            let begun = Instant::now();
            let spec = self.specs.borrow_and_update().clone();
            jumps.borrow_and_update();
            let snapshot = self.look(&spec).await;
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
                in_vain = 0;
            }
            sleep_until(begun + SHORTEST_PAUSE).await;
            let wish = async {
                sleep_until(begun + self.tools.clock.real(rest(in_vain))).await;
                self.wanted.notified().await;
            };
            tokio::select! {
                biased;
                changed = self.specs.changed() => if changed.is_err() { return },
                _ = self.zones.changed() => {}
                _ = jumps.changed() => {}
                () = wish => in_vain = in_vain.saturating_add(1),
                () = sleep(pause.saturating_sub(begun.elapsed())) => in_vain = 0,
            }
        }
    }

    /// Looks once. What cannot be seen now keeps its last state, and the health says why.
    async fn look(&mut self, spec: &CarAccountSpec) -> Snapshot {
        let old = Arc::clone(&self.publish.borrow());
        match self.try_look(spec).await {
            Ok(snapshot) => snapshot,
            Err(health) => {
                if let Health::NotReady { reason, message } = &health
                    && health != old.health
                {
                    tracing::warn!(account = self.account, reason, why = message, "the account could not be looked at");
                }
                let skew = self.connection.as_ref().and_then(Connection::skew);
                Snapshot { health, skew, ..old.as_ref().clone() }
            }
        }
    }

    async fn try_look(&mut self, spec: &CarAccountSpec) -> Result<Snapshot, Health> {
        let tools = &self.tools;
        let observed = *self.zones.borrow_and_update();
        let (zone, at_hand) = (zone_of(spec, observed), self.connection.as_ref());
        let connection =
            connect(&tools.kube, &tools.namespace, spec, zone, at_hand, tools.call_timeout, &tools.dial).await?;
        let (observation, balance) = sweep(&connection, spec, zone, &tools.clock, &tools.metrics).await?;
        let is_new = !self.connection.as_ref().is_some_and(|old| old.is_same(&connection));
        let known = self.publish.borrow().cloud_account.clone();
        if let Some(known) = &known {
            check_owner(known, &balance, is_new)?;
        }
        let balance = balance.inspect_err(|error| tracing::warn!(%error, "the balance is not known")).ok();
        // A client is put to use only after a complete sweep with it.
        if is_new {
            tools.desk.open(&self.account, Arc::clone(&connection.halves.paid));
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

/// How long after a look the next one is made that somebody wishes for, after so many that have shown nothing new.
fn rest(in_vain: u32) -> Duration {
    let doublings = in_vain.saturating_sub(AT_ONCE).min(8);
    SHORTEST_PAUSE.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_are_wished_for_in_vain_follow_later_and_later() {
        let seconds: Vec<u64> = (0..10).map(|in_vain| rest(in_vain).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 1, 1, 1, 2, 4, 8, 10, 10]);
        assert_eq!(rest(u32::MAX), LONGEST_PAUSE);
    }
}
