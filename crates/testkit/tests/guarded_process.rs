//! Processes and folders end with the process that started them, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use carpack_testkit::{ControlPlane, Error, Exit, GuardedCommand, Options, TemporaryFolder, eventually};

const DEADLINE: Duration = Duration::from_secs(20);
/// Set for the process that is started in order to be killed.
const VICTIM_REPORT: &str = "CARPACK_TESTKIT_VICTIM_REPORT";

fn shell(script: &str, folder: &TemporaryFolder) -> GuardedCommand {
    GuardedCommand::new("sh", folder.path().join("log")).args(["-c", script])
}

/// Whether the process runs (a zombie does not).
fn runs(id: u32) -> bool {
    state(id).is_some_and(|state| state != 'Z')
}

fn state(id: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

fn parent(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

fn folder() -> Result<TemporaryFolder, Error> {
    TemporaryFolder::new("carpack-guarded-")
}

async fn line_in_log(path: &Path, line: &str) -> Result<(), Error> {
    let found = async || {
        let log = std::fs::read_to_string(path).unwrap_or_default();
        if log.lines().any(|seen| seen == line) { Ok(()) } else { Err(log) }
    };
    eventually(DEADLINE, &format!("the log has the line {line:?}"), found).await
}

#[tokio::test]
async fn the_exit_code_and_the_output_of_a_process_are_kept() {
    let folder = folder().unwrap();
    let command =
        shell("echo out; echo err >&2; echo \"$VALUE\"; exit 7", &folder).env("VALUE", "from the environment");
    let process = command.start().unwrap();
    assert_eq!(process.wait(DEADLINE).await.unwrap(), Exit::Code(7));
    assert_eq!(process.log_tail(), "out\nerr\nfrom the environment\n");
    assert!(!process.is_running());
    assert!(matches!(process.signal("TERM"), Err(Error::Ended { .. })));
}

#[tokio::test]
async fn a_process_that_ends_at_once_was_started_all_the_same() {
    let folder = folder().unwrap();
    for _ in 0..200 {
        let process = shell("exit 7", &folder).start().unwrap();
        assert_eq!(process.wait(DEADLINE).await.unwrap(), Exit::Code(7));
    }
}

#[tokio::test]
async fn terminating_lets_a_process_end_in_its_own_way() {
    let folder = folder().unwrap();
    let script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done";
    let process = shell(script, &folder).start().unwrap();
    line_in_log(process.log(), "up").await.unwrap();
    assert_eq!(process.terminate(DEADLINE).await.unwrap(), Exit::Code(3));
    line_in_log(process.log(), "bye").await.unwrap();
}

#[tokio::test]
async fn a_process_that_does_not_heed_termination_is_reported_and_can_be_killed() {
    let folder = folder().unwrap();
    let process = shell("trap '' TERM; echo up; while :; do sleep 0.05; done", &folder).start().unwrap();
    line_in_log(process.log(), "up").await.unwrap();
    let error = process.terminate(Duration::from_millis(200)).await.unwrap_err().to_string();
    assert!(error.contains("is still running 200ms after it was asked to end"), "{error}");
    process.kill();
    assert_eq!(process.exit(), Some(Exit::Signal(9)));
    assert!(!runs(process.id()));
}

#[tokio::test]
async fn ctrl_c_is_not_ignored_in_a_guarded_process() {
    let folder = folder().unwrap();
    let process = GuardedCommand::new("sleep", folder.path().join("log")).arg("600").start().unwrap();
    let ended = async || {
        let _ = process.signal("INT");
        process.exit().ok_or("it runs")
    };
    assert_eq!(eventually(DEADLINE, "SIGINT ends it", ended).await.unwrap(), Exit::Signal(2));
}

#[tokio::test]
async fn a_paused_process_stands_still_until_it_is_resumed() {
    let folder = folder().unwrap();
    let process = shell("exec sleep 600", &folder).start().unwrap();
    process.pause().unwrap();
    let stopped = async || if state(process.id()) == Some('T') { Ok(()) } else { Err("not stopped") };
    eventually(DEADLINE, "the process is stopped", stopped).await.unwrap();
    assert!(process.is_running());
    process.resume().unwrap();
    let goes_on = async || if state(process.id()) == Some('S') { Ok(()) } else { Err("not running") };
    eventually(DEADLINE, "the process goes on", goes_on).await.unwrap();
}

#[tokio::test]
async fn a_dropped_process_is_gone_even_when_it_is_paused() {
    let folder = folder().unwrap();
    let process = shell("exec sleep 600", &folder).start().unwrap();
    let id = process.id();
    process.pause().unwrap();
    drop(process);
    assert!(!runs(id));
}

#[tokio::test]
async fn a_process_does_not_outlive_its_killed_guardian() {
    let has_setpriv = Command::new("setpriv").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !has_setpriv {
        println!("skipped: this system has no setpriv");
        return;
    }
    let folder = folder().unwrap();
    let process = shell("echo up; exec sleep 600", &folder).start().unwrap();
    line_in_log(process.log(), "up").await.unwrap();
    let guardian = parent(process.id()).unwrap();
    Command::new("sh").args(["-c", &format!("kill -s KILL {guardian}")]).status().unwrap();
    let gone = async || if runs(process.id()) { Err("it runs") } else { Ok(()) };
    eventually(DEADLINE, "the process is gone", gone).await.unwrap();
    assert!(!process.is_running());
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let folder = folder().unwrap();
    let error = GuardedCommand::new("/no/such/program", folder.path().join("log")).start().unwrap_err().to_string();
    assert_eq!(error, "program could not be started: /no/such/program does not exist");
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
async fn victim() {
    let Some(report) = std::env::var_os(VICTIM_REPORT) else { return };
    let control_plane = Box::pin(ControlPlane::start(Options::default())).await.unwrap();
    let processes = [control_plane.etcd(), control_plane.api_server(), control_plane.controller_manager()];
    let ids: Vec<String> = processes.into_iter().map(|process| process.unwrap().id().to_string()).collect();
    let text = format!("{}\n{}\n", control_plane.folder().display(), ids.join(" "));
    let report = PathBuf::from(report);
    std::fs::write(report.with_extension("new"), text).unwrap();
    std::fs::rename(report.with_extension("new"), report).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_process_leaves_no_process_and_no_folder_behind() {
    let folder = folder().unwrap();
    let report = folder.path().join("report");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM_REPORT, &report)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let text = eventually(Duration::from_secs(90), "the victim has a control plane", async || {
        std::fs::read_to_string(&report)
    });
    let text = text.await.unwrap();
    let (control_plane, ids) = text.trim().split_once('\n').unwrap();
    let control_plane = Path::new(control_plane);
    let ids: Vec<u32> = ids.split(' ').map(|id| id.parse().unwrap()).collect();
    assert!(control_plane.is_dir() && ids.iter().all(|id| runs(*id)), "{text}");

    victim.kill().unwrap();
    victim.wait().unwrap();
    let nothing_left = async || {
        let running: Vec<&u32> = ids.iter().filter(|id| runs(**id)).collect();
        let folder = control_plane.exists();
        if running.is_empty() && !folder { Ok(()) } else { Err(format!("processes {running:?}, folder: {folder}")) }
    };
    eventually(DEADLINE, "nothing is left", nothing_left).await.unwrap();
}
