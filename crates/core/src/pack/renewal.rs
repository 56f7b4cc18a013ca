//! Renewal: who renews, when, and by which order.

use carpack_api::Mode;
use carpack_api::common::Time;
use carpack_api::order::{OrderAction, OrderState};
use carpack_api::pack::{ConcurrencyPackSpec, InstanceState, RenewFlag, RenewalMode, RenewalStrategy};
use carpack_api::{Money, PackOrder, Reason};
use jiff::{SignedDuration, Timestamp};

use super::Change;
use super::finding::Finding;
use super::flags::new_name;
use super::orders::{self, Draft};
use super::purchase::{name_taken, usable_account};
use super::view::View;
use crate::account::PriceProblem;
use crate::adoption::{is_adopted, is_astray};
use crate::claim::{Claimed, brought, is_outlasted, total};
use crate::condition::RENEWAL_ON_TRACK;
use crate::limits::is_first;
use crate::money;
use crate::observation::seen_off;
use crate::order::{last_call, stands_already};
use crate::time::{next_renewal, plus, renew_before, renewal_duration, short, since, term, term_in_words};

/// Plans the renewal of a pack that is bought and not expired.
pub(super) fn plan(view: &View<'_>) -> Finding {
    let spec = &view.input.pack.spec;
    match spec.renewal.mode {
        RenewalMode::None => ends_as_planned(view, "renewal.mode is None"),
        RenewalMode::AutoRenew => by_the_cloud(view),
        RenewalMode::Operator => by_us(view),
    }
}

fn ends_as_planned(view: &View<'_>, why: &str) -> Finding {
    let at = view.expiration.map(|at| short(at, view.input.now)).unwrap_or_else(|| "its expiry".to_owned());
    Finding::good(RENEWAL_ON_TRACK, Reason::EndsAsPlanned, format!("{why}: the pack ends at {at}"))
        .next(format!("ends at {at}"))
}

fn by_the_cloud(view: &View<'_>) -> Finding {
    let on = !view.carrying.is_empty() && view.carrying.iter().all(|c| c.flag() == RenewFlag::Auto);
    if !on {
        return Finding::working(
            RENEWAL_ON_TRACK,
            Reason::AutoRenewNotSeenOn,
            "the cloud's own renewal is not seen on for every instance yet",
        );
    }
    let at = view.expiration.map(|at| short(at, view.input.now)).unwrap_or_else(|| "expiry".to_owned());
    let message = "the cloud renews it for one month on the day of expiry, if the balance suffices";
    let input = view.input;
    let quote = input.account.and_then(|a| a.quote(&input.pack.spec, input.pack.spec.quantity, 1).ok());
    let price = quote.map(|quote| format!(", {}", money::display(&quote))).unwrap_or_default();
    Finding::good(RENEWAL_ON_TRACK, Reason::AutoRenew, message).next(format!("the cloud renews 1 month at {at}{price}"))
}

