//! Judges the writes to the API server.

use carpack_api::PackOrder;
use carpack_fake_api_server::{ApiRequest, Key, Resource};
use http::Method;
use serde_json::Value;

use super::is_unresolved;
use crate::rule::Rule;
use crate::world::World;

/// A process writes to the API server: I5, I6, and the count of writes.
pub fn check(world: &World, key: &Key, request: &ApiRequest) {
    if key.resource == Resource::Leases {
        return;
    }
    let mut journal = world.journal();
    let now = world.clock.now();
    let body = std::str::from_utf8(&request.body).unwrap_or_default();
    // The names of events contain the real time of this machine.
    let (path, noted_body) =
        if key.resource == Resource::Events { ("an event", "") } else { (request.path.as_str(), body) };
    journal.note(now, path);
    journal.note(now, noted_body);
    if !world.is_calm() || !only_time_has_passed(world, key, request) {
        journal.writes = journal.writes.saturating_add(1);
    }
    if matches!(key.resource, Resource::Events | Resource::Secrets) || request.method == Method::POST {
        return;
    }
    if !body.contains(r#""resourceVersion":""#) {
        journal.breach(Rule::UnversionedWrite, format!("{} {} without a version", request.method, request.path));
    }
    // A DELETE only asks: the finalizer holds the order. The PATCH that removes the finalizer releases it.
    let releases =
        key.resource == Resource::PackOrders && request.method == Method::PATCH && body.contains(r#""finalizers":[]"#);
    if releases && is_stored_unresolved(world, key) {
        let what = format!("{} is released although the outcome of a call is unknown", key.name);
        journal.breach(Rule::ReleasedUnresolved, what);
    }
}

/// True when the stored order has a line without a known outcome.
fn is_stored_unresolved(world: &World, key: &Key) -> bool {
    let stored = world.api.get(key).and_then(|object| object.parse::<PackOrder>().ok());
    let lines = stored.iter().flat_map(|order| &order.status).flat_map(|status| &status.lines);
    lines.into_iter().any(|line| is_unresolved(line.state))
}

/// True for the write of a status that says only that time has passed: when the cloud was last observed (once an hour),
/// and what is due in the next days.
fn only_time_has_passed(world: &World, key: &Key, request: &ApiRequest) -> bool {
    let parse = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or(Value::Null);
    let before = world.api.get(key).map(|object| parse(&object.to_json())).unwrap_or(Value::Null);
    let after = parse(&request.body);
    let without_times = |object: &Value| {
        let mut status = object["status"].clone();
        ["lastObservedTime", "lastSweepTime", "due7Days", "due30Days"]
            .into_iter()
            .for_each(|field| status[field] = Value::Null);
        status
    };
    request.method == Method::PUT
        && before["status"].is_object()
        && after["status"].is_object()
        && without_times(&before) == without_times(&after)
}
