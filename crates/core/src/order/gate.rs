//! The last gate before money moves: what stands between an unsent line and its call.

use carpack_api::common::Time;
use carpack_api::order::{ApprovalScope, Decision as Word, LineState, LineStatus, OrderAction, OrderLine, OrderState};
use carpack_api::pack::{InstanceState, RenewalMode, RenewalStrategy};
use carpack_api::{BillingMode, ConcurrencyPack, Mode, PackOrder, PackOrderSpec};
use jiff::{SignedDuration, Timestamp};

use super::Input;
use super::lines::{has_paid, is_paid, last_call};
use crate::account::{Account, Health, PriceProblem, check_max_price};
use crate::adoption::is_astray;
use crate::brake;
use crate::claim::{Claimed, Traces, claimed, is_outlasted, strangers, total};
use crate::limits::{self, is_first};
use crate::money;
use crate::names::is_order_of;
use crate::observation::{Instance, Observation, seen_off};
use crate::time::{is_renewed, is_same_expiry, next_renewal, plus, renewal_duration};

/// The look in hand is not new enough.
pub(super) const AWAITING_OBSERVATION: &str = "AwaitingObservation";

/// What is read or declared otherwise since the order was made.
const LASTS_UNTIL: &str = "what it renews lasts until renewal.until, and is not renewed";

const OUTLASTED: &str = "what outlasts the expiry that it renews from carries the whole pack already";

/// What stands between an unsent line and its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nothing.
    Open,
    /// Something that may pass.
    Wait {
        /// PascalCase reason.
        reason: &'static str,
        /// What it waits for.
        message: String,
        /// True when only a newer sweep can tell.
        wants_sweep: bool,
    },
    /// It is over: nothing was spent, and the same is not tried again.
    Reject(&'static str, String),
    /// No longer wanted.
    Void(String),
}

fn wait(reason: &'static str, message: impl Into<String>) -> Gate {
    Gate::Wait { reason, message: message.into(), wants_sweep: false }
}

/// Everything that stands between an order and its calls, but the look at the cloud.
pub(super) fn hold(input: &Input<'_>) -> Gate {
    let spec = &input.order.spec;
    if spec.approval.as_ref().is_some_and(|a| a.decision == Word::Denied) {
        return Gate::Reject("Denied", "denied by a person".to_owned());
    }
    if spec.deadline.as_ref().is_some_and(|deadline| is_past(input, deadline.0)) {
        return Gate::Reject("DeadlinePassed", "the order's deadline has passed".to_owned());
    }
    let wanted = [check_wanted(input), check_siblings(input), check_unreadable(input)];
    let allowed = [check_account(input), check_ladder(input)];
    let affordable = [check_price(input), check_brake(input), check_limits(input)];
    first(wanted.into_iter().chain(allowed).chain(affordable))
}

/// True when a moment is past by our clock and by the cloud's: what it ends is over for good, and clocks are set right again.
fn is_past(input: &Input<'_>, moment: Timestamp) -> bool {
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
    first([hold.clone(), check_bought(input, line), check_observed(input, cleared, line, state)].into_iter())
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
            return Gate::Reject("DeadlinePassed", "the pack's purchaseWindow has closed".to_owned());
        }
        if pack.spec.adopt.is_some() {
            return Gate::Void("the pack takes over what spec.adopt names, and buys nothing".to_owned());
        }
        if pack.status.as_ref().is_some_and(|status| !status.instances.is_empty()) {
            return Gate::Void("the pack has been bought already".to_owned());
        }
        return opening(pack, input.now).map_or(Gate::Open, |opens| wait("WaitingForWindow", opens_at(opens)));
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
    if pack.spec.renewal.until.as_ref().is_some_and(|until| input.now >= until.0) {
        return Gate::Void("renewal.until has passed".to_owned());
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
        return wait("EarlierOrderUnresolved", format!("waits until order {} is settled", name(other)));
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
        wait("OrderUnreadable", message)
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
fn others<'a>(input: &Input<'a>) -> impl Iterator<Item = &'a PackOrder> {
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
        let name = &spec.account_ref.name;
        return wait("AccountMissing", format!("there is no CarAccount {name} in the operator's namespace: create it"));
    };
    if !account.grants_namespace(&spec.pack_ref.namespace) {
        return wait("NamespaceNotGranted", not_granted(account, &spec.pack_ref.namespace));
    }
    if let Health::NotReady { reason, message } = &account.health {
        return wait(reason, message.clone());
    }
    if spec.action != OrderAction::Return && !account.can_buy(spec.terms.billing_mode) {
        return wait("BillingModeNotOffered", not_offered(account, spec.terms.billing_mode));
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
        Mode::Observe | Mode::DryRun => wait("HeldByMode", format!("held back: the mode is {mode:?}")),
        _ if needs_word && !is_approved(input) => {
            let name = input.order.metadata.name.as_deref().unwrap_or_default();
            let earlier = falls_short(input).unwrap_or_default();
            wait(
                "AwaitingApproval",
                format!(
                    "waits for approval: set spec.approval.decision of PackOrder {name} to Approved or Denied{earlier}"
                ),
            )
        }
        Mode::ApprovalRequired | Mode::Automatic => Gate::Open,
    }
}

