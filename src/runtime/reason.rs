//! The reasons for what the cloud refuses.

use carpack_api::Reason;
use carpack_cloud::Category;

/// The reason for a category of the cloud's errors.
pub const fn reason_of(category: Category) -> Reason {
    match category {
        Category::WrongCredentials => Reason::WrongCredentials,
        Category::ClockSkew => Reason::ClockSkew,
        Category::NotSignedUp => Reason::NotSignedUp,
        Category::NotApproved => Reason::NotApproved,
        Category::PermissionDenied => Reason::PermissionDenied,
        Category::BalanceInsufficient => Reason::BalanceInsufficient,
        Category::RateLimited => Reason::RateLimited,
        Category::InvalidRequest => Reason::InvalidRequest,
        Category::Unsupported => Reason::Unsupported,
        Category::NotFound => Reason::NotFound,
        Category::Locked => Reason::Locked,
        Category::PaidNotDelivered => Reason::PaidNotDelivered,
        Category::CloudInternal => Reason::CloudInternal,
        Category::Unreachable => Reason::Unreachable,
        Category::NoAnswer => Reason::NoAnswer,
        Category::Garbled => Reason::Garbled,
        Category::HeldBack => Reason::HeldBack,
        Category::Other => Reason::Other,
    }
}
