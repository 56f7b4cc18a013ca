//! What errors of the cloud say about an account, with the way out.

use carpack_api::Reason;
use carpack_cloud::error::ReadDenial;
use carpack_cloud::port::Balance;
use carpack_cloud::{CallError, Category};
use carpack_core::account::Health;

use crate::runtime::reason::reason_of;

/// Checks that a key belongs to the cloud account that the CarAccount has stood for so far. The lists of another cloud account
/// would "prove" that nothing was bought. A new key is used only when it is known whose it is. A key that may not read the
/// balance cannot be checked, and is used.
///
/// # Errors
/// When the key belongs to another cloud account, or when that is not known yet: as the account's health.
pub fn check_owner(known: &str, balance: &Result<Balance, CallError>, key_is_new: bool) -> Result<(), Health> {
    match balance {
        Ok(Balance { uin: Some(uin), .. }) if uin != known => {
            let message = format!(
                "the key in the account's Secret belongs to cloud account {uin}, and all that is recorded here is of {known}: put a key of {known} into the Secret, and create another CarAccount for {uin}"
            );
            Err(Health::NotReady { reason: Reason::OtherCloudAccount, message })
        }
        Err(error) if key_is_new && error.is_retryable() => Err(health(error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What an error of a sweep says about the account, with the way out.
pub fn health(error: &CallError) -> Health {
    let (reason, way_out) = match error.read_denial() {
        // This is assumed: hence the second way out.
        Some(ReadDenial::NotSignedUp) => (
            Reason::NotSignedUp,
            "sign up for Cloud Application Rendering in the cloud's console; if that is done, ask the cloud's support why it denies this call",
        ),
        Some(ReadDenial::NotApproved) => (
            Reason::NotApproved,
            "have the account approved for Cloud Application Rendering in the cloud's console; if it is, grant the key this action",
        ),
        None => way_out(error.category()),
    };
    // Without the id of the request: it would make every failure a new health, and every object be written at every sweep.
    let what = match error.code() {
        Some(code) => format!("{} is answered {code}: {}", error.action(), error.message()),
        None => format!("{}: {}", error.action(), error.message()),
    };
    Health::NotReady { reason, message: format!("{what}: {way_out}") }
}

/// The reason for a category of error, and the way out.
fn way_out(category: Category) -> (Reason, &'static str) {
    match category {
        Category::WrongCredentials => (Reason::WrongCredentials, "put a valid key into the account's Secret"),
        Category::ClockSkew => {
            (Reason::ClockSkew, "set this machine's clock: the cloud refuses signatures more than 5 minutes off")
        }
        Category::NotSignedUp => {
            (Reason::NotSignedUp, "sign up for Cloud Application Rendering in the cloud's console")
        }
        Category::NotApproved => {
            (Reason::NotApproved, "have the account approved for Cloud Application Rendering in the cloud's console")
        }
        Category::PermissionDenied => {
            (Reason::PermissionDenied, "grant the key the actions of car and billing that the operator calls")
        }
        Category::Unsupported => (
            Reason::Unsupported,
            "this account or site does not offer Cloud Application Rendering: check site and endpoint",
        ),
        Category::Unreachable | Category::NoAnswer => {
            (Reason::CloudUnreachable, "check the way to the cloud's endpoint; it is tried again")
        }
        Category::RateLimited => {
            (Reason::RateLimited, "somebody else uses up the account's rate limit; it is tried again")
        }
        Category::CloudInternal => (Reason::CloudInternal, "the cloud fails inside; it is tried again"),
        Category::Garbled => (Reason::Garbled, "the answer cannot be read: check site and endpoint"),
        Category::BalanceInsufficient
        | Category::InvalidRequest
        | Category::NotFound
        | Category::Locked
        | Category::PaidNotDelivered
        | Category::HeldBack
        | Category::Other => (reason_of(category), "it is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uin: Option<&str>) -> Result<Balance, CallError> {
        Ok(Balance { cents: 1, uin: uin.map(str::to_owned) })
    }

    fn failed(category: Category) -> Result<Balance, CallError> {
        Err(CallError::new("DescribeAccountBalance", category, "no"))
    }

    fn reason(health: Result<(), Health>) -> Option<Reason> {
        match health {
            Err(Health::NotReady { reason, .. }) => Some(reason),
            Ok(()) | Err(Health::Ready) => None,
        }
    }

    #[test]
    fn a_key_of_another_cloud_account_is_not_used() {
        for key_is_new in [true, false] {
            assert_eq!(reason(check_owner("1", &of(Some("2")), key_is_new)), Some(Reason::OtherCloudAccount));
            assert_eq!(check_owner("1", &of(Some("1")), key_is_new), Ok(()));
            assert_eq!(check_owner("1", &of(None), key_is_new), Ok(()), "the answer does not say");
        }
    }

    #[test]
    fn a_key_that_is_new_is_used_once_it_was_asked_whose_it_is() {
        assert_eq!(reason(check_owner("1", &failed(Category::NoAnswer), true)), Some(Reason::CloudUnreachable));
        assert_eq!(check_owner("1", &failed(Category::NoAnswer), false), Ok(()), "known by now");
        assert_eq!(check_owner("1", &failed(Category::PermissionDenied), true), Ok(()), "it may never be told");
    }
}
