//! The first step of a payment: reads the order, its pack and its siblings from the API server, and decides again.

use std::collections::BTreeSet;
use std::sync::Arc;

use carpack_api::order::PackReference;
use carpack_api::{ConcurrencyPack, PackOrder, Reason};
use carpack_cloud::port::Deadline;
use carpack_core::account::Account;
use carpack_core::facts::commitments::Commitments;
use carpack_core::facts::ledger::is_in_doubt;
use carpack_core::observation::DealList;
use carpack_core::order::{self, Effect, Outcome};
use kube::ResourceExt;
use tokio::time::Instant;

use super::desk::PaidDesk;
use super::dial::PaidClient;
use super::payment::line_of;
use super::request::{self, PaidRequest};
use super::turns::{Turn, Turns};
use crate::account::snapshot::Snapshot;
use crate::operator::reads::{list_orders, read_order, read_pack};
use crate::operator::{Operator, is_sibling};
use crate::runtime::clock::on_the_wall;
use crate::runtime::error::StepError;
use crate::runtime::kubernetes::replace_status;

/// What the first decision was made on, besides the objects. The recheck decides on the same, with the objects read again.
pub struct Evidence {
    /// The newest snapshot of the account.
    pub snapshot: Arc<Snapshot>,
    /// The cloud's order books, if they were read.
    pub deals: Option<DealList>,
}

/// A line that has passed the recheck, with the turns that keep it true. Only [`recheck`] makes one.
pub(super) struct Cleared {
    order: PackOrder,
    call: Call,
    of_pack: Turn,
    of_account: Option<Turn>,
}

impl Cleared {
    /// The order as it was read, its call, the turn of its pack, and the turn of its account if that has limits.
    pub(super) fn into_parts(self) -> (PackOrder, Call, Turn, Option<Turn>) {
        (self.order, self.call, self.of_pack, self.of_account)
    }
}

/// A paid call that is ready to be sent.
pub(super) struct Call {
    /// Index of the line that it is for.
    pub(super) index: i32,
    /// What is asked for.
    pub(super) request: PaidRequest,
    /// Who asks.
    pub(super) client: PaidClient,
    /// How urgent it is.
    pub(super) deadline: Deadline,
}

/// Why a line is not sent.
pub(super) enum NotCleared {
    /// Not now. Nothing is recorded.
    HeldBack(String),
    /// No request can be built. The line is recorded as rejected.
    Rejected,
    /// A read or a write failed.
    Failed(StepError),
}

impl From<StepError> for NotCleared {
    fn from(error: StepError) -> Self {
        Self::Failed(error)
    }
}

fn held(why: &str) -> NotCleared {
    NotCleared::HeldBack(why.to_owned())
}

/// What counts against an account's limits.
struct Counted {
    /// The orders of the pack, at least, as the API server has them.
    orders: Vec<PackOrder>,
    /// The turn of the account. It is held until the intent is written: two orders must not both take the last room.
    turn: Option<Turn>,
    commitments: Commitments,
    /// Names of the orders that could not be read, and so not be counted.
    unreadable: BTreeSet<String>,
}

