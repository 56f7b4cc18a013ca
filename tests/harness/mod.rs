//! The world of one test: two namespaces of the control plane that all tests of the binary share, a simulated cloud, and the
//! operator as a process.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cloud;
mod concert;
pub mod ground;
pub mod http;
pub mod interceptor;
mod objects;
mod operator;
pub mod spec;
pub mod status;
mod waits;

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use carpack_simulator::{Config, Simulator};
use carpack_testkit::{ControlPlane, GuardedProcess, Options, TemporaryFolder, workspace_root};
use jiff::SignedDuration;
use kube::Client;
use serde_json::{Value, json};

/// The longest that a test waits for one thing.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A project of scale L1. Every world also has cap-b (L1), cap-small (S1) and cap-foreign (L1, not granted to the tenant).
pub const PROJECT: &str = "cap-a";

/// A day of business time.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);
/// From the expiry of a pack to a moment just after its renewal is due: renewBefore is 6 h.
pub const DUE: SignedDuration = SignedDuration::from_secs(-6 * 3600 + 2);
/// Minutes of business time after which a missing purchase or renewal counts as not executed, and some more.
pub const QUARANTINE: i64 = 8;

/// The world of one test.
pub struct World {
    pub plane: &'static ControlPlane,
    pub client: Client,
    pub tenant: String,
    pub treasury: String,
    pub simulator: Simulator,
    folder: TemporaryFolder,
    flags: Vec<String>,
    operator: Option<GuardedProcess>,
    /// The kubeconfig that operators are started with.
    kubeconfig: PathBuf,
    /// How many operators were started.
    starts: AtomicUsize,
}

/// How a world starts.
pub struct Setup {
    pub simulator: Config,
    /// Changes to the spec of the account.
    pub account: Value,
    /// Flags of the operator; they replace the defaults of the same name.
    pub flags: Vec<&'static str>,
    pub with_account: bool,
    pub with_secret: bool,
    /// A control plane of its own, for a test that stops or changes it; `None` for the shared one.
    pub plane: Option<&'static ControlPlane>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            simulator: Config::default(),
            account: json!({}),
            flags: Vec::new(),
            with_account: true,
            with_secret: true,
            plane: None,
        }
    }
}

impl World {
    /// A world with an account in mode Automatic, enough money, and a running operator.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let mut world = Self::without_operator(setup).await;
        world.start_operator();
        world
    }

    pub async fn without_operator(setup: Setup) -> Self {
        let plane = match setup.plane {
            Some(plane) => plane,
            None => ControlPlane::shared().await.unwrap(),
        };
        let client = plane.admin_client().await.unwrap();
        let tenant = plane.namespace("tenant").await.unwrap();
        let treasury = plane.namespace("treasury").await.unwrap();
        let simulator = Simulator::start(setup.simulator).await.unwrap();
        for (project, scale) in [("cap-a", "L1"), ("cap-b", "L1"), ("cap-small", "S1"), ("cap-foreign", "L1")] {
            simulator.create_project(project, scale).unwrap();
        }
        let folder = TemporaryFolder::new("behaviour").unwrap();
        let flags = setup.flags.iter().map(|flag| (*flag).to_owned()).collect();
        let kubeconfig = plane.admin_kubeconfig().unwrap();
        let (operator, starts) = (None, AtomicUsize::new(0));
        let world = Self { plane, client, tenant, treasury, simulator, folder, flags, operator, kubeconfig, starts };
        if setup.with_secret {
            world.put_secret("AKIDsimulator", "simulator-secret-key").await;
        }
        if setup.with_account {
            world.put_account(setup.account).await;
        }
        world
    }

    /// Fails the test, and prints the ledger of the cloud and the end of the operator's log.
    pub fn fail(&self, why: &str) -> ! {
        let log = self.log();
        let tail: Vec<&str> = log.lines().rev().take(60).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        panic!(
            "{why}\n--- ledger: {:#?}\n--- end of the operator's log:\n{}",
            self.simulator.ledger(),
            tail.join("\n")
        );
    }
}

/// A control plane for one test alone. It ends with the process of the tests.
pub async fn own_plane() -> &'static ControlPlane {
    let manifests = vec![workspace_root().join("crds")];
    let options = Options { manifests, ..Options::default() };
    Box::leak(Box::new(Box::pin(ControlPlane::start(options)).await.unwrap()))
}
