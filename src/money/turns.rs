//! Paid calls take turns: one at a time for each pack, and for each account with limits until the intent is written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// The last call of a turn: the UID of its order, and when it was over. None before the first.
pub(super) type LastCall = Option<(String, Instant)>;

/// A turn, for as long as it is held.
pub(super) type Turn = OwnedMutexGuard<LastCall>;

/// The turns of all packs (by `namespace/name`) and of all accounts with limits (by name).
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<LastCall>>>>);

impl Turns {
    /// Waits for the turn of a pack or of an account. Without it two orders could both be rechecked before either has written
    /// the intent that the other must see.
    pub(super) async fn take(&self, of: String) -> Turn {
        let turn = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(of).or_default());
        turn.lock_owned().await
    }

    /// True while somebody waits for a turn that is taken.
    #[cfg(test)]
    pub(super) fn are_awaited(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().any(|turn| Arc::strong_count(turn) > 2)
    }
}
