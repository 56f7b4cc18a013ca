//! The ladder of modes: the lowest of installation, account and pack counts.
//!
//! Rule 12 of docs/money.md, which names the tests that fail without it.

use carpack_api::{ConcurrencyPack, Mode, Reason};

use super::{Case, Obstacle};
use crate::account::Account;

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
