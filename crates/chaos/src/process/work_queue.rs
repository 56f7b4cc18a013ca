//! The work queue of a controller. It replaces kube-runtime's, whose order is random: a schedule must happen the same
//! way each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use carpack::controllers::driver::{Reconcile, Requeue, reconcile_once};
use carpack::operator::Operator;
use carpack::runtime::seen::Seen;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kube::runtime::reflector::ObjectRef;
use tokio::time::{Instant, sleep_until};

/// How long to wait when nothing is due.
const NOTHING_DUE: Duration = Duration::from_secs(24 * 3600);

/// Namespace and name.
type Name = (String, String);

/// Runs a controller: reconciles each object when it is queued or due, and never twice at the same time.
pub async fn run_controller<K>(
    controller: &'static str,
    seen: Seen<K>,
    mut queue: UnboundedReceiver<ObjectRef<K>>,
    operator: Arc<Operator>,
    reconcile: Reconcile<K>,
) where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let stop = operator.tasks.stop().clone();
    let mut due: BTreeMap<Name, Instant> = BTreeMap::new();
    let mut busy: BTreeSet<Name> = BTreeSet::new();
    let mut running: FuturesUnordered<BoxFuture<'static, (Name, Requeue)>> = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let ready: Vec<Name> = due
            .iter()
            .filter(|(name, at)| **at <= now && !busy.contains(*name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in ready {
            due.remove(&name);
            let Some(object) = seen.store.get(&ObjectRef::new(&name.1).within(&name.0)) else { continue };
            busy.insert(name.clone());
            let (operator, reconcile) = (Arc::clone(&operator), Arc::clone(&reconcile));
            running
                .push(Box::pin(async move { (name, reconcile_once(controller, object, &operator, &reconcile).await) }));
        }
        let next = due.iter().filter(|(name, _)| !busy.contains(*name)).map(|(_, at)| *at).min();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((name, again)) = running.next() => {
                busy.remove(&name);
                if let Some(again) = again {
                    requeue(&mut due, name, Instant::now() + again);
                }
            }
            Some(object) = queue.next() => {
                requeue(&mut due, (object.namespace.unwrap_or_default(), object.name), Instant::now());
            }
            () = sleep_until(next.unwrap_or(now + NOTHING_DUE)) => {}
        }
    }
    // A reconcile that has begun may end, as in kube-runtime.
    while running.next().await.is_some() {}
}

/// Queues an object. If it is queued already, the earlier time counts.
fn requeue(due: &mut BTreeMap<Name, Instant>, name: Name, at: Instant) {
    due.entry(name).and_modify(|known| *known = at.min(*known)).or_insert(at);
}
