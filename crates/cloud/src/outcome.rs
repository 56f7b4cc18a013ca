//! The outcome of a paid call: Committed, Rejected, Unknown or PaidNotDelivered. There is no "failed".

use std::sync::Arc;

use crate::error::{CallError, Category, family};

/// Asked after signing and immediately before a paid request leaves; `Err(reason)` keeps it from being sent.
pub type BeforeSend = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is known of a paid call once it is over.
#[derive(Debug)]
pub enum Outcome<T> {
    /// The cloud says it is done and paid (or accepted and paid, delivery to follow).
    Committed(T),
    /// Proven not executed: a code of the allow-list, or a failure before the request was sent.
    Rejected(CallError),
    /// Anything else: the money may be spent. This is never a failure.
    Unknown(CallError),
    /// Paid and not delivered (`FailedOperation.PaySuccDeliverFailed`): never buy again.
    PaidNotDelivered(CallError),
}

impl<T> Outcome<T> {
    /// The category of the error, for reasons and labels. None when committed.
    pub fn category(&self) -> Option<Category> {
        match self {
            Self::Committed(_) => None,
            Self::Rejected(error) | Self::Unknown(error) | Self::PaidNotDelivered(error) => Some(error.category()),
        }
    }
}

/// How far a paid call came when it failed.
#[derive(Debug)]
pub enum PaidFailure {
    /// Nothing of it left: the client held it back, or no connection was made.
    NotSent(CallError),
    /// The cloud answered in its own shape: HTTP 200, an error code, a RequestId.
    Answered(CallError),
    /// It may have arrived, and no answer of the cloud says so.
    NoVerdict(CallError),
}

/// The outcome of a paid call.
pub fn classify<T>(result: Result<T, PaidFailure>) -> Outcome<T> {
    match result {
        Ok(receipt) => Outcome::Committed(receipt),
        Err(PaidFailure::NotSent(error)) => Outcome::Rejected(error),
        Err(PaidFailure::NoVerdict(error)) => Outcome::Unknown(error),
        Err(PaidFailure::Answered(error)) => match error.code() {
            Some("FailedOperation.PaySuccDeliverFailed") => Outcome::PaidNotDelivered(error),
            Some(code) if proves_nothing_was_executed(code) => Outcome::Rejected(error),
            _ => Outcome::Unknown(error),
        },
    }
}

/// Whether an error code proves that no money moved. Closed list: any other code, known or not, proves nothing.
///
/// Left out on purpose, because nothing published says at which stage they arise, or because money may have moved:
/// `FailedOperation` (bare), `FailedOperation.PayPriceError` ("Payment failed. Please contact Tencent Cloud"),
/// `FailedOperation.InvalidDeal` ("Only unpaid orders support payment": it may be paid already),
/// `FailedOperation.NeedPayTogether` (an order exists), `OperationDenied*`, `ResourceNotFound*`, `InternalError*`
/// ("undefined exception", "gateway error"), and everything that is not listed.
pub fn proves_nothing_was_executed(code: &str) -> bool {
    let before_the_action = match family(code) {
        // Common codes of API 3.0: the signature is checked before anything else.
        "AuthFailure" => true,
        // Common code, and `billing` (CamNoAuth "does not have CAM permission", NotCertification "has not been
        // real-name authenticated, and payment failed", CertificationNeedUpgrade): the caller may not buy.
        "UnauthorizedOperation" => true,
        // Common codes: the request is refused as it stands. With ResourceLocked: held by another operation.
        "InvalidParameter" | "InvalidParameterValue" | "MissingParameter" | "UnknownParameter" => true,
        // Common codes: there is no such action or version to execute.
        "InvalidAction" | "NoSuchVersion" => true,
        // Common code, and `billing` ("This act is not currently supported"): the product is not sold by API.
        "UnsupportedOperation" => true,
        // Common codes: throttled before the action.
        "RequestLimitExceeded" => true,
        _ => false,
    };
    before_the_action
        || matches!(
            code,
            // `billing`: "The account balance is insufficient."
            "FailedOperation.BalanceInsufficient"
            // `billing`: "The quantity exceeds the maximum limit."
            | "FailedOperation.NumLimitError"
            // `billing`: "Since parameter issue, result in price inquiry failure.": no order without a price.
            | "FailedOperation.GetPriceParamError"
            // `billing`: "Order placement allowlist interception.": no order was placed.
            | "FailedOperation.dealCreateWhitelistError"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str) -> Outcome<()> {
        classify(Err(PaidFailure::Answered(CallError::of_code("CreateInstance", code, "m"))))
    }

    #[test]
    fn only_listed_codes_prove_that_nothing_was_executed() {
        for code in [
            "AuthFailure",
            "AuthFailure.SignatureExpire",
            "AuthFailure.SecretIdNotFound",
            "UnauthorizedOperation.CamNoAuth",
            "UnauthorizedOperation.NotCertification",
            "InvalidParameter",
            "InvalidParameter.ResourceLocked",
            "InvalidParameterValue",
            "MissingParameter",
            "UnknownParameter",
            "InvalidAction",
            "NoSuchVersion",
            "UnsupportedOperation",
            "UnsupportedOperation.NOT_SUPPORT_THIS_ACTION",
            "RequestLimitExceeded",
            "RequestLimitExceeded.UinLimitExceeded",
            "FailedOperation.BalanceInsufficient",
            "FailedOperation.NumLimitError",
            "FailedOperation.GetPriceParamError",
            "FailedOperation.dealCreateWhitelistError",
        ] {
            assert!(matches!(answered(code), Outcome::Rejected(_)), "{code}");
        }
    }

    #[test]
    fn every_other_code_leaves_the_outcome_unknown() {
        for code in [
            "",
            "FailedOperation",
            "FailedOperation.PayPriceError",
            "FailedOperation.InvalidDeal",
            "FailedOperation.NeedPayTogether",
            "FailedOperation.ProcessTimeout",
            "FailedOperation.BalanceInsufficient.More",
            "FailedOperation.AgentPayDealCannotDown",
            "OperationDenied",
            "InternalError",
            "InternalError.GatewayError",
            "InternalError.UnknownError",
            "ResourceNotFound",
            "ResourceInsufficient",
            "LimitExceeded",
            "InvalidParameters",
            "invalidparameter",
            "SomethingNew.AuthFailure",
        ] {
            assert!(matches!(answered(code), Outcome::Unknown(_)), "{code}");
        }
    }

    #[test]
    fn paid_and_not_delivered_is_an_outcome_of_its_own() {
        let outcome = answered("FailedOperation.PaySuccDeliverFailed");
        assert!(matches!(outcome, Outcome::PaidNotDelivered(_)));
        assert_eq!(outcome.category(), Some(Category::PaidNotDelivered));
    }

    #[test]
    fn a_listed_code_proves_nothing_when_it_is_not_the_clouds_own_answer() {
        let error = CallError::of_code("CreateInstance", "InvalidParameter", "m");
        assert!(matches!(classify::<()>(Err(PaidFailure::NoVerdict(error))), Outcome::Unknown(_)));
    }

    #[test]
    fn a_locked_instance_is_rejected_and_says_so() {
        let outcome = answered("InvalidParameter.ResourceLocked");
        assert!(matches!(outcome, Outcome::Rejected(_)));
        assert_eq!(outcome.category(), Some(Category::Locked));
    }
}
