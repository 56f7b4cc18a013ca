//! The controller of PackOrders. Paid calls go to the spender.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::order::OrderState;
use carpack_api::{ConcurrencyPack, ORDER_FINALIZER, PackOrder};
use carpack_cloud::port::{Deadline, DealQuery};
use carpack_core::account::Account;
use carpack_core::facts::commitments::Commitments;
use carpack_core::facts::ledger;
use carpack_core::observation::DealList;
use carpack_core::order::{Decision, Effect, Input, decide};
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::reflector::ObjectRef;

use super::driver::Requeue;
use super::record::record;
use crate::account::merge::deal;
use crate::account::snapshot::Snapshot;
use crate::money::recheck::Evidence;
use crate::money::spender::Spender;
use crate::operator::Operator;
use crate::operator::reads::{self, read_pack};
use crate::runtime::error::StepError;
use crate::runtime::kubernetes::{answer, is_not_found, set_finalizer};

/// The wait while the spender works on the order. After a call it queues the order itself.
const SPENDING: Duration = Duration::from_secs(1);

/// Everything that a decision about an order is made on, but the cloud's order books.
struct Gathered<'a> {
    operator: &'a Operator,
    order: &'a PackOrder,
    siblings: Vec<Arc<PackOrder>>,
    recorded_by_other_packs: BTreeSet<String>,
    unreadable: BTreeSet<String>,
    commitments: Commitments,
    pack: Option<ConcurrencyPack>,
    account: Option<Account>,
    snapshot: Arc<Snapshot>,
}

impl Gathered<'_> {
    fn decide(&self, deals: Option<&DealList>) -> Decision {
        let siblings: Vec<&PackOrder> = self.siblings.iter().map(Arc::as_ref).chain([self.order]).collect();
        decide(&Input {
            order: self.order,
            siblings: &siblings,
            unreadable: &self.unreadable,
            pack: self.pack.as_ref(),
            account: self.account.as_ref(),
            observation: self.snapshot.observation.as_deref(),
            deals,
            ids_of_others: &self.recorded_by_other_packs,
            commitments: &self.commitments,
            installation_mode: self.operator.settings.mode,
            now: self.operator.clock.second(),
            clock_ahead: self.snapshot.clock_ahead(),
            timing: &self.operator.settings.timing,
        })
    }
}

/// Reconciles an order.
///
/// # Errors
/// When a read, a write or a call to the cloud fails. Nothing is lost: the order is reconciled again.
pub async fn reconcile(
    order: Arc<PackOrder>,
    operator: Arc<Operator>,
    spender: Arc<Spender>,
) -> Result<Requeue, StepError> {
    let name = order.name_any();
    if spender.is_busy(&name) {
        return Ok(Some(SPENDING));
    }
    let account_name = &order.spec.account_ref.name;
    let snapshot = operator.snapshot(account_name);
    let account = operator.account(account_name, &snapshot);
    if account.is_some() && !snapshot.is_settled() {
        // The first sweep queues the order again.
        return Ok(Some(operator.clock.wait_for(None)));
    }
    let gathered = Gathered {
        operator: &operator,
        order: &order,
        siblings: operator.siblings(&order),
        recorded_by_other_packs: if is_settled(&order) {
            // No decision about it asks what others have on record, and there are many such orders.
            BTreeSet::new()
        } else {
            operator.recorded_by_other_packs(&order.spec.pack_ref.namespace, &order.spec.pack_ref.name)
        },
        unreadable: operator.stores.orders.unreadable(),
        commitments: operator.commitments(account.as_ref()),
        pack: pack_of(&operator, &order).await?,
        account,
        snapshot,
    };
    let (mut decision, mut deals) = (gathered.decide(None), None);
    if let Some(Effect::ReadDeals { since, until }) = decision.effect {
        let query = DealQuery { start: since, end: until };
        let Some(list) = read_deals(&gathered, query).await? else {
            return Ok(Some(operator.clock.wait_for(decision.wake_at)));
        };
        decision = gathered.decide(Some(&list));
        deals = Some(list);
    }
    let recorded =
        record(&operator, "recording an order", Arc::clone(&order), decision.status, &decision.events).await?;
    if decision.wants_sweep {
        operator.inventories.request_sweep(account_name);
    }
    if let Some(effect) = decision.effect {
        let evidence = Evidence { snapshot: gathered.snapshot, deals };
        carry_out(&operator, &recorded, effect, evidence, &spender).await?;
    }
    if spender.is_busy(&name) {
        return Ok(Some(SPENDING));
    }
    Ok(Some(operator.clock.wait_for(decision.wake_at)))
}

