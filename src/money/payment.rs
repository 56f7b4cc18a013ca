//! Where money leaves: the only module that holds [`PaidCalls`].
//!
//! For one line of one order: look at order and pack live, decide again, write the intent, send once, record the answer.
//! All of it runs in a task that shutdown waits for; while it runs, nobody else decides about the order.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carpack_api::PackOrder;
use carpack_api::order::{LineState, LineStatus, PackReference};
use carpack_cloud::port::{Deadline, PaidCalls, Receipt};
use carpack_cloud::{BeforeSend, CallError, Category};
use carpack_core::Timing;
use carpack_core::account::Account;
use carpack_core::limits::Commitments;
use carpack_core::observation::DealsLook;
use carpack_core::order::{self, Effect, Outcome};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep};

use crate::changes::on_the_wall;
use crate::error::StepError;
use crate::inventory::Snapshot;
use crate::kubernetes::replace_status;
use crate::operator::{Operator, Settings, is_sibling};
use crate::orders;
use crate::request::{self, PaidRequest};

/// How long the answer of a paid call is tried to be recorded: longer than any call.
pub const RECORDING: Duration = Duration::from_secs(60);
const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// The paid halves of the clients, by account. Everybody may put one in; only this module takes one out.
#[derive(Default)]
pub struct PaidDesk {
    clients: Mutex<HashMap<String, Arc<dyn PaidCalls>>>,
}

impl PaidDesk {
    /// From now on this client pays for the account.
    pub fn open(&self, account: &str, client: Arc<dyn PaidCalls>) {
        lock(&self.clients).insert(account.to_owned(), client);
    }

    /// Nobody pays for the account any more.
    pub fn close(&self, account: &str) {
        lock(&self.clients).remove(account);
    }

    fn client(&self, account: &str) -> Option<Arc<dyn PaidCalls>> {
        lock(&self.clients).get(account).cloned()
    }
}

/// What the first decision was made on; the second one, on a fresh order and pack, is made on the same.
pub struct Evidence {
    /// The newest look at the account.
    pub snapshot: Arc<Snapshot>,
    /// The look into the cloud's books, if one was made.
    pub deals: Option<DealsLook>,
}

/// What counts against an account's limits.
struct Counted {
    /// The pack's, at least, as the API server has them.
    orders: Vec<PackOrder>,
    turn: Option<OwnedMutexGuard<Turn>>,
    commitments: Commitments,
    /// Names of the orders that could not be counted.
    unreadable: BTreeSet<String>,
}

/// How the work on a line ended.
enum Paid {
    /// Its state is recorded, as far as that was possible.
    Over,
    /// Nothing was sent, and nothing is recorded.
    HeldBack(String),
}

/// Makes paid calls.
pub struct Spender {
    operator: Arc<Operator>,
    desk: Arc<PaidDesk>,
    in_flight: Arc<Mutex<HashSet<String>>>,
    /// Whose turn it is to spend, for each account with limits and each pack (`namespace/name`).
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Turn>>>>,
}

/// What was known at the end of the last turn: which order's call (by UID) was over, and when.
type Turn = Option<(String, Instant)>;

/// The order is in flight until this is dropped, however its task ends.
struct InFlight {
    orders: Arc<Mutex<HashSet<String>>>,
    name: String,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.orders).remove(&self.name);
    }
}

impl Spender {
    /// A spender that takes clients from this desk.
    pub fn new(operator: Arc<Operator>, desk: Arc<PaidDesk>) -> Self {
        Self { operator, desk, in_flight: Arc::default(), turns: Mutex::default() }
    }

    /// True while a line of the order is being paid here: nobody else may decide about it.
    pub fn is_busy(&self, order: &str) -> bool {
        lock(&self.in_flight).contains(order)
    }

