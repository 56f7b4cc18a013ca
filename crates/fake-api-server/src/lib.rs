//! An API server in memory, for simulations in virtual time. It is cheap: a simulation makes thousands of them in a
//! second.
//!
//! It behaves like the real one in everything that the operator's safety relies on: resource versions and conflicts,
//! UIDs, generations, the status subresource, finalizers and deletion, merge patches, and the order of watch events.
//! `tests/conformance.rs` compares it with a real kube-apiserver: both execute the same random operations.
//!
//! It leaves out what the simulations do not need: schemas (validation, defaults, pruning), namespaces, access rights,
//! server-side apply, selectors and paging.

mod answer;
mod handle;
mod object;
mod patch;
mod resource;
mod service;
mod store;

pub use answer::Answer;
pub use handle::ApiServer;
pub use object::{Meta, Object};
pub use resource::{Key, Resource};
pub use service::{ApiRequest, Reply, Service};
pub use store::{Change, ChangeKind};
