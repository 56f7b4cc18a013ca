//! What the cloud's answer to a paid call means for the order.

use carpack_cloud::port::Receipt;
use carpack_cloud::{CallError, Category};
use carpack_core::order::Outcome;

use crate::runtime::reason::reason_of;

/// The outcome as orders record it.
pub(super) fn translate(outcome: carpack_cloud::Outcome<Receipt>) -> Outcome {
    let words = |error: &CallError| error.to_string();
    match outcome {
        carpack_cloud::Outcome::Committed(receipt) => Outcome::Committed {
            order_ids: receipt.order_ids,
            instance_ids: receipt.instance_ids,
            request_id: Some(receipt.request_id).filter(|id| !id.is_empty()),
        },
        carpack_cloud::Outcome::Rejected(error) => Outcome::Rejected {
            category: reason_of(error.category()),
            message: words(&error),
            may_pass: may_pass(error.category()),
        },
        carpack_cloud::Outcome::Unknown(error) => {
            Outcome::Unknown { category: reason_of(error.category()), message: words(&error) }
        }
        carpack_cloud::Outcome::PaidNotDelivered(error) => Outcome::PaidNotDelivered { message: words(&error) },
    }
}

/// The outcome in words, for the log: all that a person needs to record it by hand.
pub(super) fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Committed { order_ids, instance_ids, request_id } => format!(
            "Committed: orders [{}], instances [{}], request {}",
            order_ids.join(", "),
            instance_ids.join(", "),
            request_id.as_deref().unwrap_or("unknown")
        ),
        Outcome::Rejected { category, message, may_pass: true } => {
            format!("Rejected for now ({category}): {message}")
        }
        Outcome::Rejected { category, message, may_pass: false } => format!("Rejected ({category}): {message}"),
        Outcome::Unknown { category, message } => format!("Unknown ({category}): {message}"),
        Outcome::PaidNotDelivered { message } => format!("PaidNotDelivered: {message}"),
    }
}

/// Whether the same call may succeed later, once it is proven that this one was not executed.
fn may_pass(category: Category) -> bool {
    match category {
        Category::BalanceInsufficient
        | Category::RateLimited
        | Category::WrongCredentials
        | Category::ClockSkew
        | Category::NotSignedUp
        | Category::NotApproved
        | Category::PermissionDenied
        | Category::Unreachable
        | Category::HeldBack
        | Category::Locked
        | Category::CloudInternal => true,
        Category::InvalidRequest
        | Category::Unsupported
        | Category::NotFound
        | Category::PaidNotDelivered
        | Category::NoAnswer
        | Category::Garbled
        | Category::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_could_not_be_recorded_is_in_the_log_with_all_its_ids() {
        let outcome = Outcome::Committed {
            order_ids: vec!["o-1".to_owned()],
            instance_ids: vec!["i-1".to_owned(), "i-2".to_owned()],
            request_id: Some("r-1".to_owned()),
        };
        assert_eq!(in_words(&outcome), "Committed: orders [o-1], instances [i-1, i-2], request r-1");
    }
}
