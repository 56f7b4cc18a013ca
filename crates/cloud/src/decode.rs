//! Reads answers. Any field may be null by the documents, and the fields of one list are not documented. So only those
//! fields are required that tell success from failure.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::credentials::Credentials;
use crate::error::{CallError, Category};
use crate::outcome::PaidFailure;
use crate::port::{
    ConcurrentPackage, Deal, DealAction, DealStatus, Project, ProjectBinding, Receipt, RenewFlag, RenewableInstance,
};
use crate::transport::Answer;

/// An answer that is no success.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The cloud's own verdict: HTTP 200, an error code, a RequestId.
    Verdict(CallError),
    /// Anything else: nobody knows who wrote it, or what it means.
    Unclear(CallError),
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Verdict(error) | Refusal::Unclear(error) => error,
        }
    }
}

/// Opens the envelope. The content type does not matter: whatever has the shape of an envelope is read.
pub(crate) fn read(action: &'static str, answer: Answer, credentials: &Credentials) -> Result<Row, Refusal> {
    let status = answer.status;
    let response = match serde_json::from_slice::<Value>(&answer.body) {
        Ok(Value::Object(mut envelope)) => match envelope.remove("Response") {
            Some(Value::Object(response)) => Some(Row(response)),
            _ => None,
        },
        _ => None,
    };
    let Some(response) = response else {
        let message = format!("http {status} with {} bytes that are no answer of this api", answer.body.len());
        return Err(Refusal::Unclear(CallError::new(action, category_of_status(status), message)));
    };
    let request_id = response.text(&["RequestId"]);
    let named = |error: CallError| match &request_id {
        Some(id) => error.with_request_id(credentials.scrub(id)),
        None => error,
    };
    match response.0.get("Error") {
        None | Some(Value::Null) if status == 200 => Ok(response),
        None | Some(Value::Null) => {
            let message = format!("http {status} without an error code");
            Err(Refusal::Unclear(named(CallError::new(action, category_of_status(status), message))))
        }
        Some(error) => {
            let error = error.as_object().map(|fields| Row(fields.clone()));
            let Some(code) = error.as_ref().and_then(|row| row.text(&["Code"])) else {
                let message = format!("http {status} with an error that has no code");
                return Err(Refusal::Unclear(named(CallError::new(action, category_of_status(status), message))));
            };
            let message = error.and_then(|row| row.text(&["Message"])).unwrap_or_else(|| "no message".into());
            let error = named(CallError::of_code(action, credentials.scrub(&code), credentials.scrub(&message)));
            if status == 200 && request_id.is_some() {
                Err(Refusal::Verdict(error))
            } else {
                Err(Refusal::Unclear(error))
            }
        }
    }
}

/// Reads the answer of a paid call. A success has to name what it made, and the request that made it.
pub(crate) fn receipt(action: &'static str, answer: Answer, credentials: &Credentials) -> Result<Receipt, PaidFailure> {
    let row = read(action, answer, credentials).map_err(|refusal| match refusal {
        Refusal::Verdict(error) => PaidFailure::Answered(error),
        Refusal::Unclear(error) => PaidFailure::NoVerdict(error),
    })?;
    let order_ids = [row.texts("OrderId"), row.texts("OrderIdList")].concat();
    let instance_ids = row.texts("InstanceIdList");
    let unclear = |message: &str| CallError::new(action, Category::Garbled, message);
    match row.text(&["RequestId"]) {
        None => Err(PaidFailure::NoVerdict(unclear("the answer has no request id"))),
        Some(request_id) if order_ids.is_empty() && instance_ids.is_empty() => {
            let error = unclear("the answer names neither an order nor an instance");
            Err(PaidFailure::NoVerdict(error.with_request_id(request_id)))
        }
        Some(request_id) => Ok(Receipt { order_ids, instance_ids, request_id }),
    }
}

