//! What carpack asks of the cloud: the port, and the Tencent Cloud API 3.0 client behind it.
//!
//! The operator is written against [`port`]. [`connect`] makes the client of an account, as two halves: [`Cloud`] reads and
//! changes what is free of charge, and money leaves through [`PaidCalls`] only. [`outcome`] says what is known when a paid call
//! is over.

pub mod client;
pub mod config;
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

pub use client::{Client, connect};
pub use config::Config;
pub use credentials::Credentials;
pub use endpoint::Site;
pub use error::{CallError, Category, ConfigError};
pub use outcome::{BeforeSend, Outcome};
pub use port::{Cloud, PaidCalls};
pub use time::Clock;
