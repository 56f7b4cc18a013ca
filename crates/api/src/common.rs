//! Types that several kinds share.

use std::fmt;

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How a pack is billed: prepaid by the day (Daily) or by the month (Monthly).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BillingMode {
    /// Prepaid by the day. The cloud itself renews no Daily pack.
    Daily,
    /// Prepaid by the month.
    Monthly,
}

impl fmt::Display for BillingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Daily => "Daily",
            Self::Monthly => "Monthly",
        })
    }
}

/// The application type of the purchase form. Cloud3D is its only value today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApplicationType {
    /// "Cloud 3D" on the purchase form.
    #[default]
    Cloud3D,
}

/// How far carpack may go. A mode stands at the installation, the account and the pack; the lowest of the three wins. The variants are ordered from the lowest to the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// carpack sweeps, and reports what it would do and for how much. It changes nothing.
    Observe,
    /// As Observe; conditions and events have the reason DryRun.
    DryRun,
    /// carpack does what costs nothing. Each PackOrder waits for a person's approval.
    ApprovalRequired,
    /// carpack does everything that prices and limits allow.
    #[default]
    Automatic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "Observe",
            Self::DryRun => "DryRun",
            Self::ApprovalRequired => "ApprovalRequired",
            Self::Automatic => "Automatic",
        })
    }
}

/// The schema of a moment that a person writes: one that the operator can read. The API server alone would take the year 9999, or a zone
/// that is 26 hours off.
pub(crate) fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "format": "date-time",
        "nullable": true,
        "pattern": "([Zz]|[+-](0[0-9]|1[0-4]):[0-5][0-9])$",
        "x-kubernetes-validations": [{
            "rule": "self < timestamp('9000-01-01T00:00:00Z')",
            "message": "write a moment before the year 9000, such as 2026-12-31T16:00:00Z; leave the field out when there is no end"
        }]
    })
}

/// An amount of money with its currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// Decimal number as text, such as "6300.00": at most 12 digits before the point and 4 after it.
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub amount: String,
    /// ISO 4217 code of three capital letters, such as USD.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub currency: String,
}

/// Names a CarAccount in the operator's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountReference {
    /// Name of the CarAccount in the operator's namespace, 1 to 63 characters. Absent: `default`.
    #[serde(default = "default_account")]
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
}

impl Default for AccountReference {
    fn default() -> Self {
        Self { name: default_account() }
    }
}

fn default_account() -> String {
    "default".to_owned()
}
