//! One request to the API, from its headers to its reply.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    actions::{Action, Service},
    clock,
    error::ApiError,
    faults::{BadReply, Plan},
    ledger::RequestRecord,
    shared::Shared,
    signature::Signed,
    state::Call,
    wire::{decode_form, decode_json},
};

/// A request as received.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The reply to a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A body with this HTTP status.
    Body(u16, String),
    /// No reply: the connection is closed.
    Drop,
}

/// A request that was verified and decoded.
struct Accepted {
    account: String,
    action: &'static Action,
    parameters: Map<String, Value>,
}

impl Incoming {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Executes the request, with all faults that hit it.
    pub(crate) async fn answer(self, shared: Arc<Shared>) -> Reply {
        let (sequence, request_id) = self.record(&shared);
        let (accepted, plan) = match self.accept(&shared, sequence) {
            Ok(accepted) => accepted,
            Err(error) => return finish(&shared, sequence, Err(error), &request_id, None, &[]),
        };
        let Plan { latency, hold_before, before, options, hold_after, after, null_fields } = plan;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        for hold in hold_before {
            if !hold.wait().await {
                return finish(&shared, sequence, Ok(json!({})), &request_id, Some(BadReply::Drop), &[]);
            }
        }
        if let Some(bad_reply) = before {
            return finish(&shared, sequence, Ok(json!({})), &request_id, Some(bad_reply), &[]);
        }
        let result = {
            let mut inner = shared.lock();
            inner.update_request(sequence, |record| record.committed = true);
            let call = Call {
                account: accepted.account,
                client_token: None,
                request_id: Some(request_id.clone()),
                console: false,
            };
            accepted.action.run(&mut inner.state, call, accepted.parameters, options)
        };
        for hold in hold_after {
            if !hold.wait().await {
                return finish(&shared, sequence, result, &request_id, Some(BadReply::Drop), &[]);
            }
        }
        // An action that failed by itself keeps its own error code, unless the reply has no code at all.
        let bad_reply = after.filter(|bad_reply| result.is_ok() || !matches!(bad_reply, BadReply::Error(_)));
        finish(&shared, sequence, result, &request_id, bad_reply, &null_fields)
    }

    fn record(&self, shared: &Shared) -> (u64, String) {
        let mut inner = shared.lock();
        let request_id = inner.state.request_id();
        let version = self.header("x-tc-version");
        let record = RequestRecord {
            sequence: 0,
            time: inner.state.now(),
            service: Service::of_version(version)
                .map_or_else(|| version.to_owned(), |service| service.name().to_owned()),
            action: self.header("x-tc-action").to_owned(),
            account: None,
            parameters: Value::Null,
            outcome: "pending".to_owned(),
            committed: false,
            request_id: request_id.clone(),
        };
        (inner.record_request(record), request_id)
    }

    fn accept(&self, shared: &Shared, sequence: u64) -> Result<(Accepted, Plan), ApiError> {
        let mut inner = shared.lock();
        let required = |name: &str| {
            let value = self.header(name);
            let missing = || ApiError::new("MissingParameter", format!("the {name} header is missing"));
            if value.is_empty() { Err(missing()) } else { Ok(value) }
        };
        let (action, version) = (required("X-TC-Action")?, required("X-TC-Version")?);
        let Self { method, path, query, headers, body } = self;
        let signed = Signed { method, path, query, headers, body };
        let account = signed.verify(inner.wall(), |secret_id| inner.state.key(secret_id))?.to_owned();
        inner.update_request(sequence, |record| record.account = Some(account.clone()));
        let service = Service::of_version(version)
            .ok_or_else(|| ApiError::new("NoSuchVersion", format!("the version {version} does not exist")))?;
        let action = Action::find(service, action)
            .ok_or_else(|| ApiError::new("InvalidAction", format!("the action {action} does not exist")))?;
        let parameters = self.parameters(action)?;
        let recorded = Value::Object(parameters.clone());
        let text = recorded.to_string();
        inner.update_request(sequence, |record| record.parameters = recorded);
        let now = clock::monotonic();
        let per_second = inner.state.settings(&account).map_or(0, |settings| settings.rate_limit_per_second);
        if !inner.limiter.admit(&account, action.name, per_second, now) {
            let message = format!("{} may be called {per_second} times a second", action.name);
            return Err(ApiError::new("RequestLimitExceeded", message));
        }
        let plan = inner.faults.plan(&account, action.name, &text, now);
        Ok((Accepted { account, action, parameters }, plan))
    }

    fn parameters(&self, action: &Action) -> Result<Map<String, Value>, ApiError> {
        if self.method == "GET" {
            return decode_form(&self.query, action.parameters);
        }
        let content_type = self.header("content-type").split(';').next().unwrap_or_default().trim().to_lowercase();
        match content_type.as_str() {
            "application/json" => decode_json(&self.body),
            "application/x-www-form-urlencoded" => {
                let text = String::from_utf8_lossy(&self.body);
                decode_form(&text, action.parameters)
            }
            _ => Err(ApiError::new("InvalidParameter", "the Content-Type must be application/json")),
        }
    }
}

/// Records the outcome and makes the reply.
fn finish(
    shared: &Shared,
    sequence: u64,
    result: Result<Value, ApiError>,
    request_id: &str,
    bad_reply: Option<BadReply>,
    null_fields: &[String],
) -> Reply {
    let result = match &bad_reply {
        Some(BadReply::Error(error)) => Err(error.clone()),
        _ => result,
    };
    let outcome = match (&bad_reply, &result) {
        (Some(BadReply::Drop), _) => "dropped".to_owned(),
        (Some(BadReply::Garbage), _) => "garbage".to_owned(),
        (Some(BadReply::HttpStatus(status)), _) => format!("http {status}"),
        (_, Ok(_)) => "ok".to_owned(),
        (_, Err(error)) => error.code.clone(),
    };
    shared.lock().update_request(sequence, |record| record.outcome = outcome);
    match bad_reply {
        Some(BadReply::Drop) => Reply::Drop,
        Some(BadReply::Garbage) => Reply::Body(200, "{\"Response\": {\"Req".to_owned()),
        Some(BadReply::HttpStatus(status)) => Reply::Body(status, "<html><body>gateway</body></html>".to_owned()),
        Some(BadReply::Error(_)) | None => Reply::Body(200, body(result, request_id, null_fields)),
    }
}

fn body(result: Result<Value, ApiError>, request_id: &str, null_fields: &[String]) -> String {
    let mut response = match result {
        Ok(fields) => fields,
        Err(error) => json!({ "Error": { "Code": error.code, "Message": error.message } }),
    };
    set_to_null(&mut response, null_fields);
    if let Value::Object(fields) = &mut response {
        fields.insert("RequestId".to_owned(), Value::String(request_id.to_owned()));
    }
    json!({ "Response": response }).to_string()
}

fn set_to_null(value: &mut Value, names: &[String]) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if names.contains(name) {
                    *inner = Value::Null;
                } else {
                    set_to_null(inner, names);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| set_to_null(inner, names)),
        _ => {}
    }
}
