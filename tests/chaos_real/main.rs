//! The binary itself before a real API server and the simulated cloud, killed or frozen at every effect and at random.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)] // progress: the ignored tests take minutes

mod checks;
mod everywhere;
#[path = "../harness/mod.rs"]
mod harness;
mod one_fault;
mod random_faults;
