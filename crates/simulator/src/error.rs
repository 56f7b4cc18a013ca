//! What can go wrong: an answer of the simulated cloud, and a failure of the simulator itself.

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
    /// An answer with this code and message.
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
        /// The address asked for.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The configuration, or a control request, makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The thing named does not exist.
    #[error("there is no {kind} {id:?}")]
    NotFound {
        /// What kind of thing was asked for.
        kind: &'static str,
        /// Its name.
        id: String,
    },
    /// The simulated cloud refused an act of the console.
    #[error(transparent)]
    Refused(#[from] ApiError),
}
