//! Answers to requests.

use http::StatusCode;
use serde_json::json;

use crate::resource::Key;

/// The answer to a request: a status and JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// JSON text.
    pub body: Vec<u8>,
}

/// Why a request is refused. Status and reason are those of the real server; the messages are not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0} not found")]
    NotFound(Key),
    #[error("{0} already exists")]
    AlreadyExists(Key),
    #[error("{key}: {why}")]
    Conflict { key: Key, why: &'static str },
    #[error("{0} is invalid: {1}")]
    Invalid(Key, &'static str),
    #[error("{0}")]
    BadRequest(String),
    #[error("the server could not find the requested resource")]
    NoSuchPath,
    #[error("the server does not allow this method on the requested resource")]
    MethodNotAllowed,
}

impl Refusal {
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound(_) | Self::NoSuchPath => (StatusCode::NOT_FOUND, "NotFound"),
            Self::AlreadyExists(_) => (StatusCode::CONFLICT, "AlreadyExists"),
            Self::Conflict { .. } => (StatusCode::CONFLICT, "Conflict"),
            Self::Invalid(..) => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }
}

impl Answer {
    /// Status 200 with this body.
    pub(crate) fn ok(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body }
    }

    /// Status 201 with this body.
    pub(crate) fn created(body: Vec<u8>) -> Self {
        Self { status: StatusCode::CREATED, body }
    }

    /// The object was removed.
    pub(crate) fn gone() -> Self {
        Self::ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}).to_string().into())
    }

    /// A failure with a status and a reason as the real server has them, such as 503 and `ServiceUnavailable`.
    pub fn failure(status: StatusCode, reason: &str, message: &str) -> Self {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "code": status.as_u16(),
        });
        Self { status, body: body.to_string().into() }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let (status, reason) = refusal.kind();
        Self::failure(status, reason, &refusal.to_string())
    }
}
