//! Nothing is paid for twice, without leave or above a limit: whatever is lost on the way, whichever process dies, whoever
//! interferes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adversary;
#[path = "../harness/mod.rs"]
mod harness;
mod ladder;
mod leaders;
mod limits;
mod lost_answers;
mod restarts;
