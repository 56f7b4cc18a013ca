//! Errors of calls, in a closed set of categories.

use std::error::Error;
use std::fmt;

/// Why a call failed: a closed set. Its names are event reasons and metric labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// The key, its signature or its temporary token is refused.
    WrongCredentials,
    /// The cloud's clock and ours differ too much for a signature to be accepted.
    ClockSkew,
    /// The account has not signed up for CAR.
    NotSignedUp,
    /// The account has signed up and is not approved yet.
    NotApproved,
    /// The key may not call this action.
    PermissionDenied,
    /// The balance does not suffice.
    BalanceInsufficient,
    /// Too many calls.
    RateLimited,
    /// The cloud refuses the request as it is; repeating it unchanged is of no use.
    InvalidRequest,
    /// The product or action is not offered to this account.
    Unsupported,
    /// What the call names does not exist.
    NotFound,
    /// What the call names is locked by another operation.
    Locked,
    /// Paid, and not delivered.
    PaidNotDelivered,
    /// The cloud failed inside.
    CloudInternal,
    /// No connection was made.
    Unreachable,
    /// No answer in time, or a broken one.
    NoAnswer,
    /// An answer we cannot read.
    Garbled,
    /// We held the call back before it was sent.
    HeldBack,
    /// A code we do not know.
    Other,
}

