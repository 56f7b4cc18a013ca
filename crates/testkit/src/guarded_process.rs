//! Processes that end with the process that started them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;

/// Between two questions whether it has ended.
const POLL: Duration = Duration::from_millis(10);
/// Bytes of a log that a message shows.
const LOG_TAIL: u64 = 4000;

/// What to run as a [`GuardedProcess`].
#[derive(Debug, Clone)]
pub struct GuardedCommand {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    folder: Option<PathBuf>,
    log: PathBuf,
}

impl GuardedCommand {
    /// Runs `program`; everything it writes is appended to the file `log`.
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        Self { name, program, args: Vec::new(), env: BTreeMap::new(), folder: None, log: log.into() }
    }

    /// The name by which messages call it; the program's own when not given.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment, beside those of this process.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Runs it in this folder.
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`Error::Start`] when the program or its log cannot be used.
    pub fn start(&self) -> Result<GuardedProcess, Error> {
        GuardedProcess::start(self)
    }
}

/// How a process ended. The guardian is a shell, so an exit code of 128 and more reads as the signal code - 128.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) if code > 128 => Self::Signal(code - 128),
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(out, "exit code {code}"),
            Self::Signal(signal) => write!(out, "signal {signal}"),
        }
    }
}

/// A process that cannot outlive this one: it is killed when this value is dropped and when this process ends, also by a
/// panic, Ctrl-C or SIGKILL. It runs under a small shell (guardian.sh) that holds the other end of a pipe; it is in a
/// process group of its own, so that Ctrl-C on a terminal does not reach it first. It is bound to no async runtime.
pub struct GuardedProcess {
    name: String,
    log: PathBuf,
    id: u32,
    guardian: Mutex<Guardian>,
}

struct Guardian {
    shell: Child,
    control: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    exit: Option<Exit>,
}

impl GuardedProcess {
    /// Starts what the command says.
    ///
    /// # Errors
    /// [`Error::Start`] when the program or its log cannot be used.
    pub fn start(command: &GuardedCommand) -> Result<Self, Error> {
        let failed = |reason: String| Error::Start { name: command.name.clone(), reason };
        if command.program.components().count() > 1 && !command.program.is_file() {
            return Err(failed(format!("{} does not exist", command.program.display())));
        }
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(include_str!("guardian.sh")).arg("guardian").arg(&command.log);
        shell.args(launcher()).arg(&command.program).args(&command.args).envs(&command.env);
        if let Some(folder) = &command.folder {
            shell.current_dir(folder);
        }
        let mut shell = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| failed(format!("sh: {error}")))?;
        let control = shell.stdin.take();
        let answers = shell.stdout.take().ok_or_else(|| failed("its guardian has no output".to_owned()))?;
        let mut guardian = Guardian { shell, control, answers: BufReader::new(answers), exit: None };
        let id = guardian.answer().and_then(|line| line.parse().ok());
        let Some(id) = id else {
            guardian.end(Duration::from_secs(5));
            return Err(failed(format!("its guardian did not say its pid; is {} writable?", command.log.display())));
        };
        Ok(Self { name: command.name.clone(), log: command.log.clone(), id, guardian: Mutex::new(guardian) })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file with everything it wrote.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines that it wrote.
    pub fn log_tail(&self) -> String {
        log_tail(&self.log)
    }

    /// Whether it has not ended; a paused process is running.
    pub fn is_running(&self) -> bool {
        self.exit().is_none()
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.guardian().exit()
    }

    /// Sends a signal by its name without SIG, such as `USR1`.
    ///
    /// # Errors
    /// [`Error::Ended`] when it has ended.
    pub fn signal(&self, signal: &str) -> Result<(), Error> {
        if self.guardian().signal(signal) { Ok(()) } else { Err(Error::Ended { name: self.name.clone() }) }
    }

    /// Freezes it (SIGSTOP): it answers nothing, but its connections stay open.
    ///
    /// # Errors
    /// As [`Self::signal`].
    pub fn pause(&self) -> Result<(), Error> {
        self.signal("STOP")
    }

    /// Lets it go on after [`Self::pause`].
    ///
    /// # Errors
    /// As [`Self::signal`].
    pub fn resume(&self) -> Result<(), Error> {
        self.signal("CONT")
    }

    /// Kills it (SIGKILL) and returns when it is gone. Does nothing when it has ended.
    pub fn kill(&self) {
        let mut guardian = self.guardian();
        guardian.signal("KILL");
        guardian.end(Duration::from_secs(5));
    }

    /// Asks it to end (SIGTERM) and waits; after the deadline it is an error and the process is left running.
    ///
    /// # Errors
    /// [`Error::StillRunning`] after the deadline.
    pub async fn terminate(&self, deadline: Duration) -> Result<Exit, Error> {
        if self.is_running() {
            // It may end between the two: then there is an exit status to wait for all the same.
            let _ = self.signal("TERM");
        }
        self.wait(deadline).await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// [`Error::StillRunning`] after the deadline.
    pub async fn wait(&self, deadline: Duration) -> Result<Exit, Error> {
        let start = Instant::now();
        loop {
            if let Some(exit) = self.exit() {
                return Ok(exit);
            }
            if start.elapsed() >= deadline {
                return Err(Error::StillRunning { name: self.name.clone(), id: self.id, deadline });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn guardian(&self) -> MutexGuard<'_, Guardian> {
        self.guardian.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for GuardedProcess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("GuardedProcess").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for GuardedProcess {
    fn drop(&mut self) {
        self.guardian().end(Duration::from_secs(5));
    }
}

impl Guardian {
    fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.answers.read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim().to_owned())
    }

    fn signal(&mut self, signal: &str) -> bool {
        if self.exit().is_some() {
            return false;
        }
        let Some(control) = &mut self.control else { return false };
        writeln!(control, "{signal}").is_ok() && self.answer().as_deref() == Some("sent")
    }

    fn exit(&mut self) -> Option<Exit> {
        if self.exit.is_none() {
            self.exit = self.shell.try_wait().ok().flatten().map(Exit::of);
        }
        self.exit
    }

    /// Closes the pipe, which kills the process, and waits for the guardian to say that it is gone.
    fn end(&mut self, deadline: Duration) {
        self.control = None;
        let start = Instant::now();
        while self.exit().is_none() && start.elapsed() < deadline {
            std::thread::sleep(POLL / 5);
        }
    }
}

/// Commands before the program's own: a shell lets background commands ignore Ctrl-C, which the first undoes; with the second
/// the kernel kills the program when its guardian is killed. Either is left out where the system lacks it.
fn launcher() -> &'static [&'static str] {
    static LAUNCHER: OnceLock<Vec<&'static str>> = OnceLock::new();
    LAUNCHER.get_or_init(|| {
        let wrappers: [&[&str]; 2] = [&["env", "--default-signal=INT,QUIT"], &["setpriv", "--pdeathsig", "KILL"]];
        wrappers.into_iter().filter(|wrapper| works(wrapper)).flatten().copied().collect()
    })
}

fn works(wrapper: &[&str]) -> bool {
    let Some((program, args)) = wrapper.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(args).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The last lines of a file; empty when it cannot be read.
pub(crate) fn log_tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
