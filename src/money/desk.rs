//! The paid halves of the clients, by account. Everybody may put one in; only [`crate::money`] can take one out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::dial::PaidClient;

/// The paid halves of the clients, by account.
#[derive(Default)]
pub struct PaidDesk {
    clients: Mutex<HashMap<String, PaidClient>>,
}

impl PaidDesk {
    /// From now on this client pays for the account.
    pub fn put(&self, account: &str, client: PaidClient) {
        self.lock().insert(account.to_owned(), client);
    }

    /// From now on no client pays for the account.
    pub fn remove(&self, account: &str) {
        self.lock().remove(account);
    }

    /// The client that pays for the account. None before its first complete sweep.
    pub(super) fn client(&self, account: &str) -> Option<PaidClient> {
        self.lock().get(account).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, PaidClient>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
