//! The controller of ConcurrencyPacks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::{ConcurrencyPack, ORDER_FINALIZER, PACK_FINALIZER, PackOrder, PackOrderSpec};
use carpack_cloud::port::Deadline;
use carpack_core::account::Account;
use carpack_core::facts::holdings::has_unrecorded_namesakes;
use carpack_core::pack::{Change, Effect, Input, decide};
use kube::ResourceExt;
use kube::api::PostParams;

use super::driver::Requeue;
use super::record::record;
use crate::account::changes::{Memories, carry_out, in_words};
use crate::account::snapshot::Snapshot;
use crate::operator::Operator;
use crate::operator::reads::{self, read_order};
use crate::runtime::error::StepError;
use crate::runtime::kubernetes::{answer, set_finalizer};

/// Labels by which a pack's orders are found.
const NAMESPACE_LABEL: &str = "carpack.io/pack-namespace";
const NAME_LABEL: &str = "carpack.io/pack";

/// Reconciles a pack.
///
/// # Errors
/// When a read or a write fails. Nothing is lost: the pack is reconciled again.
pub async fn reconcile(
    pack: Arc<ConcurrencyPack>,
    operator: Arc<Operator>,
    memories: Arc<Memories>,
) -> Result<Requeue, StepError> {
    let account_name = &pack.spec.account_ref.name;
    let uid = pack.uid().ok_or(StepError::Incomplete { step: "deciding about a pack", part: "uid" })?;
    let snapshot = operator.snapshot(account_name);
    let account = operator.account(account_name, &snapshot);
    if account.is_some() && !snapshot.is_settled() {
        // The first sweep queues the pack again.
        return Ok(Some(operator.clock.wait_for(None)));
    }
    let (namespace, name) = (pack.namespace().unwrap_or_default(), pack.name_any());
    let orders = operator.orders_for(&namespace, &name);
    let orders: Vec<&PackOrder> = orders.iter().map(Arc::as_ref).collect();
    // All objects are read only while an instance has to be told apart.
    let ids_of_others = has_unrecorded_namesakes(&pack, &orders, snapshot.observation.as_deref())
        .then(|| operator.recorded_by_other_packs(&namespace, &name));
    let now = operator.clock.now();
    let memory = memories.of(&uid, now);
    let decision = decide(&Input {
        pack: &pack,
        orders: &orders,
        account: account.as_ref(),
        observation: snapshot.observation.as_deref(),
        holders: &operator.holders(&pack, &snapshot),
        ids_of_others: &ids_of_others.unwrap_or_default(),
        installation_mode: operator.settings.mode,
        operator_namespace: &operator.settings.namespace,
        last_change: memory.last_change,
        failures: &memory.failures,
        now: operator.clock.second(),
        timing: &operator.settings.timing,
    });
    let recorded = record(&operator, "recording a pack", Arc::clone(&pack), decision.status, &decision.events).await?;
    if decision.wants_sweep {
        operator.inventories.request_sweep(account_name);
    }
    match decision.effect {
        None => {}
        Some(Effect::AddFinalizer) => set_finalizer(&operator.kube, recorded.as_ref(), PACK_FINALIZER, true).await?,
        Some(Effect::RemoveFinalizer) => {
            set_finalizer(&operator.kube, recorded.as_ref(), PACK_FINALIZER, false).await?;
            memories.forget(&uid);
        }
        Some(Effect::CreateOrder { name, spec }) => create_order(&operator, &name, *spec).await?,
        Some(Effect::Change(change)) => {
            make_change(&operator, &memories, &recorded, account.as_ref(), &snapshot, change).await;
            // The next sweep shows what came of it. Until then the decision waits by itself.
            operator.inventories.request_sweep(account_name);
        }
    }
    Ok(Some(operator.clock.wait_for(decision.wake_at)))
}

/// Creates an order. An order of this name that exists already is success, if it is for the same pack.
async fn create_order(operator: &Operator, name: &str, spec: PackOrderSpec) -> Result<(), StepError> {
    let wanted = spec.pack_ref.clone();
    let (action, labels) = (spec.action, labels(&spec));
    let mut order = PackOrder::new(name, spec);
    order.metadata.namespace = Some(operator.settings.namespace.clone());
    order.metadata.labels = Some(labels);
    order.metadata.finalizers = Some(vec![ORDER_FINALIZER.to_owned()]);
    match answer("creating an order", reads::orders(operator).create(&PostParams::default(), &order)).await {
        Ok(_) => {
            tracing::info!(order = name, %action, "an order was created");
            Ok(())
        }
        Err(StepError::Kubernetes { source, .. }) if matches!(source.as_ref(), kube::Error::Api(status) if status.is_already_exists()) => {
            match read_order(operator, name).await? {
                Some(there) if there.spec.pack_ref != wanted => Err(StepError::NotOurs {
                    what: format!("order {name} exists for another pack object (uid {})", there.spec.pack_ref.uid),
                }),
                _ => Ok(()),
            }
        }
        Err(error) => Err(error),
    }
}

fn labels(spec: &PackOrderSpec) -> BTreeMap<String, String> {
    let pack = &spec.pack_ref;
    [(NAMESPACE_LABEL, &pack.namespace), (NAME_LABEL, &pack.name)]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .into()
}

/// Makes one change in the cloud, and notes how it ended.
async fn make_change(
    operator: &Operator,
    memories: &Memories,
    pack: &ConcurrencyPack,
    account: Option<&Account>,
    snapshot: &Snapshot,
    change: Change,
) {
    let (Some(cloud), true) = (&snapshot.cloud, operator.may_act()) else { return };
    let expiration = pack.status.as_ref().and_then(|status| status.expiration_time.as_ref());
    let by = Deadline(expiration.map_or(operator.clock.now(), |time| time.0));
    let api = account.and_then(|account| account.spec.purchase.api.as_ref());
    let (action, result) = carry_out(cloud.as_ref(), change.clone(), api, by).await;
    operator.metrics.cloud_call(action, result.as_ref().err());
    let (namespace, name) = (pack.namespace().unwrap_or_default(), pack.name_any());
    let what = in_words(&change);
    match &result {
        Ok(()) => tracing::info!(namespace, name, change = what, "changed in the cloud"),
        Err(error) => tracing::warn!(namespace, name, change = what, %error, "the cloud did not make a change"),
    }
    let first_wait = Duration::try_from(operator.settings.timing.retry_after).unwrap_or_default();
    memories.note(&pack.uid().unwrap_or_default(), change, result.as_ref().err(), operator.clock.real(first_wait));
}
