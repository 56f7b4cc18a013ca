//! Every task of the process is started here, so that a stop can drop some and wait for others.
#![allow(clippy::disallowed_methods)] // this is where tasks are started

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Wraps every task before it is started.
pub type Wrapper = Arc<dyn Fn(BoxFuture<'static, ()>) -> BoxFuture<'static, ()> + Send + Sync>;

/// The tasks of the process.
#[derive(Clone, Default)]
pub struct Tasks {
    stop: CancellationToken,
    failed: CancellationToken,
    working: TaskTracker,
    paid: TaskTracker,
    wrapper: Option<Wrapper>,
}

impl Tasks {
    /// Tasks with a wrapper, by which a simulation freezes and kills a process.
    pub fn wrapped(wrapper: Wrapper) -> Self {
        Self { wrapper: Some(wrapper), ..Self::default() }
    }

    fn wrap(&self, task: impl Future<Output = ()> + Send + 'static) -> BoxFuture<'static, ()> {
        match &self.wrapper {
            Some(wrapper) => wrapper(task.boxed()),
            None => task.boxed(),
        }
    }

    /// Cancelled when the process is to stop.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// True once the process is to stop. No new work is begun then.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Resolves when a vital task has ended that must not end.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// Starts a task that ends by itself once [`Tasks::stop`] is cancelled. If it ends before, the process stops.
    pub fn spawn_vital(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (stop, failed) = (self.stop.clone(), self.failed.clone());
        self.working.spawn(self.wrap(async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            if ended.is_err() || !stop.is_cancelled() {
                tracing::error!(task = name, "a task ended that must not: the process stops");
                failed.cancel();
            }
        }));
    }

    /// Starts a task that is dropped when the process is to stop.
    pub fn spawn_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.working.spawn(self.wrap(async move {
            stop.run_until_cancelled(task).await;
        }));
    }

    /// Starts a task around a paid call. A stop does not drop it, but waits for it ([`Self::wait_for_paid`]).
    pub fn spawn_paid(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.paid.spawn(self.wrap(task));
    }

    /// Starts a task that outlives the others. The caller ends it, and waits for it.
    pub fn spawn_lasting(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        tokio::task::spawn(self.wrap(task))
    }

    /// Waits for the tasks that stop, at most so long.
    pub async fn wait_for_working(&self, at_most: Duration) {
        wait("controllers", &self.working, at_most).await;
    }

    /// Waits for the tasks around paid calls, at most so long.
    pub async fn wait_for_paid(&self, at_most: Duration) {
        wait("paid calls", &self.paid, at_most).await;
    }
}

async fn wait(what: &'static str, tracker: &TaskTracker, at_most: Duration) {
    tracker.close();
    if tokio::time::timeout(at_most, tracker.wait()).await.is_err() {
        tracing::warn!(what, left = tracker.len(), "stopping without waiting any longer");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vital_task_that_ends_early_stops_the_process() {
        let tasks = Tasks::default();
        tasks.spawn_vital("test", async {});
        tokio::time::timeout(Duration::from_secs(5), tasks.failed()).await.unwrap();
    }

    #[tokio::test]
    async fn stopping_drops_background_tasks_and_waits_for_paid_ones() {
        let tasks = Tasks::default();
        let (done, paid) = tokio::sync::oneshot::channel();
        tasks.spawn_background(std::future::pending());
        tasks.spawn_paid(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = done.send(());
        });
        tasks.stop().cancel();
        tasks.wait_for_working(Duration::from_secs(5)).await;
        tasks.wait_for_paid(Duration::from_secs(5)).await;
        assert_eq!(paid.await, Ok(()));
    }
}
