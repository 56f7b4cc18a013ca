//! The last gate before money moves: what stands between an unsent line and its call.

use carpack_api::common::Time;
use carpack_api::order::{Decision as Word, LineState, LineStatus, OrderAction, OrderLine, OrderState};
use carpack_api::pack::{RenewalMode, RenewalStrategy};
use carpack_api::{BillingMode, ConcurrencyPack, Mode, PackOrder, PackOrderSpec, Reason};
use jiff::{SignedDuration, Timestamp};

use super::approval::{falls_short, is_approved};
use super::lines::{has_paid, is_paid};
use super::{Input, look};
use crate::account::{Account, Health, PriceProblem, check_max_price};
use crate::brake;
use crate::limits::{self, is_first};
use crate::names::is_order_of;
use crate::time::{is_renewed, plus, renewal_duration};

/// What stands between an unsent line and its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nothing.
    Open,
    /// Something that may pass.
    Wait {
        /// PascalCase reason.
        reason: Reason,
        /// What it waits for.
        message: String,
        /// True when only a newer sweep can tell.
        wants_sweep: bool,
    },
    /// It is over: nothing was spent, and the same is not tried again.
    Reject(Reason, String),
    /// No longer wanted.
    Void(String),
}

/// Something that may pass.
pub(super) fn wait(reason: Reason, message: impl Into<String>) -> Gate {
    Gate::Wait { reason, message: message.into(), wants_sweep: false }
}

/// Everything that stands between an order and its calls, but the look at the cloud.
pub(super) fn hold(input: &Input<'_>) -> Gate {
    let spec = &input.order.spec;
    if spec.approval.as_ref().is_some_and(|a| a.decision == Word::Denied) {
        return Gate::Reject(Reason::Denied, "denied by a person".to_owned());
    }
    if spec.deadline.as_ref().is_some_and(|deadline| is_past(input, deadline.0)) {
        return Gate::Reject(Reason::DeadlinePassed, "the order's deadline has passed".to_owned());
    }
    let wanted = [check_wanted(input), check_siblings(input), check_unreadable(input)];
    let allowed = [check_account(input), check_ladder(input)];
    let affordable = [check_price(input), check_brake(input), check_limits(input)];
    first(wanted.into_iter().chain(allowed).chain(affordable))
}

/// True when a moment is past by our clock and by the cloud's: what it ends is over for good, and clocks are set right again.
pub(super) fn is_past(input: &Input<'_>, moment: Timestamp) -> bool {
    plus(input.now, input.clock_ahead.max(SignedDuration::ZERO).saturating_mul(-1)) >= moment
}

/// What stands between one unsent line and its call, given what stands before the whole order.
pub(super) fn gate(
    input: &Input<'_>,
    hold: &Gate,
    cleared: Option<Timestamp>,
    line: &OrderLine,
    state: &LineStatus,
) -> Gate {
    first([hold.clone(), check_bought(input, line), look::check(input, cleared, line, state)].into_iter())
}

/// What ends a line goes before what delays it.
fn first(gates: impl Iterator<Item = Gate>) -> Gate {
    let mut next = Gate::Open;
    for gate in gates {
        match gate {
            Gate::Reject(..) | Gate::Void(_) => return gate,
            Gate::Wait { .. } if next == Gate::Open => next = gate,
            Gate::Wait { .. } | Gate::Open => {}
        }
    }
    next
}

/// A purchase or a renewal is wanted by a pack that exists and still says so.
fn check_wanted(input: &Input<'_>) -> Gate {
    let spec = &input.order.spec;
    if spec.action == OrderAction::Return {
        return Gate::Open;
    }
    let alive = |pack: &&ConcurrencyPack| {
        pack.metadata.deletion_timestamp.is_none() && pack.metadata.uid.as_deref() == Some(spec.pack_ref.uid.as_str())
    };
    let Some(pack) = input.pack.filter(alive) else {
        return Gate::Void("the pack is gone".to_owned());
    };
    if !is_of_pack(spec, pack) {
        return Gate::Void("its terms are not those that the pack declares".to_owned());
    }
    if is_first(spec) {
        let window = pack.spec.purchase_window.as_ref().and_then(|w| w.not_after.as_ref());
        if window.is_some_and(|not_after| is_past(input, not_after.0)) {
            return Gate::Reject(Reason::DeadlinePassed, "the pack's purchaseWindow has closed".to_owned());
        }
        if pack.spec.adopt.is_some() {
            return Gate::Void("the pack takes over what spec.adopt names, and buys nothing".to_owned());
        }
        if pack.status.as_ref().is_some_and(|status| !status.instances.is_empty()) {
            return Gate::Void("the pack has been bought already".to_owned());
        }
        return opening(pack, input.now).map_or(Gate::Open, |opens| wait(Reason::WaitingForWindow, opens_at(opens)));
    }
    if pack.spec.renewal.mode != RenewalMode::Operator {
        return Gate::Void("the pack is no longer renewed by the operator".to_owned());
    }
    let replaces = spec.action == OrderAction::Buy;
    if spec.terms.duration != renewal_duration(&pack.spec)
        || replaces != (pack.spec.renewal.strategy.unwrap_or_default() == RenewalStrategy::Replace)
    {
        return Gate::Void("the pack's renewal was declared otherwise since the order was made".to_owned());
    }
    Gate::Open
}

