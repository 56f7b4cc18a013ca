//! A cloud account: observing it, and changing in it what is free of charge.

pub mod changes;
pub mod connection;
mod health;
pub mod inventory;
pub mod merge;
pub mod snapshot;
mod sweep;
