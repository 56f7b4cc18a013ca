//! What people who run the operator meet: outages of the cloud and of the API server, wrong keys, changes in the console,
//! probes and metrics.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod console;
mod control_plane;
#[path = "../harness/mod.rs"]
mod harness;
mod monitoring;
mod outages;
mod trouble;
