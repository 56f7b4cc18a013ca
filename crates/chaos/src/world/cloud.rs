//! The cloud of a world: the simulator's state with one account and two projects.

use std::time::Duration;

use carpack_simulator::state::{self, Rules, State};
use carpack_simulator::{AccountConfig, AccountSettings, PriceList, TokenHandling};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::plan::{Plan, Tokens};

/// The account that pays.
pub const ACCOUNT: &str = "default";
/// The balance of the account, in cents.
pub const BALANCE: i64 = 100_000_000;
/// How long the cloud accepts a signature (docs/real-cloud.md).
pub const SIGNATURE_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// The error code for a signature that is too old.
pub const SIGNATURE_EXPIRED: &str = "AuthFailure.SignatureExpire";
/// The error code for too many requests.
pub const TOO_MANY_REQUESTS: &str = "RequestLimitExceeded";
/// How long [`crate::circumstance::Circumstance::Storm`] lasts.
pub const STORM: Duration = Duration::from_secs(600);

/// A cloud in which nothing was bought yet.
///
/// # Errors
/// When the simulator refuses the account or a project, which is a bug in this crate.
pub fn new_cloud(plan: &Plan, now: Timestamp) -> Result<State, String> {
    let rules = Rules {
        product_code: "p_car".to_owned(),
        sub_product_code: "sp_car_pack".to_owned(),
        zone: TimeZone::fixed(jiff::tz::Offset::constant(8)),
        isolation_seconds: 7 * 86_400,
    };
    let (token_handling, token_lifetime_seconds) = match plan.tokens {
        Tokens::Honoured => (TokenHandling::Honoured, 30 * 86_400),
        Tokens::Ignored => (TokenHandling::Ignored, 0),
        Tokens::Expire(seconds) => (TokenHandling::Honoured, seconds),
    };
    let settings = AccountSettings {
        token_handling,
        token_lifetime_seconds,
        rate_limit_per_second: 0,
        ..AccountSettings::default()
    };
    let account = AccountConfig { balance_cents: BALANCE, settings, ..AccountConfig::default() };
    let mut cloud =
        State::new(rules, PriceList::default(), vec![account], plan.rng_seed, now).map_err(|e| e.to_string())?;
    for project in ["cap-a", "cap-b"] {
        let new = state::NewProject {
            id: Some(project.to_owned()),
            name: project.to_owned(),
            scale: "L1".to_owned(),
            ..state::NewProject::default()
        };
        cloud.create_project(ACCOUNT, new).map_err(|e| e.code)?;
    }
    Ok(cloud)
}
