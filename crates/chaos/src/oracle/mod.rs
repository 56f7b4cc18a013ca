//! The oracle judges what happens: when a paid call leaves, when money is charged, when something is written, and at
//! the end.
//!
//! It reads the world and writes breaches into the world's journal. It takes no rule from the code that it judges.

pub mod audit;
pub mod calls;
pub mod expiry;
pub mod writes;

use carpack_api::order::LineState;

/// True while the outcome of a line's call is not known, or not booked.
fn is_unresolved(state: LineState) -> bool {
    matches!(state, LineState::Submitting | LineState::Unknown | LineState::Committed)
}
