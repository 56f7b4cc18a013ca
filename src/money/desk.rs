//! The paid halves of the clients, by account. Everybody may put one in; only this module can use one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carpack_cloud::PaidCalls;

/// The paid half of a client. It is opaque: outside of [`crate::money`] nothing can be done with it but hand it over.
#[derive(Clone)]
pub struct PaidClient(Arc<dyn PaidCalls>);

impl PaidClient {
    /// Seals the paid calls of a client.
    pub fn new(calls: Arc<dyn PaidCalls>) -> Self {
        Self(calls)
    }

    /// The calls, for the step that sends.
    pub(super) fn open(&self) -> &dyn PaidCalls {
        self.0.as_ref()
    }
}

impl fmt::Debug for PaidClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaidClient")
    }
}

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
