//! One request of the API, from its headers to its reply.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    actions::{Action, Service},
    clock,
    error::ApiError,
    faults::{Plan, Spoilt},
    ledger::RequestRecord,
    shared::Shared,
    signature::Signed,
    state::Call,
    wire::{decode_form, decode_json},
};

/// A request as it was received.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Reply {
    /// This HTTP status and this body.
    Body(u16, String),
    /// Nothing: the connection is closed.
    Drop,
}

/// A request that was understood and may be carried out.
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

    /// Carries the request out, with every fault that hits it.
    pub(crate) async fn answer(self, shared: Arc<Shared>) -> Reply {
        let (sequence, request_id) = self.note(&shared);
        let (accepted, plan) = match self.accept(&shared, sequence) {
            Ok(accepted) => accepted,
            Err(error) => return finish(&shared, sequence, Err(error), &request_id, None, &[]),
        };
        let Plan { latency, hold_before, before, conduct, hold_after, after, null_fields } = plan;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        for hold in hold_before {
            if !hold.wait().await {
                return finish(&shared, sequence, Ok(json!({})), &request_id, Some(Spoilt::Drop), &[]);
            }
        }
        if let Some(spoilt) = before {
            return finish(&shared, sequence, Ok(json!({})), &request_id, Some(spoilt), &[]);
        }
        let result = {
            let mut inner = shared.lock();
            inner.amend(sequence, |record| record.committed = true);
            let call = Call {
                account: accepted.account,
                client_token: None,
                request_id: Some(request_id.clone()),
                console: false,
            };
            accepted.action.run(&mut inner.state, call, accepted.parameters, conduct)
        };
        for hold in hold_after {
            if !hold.wait().await {
                return finish(&shared, sequence, result, &request_id, Some(Spoilt::Drop), &[]);
            }
        }
        // An action that fails is answered with its own code, unless the fault answers no code at all.
        let spoilt = after.filter(|spoilt| result.is_ok() || !matches!(spoilt, Spoilt::Error(_)));
        finish(&shared, sequence, result, &request_id, spoilt, &null_fields)
    }

    fn note(&self, shared: &Shared) -> (u64, String) {
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
        (inner.note(record), request_id)
    }

    fn accept(&self, shared: &Shared, sequence: u64) -> Result<(Accepted, Plan), ApiError> {
        let mut inner = shared.lock();
        let needed = |name: &str| {
            let value = self.header(name);
            let missing = || ApiError::new("MissingParameter", format!("the {name} header is missing"));
            if value.is_empty() { Err(missing()) } else { Ok(value) }
        };
        let (action, version) = (needed("X-TC-Action")?, needed("X-TC-Version")?);
        let Self { method, path, query, headers, body } = self;
        let signed = Signed { method, path, query, headers, body };
        let account = signed.verify(inner.wall(), |secret_id| inner.state.key(secret_id))?.to_owned();
        inner.amend(sequence, |record| record.account = Some(account.clone()));
        let service = Service::of_version(version)
            .ok_or_else(|| ApiError::new("NoSuchVersion", format!("the version {version} does not exist")))?;
        let action = Action::find(service, action)
            .ok_or_else(|| ApiError::new("InvalidAction", format!("the action {action} does not exist")))?;
        let parameters = self.parameters(action)?;
        let text = Value::Object(parameters.clone());
        let written = text.to_string();
        inner.amend(sequence, |record| record.parameters = text);
        let now = clock::monotonic();
        let per_second = inner.state.settings(&account).map_or(0, |settings| settings.rate_limit_per_second);
        if !inner.limiter.admit(&account, action.name, per_second, now) {
            let message = format!("{} may be called {per_second} times a second", action.name);
            return Err(ApiError::new("RequestLimitExceeded", message));
        }
        let plan = inner.faults.plan(&account, action.name, &written, now);
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
    spoilt: Option<Spoilt>,
    null_fields: &[String],
) -> Reply {
    let result = match &spoilt {
        Some(Spoilt::Error(error)) => Err(error.clone()),
        _ => result,
    };
    let outcome = match (&spoilt, &result) {
        (Some(Spoilt::Drop), _) => "dropped".to_owned(),
        (Some(Spoilt::Garbage), _) => "garbage".to_owned(),
        (Some(Spoilt::HttpStatus(status)), _) => format!("http {status}"),
        (_, Ok(_)) => "ok".to_owned(),
        (_, Err(error)) => error.code.clone(),
    };
    shared.lock().amend(sequence, |record| record.outcome = outcome);
    match spoilt {
        Some(Spoilt::Drop) => Reply::Drop,
        Some(Spoilt::Garbage) => Reply::Body(200, "{\"Response\": {\"Req".to_owned()),
        Some(Spoilt::HttpStatus(status)) => Reply::Body(status, "<html><body>gateway</body></html>".to_owned()),
        Some(Spoilt::Error(_)) | None => Reply::Body(200, body(result, request_id, null_fields)),
    }
}

fn body(result: Result<Value, ApiError>, request_id: &str, null_fields: &[String]) -> String {
    let mut response = match result {
        Ok(fields) => fields,
        Err(error) => json!({ "Error": { "Code": error.code, "Message": error.message } }),
    };
    nullify(&mut response, null_fields);
    if let Value::Object(fields) = &mut response {
        fields.insert("RequestId".to_owned(), Value::String(request_id.to_owned()));
    }
    json!({ "Response": response }).to_string()
}

fn nullify(value: &mut Value, names: &[String]) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if names.contains(name) {
                    *inner = Value::Null;
                } else {
                    nullify(inner, names);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| nullify(inner, names)),
        _ => {}
    }
}
