//! Temporary folders that end with the process that made them.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Error;

/// A folder that cannot outlive this process: it is removed when this value is dropped and when this process ends, also by
/// a panic, Ctrl-C or SIGKILL. Only its owner can read it.
#[derive(Debug)]
pub struct TemporaryFolder {
    path: PathBuf,
    guardian: Child,
}

impl TemporaryFolder {
    /// Makes an empty folder in the system's folder for temporary files.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Start`] when it cannot be made.
    pub fn new(prefix: &str) -> Result<Self, Error> {
        let parent = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix(prefix).tempdir().map_err(Error::file(parent))?;
        let guardian = Command::new("sh")
            .arg("-c")
            .arg(include_str!("folder_guardian.sh"))
            .arg("guardian")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| Error::Start { name: "sh".to_owned(), reason: error.to_string() })?;
        Ok(Self { path: folder.keep(), guardian })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // Closing the pipe tells the guardian to remove the folder; if the guardian was killed, do it here.
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
        if self.path.exists() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
