//! Access to the account: it exists, lets the namespace spend, can be worked with, and sells what is wanted.
//!
//! Rules 12 and 5 of docs/money.md, which names the tests that fail without them.

use carpack_api::Reason;

use super::case::Case;
use super::obstacle::Obstacle;
use crate::account::Health;

/// The CarAccount exists.
pub(crate) fn account_exists(case: &Case<'_>) -> Result<(), Obstacle> {
    match case.account {
        Some(_) => Ok(()),
        None => {
            let (name, namespace) = (case.account_name, case.operator_namespace);
            let message = format!("there is no CarAccount {name} in namespace {namespace}: create it");
            Err(Obstacle::wait(Reason::AccountMissing, message))
        }
    }
}

/// The account lets the pack's namespace spend.
pub(crate) fn namespace_is_granted(case: &Case<'_>) -> Result<(), Obstacle> {
    let namespace = case.namespace;
    match case.account.filter(|account| !account.grants_namespace(namespace)) {
        Some(account) => {
            let name = &account.name;
            let message =
                format!("namespace {namespace} may not spend from account {name}: add it to the account's tenants");
            Err(Obstacle::wait(Reason::NamespaceNotGranted, message))
        }
        None => Ok(()),
    }
}

/// The cloud lets us work with the account.
pub(crate) fn account_is_ready(case: &Case<'_>) -> Result<(), Obstacle> {
    match case.account.map(|account| &account.health) {
        Some(Health::NotReady { reason, message }) => Err(Obstacle::wait(*reason, message.clone())),
        Some(Health::Ready) | None => Ok(()),
    }
}

/// The account can buy packs of this billing mode.
pub(crate) fn billing_mode_is_offered(case: &Case<'_>) -> Result<(), Obstacle> {
    let mode = case.billing_mode;
    match case.account.filter(|account| !account.can_buy(mode)) {
        Some(account) => {
            let name = &account.name;
            let message = format!("account {name} cannot buy {mode} packs: add {mode} to purchase.api.periodUnits");
            Err(Obstacle::wait(Reason::BillingModeNotOffered, message))
        }
        None => Ok(()),
    }
}
