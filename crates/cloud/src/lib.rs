//! What carpack asks of the cloud: the port, and the Tencent Cloud API 3.0 client behind it.
//!
//! The operator is written against [`port`] and runs with [`TencentClient`]. Money leaves through [`PaidCalls`] only, and
//! [`outcome`] says what is known when such a call is over.

pub mod client;
pub mod credentials;
mod decode;
pub mod endpoint;
pub mod error;
mod limiter;
mod listing;
pub mod outcome;
pub mod port;
pub mod tc3;
pub mod time;
mod tls;
mod transport;

pub use client::{Config, TencentClient};
pub use credentials::Credentials;
pub use endpoint::Site;
pub use error::{CallError, Category, ConfigError};
pub use outcome::{BeforeSend, Outcome};
pub use port::{Cloud, PaidCalls};
pub use time::Clock;
