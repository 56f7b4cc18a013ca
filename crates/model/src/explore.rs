//! Explores a world and reports what came of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path, Property};

use crate::action::Action;
use crate::config::World;
use crate::model::CarpackModel;
use crate::state::State;

/// The verdict about a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds in every state that was checked.
    Holds,
    /// It is broken: the actions that lead there.
    Broken(Vec<String>),
    /// A state in which it is true was reached.
    Reached,
    /// No state in which it is true was reached.
    NotReached,
}

/// What came of a world.
#[derive(Debug, Clone)]
pub struct Report {
    /// The number of unique states in which every rule was checked.
    pub unique: usize,
    /// The number of generated states, with repetitions.
    pub generated: usize,
    /// The length of the longest path.
    pub depth: usize,
    /// True when every reachable state was checked.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
    /// The verdicts, by the name of the property.
    pub verdicts: BTreeMap<&'static str, Verdict>,
}

impl Report {
    /// The rules that are broken.
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = self.verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Broken(_)));
        broken.map(|(name, _)| *name).collect()
    }

    /// True when a property whose name contains this text was reached.
    pub fn reached(&self, part: &str) -> bool {
        self.verdicts.iter().any(|(name, verdict)| name.contains(part) && *verdict == Verdict::Reached)
    }
}

/// Explores a world for at most so long. `progress` is called every 10 seconds.
pub fn explore(world: World, threads: usize, budget: Duration, mut progress: impl FnMut(&Progress)) -> Report {
    let begun = Instant::now();
    let wanted = HasDiscoveries::AnyFailures;
    let checker = CarpackModel::new(world).checker().threads(threads).timeout(budget).finish_when(wanted).spawn_bfs();
    let mut reported = Instant::now();
    while !checker.is_done() && begun.elapsed() < budget {
        std::thread::sleep(Duration::from_millis(20));
        if reported.elapsed() > Duration::from_secs(10) {
            reported = Instant::now();
            progress(&Progress {
                unique: checker.model().checked(),
                depth: checker.max_depth(),
                took: begun.elapsed(),
            });
        }
    }
    let in_time = begun.elapsed() < budget;
    let checker = checker.join();
    // Read before the paths are reconstructed, which counts their states again.
    let checked = checker.model().checked();
    let found = checker.discoveries();
    let verdicts = checker.model().properties().into_iter().map(|property| {
        let path = found.get(property.name);
        let verdict = match (property.expectation.clone(), path) {
            (Expectation::Sometimes, Some(_)) => Verdict::Reached,
            (Expectation::Sometimes, None) => Verdict::NotReached,
            (_, None) => Verdict::Holds,
            (_, Some(path)) => Verdict::Broken(describe(checker.model(), &property, path.clone())),
        };
        (property.name, verdict)
    });
    let verdicts: BTreeMap<_, _> = verdicts.collect();
    let broken = verdicts.values().any(|verdict| matches!(verdict, Verdict::Broken(_)));
    Report {
        unique: checked,
        generated: checker.state_count(),
        depth: checker.max_depth(),
        complete: in_time && !broken && checked == checker.unique_state_count(),
        verdicts,
        took: begun.elapsed(),
    }
}

/// The actions until the property was broken for the first time, and the state then.
fn describe(model: &CarpackModel, property: &Property<CarpackModel>, path: Path<State, Action>) -> Vec<String> {
    let mut words = Vec::new();
    for (state, action) in path.into_vec() {
        if !(property.condition)(model, &state) {
            words.extend(format!("{state:?}").lines().map(|line| format!("    {line}")));
            break;
        }
        words.extend(action.map(|action| action.to_string()));
    }
    words
}

/// The progress of an exploration.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The number of unique states in which every rule was checked.
    pub unique: usize,
    /// The length of the longest path so far.
    pub depth: usize,
    /// The time since the beginning.
    pub took: Duration,
}
