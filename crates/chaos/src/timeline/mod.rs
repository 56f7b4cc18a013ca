//! The timeline of a schedule: what people do, and what they expect. A pack is bought, moved and renewed. If faults are
//! left, it is deleted, and a second pack has the same life.

pub mod manifests;
pub mod status;
pub mod steps;
pub mod waiting;

use std::sync::Arc;

use self::status::Question;
use self::steps::FIRST;
use self::waiting::{NEIGHBOUR, Stopped, Timeline};
use crate::circumstance::Circumstance;
use crate::incidents;
use crate::oracle::audit;
use crate::rule::{Breach, Rule};
use crate::user;
use crate::world::World;

/// What came of one schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The number of faults that happened.
    pub faults: usize,
    /// The rules that were broken.
    pub breaches: Vec<Breach>,
    /// The question that a person was asked in the end.
    pub asked: Option<Question>,
    /// The number of charges.
    pub charges: usize,
    /// A number for everything that happened. The same schedule always has the same number.
    pub digest: u64,
}

/// Runs the timeline of a world, and judges it.
pub async fn run(world: &Arc<World>) -> Report {
    manifests::apply_account(world);
    world.start_process();
    if world.plan.has(Circumstance::Standby) {
        world.start_process();
    }
    incidents::start(world);
    let mut timeline = Timeline { world, asked: None, project: world.plan.project() };
    // What ended the timeline early is in the journal or in the question.
    let _ = lives(&mut timeline).await;
    let asked = timeline.asked.take();
    if let Some(Question { reason, message }) = asked.as_ref().filter(|_| !world.needs_a_person()) {
        world.journal().breach(Rule::NeedlessQuestion, format!("{reason}: {message}"));
    }
    audit::check(world, asked.is_some());
    let faults = world.faults().happened();
    let journal = world.journal();
    Report {
        faults,
        breaches: journal.breaches.clone(),
        asked,
        charges: journal.charges.len(),
        digest: journal.digest(),
    }
}

/// The lives of one or two packs, until every fault has happened; then nothing may happen any more.
async fn lives(timeline: &mut Timeline<'_>) -> Result<(), Stopped> {
    let world = timeline.world;
    let plan = &world.plan;
    if plan.has(Circumstance::Neighbour) {
        user::create(world, &user::pack_path(""), &manifests::pack(world, NEIGHBOUR));
    }
    let deletion_matters = plan.has(Circumstance::Returned) || plan.has(Circumstance::AutoRenew);
    for name in [FIRST, "gig"] {
        timeline.buy(name).await?;
        if plan.moves_packs() {
            timeline.move_pack(name).await?;
        }
        if plan.has(Circumstance::Outage) {
            timeline.renew_after_outage(name).await?;
        } else {
            timeline.renew(name).await?;
        }
        if world.faults().is_empty() && !deletion_matters {
            break;
        }
        timeline.delete(name).await?;
        if deletion_matters {
            timeline.release_instances(name).await?;
        }
        if world.faults().is_empty() {
            break;
        }
    }
    timeline.stay_idle().await;
    Ok(())
}
