//! How an account is reached.

use std::fmt;
use std::time::Duration;

use jiff::tz::Offset;

use crate::credentials::Credentials;
use crate::endpoint::Site;
use crate::time::{self, Clock};

/// How long making a connection may take, if a call may take longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A read is not tried again when so much time has passed since its first attempt.
const READ_BUDGET: Duration = Duration::from_secs(45);

/// How an account is reached. [`Config::new`] fills in the defaults.
#[derive(Clone)]
pub struct Config {
    /// Which cloud.
    pub site: Site,
    /// The account's key.
    pub credentials: Credentials,
    /// The wall clock, for signatures and for the skew.
    pub clock: Clock,
    /// The zone of the cloud's times; UTC+8 by default, which is ASSUMED.
    pub utc_offset: Offset,
    /// How long making a connection may take: by default 5 s, and no longer than a call.
    pub connect_timeout: Duration,
    /// How long one attempt of a call may take, with its connection.
    pub call_timeout: Duration,
    /// A read is not tried again when so much time has passed since its first attempt; 45 s by default.
    pub read_budget: Duration,
}

impl Config {
    /// A configuration with the defaults.
    pub fn new(site: Site, credentials: Credentials, clock: Clock, call_timeout: Duration) -> Self {
        Self {
            site,
            credentials,
            clock,
            utc_offset: time::DEFAULT_OFFSET,
            connect_timeout: CONNECT_TIMEOUT.min(call_timeout),
            call_timeout,
            read_budget: READ_BUDGET,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the site: a custom address that is not checked yet may hold a password.
        f.debug_struct("Config")
            .field("credentials", &self.credentials)
            .field("utc_offset", &self.utc_offset)
            .field("connect_timeout", &self.connect_timeout)
            .field("call_timeout", &self.call_timeout)
            .field("read_budget", &self.read_budget)
            .finish_non_exhaustive()
    }
}
