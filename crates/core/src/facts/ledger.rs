//! What the orders of a pack say: which are open, what was sent, what was paid for.

use carpack_api::order::{LineState, LineStatus, OrderAction, OrderLine, OrderState};
use carpack_api::{PackOrder, PackOrderSpec, Reason};
use jiff::Timestamp;

use crate::condition::FULFILLED;
use crate::time::{is_renewed, is_same_expiry};

/// The order's name, in the operator's namespace.
pub(crate) fn name_of(order: &PackOrder) -> &str {
    order.metadata.name.as_deref().unwrap_or_default()
}

/// The recorded lines of the order; none before the first decision.
pub(crate) fn lines_of(order: &PackOrder) -> &[LineStatus] {
    order.status.as_ref().map(|status| status.lines.as_slice()).unwrap_or_default()
}

/// The ids of all instances that the order's calls delivered, renewed or returned.
pub(crate) fn instance_ids(order: &PackOrder) -> impl Iterator<Item = &String> {
    lines_of(order).iter().flat_map(|line| &line.instance_ids)
}

/// The order with the highest ordinal.
pub(crate) fn newest<'a>(orders: impl Iterator<Item = &'a PackOrder>) -> Option<&'a PackOrder> {
    orders.max_by_key(|order| order.spec.ordinal)
}

/// True for a purchase that renews nothing.
pub(crate) fn is_first_purchase(spec: &PackOrderSpec) -> bool {
    spec.action == OrderAction::Buy && spec.lines.iter().all(|line| line.renews_from.is_none())
}

/// True for what a brake holds: a first purchase, and a return.
pub(crate) fn is_braked(spec: &PackOrderSpec) -> bool {
    is_first_purchase(spec) || spec.action == OrderAction::Return
}

/// True while the order may still spend.
pub(crate) fn is_open(order: &PackOrder) -> bool {
    let state = order.status.as_ref().and_then(|status| status.state);
    !matches!(state, Some(OrderState::Fulfilled | OrderState::Failed))
}

/// True while a paid call of the order may have been made and is not settled.
pub(crate) fn is_unresolved(order: &PackOrder) -> bool {
    let lines = lines_of(order);
    lines.iter().any(is_in_doubt)
        || lines.iter().any(|line| line.state == LineState::Committed && line.instance_ids.is_empty())
}

/// True while nobody knows what became of the line's last call.
pub fn is_in_doubt(line: &LineStatus) -> bool {
    matches!(line.state, LineState::Submitting | LineState::Unknown)
}

/// True once a call of the order was sent, whatever became of it.
pub(crate) fn was_sent(order: &PackOrder) -> bool {
    lines_of(order).iter().any(|line| line.attempts > 0)
}

/// True when a call of the order has cost money.
pub fn has_paid(order: &PackOrder) -> bool {
    lines_of(order).iter().any(is_paid)
}

/// True when the line's call has cost money: the cloud took it, and did not leave it unpaid.
pub(crate) fn is_paid(line: &LineStatus) -> bool {
    matches!(line.state, LineState::Committed | LineState::Done) && !is_unpaid(line)
}

/// True while the cloud has taken the order and waits for its payment.
pub(crate) fn is_unpaid(line: &LineStatus) -> bool {
    line.state == LineState::Committed && matches!(line.category, Some(Reason::Unpaid | Reason::UnpaidAndUnlisted))
}

/// True when nothing more will happen to the line.
pub fn is_settled(line: &LineStatus) -> bool {
    matches!(line.state, LineState::Done | LineState::Rejected | LineState::Void)
}

/// When the last of these lines was sent.
pub(crate) fn last_call<'a>(lines: impl IntoIterator<Item = &'a LineStatus>) -> Option<Timestamp> {
    lines.into_iter().filter_map(|line| line.submit_time.as_ref()).map(|time| time.0).max()
}

/// The order that has paid for a renewal of an instance from this expiry or a later one. Without an instance: the purchase that
/// has paid for a successor of the whole pack. Expiries only grow, so an older one comes from an outdated list.
pub(crate) fn paid_for<'a>(
    mut orders: impl Iterator<Item = &'a PackOrder>,
    action: OrderAction,
    instance: Option<&str>,
    from: Timestamp,
) -> Option<&'a PackOrder> {
    let wanted = |line: &&OrderLine| {
        let covered = line.renews_from.as_ref().is_some_and(|paid| !is_renewed(from, paid.0));
        line.instance_id.as_deref() == instance && covered
    };
    orders.find(|order| {
        let paid: Vec<i32> = lines_of(order).iter().filter(|line| is_paid(line)).map(|line| line.index).collect();
        order.spec.action == action && order.spec.lines.iter().filter(wanted).any(|line| paid.contains(&line.index))
    })
}

/// The order that has paid for what follows this expiry: a renewal of this instance, or a successor that was bought for the object of this
/// UID. What a successor was bought for is not renewed either; it may be returned.
pub(crate) fn renewed_by<'a>(
    orders: impl Iterator<Item = &'a PackOrder> + Clone,
    uid: &str,
    action: OrderAction,
    instance: Option<&str>,
    from: Timestamp,
) -> Option<&'a PackOrder> {
    let renewed = instance.and_then(|id| paid_for(orders.clone(), action, Some(id), from));
    renewed.or_else(|| {
        let own = orders.filter(|order| order.spec.pack_ref.uid == uid && action != OrderAction::Return);
        paid_for(own, OrderAction::Buy, None, from)
    })
}

/// The newest order of which a line for this instance and expiry was refused for good.
pub(crate) fn refused_for<'a>(
    orders: impl Iterator<Item = &'a PackOrder>,
    instance: Option<&str>,
    from: Timestamp,
) -> Option<&'a PackOrder> {
    let wanted = |line: &&OrderLine| {
        let same = line.renews_from.as_ref().is_some_and(|time| is_same_expiry(time.0, from));
        line.instance_id.as_deref() == instance && same
    };
    let is_refused = |order: &PackOrder, line: &OrderLine| {
        let status = lines_of(order).iter().find(|status| status.index == line.index);
        status.is_some_and(|status| status.state == LineState::Rejected)
    };
    newest(orders.filter(|order| order.spec.lines.iter().filter(wanted).any(|line| is_refused(order, line))))
}

/// What an order waits for or has come to: the reason of its condition Fulfilled.
pub(crate) fn reason_of(order: &PackOrder) -> Reason {
    let conditions = order.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    match conditions.iter().find(|condition| condition.type_ == FULFILLED) {
        Some(condition) => Reason::parse(&condition.reason).unwrap_or(Reason::Rejected),
        None => Reason::Pending,
    }
}

/// What an order says before its first call.
pub(crate) const ABOUT_TO_BE_SENT: &str = "about to be sent, after a sweep that is newer than the order";