impl Category {
    /// PascalCase name: an event reason and a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongCredentials => "WrongCredentials",
            Self::ClockSkew => "ClockSkew",
            Self::NotSignedUp => "NotSignedUp",
            Self::NotApproved => "NotApproved",
            Self::PermissionDenied => "PermissionDenied",
            Self::BalanceInsufficient => "BalanceInsufficient",
            Self::RateLimited => "RateLimited",
            Self::InvalidRequest => "InvalidRequest",
            Self::Unsupported => "Unsupported",
            Self::NotFound => "NotFound",
            Self::Locked => "Locked",
            Self::PaidNotDelivered => "PaidNotDelivered",
            Self::CloudInternal => "CloudInternal",
            Self::Unreachable => "Unreachable",
            Self::NoAnswer => "NoAnswer",
            Self::Garbled => "Garbled",
            Self::HeldBack => "HeldBack",
            Self::Other => "Other",
        }
    }

    /// The category of an error code of API 3.0: the common codes, and those the SDKs list for `car` and `billing`.
    ///
    /// No document says what an account that has not signed up for CAR is answered with, so no code leads to
    /// [`Category::NotSignedUp`] yet.
    pub fn of_code(code: &str) -> Self {
        let exact = match code {
            "AuthFailure.SignatureExpire" => Some(Self::ClockSkew),
            "AuthFailure.UnauthorizedOperation" => Some(Self::PermissionDenied),
            "UnauthorizedOperation.NotCertification"
            | "UnauthorizedOperation.CertificationNeedUpgrade"
            | "FailedOperation.dealCreateWhitelistError" => Some(Self::NotApproved),
            "FailedOperation.BalanceInsufficient" => Some(Self::BalanceInsufficient),
            "FailedOperation.PaySuccDeliverFailed" => Some(Self::PaidNotDelivered),
            "FailedOperation.SlowDown" => Some(Self::RateLimited),
            "FailedOperation.NumLimitError" | "FailedOperation.GetPriceParamError" | "OperationDenied" => {
                Some(Self::InvalidRequest)
            }
            "FailedOperation.ApplicationNotFind" => Some(Self::NotFound),
            "FailedOperation.ApplicationLockFail"
            | "FailedOperation.VersionLockFail"
            | "InvalidParameter.ResourceLocked" => Some(Self::Locked),
            "FailedOperation.ProcessTimeout" => Some(Self::CloudInternal),
            _ => None,
        };
        exact.unwrap_or_else(|| match family(code) {
            "AuthFailure" => Self::WrongCredentials,
            "UnauthorizedOperation" => Self::PermissionDenied,
            "RequestLimitExceeded" => Self::RateLimited,
            "InvalidParameter" | "InvalidParameterValue" | "MissingParameter" | "UnknownParameter" => {
                Self::InvalidRequest
            }
            "InvalidAction" | "NoSuchVersion" | "UnsupportedOperation" => Self::Unsupported,
            "ResourceNotFound" => Self::NotFound,
            "InternalError" | "ResourceUnavailable" => Self::CloudInternal,
            _ => Self::Other,
        })
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the cloud seems to deny a read: see [`CallError::read_denial`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadDenial {
    /// The account has not signed up for CAR.
    NotSignedUp,
    /// The account has signed up and is not approved yet.
    NotApproved,
}

/// The part of a code before its first dot.
pub(crate) fn family(code: &str) -> &str {
    code.split_once('.').map_or(code, |(family, _)| family)
}

/// A failed call: which, why, and what the cloud said.
#[derive(Debug, thiserror::Error)]
pub struct CallError {
    action: String,
    category: Category,
    code: Option<Box<str>>,
    message: String,
    request_id: Option<Box<str>>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Characters of a text that are kept. The rest is cut off and replaced by `...`.
const LONGEST: usize = 500;

impl CallError {
    /// An error that the client found itself. `message` is lower-case and never holds a secret. It is put on one line and cut
    /// after 500 characters, as all texts of an error are.
    pub fn new(action: impl Into<String>, category: Category, message: impl AsRef<str>) -> Self {
        Self {
            action: action.into(),
            category,
            code: None,
            message: one_line(message.as_ref()),
            request_id: None,
            source: None,
        }
    }

    /// An error code of the cloud, with its message. The category follows from the code.
    pub fn of_code(action: impl Into<String>, code: impl AsRef<str>, message: impl AsRef<str>) -> Self {
        let code = one_line(code.as_ref());
        let category = Category::of_code(&code);
        Self { code: Some(code.into()), ..Self::new(action, category, message) }
    }

    /// With the RequestId of the answer.
    pub fn with_request_id(self, request_id: impl AsRef<str>) -> Self {
        Self { request_id: Some(one_line(request_id.as_ref()).into()), ..self }
    }

    /// With the error underneath.
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The action, as the cloud calls it.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Why, from a closed set.
    pub fn category(&self) -> Category {
        self.category
    }

    /// The cloud's own code, when it answered with one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The message of the cloud or of the client: one line, cut after 500 characters.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The RequestId of the answer, when there was one: what the cloud's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// What the refusal of a read says about the account, when its code says more than its category. No document says so: it is
    /// ASSUMED. A read has no terms that could be denied, and a key without the right gets other codes than these two.
    pub fn read_denial(&self) -> Option<ReadDenial> {
        match self.code()? {
            "OperationDenied" => Some(ReadDenial::NotSignedUp),
            "UnauthorizedOperation" => Some(ReadDenial::NotApproved),
            _ => None,
        }
    }

    /// True when the same read may succeed if it is repeated soon. Says nothing about paid calls: those are never repeated.
    pub fn is_retryable(&self) -> bool {
        match self.category {
            Category::Unreachable | Category::NoAnswer | Category::RateLimited | Category::CloudInternal => true,
            Category::WrongCredentials
            | Category::ClockSkew
            | Category::NotSignedUp
            | Category::NotApproved
            | Category::PermissionDenied
            | Category::BalanceInsufficient
            | Category::InvalidRequest
            | Category::Unsupported
            | Category::NotFound
            | Category::Locked
            | Category::PaidNotDelivered
            | Category::Garbled
            | Category::HeldBack
            | Category::Other => false,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "calling {}: ", self.action)?;
        match &self.code {
            Some(code) => write!(f, "the cloud answers {code}: {}", self.message)?,
            None => f.write_str(&self.message)?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

/// One line of at most [`LONGEST`] characters: a text from outside must not break a log.
fn one_line(text: &str) -> String {
    let clean = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    let mut line = clean.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push_str("...");
    }
    line
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A part of the key cannot be used.
    #[error("the account's {part} {reason}")]
    Credentials {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The address cannot be used. It is not repeated: it may hold a password.
    #[error("the account's endpoint {reason}")]
    Endpoint {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// TLS cannot be set up: mostly, no root certificates were found.
    #[error("tls cannot be set up: is there a bundle of root certificates?")]
    Tls(#[source] rustls::Error),
    /// The HTTP client cannot be set up.
    #[error("the http client cannot be set up")]
    Http(#[source] reqwest::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fall_into_their_categories() {
        for (code, category) in [
            ("AuthFailure", Category::WrongCredentials),
            ("AuthFailure.SecretIdNotFound", Category::WrongCredentials),
            ("AuthFailure.SignatureFailure", Category::WrongCredentials),
            ("AuthFailure.TokenFailure", Category::WrongCredentials),
            ("AuthFailure.SignatureExpire", Category::ClockSkew),
            ("AuthFailure.UnauthorizedOperation", Category::PermissionDenied),
            ("UnauthorizedOperation.CamNoAuth", Category::PermissionDenied),
            ("UnauthorizedOperation.NotCertification", Category::NotApproved),
            ("FailedOperation.BalanceInsufficient", Category::BalanceInsufficient),
            ("RequestLimitExceeded", Category::RateLimited),
            ("RequestLimitExceeded.GlobalRegionUinLimitExceeded", Category::RateLimited),
            ("InvalidParameter.ResourceLocked", Category::Locked),
            ("InvalidParameter.ApiParamError", Category::InvalidRequest),
            ("MissingParameter", Category::InvalidRequest),
            ("InvalidAction", Category::Unsupported),
            ("UnsupportedOperation.NOT_SUPPORT_THIS_ACTION", Category::Unsupported),
            ("FailedOperation.PaySuccDeliverFailed", Category::PaidNotDelivered),
            ("InternalError.GatewayError", Category::CloudInternal),
            ("ResourceNotFound.NoIdle", Category::NotFound),
            ("AuthFailureOfAnotherKind", Category::Other),
            ("FailedOperation", Category::Other),
            ("", Category::Other),
        ] {
            assert_eq!(Category::of_code(code), category, "{code}");
        }
    }

    #[test]
    fn two_codes_tell_why_a_read_is_denied() {
        for (code, denial) in [
            ("OperationDenied", Some(ReadDenial::NotSignedUp)),
            ("UnauthorizedOperation", Some(ReadDenial::NotApproved)),
            ("UnauthorizedOperation.CamNoAuth", None),
            ("OperationDenied.Other", None),
            ("AuthFailure", None),
        ] {
            assert_eq!(CallError::of_code("A", code, "m").read_denial(), denial, "{code}");
        }
        assert_eq!(CallError::new("A", Category::NotSignedUp, "m").read_denial(), None);
    }

    #[test]
    fn an_error_reads_as_one_line_with_what_support_asks_for() {
        let error = CallError::of_code("RenewInstance", "InternalError", "try\nagain\u{1b}[31m").with_request_id("r-1");
        assert_eq!(
            error.to_string(),
            "calling RenewInstance: the cloud answers InternalError: try again [31m (request r-1)"
        );
        assert_eq!(CallError::new("A", Category::NoAnswer, "ä".repeat(900)).message().chars().count(), LONGEST + 3);
    }
}
