//! What is known of an account. Packs and orders are decided on the newest snapshot.

use std::sync::Arc;

use carpack_api::Reason;
use carpack_cloud::Cloud;
use carpack_cloud::port::Balance;
use carpack_cloud::tc3::SIGNATURE_LIFETIME;
use carpack_core::account::Health;
use carpack_core::observation::Observation;
use jiff::SignedDuration;
use jiff::tz::Offset;

/// What is known of an account.
#[derive(Clone)]
pub struct Snapshot {
    /// The newest complete sweep. It ages when later ones fail.
    pub observation: Option<Arc<Observation>>,
    /// The balance at the time of the last sweep.
    pub balance: Option<Balance>,
    /// The number of the cloud account (Uin), once it is known.
    pub cloud_account: Option<String>,
    /// Whether the last sweep succeeded, and why not.
    pub health: Health,
    /// How far the cloud's clock is ahead of ours.
    pub skew: Option<SignedDuration>,
    /// The zone of the cloud's timestamps, once it was observed.
    pub zone: Option<Offset>,
    /// The client, for reads and for changes that are free of charge. None before the first complete sweep.
    pub cloud: Option<Arc<dyn Cloud>>,
}

impl Snapshot {
    /// The snapshot before the first sweep.
    pub fn unknown() -> Self {
        let message = "the first sweep of the account has not ended yet".to_owned();
        let health = Health::NotReady { reason: Reason::NotSweptYet, message };
        Self { observation: None, balance: None, cloud_account: None, health, skew: None, zone: None, cloud: None }
    }

    /// True once a sweep has ended, with or without success. Before that nothing is decided for the account's objects: after a
    /// restart they would only report that nothing is known.
    pub fn is_settled(&self) -> bool {
        !matches!(self.health, Health::NotReady { reason: Reason::NotSweptYet, .. })
    }

    /// How far our clock is ahead of the cloud's. While no answer tells, as far as it can be: with a clock that is further off the
    /// cloud refuses signatures.
    pub fn clock_ahead(&self) -> SignedDuration {
        self.skew.and_then(SignedDuration::checked_neg).unwrap_or(SIGNATURE_LIFETIME)
    }

    /// True when the account's status would be different, apart from the age of the sweep.
    pub fn reads_differently(&self, other: &Self) -> bool {
        self.balance != other.balance || self.zone != other.zone || self.differs(other)
    }

    /// True when a decision made on the other snapshot could be different, apart from the age of the sweep.
    pub fn differs(&self, other: &Self) -> bool {
        let seen = |snapshot: &Self| snapshot.observation.clone();
        let same = match (seen(self), seen(other)) {
            (Some(a), Some(b)) => a.instances == b.instances && a.projects == b.projects,
            (None, None) => true,
            _ => false,
        };
        !same || self.health != other.health
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_no_answer_tells_may_be_ahead_as_far_as_signatures_allow() {
        assert_eq!(Snapshot::unknown().clock_ahead(), SignedDuration::from_mins(5));
    }
}
