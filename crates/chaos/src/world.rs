//! One world: an API server, a cloud, a clock, processes of the operator, and the faults that wait for them.

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
use crate::journey::Faults;
use crate::life::Life;
use crate::oracle::Oracle;
use crate::plan::{Plan, Tokens};
use crate::process::Process;

/// The operator's namespace.
pub const TREASURY: &str = "carpack-system";
/// The packs' namespace.
pub const TENANT: &str = "events";
/// How long an account is charged before its balance is empty.
const BALANCE: i64 = 100_000_000;

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
    disturbed: Mutex<Instant>,
    missed_rows: Mutex<u32>,
    calm: Mutex<bool>,
    typed: Mutex<BTreeMap<String, Typed>>,
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

impl World {
    /// A world in which nothing has happened yet.
    ///
    /// # Errors
    /// When its cloud cannot be made.
    pub fn new(plan: Plan) -> Result<Arc<Self>, Unmade> {
        let clock = Arc::new(WallClock::new(plan.begin));
        let cloud = cloud(&plan, clock.now()).map_err(Unmade)?;
        let time = Arc::clone(&clock);
        let random = SmallRng::seed_from_u64(plan.luck);
        Ok(Arc::new(Self {
            faults: Mutex::new(Faults::new(plan.faults.clone())),
            plan,
            api: Arc::new(ApiServer::new(Arc::new(move || time.now()))),
            clock,
            cloud: Mutex::new(cloud),
            oracle: Mutex::new(Oracle::new()),
            random: Mutex::new(random),
            processes: Mutex::default(),
            disturbed: Mutex::new(Instant::now()),
            missed_rows: Mutex::new(0),
            calm: Mutex::new(false),
            typed: Mutex::default(),
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
    pub fn spawn(self: Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        tokio::task::spawn(task);
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
        tokio::task::spawn(async move {
            sleep(soon).await;
            world.start_process();
            world.disturb();
        });
    }

    /// A process stands still: another one is started, and the first wakes up before or after its lease has run out.
    pub fn take_over_frozen(self: &Arc<Self>, frozen: Arc<Life>) {
        let (soon, wakes) = (self.between(200, 3000), self.between(10_000, 60_000));
        let world = Arc::clone(self);
        tokio::task::spawn(async move {
            sleep(soon).await;
            world.start_process();
            sleep(wakes).await;
            tracing::info!("a frozen process wakes up");
            frozen.thaw();
            world.disturb();
        });
    }

    /// From here on nothing goes wrong any more.
    pub fn calm_down(&self) {
        *lock(&self.calm) = true;
    }

    /// From here on the leader leads without renewing its lease, and nobody else is there.
    pub fn hold_the_lease(&self) {
        lock(&self.processes).iter().for_each(Process::hold_the_lease);
    }

    // Luck.

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
        if self.plan.stray && self.chance(2) { Some(self.between(1000, 299_000)) } else { None }
    }

    /// How purchases are delivered.
    pub fn delivery(&self) -> Delivery {
        self.plan.delivery
    }

    /// A list as it is read: rows that move between pages may be missed.
    pub fn shifting<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        let mut missed = lock(&self.missed_rows);
        if !*lock(&self.calm) && *missed < self.plan.missed_rows && !rows.is_empty() && self.chance(4) {
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
