//! Renewal: who renews, when, and by which order.

use carpack_api::Mode;
use carpack_api::common::Time;
use carpack_api::order::{OrderAction, OrderState};
use carpack_api::pack::{ConcurrencyPackSpec, RenewFlag, RenewalMode, RenewalStrategy};
use carpack_api::{Money, PackOrder};
use jiff::{SignedDuration, Timestamp};

use super::claim::Claimed;
use super::finding::Finding;
use super::orders::{self, Draft};
use super::purchase::usable_account;
use super::view::View;
use crate::account::PriceProblem;
use crate::condition::RENEWAL_ON_TRACK;
use crate::money;
use crate::observation::seen_off;
use crate::time::{plus, renew_before, renewal_duration, short, since, term, term_in_words};

/// When the operator renews what expires at this moment; none when it does not.
pub fn next_renewal(spec: &ConcurrencyPackSpec, expiration: Timestamp) -> Option<Timestamp> {
    let until = spec.renewal.until.as_ref().map(|t| t.0);
    let wanted = spec.renewal.mode == RenewalMode::Operator && until.is_none_or(|until| expiration < until);
    wanted.then(|| plus(expiration, renew_before(spec).saturating_mul(-1)))
}

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
    Finding::good(RENEWAL_ON_TRACK, "EndsAsPlanned", format!("{why}: the pack ends at {at}"))
        .next(format!("ends at {at}"))
}

fn by_the_cloud(view: &View<'_>) -> Finding {
    let on = !view.carrying.is_empty() && view.carrying.iter().all(|c| c.flag() == RenewFlag::Auto);
    if !on {
        return Finding::working(
            RENEWAL_ON_TRACK,
            "AutoRenewNotSeenOn",
            "the cloud's own renewal is not seen on for every instance yet",
        );
    }
    let at = view.expiration.map(|at| short(at, view.input.now)).unwrap_or_else(|| "expiry".to_owned());
    let message = "the cloud renews it for one month on the day of expiry, if the balance suffices";
    let input = view.input;
    let quote = input.account.and_then(|a| a.quote(&input.pack.spec, input.pack.spec.quantity, 1).ok());
    let price = quote.map(|quote| format!(", {}", money::display(&quote))).unwrap_or_default();
    Finding::good(RENEWAL_ON_TRACK, "AutoRenew", message).next(format!("the cloud renews 1 month at {at}{price}"))
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
            "Vanished",
            "nothing is left that could be renewed: look into the console",
        );
    }
    let Some((first, _)) = moments.first().map(|(due, instance)| (*due, *instance)) else {
        return ends_as_planned(view, "renewal.until is reached");
    };
    let auto = view.carrying.iter().find(|c| !seen_off(c.flag(), spec.billing_mode));
    if let Some(instance) = auto {
        let message =
            format!("no renewal by the operator until the cloud's own renewal of {} is seen off", instance.id);
        return Finding::working(RENEWAL_ON_TRACK, "AutoRenewStillOn", message)
            .wake(first)
            .renewal(first)
            .wants_sweep();
    }
    let due: Vec<&Claimed<'_>> =
        moments.iter().filter(|(due, _)| *due <= input.now).map(|(_, instance)| *instance).collect();
    let duration = renewal_duration(spec);
    let lines = if due.is_empty() { moments.iter().map(|(_, i)| *i).collect() } else { due.clone() };
    let quantity = match strategy(spec) {
        RenewalStrategy::Extend => lines.iter().fold(0_i32, |sum, c| sum.saturating_add(c.concurrencies())),
        RenewalStrategy::Replace => spec.quantity,
    };
    let account = match usable_account(view) {
        Ok(account) => account,
        Err(finding) => return finding.about(RENEWAL_ON_TRACK).wake(first).renewal(first),
    };
    let quote = match account.quote(spec, quantity, duration) {
        Ok(quote) => quote,
        Err(PriceProblem::Unpriced(message)) => {
            return Finding::stuck(RENEWAL_ON_TRACK, "Unpriced", message).wake(first).renewal(first);
        }
        Err(PriceProblem::AboveMaxPrice(message)) => {
            return Finding::stuck(RENEWAL_ON_TRACK, "AboveMaxPrice", message).wake(first).renewal(first);
        }
    };
    let next = renewal_in_words(view, first, &quote);
    if view.mode <= Mode::DryRun {
        let reason = if view.mode == Mode::Observe { "Observing" } else { "DryRun" };
        let message = format!("mode {:?}: would {next}", view.mode);
        return Finding::held(RENEWAL_ON_TRACK, reason, message)
            .next(format!("nothing (mode {:?}): would {next}", view.mode))
            .wake(first);
    }
    if due.is_empty() {
        return Finding::good(RENEWAL_ON_TRACK, "Scheduled", next.clone()).next(next).wake(first).renewal(first);
    }
    if !view.fresh {
        return Finding::working(
            RENEWAL_ON_TRACK,
            "AwaitingObservation",
            "due; waits for a complete look at the account",
        )
        .renewal(first)
        .wants_sweep();
    }
    match strategy(spec) {
        RenewalStrategy::Extend => extend(view, &due, quote, next),
        RenewalStrategy::Replace => replace(view, quote, next),
    }
    .renewal(first)
}