fn by_us(view: &View<'_>) -> Finding {
    let input = view.input;
    let spec = &input.pack.spec;
    if let Some(order) = orders::open(&input) {
        return under_way(view, order);
    }
    if spec.renewal.until.as_ref().is_some_and(|until| input.now >= until.0) {
        return ends_as_planned(view, "renewal.until has passed");
    }
    let mut moments: Vec<(Timestamp, &Claimed<'_>)> = Vec::new();
    for instance in &view.carrying {
        if let Some(due) = instance.expiration.and_then(|at| next_renewal(spec, at)) {
            moments.push((due, instance));
        }
    }
    moments.sort_by_key(|(due, _)| *due);
    if view.carrying.is_empty() {
        return Finding::stuck(
            RENEWAL_ON_TRACK,
            Reason::Vanished,
            "nothing is left that could be renewed: look into the console",
        );
    }
    let Some(ends) = view.expiration else {
        let message = "the cloud does not say when the pack expires: nothing is renewed before it does";
        return Finding::stuck(RENEWAL_ON_TRACK, Reason::ExpiryUnknown, message).wants_sweep();
    };
    let Some((first, _)) = moments.first().map(|(due, instance)| (*due, *instance)) else {
        return ends_as_planned(view, "renewal.until is reached");
    };
    let auto = view.carrying.iter().find(|c| !seen_off(c.flag(), spec.billing_mode));
    if let Some(instance) = auto {
        let message =
            format!("no renewal by the operator until the cloud's own renewal of {} is seen off", instance.id);
        return Finding::working(RENEWAL_ON_TRACK, Reason::AutoRenewStillOn, message)
            .wake(first)
            .renewal(first)
            .wants_sweep();
    }
    let due: Vec<&Claimed<'_>> =
        moments.iter().filter(|(due, _)| *due <= input.now).map(|(_, instance)| *instance).collect();
    let duration = renewal_duration(spec);
    let lines = if due.is_empty() { moments.iter().map(|(_, i)| *i).collect() } else { due.clone() };
    let quantity = match strategy(spec) {
        RenewalStrategy::Extend => extended(view, &lines),
        RenewalStrategy::Replace => spec.quantity,
    };
    let account = match usable_account(view) {
        Ok(account) => account,
        Err(finding) => return finding.about(RENEWAL_ON_TRACK).wake(first).renewal(first),
    };
    let quote = match account.quote(spec, quantity, duration) {
        Ok(quote) => quote,
        Err(PriceProblem::Unpriced(message)) => {
            return Finding::stuck(RENEWAL_ON_TRACK, Reason::Unpriced, message).wake(first).renewal(first);
        }
        Err(PriceProblem::AboveMaxPrice(message)) => {
            return Finding::stuck(RENEWAL_ON_TRACK, Reason::AboveMaxPrice, message).wake(first).renewal(first);
        }
    };
    let next = renewal_in_words(view, first, &quote);
    if view.mode <= Mode::DryRun {
        return Finding::only_looks(RENEWAL_ON_TRACK, view.mode, &next).wake(first);
    }
    if due.is_empty() {
        return Finding::good(RENEWAL_ON_TRACK, Reason::Scheduled, next.clone()).next(next).wake(first).renewal(first);
    }
    if !view.fresh {
        return Finding::working(
            RENEWAL_ON_TRACK,
            Reason::AwaitingObservation,
            "due; waits for a complete look at the account",
        )
        .renewal(first)
        .wants_sweep();
    }
    let finding = match strategy(spec) {
        RenewalStrategy::Extend => {
            // One order for all: what gets its name is waited for, while there is time. What cannot have one holds back no other.
            let named: Vec<&Claimed<'_>> = due.iter().copied().filter(|c| to_be_named(view, c).is_none()).collect();
            let in_time = since(ends, input.now) > renew_before(spec).checked_div(4).unwrap_or_default();
            let mut waits = due.iter().filter(|c| named.is_empty() || in_time && is_being_named(view, c));
            waits.find_map(|c| name_not_seen(view, c)).unwrap_or_else(|| extend(view, &named, quote, next))
        }
        RenewalStrategy::Replace => {
            let successor = orders::next_pack_name(&input);
            let in_its_way = |c: &&Claimed<'_>| c.observed.is_some_and(|observed| observed.is_named(&successor));
            let mut waits = due.iter().copied().chain(view.usable().filter(in_its_way));
            waits.find_map(|c| name_not_seen(view, c)).unwrap_or_else(|| replace(view, ends, &successor, quote, next))
        }
    };
    finding.renewal(first)
}

/// True while a name is on its way that nobody has refused.
fn is_being_named(view: &View<'_>, instance: &Claimed<'_>) -> bool {
    let refused = |name| view.failure(&Change::Rename { id: instance.id.clone(), name }).is_some();
    to_be_named(view, instance).is_some_and(|name| !refused(name))
}

/// The name that an instance which was taken over is to carry before money is spent on it, while it carries another. Where it
/// gets a successor, that is its very own one: the successor is bought under another name of the pack.
fn to_be_named(view: &View<'_>, instance: &Claimed<'_>) -> Option<String> {
    let pack = view.input.pack;
    let observed = instance.observed.filter(|observed| is_adopted(pack, &observed.id))?;
    let replaced = strategy(&pack.spec) == RenewalStrategy::Replace;
    new_name(view, instance).filter(|_| replaced || is_astray(pack, observed))
}

fn name_not_seen(view: &View<'_>, instance: &Claimed<'_>) -> Option<Finding> {
    let name = to_be_named(view, instance)?;
    let id = instance.id.clone();
    let message = format!(
        "instance {id}, which was taken over, is renewed or replaced once it carries the pack's name: if it does not get it by itself, rename it to {name} in the console"
    );
    let finding = match view.failure(&Change::Rename { id, name }) {
        Some(_) => Finding::stuck(RENEWAL_ON_TRACK, Reason::NameNotSeen, message),
        None => Finding::working(RENEWAL_ON_TRACK, Reason::NameNotSeen, message),
    };
    Some(finding.wants_sweep())
}

fn strategy(spec: &ConcurrencyPackSpec) -> RenewalStrategy {
    spec.renewal.strategy.unwrap_or_default()
}

fn under_way(view: &View<'_>, order: &PackOrder) -> Finding {
    let (reason, message) = orders::standing(order);
    let name = orders::name_of(order);
    let due = view.expiration.and_then(|at| next_renewal(&view.input.pack.spec, at));
    if is_first(&order.spec) {
        let message = format!("no renewal before the purchase is settled: {message}");
        return Finding::working(RENEWAL_ON_TRACK, Reason::AwaitingDelivery, message);
    }
    let finding = match order.status.as_ref().and_then(|s| s.state) {
        Some(OrderState::AwaitingApproval) => {
            let price = order.spec.quote.as_ref().map(money::display).unwrap_or_default();
            Finding::held(RENEWAL_ON_TRACK, Reason::AwaitingApproval, message).next(format!("approve {name}, {price}"))
        }
        Some(OrderState::Ambiguous) => Finding::unsure(RENEWAL_ON_TRACK, Reason::OrderAmbiguous, message)
            .next(format!("nothing until order {name} is settled")),
        Some(OrderState::InProgress) if matches!(reason, Reason::PaidNotDelivered | Reason::Unpaid) => {
            Finding::stuck(RENEWAL_ON_TRACK, reason, message)
        }
        _ if reason == Reason::Pending
            || reason == Reason::AwaitingDelivery && order.spec.action == OrderAction::Renew =>
        {
            match (due, &order.spec.quote) {
                (Some(due), Some(quote)) => {
                    let next = renewal_in_words(view, due, quote);
                    Finding::working(RENEWAL_ON_TRACK, Reason::Renewing, next.clone()).next(next)
                }
                _ => Finding::working(RENEWAL_ON_TRACK, Reason::Renewing, message),
            }
        }
        Some(OrderState::InProgress) => Finding::working(RENEWAL_ON_TRACK, Reason::Renewing, message),
        _ => Finding::working(RENEWAL_ON_TRACK, reason, message),
    };
    due.map_or(finding.clone(), |due| finding.renewal(due))
}

/// "renew 1 day at 12-04 09:59Z, 2100.00 USD"
fn renewal_in_words(view: &View<'_>, due: Timestamp, quote: &Money) -> String {
    let spec = &view.input.pack.spec;
    let term = term_in_words(spec.billing_mode, renewal_duration(spec));
    format!("renew {term} at {}, {}", short(due, view.input.now), money::display(quote))
}

/// Concurrencies that are renewed with these instances: while the cloud does not say it of each of them, all that one purchase
/// brings. What is approved and counted is not less than what is charged for them.
fn extended(view: &View<'_>, instances: &[&Claimed<'_>]) -> i32 {
    let sum = total(instances.iter().copied());
    let known = instances.iter().all(|c| c.known_concurrencies().is_some());
    if known { sum } else { sum.max(view.input.pack.spec.quantity) }
}