    /// Pays one line of an order, in a task of its own.
    pub fn submit(self: &Arc<Self>, order: &str, index: i32, evidence: Evidence) {
        if self.operator.tasks.is_stopping() || !lock(&self.in_flight).insert(order.to_owned()) {
            return;
        }
        let in_flight = InFlight { orders: Arc::clone(&self.in_flight), name: order.to_owned() };
        let (spender, name) = (Arc::clone(self), order.to_owned());
        self.operator.tasks.spawn_paid(async move {
            let paid = Box::pin(spender.pay(&name, index, &evidence)).await;
            drop(in_flight);
            match paid {
                Ok(Paid::Over) => {
                    let order = ObjectRef::<PackOrder>::new(&name).within(&spender.operator.settings.namespace);
                    spender.operator.queues.order(order);
                }
                Ok(Paid::HeldBack(why)) => tracing::debug!(order = name, index, why, "nothing was sent"),
                Err(StepError::Conflict { .. }) => {
                    tracing::debug!(order = name, "the order changed before anything was sent")
                }
                Err(error) => tracing::warn!(order = name, index, %error, "nothing was sent"),
            }
        });
    }

    /// The whole procedure. An error means that nothing was sent.
    async fn pay(&self, name: &str, index: i32, evidence: &Evidence) -> Result<Paid, StepError> {
        let operator = &self.operator;
        let held = |why: &str| Ok(Paid::HeldBack(why.to_owned()));
        let Some(live) = orders::look(operator, name).await? else { return held("the order is gone") };
        let account = operator.account(&live.spec.account_ref.name, &evidence.snapshot);
        let mut of_pack = self.turn(format!("{}/{}", live.spec.pack_ref.namespace, live.spec.pack_ref.name)).await;
        // Its order may have been taken away by force, and its record with it.
        let looked = evidence.snapshot.observation.as_ref().map(|observation| observation.started);
        let over = |at: Instant| on_the_wall(at, operator.clock.now());
        let unseen = |(uid, at): &(String, Instant)| live.uid().as_ref() != Some(uid) && looked <= Some(over(*at));
        if of_pack.as_ref().is_some_and(unseen) {
            return held("another call for the pack is over since the last look at the cloud");
        }
        let Counted { orders, turn: of_account, commitments, unreadable } =
            self.count(account.as_ref(), &live.spec.pack_ref).await?;
        // Whoever waits for a turn may wait for minutes: a person may have stopped the account meanwhile.
        let counted = account.map(|account| account.spec);
        let account = operator.account(&live.spec.account_ref.name, &evidence.snapshot);
        if account.as_ref().map(|account| &account.spec) != counted.as_ref() {
            return held("the account was changed while the order waited for its turn");
        }
        let pack = orders::live_pack(operator, &live.spec.pack_ref).await?;
        let siblings: Vec<&PackOrder> = orders.iter().filter(|order| is_sibling(order, &live)).chain([&live]).collect();
        let elsewhere = operator.elsewhere(&live);
        let input = order::Input {
            order: &live,
            siblings: &siblings,
            unreadable: &unreadable,
            pack: pack.as_ref(),
            account: account.as_ref(),
            observation: evidence.snapshot.observation.as_deref(),
            deals: evidence.deals.as_ref(),
            elsewhere: &elsewhere,
            commitments: &commitments,
            installation_mode: operator.settings.mode,
            now: operator.clock.second(),
            clock_ahead: evidence.snapshot.clock_ahead(),
            timing: &operator.settings.timing,
        };
        if order::decide(&input).effect != Some(Effect::Submit { index }) {
            return held("a closer look shows that the line is not to be sent now");
        }
        let (Some(account), Some(line)) = (&account, live.spec.lines.iter().find(|line| line.index == index)) else {
            return held("the account or the line is gone");
        };
        let request = match request::build(&live, line, account.spec.purchase.api.as_ref()) {
            Ok(request) => request,
            // What cannot be repeated says nothing of the call in doubt.
            Err(message) if is_in_doubt(&live, index) => return Ok(Paid::HeldBack(message)),
            Err(message) => return self.not_sent(live, index, "InvalidConfiguration", message).await,
        };
        if operator.tasks.is_stopping() {
            return held("the operator is stopping");
        }
        let Some(client) = self.desk.client(&account.name) else { return held("the account was not looked at yet") };
        if let Err(why) = operator.guard.check(operator.settings.call_timeout) {
            return Ok(Paid::HeldBack(why));
        }

        // The intent. If it cannot be written for whatever reason, nothing is sent.
        let deadline = line.renews_from.as_ref().or(live.spec.deadline.as_ref()).map_or(operator.clock.now(), |t| t.0);
        let status = order::intend(&live, index, operator.clock.second());
        let intended = replace_status(&operator.kube, "writing the intent", &with_status(live, status)).await?;
        drop(of_account);

        tracing::info!(order = name, index, "sending a paid call");
        let before_send = self.last_question(&intended, index);
        let outcome = self.send(client.as_ref(), request, Deadline(deadline), before_send).await;
        *of_pack = intended.uid().map(|uid| (uid, Instant::now()));
        drop(of_pack);
        self.record(intended, index, &outcome).await;
        operator.inventories.request_sweep(&account.name);
        Ok(Paid::Over)
    }

