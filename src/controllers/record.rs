//! What every controller does with a decision: record it, then act on what is recorded.
//!
//! A reconcile gathers, decides, records, acts. The rule is that **a status is written before the effect that follows from it**.
//! The effect follows in the same reconcile, on the object that the API server returned for the write. That object has the
//! recorded status, and its resource version: when somebody else has changed the object since, the API server refuses an
//! effect on it. A failed write ends the reconcile without an effect. To wait for the next reconcile would not be safer.
//!
//! Paid calls need more than this rule, and have it elsewhere: a decision about an order says `Submit` only when the status is
//! recorded as decided already ([`carpack_core::order::decide`]), and the spender reads the order again and decides again
//! ([`crate::money::recheck`]).

use std::fmt::Debug;
use std::sync::Arc;

use carpack_core::Event;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use kube::core::object::HasStatus;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::operator::Operator;
use crate::runtime::error::StepError;
use crate::runtime::kubernetes::replace_status;

/// Writes the status if it is not recorded yet, and publishes the events. Returns the object as it is recorded now. `step` says
/// in an error what was tried.
///
/// # Errors
/// When the status cannot be written: [`StepError::Conflict`] when somebody else has changed the object since it was read.
pub async fn record<K>(
    operator: &Operator,
    step: &'static str,
    object: Arc<K>,
    status: K::Status,
    events: &[Event],
) -> Result<Arc<K>, StepError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + HasStatus
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize,
    K::Status: PartialEq,
{
    let recorded = if object.status() == Some(&status) {
        object
    } else {
        let mut decided = object.as_ref().clone();
        *decided.status_mut() = Some(status);
        Arc::new(replace_status(&operator.kube, step, &decided).await?)
    };
    operator.events.publish(recorded.as_ref(), events).await;
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use carpack_api::{PackOrder, PackOrderStatus};
    use kube::ResourceExt;

    use super::*;
    use crate::testing::World;
    use crate::testing::objects::ORDER;

    /// A leader, its order as it was read, and another status for it.
    async fn leader() -> (World, Arc<PackOrder>, PackOrderStatus) {
        let world = World::leading().await;
        let order: PackOrder = world.server.get(ORDER);
        let status = PackOrderStatus { message: Some("decided".to_owned()), ..order.status.clone().unwrap() };
        (world, Arc::new(order), status)
    }

    #[tokio::test]
    async fn a_status_is_written_once_and_what_is_acted_on_is_what_was_written() {
        let (world, order, status) = leader().await;
        let written = record(&world.operator, "test", Arc::clone(&order), status.clone(), &[]).await.unwrap();
        assert_eq!((written.resource_version().as_deref(), written.status.as_ref()), (Some("2"), Some(&status)));
        let again = record(&world.operator, "test", Arc::clone(&written), status, &[]).await.unwrap();
        assert_eq!(again.resource_version(), written.resource_version());
    }

    #[tokio::test]
    async fn a_status_that_cannot_be_written_leaves_nothing_to_act_on() {
        for refusal in [409, 500] {
            let (world, order, status) = leader().await;
            world.server.refuse_writes(1, refusal);
            assert!(record(&world.operator, "test", order, status, &[]).await.is_err(), "{refusal}");
        }
    }
}