fn category_of_status(status: u16) -> Category {
    match status {
        429 => Category::RateLimited,
        500..=599 => Category::CloudInternal,
        _ => Category::Garbled,
    }
}

/// A list as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// The field is not there, or is no list.
    Missing,
    /// The field is null.
    Null,
    /// The elements; one that is no object is a row without fields.
    Rows(Vec<Row>),
}

/// The fields of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row(Map<String, Value>);

impl Row {
    /// The first of these fields that holds a text or a number, as text; never empty.
    pub(crate) fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.0.get(*name)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// The first of these fields that holds a whole number, be it written as a string or with a fraction of zero.
    pub(crate) fn whole(&self, names: &[&str]) -> Option<i64> {
        names.iter().find_map(|name| whole(self.0.get(*name)?))
    }

    fn count(&self, names: &[&str]) -> Option<u32> {
        names.iter().find_map(|name| u32::try_from(whole(self.0.get(*name)?)?).ok())
    }

    pub(crate) fn list(&self, name: &str) -> List {
        match self.0.get(name) {
            Some(Value::Array(elements)) => List::Rows(
                elements
                    .iter()
                    .map(|element| element.as_object().map_or_else(Self::default, |fields| Self(fields.clone())))
                    .collect(),
            ),
            Some(Value::Null) => List::Null,
            _ => List::Missing,
        }
    }

    /// The texts of a list of texts; also of a single text.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        match self.0.get(name) {
            Some(Value::Array(elements)) => elements.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    fn project(&self) -> ProjectBinding {
        let fields: Vec<&Value> = PROJECT.iter().filter_map(|name| self.0.get(*name)).collect();
        let bound = fields.iter().find_map(|value| value.as_str().map(str::trim).filter(|text| !text.is_empty()));
        match bound {
            Some(project) => ProjectBinding::Bound(project.to_owned()),
            // A number is a billing project, not one of CAR: it says nothing about the binding.
            None if fields.is_empty() || !fields.iter().all(|value| value.is_null() || value.is_string()) => {
                ProjectBinding::Unknown
            }
            None => ProjectBinding::Unbound,
        }
    }

    /// The sorted names of the fields: never a value.
    fn shape(&self) -> String {
        let mut names: Vec<String> = self.0.keys().map(|name| name.chars().take(64).collect()).collect();
        names.sort();
        names.truncate(64);
        names.join(",")
    }
}

/// The largest whole number that a floating-point number still holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn whole(value: &Value) -> Option<i64> {
    let of_float = |number: f64| (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64);
    match value {
        Value::Number(number) => number.as_i64().or_else(|| of_float(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| of_float(text.parse().ok()?))
        }
        _ => None,
    }
}

const PACKAGE_ID: [&str; 5] = ["ConcurrentId", "ConcurrentPackageId", "PackageId", "InstanceId", "Id"];
const PROJECT: [&str; 2] = ["ApplicationProjectId", "ProjectId"];

/// A row's identity within its list, to notice one that comes twice.
pub(crate) type Identity = fn(&Row) -> Option<String>;

/// Identity of a row of DescribeConcurrentPackages.
pub(crate) fn package_identity(row: &Row) -> Option<String> {
    row.text(&PACKAGE_ID)
}

/// Identity of a row of DescribeRenewInstances: ids are unique within a product.
pub(crate) fn renewable_identity(row: &Row) -> Option<String> {
    let product = row.text(&["ProductCode"]).unwrap_or_default();
    row.text(&["InstanceId"]).map(|id| format!("{product}/{id}"))
}

/// Identity of a row of DescribeApplicationProjects.
pub(crate) fn project_identity(row: &Row) -> Option<String> {
    row.text(&["ProjectId"])
}

/// Identity of a row of DescribeDealsByCond.
pub(crate) fn deal_identity(row: &Row) -> Option<String> {
    row.text(&["OrderId"])
}

