//! The processes of the operator: they are started, replaced, stopped and killed here.

use std::sync::Arc;

use tokio::time::sleep;

use super::World;
use super::lock::lock;
use super::process::Process;
use crate::circumstance::Circumstance;

impl World {
    /// Starts a process of the operator.
    pub fn start_process(self: &Arc<Self>) {
        let number = lock(&self.processes).len();
        let process = (self.start_process)(self, number);
        lock(&self.processes).push(process);
    }

    /// The number of processes that are not dead.
    pub fn alive(&self) -> usize {
        lock(&self.processes).iter().filter(|process| !process.run_state.is_dead()).count()
    }

    /// Starts another process soon, because one was killed.
    pub fn replace_killed(self: &Arc<Self>) {
        let (world, soon) = (Arc::clone(self), self.random.between(200, 3000));
        self.spawn(async move {
            sleep(soon).await;
            world.start_process();
            world.disturb();
        });
    }

    /// Starts another process soon, because this one was frozen. The frozen one goes on later, before or after its
    /// lease has expired.
    pub fn replace_frozen(self: &Arc<Self>, frozen: usize) {
        let suspended = self.plan.has(Circumstance::Suspended);
        let long = suspended || self.plan.has(Circumstance::LongFreeze);
        let frozen_for = if long { self.random.between(480_000, 720_000) } else { self.random.between(10_000, 60_000) };
        let soon = self.random.between(200, 3000);
        let lease_left = lock(&self.processes).get(frozen).map(Process::lease_left).unwrap_or_default();
        let world = Arc::clone(self);
        self.spawn(async move {
            sleep(soon).await;
            world.start_process();
            sleep(frozen_for).await;
            tracing::info!("a frozen process goes on");
            if let Some(process) = lock(&world.processes).get(frozen) {
                if suspended {
                    process.lead_for(lease_left);
                }
                process.run_state.thaw();
            }
            world.disturb();
        });
    }

    /// True while a process is frozen.
    pub fn has_frozen(&self) -> bool {
        lock(&self.processes).iter().any(|process| process.run_state.is_frozen())
    }

    /// From now on the leader leads without renewing its lease, and all other processes are dead.
    pub fn keep_only_the_leader(&self) {
        lock(&self.processes).iter().for_each(Process::keep_leading_or_die);
    }

    /// Tells the leader to stop in order, as at a rollout.
    pub fn stop_leader(&self) {
        let processes = lock(&self.processes);
        if let Some(leader) = processes.iter().find(|process| !process.run_state.is_dead() && process.leads()) {
            leader.stop.cancel();
        }
    }

    /// Kills all processes, and starts no other.
    pub fn kill_all(&self) {
        lock(&self.processes).iter().for_each(|process| process.run_state.kill());
    }
}