fn extend(view: &View<'_>, due: &[&Claimed<'_>], quote: Money, next: String) -> Finding {
    let input = view.input;
    let barred = |c: &&Claimed<'_>| barred(view, OrderAction::Renew, Some(&c.id), c.expiration?);
    let open: Vec<&Claimed<'_>> = due.iter().copied().filter(|c| barred(c).is_none()).collect();
    if open.is_empty()
        && let Some(finding) = due.iter().find_map(barred)
    {
        return finding;
    }
    let spec = &input.pack.spec;
    let quantity = extended(view, &open);
    let quote = match input.account.map(|a| a.quote(spec, quantity, renewal_duration(spec))) {
        Some(Ok(quote)) => quote,
        _ => quote,
    };
    let draft = Draft {
        action: OrderAction::Renew,
        quantity,
        duration: renewal_duration(spec),
        quote: Some(quote),
        deadline: deadline(spec, open.iter().filter_map(|c| c.expiration).max()),
        lines: open.iter().map(|c| (Some(c.id.clone()), c.expiration)).collect(),
    };
    Finding::working(RENEWAL_ON_TRACK, Reason::Renewing, next.clone()).effect(orders::create(&input, draft)).next(next)
}

/// A successor of this name, for the moment from which the pack would have less than its quantity.
fn replace(view: &View<'_>, ends: Timestamp, successor: &str, quote: Money, next: String) -> Finding {
    let input = view.input;
    let spec = &input.pack.spec;
    let duration = renewal_duration(spec);
    let length = term(spec.billing_mode, duration);
    let gain = since(plus(input.now, length), ends);
    if gain < length.checked_div(2).unwrap_or(SignedDuration::MAX) {
        let message = format!(
            "a successor bought now would last only {}h longer than what is there, less than half of its term: shorten renewBefore, or lengthen renewal.duration",
            gain.as_hours()
        );
        let half = plus(ends, length.checked_div(2).unwrap_or(SignedDuration::ZERO).saturating_mul(-1));
        return Finding::stuck(RENEWAL_ON_TRACK, Reason::SuccessorGainsTooLittle, message).wake(half);
    }
    if let Some(finding) = barred(view, OrderAction::Buy, None, ends) {
        return finding;
    }
    // A successor that nobody claims: the order that would be made is void, and so is each after it.
    if let Some(finding) = name_taken(view) {
        return finding.about(RENEWAL_ON_TRACK);
    }
    // Nor one that waits for its name: while an order is open, nothing gives up a name.
    let mut listed = input.observation.iter().flat_map(|observation| observation.instances.values());
    if let Some(instance) = listed.find(|instance| instance.is_named(successor)) {
        return Finding::stuck(RENEWAL_ON_TRACK, Reason::NameTaken, stands_already(instance));
    }
    let draft = Draft {
        action: OrderAction::Buy,
        quantity: spec.quantity,
        duration,
        quote: Some(quote),
        deadline: deadline(spec, Some(ends)),
        lines: vec![(None, Some(ends))],
    };
    Finding::working(RENEWAL_ON_TRACK, Reason::Renewing, next.clone()).effect(orders::create(&input, draft)).next(next)
}

