//! The simulator as a program of its own.

use std::{fs, io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use carpack_simulator::{Config, Simulator};
use clap::Parser;
use jiff::Timestamp;

/// A server that speaks Tencent Cloud API 3.0 for CAR and billing, for tests and rehearsals.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A JSON file with accounts, prices and all options below. An option on the command line counts more.
    #[arg(long, env = "CAR_SIMULATOR_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen. Port 0: any free port. The URL is printed.
    #[arg(long, env = "CAR_SIMULATOR_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where the business clock starts, RFC 3339. Default: now.
    #[arg(long)]
    start: Option<Timestamp>,
    /// Business seconds per real second. 0: the clock moves only when it is set.
    #[arg(long)]
    rate: Option<f64>,
    /// The seed of generated ids.
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
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
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