fn is_approved(input: &Input<'_>) -> bool {
    let spec = &input.order.spec;
    let own = spec.approval.as_ref().is_some_and(|a| a.decision == Word::Approved);
    own || is_renewal(input.order) && input.siblings.iter().any(|other| covers(other, input.order, input.now))
}

fn is_renewal(order: &PackOrder) -> bool {
    order.spec.action == OrderAction::Renew || order.spec.lines.iter().any(|line| line.renews_from.is_some())
}

/// True when the approval of an earlier order reaches to this renewal: same pack, same terms, no higher price, in time.
fn covers(earlier: &PackOrder, renewal: &PackOrder, now: Timestamp) -> bool {
    is_meant_for(earlier, renewal, now) && same_terms(earlier, renewal) && no_higher_price(earlier, renewal)
}

/// Why the newest approval that was given for later renewals too does not reach to this one.
fn falls_short(input: &Input<'_>) -> Option<String> {
    let meant = input.siblings.iter().filter(|other| is_meant_for(other, input.order, input.now));
    let newest = meant.filter(|_| is_renewal(input.order)).max_by_key(|other| other.spec.decision_time.0)?;
    let name = newest.metadata.name.as_deref().unwrap_or_default();
    let (a, b) = (&newest.spec, &input.order.spec);
    let price = |spec: &PackOrderSpec| spec.quote.as_ref().map(money::display).unwrap_or_default();
    let why = match () {
        () if a.terms.duration != b.terms.duration => {
            format!("its duration is {}, this one's {}", a.terms.duration, b.terms.duration)
        }
        () if !same_terms(newest, input.order) => "its terms are others".to_owned(),
        () => format!("it was given for {}, and this one costs {}", price(a), price(b)),
    };
    Some(format!("; the approval of PackOrder {name} for later renewals does not reach to it: {why}"))
}

/// True while the approval of an earlier order is for later renewals of the same pack too.
fn is_meant_for(earlier: &PackOrder, renewal: &PackOrder, now: Timestamp) -> bool {
    let (a, b) = (&earlier.spec, &renewal.spec);
    covers_later_renewals(a, now) && a.pack_ref == b.pack_ref && a.account_ref == b.account_ref
}

fn no_higher_price(earlier: &PackOrder, renewal: &PackOrder) -> bool {
    match (&renewal.spec.quote, &earlier.spec.quote) {
        (Some(new), Some(old)) => check_max_price(new, Some(old)).is_ok(),
        _ => false,
    }
}

/// True while the approval of an order reaches to later renewals.
pub(super) fn covers_later_renewals(spec: &PackOrderSpec, now: Timestamp) -> bool {
    spec.approval.as_ref().is_some_and(|approval| {
        approval.decision == Word::Approved
            && approval.scope == ApprovalScope::ThisAndLaterRenewals
            && approval.until.as_ref().is_none_or(|until| now < until.0)
    })
}

