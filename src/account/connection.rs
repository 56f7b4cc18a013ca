//! One look at an account: its Secret, a client made with it, and every page of every list.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::account::{CarAccountSpec, Site};
use carpack_cloud::port::{Balance, Deadline};
use carpack_cloud::{CallError, Category, Cloud, Config, ConfigError, Credentials, PaidCalls, TencentClient};
use carpack_core::account::Health;
use carpack_core::observation::Observation;
use carpack_core::zone::{self, EARLIEST};
use jiff::tz::Offset;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use crate::clock::{Clock, wall};
use crate::error::StepError;
use crate::kubernetes::{Kube, answer};
use crate::merge::{Lists, merge};
use crate::metrics::Metrics;

/// What a client was made with: when it changes, another one is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    site: Site,
    endpoint: Option<String>,
    secret: String,
    secret_version: Option<String>,
}

/// The two halves of a client.
#[derive(Clone)]
pub struct Halves {
    /// Looks, and changes what costs nothing.
    pub cloud: Arc<dyn Cloud>,
    /// Spends. Only the spender takes it.
    pub paid: Arc<dyn PaidCalls>,
}

/// Makes the client of an account.
pub type Dial = Arc<dyn Fn(Config) -> Result<Halves, ConfigError> + Send + Sync>;

/// Makes clients of the real cloud, or of whatever answers at the account's endpoint.
pub fn tencent() -> Dial {
    Arc::new(|config| {
        let client = Arc::new(TencentClient::new(config)?);
        Ok(Halves { cloud: Arc::clone(&client) as Arc<dyn Cloud>, paid: client })
    })
}

/// A client of an account.
#[derive(Clone)]
pub struct Connection {
    key: Key,
    /// In which its spans of time are written.
    zone: Offset,
    /// What it is.
    pub halves: Halves,
}

impl Connection {
    /// How far the cloud's clock is ahead of ours.
    pub fn skew(&self) -> Option<jiff::SignedDuration> {
        self.halves.cloud.clock_skew()
    }

