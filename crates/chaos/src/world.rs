//! One world: an API server, a cloud, a clock, processes of the operator, and the faults that wait for them.
#![allow(clippy::disallowed_methods)] // what belongs to the world and to no process is started here

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_fake_api_server::{ApiServer, Object, Resource};
use carpack_simulator::state::{self, Delivery, Rules, State};
use carpack_simulator::{AccountConfig, AccountSettings, PriceList, TokenHandling};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use crate::clock::WallClock;
use crate::cloud::SIGNATURE;
use crate::journey::Faults;
use crate::oracle::Oracle;
use crate::plan::{Plan, Tokens};
use crate::process::Process;
use crate::sabotage::Sabotage;
use crate::trouble::Trouble;

/// The operator's namespace.
pub const TREASURY: &str = "carpack-system";
/// The packs' namespace.
pub const TENANT: &str = "events";
/// What the account has, in cents.
pub const BALANCE: i64 = 100_000_000;
/// How long a storm lasts.
pub const STORM: Duration = Duration::from_secs(600);

/// One world.
pub struct World {
    /// What is to happen in it.
    pub plan: Plan,
    /// The clock on the wall.
    pub clock: Arc<WallClock>,
    /// The API server.
    pub api: Arc<ApiServer>,
    cloud: Mutex<State>,
    faults: Mutex<Faults>,
    oracle: Mutex<Oracle>,
    random: Mutex<SmallRng>,
    processes: Mutex<Vec<Process>>,
    began: Instant,
    disturbed: Mutex<Instant>,
    missed_rows: Mutex<u32>,
    calm: Mutex<bool>,
    typed: Mutex<BTreeMap<String, Typed>>,
    /// How far the operator's clock is ahead of the cloud's.
    skew: Mutex<SignedDuration>,
    /// True while the API server cannot be reached.
    cut_off: Mutex<bool>,
    /// Troubles that are under way.
    troubles: Mutex<u32>,
}

/// Objects that were parsed, by their resource version.
#[derive(Clone)]
enum Typed {
    Pack(Arc<ConcurrencyPack>),
    Order(Arc<PackOrder>),
    Account(Arc<CarAccount>),
}

/// The model of the cloud could not be made, which is a mistake in this program.
#[derive(Debug, thiserror::Error)]
#[error("the world could not be made: {0}")]
pub struct Unmade(String);

/// A trouble that is under way.
pub struct UnderWay(Arc<World>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        *lock(&self.0.troubles) -= 1;
        self.0.disturb();
    }
}

impl World {
    /// A world in which nothing has happened yet.
    ///
    /// # Errors
    /// When its cloud cannot be made.
    pub fn new(plan: Plan) -> Result<Arc<Self>, Unmade> {
        let clock = Arc::new(WallClock::new(plan.begin));
        let cloud = cloud(&plan, clock.now()).map_err(Unmade)?;
        let time = Arc::clone(&clock);
        let (random, skew) = (SmallRng::seed_from_u64(plan.luck), plan.skew);
        Ok(Arc::new(Self {
            faults: Mutex::new(Faults::new(plan.faults.clone())),
            plan,
            api: Arc::new(ApiServer::new(Arc::new(move || time.now()))),
            clock,
            cloud: Mutex::new(cloud),
            oracle: Mutex::default(),
            random: Mutex::new(random),
            processes: Mutex::default(),
            began: Instant::now(),
            disturbed: Mutex::new(Instant::now()),
            missed_rows: Mutex::new(0),
            calm: Mutex::new(false),
            typed: Mutex::default(),
            skew: Mutex::new(skew),
            cut_off: Mutex::new(false),
            troubles: Mutex::new(0),
        }))
    }

