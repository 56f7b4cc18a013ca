//! A real Kubernetes control plane for tests and the demo, without containers: etcd, kube-apiserver and
//! kube-controller-manager as plain processes on loopback ports, in a temporary folder. Whatever happens to the process
//! that started them (a panic, Ctrl-C, SIGKILL), neither process nor folder stays behind.
//!
//! ```no_run
//! # async fn example() -> Result<(), carpack_testkit::Error> {
//! let control_plane = carpack_testkit::ControlPlane::shared().await?;
//! let namespace = control_plane.namespace("events").await?;
//! let client = control_plane.admin_client().await?;
//! # Ok(()) }
//! ```
//!
//! The programs come from `make tools`, or from envtest's binaries by KUBEBUILDER_ASSETS.

mod certificates;
mod control_plane;
mod error;
mod guarded_process;
mod ports;
mod temporary_folder;
mod tools;
mod wait;

pub use control_plane::{CommandOutput, ControlPlane, Options};
pub use error::Error;
pub use guarded_process::{Exit, GuardedCommand, GuardedProcess};
pub use ports::free_port;
pub use temporary_folder::TemporaryFolder;
pub use tools::{tool_path, workspace_root};
pub use wait::{eventually, watch_until, watch_until_gone};
