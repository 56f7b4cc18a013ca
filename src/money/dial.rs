//! Makes the clients of accounts, and seals their paid halves.

use std::fmt;
use std::sync::Arc;

use carpack_cloud::{Client, Cloud, Config, ConfigError, PaidCalls};

/// The two halves of a client.
#[derive(Clone)]
pub struct Halves {
    /// For reads, and for changes that are free of charge.
    pub cloud: Arc<dyn Cloud>,
    /// For paid calls. Only [`crate::money`] can open it.
    pub paid: PaidClient,
}

/// Makes the client of an account.
pub type Dial = Arc<dyn Fn(Config) -> Result<Halves, ConfigError> + Send + Sync>;

/// Makes clients of the real cloud, or of whatever answers at the account's endpoint.
pub fn tencent() -> Dial {
    Arc::new(|config| {
        #[expect(clippy::disallowed_methods, reason = "this is the one place: the paid half is sealed at once")]
        let Client { cloud, paid } = carpack_cloud::connect(config)?;
        Ok(Halves { cloud, paid: PaidClient::new(paid) })
    })
}

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