pub(crate) fn package(row: &Row) -> Option<ConcurrentPackage> {
    Some(ConcurrentPackage {
        id: row.text(&PACKAGE_ID)?,
        name: row.text(&["Name", "ConcurrentName", "ConcurrentPackageName"]),
        project: row.project(),
        scale: row.text(&["ConcurrentType", "Type", "ConcurrencyScale", "Scale"]),
        region: row.text(&["Region", "ConcurrentRegion", "RegionCode"]),
        concurrencies: row.count(&["Amount", "Count", "ConcurrentCount", "Total", "Quantity"]),
        expire_time: row.text(&["ExpireTime", "ExpiredTime", "EndTime", "Deadline"]),
    })
}

pub(crate) fn renewable(row: &Row) -> Option<RenewableInstance> {
    Some(RenewableInstance {
        id: row.text(&["InstanceId"])?,
        name: row.text(&["InstanceName"]),
        product_code: row.text(&["ProductCode"]),
        sub_product_code: row.text(&["SubProductCode"]),
        region: row.text(&["RegionCode"]),
        expire_time: row.text(&["ExpireTime"]),
        renew_flag: row.text(&["RenewFlag"]).as_deref().and_then(renew_flag),
        isolated: row.text(&["Status"]).as_deref() == Some("ISOLATED"),
    })
}

pub(crate) fn project(row: &Row) -> Option<Project> {
    Some(Project {
        id: row.text(&["ProjectId"])?,
        name: row.text(&["Name"]),
        scale: row.text(&["Type"]),
        amount: row.count(&["Amount"]),
    })
}

pub(crate) fn deal(row: &Row) -> Option<Deal> {
    Some(Deal {
        order_id: row.text(&["OrderId"])?,
        status: row.whole(&["Status"]).map(DealStatus::of),
        action: row.text(&["Action"]).map_or(DealAction::Other, |word| DealAction::of(&word)),
        cost_cents: row.whole(&["RealTotalCost"]),
        currency: row.text(&["Currency"]),
        resource_ids: row.texts("ResourceId"),
        product_code: row.text(&["ProductCode"]),
        create_time: row.text(&["CreateTime"]),
    })
}

fn renew_flag(text: &str) -> Option<RenewFlag> {
    match text {
        "NOTIFY_AND_AUTO_RENEW" => Some(RenewFlag::Auto),
        "NOTIFY_AND_MANUAL_RENEW" => Some(RenewFlag::Manual),
        "DISABLE_NOTIFY_AND_MANUAL_RENEW" => Some(RenewFlag::ManualSilent),
        _ => None,
    }
}

/// How the cloud writes a renew flag.
pub(crate) fn renew_flag_text(flag: RenewFlag) -> &'static str {
    match flag {
        RenewFlag::Auto => "NOTIFY_AND_AUTO_RENEW",
        RenewFlag::Manual => "NOTIFY_AND_MANUAL_RENEW",
        RenewFlag::ManualSilent => "DISABLE_NOTIFY_AND_MANUAL_RENEW",
    }
}

/// Logs once for each shape that rows of it cannot be used.
#[derive(Debug, Default)]
pub(crate) struct UnknownShapes(Mutex<BTreeSet<(&'static str, String)>>);

/// How many shapes are remembered. Further ones are not logged.
const MOST_SHAPES: usize = 64;

impl UnknownShapes {
    /// Reads every row that can be read.
    pub(crate) fn read_all<T>(&self, action: &'static str, rows: &[Row], read: fn(&Row) -> Option<T>) -> Vec<T> {
        let known = rows.iter().filter_map(|row| {
            let element = read(row);
            if element.is_none() {
                self.report(action, row);
            }
            element
        });
        known.collect()
    }

    fn report(&self, action: &'static str, row: &Row) {
        let shape = (action, row.shape());
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MOST_SHAPES && seen.insert(shape.clone()) {
            tracing::warn!(action, fields = %shape.1, "an element without an id that we know was left out");
        }
    }
}

#[cfg(test)]
mod any_answer;
#[cfg(test)]
mod tests;
