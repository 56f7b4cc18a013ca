//! An API server in memory, for simulations in virtual time: thousands of them in a second.
//!
//! It does what the operator's safety rests on as the real one does it: resource versions and conflicts, UIDs,
//! generations, the status subresource, finalizers and deletion, merge patches, and the order of watch events.
//! `tests/conformance.rs` holds it to a real kube-apiserver, by the same random operations on both.
//!
//! What it leaves out, because the simulations give it nothing that needs it: schemas (validation, defaults, pruning),
//! namespaces, access rights, server-side apply, selectors and paging.

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
pub use service::{Asked, Reply, Service};
pub use store::{Change, ChangeKind};
