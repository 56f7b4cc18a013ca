//! The rate limit of the API: so many requests per second for each action of each account, in real time.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// The requests of the last second, for each account and action.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    recent: BTreeMap<(String, &'static str), VecDeque<Instant>>,
}

impl Limiter {
    /// Whether this request is within the limit; 0 is no limit. Refused requests do not count.
    pub(crate) fn admit(&mut self, account: &str, action: &'static str, per_second: u32, now: Instant) -> bool {
        if per_second == 0 {
            return true;
        }
        let recent = self.recent.entry((account.to_owned(), action)).or_default();
        while recent.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1)) {
            recent.pop_front();
        }
        let admitted = recent.len() < per_second as usize;
        if admitted {
            recent.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_per_action_and_frees_up_after_a_second() {
        let mut limiter = Limiter::default();
        let start = crate::clock::monotonic();
        assert!((0..20).all(|_| limiter.admit("a", "CreateInstance", 20, start)));
        assert!(!limiter.admit("a", "CreateInstance", 20, start));
        assert!(limiter.admit("a", "RenewInstance", 20, start));
        assert!(limiter.admit("b", "CreateInstance", 20, start));
        assert!(limiter.admit("a", "CreateInstance", 20, start + Duration::from_secs(1)));
    }
}
