//! The command line. Every flag can also be set in the environment, as `CARPACK_<FLAG>`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use carpack_api::Mode;
use carpack_cloud::tc3::SIGNATURE_LIFETIME;
use carpack_core::Timing;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;

use crate::runtime::telemetry::LogFormat;

/// Buys, renews and re-assigns concurrency packs of Tencent Cloud Application Rendering.
#[derive(Debug, Parser)]
#[command(name = "carpack", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    Run(Box<RunArgs>),
    /// Print the CustomResourceDefinitions as YAML.
    Crd(CrdArgs),
    /// Write what is generated in the repository's docs. Only `make generate` needs it.
    #[command(hide = true)]
    Docs(DocsArgs),
}

/// Where to write the CustomResourceDefinitions.
#[derive(Debug, Args)]
pub struct CrdArgs {
    /// Write one file per definition into this directory instead of printing them.
    #[arg(long, env = "CARPACK_CRD_DIR")]
    pub dir: Option<PathBuf>,
}

/// Where the docs of the repository are.
#[derive(Debug, Args)]
pub struct DocsArgs {
    /// The folder of the docs.
    #[arg(long)]
    pub dir: PathBuf,
}

/// Settings of the operator.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The operator's namespace, where accounts and orders live. Default: the namespace the pod runs in.
    #[arg(long, env = "CARPACK_NAMESPACE")]
    pub namespace: Option<String>,
    /// The pod's namespace, as the downward API tells it.
    #[arg(long, env = "POD_NAMESPACE", hide = true)]
    pub pod_namespace: Option<String>,
    /// Namespaces whose packs are managed; repeat it or separate them by commas. Default: every namespace.
    #[arg(long, env = "CARPACK_WATCH_NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    pub watch_namespace: Vec<String>,
    /// The installation's step of the ladder: the lowest of installation, account and pack wins.
    #[arg(long, env = "CARPACK_MODE", default_value = "Automatic", value_parser = mode_parser())]
    pub mode: Mode,
    /// Who this process is in the lease. Default: the pod's name. A random suffix is always appended.
    #[arg(long, env = "CARPACK_IDENTITY")]
    pub identity: Option<String>,
    /// The pod's name, as the downward API tells it.
    #[arg(long, env = "POD_NAME", hide = true)]
    pub pod_name: Option<String>,
    /// The machine's name, as the container runtime tells it.
    #[arg(long, env = "HOSTNAME", hide = true)]
    pub hostname: Option<String>,
    /// Name of the Lease by which replicas agree on a leader.
    #[arg(long, env = "CARPACK_LEASE_NAME", default_value = "carpack")]
    pub lease_name: String,
    /// How long others wait for a silent leader, in whole seconds.
    #[arg(long, env = "CARPACK_LEASE_DURATION", default_value = "30s", value_parser = duration)]
    pub lease_duration: Duration,
    /// How often the leader renews its lease.
    #[arg(long, env = "CARPACK_LEASE_RENEW_EVERY", default_value = "5s", value_parser = duration)]
    pub lease_renew_every: Duration,
    /// A leader that could not renew for so long steps down: well before the lease runs out.
    #[arg(long, env = "CARPACK_LEASE_STEP_DOWN", default_value = "20s", value_parser = duration)]
    pub lease_step_down: Duration,
    /// Where /livez, /readyz and /metrics are served. Default: port 8080 of every address, of IPv4 and IPv6.
    #[arg(long, env = "CARPACK_HEALTH_ADDRESS", default_value = "[::]:8080")]
    pub health_address: SocketAddr,
    /// How the log is written.
    #[arg(long, env = "CARPACK_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// What is logged: a level, or a filter such as info,carpack=debug.
    #[arg(long, env = "CARPACK_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// How often each account is swept: every list of it is read.
    #[arg(long, env = "CARPACK_SWEEP_INTERVAL", default_value = "60s", value_parser = duration)]
    pub sweep_interval: Duration,
    /// A sweep that began longer ago than this proves nothing about now.
    #[arg(long, env = "CARPACK_STALE_AFTER", default_value = "10m", value_parser = duration)]
    pub stale_after: Duration,
    /// How long after a paid call of unknown outcome nothing is concluded from an absence.
    #[arg(long, env = "CARPACK_QUARANTINE", default_value = "7m", value_parser = duration)]
    pub quarantine: Duration,
    /// How long a paid delivery may be late before it is reported.
    #[arg(long, env = "CARPACK_DELIVERY_GRACE", default_value = "1h", value_parser = duration)]
    pub delivery_grace: Duration,
    /// First wait before a refused call is sent again; doubles with each attempt.
    #[arg(long, env = "CARPACK_RETRY_AFTER", default_value = "30s", value_parser = duration)]
    pub retry_after: Duration,
    /// How long one call to the cloud may take.
    #[arg(long, env = "CARPACK_CALL_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub call_timeout: Duration,
    /// REHEARSALS ONLY: take the time from a simulator at this loopback address, such as http://127.0.0.1:9000.
    #[arg(long, env = "CARPACK_REHEARSAL_CLOCK")]
    pub rehearsal_clock: Option<String>,
}

