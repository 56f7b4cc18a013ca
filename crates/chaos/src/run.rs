//! Runs schedules: one, or as many as there are.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::oracle::{Breach, Rule};
use crate::plan::{Plan, Schedule};
use crate::story::{Ending, tell};
use crate::world::{Unmade, World};

/// A schedule could not be run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// There is no runtime.
    #[error("no runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// There is no world.
    #[error(transparent)]
    World(#[from] Unmade),
}

/// Runs one schedule, from beginning to end, in virtual time.
///
/// # Errors
/// When there is nothing to run it in.
pub fn run(schedule: &Schedule) -> Result<Ending, NotRun> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let world = World::new(Plan::of(schedule))?;
        Ok(tell(&world).await)
    })
}

/// What came of many schedules.
#[derive(Debug, Default)]
pub struct Tally {
    /// Schedules whose faults all came, each another one.
    pub reached: usize,
    /// Those in which a fault had no occasion, by the site of the first that did not come.
    pub unreached: BTreeMap<String, usize>,
    /// Rules that were broken, and how often.
    pub broken: BTreeMap<Rule, usize>,
    /// The same by what else was different in those worlds.
    pub broken_beside: BTreeMap<(Rule, String), usize>,
    /// Those in which rules were broken, at most so many as are worth printing.
    pub failures: Vec<(Schedule, Vec<Breach>)>,
    /// What people were asked, by the reason: in which schedules, and with which words.
    pub asked: BTreeMap<String, Vec<(Schedule, String)>>,
    /// What happened in those whose faults all came, in numbers: no two courses of events have the same.
    pub courses: HashSet<u64>,
    /// The digests of all schedules, folded into one number. It does not depend on the order in which they ran.
    pub digest: u64,
}

/// More failures than these are counted, not kept.
const KEPT: usize = 50;

impl Tally {
    /// All of them.
    pub fn schedules(&self) -> usize {
        self.reached.saturating_add(self.unreached.values().sum())
    }

    /// Schedules that ended with a question to a person.
    pub fn questions(&self) -> usize {
        self.asked.values().map(Vec::len).sum()
    }

    /// How often a rule was broken.
    pub fn count(&self, rule: Rule) -> usize {
        self.broken.get(&rule).copied().unwrap_or(0)
    }

    fn add(&mut self, schedule: &Schedule, ending: Ending) {
        self.digest = self.digest.wrapping_add(digest_of(schedule, &ending));
        match schedule.faults.get(ending.reached) {
            None => {
                self.reached = self.reached.saturating_add(1);
                self.courses.insert(ending.digest);
            }
            Some(missing) => {
                let what = match schedule.faults.get(..ending.reached).unwrap_or_default() {
                    [] => missing.site.to_string(),
                    before => format!(
                        "{} after {}",
                        missing.site,
                        before.iter().map(|f| f.site.to_string()).collect::<Vec<_>>().join(", ")
                    ),
                };
                let count = self.unreached.entry(what).or_default();
                *count = count.saturating_add(1);
            }
        }
        if let Some((reason, words)) = ending.asked {
            self.asked.entry(reason).or_default().push((schedule.clone(), words));
        }
        for breach in &ending.breaches {
            let count = self.broken.entry(breach.rule).or_default();
            *count = count.saturating_add(1);
            let beside: Vec<String> = schedule.troubles.iter().map(ToString::to_string).collect();
            let count = self.broken_beside.entry((breach.rule, beside.join(" "))).or_default();
            *count = count.saturating_add(1);
        }
        if !ending.breaches.is_empty() && self.failures.len() < KEPT {
            self.failures.push((schedule.clone(), ending.breaches));
        }
    }
}

/// What happened in one schedule, in a number. A sum of these tells two whole runs apart.
fn digest_of(schedule: &Schedule, ending: &Ending) -> u64 {
    let mut digest = DefaultHasher::new();
    let rules: Vec<Rule> = ending.breaches.iter().map(|breach| breach.rule).collect();
    (schedule.to_string(), ending.reached, ending.charges, ending.digest, ending.asked.is_some(), rules)
        .hash(&mut digest);
    digest.finish()
}

/// Runs all of them on so many threads, until `enough`, which hears of each, says so.
pub fn run_all(
    schedules: impl Iterator<Item = Schedule> + Send,
    threads: usize,
    enough: impl Fn(&Tally) -> bool + Sync,
) -> Tally {
    let (schedules, tally, over) = (Mutex::new(schedules), Mutex::new(Tally::default()), AtomicBool::new(false));
    let next = || schedules.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(schedule) = next().filter(|_| !over.load(Ordering::Relaxed)) {
            let ending = judged(&schedule);
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(&schedule, ending);
            if enough(&tally) {
                over.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(work))));
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A schedule that cannot be run, or in which something panics, is a failure too.
fn judged(schedule: &Schedule) -> Ending {
    let failed = |what: String| Ending {
        reached: schedule.faults.len(),
        breaches: vec![Breach { rule: Rule::Panic, what }],
        asked: None,
        charges: 0,
        digest: 0,
    };
    match catch_unwind(AssertUnwindSafe(|| run(schedule))) {
        Ok(Ok(ending)) => ending,
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed("a panic".to_owned()),
    }
}
