//! The controller of PackOrders: gather, decide, record, and only then the one effect. Paid calls go to the spender.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::order::{OrderState, PackReference};
use carpack_api::{ConcurrencyPack, ORDER_FINALIZER, PackOrder};
use carpack_cloud::port::{Deadline, DealQuery};
use carpack_core::account::Account;
use carpack_core::limits::Commitments;
use carpack_core::observation::DealsLook;
use carpack_core::order::{Decision, Effect, Input, decide};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

use crate::controllers::Again;
use crate::error::StepError;
use crate::inventory::Snapshot;
use crate::kubernetes::{answer, is_not_found, replace_status, set_finalizer};
use crate::merge::deal;
use crate::operator::Operator;
use crate::spender::{Evidence, Spender};

/// Orders in one answer of the API server: each page has its own time.
const PAGE: u32 = 500;
/// While the spender works on an order. When something was sent, it queues the order itself.
const SPENDING: Duration = Duration::from_secs(1);

/// Everything that was gathered about an order.
struct Gathered<'a> {
    operator: &'a Operator,
    order: &'a PackOrder,
    siblings: Vec<Arc<PackOrder>>,
    elsewhere: BTreeSet<String>,
    unreadable: BTreeSet<String>,
    commitments: Commitments,
    pack: Option<ConcurrencyPack>,
    account: Option<Account>,
    snapshot: Arc<Snapshot>,
}

impl Gathered<'_> {
    fn decide(&self, deals: Option<&DealsLook>) -> Decision {
        let siblings: Vec<&PackOrder> = self.siblings.iter().map(Arc::as_ref).chain([self.order]).collect();
        decide(&Input {
            order: self.order,
            siblings: &siblings,
            unreadable: &self.unreadable,
            pack: self.pack.as_ref(),
            account: self.account.as_ref(),
            observation: self.snapshot.observation.as_deref(),
            deals,
            elsewhere: &self.elsewhere,
            commitments: &self.commitments,
            installation_mode: self.operator.settings.mode,
            now: self.operator.clock.second(),
            clock_ahead: self.snapshot.clock_ahead(),
            timing: &self.operator.settings.timing,
        })
    }
}

/// One look at an order.
pub async fn reconcile(
    order: Arc<PackOrder>,
    operator: Arc<Operator>,
    spender: Arc<Spender>,
) -> Result<Again, StepError> {
    let name = order.name_any();
    if spender.is_busy(&name) {
        return Ok(Some(SPENDING));
    }
    let account_name = &order.spec.account_ref.name;
    let snapshot = operator.snapshot(account_name);
    let account = operator.account(account_name, &snapshot);
    if account.is_some() && !snapshot.is_settled() {
        // The first look queues the order again.
        return Ok(Some(operator.clock.wait_for(None)));
    }
    let gathered = Gathered {
        operator: &operator,
        order: &order,
        siblings: operator.siblings(&order),
        elsewhere: operator.elsewhere(&order),
        unreadable: operator.stores.orders.unreadable(),
        commitments: operator.commitments(account.as_ref()),
        pack: pack_of(&operator, &order).await?,
        account,
        snapshot,
    };
    let (mut decision, mut deals) = (gathered.decide(None), None);
    if let Some(Effect::LookAtDeals { since, until }) = decision.effect {
        let query = DealQuery { start: since, end: until };
        let Some(look) = look_at_deals(&gathered, query).await? else {
            return Ok(Some(operator.clock.wait_for(decision.wake_at)));
        };
        decision = gathered.decide(Some(&look));
        deals = Some(look);
    }
    if decision.wants_sweep {
        operator.inventories.request_sweep(account_name);
    }
    if order.status.as_ref() == Some(&decision.status) {
        if let Some(effect) = decision.effect {
            carry_out(&gathered, deals, effect, &spender).await?;
        }
    } else {
        let decided = PackOrder { status: Some(decision.status), ..order.as_ref().clone() };
        replace_status(&operator.kube, "recording an order", &decided).await?;
        operator.events.publish(order.as_ref(), &decision.events).await;
    }
    if spender.is_busy(&name) {
        return Ok(Some(SPENDING));
    }
    Ok(Some(operator.clock.wait_for(decision.wake_at)))
}