/// Checks once more whether a line may be sent, one order at a time for each pack.
///
/// *Live*: the order, its pack, and the pack's orders (all orders when the account has limits) are read from the API server.
/// *From the watch*: the account (mode, limits, tenants, prices), the packs whose renewals count against its limits, and the
/// instances that other packs and their orders have recorded. *From the evidence*: what the last sweep and the cloud's order
/// books showed.
///
/// # Errors
/// When the line is not sent: see [`NotCleared`].
pub(super) async fn recheck(
    operator: &Operator,
    desk: &PaidDesk,
    turns: &Turns,
    name: &str,
    index: i32,
    evidence: &Evidence,
) -> Result<Cleared, NotCleared> {
    let Some(live) = read_order(operator, name).await? else { return Err(held("the order is gone")) };
    let account = operator.account(&live.spec.account_ref.name, &evidence.snapshot);
    let of_pack = turns.take(format!("{}/{}", live.spec.pack_ref.namespace, live.spec.pack_ref.name)).await;
    if is_before_last_call(operator, &of_pack, &live, evidence) {
        return Err(held("the last call for the pack was made after the last sweep"));
    }
    let counted = count(operator, turns, account.as_ref(), &live.spec.pack_ref).await?;
    // The wait for a turn may take minutes. A person may have stopped the account meanwhile.
    let before = account.map(|account| account.spec);
    let account = operator.account(&live.spec.account_ref.name, &evidence.snapshot);
    if account.as_ref().map(|account| &account.spec) != before.as_ref() {
        return Err(held("the account was changed while the order waited for its turn"));
    }
    let pack = read_pack(operator, &live.spec.pack_ref).await?;
    if !is_due(operator, &live, index, pack.as_ref(), account.as_ref(), &counted, evidence) {
        return Err(held("the recheck decides that the line is not to be sent now"));
    }
    let (Some(account), Some(line)) = (&account, live.spec.lines.iter().find(|line| line.index == index)) else {
        return Err(held("the account or the line is gone"));
    };
    let request = match request::build(&live, line, account.spec.purchase.api.as_ref()) {
        Ok(request) => request,
        // That the call cannot be repeated says nothing about the call in doubt.
        Err(message) if line_of(&live, index).is_some_and(is_in_doubt) => return Err(NotCleared::HeldBack(message)),
        Err(message) => {
            reject(operator, live, index, message).await?;
            return Err(NotCleared::Rejected);
        }
    };
    if operator.tasks.is_stopping() {
        return Err(held("the operator is stopping"));
    }
    let Some(client) = desk.client(&account.name) else { return Err(held("the account was not swept yet")) };
    operator.guard.check(operator.settings.call_timeout).map_err(NotCleared::HeldBack)?;
    let deadline = line.renews_from.as_ref().or(live.spec.deadline.as_ref()).map_or(operator.clock.now(), |t| t.0);
    let call = Call { index, request, client, deadline: Deadline(deadline) };
    Ok(Cleared { order: live, call, of_pack, of_account: counted.turn })
}

/// True when the sweep in hand began before another order's last call for the pack was over. That order may have been deleted
/// by force, and its record with it: only a newer sweep shows what it bought.
fn is_before_last_call(operator: &Operator, of_pack: &Turn, live: &PackOrder, evidence: &Evidence) -> bool {
    let swept = evidence.snapshot.observation.as_ref().map(|observation| observation.started);
    let over = |at: Instant| on_the_wall(at, operator.clock.now());
    of_pack.as_ref().is_some_and(|(uid, at)| live.uid().as_ref() != Some(uid) && swept <= Some(over(*at)))
}

/// The pack's orders as the API server has them; for an account with limits all orders, and what counts against the limits.
async fn count(
    operator: &Operator,
    turns: &Turns,
    account: Option<&Account>,
    of: &PackReference,
) -> Result<Counted, StepError> {
    let limited = account.filter(|account| account.has_limits());
    let turn = match limited {
        Some(account) => Some(turns.take(account.name.clone()).await),
        None => None,
    };
    let (orders, unreadable) = list_orders(operator, Some(of).filter(|_| limited.is_none())).await?;
    let commitments = limited.map(|account| operator.commitments_of(account, &orders)).unwrap_or_default();
    Ok(Counted { orders, turn, commitments, unreadable })
}

/// True when the decision about what was read is to send this very line.
fn is_due(
    operator: &Operator,
    live: &PackOrder,
    index: i32,
    pack: Option<&ConcurrencyPack>,
    account: Option<&Account>,
    counted: &Counted,
    evidence: &Evidence,
) -> bool {
    let Counted { orders, commitments, unreadable, .. } = counted;
    let siblings: Vec<&PackOrder> = orders.iter().filter(|order| is_sibling(order, live)).chain([live]).collect();
    let decision = order::decide(&order::Input {
        order: live,
        siblings: &siblings,
        unreadable,
        pack,
        account,
        observation: evidence.snapshot.observation.as_deref(),
        deals: evidence.deals.as_ref(),
        ids_of_others: &operator.recorded_by_other_packs(&live.spec.pack_ref.namespace, &live.spec.pack_ref.name),
        commitments,
        installation_mode: operator.settings.mode,
        now: operator.clock.second(),
        clock_ahead: evidence.snapshot.clock_ahead(),
        timing: &operator.settings.timing,
    });
    decision.effect == Some(Effect::Submit { index })
}

/// Records that no request could be built for a line. There is no intent: nothing was sent.
async fn reject(operator: &Operator, live: PackOrder, index: i32, message: String) -> Result<(), StepError> {
    let outcome = Outcome::Rejected { category: Reason::InvalidConfiguration, message, may_pass: true };
    let status = order::settle(&live, index, &outcome, operator.clock.second(), &operator.settings.timing);
    let rejected = PackOrder { status: Some(status), ..live };
    replace_status(&operator.kube, "recording why nothing was sent", &rejected).await.map(drop)
}
