//! The life of a process: its tasks run, stand still, or are gone.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use carpack::runtime::tasks::Wrapper;
use futures::FutureExt;
use futures::future::BoxFuture;

const RUNNING: u8 = 0;
const FROZEN: u8 = 1;
const DEAD: u8 = 2;

/// Whether a process runs.
#[derive(Debug, Default)]
pub struct Life {
    state: AtomicU8,
    /// Of every task that was ever polled, and of whoever waits for a change.
    wakers: Mutex<Vec<Waker>>,
}

impl Life {
    /// What tasks are put into, so that they share this life.
    pub fn wrapper(self: &Arc<Self>) -> Wrapper {
        let life = Arc::clone(self);
        Arc::new(move |task| Living { life: Arc::clone(&life), task: Some(task), known: false }.boxed())
    }

    /// Stops every task where it stands.
    pub fn freeze(&self) {
        let _ = self.state.compare_exchange(RUNNING, FROZEN, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Lets the tasks go on.
    pub fn thaw(&self) {
        let _ = self.state.compare_exchange(FROZEN, RUNNING, Ordering::SeqCst, Ordering::SeqCst);
        self.wake();
    }

    /// Ends every task where it stands: nothing of it is polled again.
    pub fn kill(&self) {
        self.state.store(DEAD, Ordering::SeqCst);
        self.wake();
    }

    /// True while tasks run.
    pub fn is_running(&self) -> bool {
        self.state.load(Ordering::SeqCst) == RUNNING
    }

    /// True while they stand still.
    pub fn is_frozen(&self) -> bool {
        self.state.load(Ordering::SeqCst) == FROZEN
    }

    /// True once it is over.
    pub fn is_over(&self) -> bool {
        self.state.load(Ordering::SeqCst) == DEAD
    }

    /// Resolves when the process runs; never when it is dead.
    pub async fn running(&self) {
        futures::future::poll_fn(|context| {
            if self.is_running() {
                return Poll::Ready(());
            }
            self.lock().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn wake(&self) {
        // Outside of the lock: a task that is dropped may wake others.
        let wakers: Vec<Waker> = self.lock().clone();
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task of a process.
struct Living {
    life: Arc<Life>,
    task: Option<BoxFuture<'static, ()>>,
    known: bool,
}

impl Future for Living {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.known {
            // The waker of a spawned task stays the same.
            self.life.lock().push(context.waker().clone());
            self.known = true;
        }
        match self.life.state.load(Ordering::SeqCst) {
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