    /// Waits for the turn of an account, or of a pack: two of its orders must not both be looked at before either has
    /// written its intent, which the next one then reads. A pack's turn lasts until the call is over.
    async fn turn(&self, of: String) -> OwnedMutexGuard<Turn> {
        let turn = Arc::clone(lock(&self.turns).entry(of).or_default());
        turn.lock_owned().await
    }

    /// The pack's orders as the API server has them now; where there are limits, all of them, and what counts against these.
    /// The account's turn is held until the intent is written and counts in its turn: two orders must not both take the
    /// last room.
    async fn count(&self, account: Option<&Account>, of: &PackReference) -> Result<Counted, StepError> {
        let limited = account.filter(|account| account.has_limits());
        let turn = match limited {
            Some(account) => Some(self.turn(account.name.clone()).await),
            None => None,
        };
        let (orders, unreadable) = orders::list(&self.operator, Some(of).filter(|_| limited.is_none())).await?;
        let commitments = limited.map(|account| self.operator.commitments_of(account, &orders)).unwrap_or_default();
        Ok(Counted { orders, turn, commitments, unreadable })
    }

    /// Asked once the call is signed: does this process still lead, and is the intent still young?
    fn last_question(&self, intended: &PackOrder, index: i32) -> BeforeSend {
        let (operator, intended) = (Arc::clone(&self.operator), intended.clone());
        Arc::new(move || {
            let Settings { call_timeout, timing, .. } = &operator.settings;
            operator.guard.check(*call_timeout)?;
            // How long the process was held up is a real span, also where business time runs faster.
            let timing = Timing { intent_valid: operator.clock.business(timing.intent_valid), ..*timing };
            let in_time = order::may_leave(&intended, index, operator.clock.now(), &timing);
            in_time.then_some(()).ok_or_else(|| "the process was held up since it wrote the intent".to_owned())
        })
    }

    /// Sends once.
    async fn send(
        &self,
        client: &dyn PaidCalls,
        request: PaidRequest,
        by: Deadline,
        before_send: BeforeSend,
    ) -> Outcome {
        let (action, outcome) = match request {
            PaidRequest::Create(request) => ("CreateInstance", client.create_instance(request, by, before_send).await),
            PaidRequest::Renew(request) => ("RenewInstance", client.renew_instance(request, by, before_send).await),
            PaidRequest::Refund(request) => ("RefundInstance", client.refund_instance(request, by, before_send).await),
        };
        self.operator.metrics.cloud_answer(action, outcome.category());
        translate(outcome)
    }

