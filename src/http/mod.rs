//! Serves health and metrics over HTTP.

pub mod server;
pub mod state_metrics;
