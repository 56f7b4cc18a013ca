//! What can go wrong: an error that the simulated cloud answers, and a failure of the simulator itself.

/// An error as the cloud answers it: a documented code and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// A code of the public documents, such as `FailedOperation.BalanceInsufficient`.
    pub code: String,
    /// The text beside the code.
    pub message: String,
}

impl ApiError {
    /// An error with this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// `InvalidParameterValue`: the parameter has the right type and a wrong value.
    pub fn value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }
}

/// A failure of the simulator itself, or wrong input to its control interface.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The simulator cannot listen on the address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The configuration or a control request is not valid.
    #[error("{0}")]
    Invalid(String),
    /// What the request names does not exist.
    #[error("there is no {kind} {id:?}")]
    NotFound {
        /// What kind of object was asked for.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// The simulated cloud refused what a person did in the console.
    #[error(transparent)]
    Refused(#[from] ApiError),
}
