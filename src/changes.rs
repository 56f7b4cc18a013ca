//! Changes in the cloud that cost nothing, and what this process remembers of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use carpack_api::account::ApiChannel;
use carpack_cloud::port::{Deadline, Product, RenewFlag};
use carpack_cloud::{CallError, Category, Cloud};
use carpack_core::pack::{Change, ChangeFailure};
use jiff::{SignedDuration, Timestamp};

const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_hours(1);

/// What this process did for one pack.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// When it last changed something in the cloud: an older sweep proves nothing.
    pub last_change: Option<Timestamp>,
    /// The changes that were refused, each until it succeeds or has not been tried for long.
    pub failures: Vec<ChangeFailure>,
}

/// What this process did, by the pack's UID. It need not survive a restart: a new process waits for a sweep of its own.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<String, Memory>>);

impl Memories {
    /// What was done for this pack.
    pub fn of(&self, uid: &str) -> Memory {
        self.lock().get(uid).cloned().unwrap_or_default()
    }

    /// Forgets a pack.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Notes how a change ended. Whatever the answer, something may have changed.
    pub fn note(
        &self,
        uid: &str,
        change: Change,
        error: Option<&CallError>,
        now: Timestamp,
        first_wait: SignedDuration,
    ) {
        let mut memories = self.lock();
        let memory = memories.entry(uid.to_owned()).or_default();
        memory.last_change = Some(now);
        let before = memory.failures.iter().find(|failure| failure.change == change).map_or(0, |f| f.refusals);
        // What could have been tried again for so long is not wanted any more.
        memory.failures.retain(|f| f.change != change && now.duration_since(f.retry_time) < LONGEST_BACKOFF);
        let Some(error) = error else { return };
        let wait = backoff(first_wait, before);
        memory.failures.push(ChangeFailure {
            change,
            category: error.category().as_str(),
            message: error.to_string(),
            retry_time: now.checked_add(wait).unwrap_or(Timestamp::MAX),
            refusals: before.saturating_add(1),
        });
    }

    /// True when a sweep that began at this moment does not show the last change yet.
    pub fn is_newer(&self, uid: &str, sweep: Option<Timestamp>) -> bool {
        let change = self.lock().get(uid).and_then(|memory| memory.last_change);
        change.is_some_and(|change| sweep.is_none_or(|sweep| sweep <= change))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn backoff(first: SignedDuration, failures: i32) -> SignedDuration {
    let factor = 1_i32.checked_shl(failures.clamp(0, 20).unsigned_abs()).unwrap_or(i32::MAX);
    first.checked_mul(factor).unwrap_or(LONGEST_BACKOFF).min(LONGEST_BACKOFF)
}

/// Carries a change out, once. Returns the name of the action and how it ended.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_change_waits_longer_each_time_and_a_success_clears_it() {
        let memories = Memories::default();
        let (now, first) = (Timestamp::UNIX_EPOCH, SignedDuration::from_secs(30));
        let change = Change::Rename { id: "i-1".to_owned(), name: "a".to_owned() };
        let refused = CallError::new("ModifyConcurrentPackage", Category::Locked, "locked");
        let mut waits = Vec::new();
        for _ in 0..9 {
            memories.note("uid", change.clone(), Some(&refused), now, first);
            waits.push(memories.of("uid").failures[0].retry_time.as_second());
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        memories.note("uid", change, None, now, first);
        assert_eq!(memories.of("uid").failures, []);
        assert_eq!(memories.of("uid").last_change, Some(now));
    }

    #[test]
    fn each_change_waits_for_itself_and_is_forgotten_when_nobody_tries_it_any_more() {
        let memories = Memories::default();
        let first = SignedDuration::from_secs(30);
        let at = |second| Timestamp::from_second(second).unwrap();
        let rename = |id: &str| Change::Rename { id: id.to_owned(), name: "a".to_owned() };
        let refused = CallError::new("ModifyConcurrentPackage", Category::Locked, "locked");
        memories.note("uid", rename("i-1"), Some(&refused), at(0), first);
        memories.note("uid", rename("i-2"), Some(&refused), at(1), first);
        memories.note("uid", rename("i-3"), None, at(2), first);
        let waits: Vec<i64> = memories.of("uid").failures.iter().map(|f| f.retry_time.as_second()).collect();
        assert_eq!(waits, [30, 31]);
        memories.note("uid", rename("i-2"), Some(&refused), at(4000), first);
        let left: Vec<Change> = memories.of("uid").failures.into_iter().map(|f| f.change).collect();
        assert_eq!(left, [rename("i-2")]);
    }

    #[test]
    fn a_sweep_that_began_with_or_before_a_change_does_not_show_it() {
        let memories = Memories::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!memories.is_newer("uid", None), "nothing was changed");
        let change = Change::Rename { id: "i-1".to_owned(), name: "a".to_owned() };
        memories.note("uid", change, None, at(10), SignedDuration::from_secs(1));
        assert!(memories.is_newer("uid", None));
        assert!(memories.is_newer("uid", Some(at(10))));
        assert!(!memories.is_newer("uid", Some(at(11))));
    }
}
