//! The way of a call out of a process and back, and the faults that wait on it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::fault::{Fault, Outcome, Point, Site};
use crate::life::Life;
use crate::world::World;

/// The faults of a schedule.
#[derive(Debug, Default)]
pub struct Faults {
    /// Those to come, in order, each with how many occasions it lets pass.
    coming: Vec<(Fault, u32)>,
    /// Those that came.
    fired: Vec<Fault>,
    /// What the next write of a process to the API server meets, because an answer was not persisted.
    unpersisted: Option<(usize, Outcome)>,
}

impl Faults {
    /// These, one after the other.
    pub fn new(faults: Vec<(Fault, u32)>) -> Self {
        Self { coming: faults, ..Self::default() }
    }

    /// True when each has come.
    pub fn are_over(&self) -> bool {
        self.coming.is_empty() && self.unpersisted.is_none()
    }

    /// How many have come.
    pub fn fired(&self) -> usize {
        self.fired.len().saturating_sub(usize::from(self.unpersisted.is_some()))
    }

    /// What happens to this effect, if it is the turn of a fault.
    fn strike(&mut self, site: Site) -> Option<(Point, Outcome)> {
        let (fault, skip) = self.coming.first_mut().filter(|_| self.unpersisted.is_none())?;
        if fault.site != site {
            return None;
        }
        if *skip > 0 {
            *skip = skip.saturating_sub(1);
            return None;
        }
        let fault = *fault;
        self.coming.remove(0);
        self.fired.push(fault);
        Some((fault.point, fault.outcome))
    }

    /// What happens to this write, because the answer before it was not to be persisted.
    fn strike_write(&mut self, process: usize) -> Option<Outcome> {
        let (_, outcome) = self.unpersisted.take_if(|(of, _)| *of == process)?;
        Some(outcome)
    }
}

/// A process's way to the API server and the cloud.
#[derive(Clone)]
pub struct Link {
    /// The world around.
    pub world: Arc<World>,
    /// Which process.
    pub process: usize,
    /// Its life.
    pub life: Arc<Life>,
}

/// What kind of call it is.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The effect, if it is one that faults wait for.
    pub site: Option<Site>,
    /// True for a write that persists something.
    pub persists: bool,
    /// How long the caller waits for a connection, and for an answer.
    pub patience: [Duration; 2],
}

impl Link {
    /// Makes a call. `execute` carries it out; `stray` hears that it is under way and nobody knows where to; `spoilt` is what
    /// the caller gets when it did not come through.
    pub async fn travel<T>(
        &self,
        call: Call,
        execute: impl FnOnce() -> T,
        stray: impl FnOnce(),
        spoilt: impl Fn(Point, Outcome) -> T,
    ) -> T {
        let struck = self.strike(call);
        let [connecting, answering] = call.patience;
        match struck {
            Some((Point::NotSent, Outcome::Crash)) => return self.crash().await,
            Some((Point::NotSent, Outcome::Zombie)) => self.freeze().await,
            Some((Point::NotSent, Outcome::Timeout)) => {
                sleep(connecting).await;
                return spoilt(Point::NotSent, Outcome::Timeout);
            }
            Some((Point::NotSent, outcome)) => return spoilt(Point::NotSent, outcome),
            _ => {}
        }
        sleep(self.world.latency()).await;
        if let Some((Point::NotExecuted, Outcome::Crash | Outcome::Zombie | Outcome::Timeout | Outcome::Reset)) = struck
        {
            stray();
        }
        match struck {
            Some((Point::NotExecuted, Outcome::Crash)) => self.crash().await,
            Some((Point::NotExecuted, Outcome::Zombie)) => {
                self.freeze().await;
                spoilt(Point::NotExecuted, Outcome::Reset)
            }
            Some((Point::NotExecuted, outcome)) => {
                if outcome == Outcome::Timeout {
                    sleep(answering).await;
                }
                spoilt(Point::NotExecuted, outcome)
            }
            Some((Point::ReplyLost, outcome)) => {
                let answer = execute();
                match outcome {
                    Outcome::Crash => self.crash().await,
                    Outcome::Zombie => {
                        self.freeze().await;
                        // The answer has waited, or its connection is gone.
                        if self.world.chance(2) { answer } else { spoilt(Point::ReplyLost, Outcome::Reset) }
                    }
                    _ => {
                        if outcome == Outcome::Timeout {
                            sleep(answering).await;
                        }
                        spoilt(Point::ReplyLost, outcome)
                    }
                }
            }
            Some((Point::NotPersisted, outcome)) => {
                let answer = execute();
                self.world.faults().unpersisted = Some((self.process, outcome));
                answer
            }
            Some((Point::NotSent, _)) | None => execute(),
        }
    }

    fn strike(&self, call: Call) -> Option<(Point, Outcome)> {
        let mut faults = self.world.faults();
        let struck = if call.persists {
            faults.strike_write(self.process).map(|outcome| (Point::NotSent, outcome))
        } else {
            None
        };
        let struck = struck.or_else(|| faults.strike(call.site?));
        drop(faults);
        if let Some((point, outcome)) = struck {
            tracing::info!(process = self.process, ?point, ?outcome, site = ?call.site, "FAULT");
            self.world.disturb();
        }
        struck
    }

    /// The process is killed, here and now.
    async fn crash<T>(&self) -> T {
        self.life.kill();
        self.world.replace_crashed();
        std::future::pending().await
    }

    /// The process stands still; returns when it goes on.
    async fn freeze(&self) {
        self.life.freeze();
        self.world.take_over_frozen(self.process);
        self.life.running().await;
        self.world.disturb();
    }
}
