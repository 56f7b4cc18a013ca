//! Changes in the cloud that are free of charge, and what this process remembers of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carpack_api::purchase::ApiChannel;
use carpack_cloud::port::{Deadline, Product, RenewFlag};
use carpack_cloud::{CallError, Category, Cloud};
use carpack_core::pack::{Change, ChangeFailure};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::runtime::clock::on_the_wall;
use crate::runtime::reason::reason_of;

/// The longest wait before a refused change is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

/// What this process has changed for one pack.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// When it last changed something in the cloud. A sweep that began before proves nothing.
    pub last_change: Option<Timestamp>,
    /// The refused changes. Each is kept until it succeeds, or has not been tried for an hour.
    pub failures: Vec<ChangeFailure>,
}

/// What this process has changed, by the UID of the pack. It need not survive a restart: a new process waits for its own sweep.
///
/// Moments are kept by the monotonic clock. A wall clock that was wrong for an hour must not make a pack wait for an hour.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<String, Kept>>);

#[derive(Debug, Default)]
struct Kept {
    last_change: Option<Instant>,
    failures: Vec<Failure>,
}

#[derive(Debug)]
struct Failure {
    change: Change,
    category: Category,
    message: String,
    retry: Instant,
    refusals: i32,
}

impl Memories {
    /// What was changed for this pack, in the time of a wall clock that shows `now`.
    pub fn of(&self, uid: &str, now: Timestamp) -> Memory {
        let memories = self.lock();
        let Some(kept) = memories.get(uid) else { return Memory::default() };
        let failure = |failure: &Failure| ChangeFailure {
            change: failure.change.clone(),
            category: reason_of(failure.category),
            message: failure.message.clone(),
            retry_time: on_the_wall(failure.retry, now),
            refusals: failure.refusals,
        };
        Memory {
            last_change: kept.last_change.map(|at| on_the_wall(at, now)),
            failures: kept.failures.iter().map(failure).collect(),
        }
    }

    /// Forgets a pack.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Notes how a change ended. Whatever the answer was, something may have changed in the cloud. A refused change is tried
    /// again after `first_wait`. When the refusal is about the change itself, the wait doubles each time.
    pub fn note(&self, uid: &str, change: Change, error: Option<&CallError>, first_wait: Duration) {
        let now = Instant::now();
        let mut memories = self.lock();
        let kept = memories.entry(uid.to_owned()).or_default();
        kept.last_change = Some(now);
        let before = kept.failures.iter().find(|failure| failure.change == change).map_or(0, |f| f.refusals);
        // A change that could have been tried again for so long is not wanted any more.
        let wanted = |failure: &Failure| now.saturating_duration_since(failure.retry) < LONGEST_BACKOFF;
        kept.failures.retain(|failure| failure.change != change && wanted(failure));
        let Some(error) = error else {
            // The instances are bound differently now: what was refused before may be accepted.
            let moved = bound(&change);
            kept.failures.retain(|failure| !bound(&failure.change).iter().any(|id| moved.contains(id)));
            return;
        };
        let wait = if passes(error.category()) { first_wait } else { backoff(first_wait, before) };
        kept.failures.push(Failure {
            change,
            category: error.category(),
            message: error.to_string(),
            retry: now + wait,
            refusals: before.saturating_add(1),
        });
    }

