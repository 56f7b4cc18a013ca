//! carpack: a Kubernetes operator that buys and renews concurrency packs. The way in: [`cli`], then [`run`].

mod accounts;
mod changes;
mod cli;
mod clock;
mod controllers;
mod crds;
mod error;
mod events;
mod http;
mod inventory;
mod kubernetes;
mod lease;
mod merge;
mod metrics;
mod operator;
mod orders;
mod packs;
mod rehearsal;
mod request;
mod run;
mod signals;
mod spender;
mod sweep;
mod tasks;
mod telemetry;
mod unreadable;
mod watches;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(*args),
        Command::Crd(args) => crds::write(&args),
    }
}
