//! What the orders of a pack say.

use carpack_api::common::{AccountReference, Time};
use carpack_api::order::{LineState, OrderAction, OrderLine, OrderState, OrderTerms, PackReference};
use carpack_api::pack::Ordinals;
use carpack_api::{Money, PackOrder, PackOrderSpec, Reason};
use jiff::Timestamp;

use super::input::{Effect, Input};
use crate::account::wants_auto_renew;
use crate::facts::ledger::{
    ABOUT_TO_BE_SENT, has_paid, is_first_purchase, is_open, is_unresolved, lines_of, reason_of,
};
use crate::money;
use crate::names::{client_token, cloud_name, order_name};
use crate::time::whole_up;

/// Orders of one action that were made for this very object.
pub(super) fn own<'a>(input: &Input<'a>, action: OrderAction) -> impl Iterator<Item = &'a PackOrder> {
    let input = *input;
    input.orders.iter().copied().filter(move |order| order.spec.action == action && is_own(&input, order))
}

/// True for an order that was made for this very object.
pub(super) fn is_own(input: &Input<'_>, order: &PackOrder) -> bool {
    input.pack.metadata.uid.as_deref().unwrap_or_default() == order.spec.pack_ref.uid
}

pub(super) fn uid(input: &Input<'_>) -> String {
    input.pack.metadata.uid.clone().unwrap_or_default()
}

/// The order that bars the next one: any that is open, whatever UID it was for.
pub(super) fn open<'a>(input: &Input<'a>) -> Option<&'a PackOrder> {
    input.orders.iter().copied().filter(|o| is_open(o)).max_by_key(|o| is_unresolved(o))
}

/// Ordinals only grow, counted over all orders of this namespace and name.
fn next_ordinal(input: &Input<'_>, action: OrderAction) -> i64 {
    let recorded = input.pack.status.as_ref().map_or(0, |s| ordinal_of(&s.ordinals, action));
    newest_ordinal(input, action).max(recorded).saturating_add(1)
}

/// The name in the cloud under which the next purchase is made.
pub(super) fn next_pack_name(input: &Input<'_>) -> String {
    pack_name(input, next_ordinal(input, OrderAction::Buy))
}

