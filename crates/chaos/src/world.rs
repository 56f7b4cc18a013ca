//! One world: an API server, a cloud, a clock, processes of the operator, and the faults that wait for them.
#![allow(clippy::disallowed_methods)] // what belongs to the world and to no process is started here

mod luck;
mod objects;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carpack_fake_api_server::ApiServer;
use carpack_simulator::state::{self, Rules, State};
use carpack_simulator::{AccountConfig, AccountSettings, PriceList, TokenHandling};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::{Instant, sleep};

use self::objects::Typed;

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
/// How long no look is answered.
const BLIND: Duration = Duration::from_secs(600);

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
    /// True once a person has changed what a purchase in doubt would be recognised by.
    traceless: Mutex<bool>,
    typed: Mutex<BTreeMap<String, Typed>>,
    /// How far the operator's clock is ahead of the cloud's.
    skew: Mutex<SignedDuration>,
    /// True while the API server cannot be reached.
    cut_off: Mutex<bool>,
    /// Until when no look is answered, once that has begun.
    blind: Mutex<Option<Instant>>,
    /// Troubles that are under way.
    troubles: Mutex<u32>,
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
            traceless: Mutex::new(false),
            typed: Mutex::default(),
            skew: Mutex::new(skew),
            cut_off: Mutex::new(false),
            blind: Mutex::new(None),
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

    /// A person renames an instance: one that no order has on record is recognised no more.
    pub fn renamed(&self, id: &str) {
        let orders = self.orders();
        let mut lines = orders.iter().flat_map(|order| &order.status).flat_map(|status| &status.lines);
        let known = lines.any(|line| line.instance_ids.iter().any(|own| own == id));
        *lock(&self.traceless) |= !known;
    }

    /// True when something happened that leaves a person something to do, however well everything goes.
    pub fn needs_a_person(&self) -> bool {
        self.plan.needs_a_person() || *lock(&self.traceless)
    }

    /// How much longer than else it may take to settle.
    pub fn allowance(&self) -> Duration {
        // What is paid and shows nowhere is asked about after a second quarantine.
        let doubt = self.plan.has(Trouble::Undelivered) || *lock(&self.traceless);
        self.plan.allowance() + if doubt { Duration::from_secs(480) } else { Duration::ZERO }
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

    /// The time on the machine of a process.
    pub fn operators_time(&self, process: usize) -> Timestamp {
        if self.plan.is(Sabotage::ClockStands) {
            return self.plan.begin;
        }
        self.clock.now().saturating_add(self.skew(process)).unwrap_or(Timestamp::MAX)
    }

    /// The time on the machine whose clock is behind all others.
    pub fn slowest_time(&self) -> Timestamp {
        self.operators_time(0).min(self.operators_time(1))
    }

    /// How far the clock of a process is ahead of the cloud's. Where clocks are off, the next process's is off the other way.
    pub fn skew(&self, process: usize) -> SignedDuration {
        let skew = *lock(&self.skew);
        let other = self.plan.has(Trouble::Skew) && !process.is_multiple_of(2);
        if other { SignedDuration::ZERO.saturating_sub(skew) } else { skew }
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

    /// A paid call leaves: if that is the trouble, no look is answered from here on.
    pub fn go_blind(self: &Arc<Self>) {
        let mut blind = lock(&self.blind);
        if self.plan.has(Trouble::Blind) && blind.is_none() {
            *blind = Some(Instant::now() + BLIND);
            self.spawn_trouble(sleep(BLIND));
        }
    }

    /// True while no look is answered.
    pub fn is_blind(&self) -> bool {
        lock(&self.blind).is_some_and(|until| Instant::now() < until)
    }

    /// True when the operator's clock is so far off that the cloud takes none of its signatures.
    pub fn is_too_far_off(&self) -> bool {
        lock(&self.skew).abs() > SIGNATURE
    }

    fn since_beginning(&self) -> Duration {
        self.began.elapsed()
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