    /// The cloud, as it is now.
    pub fn cloud(&self) -> MutexGuard<'_, State> {
        let mut cloud = lock(&self.cloud);
        cloud.advance_to(self.clock.now());
        cloud
    }

    /// The faults.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    /// Who watches.
    pub fn oracle(&self) -> MutexGuard<'_, Oracle> {
        lock(&self.oracle)
    }

    /// Something happened from which the operator needs time to recover.
    pub fn disturb(&self) {
        *lock(&self.disturbed) = Instant::now();
    }

    /// When that was last.
    pub fn disturbed(&self) -> Instant {
        *lock(&self.disturbed)
    }

    /// Starts something that belongs to the world and to no process.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::task::spawn(task);
    }

    /// A trouble begins: until the guard is dropped, nobody is expected to have settled anything.
    pub fn trouble(self: &Arc<Self>) -> UnderWay {
        *lock(&self.troubles) += 1;
        UnderWay(Arc::clone(self))
    }

    /// Starts a trouble.
    pub fn spawn_trouble(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let under_way = self.trouble();
        self.spawn(async move {
            task.await;
            drop(under_way);
        });
    }

    /// True while a trouble is under way.
    pub fn is_troubled(&self) -> bool {
        *lock(&self.troubles) > 0
    }

    // Processes.

    /// Starts a process of the operator.
    pub fn start_process(self: &Arc<Self>) {
        let number = lock(&self.processes).len();
        let process = Process::start(Arc::clone(self), number);
        lock(&self.processes).push(process);
    }

    /// True while a process is not dead.
    pub fn is_alive(&self, number: usize) -> bool {
        lock(&self.processes).get(number).is_some_and(|process| !process.life.is_over())
    }

    /// Processes that are not dead.
    pub fn alive(&self) -> usize {
        lock(&self.processes).iter().filter(|process| !process.life.is_over()).count()
    }

    /// A process was killed: another one is started soon.
    pub fn replace_crashed(self: &Arc<Self>) {
        let (world, soon) = (Arc::clone(self), self.between(200, 3000));
        self.spawn(async move {
            sleep(soon).await;
            world.start_process();
            world.disturb();
        });
    }

    /// A process stands still: another one is started, and the first wakes up before or after its lease has run out.
    pub fn take_over_frozen(self: &Arc<Self>, frozen: usize) {
        let suspended = self.plan.has(Trouble::Suspended);
        let long = suspended || self.plan.has(Trouble::LongFreeze);
        let wakes = if long { self.between(480_000, 720_000) } else { self.between(10_000, 60_000) };
        let soon = self.between(200, 3000);
        let left = self.lease_left(frozen);
        let world = Arc::clone(self);
        self.spawn(async move {
            sleep(soon).await;
            world.start_process();
            sleep(wakes).await;
            tracing::info!("a frozen process wakes up");
            if let Some(process) = lock(&world.processes).get(frozen) {
                if suspended {
                    process.lead_for(left);
                }
                process.life.thaw();
            }
            world.disturb();
        });
    }

    /// True while a process stands still, and will wake up.
    pub fn has_sleepers(&self) -> bool {
        lock(&self.processes).iter().any(|process| process.life.is_frozen())
    }

    /// How much longer a process would lead.
    fn lease_left(&self, process: usize) -> Duration {
        lock(&self.processes).get(process).map(Process::lease_left).unwrap_or_default()
    }

    /// True once nothing goes wrong any more.
    pub fn is_calm(&self) -> bool {
        *lock(&self.calm)
    }

    /// From here on nothing goes wrong any more.
    pub fn calm_down(&self) {
        *lock(&self.calm) = true;
    }

    /// From here on the leader leads without renewing its lease, and nobody else is there.
    pub fn hold_the_lease(&self) {
        lock(&self.processes).iter().for_each(Process::hold_the_lease);
    }

    /// The process that leads is told to stop, as at a rollout.
    pub fn stop_leader(&self) {
        let processes = lock(&self.processes);
        if let Some(leader) = processes.iter().find(|process| !process.life.is_over() && process.leads()) {
            leader.stop();
        }
    }

    /// All processes are gone, and nobody starts others.
    pub fn kill_all(&self) {
        lock(&self.processes).iter().for_each(|process| process.life.kill());
    }

    // Surroundings.

    /// The time on the operator's machine.
    pub fn operators_time(&self) -> Timestamp {
        if self.plan.is(Sabotage::ClockStands) {
            return self.plan.begin;
        }
        self.clock.now().saturating_add(*lock(&self.skew)).unwrap_or(Timestamp::MAX)
    }

    /// Somebody sets the clock of the operator's machine.
    pub fn shift_operators_clock(&self, by: SignedDuration) {
        let mut skew = lock(&self.skew);
        *skew = skew.saturating_add(by);
        tracing::info!(skew = %*skew, "the operator's clock is set");
    }

    /// The API server can be reached no more, or again.
    pub fn cut_off(&self, cut: bool) {
        *lock(&self.cut_off) = cut;
        tracing::info!(cut, "API server out of reach");
    }

    /// True while the API server cannot be reached.
    pub fn is_cut_off(&self) -> bool {
        *lock(&self.cut_off)
    }

    /// True when the cloud refuses a call for its number alone.
    pub fn is_stormy(&self) -> bool {
        self.plan.has(Trouble::Storm) && self.since_beginning() < STORM && self.chance(2)
    }

    /// True when the operator's clock is so far off that the cloud takes none of its signatures.
    pub fn is_too_far_off(&self) -> bool {
        lock(&self.skew).abs() > SIGNATURE
    }

    fn since_beginning(&self) -> Duration {
        self.began.elapsed()
    }

    // Luck.

    /// One of these; none when there is none.
    pub fn choose<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        let last = of.len().checked_sub(1)?;
        of.get(lock(&self.random).random_range(0..=last))
    }

    /// A duration between these milliseconds.
    pub fn between(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(lock(&self.random).random_range(low..=high))
    }

    /// True once in so many.
    pub fn chance(&self, one_in: u32) -> bool {
        lock(&self.random).random_range(0..one_in.max(1)) == 0
    }

    /// How long a call takes.
    pub fn latency(&self) -> Duration {
        self.between(1, 6)
    }

    /// How far lists and books lag behind.
    pub fn lag(&self) -> SignedDuration {
        self.plan.lag
    }

    /// When a call arrives that nobody waits for; none: never.
    pub fn straying(&self) -> Option<Duration> {
        if self.plan.has(Trouble::Stray) && self.chance(2) { Some(self.between(1000, 299_000)) } else { None }
    }

    /// True when the cloud does only part of what it is asked for.
    pub fn is_half_done(&self) -> bool {
        let half = self.plan.has(Trouble::PartialBind) && !self.is_calm() && self.chance(2);
        if half {
            self.disturb();
        }
        half
    }

    /// How a purchase is delivered.
    pub fn delivery(&self) -> Delivery {
        let fails = self.plan.has(Trouble::Undelivered) && self.oracle().charges.is_empty();
        Delivery { fails, ..self.plan.delivery }
    }

    /// How long until a process sees a change.
    pub fn watch_lag(&self) -> Duration {
        self.between(1, if self.plan.has(Trouble::SlowWatch) { 3000 } else { 20 })
    }

    /// A list as it is read: rows that move between pages may be missed.
    pub fn shifting<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        let mut missed = lock(&self.missed_rows);
        if !self.is_calm() && *missed < self.plan.missed_rows && !rows.is_empty() && self.chance(4) {
            *missed = missed.saturating_add(1);
            let row = lock(&self.random).random_range(0..rows.len());
            rows.remove(row);
            self.disturb();
            tracing::info!(row, "a list misses a row");
        }
        rows
    }

    // What the API server has.

    /// All packs.
    pub fn packs(&self) -> Vec<Arc<ConcurrencyPack>> {
        let (objects, _) = self.api.list(Resource::ConcurrencyPacks, None);
        objects.iter().filter_map(|object| self.pack_of(object)).collect()
    }

    /// All orders.
    pub fn orders(&self) -> Vec<Arc<PackOrder>> {
        let (objects, _) = self.api.list(Resource::PackOrders, None);
        objects.iter().filter_map(|object| self.order_of(object)).collect()
    }

    /// The account.
    pub fn account(&self) -> Option<Arc<CarAccount>> {
        let (objects, _) = self.api.list(Resource::CarAccounts, None);
        objects.first().and_then(|object| self.account_of(object))
    }

    /// An object as a pack. Each version is parsed once.
    pub fn pack_of(&self, object: &Object) -> Option<Arc<ConcurrencyPack>> {
        match self.typed(object, |object| Some(Typed::Pack(Arc::new(object.parse().ok()?))))? {
            Typed::Pack(pack) => Some(pack),
            Typed::Order(_) | Typed::Account(_) => None,
        }
    }

    /// An object as an order.
    pub fn order_of(&self, object: &Object) -> Option<Arc<PackOrder>> {
        match self.typed(object, |object| Some(Typed::Order(Arc::new(object.parse().ok()?))))? {
            Typed::Order(order) => Some(order),
            Typed::Pack(_) | Typed::Account(_) => None,
        }
    }

    /// An object as an account.
    pub fn account_of(&self, object: &Object) -> Option<Arc<CarAccount>> {
        match self.typed(object, |object| Some(Typed::Account(Arc::new(object.parse().ok()?))))? {
            Typed::Account(account) => Some(account),
            Typed::Pack(_) | Typed::Order(_) => None,
        }
    }

    fn typed(&self, object: &Object, parse: impl FnOnce(&Object) -> Option<Typed>) -> Option<Typed> {
        let version = object.meta.resource_version.clone().unwrap_or_default();
        let mut typed = lock(&self.typed);
        if let Some(known) = typed.get(&version) {
            return Some(known.clone());
        }
        let parsed = parse(object)?;
        typed.insert(version, parsed.clone());
        Some(parsed)
    }
}

