//! Renewal: who renews, when, and by which order.

use carpack_api::order::{OrderAction, OrderState};
use carpack_api::pack::{RenewFlag, RenewalMode, RenewalStrategy};
use carpack_api::{Money, PackOrder, Reason};
use jiff::Timestamp;

use super::due::Due;
use super::finding::{Finding, Progress, check};
use super::view::View;
use super::{extension, orders, successor};
use crate::condition::RENEWAL_ON_TRACK;
use crate::facts::holdings::Claimed;
use crate::facts::ledger::{is_first_purchase, name_of};
use crate::money;
use crate::rules::access::{account_exists, account_is_ready, billing_mode_is_offered, namespace_is_granted};
use crate::rules::case::Rule;
use crate::rules::expiry::clouds_own_renewal_is_off;
use crate::rules::ladder::mode_allows_action;
use crate::rules::price::{price_is_allowed, quote};
use crate::time::{next_renewal, renewal_duration, short, term_in_words};

/// What must hold before the operator renews, and how the pack reports what does not. They are asked one after another, also before
/// the renewal is due, so that an obstacle is known in time. They are asked again before the call leaves: compare with `RENEWAL` and
/// `SUCCESSOR` in `order/chains.rs`.
const RULES: &[(Rule, Progress)] = &[
    (clouds_own_renewal_is_off, Progress::Working),
    (account_exists, Progress::Stuck),
    (namespace_is_granted, Progress::Stuck),
    (account_is_ready, Progress::Working),
    (billing_mode_is_offered, Progress::Stuck),
    (price_is_allowed, Progress::Stuck),
    (mode_allows_action, Progress::Held),
];

/// Plans the renewal of a pack that is bought and not expired.
pub(super) fn plan(view: &View<'_>) -> Finding {
    let spec = &view.input.pack.spec;
    match spec.renewal.mode {
        RenewalMode::None => ends_as_planned(view, "renewal.mode is None"),
        RenewalMode::AutoRenew => renewed_by_the_cloud(view),
        RenewalMode::Operator => plan_operator_renewal(view),
    }
}

fn ends_as_planned(view: &View<'_>, why: &str) -> Finding {
    let at = view.expiration.map(|at| short(at, view.input.now)).unwrap_or_else(|| "its expiry".to_owned());
    Finding::good(RENEWAL_ON_TRACK, Reason::EndsAsPlanned, format!("{why}: the pack ends at {at}"))
        .next(format!("ends at {at}"))
}

fn renewed_by_the_cloud(view: &View<'_>) -> Finding {
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
    let quote = input.account.and_then(|a| quote(a, &input.pack.spec, input.pack.spec.quantity, 1).ok());
    let price = quote.map(|quote| format!(", {}", money::display(&quote))).unwrap_or_default();
    Finding::good(RENEWAL_ON_TRACK, Reason::AutoRenew, message).next(format!("the cloud renews 1 month at {at}{price}"))
}

/// Plans a renewal by the operator: due moments, then barriers, then the quote, then the order.
fn plan_operator_renewal(view: &View<'_>) -> Finding {
    let input = view.input;
    let spec = &input.pack.spec;
    if let Some(order) = orders::open(&input) {
        return under_way(view, order);
    }
    if spec.renewal.until.as_ref().is_some_and(|until| input.now >= until.0) {
        return ends_as_planned(view, "renewal.until has passed");
    }
    let due = match next_due(view) {
        Ok(due) => due,
        Err(finding) => return *finding,
    };
    let words = due.quote.as_ref().map(|quote| renewal_in_words(view, due.first, quote)).unwrap_or_default();
    let case = view.case.of_terms(quantity_of(view, &due.instances), renewal_duration(spec));
    if let Err(finding) = check(RENEWAL_ON_TRACK, &case, RULES) {
        return match finding.reason {
            Reason::HeldByMode => Finding::only_reports(RENEWAL_ON_TRACK, view.mode, &words).wake(due.first),
            _ => finding.wake(due.first).renewal(due.first),
        };
    }
    if due.instances.is_empty() {
        let scheduled = Finding::good(RENEWAL_ON_TRACK, Reason::Scheduled, words.clone());
        return scheduled.next(words).wake(due.first).renewal(due.first);
    }
    if !view.fresh {
        let message = "due; waits for a complete sweep of the account";
        let waits = Finding::working(RENEWAL_ON_TRACK, Reason::AwaitingObservation, message);
        return waits.renewal(due.first).wants_sweep();
    }
    let finding = match strategy(view) {
        RenewalStrategy::Extend => extension::plan(view, &due, words),
        RenewalStrategy::Replace => successor::plan(view, &due, words),
    };
    finding.renewal(due.first)
}

/// The next renewal.
///
/// # Errors
/// When there is none, or nobody knows when: what the pack reports.
fn next_due<'v, 'a>(view: &'v View<'a>) -> Result<Due<'v, 'a>, Box<Finding>> {
    let (spec, now) = (&view.input.pack.spec, view.input.now);
    if view.carrying.is_empty() {
        let message = "nothing is left that could be renewed: look into the console";
        return Err(Box::new(Finding::stuck(RENEWAL_ON_TRACK, Reason::Vanished, message)));
    }
    let Some(ends) = view.expiration else {
        let message = "the cloud does not say when the pack expires: nothing is renewed before it does";
        return Err(Box::new(Finding::stuck(RENEWAL_ON_TRACK, Reason::ExpiryUnknown, message).wants_sweep()));
    };
    let moment = |instance: &'v Claimed<'a>| Some((next_renewal(spec, instance.expiration?)?, instance));
    let mut moments: Vec<(Timestamp, &Claimed<'_>)> = view.carrying.iter().filter_map(moment).collect();
    moments.sort_by_key(|(at, _)| *at);
    let Some((first, _)) = moments.first().copied() else {
        return Err(Box::new(ends_as_planned(view, "renewal.until is reached")));
    };
    let instances: Vec<_> = moments.iter().filter(|(at, _)| *at <= now).map(|(_, instance)| *instance).collect();
    let quantity = quantity_of(view, &instances);
    let account = view.input.account;
    let quote = account.and_then(|account| quote(account, spec, quantity, renewal_duration(spec)).ok());
    Ok(Due { first, ends, instances, quote })
}

/// How many concurrencies the next order pays for: of what is due or, before anything is, of all that is renewed.
fn quantity_of(view: &View<'_>, due: &[&Claimed<'_>]) -> i32 {
    match strategy(view) {
        RenewalStrategy::Replace => view.input.pack.spec.quantity,
        RenewalStrategy::Extend if !due.is_empty() => extension::quantity_of(view, due),
        RenewalStrategy::Extend => {
            let renewed =
                |c: &&Claimed<'_>| c.expiration.is_some_and(|at| next_renewal(&view.input.pack.spec, at).is_some());
            extension::quantity_of(view, &view.carrying.iter().filter(renewed).collect::<Vec<_>>())
        }
    }
}

fn strategy(view: &View<'_>) -> RenewalStrategy {
    view.input.pack.spec.renewal.strategy.unwrap_or_default()
}

fn under_way(view: &View<'_>, order: &PackOrder) -> Finding {
    let (reason, message) = orders::standing(order);
    let name = name_of(order);
    let due = view.expiration.and_then(|at| next_renewal(&view.input.pack.spec, at));
    if is_first_purchase(&order.spec) {
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
