//! The operator in virtual time, with faults at every effect.
//!
//! One schedule is one small world ([`world`]): an API server in memory, the simulator's model of the cloud, a clock that
//! only moves when everybody waits, and processes ([`process`]) that run the operator's own controllers, spender, lease
//! and inventories. Faults ([`fault`]) wait on the way of every call ([`journey`]). People live their lives in it
//! ([`story`]), and at every step it is asked whether a rule is broken ([`oracle`]).
//!
//! What is not the real thing, and why that is sound, is said in docs/safety.md.

pub mod api;
pub mod clock;
pub mod cloud;
pub mod effect;
pub mod fault;
pub mod journey;
pub mod life;
pub mod matrix;
pub mod oracle;
pub mod paid;
pub mod plan;
pub mod plumbing;
pub mod process;
pub mod reading;
pub mod rows;
pub mod run;
pub mod sabotage;
pub mod story;
pub mod trouble;
pub mod world;
