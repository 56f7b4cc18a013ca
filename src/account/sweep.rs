//! A sweep: every page of every list of an account, and its balance.

use carpack_api::account::CarAccountSpec;
use carpack_cloud::CallError;
use carpack_cloud::port::{Balance, Deadline};
use carpack_core::account::Health;
use carpack_core::observation::Observation;
use carpack_core::zone::{self, EARLIEST};
use jiff::tz::Offset;

use super::connection::Connection;
use super::health::health;
use super::merge::{Lists, merge};
use crate::runtime::clock::Clock;
use crate::runtime::metrics::Metrics;

/// The zone in which the cloud's timestamps are read: the observed one, else the one in the account's spec, else the one in
/// which they mean the earliest moment.
pub fn zone_of(spec: &CarAccountSpec, observed: Option<Offset>) -> Offset {
    observed.or_else(|| spec.time_zone.as_deref().and_then(zone::parse)).unwrap_or(EARLIEST)
}

/// Reads every list of the account, and its balance.
///
/// # Errors
/// When any page of any list is missing, as the account's health: there is no incomplete sweep. A missing balance is no error.
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
        tracing::debug!(%error, "a sweep failed");
        health(&error)
    };
    let (renewables, packages, projects) =
        (renewables.map_err(unhealthy)?, packages.map_err(unhealthy)?, projects.map_err(unhealthy)?);
    let product = spec.purchase.api.as_ref().map(|api| api.product_code.as_str());
    Ok((merge(Lists { started, renewables, packages, projects }, product, zone), balance))
}
