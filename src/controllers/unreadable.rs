//! Releases packs that are being deleted and cannot be read, because another version wrote them.
//!
//! Their deletionPolicy cannot be read either, so nothing in the cloud is touched, as with `Retain`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carpack_api::{ConcurrencyPack, PACK_FINALIZER, Reason};
use carpack_core::Event;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use kube::core::ObjectMeta;
use kube::{Api, Resource, ResourceExt};
use tokio::time::sleep;

use crate::operator::Operator;
use crate::runtime::error::StepError;
use crate::runtime::guarded::Guarded;
use crate::runtime::kubernetes::{answer, set_finalizer};

/// The wait while some are left: after an error, or because another process leads.
const AGAIN: Duration = Duration::from_secs(5);

/// Releases each, as soon as this process may act.
pub async fn release_all(mut found: UnboundedReceiver<ObjectMeta>, operator: Arc<Operator>) {
    let mut left: HashMap<String, ObjectMeta> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            pack = found.next() => match pack {
                Some(pack) => drop(left.insert(pack.uid.clone().unwrap_or_default(), pack)),
                None => return,
            },
            () = sleep(AGAIN), if !left.is_empty() => {}
        }
        if !operator.may_act() {
            continue;
        }
        for (uid, pack) in std::mem::take(&mut left) {
            if let Err(error) = release(&operator, &pack).await {
                let (namespace, name) = (pack.namespace.as_deref(), pack.name.as_deref());
                tracing::warn!(namespace, name, %error, "a pack that cannot be read is not released yet");
                left.insert(uid, pack);
            }
        }
    }
}

/// Releases one, if it is still the same object, still being deleted, and still cannot be read.
async fn release(operator: &Operator, pack: &ObjectMeta) -> Result<(), StepError> {
    let (namespace, name) = (pack.namespace.as_deref().unwrap_or_default(), pack.name.as_deref().unwrap_or_default());
    let api: Api<Guarded<ConcurrencyPack>> = Api::namespaced(operator.kube.once.clone(), namespace);
    let live = answer("reading a pack that could not be read", api.get_opt(name)).await?;
    let Some(live) = live.filter(|live| live.uid() == pack.uid && live.meta().deletion_timestamp.is_some()) else {
        return Ok(());
    };
    let Err(invalid) = &live.0 else { return Ok(()) };
    if !live.finalizers().iter().any(|finalizer| finalizer == PACK_FINALIZER) {
        return Ok(());
    }
    let message = format!(
        "released although it cannot be read ({}): nothing was touched in the cloud; the account reports what is left there as unclaimed",
        invalid.error
    );
    set_finalizer(&operator.kube, &live, PACK_FINALIZER, false).await?;
    operator.events.publish(&live, &[Event { warning: true, reason: Reason::ReleasedUnconfirmed, message }]).await;
    Ok(())
}
