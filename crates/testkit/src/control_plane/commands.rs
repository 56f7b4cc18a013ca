//! kubectl and helm.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::ControlPlane;
use crate::{Error, tool_path};

/// What a command wrote, and how it ended.
#[derive(Debug, Clone)]
pub struct CommandOutput {
    /// The command line.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl CommandOutput {
    /// The standard output if the command succeeded; else an error with what it complained of.
    ///
    /// # Errors
    /// [`Error::Command`] when the command failed.
    pub fn success(self) -> Result<String, Error> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(Error::Command { command: self.command, status: self.status.to_string(), stderr: self.stderr })
    }
}

impl ControlPlane {
    /// Runs kubectl as the admin. A failure of kubectl is no error here: see [`CommandOutput::success`].
    ///
    /// # Errors
    /// [`Error::ToolNotFound`] or [`Error::Start`] when kubectl cannot be run.
    pub async fn kubectl(&self, args: &[impl AsRef<OsStr>]) -> Result<CommandOutput, Error> {
        self.run("kubectl", &self.admin_kubeconfig()?, args, "").await
    }

    /// Runs kubectl with another kubeconfig, such as a service account's.
    ///
    /// # Errors
    /// As [`Self::kubectl`].
    pub async fn kubectl_as(&self, kubeconfig: &Path, args: &[impl AsRef<OsStr>]) -> Result<CommandOutput, Error> {
        self.run("kubectl", kubeconfig, args, "").await
    }

    /// Runs kubectl as the admin with this text on its standard input, as for `kubectl apply -f -`.
    ///
    /// # Errors
    /// As [`Self::kubectl`].
    pub async fn kubectl_with_input(&self, args: &[impl AsRef<OsStr>], input: &str) -> Result<CommandOutput, Error> {
        self.run("kubectl", &self.admin_kubeconfig()?, args, input).await
    }

    /// Runs helm as the admin, with caches and settings of its own.
    ///
    /// # Errors
    /// [`Error::ToolNotFound`] or [`Error::Start`] when helm cannot be run.
    pub async fn helm(&self, args: &[impl AsRef<OsStr>]) -> Result<CommandOutput, Error> {
        self.run("helm", &self.admin_kubeconfig()?, args, "").await
    }

    /// Applies a file or a folder of manifests, and waits until the CRDs among them are established.
    ///
    /// # Errors
    /// As [`Self::kubectl`], and [`Error::Command`] when kubectl fails.
    pub async fn apply(&self, path: &Path) -> Result<(), Error> {
        let path = path.as_os_str();
        let server_side = ["apply", "--server-side", "--force-conflicts", "-o", "name", "-f"].map(OsStr::new);
        let applied = self.kubectl(&[&server_side[..], &[path]].concat()).await?.success()?;
        self.wait_for_crds(&applied).await
    }

    /// Applies manifests given as text, and waits until the CRDs among them are established.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn apply_text(&self, manifests: &str) -> Result<(), Error> {
        let args = ["apply", "--server-side", "--force-conflicts", "-o", "name", "-f", "-"];
        let applied = self.kubectl_with_input(&args, manifests).await?.success()?;
        self.wait_for_crds(&applied).await
    }

    async fn wait_for_crds(&self, applied: &str) -> Result<(), Error> {
        let crds: Vec<&str> = applied.lines().filter(|name| name.starts_with("customresourcedefinition")).collect();
        if crds.is_empty() {
            return Ok(());
        }
        let args = ["wait", "--for=condition=Established", "--timeout=30s"];
        self.kubectl(&[&args[..], &crds].concat()).await?.success().map(drop)
    }

    async fn run(
        &self,
        name: &str,
        kubeconfig: &Path,
        args: &[impl AsRef<OsStr>],
        input: &str,
    ) -> Result<CommandOutput, Error> {
        let program = tool_path(name)?;
        let private = |folder: &str| self.folder().join(name).join(folder);
        let failed = |error: std::io::Error| Error::Start { name: name.to_owned(), reason: error.to_string() };
        let mut child = Command::new(&program)
            .args(args)
            .env("KUBECONFIG", kubeconfig)
            .env("KUBECACHEDIR", private("cache"))
            .env("HELM_CACHE_HOME", private("cache"))
            .env("HELM_CONFIG_HOME", private("config"))
            .env("HELM_DATA_HOME", private("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program may close its input before the end; its exit status says whether that was an error.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        let output = output.map_err(failed)?;
        let words: Vec<OsString> = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        Ok(CommandOutput {
            command: format!("{name} {}", words.join(OsStr::new(" ")).to_string_lossy()),
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
