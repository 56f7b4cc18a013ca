//! One order at a time: what the other orders of a pack forbid.
//!
//! Rules 3 and 9 of docs/money.md, which names the tests that fail without them.

use carpack_api::{PackOrder, Reason};

use super::case::{Case, Recorded};
use super::obstacle::Obstacle;
use crate::account::Account;
use crate::facts::ledger::{has_paid, is_first_purchase, is_open, is_unresolved, name_of, renewed_by};
use crate::names::is_order_of;

/// The outcome of every other order of the pack is known, no earlier one is open, and no other one has bought the pack.
///
/// Two orders may be open when a person deleted one and a process with outdated reads made another.
pub(crate) fn it_is_the_orders_turn(case: &Case<'_>) -> Result<(), Obstacle> {
    let Some(Recorded { order, .. }) = case.recorded else { return Ok(()) };
    let rank = |o: &PackOrder| (o.spec.decision_time.0, o.spec.ordinal, o.metadata.name.clone());
    let goes_first = |o: &&PackOrder| is_unresolved(o) || is_open(o) && rank(o) < rank(order);
    if let Some(other) = case.other_orders().find(goes_first) {
        let message = format!("waits until order {} is settled", name_of(other));
        return Err(Obstacle::wait(Reason::EarlierOrderUnresolved, message));
    }
    let spec = &order.spec;
    let has_bought = |o: &&PackOrder| is_first_purchase(&o.spec) && o.spec.pack_ref == spec.pack_ref && has_paid(o);
    match case.other_orders().find(has_bought).filter(|_| is_first_purchase(spec)) {
        Some(other) => Err(Obstacle::void(format!("the pack was bought by order {}", name_of(other)))),
        None => Ok(()),
    }
}

/// No order is unreadable that may have bought the same, or, where the account has limits, whose cost would have to be counted.
pub(crate) fn orders_are_readable(case: &Case<'_>) -> Result<(), Obstacle> {
    let Some(Recorded { order, unreadable, .. }) = case.recorded else { return Ok(()) };
    let pack = &order.spec.pack_ref;
    let obstacle = |name: &String, why: &str| {
        let namespace = case.operator_namespace;
        let message = format!(
            "PackOrder {name} cannot be read, so {why}: run the version of carpack that wrote it, or settle by hand what it bought, then kubectl delete packorder {name} -n {namespace} --wait=false and kubectl patch packorder {name} -n {namespace} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'"
        );
        Err(Obstacle::wait(Reason::OrderUnreadable, message))
    };
    if let Some(name) = unreadable.iter().find(|name| is_order_of(&pack.namespace, &pack.name, name)) {
        return obstacle(name, "nobody knows what it has bought for this pack");
    }
    match unreadable.first().filter(|_| case.account.is_some_and(Account::has_limits)) {
        Some(name) => obstacle(name, "what it has cost cannot be counted against the account's limits"),
        None => Ok(()),
    }
}

/// No other order has paid for the expiry that the line renews from, whatever the cloud's lists show. What a successor was bought
/// for is not renewed either; it may be returned.
pub(crate) fn expiry_is_not_paid_for(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(Recorded { order, .. }), Some(from)) = (case.recorded, case.renews_from()) else { return Ok(()) };
    let spec = &order.spec;
    let instance = case.line.and_then(|line| line.instance_id.as_deref());
    match renewed_by(case.other_orders(), &spec.pack_ref.uid, spec.action, instance, from) {
        Some(other) => Err(Obstacle::void(format!("order {} has renewed it", name_of(other)))),
        None => Ok(()),
    }
}
