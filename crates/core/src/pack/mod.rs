//! What to do next for a ConcurrencyPack.

mod adoption;
mod assignment;
mod barriers;
mod decide;
mod deletion;
mod due;
mod extension;
mod finding;
mod flags;
mod input;
mod naming;
mod orders;
mod purchase;
mod readiness;
mod renewal;
mod report;
mod stage;
mod successor;
mod view;

pub use decide::decide;
pub use input::{Change, ChangeFailure, Decision, Effect, Input};
