//! The place of one server of a control plane: its port, and its process while it runs.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Error, GuardedCommand, GuardedProcess, eventually, free_port};

/// How many ports are tried at the first start.
const PORT_ATTEMPTS: u32 = 5;

/// How to run one kind of server and to see that it is ready.
pub(super) trait Server {
    fn command(&self, port: u16) -> Result<GuardedCommand, Error>;
    /// Err says what was seen instead.
    async fn ready(&self, port: u16) -> Result<(), String>;
}

#[derive(Debug, Default)]
pub(super) struct Slot {
    /// 0 until the first start; then kept, so that clients find the server again.
    port: AtomicU16,
    process: Mutex<Option<Arc<GuardedProcess>>>,
    starting: tokio::sync::Mutex<()>,
}

impl Slot {
    pub(super) fn port(&self) -> u16 {
        self.port.load(Ordering::SeqCst)
    }

    pub(super) fn process(&self) -> Option<Arc<GuardedProcess>> {
        self.lock().clone()
    }

    pub(super) fn kill(&self) {
        let process = self.lock().take();
        if let Some(process) = process {
            process.kill();
        }
    }

    pub(super) async fn start(&self, server: &impl Server, deadline: Duration) -> Result<(), Error> {
        let _one_at_a_time = self.starting.lock().await;
        if self.process().is_some_and(|process| process.is_running()) {
            return Ok(());
        }
        let first_start = self.port() == 0;
        let mut attempt = 1;
        loop {
            if first_start {
                self.port.store(free_port(), Ordering::SeqCst);
            }
            let process = Arc::new(server.command(self.port())?.start()?);
            *self.lock() = Some(Arc::clone(&process));
            let Err(error) = self.until_ready(server, &process, deadline).await else { return Ok(()) };
            self.kill();
            let lost_port = process.log_tail().contains("address already in use");
            if !(first_start && lost_port && attempt < PORT_ATTEMPTS) {
                return Err(error);
            }
            attempt += 1;
        }
    }

    async fn until_ready(
        &self,
        server: &impl Server,
        process: &GuardedProcess,
        deadline: Duration,
    ) -> Result<(), Error> {
        let not_ready = |reason| Error::NotReady { name: process.name().to_owned(), reason, log: process.log_tail() };
        // If the process has ended, the wait is over.
        let outcome = eventually(deadline, "ready", async || match process.exit() {
            Some(exit) => Ok(Err(format!("it ended with {exit}"))),
            None => server.ready(self.port()).await.map(Ok),
        });
        match outcome.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(not_ready(reason)),
            Err(timeout) => Err(not_ready(timeout.to_string())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<GuardedProcess>>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
