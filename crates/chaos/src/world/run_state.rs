//! Whether a process runs, is frozen, or is dead. All tasks of a process share it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use carpack::runtime::tasks::Wrapper;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::lock::lock;

const RUNNING: u8 = 0;
const FROZEN: u8 = 1;
const DEAD: u8 = 2;

/// Whether a process runs.
#[derive(Debug, Default)]
pub struct RunState {
    state: AtomicU8,
    /// The wakers of every task that was ever polled, and of everybody who waits for the process to run.
    wakers: Mutex<Vec<Waker>>,
}

impl RunState {
    /// Wraps a task so that it is only polled while the process runs.
    pub fn wrapper(self: &Arc<Self>) -> Wrapper {
        let state = Arc::clone(self);
        Arc::new(move |task| ProcessTask { state: Arc::clone(&state), task: Some(task), registered: false }.boxed())
    }

    /// Stops every task where it is.
    pub fn freeze(&self) {
        let _ = self.state.compare_exchange(RUNNING, FROZEN, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Lets the tasks of a frozen process go on.
    pub fn thaw(&self) {
        let _ = self.state.compare_exchange(FROZEN, RUNNING, Ordering::SeqCst, Ordering::SeqCst);
        self.wake();
    }

    /// Ends every task where it is. None is polled again.
    pub fn kill(&self) {
        self.state.store(DEAD, Ordering::SeqCst);
        self.wake();
    }

    /// True while the process runs.
    pub fn is_running(&self) -> bool {
        self.state.load(Ordering::SeqCst) == RUNNING
    }

    /// True while the process is frozen.
    pub fn is_frozen(&self) -> bool {
        self.state.load(Ordering::SeqCst) == FROZEN
    }

    /// True when the process is dead.
    pub fn is_dead(&self) -> bool {
        self.state.load(Ordering::SeqCst) == DEAD
    }

    /// Waits until the process runs; for ever when it is dead.
    pub async fn running(&self) {
        futures::future::poll_fn(|context| {
            if self.is_running() {
                return Poll::Ready(());
            }
            lock(&self.wakers).push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn wake(&self) {
        // The lock is released first: a task that is dropped may wake others.
        let wakers: Vec<Waker> = lock(&self.wakers).clone();
        wakers.iter().for_each(Waker::wake_by_ref);
    }
}

/// A task of a process.
struct ProcessTask {
    state: Arc<RunState>,
    task: Option<BoxFuture<'static, ()>>,
    registered: bool,
}

impl Future for ProcessTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.registered {
            // The waker of a spawned task stays the same, so once is enough.
            lock(&self.state.wakers).push(context.waker().clone());
            self.registered = true;
        }
        match self.state.state.load(Ordering::SeqCst) {
            FROZEN => return Poll::Pending,
            DEAD => self.task = None,
            _ => {}
        }
        let Some(task) = &mut self.task else { return Poll::Ready(()) };
        let poll = task.poll_unpin(context);
        if poll.is_ready() {
            self.task = None;
        }
        poll
    }
}