/// Why this expiry is not renewed by another order: one was paid for it, or one was refused for good.
fn barred(view: &View<'_>, action: OrderAction, instance: Option<&str>, from: Timestamp) -> Option<Finding> {
    let input = view.input;
    if let Some(finding) = outlasted(view, from) {
        return Some(finding);
    }
    let way_out = |order| {
        let name = orders::name_of(order);
        format!("delete PackOrder {name} in namespace {}", input.operator_namespace)
    };
    // What a successor was bought for is not renewed either.
    // An instance is the same under whatever object of this name it was renewed; the end of a pack is that of this very object.
    let known = input.orders.iter().copied().filter(|order| instance.is_some() || orders::is_own(&input, order));
    let paid = orders::paid_for(known, action, instance, from);
    let replaced = || orders::paid_for(orders::own(&input, OrderAction::Buy), OrderAction::Buy, None, from);
    if let Some(order) = paid.or_else(replaced) {
        let sent = last_call(order.status.iter().flat_map(|status| &status.lines)).unwrap_or(from);
        let late = plus(sent, input.timing.delivery_grace);
        let name = orders::name_of(order);
        if input.now < late {
            let message = format!("order {name} has renewed it; waits until the cloud shows it again");
            return Some(
                Finding::working(RENEWAL_ON_TRACK, Reason::AwaitingDelivery, message).wake(late).wants_sweep(),
            );
        }
        let brought: Vec<_> = view.usable().filter(|c| brought(order, c)).collect();
        if order.spec.action == OrderAction::Buy && !brought.is_empty() {
            if brought.iter().any(|c| c.known_concurrencies().is_none()) {
                let message = format!(
                    "order {name} has bought the successor, and the cloud does not say how many concurrencies its instances hold"
                );
                return Some(Finding::unsure(RENEWAL_ON_TRACK, Reason::CountUnknown, message));
            }
            let message = format!(
                "order {name} has bought the successor, and the cloud shows {} of its {} concurrencies: ask the cloud's support; it is never bought again",
                total(brought),
                order.spec.terms.quantity
            );
            return Some(Finding::stuck(RENEWAL_ON_TRACK, Reason::PartiallyDelivered, message));
        }
        let message = format!(
            "order {name} has renewed it, and the cloud does not show it: ask the cloud's support; only if it was not, {}: then it is renewed once more",
            way_out(order)
        );
        return Some(Finding::stuck(RENEWAL_ON_TRACK, Reason::PaidNotDelivered, message));
    }
    let order = orders::refused(orders::own(&input, action), instance, from)?;
    let (reason, message) = orders::standing(order);
    Some(Finding::stuck(RENEWAL_ON_TRACK, reason, format!("{message}; to try again, {}", way_out(order))))
}

/// Why nothing is bought or renewed for this expiry: the pack would last longer with what a look misses.
fn outlasted(view: &View<'_>, from: Timestamp) -> Option<Finding> {
    let input = view.input;
    if !is_outlasted(input.traces(), &view.claimed, from) {
        return None;
    }
    let missing = |c: &&Claimed<'_>| c.state == InstanceState::Missing && c.expiration.is_some_and(|at| at > from);
    let missing: Vec<&Claimed<'_>> = view.claimed.iter().filter(missing).collect();
    let ids: Vec<&str> = missing.iter().map(|c| c.id.as_str()).collect();
    let bought = orders::own(&input, OrderAction::Buy).find(|order| missing.iter().any(|c| brought(order, c)));
    let message = format!(
        "{} of the pack are no longer listed by the cloud, and nothing is bought or renewed in their place: look into the console; only if they were returned, delete PackOrder {} in namespace {}",
        ids.join(", "),
        bought.map(orders::name_of).unwrap_or_default(),
        input.operator_namespace
    );
    Some(Finding::stuck(RENEWAL_ON_TRACK, Reason::Vanished, message).wants_sweep())
}

fn deadline(spec: &ConcurrencyPackSpec, expiration: Option<Timestamp>) -> Option<Timestamp> {
    let until = spec.renewal.until.as_ref().map(|Time(t)| *t);
    expiration.into_iter().chain(until).min()
}