/// What the API server lets nobody change may have been otherwise where its rules were not in force, or a backup came back.
fn is_of_pack(order: &PackOrderSpec, pack: &ConcurrencyPack) -> bool {
    let (terms, spec) = (&order.terms, &pack.spec);
    terms.application_type == spec.application_type
        && terms.billing_mode == spec.billing_mode
        && terms.region == spec.region
        && terms.concurrency_scale == spec.concurrency_scale
        && order.account_ref == spec.account_ref
        && (order.action != OrderAction::Buy || terms.quantity == spec.quantity)
        && (!is_first(order) || terms.duration == spec.duration)
}

/// When the pack's purchase window opens, while it has not.
pub(crate) fn opening(pack: &ConcurrencyPack, now: Timestamp) -> Option<Timestamp> {
    let window = pack.spec.purchase_window.as_ref()?;
    window.not_before.as_ref().map(|t| t.0).filter(|opens| *opens > now)
}

pub(crate) fn opens_at(opens: Timestamp) -> String {
    format!("the purchase window opens at {opens}")
}

/// No spending on a pack while the outcome of another of its orders is unknown, nor out of turn: two may be open when a person
/// deleted one and a process with old reads made another. Nor for a pack that another order has bought.
fn check_siblings(input: &Input<'_>) -> Gate {
    let rank = |o: &PackOrder| (o.spec.decision_time.0, o.spec.ordinal, o.metadata.name.clone());
    let name = |o: &PackOrder| o.metadata.name.clone().unwrap_or_default();
    let earlier = |o: &&PackOrder| is_unresolved(o) || is_open(o) && rank(o) < rank(input.order);
    if let Some(other) = others(input).find(earlier) {
        return wait(Reason::EarlierOrderUnresolved, format!("waits until order {} is settled", name(other)));
    }
    let spec = &input.order.spec;
    let bought = |o: &&PackOrder| is_first(&o.spec) && o.spec.pack_ref == spec.pack_ref && has_paid(o);
    match others(input).find(bought).filter(|_| is_first(spec)) {
        Some(other) => Gate::Void(format!("the pack was bought by order {}", name(other))),
        None => Gate::Open,
    }
}

/// An order that cannot be read may have bought what this one is about to buy, and has cost nobody knows how much.
fn check_unreadable(input: &Input<'_>) -> Gate {
    let pack = &input.order.spec.pack_ref;
    let hold = |order: &String, why: &str| {
        let namespace = input.order.metadata.namespace.as_deref().unwrap_or_default();
        let message = format!(
            "PackOrder {order} cannot be read, so {why}: run the version of carpack that wrote it, or settle by hand what it bought, then kubectl delete packorder {order} -n {namespace} --wait=false and kubectl patch packorder {order} -n {namespace} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'"
        );
        wait(Reason::OrderUnreadable, message)
    };
    let sibling = input.unreadable.iter().find(|order| is_order_of(&pack.namespace, &pack.name, order));
    if let Some(order) = sibling {
        return hold(order, "nobody knows what it has bought for this pack");
    }
    match input.unreadable.first().filter(|_| input.account.is_some_and(Account::has_limits)) {
        Some(order) => hold(order, "what it has cost cannot be counted against the account's limits"),
        None => Gate::Open,
    }
}

/// An expiry is renewed once: by the order that paid for it, whatever the cloud's lists show. What a successor was bought for is
/// not renewed either; it may be returned.
fn check_bought(input: &Input<'_>, line: &OrderLine) -> Gate {
    let Some(Time(from)) = line.renews_from else { return Gate::Open };
    let spec = &input.order.spec;
    let renewed = line.instance_id.as_deref().and_then(|id| paid_for(others(input), spec.action, Some(id), from));
    let replaced = || {
        // The end of a pack is that of this very object.
        let own = others(input).filter(|o| o.spec.pack_ref == spec.pack_ref);
        paid_for(own, OrderAction::Buy, None, from).filter(|_| spec.action != OrderAction::Return)
    };
    match renewed.or_else(replaced) {
        Some(other) => {
            Gate::Void(format!("order {} has renewed it", other.metadata.name.as_deref().unwrap_or_default()))
        }
        None => Gate::Open,
    }
}

/// The order that paid for a renewal of an instance (or, by a purchase, of the whole pack) from this expiry or a later one. Expiries
/// only grow: an older one is an old list.
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
        let status = order.status.iter().flat_map(|status| &status.lines);
        let paid: Vec<i32> = status.filter(|line| is_paid(line)).map(|line| line.index).collect();
        order.spec.action == action && order.spec.lines.iter().filter(wanted).any(|line| paid.contains(&line.index))
    })
}