    /// True when the last change is newer than a sweep that began at this moment, in the time of a wall clock that shows `now`.
    pub fn is_newer(&self, uid: &str, sweep: Option<Timestamp>, now: Timestamp) -> bool {
        let change = self.of(uid, now).last_change;
        change.is_some_and(|change| sweep.is_none_or(|sweep| sweep <= change))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The instances that a change binds or unbinds.
fn bound(change: &Change) -> &[String] {
    match change {
        Change::Bind { ids, .. } | Change::Unbind { ids, .. } => ids,
        Change::Rename { .. } | Change::SetAutoRenew { .. } => &[],
    }
}

/// True for errors that say nothing about the change itself: the same change may be accepted a moment later.
fn passes(category: Category) -> bool {
    match category {
        Category::RateLimited
        | Category::NoAnswer
        | Category::Unreachable
        | Category::CloudInternal
        | Category::Garbled
        | Category::ClockSkew => true,
        Category::WrongCredentials
        | Category::NotSignedUp
        | Category::NotApproved
        | Category::PermissionDenied
        | Category::BalanceInsufficient
        | Category::InvalidRequest
        | Category::Unsupported
        | Category::NotFound
        | Category::Locked
        | Category::PaidNotDelivered
        | Category::HeldBack
        | Category::Other => false,
    }
}

fn backoff(first: Duration, failures: i32) -> Duration {
    let doublings = u32::try_from(failures).unwrap_or(0);
    first.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST_BACKOFF)
}

/// Sends a change to the cloud, once. Returns the name of the cloud's action, and how it ended.
pub async fn carry_out(
    cloud: &dyn Cloud,
    change: Change,
    api: Option<&ApiChannel>,
    by: Deadline,
) -> (&'static str, Result<(), CallError>) {
    match change {
        Change::Bind { ids, project } => ("BindConcurrentPackagesToProject", cloud.bind(ids, project, by).await),
        Change::Unbind { ids, project } => {
            ("UnbindConcurrentPackagesFromProject", cloud.unbind(ids, project, by).await)
        }
        Change::Rename { id, name } => ("ModifyConcurrentPackage", cloud.rename(id, name, by).await),
        Change::SetAutoRenew { id, region, on } => {
            let Some(api) = api else {
                let message = "the account has no purchase.api: the call needs its product codes";
                return ("SetRenewal", Err(CallError::new("SetRenewal", Category::HeldBack, message)));
            };
            let (product_code, sub_product_code) = (api.product_code.clone(), api.sub_product_code.clone());
            let product = Product { product_code, sub_product_code, region };
            let flag = if on { RenewFlag::Auto } else { RenewFlag::Manual };
            ("SetRenewal", cloud.set_renew_flag(id, product, flag, by).await)
        }
    }
}

/// The change in words, for the log.
pub fn in_words(change: &Change) -> String {
    match change {
        Change::Bind { ids, project } => format!("bind {} to project {project}", ids.join(", ")),
        Change::Unbind { ids, project } => format!("unbind {} from project {project}", ids.join(", ")),
        Change::Rename { id, name } => format!("rename {id} to {name}"),
        Change::SetAutoRenew { id, on: true, .. } => format!("switch the renewal of {id} by the cloud on"),
        Change::SetAutoRenew { id, on: false, .. } => format!("switch the renewal of {id} by the cloud off"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use tokio::time::advance;

    use super::*;

    const FIRST: Duration = Duration::from_secs(30);

    fn rename(id: &str) -> Change {
        Change::Rename { id: id.to_owned(), name: "a".to_owned() }
    }

    fn refused(category: Category) -> CallError {
        CallError::new("ModifyConcurrentPackage", category, "no")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn waits(memories: &Memories) -> Vec<i64> {
        memories.of("uid", at(0)).failures.iter().map(|f| f.retry_time.as_second()).collect()
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_refused_change_waits_longer_each_time_and_a_success_clears_it() {
        let memories = Memories::default();
        let mut seconds = Vec::new();
        for _ in 0..9 {
            memories.note("uid", rename("i-1"), Some(&refused(Category::Locked)), FIRST);
            seconds.extend(waits(&memories));
        }
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        memories.note("uid", rename("i-1"), None, FIRST);
        assert_eq!(memories.of("uid", at(0)).failures, []);
        assert_eq!(memories.of("uid", at(0)).last_change, Some(at(0)));
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn what_the_cloud_refuses_for_a_moment_is_tried_again_after_the_same_wait_each_time() {
        let memories = Memories::default();
        for _ in 0..5 {
            memories.note("uid", rename("i-1"), Some(&refused(Category::RateLimited)), FIRST);
            assert_eq!(waits(&memories), [30]);
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn each_change_waits_for_itself_and_is_forgotten_when_nobody_tries_it_any_more() {
        let memories = Memories::default();
        let locked = refused(Category::Locked);
        memories.note("uid", rename("i-1"), Some(&locked), FIRST);
        advance(Duration::from_secs(1)).await;
        memories.note("uid", rename("i-2"), Some(&locked), FIRST);
        memories.note("uid", rename("i-3"), None, FIRST);
        assert_eq!(waits(&memories), [29, 30]);
        advance(Duration::from_secs(4000)).await;
        memories.note("uid", rename("i-2"), Some(&locked), FIRST);
        let left: Vec<Change> = memories.of("uid", at(0)).failures.into_iter().map(|f| f.change).collect();
        assert_eq!(left, [rename("i-2")]);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_binding_that_was_refused_is_tried_at_once_when_its_instances_were_unbound_meanwhile() {
        let memories = Memories::default();
        let denied = refused(Category::InvalidRequest);
        let bind = |id: &str| Change::Bind { ids: vec![id.to_owned()], project: "cap-a".to_owned() };
        for change in [bind("i-1"), bind("i-2"), rename("i-1")] {
            memories.note("uid", change, Some(&denied), FIRST);
        }
        memories.note("uid", Change::Unbind { ids: vec!["i-1".to_owned()], project: "cap-b".to_owned() }, None, FIRST);
        let left: Vec<Change> = memories.of("uid", at(0)).failures.into_iter().map(|f| f.change).collect();
        assert_eq!(left, [bind("i-2"), rename("i-1")]);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_wall_clock_that_was_wrong_leaves_nothing_to_wait_for() {
        let memories = Memories::default();
        let noon = at(43_200);
        memories.note("uid", rename("i-1"), Some(&refused(Category::NoAnswer)), FIRST);
        advance(Duration::from_secs(5)).await;
        for now in [noon, at(0), at(200_000)] {
            let memory = memories.of("uid", now);
            assert_eq!(now.duration_since(memory.last_change.unwrap()), SignedDuration::from_secs(5));
            assert_eq!(memory.failures[0].retry_time.duration_since(now), SignedDuration::from_secs(25));
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_sweep_that_began_with_or_before_a_change_does_not_show_it() {
        let memories = Memories::default();
        assert!(!memories.is_newer("uid", None, at(10)), "nothing was changed");
        memories.note("uid", rename("i-1"), None, FIRST);
        assert!(memories.is_newer("uid", None, at(10)));
        assert!(memories.is_newer("uid", Some(at(10)), at(10)));
        assert!(!memories.is_newer("uid", Some(at(11)), at(10)));
    }
}
