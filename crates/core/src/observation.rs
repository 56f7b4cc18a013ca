//! What a complete sweep of an account has seen.

use std::collections::BTreeMap;

use carpack_api::BillingMode;
use carpack_api::pack::{ExpirationTimeSource, RenewFlag};
use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::names::is_named;

/// One instance as the cloud shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The cloud's id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Number of concurrencies in it; none when the cloud does not say.
    pub concurrencies: Option<i32>,
    /// Its project.
    pub project: Binding,
    /// When it expires.
    pub expiration: Option<Timestamp>,
    /// Which list says so.
    pub expiration_source: ExpirationTimeSource,
    /// The cloud's own renewal switch.
    pub renew_flag: RenewFlag,
    /// Concurrency scale.
    pub scale: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// True when the cloud has isolated it.
    pub isolated: bool,
}

impl Instance {
    /// True when it carries this name of a purchase; see [`is_named`].
    pub(crate) fn is_named(&self, pack_name: &str) -> bool {
        self.name.as_deref().is_some_and(|name| is_named(pack_name, name))
    }

    /// True as long as the cloud shows neither another scale nor another region.
    pub(crate) fn may_be_of(&self, scale: &str, region: &str) -> bool {
        let is = |observed: &Option<String>, declared: &str| observed.as_deref().is_none_or(|o| o == declared);
        is(&self.scale, scale) && is(&self.region, region)
    }

    /// True while it is neither isolated nor past its expiry.
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.isolated && self.expiration.is_none_or(|at| at > now)
    }
}

/// The project of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// The cloud does not say.
    Unknown,
    /// None.
    Unbound,
    /// This one.
    Bound(String),
}

impl Binding {
    /// The project's id, if it is bound to one.
    pub fn project(&self) -> Option<&str> {
        match self {
            Self::Bound(project) => Some(project),
            Self::Unknown | Self::Unbound => None,
        }
    }
}

/// A project of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Its concurrency scale; none when the cloud does not say.
    pub scale: Option<String>,
}

/// A complete sweep: every page of every list, or it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When the sweep began: it proves nothing about what was done after this moment.
    pub started: Timestamp,
    /// All instances, by id.
    pub instances: BTreeMap<String, Instance>,
    /// All projects, by id.
    pub projects: BTreeMap<String, Project>,
}

/// An order in the cloud's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// Its id.
    pub order_id: String,
    /// What kind of deal it is.
    pub action: DealAction,
    /// What was paid for it, in cents.
    pub cost_cents: Option<i64>,
    /// Currency.
    pub currency: Option<String>,
    /// Instances that it made or changed.
    pub instance_ids: Vec<String>,
    /// Product code.
    pub product_code: Option<String>,
    /// How far it came.
    pub state: DealState,
    /// When it was made, as the cloud writes it: without a zone.
    pub created: Option<DateTime>,
}

/// How far a deal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DealState {
    /// Made, and waiting for its payment: nothing is delivered before.
    Unpaid,
    /// It was never paid and cannot be any more, or its money went back.
    WithoutEffect,
    /// Anything else.
    InEffect,
}

/// What kind of deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DealAction {
    /// A purchase.
    Purchase,
    /// A renewal.
    Renew,
    /// A refund.
    Refund,
    /// Something else, or not said.
    Other,
}

/// All deals of a span that begins before the intent in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealList {
    /// When the reading began.
    pub started: Timestamp,
    /// All deals in the span.
    pub deals: Vec<Deal>,
}

/// True when the cloud's own renewal is observed off. A Daily pack has no such switch, so an unknown switch counts as off.
pub(crate) fn seen_off(flag: RenewFlag, mode: BillingMode) -> bool {
    match flag {
        RenewFlag::Manual => true,
        RenewFlag::Auto => false,
        RenewFlag::Unknown => mode == BillingMode::Daily,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn an_instance_lives_until_its_expiry_or_until_it_is_isolated() {
        let expiry = Timestamp::UNIX_EPOCH;
        let live = |expiration, isolated| {
            let instance = Instance {
                id: "i".into(),
                name: None,
                concurrencies: Some(1),
                project: Binding::Unknown,
                expiration,
                expiration_source: ExpirationTimeSource::Billing,
                renew_flag: RenewFlag::Manual,
                scale: None,
                region: None,
                isolated,
            };
            let moments = [expiry - SignedDuration::from_secs(1), expiry, expiry + SignedDuration::from_secs(1)];
            moments.map(|now| instance.is_live(now))
        };
        assert_eq!(live(Some(expiry), false), [true, false, false]);
        assert_eq!(live(Some(expiry), true), [false; 3]);
        assert_eq!(live(None, false), [true; 3], "an expiry that is not known has not come");
        assert_eq!(live(None, true), [false; 3]);
    }
}
