//! A control plane: started, restarted, and reached by clients and commands.

mod access;
mod commands;
mod servers;
mod slot;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::sync::OnceCell;

use crate::certificates::Certificates;
use crate::{Error, GuardedProcess, TemporaryFolder, eventually, workspace_root};
pub use commands::CommandOutput;
use slot::Slot;

/// Options of a control plane.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether garbage collection, the deletion of namespaces and default service accounts work (kube-controller-manager).
    pub controller_manager: bool,
    /// Folders or files applied before kube-controller-manager starts: it takes 41 s to see a CRD that comes later.
    pub manifests: Vec<PathBuf>,
    /// Whether every request is written to [`ControlPlane::audit_log`].
    pub audit_log: bool,
    /// How long the start of each process may take.
    pub deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { controller_manager: true, manifests: Vec::new(), audit_log: false, deadline: Duration::from_secs(60) }
    }
}

/// A running control plane; it ends with this value or with this process, whichever ends first.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order: the processes before their folder.
    controller_manager: Slot,
    api_server: Slot,
    etcd: Slot,
    options: Options,
    certificates: Certificates,
    namespaces: AtomicU64,
    folder: TemporaryFolder,
}

impl ControlPlane {
    /// Starts a control plane and returns when it answers. Takes three to four seconds.
    ///
    /// # Errors
    /// [`Error::ToolNotFound`] when a program is missing, [`Error::NotReady`] when one does not get ready in time,
    /// [`Error::Command`] when a manifest is refused.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let folder = TemporaryFolder::new("carpack-control-plane-")?;
        let control_plane = Self {
            controller_manager: Slot::default(),
            api_server: Slot::default(),
            etcd: Slot::default(),
            certificates: Certificates::make(&folder.path().join("certificates"))?,
            options,
            namespaces: AtomicU64::new(1),
            folder,
        };
        control_plane.start_etcd().await?;
        control_plane.start_api_server().await?;
        for manifests in &control_plane.options.manifests {
            control_plane.apply(manifests).await?;
        }
        if control_plane.options.controller_manager {
            control_plane.start_controller_manager().await?;
        }
        Ok(control_plane)
    }

    /// The one control plane that all tests of this process share, each in a namespace of its own. It has the default
    /// options and the workspace's CRDs. Tests that stop or restart a part of it must start their own.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn shared() -> Result<&'static Self, Error> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        let crds = Some(workspace_root().join("crds")).filter(|folder| has_manifests(folder));
        let options = Options { manifests: crds.into_iter().collect(), ..Options::default() };
        SHARED.get_or_try_init(|| Box::pin(Self::start(options))).await
    }

    /// Makes a namespace that no other test has, and returns its name.
    ///
    /// # Errors
    /// [`Error::Kube`] when the API server refuses, [`Error::Deadline`] when the default service account does not come.
    pub async fn namespace(&self, prefix: &str) -> Result<String, Error> {
        let name = format!("{prefix}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        let client = self.admin_client().await?;
        let object = Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await?;
        if self.options.controller_manager {
            let accounts = Api::<ServiceAccount>::namespaced(client, &name);
            let description = format!("namespace {name} has its default service account");
            eventually(self.options.deadline, &description, async || accounts.get("default").await).await?;
        }
        Ok(name)
    }

    /// The folder of its logs and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The log of all requests, one JSON object a line: those to carpack.io with their bodies.
    ///
    /// # Errors
    /// [`Error::NoAuditLog`] when the control plane was started without one.
    pub fn audit_log(&self) -> Result<PathBuf, Error> {
        if self.options.audit_log { Ok(self.folder().join("audit.log")) } else { Err(Error::NoAuditLog) }
    }

    /// The address of the API server.
    pub fn server_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_server.port())
    }

    /// The API server's process, to be paused, resumed or measured; `None` after it was killed.
    pub fn api_server(&self) -> Option<Arc<GuardedProcess>> {
        self.api_server.process()
    }

    /// The process of etcd.
    pub fn etcd(&self) -> Option<Arc<GuardedProcess>> {
        self.etcd.process()
    }

    /// The process of kube-controller-manager.
    pub fn controller_manager(&self) -> Option<Arc<GuardedProcess>> {
        self.controller_manager.process()
    }

    /// Kills the API server (SIGKILL) and returns when it is gone. Clients keep their address for when it is started again.
    pub fn kill_api_server(&self) {
        self.api_server.kill();
    }

    /// Starts the API server, unless it runs, and returns when it is ready.
    ///
    /// # Errors
    /// [`Error::ToolNotFound`], [`Error::Start`], or [`Error::NotReady`] when it does not get ready in time.
    pub async fn start_api_server(&self) -> Result<(), Error> {
        self.api_server.start(&servers::ApiServer(self), self.options.deadline).await
    }

    /// Kills the API server and starts it again on the same port, with the same data.
    ///
    /// # Errors
    /// As [`Self::start_api_server`].
    pub async fn restart_api_server(&self) -> Result<(), Error> {
        self.kill_api_server();
        self.start_api_server().await
    }

    /// Kills etcd (SIGKILL) and returns when it is gone. The data stay.
    pub fn kill_etcd(&self) {
        self.etcd.kill();
    }

    /// Starts etcd, unless it runs, and returns when it answers.
    ///
    /// # Errors
    /// As [`Self::start_api_server`].
    pub async fn start_etcd(&self) -> Result<(), Error> {
        self.etcd.start(&servers::Etcd(self), self.options.deadline).await
    }

    /// Kills etcd and starts it again on the same port, with the same data.
    ///
    /// # Errors
    /// As [`Self::start_api_server`].
    pub async fn restart_etcd(&self) -> Result<(), Error> {
        self.kill_etcd();
        self.start_etcd().await
    }

    /// Kills kube-controller-manager (SIGKILL) and returns when it is gone.
    pub fn kill_controller_manager(&self) {
        self.controller_manager.kill();
    }

    /// Starts kube-controller-manager, unless it runs, and returns when it is healthy.
    ///
    /// # Errors
    /// As [`Self::start_api_server`].
    pub async fn start_controller_manager(&self) -> Result<(), Error> {
        self.controller_manager.start(&servers::ControllerManager(self), self.options.deadline).await
    }
}

fn has_manifests(folder: &Path) -> bool {
    let is_yaml = |path: &Path| path.extension().is_some_and(|ending| ending == "yaml");
    std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| is_yaml(&entry.path())))
}
