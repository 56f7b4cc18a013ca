//! The operator in virtual time, with faults at every effect.
//!
//! One [`schedule`] is one small [`world`]: an API server in memory, the simulator's model of the cloud, a clock that
//! only moves when every task waits, and processes that run the operator's own code. From the bottom up:
//!
//! - Data: [`fault`], [`effect`], [`circumstance`], [`mutant`], [`schedule`], [`plan`], [`rule`]. [`matrix`] lists the
//!   schedules.
//! - State: [`world`], with the journal of what has happened.
//! - The judge: [`oracle`], which is asked at every paid call, charge and write.
//! - What acts: [`process`] is the operator, and its connections are where faults happen. [`user`], [`incidents`] and
//!   [`timeline`] are the people, and whatever else happens around the operator.
//! - [`runner`] runs schedules, and [`tally`] sums up what came of them.
//!
//! docs/safety.md says what is not the real thing, and why that is sound.

pub mod circumstance;
pub mod effect;
pub mod fault;
pub mod incidents;
pub mod matrix;
pub mod mutant;
pub mod oracle;
pub mod plan;
pub mod process;
pub mod rule;
pub mod runner;
pub mod schedule;
pub mod tally;
pub mod timeline;
pub mod user;
pub mod world;