fn cloud(plan: &Plan, now: Timestamp) -> Result<State, String> {
    let rules = Rules {
        product_code: "p_car".to_owned(),
        sub_product_code: "sp_car_pack".to_owned(),
        zone: TimeZone::fixed(jiff::tz::Offset::constant(8)),
        isolation_seconds: 7 * 86_400,
    };
    let (token_handling, token_lifetime_seconds) = match plan.tokens {
        Tokens::Honoured => (TokenHandling::Honoured, 30 * 86_400),
        Tokens::Ignored => (TokenHandling::Ignored, 0),
        Tokens::Expire(seconds) => (TokenHandling::Honoured, seconds),
    };
    let settings = AccountSettings {
        token_handling,
        token_lifetime_seconds,
        rate_limit_per_second: 0,
        ..AccountSettings::default()
    };
    let account = AccountConfig { balance_cents: BALANCE, settings, ..AccountConfig::default() };
    let mut cloud =
        State::new(rules, PriceList::default(), vec![account], plan.luck, now).map_err(|e| e.to_string())?;
    for project in ["cap-a", "cap-b"] {
        let new = state::NewProject {
            id: Some(project.to_owned()),
            name: project.to_owned(),
            scale: "L1".to_owned(),
            ..state::NewProject::default()
        };
        cloud.create_project("default", new).map_err(|e| e.code)?;
    }
    Ok(cloud)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
