//! The client of an account: made from its Secret, and made again when that or the address changes.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::Reason;
use carpack_api::account::{CarAccountSpec, Site};
use carpack_cloud::{Config, ConfigError, Credentials};
use carpack_core::account::Health;
use jiff::tz::Offset;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use secrecy::SecretString;

use crate::money::dial::{Dial, Halves};
use crate::runtime::clock::wall;
use crate::runtime::error::StepError;
use crate::runtime::guarded::Guarded;
use crate::runtime::kubernetes::{Kube, answer};

/// What a client was made with. When it changes, another one is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    site: Site,
    endpoint: Option<String>,
    secret: String,
    secret_version: Option<String>,
}

/// A client of an account.
#[derive(Clone)]
pub struct Connection {
    key: Key,
    /// The zone in which it writes the spans of time that it asks for.
    zone: Offset,
    /// Its two halves.
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

/// A client for the account as it is now: the current one, or a new one when the Secret or the address has changed.
///
/// # Errors
/// When there is no usable Secret or address: as the account's health.
pub async fn connect(
    kube: &Kube,
    namespace: &str,
    spec: &CarAccountSpec,
    zone: Offset,
    current: Option<&Connection>,
    call_timeout: Duration,
    dial: &Dial,
) -> Result<Connection, Health> {
    let name = &spec.credentials.secret_ref.name;
    let step = "reading the account's Secret";
    let secrets: Api<Guarded<Secret>> = Api::namespaced(kube.reads.clone(), namespace);
    let secret = answer(step, secrets.get_opt(name)).await.map_err(|error| unread(name, &error))?;
    let secret = secret.map(|secret| secret.0.map_err(|_| unparsable(name))).transpose()?;
    let Some(secret) = secret else {
        let message = format!(
            "there is no Secret {name} in namespace {namespace}: create it with the keys secretId and secretKey"
        );
        return Err(Health::NotReady { reason: Reason::SecretMissing, message });
    };
    let key = Key {
        site: spec.site,
        endpoint: spec.endpoint.clone(),
        secret: name.clone(),
        secret_version: secret.resource_version(),
    };
    if let Some(connection) = current.filter(|connection| connection.key == key && connection.zone == zone) {
        return Ok(connection.clone());
    }
    let credentials = credentials(name, &secret)?;
    let site = match spec.site {
        Site::International => carpack_cloud::Site::International,
        Site::Mainland => carpack_cloud::Site::Mainland,
        Site::Custom => carpack_cloud::Site::Custom(spec.endpoint.clone().unwrap_or_default()),
    };
    let config = Config { utc_offset: zone, ..Config::new(site, credentials, Arc::new(wall), call_timeout) };
    let halves = dial(config).map_err(|error| unusable(&error))?;
    Ok(Connection { key, zone, halves })
}

fn unread(name: &str, error: &StepError) -> Health {
    let message = format!("Secret {name} cannot be read ({error}): the operator needs get on it");
    Health::NotReady { reason: Reason::SecretUnreadable, message }
}

/// What the parser says is not repeated: it may quote the key.
fn unparsable(name: &str) -> Health {
    let message = format!("Secret {name} is there and cannot be read as a Secret: create it anew");
    Health::NotReady { reason: Reason::SecretInvalid, message }
}

fn credentials(name: &str, secret: &Secret) -> Result<Credentials, Health> {
    let invalid = |message: String| Health::NotReady { reason: Reason::SecretInvalid, message };
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
    Health::NotReady { reason: Reason::InvalidConfiguration, message: format!("no client can be made: {error}") }
}
