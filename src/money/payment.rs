//! The other steps of a payment: intend, send, record. Each takes what only the step before it can make.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::PackOrder;
use carpack_api::order::LineStatus;
use carpack_cloud::BeforeSend;
use carpack_core::Timing;
use carpack_core::order::{self, Outcome};
use kube::ResourceExt;
use tokio::time::{Instant, sleep};

use super::outcome::{in_words, translate};
use super::recheck::{Call, Cleared};
use super::request::PaidRequest;
use super::turns::Turn;
use crate::operator::reads::read_order;
use crate::operator::{Operator, Settings};
use crate::runtime::error::StepError;
use crate::runtime::kubernetes::replace_status;

/// For how long the answer of a paid call is tried to be recorded: longer than any call takes.
pub const RECORDING: Duration = Duration::from_secs(60);
/// The wait before recording is tried again.
const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// A call whose intent stands in the API server. Only [`intend`] makes one.
pub(super) struct Intended {
    order: PackOrder,
    call: Call,
    of_pack: Turn,
}

/// A call that is over. Only [`send`] makes one.
pub(super) struct Sent {
    order: PackOrder,
    index: i32,
    outcome: Outcome,
}

/// Writes the intent. When it cannot be written, for whatever reason, nothing is sent.
///
/// # Errors
/// When it cannot be written: [`StepError::Conflict`] when somebody has changed the order since it was read.
pub(super) async fn intend(operator: &Operator, cleared: Cleared) -> Result<Intended, StepError> {
    let (live, call, of_pack, of_account) = cleared.into_parts();
    let status = order::intend(&live, call.index, operator.clock.second());
    let order = replace_status(&operator.kube, "writing the intent", &with_status(live, status)).await?;
    drop(of_account);
    Ok(Intended { order, call, of_pack })
}

/// Sends the call, once. The turn of the pack ends when the call is over.
pub(super) async fn send(operator: &Arc<Operator>, intended: Intended) -> Sent {
    let Intended { order, call, mut of_pack } = intended;
    let Call { index, request, client, deadline: by } = call;
    tracing::info!(order = order.name_any(), index, "sending a paid call");
    let before_send = before_send(operator, &order, index);
    let client = client.open();
    let (action, outcome) = match request {
        PaidRequest::Create(request) => ("CreateInstance", client.create_instance(request, by, before_send).await),
        PaidRequest::Renew(request) => ("RenewInstance", client.renew_instance(request, by, before_send).await),
        PaidRequest::Refund(request) => ("RefundInstance", client.refund_instance(request, by, before_send).await),
    };
    operator.metrics.cloud_answer(action, outcome.category());
    *of_pack = order.uid().map(|uid| (uid, Instant::now()));
    Sent { order, index, outcome: translate(outcome) }
}

/// Asked when the call is signed, immediately before it leaves: does this process still lead, and is the intent still young?
fn before_send(operator: &Arc<Operator>, intended: &PackOrder, index: i32) -> BeforeSend {
    let (operator, intended) = (Arc::clone(operator), intended.clone());
    Arc::new(move || {
        let Settings { call_timeout, timing, .. } = &operator.settings;
        operator.guard.check(*call_timeout)?;
        // How long the process was held up is a real span, also where business time runs faster.
        let timing = Timing { intent_valid: operator.clock.business(timing.intent_valid), ..*timing };
        let in_time = order::may_leave(&intended, index, operator.clock.now(), &timing);
        in_time.then_some(()).ok_or_else(|| "the process was held up since it wrote the intent".to_owned())
    })
}

/// Records the answer, whatever else happens to the order meanwhile. Only the status of this line is changed.
pub(super) async fn record(operator: &Operator, sent: Sent) {
    let Sent { order: intended, index, outcome } = sent;
    let (name, account) = (intended.name_any(), intended.spec.account_ref.name.clone());
    let attempts = line_of(&intended, index).map_or(0, |line| line.attempts);
    let until = Instant::now() + RECORDING;
    let what = in_words(&outcome);
    tracing::info!(order = name, index, outcome = what, "a paid call is over");
    operator.metrics.order_line(intended.spec.action, &outcome);
    let mut current = Some(intended);
    while let Err(error) = try_record(operator, current.take(), &name, index, attempts, &outcome).await {
        if Instant::now() >= until {
            tracing::error!(order = name, index, %error, outcome = what, "the answer of a paid call was not recorded: the outcome counts as unknown");
            break;
        }
        tracing::warn!(order = name, index, %error, "recording the answer of a paid call again");
        if !matches!(error, StepError::Conflict { .. }) {
            sleep(RECORD_AGAIN).await;
        }
    }
    operator.inventories.request_sweep(&account);
}

/// Records the answer in the order given, or in the order as it is now.
async fn try_record(
    operator: &Operator,
    current: Option<PackOrder>,
    name: &str,
    index: i32,
    attempts: i32,
    outcome: &Outcome,
) -> Result<(), StepError> {
    let current = match current {
        Some(current) => Some(current),
        None => read_order(operator, name).await?,
    };
    let Some(current) = current else { return Ok(()) };
    if !line_of(&current, index).is_some_and(|line| order::adds_to(line, attempts, outcome)) {
        return Ok(());
    }
    let status = order::settle(&current, index, outcome, operator.clock.second(), &operator.settings.timing);
    replace_status(&operator.kube, "recording a paid call", &with_status(current, status)).await.map(drop)
}

/// What is recorded of a line. None before the first decision.
pub(super) fn line_of(order: &PackOrder, index: i32) -> Option<&LineStatus> {
    order.status.as_ref()?.lines.iter().find(|line| line.index == index)
}

fn with_status(order: PackOrder, status: carpack_api::PackOrderStatus) -> PackOrder {
    PackOrder { status: Some(status), ..order }
}