    /// Records that a line could not be sent, without an intent.
    async fn not_sent(
        &self,
        live: PackOrder,
        index: i32,
        category: &'static str,
        message: String,
    ) -> Result<Paid, StepError> {
        let outcome = Outcome::Rejected { category, message, may_pass: true };
        let operator = &self.operator;
        let status = order::settle(&live, index, &outcome, operator.clock.second(), &operator.settings.timing);
        let written =
            replace_status(&operator.kube, "recording why nothing was sent", &with_status(live, status)).await;
        written.map(|_| Paid::Over)
    }

    /// Records the answer, whatever else happens to the order meanwhile. Only this line is changed.
    async fn record(&self, intended: PackOrder, index: i32, outcome: &Outcome) {
        let operator = &self.operator;
        let name = intended.name_any();
        let attempts = line_of(&intended, index).map_or(0, |line| line.attempts);
        let until = Instant::now() + RECORDING;
        tracing::info!(order = name, index, ?outcome, "a paid call is over");
        operator.metrics.order_line(intended.spec.action, outcome);
        let mut current = Some(intended);
        loop {
            let error = match self.try_record(current.take(), &name, index, attempts, outcome).await {
                Ok(()) => return,
                Err(error) => error,
            };
            if Instant::now() >= until {
                tracing::error!(order = name, index, %error, ?outcome, "the answer of a paid call was not recorded: the outcome counts as unknown");
                return;
            }
            tracing::warn!(order = name, index, %error, "recording the answer of a paid call again");
            if !matches!(error, StepError::Conflict { .. }) {
                sleep(RECORD_AGAIN).await;
            }
        }
    }

    async fn try_record(
        &self,
        current: Option<PackOrder>,
        name: &str,
        index: i32,
        attempts: i32,
        outcome: &Outcome,
    ) -> Result<(), StepError> {
        let operator = &self.operator;
        let current = match current {
            Some(current) => Some(current),
            None => orders::look(operator, name).await?,
        };
        let Some(current) = current else { return Ok(()) };
        if !line_of(&current, index).is_some_and(|line| order::adds_to(line, attempts, outcome)) {
            return Ok(());
        }
        let status = order::settle(&current, index, outcome, operator.clock.second(), &operator.settings.timing);
        replace_status(&operator.kube, "recording a paid call", &with_status(current, status)).await.map(drop)
    }
}

fn translate(outcome: carpack_cloud::Outcome<Receipt>) -> Outcome {
    let words = |error: &CallError| error.to_string();
    match outcome {
        carpack_cloud::Outcome::Committed(receipt) => Outcome::Committed {
            order_ids: receipt.order_ids,
            instance_ids: receipt.instance_ids,
            request_id: Some(receipt.request_id).filter(|id| !id.is_empty()),
        },
        carpack_cloud::Outcome::Rejected(error) => Outcome::Rejected {
            category: error.category().as_str(),
            message: words(&error),
            may_pass: may_pass(error.category()),
        },
        carpack_cloud::Outcome::Unknown(error) => {
            Outcome::Unknown { category: error.category().as_str(), message: words(&error) }
        }
        carpack_cloud::Outcome::PaidNotDelivered(error) => Outcome::PaidNotDelivered { message: words(&error) },
    }
}

/// Whether the same call may succeed later, once it was proven not executed.
fn may_pass(category: Category) -> bool {
    matches!(
        category,
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
            | Category::CloudInternal
    )
}

fn line_of(order: &PackOrder, index: i32) -> Option<&LineStatus> {
    order.status.as_ref()?.lines.iter().find(|line| line.index == index)
}

fn is_in_doubt(order: &PackOrder, index: i32) -> bool {
    line_of(order, index).is_some_and(|line| line.state == LineState::Unknown)
}

fn with_status(order: PackOrder, status: carpack_api::PackOrderStatus) -> PackOrder {
    PackOrder { status: Some(status), ..order }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