/// Carries out the one effect of a decision, on the order as it is recorded.
async fn carry_out(
    operator: &Operator,
    order: &PackOrder,
    effect: Effect,
    evidence: Evidence,
    spender: &Arc<Spender>,
) -> Result<(), StepError> {
    match effect {
        Effect::AddFinalizer => set_finalizer(&operator.kube, order, ORDER_FINALIZER, true).await,
        Effect::RemoveFinalizer => set_finalizer(&operator.kube, order, ORDER_FINALIZER, false).await,
        Effect::Prune => prune(operator, order).await,
        Effect::Submit { index } => {
            spender.submit(&order.name_any(), index, evidence);
            Ok(())
        }
        // The order books were read a moment ago. They are read again when the order is reconciled again.
        Effect::ReadDeals { .. } => Ok(()),
    }
}

/// Deletes an order, if it has not changed since it was read.
async fn prune(operator: &Operator, order: &PackOrder) -> Result<(), StepError> {
    let preconditions = Preconditions { uid: order.uid(), resource_version: order.resource_version() };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match answer("pruning an order", reads::orders(operator).delete(&order.name_any(), &params)).await {
        Ok(_) => Ok(()),
        Err(StepError::Kubernetes { source, .. }) if is_not_found(&source) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads the cloud's order books. None before the account has a client.
async fn read_deals(gathered: &Gathered<'_>, query: DealQuery) -> Result<Option<DealList>, StepError> {
    let operator = gathered.operator;
    let Some(cloud) = gathered.snapshot.cloud.clone() else { return Ok(None) };
    let started = operator.clock.second();
    let deals = cloud.list_deals(query, Deadline(started)).await;
    operator.metrics.cloud_call("DescribeDealsByCond", deals.as_ref().err());
    match deals {
        Ok(deals) => Ok(Some(DealList { started, deals: deals.into_iter().map(deal).collect() })),
        Err(source) => Err(StepError::Cloud { step: "reading the cloud's order books", source: Box::new(source) }),
    }
}

/// The pack of an order, if it still exists under the same UID. Only the API server is believed that it does not.
async fn pack_of(operator: &Operator, order: &PackOrder) -> Result<Option<ConcurrencyPack>, StepError> {
    let wanted = &order.spec.pack_ref;
    let known = operator.stores.packs.store.get(&ObjectRef::new(&wanted.name).within(&wanted.namespace));
    let known = known.filter(|pack| pack.uid().as_ref() == Some(&wanted.uid));
    if known.is_some() || !is_open(order) {
        return Ok(known.map(|pack| pack.as_ref().clone()));
    }
    read_pack(operator, wanted).await
}

/// True when nothing more will happen to any line.
fn is_settled(order: &PackOrder) -> bool {
    let recorded = order.status.as_ref().map(|status| status.lines.as_slice()).unwrap_or_default();
    let settled = |index: i32| recorded.iter().any(|line| line.index == index && ledger::is_settled(line));
    order.spec.lines.iter().all(|line| settled(line.index))
}

/// True while the order may still lead to an effect, or is being deleted.
pub fn is_open(order: &PackOrder) -> bool {
    let state = order.status.as_ref().and_then(|status| status.state);
    order.metadata.deletion_timestamp.is_some() || !matches!(state, Some(OrderState::Fulfilled | OrderState::Failed))
}

#[cfg(test)]
mod tests {
    use carpack_api::order::LineState;
    use carpack_core::order::intend;

    use super::*;
    use crate::testing::objects::{begin, order};

    #[test]
    fn an_order_is_settled_when_every_line_is_recorded_as_settled() {
        let mut order = order("concert");
        assert!(!is_settled(&order), "nothing is recorded");
        let mut status = intend(&order, 0, begin());
        for (state, settled) in [
            (LineState::Pending, false),
            (LineState::Submitting, false),
            (LineState::Unknown, false),
            (LineState::Committed, false),
            (LineState::Done, true),
            (LineState::Rejected, true),
            (LineState::Void, true),
        ] {
            status.lines[0].state = state;
            order.status = Some(status.clone());
            assert_eq!(is_settled(&order), settled, "{state:?}");
        }
    }
}
