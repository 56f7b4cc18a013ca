//! What to do next for a PackOrder, and how the outcome of a paid call is recorded.

mod books;
mod chains;
mod decide;
mod delivery;
mod doubt;
mod evidence;
mod input;
mod intent;
mod report;
mod retention;

pub use decide::decide;
pub use doubt::settle_annotation;
pub use input::{Decision, Effect, Input};
pub use intent::{Outcome, adds_to, intend, may_leave, settle};
