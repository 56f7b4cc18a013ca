//! Keeps every action below the cloud's rate limit. Waiting calls are sent in the order of their deadlines.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::port::Deadline;

/// The cloud allows 20 calls a second of each action. The rest is left to people who use the console.
const PER_SECOND: u32 = 18;

/// One account's limits: a queue for each action. Calls leave evenly spaced, so no second ever sees more than the rate.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    queues: Mutex<HashMap<&'static str, Arc<Queue>>>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// No call leaves before this.
    free_at: Option<Instant>,
    arrivals: u64,
    /// By deadline, then by order of arrival.
    waiting: BTreeMap<Place, Arc<Notify>>,
}

type Place = (Deadline, u64);

impl Limiter {
    /// Waits for this action's turn. Dropping the future gives up the place.
    pub(crate) async fn turn(&self, action: &'static str, by: Deadline) {
        let queue = Arc::clone(lock(&self.queues).entry(action).or_default());
        let waiter = Waiter::enter(&queue, by);
        while let Some(wait) = waiter.try_leave() {
            match wait {
                Wait::Until(instant) => tokio::select! {
                    () = sleep_until(instant) => {}
                    () = waiter.woken.notified() => {}
                },
                Wait::ForOthers => waiter.woken.notified().await,
            }
        }
    }
}

/// A place in a queue, given up when dropped.
struct Waiter<'a> {
    queue: &'a Queue,
    place: Place,
    woken: Arc<Notify>,
}

enum Wait {
    /// This call is the first in line: until then.
    Until(Instant),
    /// Other calls are before this one.
    ForOthers,
}

impl<'a> Waiter<'a> {
    fn enter(queue: &'a Queue, by: Deadline) -> Self {
        let mut state = lock(&queue.state);
        let place = (by, state.arrivals);
        state.arrivals += 1;
        let woken = Arc::new(Notify::new());
        state.waiting.insert(place, Arc::clone(&woken));
        Self { queue, place, woken }
    }

    /// Takes the turn if it has come, and returns `None` then.
    fn try_leave(&self) -> Option<Wait> {
        let mut state = lock(&self.queue.state);
        if state.waiting.first_key_value().is_some_and(|(first, _)| *first != self.place) {
            return Some(Wait::ForOthers);
        }
        let now = Instant::now();
        if let Some(free_at) = state.free_at.filter(|free_at| *free_at > now) {
            return Some(Wait::Until(free_at));
        }
        state.free_at = Some(now + Duration::from_secs(1) / PER_SECOND);
        None
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.queue.state);
        state.waiting.remove(&self.place);
        if let Some((_, next)) = state.waiting.first_key_value() {
            next.notify_one();
        }
    }
}

/// A poisoned queue can be used: its state is consistent between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use futures::{FutureExt, poll};
    use jiff::Timestamp;

    use super::*;

    fn by(second: i64) -> Deadline {
        Deadline(Timestamp::from_second(second).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_sees_more_calls_than_the_cloud_allows() {
        let limiter = Limiter::default();
        let times = join_all((0..100).map(|_| limiter.turn("A", by(0)).map(|()| Instant::now()))).await;
        for start in &times {
            let within = times.iter().filter(|t| *t >= start && **t < *start + Duration::from_secs(1)).count();
            assert!(within < 20, "{within} calls in a second");
        }
        let took = *times.iter().max().unwrap() - *times.iter().min().unwrap();
        assert!(took < Duration::from_secs(6), "slower than it must be: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_calls_go_by_deadline_then_by_arrival() {
        let limiter = Limiter::default();
        limiter.turn("A", by(0)).await;
        let order = Mutex::new(Vec::new());
        let (limiter, seen) = (&limiter, &order);
        let calls = [(30, 'c'), (10, 'a'), (20, 'b'), (10, 'A'), (5, '!')];
        join_all(calls.map(|(second, name)| {
            limiter.turn("A", by(second)).map(move |()| seen.lock().unwrap().push(name)).boxed()
        }))
        .await;
        assert_eq!(order.into_inner().unwrap(), ['!', 'a', 'A', 'b', 'c']);
    }

    #[tokio::test(start_paused = true)]
    async fn a_more_urgent_call_that_comes_later_passes_the_first_in_line() {
        let limiter = Limiter::default();
        limiter.turn("A", by(0)).await;
        let mut calm = Box::pin(limiter.turn("A", by(100)));
        assert!(poll!(&mut calm).is_pending());
        limiter.turn("A", by(1)).await;
        assert!(poll!(&mut calm).is_pending());
        calm.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_gives_up_leaves_the_queue_to_the_next() {
        let limiter = Limiter::default();
        limiter.turn("A", by(0)).await;
        let mut first = Box::pin(limiter.turn("A", by(1)));
        let mut second = Box::pin(limiter.turn("A", by(2)));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        drop(first);
        tokio::time::timeout(Duration::from_secs(1), second).await.expect("the next one is woken");
        assert!(lock(&lock(&limiter.queues)["A"].state).waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn actions_do_not_wait_for_each_other() {
        let limiter = Limiter::default();
        limiter.turn("A", by(0)).await;
        assert!(limiter.turn("B", by(0)).now_or_never().is_some());
        assert!(limiter.turn("A", by(0)).now_or_never().is_none());
    }
}
