//! carpack: a Kubernetes operator that buys and renews concurrency packs.

use std::process::ExitCode;

use carpack::cli::Cli;
use clap::Parser;

fn main() -> ExitCode {
    Cli::parse().execute()
}
