//! How the timeline waits for the operator, and judges how long it takes.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::{ConcurrencyPack, PackOrder, Reason};
use tokio::time::{Instant, sleep, sleep_until};

use super::status::{Question, describe_order, describe_pack, is_ready, is_settled, question, waits_on_purpose};
use crate::circumstance::Circumstance;
use crate::rule::Rule;
use crate::world::World;
use crate::world::objects::name_of;

/// The pack of a neighbour in the same account.
pub const NEIGHBOUR: &str = "neighbour";
/// The operator never waits longer between two reconciles. So it notices within this time that a clock was set.
pub const LONGEST_REQUEUE: Duration = Duration::from_secs(60);
/// After the last disturbance the operator must finish within this time, waits on purpose excepted.
const SETTLE_TIME: Duration = Duration::from_secs(60);
/// For so long after that nothing may be written or paid.
const IDLE_TIME: Duration = Duration::from_secs(30 * 60);
/// No step takes longer, whatever happens.
const LONGEST_STEP: Duration = Duration::from_secs(3 * 3600);
/// How often a goal is checked.
const POLL: Duration = Duration::from_secs(1);

/// The timeline of a world.
pub struct Timeline<'a> {
    /// The world.
    pub world: &'a Arc<World>,
    /// The question that a person was asked at the end, if any.
    pub asked: Option<Question>,
    /// The project in which the packs are to be.
    pub project: &'static str,
}

/// The timeline ends early. The journal has a breach, or [`Timeline::asked`] has a question.
pub struct Stopped;

impl Timeline<'_> {
    /// Waits until the goal is reached and every order is settled. `unnoticed` is the time that the operator may need
    /// to notice what was done.
    pub(super) async fn wait_until(
        &mut self,
        what: &str,
        unnoticed: Duration,
        goal: impl Fn(&[Arc<ConcurrencyPack>]) -> bool,
    ) -> Result<(), Stopped> {
        let world = self.world;
        let (mut version, mut orders, mut reached) = (None, Vec::new(), false);
        let (begun, mut undisturbed, mut disturbance) = (Instant::now(), Duration::ZERO, world.last_disturbance());
        loop {
            let newest = world.api.version();
            if version.replace(newest) != Some(newest) {
                orders = world.objects.orders();
                let packs = world.objects.packs();
                let neighbour_is_ready =
                    !world.plan.has(Circumstance::Neighbour) || is_ready(&packs, NEIGHBOUR, "cap-a", None);
                reached = orders.iter().all(|order| is_settled(order)) && neighbour_is_ready && goal(&packs);
            }
            if reached {
                tracing::info!(what, after = ?begun.elapsed(), "DONE");
                return Ok(());
            }
            if disturbance != world.last_disturbance() {
                (undisturbed, disturbance) = (Duration::ZERO, world.last_disturbance());
            }
            let allowed = unnoticed + SETTLE_TIME + world.extra_time();
            if undisturbed > allowed || begun.elapsed() > LONGEST_STEP {
                self.goal_missed(what, &orders);
                return Err(Stopped);
            }
            sleep(POLL).await;
            if !world.has_incident() && !waits_on_purpose(&orders, world.earliest_process_time()) {
                undisturbed += POLL;
            }
        }
    }

    /// The goal was not reached in time: either a person was asked, or a rule is broken.
    fn goal_missed(&mut self, what: &str, orders: &[Arc<PackOrder>]) {
        let packs = self.world.objects.packs();
        self.asked = question(&packs, orders);
        // No operator was down for so long that a renewal may be missed.
        if let Some(question) = self.asked.take_if(|question| question.reason == Reason::Missed) {
            let what = format!("{what}: not yet; {}", question.message);
            self.world.journal().breach(Rule::MissedRenewal, what);
            return;
        }
        if self.asked.is_none() {
            let packs: Vec<String> = packs.iter().map(|pack| describe_pack(pack)).collect();
            let orders: Vec<String> = orders.iter().map(|order| describe_order(order)).collect();
            let what = format!("{what}: not yet; {}; {}", packs.join("; "), orders.join("; "));
            self.world.journal().breach(Rule::NotSettled, what);
        }
    }

    /// Waits until the pack is gone.
    pub(super) async fn wait_until_deleted(&self, name: &str) -> Result<(), Stopped> {
        let begun = Instant::now();
        while self.world.objects.packs().iter().any(|pack| name_of(pack.as_ref()) == name) {
            if begun.elapsed() > LONGEST_STEP {
                self.world.journal().breach(Rule::NotSettled, format!("{name} is not deleted"));
                return Err(Stopped);
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Checks that nothing is written or paid when nothing happens.
    pub(super) async fn stay_idle(&self) {
        let world = self.world;
        let begun = Instant::now();
        world.calm_down();
        // Only the next sweep notices what a person does in the console.
        let unnoticed = if world.plan.has(Circumstance::Console) { LONGEST_REQUEUE } else { Duration::ZERO };
        // By then the operator has recovered from the last disturbance, and the next sweep has updated the account's
        // report.
        loop {
            let settled = begun.max(world.last_disturbance()) + SETTLE_TIME + POLL + unnoticed + world.extra_time();
            if settled <= Instant::now() && !world.has_incident() && !world.has_frozen() {
                break;
            }
            sleep_until(settled.max(Instant::now() + POLL)).await;
        }
        world.keep_only_the_leader();
        let counts = || {
            let journal = world.journal();
            (journal.writes, journal.paid_calls)
        };
        let before = counts();
        sleep(IDLE_TIME).await;
        let after = counts();
        if before != after {
            let (writes, calls) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
            world.journal().breach(Rule::NotIdle, format!("{writes} writes and {calls} paid calls"));
        }
    }
}
