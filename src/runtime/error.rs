//! Errors of the operator's steps.

use std::time::Duration;

use super::reason::reason_of;

/// A step that failed. The object is reconciled again: no error here is final.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Somebody else wrote the object in between. This is normal.
    #[error("{step}: the object has changed in between")]
    Conflict {
        /// What was tried.
        step: &'static str,
    },
    /// The API server did not answer.
    #[error("{step}: no answer from the API server in {} s", after.as_secs())]
    Timeout {
        /// What was tried.
        step: &'static str,
        /// After how long.
        after: Duration,
    },
    /// The API server refused, or could not be reached.
    #[error("{step}: {}", words(source))]
    Kubernetes {
        /// What was tried.
        step: &'static str,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// The cloud refused, or could not be reached.
    #[error("{step}: {source}")]
    Cloud {
        /// What was tried.
        step: &'static str,
        /// Why not.
        #[source]
        source: Box<carpack_cloud::CallError>,
    },
    /// An object with the name of one of ours belongs to something else.
    #[error("{what}: it is left alone, and a person has to look")]
    NotOurs {
        /// Which object, and whose it is.
        what: String,
    },
    /// The object is there and cannot be read: another version wrote it, or somebody has spoilt it.
    #[error("{step}: {object} cannot be read: {error}")]
    Unreadable {
        /// What was tried.
        step: &'static str,
        /// Which object.
        object: String,
        /// What the parser says.
        error: String,
    },
    /// The object lacks a field that the API server always sets.
    #[error("{step}: the object has no {part}")]
    Incomplete {
        /// What was tried.
        step: &'static str,
        /// What is missing.
        part: &'static str,
    },
}

impl StepError {
    /// The category, from a closed set: for logs and metrics.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "Conflict",
            Self::Timeout { .. } => "ApiServerTimeout",
            Self::Kubernetes { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.code == 403 => "ApiServerForbidden",
                kube::Error::Api(status) if status.code == 404 => "ApiServerNotFound",
                kube::Error::Api(_) => "ApiServerRefused",
                _ => "ApiServerUnreachable",
            },
            Self::Cloud { source, .. } => reason_of(source.category()).as_str(),
            Self::NotOurs { .. } => "NotOurs",
            Self::Unreadable { .. } => "Unreadable",
            Self::Incomplete { .. } => "Incomplete",
        }
    }
}

/// What the API server says, in its own words; of any other error what it says of itself.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("the API server answers {}", status.code),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_refusal_of_the_api_server_is_told_in_its_words_without_debug_text() {
        let refusal = |status: Status| StepError::Kubernetes {
            step: "reading the order",
            source: Box::new(kube::Error::Api(Box::new(status))),
        };
        let forbidden =
            Status::failure("packorders is forbidden: User x cannot get resource", "Forbidden").with_code(403);
        assert_eq!(
            refusal(forbidden).to_string(),
            "reading the order: packorders is forbidden: User x cannot get resource"
        );
        assert_eq!(
            refusal(Status::failure("", "").with_code(503)).to_string(),
            "reading the order: the API server answers 503"
        );
    }
}
