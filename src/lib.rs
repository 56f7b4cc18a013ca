//! carpack: a Kubernetes operator that buys and renews concurrency packs.
//!
//! [`run`] puts the operator together ([`wiring`]) and runs it. [`controllers`] decide about objects and carry out what was
//! decided; [`money`] makes the paid calls, and nothing else does; [`operator`] is what these two share. [`account`] observes
//! the cloud and changes what is free of charge. [`runtime`] is what everything stands on: clock, tasks, lease, API server.
//! [`http`] serves health and metrics; [`generate`] writes the generated files of the repository.
//!
//! This is a library only so that the simulations (`crates/chaos`) run the same code. Its interface may change at any time.

pub mod account;
pub mod cli;
pub mod controllers;
pub mod generate;
pub mod http;
pub mod money;
pub mod operator;
pub mod run;
pub mod runtime;
#[cfg(test)]
mod testing;
pub mod wiring;