    /// True when both were made with the same key.
    pub fn is_same(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// A client for the account as it is now: the one at hand, or a new one when its Secret or address has changed.
///
/// # Errors
/// When there is no usable Secret or address: as the account's health.
pub async fn connect(
    kube: &Kube,
    namespace: &str,
    spec: &CarAccountSpec,
    zone: Offset,
    at_hand: Option<&Connection>,
    call_timeout: Duration,
    dial: &Dial,
) -> Result<Connection, Health> {
    let name = &spec.credentials.secret_ref.name;
    let secrets: Api<Secret> = Api::namespaced(kube.looks.clone(), namespace);
    let secret =
        answer("reading the account's Secret", secrets.get_opt(name)).await.map_err(|error| unread(name, &error))?;
    let Some(secret) = secret else {
        let message = format!(
            "there is no Secret {name} in namespace {namespace}: create it with the keys secretId and secretKey"
        );
        return Err(Health::NotReady { reason: "SecretMissing", message });
    };
    let key = Key {
        site: spec.site,
        endpoint: spec.endpoint.clone(),
        secret: name.clone(),
        secret_version: secret.resource_version(),
    };
    if let Some(connection) = at_hand.filter(|connection| connection.key == key && connection.zone == zone) {
        return Ok(connection.clone());
    }
    let credentials = credentials(name, &secret)?;
    let site = match spec.site {
        Site::International => carpack_cloud::Site::International,
        Site::Mainland => carpack_cloud::Site::Mainland,
        Site::Custom => carpack_cloud::Site::Custom(spec.endpoint.clone().unwrap_or_default()),
    };
    let defaults = Config::new(site, credentials, Arc::new(wall));
    let config = Config {
        utc_offset: zone,
        connect_timeout: defaults.connect_timeout.min(call_timeout),
        call_timeout,
        ..defaults
    };
    let halves = dial(config).map_err(|error| unusable(&error))?;
    Ok(Connection { key, zone, halves })
}

fn unread(name: &str, error: &StepError) -> Health {
    let message = format!("Secret {name} cannot be read ({error}): the operator needs get on it");
    Health::NotReady { reason: "SecretUnreadable", message }
}

fn credentials(name: &str, secret: &Secret) -> Result<Credentials, Health> {
    let invalid = |message: String| Health::NotReady { reason: "SecretInvalid", message };
    let part = |key: &str| -> Option<SecretString> {
        let bytes = &secret.data.as_ref()?.get(key)?.0;
        std::str::from_utf8(bytes).ok().map(|text| SecretString::from(text.to_owned()))
    };
    let missing =
        |key: &str| invalid(format!("Secret {name} has no text under the key {key}: it needs secretId and secretKey"));
    let id = part("secretId").ok_or_else(|| missing("secretId"))?;
    let secret_key = part("secretKey").ok_or_else(|| missing("secretKey"))?;
    let wrong = |error: ConfigError| invalid(format!("Secret {name}: {error}"));
    let credentials = Credentials::new(id, secret_key).map_err(wrong)?;
    match part("token") {
        Some(token) => credentials.with_token(token).map_err(wrong),
        None => Ok(credentials),
    }
}

fn unusable(error: &ConfigError) -> Health {
    Health::NotReady { reason: "InvalidConfiguration", message: format!("no client can be made: {error}") }
}

/// The zone in which the cloud's timestamps are read: the one that was observed, or else the one that a person named, or else
/// the one in which they mean the earliest moment.
pub fn zone_of(spec: &CarAccountSpec, observed: Option<Offset>) -> Offset {
    observed.or_else(|| spec.time_zone.as_deref().and_then(zone::parse)).unwrap_or(EARLIEST)
}

/// Looks at everything.
///
/// # Errors
/// When any page of any list is missing: a sweep is complete or it is none. The balance is not part of it.
pub async fn sweep(
    connection: &Connection,
    spec: &CarAccountSpec,
    zone: Offset,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<(Observation, Result<Balance, CallError>), Health> {
    let started = clock.second();
    let (cloud, by) = (&connection.halves.cloud, Deadline(started));
    let (renewables, packages, projects, balance) = tokio::join!(
        cloud.list_renewable_instances(by),
        cloud.list_concurrent_packages(by),
        cloud.list_projects(by),
        cloud.balance(by),
    );
    metrics.cloud_call("DescribeRenewInstances", renewables.as_ref().err());
    metrics.cloud_call("DescribeConcurrentPackages", packages.as_ref().err());
    metrics.cloud_call("DescribeApplicationProjects", projects.as_ref().err());
    metrics.cloud_call("DescribeAccountBalance", balance.as_ref().err());
    let unhealthy = |error: CallError| {
        tracing::debug!(%error, "a look failed");
        health(&error)
    };
    let (renewables, packages, projects) =
        (renewables.map_err(unhealthy)?, packages.map_err(unhealthy)?, projects.map_err(unhealthy)?);
    let product = spec.purchase.api.as_ref().map(|api| api.product_code.as_str());
    Ok((merge(Lists { started, renewables, packages, projects }, product, zone), balance))
}

/// Whether a key is of the cloud account that the CarAccount has stood for so far: what another one shows would prove that
/// nothing was bought. A key that is new to us has to answer; one that may not read the balance cannot be told apart.
///
/// # Errors
/// When it is another's, or nobody can tell yet: as the account's health.
pub fn check_owner(known: &str, balance: &Result<Balance, CallError>, key_is_new: bool) -> Result<(), Health> {
    match balance {
        Ok(Balance { uin: Some(uin), .. }) if uin != known => {
            let message = format!(
                "the key in the account's Secret belongs to cloud account {uin}, and all that is recorded here is of {known}: put a key of {known} into the Secret, and create another CarAccount for {uin}"
            );
            Err(Health::NotReady { reason: "OtherCloudAccount", message })
        }
        Err(error) if key_is_new && error.is_retryable() => Err(health(error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What an error of a look says of the account, with the way out.
pub fn health(error: &CallError) -> Health {
    let (reason, way_out) = match (error.code(), error.category()) {
        // Looks have no terms that could be denied, and a key without the right is answered by other codes than these
        // two. No document says so: hence the second way out.
        (Some("OperationDenied"), _) => (
            "NotSignedUp",
            "sign up for Cloud Application Rendering in the cloud's console; if that is done, ask the cloud's support why it denies this look",
        ),
        (Some("UnauthorizedOperation"), _) => (
            "NotApproved",
            "have the account approved for Cloud Application Rendering in the cloud's console; if it is, grant the key this action",
        ),
        (_, category) => way_out(category),
    };
    // Without the request's id: the same trouble is the same health, or every object would be written at every look.
    let what = match error.code() {
        Some(code) => format!("{} is answered {code}: {}", error.action(), error.message()),
        None => format!("{}: {}", error.action(), error.message()),
    };
    Health::NotReady { reason, message: format!("{what}: {way_out}") }
}

/// The reason that a category gives a health, and the way out.
fn way_out(category: Category) -> (&'static str, &'static str) {
    match category {
        Category::WrongCredentials => ("WrongCredentials", "put a valid key into the account's Secret"),
        Category::ClockSkew => {
            ("ClockSkew", "set this machine's clock: the cloud refuses signatures more than 5 minutes off")
        }
        Category::NotSignedUp => ("NotSignedUp", "sign up for Cloud Application Rendering in the cloud's console"),
        Category::NotApproved => {
            ("NotApproved", "have the account approved for Cloud Application Rendering in the cloud's console")
        }
        Category::PermissionDenied => {
            ("PermissionDenied", "grant the key the actions of car and billing that the operator calls")
        }
        Category::Unsupported => {
            ("Unsupported", "this account or site does not offer Cloud Application Rendering: check site and endpoint")
        }
        Category::Unreachable | Category::NoAnswer => {
            ("CloudUnreachable", "check the way to the cloud's endpoint; it is tried again")
        }
        Category::RateLimited => ("RateLimited", "somebody else uses up the account's rate limit; it is tried again"),
        Category::CloudInternal => ("CloudInternal", "the cloud fails inside; it is tried again"),
        Category::Garbled => ("Garbled", "the answer cannot be read: check site and endpoint"),
        other => (other.as_str(), "it is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uin: Option<&str>) -> Result<Balance, CallError> {
        Ok(Balance { cents: 1, uin: uin.map(str::to_owned) })
    }

    fn failed(category: Category) -> Result<Balance, CallError> {
        Err(CallError::new("DescribeAccountBalance", category, "no"))
    }

    fn reason(health: Result<(), Health>) -> &'static str {
        match health {
            Err(Health::NotReady { reason, .. }) => reason,
            Ok(()) | Err(Health::Ready) => "",
        }
    }

    #[test]
    fn a_key_of_another_cloud_account_is_not_used() {
        for key_is_new in [true, false] {
            assert_eq!(reason(check_owner("1", &of(Some("2")), key_is_new)), "OtherCloudAccount");
            assert_eq!(check_owner("1", &of(Some("1")), key_is_new), Ok(()));
            assert_eq!(check_owner("1", &of(None), key_is_new), Ok(()), "the answer does not say");
        }
    }

    #[test]
    fn a_key_that_is_new_is_used_once_it_was_asked_whose_it_is() {
        assert_eq!(reason(check_owner("1", &failed(Category::NoAnswer), true)), "CloudUnreachable");
        assert_eq!(check_owner("1", &failed(Category::NoAnswer), false), Ok(()), "known by now");
        assert_eq!(check_owner("1", &failed(Category::PermissionDenied), true), Ok(()), "it may never be told");
    }
}