fn pack_name(input: &Input<'_>, purchase: i64) -> String {
    let meta = &input.pack.metadata;
    let (namespace, name) = (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    cloud_name(namespace, name, input.pack.spec.pack_name.as_deref(), purchase)
}

fn newest_ordinal(input: &Input<'_>, action: OrderAction) -> i64 {
    input.orders.iter().filter(|o| o.spec.action == action).map(|o| o.spec.ordinal).max().unwrap_or(0)
}

fn ordinal_of(ordinals: &Ordinals, action: OrderAction) -> i64 {
    match action {
        OrderAction::Buy => ordinals.buy,
        OrderAction::Renew => ordinals.renew,
        OrderAction::Return => ordinals.r#return,
    }
}

/// The highest ordinals ever seen: they outlive the orders, which a person may delete.
pub(super) fn ordinals(input: &Input<'_>) -> Ordinals {
    let old = input.pack.status.as_ref().map(|s| s.ordinals.clone()).unwrap_or_default();
    let highest = |action| newest_ordinal(input, action).max(ordinal_of(&old, action));
    Ordinals {
        buy: highest(OrderAction::Buy),
        renew: highest(OrderAction::Renew),
        r#return: highest(OrderAction::Return),
    }
}

/// True when the answer of a paid call is recorded, and the order has not reported on itself since: its message is outdated.
fn is_just_paid(order: &PackOrder) -> bool {
    let state = order.status.as_ref().and_then(|status| status.state);
    let any = |state: LineState| lines_of(order).iter().any(|line| line.state == state);
    matches!(state, None | Some(OrderState::Pending | OrderState::AwaitingApproval))
        && any(LineState::Committed)
        && !any(LineState::Unknown)
        && !any(LineState::Submitting)
}

/// What an order waits for or has come to, for the report of its pack. While all goes well the words stay the same, so that the pack is
/// not written at each step of its order.
pub(super) fn standing(order: &PackOrder) -> (Reason, String) {
    let reason = if is_just_paid(order) { Reason::AwaitingDelivery } else { reason_of(order) };
    if reason == Reason::AwaitingDelivery {
        return (reason, "paid; waits until the cloud shows the delivery".to_owned());
    }
    let words = order.status.as_ref().and_then(|s| s.message.clone());
    (reason, words.unwrap_or_else(|| ABOUT_TO_BE_SENT.to_owned()))
}

/// A new order.
pub(super) struct Draft {
    pub action: OrderAction,
    pub quantity: i32,
    pub duration: i32,
    pub quote: Option<Money>,
    pub deadline: Option<Timestamp>,
    /// For each line the instance and the expiry that is renewed; for a purchase a single line without an instance.
    pub lines: Vec<(Option<String>, Option<Timestamp>)>,
}

pub(super) fn create(input: &Input<'_>, draft: Draft) -> Effect {
    let meta = &input.pack.metadata;
    let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let spec = &input.pack.spec;
    let ordinal = next_ordinal(input, draft.action);
    let order = order_name(&namespace, &name, draft.action, ordinal);
    let purchase = if draft.action == OrderAction::Buy { ordinal } else { 1 };
    let pack_name = pack_name(input, purchase);
    let token = |instance: Option<&str>, from| client_token(&order, &uid(input), instance, from);
    let lines = draft.lines.into_iter().zip(0_i32..).map(|((instance_id, from), index)| OrderLine {
        index,
        client_token: token(instance_id.as_deref(), from),
        instance_id,
        renews_from: from.map(Time),
    });
    let spec = PackOrderSpec {
        lines: lines.collect(),
        pack_ref: PackReference { namespace, name, uid: uid(input) },
        account_ref: AccountReference { name: spec.account_ref.name.clone() },
        action: draft.action,
        ordinal,
        pack_name,
        terms: OrderTerms {
            application_type: spec.application_type,
            billing_mode: spec.billing_mode,
            region: spec.region.clone(),
            concurrency_scale: spec.concurrency_scale.clone(),
            quantity: draft.quantity,
            duration: draft.duration,
            auto_renew: draft.action == OrderAction::Buy && wants_auto_renew(spec),
        },
        quote: draft.quote,
        max_price: spec.max_price.clone(),
        decision_time: whole_up(input.now),
        deadline: draft.deadline.map(Time),
        approval: None,
    };
    Effect::CreateOrder { name: order, spec: Box::new(spec) }
}

/// What the pack's own orders have cost: as the books show it, or else as quoted. Once no order is left, or while their cost cannot be
/// added up, the recorded sum stays.
pub(super) fn spent(input: &Input<'_>, before: Option<String>) -> Option<String> {
    let uid = uid(input);
    let own = |o: &&PackOrder| o.spec.pack_ref.uid == uid && o.spec.action != OrderAction::Return;
    let mut own = input.orders.iter().copied().filter(own).peekable();
    if own.peek().is_none() {
        return before;
    }
    let costs: Vec<Money> = own.filter_map(cost).collect();
    if costs.is_empty() { None } else { money::sums_in_words(&costs).ok().or(before) }
}

fn cost(order: &PackOrder) -> Option<Money> {
    let status = order.status.as_ref().filter(|_| has_paid(order))?;
    status.paid.clone().or_else(|| order.spec.quote.clone())
}

/// Renewals carried out: fulfilled renewal orders, and fulfilled purchases of successors.
pub(super) fn renewals(input: &Input<'_>) -> i64 {
    let fulfilled = |o: &&PackOrder| o.status.as_ref().and_then(|s| s.state) == Some(OrderState::Fulfilled);
    let renewed = own(input, OrderAction::Renew).filter(fulfilled).count();
    let replaced = own(input, OrderAction::Buy).filter(fulfilled).filter(|o| !is_first_purchase(&o.spec)).count();
    i64::try_from(renewed.saturating_add(replaced)).unwrap_or(i64::MAX)
}
