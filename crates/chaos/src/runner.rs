//! Runs schedules.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::plan::Plan;
use crate::process::start::start;
use crate::rule::{Breach, Rule};
use crate::schedule::Schedule;
use crate::tally::Tally;
use crate::timeline::{self, Report};
use crate::world::{NoWorld, World};

/// A schedule could not be run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// There is no runtime.
    #[error("no runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// There is no world.
    #[error(transparent)]
    World(#[from] NoWorld),
}

/// Runs one schedule from beginning to end, in virtual time.
///
/// # Errors
/// When there is no runtime or no world to run it in.
pub fn run_schedule(schedule: &Schedule) -> Result<Report, NotRun> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let world = World::new(Plan::of(schedule), start)?;
        Ok(timeline::run(&world).await)
    })
}

/// Runs all schedules on so many threads. Stops early when `enough`, which is asked after each schedule, returns true.
pub fn run_schedules(
    schedules: impl Iterator<Item = Schedule> + Send,
    threads: usize,
    enough: impl Fn(&Tally) -> bool + Sync,
) -> Tally {
    let (schedules, tally, over) = (Mutex::new(schedules), Mutex::new(Tally::default()), AtomicBool::new(false));
    let next = || schedules.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(schedule) = next().filter(|_| !over.load(Ordering::Relaxed)) {
            let report = run_or_fail(&schedule);
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(&schedule, report);
            if enough(&tally) {
                over.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(work))));
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one schedule. A schedule that cannot be run, or in which something panics, is reported as a broken rule.
fn run_or_fail(schedule: &Schedule) -> Report {
    let failed = |what: String| Report {
        faults: schedule.faults.len(),
        breaches: vec![Breach { rule: Rule::Panic, what }],
        asked: None,
        charges: 0,
        digest: 0,
    };
    match catch_unwind(AssertUnwindSafe(|| run_schedule(schedule))) {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed("a panic".to_owned()),
    }
}