async fn carry_out(
    gathered: &Gathered<'_>,
    deals: Option<DealsLook>,
    effect: Effect,
    spender: &Arc<Spender>,
) -> Result<(), StepError> {
    let (operator, order) = (gathered.operator, gathered.order);
    match effect {
        Effect::AddFinalizer => set_finalizer(&operator.kube, order, ORDER_FINALIZER, true).await,
        Effect::RemoveFinalizer => set_finalizer(&operator.kube, order, ORDER_FINALIZER, false).await,
        Effect::Prune => prune(operator, order).await,
        Effect::Submit { index } => {
            let snapshot = Arc::clone(&gathered.snapshot);
            spender.submit(&order.name_any(), index, Evidence { snapshot, deals });
            Ok(())
        }
        // The look was just made; the next one is made when the order is looked at again.
        Effect::LookAtDeals { .. } => Ok(()),
    }
}

/// Deletes an order, if it is still what was decided about.
async fn prune(operator: &Operator, order: &PackOrder) -> Result<(), StepError> {
    let preconditions = Preconditions { uid: order.uid(), resource_version: order.resource_version() };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match answer("pruning an order", api(operator).delete(&order.name_any(), &params)).await {
        Ok(_) => Ok(()),
        Err(StepError::Kubernetes { source, .. }) if is_not_found(&source) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Looks into the cloud's books; none while the account cannot be worked with.
async fn look_at_deals(gathered: &Gathered<'_>, query: DealQuery) -> Result<Option<DealsLook>, StepError> {
    let operator = gathered.operator;
    let Some(cloud) = gathered.snapshot.cloud.clone() else { return Ok(None) };
    let started = operator.clock.second();
    let deals = cloud.list_deals(query, Deadline(started)).await;
    operator.metrics.cloud_call("DescribeDealsByCond", deals.as_ref().err());
    match deals {
        Ok(deals) => Ok(Some(DealsLook { started, deals: deals.into_iter().map(deal).collect() })),
        Err(source) => Err(StepError::Cloud { step: "looking into the cloud's books", source: Box::new(source) }),
    }
}

/// The pack of an order, if it still exists under the same UID. That it is gone is believed only of the API server.
async fn pack_of(operator: &Operator, order: &PackOrder) -> Result<Option<ConcurrencyPack>, StepError> {
    let wanted = &order.spec.pack_ref;
    let known = operator.stores.packs.store.get(&ObjectRef::new(&wanted.name).within(&wanted.namespace));
    let known = known.filter(|pack| pack.uid().as_ref() == Some(&wanted.uid));
    if known.is_some() || !is_open(order) {
        return Ok(known.map(|pack| pack.as_ref().clone()));
    }
    live_pack(operator, wanted).await
}

/// True while something may still be done for the order, or with it.
pub fn is_open(order: &PackOrder) -> bool {
    let state = order.status.as_ref().and_then(|status| status.state);
    order.metadata.deletion_timestamp.is_some() || !matches!(state, Some(OrderState::Fulfilled | OrderState::Failed))
}

/// The pack as the API server has it now, if it exists under this UID.
pub async fn live_pack(operator: &Operator, wanted: &PackReference) -> Result<Option<ConcurrencyPack>, StepError> {
    let packs: Api<ConcurrencyPack> = Api::namespaced(operator.kube.once.clone(), &wanted.namespace);
    let pack = answer("reading the order's pack", packs.get_opt(&wanted.name)).await?;
    Ok(pack.filter(|pack| pack.uid().as_ref() == Some(&wanted.uid)))
}

/// Orders as the API server has them now, those of one pack or all; and the names of those that cannot be read.
pub async fn list(
    operator: &Operator,
    of: Option<&PackReference>,
) -> Result<(Vec<PackOrder>, BTreeSet<String>), StepError> {
    let api: Api<DeserializeGuard<PackOrder>> =
        Api::namespaced(operator.kube.once.clone(), &operator.settings.namespace);
    let mut params = ListParams::default().limit(PAGE);
    if let Some(PackReference { namespace, name, .. }) = of {
        params = params.fields(&format!("spec.packRef.namespace={namespace},spec.packRef.name={name}"));
    }
    let (mut orders, mut unreadable) = (Vec::new(), BTreeSet::new());
    loop {
        let list = answer("listing the orders", api.list(&params)).await?;
        for order in list.items {
            match order.0 {
                Ok(order) => orders.push(order),
                Err(invalid) => drop(unreadable.insert(invalid.metadata.name.unwrap_or_default())),
            }
        }
        match list.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => params = params.continue_token(&next),
            None => return Ok((orders, unreadable)),
        }
    }
}

/// The order as the API server has it now.
pub async fn look(operator: &Operator, name: &str) -> Result<Option<PackOrder>, StepError> {
    answer("reading the order", api(operator).get_opt(name)).await
}

fn api(operator: &Operator) -> Api<PackOrder> {
    Api::namespaced(operator.kube.once.clone(), &operator.settings.namespace)
}