fn strategy(spec: &ConcurrencyPackSpec) -> RenewalStrategy {
    spec.renewal.strategy.unwrap_or_default()
}

fn under_way(view: &View<'_>, order: &PackOrder) -> Finding {
    let (reason, message) = orders::standing(order);
    let name = orders::name_of(order);
    let due = view.expiration.and_then(|at| next_renewal(&view.input.pack.spec, at));
    if order.spec.action == OrderAction::Buy && !orders::is_successor(order) {
        let message = format!("no renewal before the purchase is settled: {message}");
        return Finding::working(RENEWAL_ON_TRACK, "AwaitingDelivery", message);
    }
    let finding = match order.status.as_ref().and_then(|s| s.state) {
        Some(OrderState::AwaitingApproval) => {
            let price = order.spec.quote.as_ref().map(money::display).unwrap_or_default();
            Finding::held(RENEWAL_ON_TRACK, "AwaitingApproval", message).next(format!("approve {name}, {price}"))
        }
        Some(OrderState::Ambiguous) => Finding::unsure(RENEWAL_ON_TRACK, "OrderAmbiguous", message)
            .next(format!("nothing until order {name} is settled")),
        Some(OrderState::InProgress) if matches!(reason, "PaidNotDelivered" | "Unpaid") => {
            Finding::stuck(RENEWAL_ON_TRACK, reason, message)
        }
        _ if reason == "Pending" || reason == "AwaitingDelivery" && order.spec.action == OrderAction::Renew => {
            match (due, &order.spec.quote) {
                (Some(due), Some(quote)) => {
                    let next = renewal_in_words(view, due, quote);
                    Finding::working(RENEWAL_ON_TRACK, "Renewing", next.clone()).next(next)
                }
                _ => Finding::working(RENEWAL_ON_TRACK, "Renewing", message),
            }
        }
        Some(OrderState::InProgress) => Finding::working(RENEWAL_ON_TRACK, "Renewing", message),
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

fn extend(view: &View<'_>, due: &[&Claimed<'_>], quote: Money, next: String) -> Finding {
    let input = view.input;
    let refusal = |c: &&Claimed<'_>| {
        let from = c.expiration?;
        orders::refused(orders::own(&input, OrderAction::Renew), Some(&c.id), from)
    };
    let open: Vec<&&Claimed<'_>> = due.iter().filter(|c| refusal(c).is_none()).collect();
    if open.is_empty() {
        return refused(view, due.iter().find_map(refusal));
    }
    let spec = &input.pack.spec;
    let quantity = open.iter().fold(0_i32, |sum, c| sum.saturating_add(c.concurrencies()));
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
    Finding::working(RENEWAL_ON_TRACK, "Renewing", next.clone()).effect(orders::create(&input, draft)).next(next)
}

fn replace(view: &View<'_>, quote: Money, next: String) -> Finding {
    let input = view.input;
    let spec = &input.pack.spec;
    let Some(latest) = view.claimed.iter().filter_map(|c| c.expiration).max() else {
        return Finding::stuck(RENEWAL_ON_TRACK, "ExpiryUnknown", "the cloud does not say when the pack expires");
    };
    // What it gains is counted from when the pack would have less than its quantity; `latest` only says what it renews.
    let ends = view.expiration.unwrap_or(latest);
    let duration = renewal_duration(spec);
    let length = term(spec.billing_mode, duration);
    let gain = since(plus(input.now, length), ends);
    if gain < length.checked_div(2).unwrap_or(SignedDuration::MAX) {
        let message = format!(
            "a successor bought now would last only {}h longer than what is there, less than half of its term: shorten renewBefore, or lengthen renewal.duration",
            gain.as_hours()
        );
        let half = plus(ends, length.checked_div(2).unwrap_or(SignedDuration::ZERO).saturating_mul(-1));
        return Finding::stuck(RENEWAL_ON_TRACK, "SuccessorGainsTooLittle", message).wake(half);
    }
    if let Some(order) = orders::refused(orders::own(&input, OrderAction::Buy), None, latest) {
        return refused(view, Some(order));
    }
    let draft = Draft {
        action: OrderAction::Buy,
        quantity: spec.quantity,
        duration,
        quote: Some(quote),
        deadline: deadline(spec, Some(latest)),
        lines: vec![(None, Some(latest))],
    };
    Finding::working(RENEWAL_ON_TRACK, "Renewing", next.clone()).effect(orders::create(&input, draft)).next(next)
}

fn refused(view: &View<'_>, order: Option<&PackOrder>) -> Finding {
    let Some(order) = order else {
        return Finding::stuck(RENEWAL_ON_TRACK, "Rejected", "the renewal was refused");
    };
    let (reason, message) = orders::standing(order);
    let name = orders::name_of(order);
    let message =
        format!("{message}; to try again, delete PackOrder {name} in namespace {}", view.input.operator_namespace);
    Finding::stuck(RENEWAL_ON_TRACK, reason, message)
}

fn deadline(spec: &ConcurrencyPackSpec, expiration: Option<Timestamp>) -> Option<Timestamp> {
    let until = spec.renewal.until.as_ref().map(|Time(t)| *t);
    expiration.into_iter().chain(until).min()
}
