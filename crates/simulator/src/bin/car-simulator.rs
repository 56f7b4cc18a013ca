//! The simulator as a program.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use carpack_simulator::{Config, Simulator};
use clap::Parser;
use jiff::Timestamp;

/// A server that speaks Tencent Cloud API 3.0 for CAR and billing, for tests and rehearsals.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A JSON file with the configuration. The options below take precedence over it.
    #[arg(long, env = "CAR_SIMULATOR_CONFIG")]
    config: Option<PathBuf>,
    /// The address to listen on; port 0 = any free one. The URL is printed.
    #[arg(long, env = "CAR_SIMULATOR_LISTEN")]
    listen: Option<SocketAddr>,
    /// The time at which the business clock starts, in RFC 3339; default: now.
    #[arg(long)]
    start: Option<Timestamp>,
    /// Business seconds per real second; 0 = the business clock moves only on request.
    #[arg(long)]
    rate: Option<f64>,
    /// The seed of the random ids.
    #[arg(long)]
    seed: Option<u64>,
}

impl Arguments {
    fn config(self) -> Result<Config, Box<dyn std::error::Error>> {
        let mut config = match &self.config {
            Some(path) => serde_json::from_slice(&fs::read(path)?)?,
            None => Config::default(),
        };
        config.address = self.listen.unwrap_or(config.address);
        config.start = self.start.or(config.start);
        config.rate = self.rate.unwrap_or(config.rate);
        config.seed = self.seed.unwrap_or(config.seed);
        Ok(config)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_ansi(colours).with_writer(std::io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let simulator = Simulator::start(Arguments::parse().config()?).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", simulator.url())?;
    out.flush()?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    simulator.stop().await;
    Ok(())
}