fn same_terms(earlier: &PackOrder, renewal: &PackOrder) -> bool {
    let (a, b) = (&earlier.spec.terms, &renewal.spec.terms);
    a.application_type == b.application_type
        && a.billing_mode == b.billing_mode
        && a.region == b.region
        && a.concurrency_scale == b.concurrency_scale
        && a.duration == b.duration
        && b.quantity <= a.quantity
}

/// Unpriced, dearer than quoted, or above the pack's maxPrice: no call.
fn check_price(input: &Input<'_>) -> Gate {
    let spec = &input.order.spec;
    let (Some(account), Some(pack)) = (input.account, input.pack) else { return Gate::Open };
    if spec.action == OrderAction::Return {
        return Gate::Open;
    }
    match account.quote(&pack.spec, spec.terms.quantity, spec.terms.duration) {
        Err(PriceProblem::Unpriced(message)) => wait("Unpriced", message),
        Err(PriceProblem::AboveMaxPrice(message)) => wait("AboveMaxPrice", message),
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
    input.account.and_then(check).map_or(Gate::Open, |message| wait("BrakeOn", message))
}

/// Limits count what is spent and what is on its way, and a purchase leaves room for the renewals that are due.
fn check_limits(input: &Input<'_>) -> Gate {
    let Some(account) = input.account.filter(|_| input.order.spec.action != OrderAction::Return) else {
        return Gate::Open;
    };
    match limits::check(account, input.order, input.commitments, input.now) {
        Some(message) => wait("AboveLimit", message),
        None => Gate::Open,
    }
}

/// What a sweep must show before money moves. It is newer than the order, than the last call for the line or by another order of the pack, and than the
/// moment since which nothing else holds the order: while it was held, a person may have been at the console.
fn check_observed(input: &Input<'_>, cleared: Option<Timestamp>, line: &OrderLine, state: &LineStatus) -> Gate {
    let spec = &input.order.spec;
    let calls = others(input).flat_map(|o| &o.status).flat_map(|status| &status.lines).chain([state]);
    let since = last_call(calls).into_iter().chain(cleared).fold(spec.decision_time.0, Timestamp::max);
    let fresh = |o: &&Observation| o.started > since && input.now.duration_since(o.started) < input.timing.stale_after;
    let Some(observation) = input.observation.filter(fresh) else {
        let message = "waits for a look at the cloud that is newer than the order".to_owned();
        return Gate::Wait { reason: AWAITING_OBSERVATION, message, wants_sweep: true };
    };
    match spec.action {
        OrderAction::Buy => check_purchase(input, line, observation),
        OrderAction::Renew => check_renewal(input, line, observation),
        OrderAction::Return => match line.instance_id.as_ref().and_then(|id| observation.instances.get(id)) {
            Some(_) => Gate::Open,
            None => Gate::Void("the instance is no longer listed".to_owned()),
        },
    }
}

fn check_purchase(input: &Input<'_>, line: &OrderLine, observation: &Observation) -> Gate {
    let Some(traces) = input.traces() else { return Gate::Open };
    let claimed = claimed(traces);
    let taken = observation.instances.values().find(|i| i.is_named(&input.order.spec.pack_name));
    if let Some(instance) = taken.or_else(|| strangers(traces, &claimed).next()) {
        return wait("NameTaken", stands_already(instance));
    }
    let Some(Time(ends)) = line.renews_from else { return check_place(input, traces) };
    let ending = claimed.iter().find(|c| {
        let here = c.state == InstanceState::Usable && c.observed.is_some();
        here && c.expiration.is_some_and(|at| is_same_expiry(at, ends))
    });
    match ending {
        _ if is_outlasted(traces, &claimed, ends) => Gate::Void(OUTLASTED.to_owned()),
        Some(ending) if ending.observed.is_some_and(|observed| is_astray(traces.pack, observed)) => {
            Gate::Void(lost_its_name(&ending.id))
        }
        Some(ending) => check_until(input, ending.expiration),
        None => wait("Vanished", "what it replaces is not listed by the cloud"),
    }
}

/// A pack is not bought for a project that cannot take it any more.
fn check_place(input: &Input<'_>, traces: Traces<'_>) -> Gate {
    let Traces { pack, observation, .. } = traces;
    let (Some(account), Some(project)) = (input.account, pack.spec.project.as_deref()) else { return Gate::Open };
    check_project(pack, account, observation, project).map_or(Gate::Open, |(reason, message)| wait(reason, message))
}

/// Why the pack cannot be bound to a project, if it cannot.
pub(crate) fn check_project(
    pack: &ConcurrencyPack,
    account: &Account,
    observation: Option<&Observation>,
    project: &str,
) -> Option<(&'static str, String)> {
    let namespace = pack.metadata.namespace.as_deref().unwrap_or_default();
    if !account.grants_project(namespace, project) {
        let message = format!(
            "namespace {namespace} may not bind packs to project {project}: add the project to its entry in the tenants of account {}",
            account.name
        );
        return Some(("ProjectNotGranted", message));
    }
    let Some(found) = observation.and_then(|o| o.projects.get(project)) else {
        return Some(("ProjectNotFound", format!("the account has no project {project}: check spec.project")));
    };
    let wanted = &pack.spec.concurrency_scale;
    match found.scale.as_ref() {
        Some(scale) if scale == wanted => None,
        Some(scale) => Some((
            "ScaleMismatch",
            format!(
                "project {project} is of scale {scale} and this pack of {wanted}: a pack can only be bound to a project of its own scale"
            ),
        )),
        None => Some(("ScaleUnknown", format!("the cloud does not say of which scale project {project} is"))),
    }
}

pub(crate) fn stands_already(instance: &Instance) -> String {
    format!(
        "instance {} already stands in the account under this pack's name ({}): it is not bought a second time; return or rename it in the console, or let it run out",
        instance.id,
        instance.name.as_deref().unwrap_or_default()
    )
}

fn lost_its_name(id: &str) -> String {
    format!("instance {id}, which was taken over, does not carry the pack's name any more")
}

/// A renewal that was due by an earlier reading of the expiry, or an earlier `until`, may not be wanted any more.
fn check_until(input: &Input<'_>, expiration: Option<Timestamp>) -> Gate {
    match input.pack.zip(expiration).map(|(pack, at)| next_renewal(&pack.spec, at)) {
        Some(None) => Gate::Void(LASTS_UNTIL.to_owned()),
        Some(Some(_)) | None => Gate::Open,
    }
}

fn check_renewal(input: &Input<'_>, line: &OrderLine, observation: &Observation) -> Gate {
    let (Some(id), Some(from)) = (&line.instance_id, &line.renews_from) else {
        return Gate::Reject("InvalidOrder", "the line names no instance and expiry".to_owned());
    };
    let Some(instance) = observation.instances.get(id) else {
        return wait("Vanished", format!("instance {id} is not listed by the cloud"));
    };
    match instance.expiration {
        Some(expiration) if !is_same_expiry(expiration, from.0) => {
            return Gate::Void("the expiry that it renews from has moved".to_owned());
        }
        None => return wait("ExpiryUnknown", format!("the cloud does not say when instance {id} expires")),
        Some(_) if is_past(input, from.0) || instance.isolated => {
            return Gate::Reject("DeadlinePassed", format!("instance {id} has expired"));
        }
        Some(_) => {}
    }
    let until = check_until(input, instance.expiration);
    if until != Gate::Open {
        return until;
    }
    if let Some(traces) = input.traces() {
        if is_astray(traces.pack, instance) {
            return Gate::Void(lost_its_name(id));
        }
        let claimed = claimed(traces);
        if is_outlasted(traces, &claimed, from.0) {
            return Gate::Void(OUTLASTED.to_owned());
        }
        let spec = &input.order.spec;
        let ours = |c: &&Claimed<'_>| spec.lines.iter().any(|line| line.instance_id.as_ref() == Some(&c.id));
        let held = total(claimed.iter().filter(ours));
        if held > spec.terms.quantity {
            return Gate::Void(format!(
                "its instances hold {held} concurrencies, and it was made and priced for {}",
                spec.terms.quantity
            ));
        }
    }
    if !seen_off(instance.renew_flag, input.order.spec.terms.billing_mode) {
        let message = format!("the cloud's own renewal of instance {id} is not seen off yet");
        return Gate::Wait { reason: "AutoRenewStillOn", message, wants_sweep: true };
    }
    Gate::Open
}
