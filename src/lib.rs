//! carpack: a Kubernetes operator that buys and renews concurrency packs. The way in: [`cli`], then [`run`], then
//! [`wiring`]; one file for each controller ([`packs`], [`orders`], [`accounts`]); money leaves through [`spender`].
//!
//! A library so that the simulations (`crates/chaos`) run this very code; its interface is for them alone, and may change
//! with every version.

pub mod accounts;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod controllers;
mod crds;
pub mod error;
pub mod events;
mod http;
pub mod inventory;
pub mod kubernetes;
pub mod lease;
pub mod merge;
pub mod metrics;
pub mod operator;
pub mod orders;
pub mod packs;
mod rehearsal;
pub mod request;
mod run;
mod signals;
pub mod spender;
pub mod sweep;
pub mod tasks;
mod telemetry;
mod unreadable;
pub mod watches;
pub mod wiring;
