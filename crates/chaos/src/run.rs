//! Runs schedules.

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
