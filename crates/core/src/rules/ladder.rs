//! The ladder of modes: the lowest of installation, account and pack counts.
//!
//! Rule 12 of docs/money.md, which names the tests that fail without it.

use carpack_api::order::OrderAction;
use carpack_api::{BillingMode, ConcurrencyPack, Mode, Reason};

use super::case::Case;
use super::obstacle::Obstacle;
use crate::account::Account;
use crate::facts::ledger::newest;

/// What a missing account means for the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingAccount {
    /// It holds nothing back: other rules say that it is missing, and a pack that is deleted is let go with that reason.
    AllowsAll,
    /// Nothing is spent from it.
    AllowsNothing,
}

/// The step of the ladder that counts.
pub(crate) fn lowest(
    installation: Mode,
    account: Option<&Account>,
    pack: Option<&ConcurrencyPack>,
    missing: MissingAccount,
) -> Mode {
    let without = match missing {
        MissingAccount::AllowsAll => Mode::Automatic,
        MissingAccount::AllowsNothing => Mode::Observe,
    };
    let account = account.map_or(without, |account| account.spec.mode);
    let pack = pack.map_or(Mode::Automatic, |pack| pack.spec.mode);
    installation.min(account).min(pack)
}

/// The mode lets carpack act, and not only say what it would do.
pub(crate) fn mode_allows_action(case: &Case<'_>) -> Result<(), Obstacle> {
    match case.mode {
        Mode::Observe | Mode::DryRun => {
            Err(Obstacle::wait(Reason::HeldByMode, format!("held back: the mode is {}", case.mode)))
        }
        Mode::ApprovalRequired | Mode::Automatic => Ok(()),
    }
}

/// The cloud's own renewal may be switched on, which lets the cloud spend: only for Monthly packs, and below Automatic only where a person
/// has approved it with the purchase.
pub(crate) fn auto_renew_is_allowed(case: &Case<'_>) -> Result<(), Obstacle> {
    let uid = case.pack.and_then(|pack| pack.metadata.uid.as_deref());
    let purchases = case.orders.iter().copied();
    let purchases =
        purchases.filter(|o| o.spec.action == OrderAction::Buy && Some(o.spec.pack_ref.uid.as_str()) == uid);
    let is_approved = || newest(purchases).is_some_and(|order| order.spec.terms.auto_renew);
    if case.billing_mode == BillingMode::Monthly && (case.mode == Mode::Automatic || is_approved()) {
        return Ok(());
    }
    let message = "switching the cloud's own renewal on lets the cloud spend, and the mode asks for approval: switch it on in the console, or raise the mode to Automatic";
    Err(Obstacle::wait(Reason::AutoRenewNotAllowed, message))
}
