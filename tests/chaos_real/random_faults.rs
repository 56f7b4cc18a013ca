//! Scenarios with random faults at random moments: the operator is killed or frozen, the API server and etcd are killed,
//! answers of the cloud are lost.

use std::cell::RefCell;
use std::time::Duration;

use carpack_simulator::{AccountConfig, AccountSettings, Config, Effect, Fault, TokenHandling};
use carpack_testkit::{ControlPlane, GuardedProcess, eventually};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tokio::time::sleep;

use crate::checks::{assert_charges, pass_time, stands};
use crate::harness::status::expiration;
use crate::harness::{Setup, World};

/// How many scenarios.
pub const SEEDS: u64 = 6;
/// Faults in one scenario.
const FAULTS: usize = 24;
const RENEWALS: usize = 3;
const PACKS: [&str; 2] = ["concert", "gig"];
const PROJECTS: [&str; 2] = ["cap-a", "cap-b"];
/// The longest wait, with all faults.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many faults of each kind there were.
#[derive(Debug, Default)]
struct Faults {
    killed: usize,
    frozen: usize,
    api_server: usize,
    etcd: usize,
    lost: usize,
}

/// Two packs of three are bought, moved and renewed during the faults. Returns what happened, for people.
pub async fn run(plane: &'static ControlPlane, seed: u64) -> String {
    // After the outages of the scenario before it may wait for long.
    plane.kill_controller_manager();
    plane.start_controller_manager().await.unwrap();
    let tokens = if seed.is_multiple_of(2) { TokenHandling::Ignored } else { TokenHandling::Honoured };
    let settings = AccountSettings { token_handling: tokens, ..AccountSettings::default() };
    let accounts = vec![AccountConfig { settings, ..AccountConfig::default() }];
    let simulator = Config { accounts, ..Config::default() };
    let world = World::without_operator(Setup { simulator, plane: Some(plane), ..Setup::default() }).await;
    let (operators, faults) = (RefCell::new(vec![world.launch()]), RefCell::new(Faults::default()));
    tokio::select! {
        () = scenario(&world, seed) => {}
        () = inject_faults(&world, seed, &operators, &faults) => {}
        () = pass_time(&world, Duration::from_secs(1)) => {}
    }
    format!("seed {seed}, tokens {tokens:?}: {:?}, {} charges", faults.borrow(), world.simulator.ledger().len())
}

async fn scenario(world: &World, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut homes = PACKS.map(|_| PROJECTS[random.random_range(0..2)]);
    for (name, home) in PACKS.into_iter().zip(homes) {
        retried(world, name, async || world.try_apply(name, json!({"project": home, "quantity": 3})).await).await;
    }
    for (name, home) in PACKS.into_iter().zip(homes) {
        until_stands(world, name, home, None).await;
    }
    let mut expiries = expiries(world).await;
    for _ in 0..RENEWALS {
        let moves = random.random_range(0..2);
        homes[moves] = PROJECTS[random.random_range(0..2)];
        let project = json!({"project": homes[moves]});
        retried(world, "moved", async || world.try_change(PACKS[moves], project.clone()).await).await;
        let last = expiries.iter().max().copied().unwrap();
        world.go_to(last - SignedDuration::from_mins(330));
        for (expiry, (name, home)) in expiries.iter_mut().zip(PACKS.into_iter().zip(homes)) {
            let renewed = *expiry + SignedDuration::from_hours(24);
            until_stands(world, name, home, Some(renewed)).await;
            assert!(world.simulator.now() < *expiry, "{name} was renewed after it had expired");
            *expiry = renewed;
        }
    }
    world.sweeps(2).await;
    let until = |name: &str| expiries[PACKS.iter().position(|pack| *pack == name).unwrap()];
    assert_charges(world, &PACKS.map(|name| (name, RENEWALS)), until).await;
}

async fn expiries(world: &World) -> Vec<Timestamp> {
    let mut expiries = Vec::new();
    for name in PACKS {
        let pack = retried(world, name, async || world.packs().get(name).await).await;
        expiries.push(expiration(&pack).unwrap());
    }
    expiries
}

async fn until_stands(world: &World, name: &str, project: &str, until: Option<Timestamp>) {
    let attempt = async || if stands(world, name, project, until).await { Ok(()) } else { Err("not yet") };
    let what = format!("{name} stands in {project} until {until:?}");
    eventually(PATIENCE, &what, attempt).await.unwrap_or_else(|error| world.fail(&error.to_string()));
}

/// Tries again while the API server is unavailable.
async fn retried<T>(world: &World, what: &str, act: impl AsyncFnMut() -> Result<T, kube::Error>) -> T {
    eventually(PATIENCE, what, act).await.unwrap_or_else(|error| world.fail(&error.to_string()))
}

/// Injects the faults, then keeps an operator running. Never returns.
async fn inject_faults(world: &World, seed: u64, operators: &RefCell<Vec<GuardedProcess>>, faults: &RefCell<Faults>) {
    let mut random = SmallRng::seed_from_u64(!seed);
    for _ in 0..FAULTS {
        sleep(Duration::from_millis(random.random_range(300..3_000))).await;
        match random.random_range(0..20) {
            0..7 => {
                kill_one(operators, &mut random);
                faults.borrow_mut().killed += 1;
            }
            7..11 => {
                freeze_one(world, operators, &mut random).await;
                faults.borrow_mut().frozen += 1;
            }
            11..15 => {
                world.plane.kill_api_server();
                sleep(Duration::from_millis(random.random_range(0..4_000))).await;
                world.plane.start_api_server().await.unwrap();
                faults.borrow_mut().api_server += 1;
            }
            15 => {
                world.plane.restart_etcd().await.unwrap();
                world.plane.start_api_server().await.unwrap();
                faults.borrow_mut().etcd += 1;
            }
            _ => {
                let action = if random.random_bool(0.5) { "RenewInstance" } else { "CreateInstance" };
                let lost = Effect::Drop { commit: random.random_bool(0.5) };
                world.simulator.add_fault(Fault::on(action, lost).times(1)).unwrap();
                faults.borrow_mut().lost += 1;
            }
        }
        keep_one_running(world, operators);
    }
    loop {
        sleep(Duration::from_secs(1)).await;
        keep_one_running(world, operators);
    }
}

/// Forgets operators that have ended; starts another one when none is left.
fn keep_one_running(world: &World, operators: &RefCell<Vec<GuardedProcess>>) {
    let mut operators = operators.borrow_mut();
    operators.retain(GuardedProcess::is_running);
    if operators.is_empty() {
        operators.push(world.launch());
    }
}

fn kill_one(operators: &RefCell<Vec<GuardedProcess>>, random: &mut SmallRng) {
    let mut operators = operators.borrow_mut();
    let which = random.random_range(0..operators.len());
    operators.swap_remove(which).kill();
}

/// Freezes an operator and resumes it, before or long after its lease has expired.
async fn freeze_one(world: &World, operators: &RefCell<Vec<GuardedProcess>>, random: &mut SmallRng) {
    let which = random.random_range(0..operators.borrow().len());
    let frozen = operators.borrow_mut().swap_remove(which);
    // An operator that has just lost its lease may have ended by itself.
    let paused = frozen.pause().is_ok();
    operators.borrow_mut().push(world.launch());
    sleep(Duration::from_millis(random.random_range(1_000..12_000))).await;
    if paused && frozen.resume().is_ok() {
        operators.borrow_mut().push(frozen);
    }
}
