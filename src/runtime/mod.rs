//! What everything stands on: clock, tasks, lease, watches, the clients of the API server, log, counters. It imports nothing
//! from the other folders.

pub mod clock;
pub mod error;
pub mod events;
pub mod feed;
pub mod guarded;
pub mod kubernetes;
pub mod lease;
pub mod metrics;
pub mod reason;
pub mod rehearsal;
pub mod seen;
pub mod signals;
pub mod tasks;
pub mod telemetry;
pub mod watches;
