//! carpack: a Kubernetes operator that buys and renews concurrency packs.

use std::process::ExitCode;

use carpack::cli::{Cli, Command};
use carpack::{generate, run};
use clap::Parser;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::run(*args),
        Command::Crd(args) => generate::crds::write(args.dir.as_deref()),
        Command::Docs(args) => generate::docs::write(&args.dir),
    }
}
