//! Types that several kinds share.

use std::fmt;

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a pack is billed: prepaid by the day or by the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BillingMode {
    /// Days. Cannot auto-renew in the cloud.
    Daily,
    /// Months.
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

/// What kind of application the concurrencies run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApplicationType {
    /// "Cloud 3D", the only value of the purchase form today.
    #[default]
    Cloud3D,
}

/// One ladder for everything that holds the operator back. It stands at the installation, the account and the pack; the lowest wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Look and report; touch nothing.
    Observe,
    /// Look, report, and say exactly what would be done and for how much; touch nothing.
    DryRun,
    /// Do what costs nothing; every spending act waits for a person's approval of its PackOrder.
    ApprovalRequired,
    /// Do everything that the limits allow.
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

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// Decimal number as text, at most four digits after the point, such as "6300.00".
    #[schemars(regex(pattern = r"^[0-9]{1,12}(\.[0-9]{1,4})?$"))]
    pub amount: String,
    /// ISO 4217 code, such as USD.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub currency: String,
}

/// Names a CarAccount in the operator's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountReference {
    /// Name of the CarAccount in the operator's namespace.
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
