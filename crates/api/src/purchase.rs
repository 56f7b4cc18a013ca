//! How an account buys packs: the channel, and what carpack sends to the cloud's billing API.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::BillingMode;

/// How packs are bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Purchase {
    /// Api: carpack buys by the cloud's billing API. Console: a person buys what the order says; this is not built yet, and is refused.
    pub channel: Channel,
    /// With channel Api, required: the values that carpack sends to the billing API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiChannel>,
}

/// How packs are bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Channel {
    /// By the cloud's billing API.
    Api,
    /// By a person in the console.
    Console,
}

/// The values that carpack sends to the billing API. The public documents do not list them for CAR, so they are configuration: ask Tencent Cloud.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiChannel {
    /// `ProductCode` of CAR, 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub product_code: String,
    /// `SubProductCode` of a concurrency pack, 1 to 64 characters.
    #[schemars(length(min = 1, max = 64))]
    pub sub_product_code: String,
    /// `ZoneCode`, 1 to 64 characters. carpack puts the pack's region in the place of {region}. Absent: the region.
    #[serde(default = "default_zone_code")]
    #[schemars(length(min = 1, max = 64))]
    pub zone_code: String,
    /// `ProjectId` of the billing API, which sorts the bill; it is not the project of a pack. Absent: 0, the default project.
    #[serde(default)]
    pub billing_project: i64,
    /// `Parameter` of a purchase: JSON as text, 2 to 4096 characters.
    ///
    /// Within its strings carpack fills in {packName}, {concurrencyScale}, {applicationType} and {region}. {packName} must be in it: by its name carpack recognises a pack whose purchase was not answered.
    #[schemars(length(min = 2, max = 4096))]
    #[x_kube(
        validation = Rule::new("self.contains('{packName}')").message("parameterTemplate needs {packName}: by its name carpack recognises a pack whose purchase was not answered")
    )]
    pub parameter_template: String,
    /// `PeriodUnit` for each billing mode: Monthly is `m`, and Daily is what Tencent Cloud has told you; no document names a unit for days. A billing mode that is missing is neither bought nor renewed with this account.
    #[x_kube(
        validation = Rule::new("self.all(mode, mode in ['Daily', 'Monthly'])").message("periodUnits has the keys Daily and Monthly only"),
        validation = Rule::new("!('Monthly' in self) || self['Monthly'] == 'm'").message("the period unit of Monthly is m: with another unit the cloud charges another time than the one that was priced"),
        validation = Rule::new("!('Daily' in self) || !(self['Daily'] in ['m', 'y'])").message("the period unit of Daily is not m or y, which are months and years: the cloud would charge another time than the one that was priced")
    )]
    pub period_units: BTreeMap<String, String>,
    /// For how many minutes, 15 to 43200, the cloud is known to answer a repeated `ClientToken` with the result of the first call. Absent: nothing relies on tokens.
    ///
    /// Within this time carpack sends an unanswered call once more with the same token, without waiting for the quarantine. It has no effect together with `unansweredCalls: Ask`.
    ///
    /// Leave it out where tokens are ignored, or where this was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 15, max = 43200))]
    pub client_token_honored_minutes: Option<i32>,
    /// What follows when two complete sweeps after the quarantine (7 minutes by default) show no trace of an unanswered call: Retry (default) or Ask.
    ///
    /// Retry: carpack sends it again with the same token: a purchase or return up to three times before it asks a person, a renewal as long as there is time.
    ///
    /// Retry is safe where lists and deals show a purchase within the quarantine.
    ///
    /// Ask: carpack asks a person and sends nothing again. For a cloud that may show a purchase later.
    #[serde(default)]
    pub unanswered_calls: UnansweredCalls,
}

/// What follows when no sweep shows what became of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnansweredCalls {
    /// carpack sends it again with the same token.
    #[default]
    Retry,
    /// carpack asks a person.
    Ask,
}

fn default_zone_code() -> String {
    "{region}".to_owned()
}

impl ApiChannel {
    /// The account's `PeriodUnit` for a billing mode. None: the account cannot buy in this mode.
    pub fn period_unit(&self, mode: BillingMode) -> Option<&str> {
        let key = match mode {
            BillingMode::Daily => "Daily",
            BillingMode::Monthly => "Monthly",
        };
        self.period_units.get(key).map(String::as_str)
    }
}
