//! The connection of a process to the API server and to the cloud. The faults of the schedule happen here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::fault::{Outcome, Point, Site};
use crate::world::World;
use crate::world::run_state::RunState;

/// The connection of a process.
#[derive(Clone)]
pub struct Connection {
    /// The world.
    pub world: Arc<World>,
    /// The number of the process.
    pub process: usize,
    /// Whether the process runs.
    pub run_state: Arc<RunState>,
}

/// A call, as far as faults care.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The effect; none when no fault happens at this call.
    pub site: Option<Site>,
    /// True for a write to the API server that stores something.
    pub stores: bool,
    /// How long the caller waits for a connection.
    pub connect_timeout: Duration,
    /// How long the caller waits for an answer.
    pub answer_timeout: Duration,
}

impl Connection {
    /// Makes a call. If a fault is due, it happens to this call.
    ///
    /// - `execute`: the server executes the call.
    /// - `lost`: the call has left and was not executed; it may arrive later.
    /// - `failed`: what the caller gets when the call fails at this point in this way.
    pub async fn call<T>(
        &self,
        call: Call,
        execute: impl FnOnce() -> T,
        lost: impl FnOnce(),
        failed: impl Fn(Point, Outcome) -> T,
    ) -> T {
        let fault = self.take_fault(call);
        if let Some((Point::NotSent, outcome)) = fault {
            match outcome {
                Outcome::Crash => return self.crash().await,
                // It is sent after all when the process goes on.
                Outcome::Zombie => self.freeze().await,
                Outcome::Timeout => {
                    sleep(call.connect_timeout).await;
                    return failed(Point::NotSent, outcome);
                }
                _ => return failed(Point::NotSent, outcome),
            }
        }
        sleep(self.world.latency()).await;
        match fault {
            Some((Point::NotExecuted, outcome)) => self.not_executed(call, outcome, lost, failed).await,
            Some((Point::ReplyLost, outcome)) => self.reply_lost(call, outcome, execute(), failed).await,
            Some((Point::NotPersisted, outcome)) => {
                let answer = execute();
                self.world.faults().fail_next_write(self.process, outcome);
                answer
            }
            Some((Point::NotSent, _)) | None => execute(),
        }
    }

    async fn not_executed<T>(
        &self,
        call: Call,
        outcome: Outcome,
        lost: impl FnOnce(),
        failed: impl Fn(Point, Outcome) -> T,
    ) -> T {
        if matches!(outcome, Outcome::Crash | Outcome::Zombie | Outcome::Timeout | Outcome::Reset) {
            lost();
        }
        match outcome {
            Outcome::Crash => self.crash().await,
            Outcome::Zombie => {
                self.freeze().await;
                failed(Point::NotExecuted, Outcome::Reset)
            }
            _ => {
                if outcome == Outcome::Timeout {
                    sleep(call.answer_timeout).await;
                }
                failed(Point::NotExecuted, outcome)
            }
        }
    }

    async fn reply_lost<T>(&self, call: Call, outcome: Outcome, answer: T, failed: impl Fn(Point, Outcome) -> T) -> T {
        match outcome {
            Outcome::Crash => self.crash().await,
            Outcome::Zombie => {
                self.freeze().await;
                // Either the answer has waited, or the connection is gone.
                if self.world.random.chance(2) { answer } else { failed(Point::ReplyLost, Outcome::Reset) }
            }
            _ => {
                if outcome == Outcome::Timeout {
                    sleep(call.answer_timeout).await;
                }
                failed(Point::ReplyLost, outcome)
            }
        }
    }

    /// The fault that happens to this call, if any.
    fn take_fault(&self, call: Call) -> Option<(Point, Outcome)> {
        let mut faults = self.world.faults();
        let at_write = if call.stores { faults.take_at_write(self.process) } else { None };
        let fault = match at_write {
            Some(outcome) => Some((Point::NotSent, outcome)),
            None => faults.take_at(call.site?),
        };
        drop(faults);
        if let Some((point, outcome)) = fault {
            tracing::info!(process = self.process, ?point, ?outcome, site = ?call.site, "FAULT");
            self.world.disturb();
        }
        fault
    }

    /// Kills the process, here and now.
    async fn crash<T>(&self) -> T {
        self.run_state.kill();
        self.world.replace_killed();
        std::future::pending().await
    }

    /// Freezes the process; returns when it goes on.
    async fn freeze(&self) {
        self.run_state.freeze();
        self.world.replace_frozen(self.process);
        self.run_state.running().await;
        self.world.disturb();
    }
}
