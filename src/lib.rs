//! carpack: a Kubernetes operator that buys and renews concurrency packs. The way in: [`cli`], then [`run`], then
//! [`wiring`]; one file for each controller ([`packs`], [`orders`], [`accounts`]); money leaves through [`spender`].
//!
//! A library so that the simulations (`crates/chaos`) run this very code; its interface is for them alone, and may change
//! with every version.

#[path = "controllers/accounts.rs"]
pub mod accounts;
#[path = "account/changes.rs"]
pub mod changes;
pub mod cli;
#[path = "runtime/clock.rs"]
pub mod clock;
#[path = "controllers/queueing.rs"]
pub mod controllers;
#[path = "generate/crds.rs"]
mod crds;
#[path = "runtime/error.rs"]
pub mod error;
#[path = "runtime/events.rs"]
pub mod events;
#[path = "http/server.rs"]
mod http;
#[path = "account/inventory.rs"]
pub mod inventory;
#[path = "runtime/kubernetes.rs"]
pub mod kubernetes;
#[path = "runtime/lease.rs"]
pub mod lease;
#[path = "account/merge.rs"]
pub mod merge;
#[path = "runtime/metrics.rs"]
pub mod metrics;
#[path = "operator/mod.rs"]
pub mod operator;
#[path = "controllers/orders.rs"]
pub mod orders;
#[path = "controllers/packs.rs"]
pub mod packs;
#[path = "runtime/rehearsal.rs"]
mod rehearsal;
#[path = "money/request.rs"]
pub mod request;
mod run;
#[path = "runtime/signals.rs"]
mod signals;
#[path = "money/payment.rs"]
pub mod spender;
#[path = "account/connection.rs"]
pub mod sweep;
#[path = "runtime/tasks.rs"]
pub mod tasks;
#[path = "runtime/telemetry.rs"]
mod telemetry;
#[path = "controllers/unreadable.rs"]
mod unreadable;
#[path = "runtime/watches.rs"]
pub mod watches;
pub mod wiring;
