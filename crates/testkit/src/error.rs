//! The errors of this crate.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What can fail. The message says what to do about it, if anything can be done.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not there.
    #[error("{name} was not found in {}: run `make tools`", places(searched))]
    ToolNotFound {
        /// The program's name.
        name: String,
        /// The folders that were searched.
        searched: Vec<PathBuf>,
    },
    /// A process could not be started at all.
    #[error("{name} could not be started: {reason}")]
    Start {
        /// The process.
        name: String,
        /// Why, as the system says it.
        reason: String,
    },
    /// A process ended or did not get ready in time.
    #[error("{name} did not get ready: {reason}; the end of its log:\n{log}")]
    NotReady {
        /// The process.
        name: String,
        /// What happened instead.
        reason: String,
        /// The tail of its log.
        log: String,
    },
    /// A process cannot be reached by a signal, because it or its guardian has ended.
    #[error("{name} cannot be signalled: it has ended")]
    Ended {
        /// The process.
        name: String,
    },
    /// A process that was asked to end has not.
    #[error("{name} (pid {id}) is still running {deadline:?} after it was asked to end")]
    StillRunning {
        /// The process.
        name: String,
        /// Its process id.
        id: u32,
        /// How long it was waited for.
        deadline: Duration,
    },
    /// Something awaited did not happen.
    #[error("{description}: not within {deadline:?}; last seen: {last_seen}")]
    Deadline {
        /// What was awaited.
        description: String,
        /// How long.
        deadline: Duration,
        /// What was seen last.
        last_seen: String,
    },
    /// A command such as kubectl ended with a failure.
    #[error("`{command}` failed ({status}): {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// What it wrote to its standard error.
        stderr: String,
    },
    /// No audit log was asked for.
    #[error("there is no audit log: start the control plane with Options {{ audit_log: true, .. }}")]
    NoAuditLog,
    /// The API server answered a request for a token without one.
    #[error("the API server made no token for service account {account}")]
    NoToken {
        /// The account, as namespace/name.
        account: String,
    },
    /// The API server refused or could not be reached.
    #[error("the API server: {0}")]
    Kube(#[from] Box<kube::Error>),
    /// A kubeconfig does not make a client.
    #[error("the kubeconfig: {0}")]
    Kubeconfig(#[from] Box<kube::config::KubeconfigError>),
    /// Certificates could not be made.
    #[error("the certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// JSON could not be written or read.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kube(Box::new(error))
    }
}

impl From<kube::config::KubeconfigError> for Error {
    fn from(error: kube::config::KubeconfigError) -> Self {
        Self::Kubeconfig(Box::new(error))
    }
}

// A test's `unwrap` prints Debug: let it be readable.
impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

fn places(searched: &[PathBuf]) -> String {
    searched.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}
