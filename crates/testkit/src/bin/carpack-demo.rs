//! `make demo`: the whole of carpack on this machine, against a real API server and the simulated cloud.
//!
//! Buys a Daily pack, waits until it is Ready, is renewed and moves to another project; then runs until Ctrl-C and says how to
//! look around. Every process that it starts ends with it, however it ends.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use carpack_simulator::{Config, Simulator};
use carpack_testkit::{
    ControlPlane, Error, GuardedCommand, GuardedProcess, Options, TemporaryFolder, eventually, workspace_root,
};

/// Simulated seconds in a real second: a day passes in 48 s.
const RATE: f64 = 1800.0;
const NAMESPACE: &str = "carpack-system";
const TENANT: &str = "events";
const USAGE: &str = "usage: carpack-demo [--exit]\n\n  --exit  end after the tour instead of running on until Ctrl-C";
/// The longest that a step may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let exit = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--exit"] => true,
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let tour = async {
        let demo = Demo::start().await?;
        let result = demo.tour().await;
        if result.is_err() {
            eprintln!("\nThe operator's log ends:\n{}", demo.operator.log_tail());
        }
        result?;
        if !exit {
            demo.look_around()?;
            std::future::pending::<()>().await;
        }
        Ok::<(), Error>(())
    };
    tokio::select! {
        result = tour => match result {
            Ok(()) => {
                println!("\nThe demo has shown what it should; everything it started is stopped.");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("\nThe demo failed: {error}");
                ExitCode::FAILURE
            }
        },
        _ = interrupted() => {
            println!("\nStopping everything that the demo has started.");
            if exit { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
    }
}

/// Waits for Ctrl-C, SIGTERM or SIGHUP.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// Everything that runs; it ends when this is dropped.
struct Demo {
    operator: GuardedProcess,
    simulator: Simulator,
    plane: ControlPlane,
    _folder: TemporaryFolder,
}

impl Demo {
    async fn start() -> Result<Self, Error> {
        let deploy = workspace_root().join("deploy");
        let folder = TemporaryFolder::new("demo")?;

        step("Starting etcd, kube-apiserver and kube-controller-manager");
        let options = Options { manifests: vec![deploy.join("crds.yaml")], ..Options::default() };
        let plane = ControlPlane::start(options).await?;

        step(&format!("Starting the simulated cloud; its clock runs {RATE} times as fast: a day passes in 48 seconds"));
        let simulator = Simulator::start(Config { rate: RATE, ..Config::default() }).await.map_err(in_cloud)?;
        for project in ["cap-abc123", "cap-arena"] {
            simulator.create_project(project, "L1").map_err(in_cloud)?;
        }

        step("Installing carpack as its manifests do: kubectl apply -k deploy");
        plane.kubectl(&["apply", "-k", &deploy.to_string_lossy()]).await?.success()?;
        plane.kubectl(&["create", "namespace", TENANT]).await?.success()?;
        let account = workspace_root().join("examples/account-simulator.yaml");
        let account = read(&account)?.replace("http://127.0.0.1:9000", &simulator.url());
        plane.kubectl_with_input(&["apply", "-n", NAMESPACE, "-f", "-"], &account).await?.success()?;

        step("Starting the operator, with its service account's rights (no kubelet here: it runs as a process)");
        let kubeconfig = plane.service_account_kubeconfig(NAMESPACE, "carpack").await?;
        let operator = GuardedCommand::new(binary("carpack")?, folder.path().join("operator.log"))
            .name("carpack")
            .args(["run", "--namespace", NAMESPACE, "--health-address", "127.0.0.1:0", "--log-format", "human"])
            .args(["--rehearsal-clock", &simulator.url(), "--sweep-interval", "1s", "--stale-after", "6h"])
            .env("KUBECONFIG", &kubeconfig)
            .start()?;
        Ok(Self { operator, simulator, plane, _folder: folder })
    }

    async fn tour(&self) -> Result<(), Error> {
        let sample = workspace_root().join("examples/pack-daily.yaml");
        step(
            "Applying the manifest examples/pack-daily.yaml: 5 concurrencies of scale L1 for one day, renewed by the operator",
        );
        self.plane.kubectl(&["apply", "-n", TENANT, "-f", &sample.to_string_lossy()]).await?.success()?;

        let bought =
            self.until("the pack is bought and Ready", |pack| pack.ready && pack.project == "cap-abc123").await?;
        done(&format!("bought, bound to cap-abc123 and Ready; it expires {}", bought.expires));
        self.show(&["get", "concurrencypacks", "-n", TENANT]).await?;

        step("Waiting until the operator renews it, 8 simulated hours before it runs out (about half a minute)");
        let renewed = self
            .until("the pack is renewed", |pack| pack.renewals > 0 && pack.expires > bought.expires && pack.ready)
            .await?;
        done(&format!("renewed before {}: it now expires {}", bought.expires, renewed.expires));
        self.show(&["get", "packorders", "-n", NAMESPACE]).await?;

        step("Changing spec.project to cap-arena");
        let patch = r#"{"spec":{"project":"cap-arena"}}"#;
        self.plane
            .kubectl(&["patch", "concurrencypack", "concert", "-n", TENANT, "--type", "merge", "-p", patch])
            .await?
            .success()?;
        self.until("the pack has moved", |pack| pack.ready && pack.project == "cap-arena").await?;
        done("moved: all instances are bound to cap-arena");
        self.show(&["get", "concurrencypacks", "-n", TENANT]).await?;
        self.balance_the_books().await
    }

    /// Checks that the orders have recorded what the cloud has charged, to the cent.
    async fn balance_the_books(&self) -> Result<(), Error> {
        step("Comparing the cloud's ledger with the orders");
        let path = "jsonpath={range .items[*]}{.status.paid.amount}{\"\\n\"}{end}";
        let compare = async || {
            let answer = self.plane.kubectl(&["get", "packorders", "-n", NAMESPACE, "-o", path]).await;
            let text = answer.and_then(carpack_testkit::CommandOutput::success).map_err(|error| error.to_string())?;
            let ordered: i64 = text.lines().filter_map(|line| line.replace('.', "").parse::<i64>().ok()).sum();
            let charged: i64 = self.simulator.ledger().iter().map(|entry| entry.amount_cents).sum();
            if ordered == charged { Ok(charged) } else { Err(format!("charged {charged} cents, in orders {ordered}")) }
        };
        let cents = eventually(PATIENCE, "the ledger and the orders agree", compare).await?;
        done(&format!("{}.{:02} USD were charged, and each of them stands in an order", cents / 100, cents % 100));
        Ok(())
    }

    fn look_around(&self) -> Result<(), Error> {
        println!("\nEverything keeps running until you press Ctrl-C. In another terminal:\n");
        println!("  export KUBECONFIG={}", self.plane.admin_kubeconfig()?.display());
        println!("  kubectl get concurrencypacks -A -o wide      # what there is, until when, and what happens next");
        println!(
            "  kubectl get packorders -n {NAMESPACE} -o wide # every spending act, its price and what became of it"
        );
        println!("  kubectl describe cpack concert -n {TENANT}     # conditions and events");
        println!("\nThe cloud's ledger: curl {}/simulator/ledger", self.simulator.url());
        println!("The operator's log: {}", self.operator.log().display());
        println!(
            "(no kubectl on your PATH? this one was built for the demo: {})",
            carpack_testkit::tool_path("kubectl")?.display()
        );
        Ok(())
    }

    async fn until(&self, what: &str, wanted: impl Fn(&Pack) -> bool) -> Result<Pack, Error> {
        let attempt = async || {
            let seen = self.pack().await.map_err(|error| error.to_string())?;
            if !self.operator.is_running() {
                return Err("the operator has stopped".to_owned());
            }
            if wanted(&seen) { Ok(seen) } else { Err(format!("{seen:?}")) }
        };
        eventually(PATIENCE, what, attempt).await
    }

    async fn pack(&self) -> Result<Pack, Error> {
        let columns = "{.status.conditions[?(@.type==\"Ready\")].status}|{.status.project}|{.status.expirationTime}|{.status.renewals}";
        let path = format!("jsonpath={columns}");
        let text =
            self.plane.kubectl(&["get", "concurrencypack", "concert", "-n", TENANT, "-o", &path]).await?.success()?;
        let mut fields = text.trim().split('|').map(str::to_owned);
        let mut field = || fields.next().unwrap_or_default();
        Ok(Pack {
            ready: field() == "True",
            project: field(),
            expires: field(),
            renewals: field().parse().unwrap_or(0),
        })
    }

    async fn show(&self, arguments: &[&str]) -> Result<(), Error> {
        let text = self.plane.kubectl(arguments).await?.success()?;
        println!("\n  $ kubectl {}", arguments.join(" "));
        for line in text.lines() {
            println!("  {line}");
        }
        println!();
        Ok(())
    }
}

/// The pack as kubectl shows it.
#[derive(Debug)]
struct Pack {
    ready: bool,
    project: String,
    expires: String,
    renewals: i64,
}

fn step(text: &str) {
    println!("==> {text}");
}

fn done(text: &str) {
    println!("    {text}");
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Start { name: path.display().to_string(), reason: error.to_string() }
}

fn in_cloud(error: carpack_simulator::Error) -> Error {
    Error::Start { name: "the simulated cloud".to_owned(), reason: error.to_string() }
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

/// A binary of this workspace in the folder of this one.
fn binary(name: &str) -> Result<PathBuf, Error> {
    let own = std::env::current_exe().map_err(|error| unreadable(Path::new("carpack-demo"), &error))?;
    Ok(own.with_file_name(name))
}
