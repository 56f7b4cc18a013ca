//! The spender: pays one line of one order at a time, each in a task that a stop waits for.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carpack_api::PackOrder;
use kube::runtime::reflector::ObjectRef;

use super::desk::PaidDesk;
use super::payment::{intend, record, send};
use super::recheck::{Evidence, NotCleared, recheck};
use super::turns::Turns;
use crate::operator::Operator;
use crate::runtime::error::StepError;

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
    pub(super) turns: Turns,
}

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
        Self { operator, desk, in_flight: Arc::default(), turns: Turns::default() }
    }

    /// True while a line of the order is being paid here. Meanwhile nobody else decides about the order.
    pub fn is_busy(&self, order: &str) -> bool {
        lock(&self.in_flight).contains(order)
    }

    /// Pays one line of an order, in a task of its own. Returns at once, and never an error: what came of it is in the order's
    /// status, or in the log when nothing was sent.
    ///
    /// *Guarantees*: the call is sent at most once, after its intent was written. Nothing is done while the operator is
    /// stopping, nor while another line of the order is being paid here. For an order that is gone, an index that is not a
    /// line of it, or a line that is not due any more nothing is sent and nothing recorded. A line for which no request can
    /// be built is recorded as rejected.
    /// *Assumptions*: the order's status is recorded as the decision wants it: the recheck decides on what is recorded.
    /// *Cancellation*: a stop of the operator does not end the task, but waits for it
    /// ([`crate::runtime::tasks::Tasks::wait_for_paid`]). A process that dies in it leaves an intent, and the outcome unknown.
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

    /// The four steps. An error means that nothing was sent.
    async fn pay(&self, name: &str, index: i32, evidence: &Evidence) -> Result<Paid, StepError> {
        let cleared = match recheck(&self.operator, &self.desk, &self.turns, name, index, evidence).await {
            Ok(cleared) => cleared,
            Err(NotCleared::HeldBack(why)) => return Ok(Paid::HeldBack(why)),
            Err(NotCleared::Rejected) => return Ok(Paid::Over),
            Err(NotCleared::Failed(error)) => return Err(error),
        };
        let intended = intend(&self.operator, cleared).await?;
        let sent = send(&self.operator, intended).await;
        record(&self.operator, sent).await;
        Ok(Paid::Over)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
