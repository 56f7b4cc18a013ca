//! What a pack does, from its purchase to its deletion: against a real API server and the simulated cloud, with the operator
//! as a process.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adoption;
mod auto_renew;
mod buying;
mod deletion;
mod delivery;
#[path = "../harness/mod.rs"]
mod harness;
mod reassignment;
mod renewal;
mod replacement;
