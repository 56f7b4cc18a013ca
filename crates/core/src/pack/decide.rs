//! The decision about a pack.

use carpack_api::PACK_FINALIZER;

use super::input::{Decision, Effect, Input};
use super::{deletion, stage};

/// Decides. Pure and total.
///
/// *Guarantees*: no effect before the finalizer is on; no order while another one of this namespace and name is open; no
/// change on the word of a sweep that is stale or older than our own last change.
pub fn decide(input: &Input<'_>) -> Decision {
    let finalized = input.pack.metadata.finalizers.iter().flatten().any(|f| f == PACK_FINALIZER);
    if input.pack.metadata.deletion_timestamp.is_some() {
        return deletion::decide(input, finalized);
    }
    if !finalized {
        let status = input.pack.status.clone().unwrap_or_default();
        return Decision {
            effect: Some(Effect::AddFinalizer),
            status,
            events: Vec::new(),
            wake_at: None,
            wants_sweep: false,
        };
    }
    stage::decide(input)
}
