//! Errors: those that the simulated cloud answers, and failures of the simulator itself.

/// An error as the cloud answers it: a documented code and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// A code of the public documents, such as `FailedOperation.BalanceInsufficient`.
    pub code: String,
    /// The message for people.
    pub message: String,
}

impl ApiError {
    /// An error with this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// `InvalidParameterValue`: the type is right, the value is not.
    pub fn value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }
}

/// A failure of the simulator itself, or bad input to its control interface.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The configuration, or a control request, makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// What was named does not exist.
    #[error("there is no {kind} {id:?}")]
    NotFound {
        /// What kind of thing.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// The simulated cloud refused an action of the console.
    #[error(transparent)]
    Refused(#[from] ApiError),
}
