//! What can go wrong in a call, in a closed set of categories.

/// Closed set of reasons: used as event reasons and metric labels.
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
}
