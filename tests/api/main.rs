//! What people type, what the API server accepts and refuses, and how the operator is installed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../harness/mod.rs"]
mod harness;
mod immutability;
mod install;
mod kubectl;
mod validation;