impl RunArgs {
    /// The intervals that decisions depend on.
    pub fn timing(&self) -> Timing {
        Timing {
            stale_after: signed(self.stale_after),
            quarantine: signed(self.quarantine),
            delivery_grace: signed(self.delivery_grace),
            retry_after: signed(self.retry_after),
            ..Timing::default()
        }
    }

    /// The name under which this process holds the lease, before the random suffix.
    pub fn identity(&self) -> &str {
        let given = [&self.identity, &self.pod_name, &self.hostname];
        given.into_iter().flatten().find(|name| !name.is_empty()).map_or("carpack", String::as_str)
    }

    /// Checks whether the settings fit together.
    ///
    /// # Errors
    /// When they do not: names the setting and says what to change.
    pub fn check(&self) -> Result<(), String> {
        if self.lease_step_down >= self.lease_duration {
            return Err(
                "--lease-step-down must be shorter than --lease-duration: a leader steps down before others take over"
                    .to_owned(),
            );
        }
        if self.lease_duration.as_secs() == 0 || self.lease_duration.subsec_nanos() != 0 {
            return Err("--lease-duration must be whole seconds".to_owned());
        }
        if self.lease_renew_every + self.call_timeout >= self.lease_step_down {
            return Err("--lease-renew-every + --call-timeout must be shorter than --lease-step-down: otherwise no paid call could ever be made".to_owned());
        }
        let left = self.timing().intent_valid.saturating_add(signed(self.call_timeout));
        if signed(self.quarantine) < left.saturating_add(SIGNATURE_LIFETIME) {
            return Err("--quarantine must be at least 5m10s + --call-timeout: so long after its intent a signed call can still arrive, and until then its absence proves nothing".to_owned());
        }
        let never_zero = [
            ("--sweep-interval", self.sweep_interval),
            ("--call-timeout", self.call_timeout),
            ("--retry-after", self.retry_after),
            ("--lease-renew-every", self.lease_renew_every),
        ];
        if let Some((setting, _)) = never_zero.iter().find(|(_, value)| value.is_zero()) {
            return Err(format!("{setting} must be longer than 0"));
        }
        Ok(())
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration =
        text.parse().map_err(|error| format!("write a duration such as 90s or 10m: {error}"))?;
    Duration::try_from(parsed).map_err(|_| "a duration cannot be negative".to_owned())
}

/// A namespace to watch. An empty name, as after a comma too many, would mean every namespace.
fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    let is_of_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() {
        return Err(
            "an empty name: separate namespaces by single commas, or leave the setting out to watch every namespace"
                .to_owned(),
        );
    }
    if name.len() > 63 || !name.chars().all(is_of_label) || name.starts_with('-') || name.ends_with('-') {
        return Err(format!("{name:?} is no name of a namespace: write lower-case letters, digits and hyphens"));
    }
    Ok(name.to_owned())
}

fn mode_parser() -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(["Observe", "DryRun", "ApprovalRequired", "Automatic"])
        .try_map(|name| serde_json::from_value::<Mode>(serde_json::Value::String(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_fit_together() {
        let Command::Run(args) = Cli::parse_from(["carpack", "run"]).command else { panic!("not run") };
        args.check().unwrap();
        assert_eq!(args.timing(), Timing::default());
        assert_eq!(args.mode, Mode::Automatic);
    }

    #[test]
    fn namespaces_are_named_one_by_one_and_an_empty_name_is_none() {
        let watched = |value: &str| match Cli::try_parse_from(["carpack", "run", "--watch-namespace", value]) {
            Ok(Cli { command: Command::Run(args) }) => Ok(args.watch_namespace),
            Ok(_) => panic!("not run"),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(watched("events, shows").unwrap(), ["events", "shows"]);
        for wrong in ["events,", ",events", "", " ", "Events", "ev*", "a-", "a b"] {
            let words = watched(wrong).unwrap_err();
            assert!(words.contains("--watch-namespace"), "{words}");
        }
    }

    fn refusal(setting: &str, value: &str) -> Option<String> {
        let Command::Run(args) = Cli::parse_from(["carpack", "run", setting, value]).command else { panic!("not run") };
        args.check().err().filter(|words| words.contains(setting))
    }

    #[test]
    fn a_call_that_could_outlive_the_lease_is_refused_at_start() {
        assert!(refusal("--call-timeout", "15s").is_some());
    }

    #[test]
    fn what_is_done_again_and_again_needs_a_pause_between() {
        for setting in ["--sweep-interval", "--call-timeout", "--retry-after", "--lease-renew-every"] {
            assert!(refusal(setting, "0s").is_some(), "{setting}");
        }
    }

    #[test]
    fn a_quarantine_within_which_a_call_could_still_arrive_is_refused_at_start() {
        assert!(refusal("--quarantine", "5m19s").is_some());
        assert_eq!(refusal("--quarantine", "5m20s"), None);
    }
}
