//! The log.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// The client of the API server warns with the whole text of an answer that it cannot read: a Secret, or a list of all packs.
const NEVER_TOLD: &str = "kube_client::client=error";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Human,
}

/// Starts the log, on standard error.
///
/// # Errors
/// When the filter cannot be read, or a log was started before.
pub fn start(format: LogFormat, level: &str) -> Result<(), String> {
    let quiet = NEVER_TOLD.parse().map_err(|error| format!("{NEVER_TOLD}: {error}"))?;
    let filter = EnvFilter::try_new(level).map_err(|error| format!("--log-level {level}: {error}"))?;
    let filter = filter.add_directive(quiet);
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Human => log.try_init(),
    }
    .map_err(|error| error.to_string())
}