/// The other orders for the same namespace and name.
pub(super) fn others<'a>(input: &Input<'a>) -> impl Iterator<Item = &'a PackOrder> {
    let own = input.order.metadata.name.clone();
    input.siblings.iter().copied().filter(move |o| o.metadata.name != own)
}

/// True when the order may still spend.
pub(crate) fn is_open(order: &PackOrder) -> bool {
    let state = order.status.as_ref().and_then(|s| s.state);
    !matches!(state, Some(OrderState::Fulfilled | OrderState::Failed))
}

/// True when a paid call of this order may have been made and is not settled.
pub(crate) fn is_unresolved(order: &PackOrder) -> bool {
    let lines = order.status.as_ref().map(|s| s.lines.as_slice()).unwrap_or_default();
    lines.iter().any(|line| matches!(line.state, LineState::Submitting | LineState::Unknown))
        || lines.iter().any(|line| line.state == LineState::Committed && line.instance_ids.is_empty())
}

fn check_account(input: &Input<'_>) -> Gate {
    let spec = &input.order.spec;
    let Some(account) = input.account else {
        let (name, namespace) = (&spec.account_ref.name, input.order.metadata.namespace.as_deref().unwrap_or_default());
        return wait(
            Reason::AccountMissing,
            format!("there is no CarAccount {name} in namespace {namespace}: create it"),
        );
    };
    if !account.grants_namespace(&spec.pack_ref.namespace) {
        return wait(Reason::NamespaceNotGranted, not_granted(account, &spec.pack_ref.namespace));
    }
    if let Health::NotReady { reason, message } = &account.health {
        return wait(*reason, message.clone());
    }
    if spec.action != OrderAction::Return && !account.can_buy(spec.terms.billing_mode) {
        return wait(Reason::BillingModeNotOffered, not_offered(account, spec.terms.billing_mode));
    }
    Gate::Open
}

pub(crate) fn not_granted(account: &Account, namespace: &str) -> String {
    format!("namespace {namespace} may not spend from account {}: add it to the account's tenants", account.name)
}

pub(crate) fn not_offered(account: &Account, mode: BillingMode) -> String {
    format!("account {} cannot buy {mode:?} packs: add {mode:?} to purchase.api.periodUnits", account.name)
}

/// The lowest step of the ladder wins; below Automatic a person's word is needed, and for a return always.
fn check_ladder(input: &Input<'_>) -> Gate {
    let spec = &input.order.spec;
    let account = input.account.map_or(Mode::Observe, |account| account.spec.mode);
    let pack = input.pack.map_or(Mode::Automatic, |pack| pack.spec.mode);
    let mode = input.installation_mode.min(account).min(pack);
    let needs_word = spec.action == OrderAction::Return || mode == Mode::ApprovalRequired;
    match mode {
        Mode::Observe | Mode::DryRun => wait(Reason::HeldByMode, format!("held back: the mode is {mode:?}")),
        _ if needs_word && !is_approved(input) => {
            let name = input.order.metadata.name.as_deref().unwrap_or_default();
            let earlier = falls_short(input).unwrap_or_default();
            wait(
                Reason::AwaitingApproval,
                format!(
                    "waits for approval: set spec.approval.decision of PackOrder {name} to Approved or Denied{earlier}"
                ),
            )
        }
        Mode::ApprovalRequired | Mode::Automatic => Gate::Open,
    }
}

/// Unpriced, dearer than quoted, or above the pack's maxPrice: no call.
fn check_price(input: &Input<'_>) -> Gate {
    let spec = &input.order.spec;
    let (Some(account), Some(pack)) = (input.account, input.pack) else { return Gate::Open };
    if spec.action == OrderAction::Return {
        return Gate::Open;
    }
    match account.quote(&pack.spec, spec.terms.quantity, spec.terms.duration) {
        Err(PriceProblem::Unpriced(message)) => wait(Reason::Unpriced, message),
        Err(PriceProblem::AboveMaxPrice(message)) => wait(Reason::AboveMaxPrice, message),
        Ok(price) => match check_max_price(&price, spec.quote.as_ref()) {
            Ok(()) if spec.quote.is_some() => Gate::Open,
            _ => Gate::Void("the price has risen since the order was made".to_owned()),
        },
    }
}

/// A flood of purchases or returns waits for a person.
fn check_brake(input: &Input<'_>) -> Gate {
    let treasury = input.order.metadata.namespace.as_deref().unwrap_or_default();
    let check = |account| brake::check(account, treasury, &input.order.spec, input.commitments);
    input.account.and_then(check).map_or(Gate::Open, |message| wait(Reason::BrakeOn, message))
}

/// Limits count what is spent and what is on its way, and a purchase leaves room for the renewals that are due.
fn check_limits(input: &Input<'_>) -> Gate {
    let Some(account) = input.account.filter(|_| input.order.spec.action != OrderAction::Return) else {
        return Gate::Open;
    };
    match limits::check(account, input.order, input.commitments, input.now) {
        Some(message) => wait(Reason::AboveLimit, message),
        None => Gate::Open,
    }
}
