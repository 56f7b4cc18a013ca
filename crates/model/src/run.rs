//! Explores a world and says what came of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path, Property};

use crate::config::World;
use crate::model::{Action, CarpackModel};
use crate::state::State;

/// What came of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds in every state that was seen.
    Holds,
    /// It is broken: what happened on the way.
    Broken(Vec<String>),
    /// What it looks for was reached.
    Reached,
    /// What it looks for was not reached.
    NotReached,
}

/// What came of a world.
#[derive(Debug, Clone)]
pub struct Report {
    /// Unique states in which every rule was asked.
    pub unique: usize,
    /// States generated, the same ones counted again.
    pub generated: usize,
    /// The longest path.
    pub depth: usize,
    /// True when every reachable state was seen.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
    /// The properties, by name.
    pub verdicts: BTreeMap<&'static str, Verdict>,
}

impl Report {
    /// The rules that are broken.
    pub fn broken(&self) -> Vec<&'static str> {
        let broken = self.verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Broken(_)));
        broken.map(|(name, _)| *name).collect()
    }

    /// True when what this property looks for was reached.
    pub fn reached(&self, part: &str) -> bool {
        self.verdicts.iter().any(|(name, verdict)| name.contains(part) && *verdict == Verdict::Reached)
    }
}

/// Explores a world, for at most so long; tells of progress.
pub fn explore(world: World, threads: usize, budget: Duration, mut progress: impl FnMut(&Progress)) -> Report {
    let begun = Instant::now();
    let wanted = HasDiscoveries::AnyFailures;
    let checker = CarpackModel::new(world).checker().threads(threads).timeout(budget).finish_when(wanted).spawn_bfs();
    let mut told = Instant::now();
    while !checker.is_done() && begun.elapsed() < budget {
        std::thread::sleep(Duration::from_millis(20));
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            progress(&Progress { unique: checker.model().asked(), depth: checker.max_depth(), took: begun.elapsed() });
        }
    }
    let in_time = begun.elapsed() < budget;
    let checker = checker.join();
    // To tell how a rule was broken, the way there is gone once more: so this is read first.
    let asked = checker.model().asked();
    let found = checker.discoveries();
    let verdicts = checker.model().properties().into_iter().map(|property| {
        let path = found.get(property.name);
        let verdict = match (property.expectation.clone(), path) {
            (Expectation::Sometimes, Some(_)) => Verdict::Reached,
            (Expectation::Sometimes, None) => Verdict::NotReached,
            (_, None) => Verdict::Holds,
            (_, Some(path)) => Verdict::Broken(tell(checker.model(), &property, path.clone())),
        };
        (property.name, verdict)
    });
    let verdicts: BTreeMap<_, _> = verdicts.collect();
    let broken = verdicts.values().any(|verdict| matches!(verdict, Verdict::Broken(_)));
    Report {
        unique: asked,
        generated: checker.state_count(),
        depth: checker.max_depth(),
        complete: in_time && !broken && asked == checker.unique_state_count(),
        verdicts,
        took: begun.elapsed(),
    }
}

/// What happened until the property was broken for the first time, and how the world looked then.
fn tell(model: &CarpackModel, property: &Property<CarpackModel>, path: Path<State, Action>) -> Vec<String> {
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

/// How far an exploration is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Unique states in which every rule was asked.
    pub unique: usize,
    /// The longest path so far.
    pub depth: usize,
    /// Since the beginning.
    pub took: Duration,
}
