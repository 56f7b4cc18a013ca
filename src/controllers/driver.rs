//! Runs a controller: reconciles each object of a kind when it is queued, and again after the wait that it asks for.

use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use futures::future::BoxFuture;
use kube::runtime::controller::{self, Action, Config};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use crate::operator::Operator;
use crate::runtime::error::StepError;
use crate::runtime::lease::Standing;
use crate::runtime::seen::Seen;

/// Objects of one kind that are reconciled at the same time.
const CONCURRENCY: u16 = 16;
/// The wait after an error.
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// The wait while this process leads and may not act yet.
const SOON: Duration = Duration::from_millis(250);
/// The wait after a conflict. Mostly the watch shows the other write sooner, and that queues the object.
const AFTER_CONFLICT: Duration = Duration::from_secs(2);

/// After how long to reconcile the object again if nothing happens. None: only when something changes.
pub type Requeue = Option<Duration>;

/// The reconcile function of a controller.
pub type Reconcile<K> = Arc<dyn Fn(Arc<K>) -> BoxFuture<'static, Result<Requeue, StepError>> + Send + Sync>;

/// Reconciles every object of a kind whenever it is queued.
pub async fn drive<K>(
    controller: &'static str,
    seen: Seen<K>,
    queue: UnboundedReceiver<ObjectRef<K>>,
    operator: Arc<Operator>,
    reconcile: Reconcile<K>,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let stop = operator.tasks.stop().clone();
    let queue = queue.map(Ok::<_, Infallible>).take_until(async move { stop.cancelled().await });
    let run = move |object: Arc<K>, operator: Arc<Operator>| -> BoxFuture<'static, Result<Action, Infallible>> {
        let reconcile = Arc::clone(&reconcile);
        Box::pin(async move {
            let requeue = reconcile_once(controller, object, &operator, &reconcile).await;
            Ok(requeue.map_or_else(Action::await_change, Action::requeue))
        })
    };
    let never = |_: Arc<K>, error: &Infallible, _: Arc<Operator>| match *error {};
    let config = Config::default().concurrency(CONCURRENCY);
    controller::applier(run, never, operator, seen.store, queue, config)
        .for_each(async |result| match result {
            // An object that is gone is not reconciled.
            Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
            Err(error) => tracing::error!(controller, %error, "the controller failed to reconcile an object"),
        })
        .await;
}

/// Reconciles an object once, if this process may act. Returns the wait before the next time, also after an error.
pub async fn reconcile_once<K>(
    controller: &'static str,
    object: Arc<K>,
    operator: &Operator,
    reconcile: &Reconcile<K>,
) -> Requeue
where
    K: Resource<DynamicType = ()>,
{
    if !operator.may_act() {
        // A standby is queued everything when it begins to lead. A leader whose margin has run out for a moment is not.
        return (operator.guard.standing() == Standing::Leading).then_some(SOON);
    }
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    tracing::trace!(controller, namespace, name, "reconciling");
    let result = reconcile(object).await;
    operator.metrics.reconciled(controller, result.as_ref().err().map_or("Ok", StepError::category));
    match result {
        Ok(requeue) => requeue,
        Err(error @ StepError::Conflict { .. }) => {
            tracing::debug!(controller, namespace, name, %error, "reconciling again");
            Some(AFTER_CONFLICT)
        }
        Err(error) => {
            tracing::warn!(controller, namespace, name, %error, category = error.category(), "reconciling again");
            Some(AFTER_ERROR)
        }
    }
}

#[cfg(test)]
mod tests {
    use carpack_api::ConcurrencyPack;
    use futures::FutureExt;

    use super::*;
    use crate::testing::World;
    use crate::testing::objects::{CALL, pack};

    #[tokio::test]
    async fn a_leader_whose_margin_has_run_out_for_a_moment_reconciles_again() {
        let world = World::leading().await;
        let reconcile: Reconcile<ConcurrencyPack> = Arc::new(|_| async { panic!("it may not act") }.boxed());
        world.operator.guard.pass(3 * CALL);
        let requeue = reconcile_once("pack", Arc::new(pack("concert")), &world.operator, &reconcile).await;
        assert!(requeue.is_some());
    }
}
