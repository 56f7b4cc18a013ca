//! The stages of a pack's life: not bought, bought, undelivered, expired. Each gathers the findings of its concerns.

use carpack_api::order::OrderAction;
use carpack_api::pack::{InstanceState, RenewFlag, RenewalMode};
use carpack_api::{PackOrder, Reason};

use super::finding::{Finding, Progress};
use super::input::{Decision, Input};
use super::readiness::{purchased, ready};
use super::report::finish;
use super::view::View;
use super::{adoption, assignment, flags, naming, orders, purchase, renewal};
use crate::account::wants_auto_renew;
use crate::condition::{ASSIGNED, ENDED, PURCHASED, READY, RENEWAL_ON_TRACK, verdict};
use crate::facts::ledger::{has_paid, is_open, last_call, lines_of, name_of, newest};
use crate::rules::ladder::auto_renew_is_allowed;
use crate::rules::window::closes_at;
use crate::time::{next_renewal, plus};

/// Decides about a pack that has our finalizer and is not being deleted.
pub(super) fn decide(input: &Input<'_>) -> Decision {
    let view = View::new(*input);
    let adopts = input.pack.spec.adopt.is_some();
    // A pack that has received nothing of what it paid for may take over what is there.
    let has_nothing = view.claimed().is_empty() && orders::open(input).is_none();
    if view.purchased() && !(adopts && has_nothing) {
        return bought(&view);
    }
    if !adopts {
        return not_bought(&view, purchase::plan(&view));
    }
    match adoption::plan(&view) {
        // What is taken over is recorded before anything is done with it.
        Ok(adopted) => Decision { effect: None, ..bought(&View::of(*input, adopted)) },
        Err(finding) => not_bought(&view, *finding),
    }
}

fn not_bought(view: &View<'_>, finding: Finding) -> Decision {
    let mut verdicts = vec![finding.verdict()];
    if finding.progress == Progress::Ended {
        verdicts.push(verdict(ENDED, Some(true), finding.reason, finding.message.clone()));
    } else {
        let ready = if finding.progress == Progress::Unsure { Some(false) } else { finding.verdict().status };
        verdicts.push(verdict(READY, ready, finding.reason, finding.message.clone()));
    }
    finish(view, verdicts, vec![finding], closes_at(view.input.pack))
}

fn bought(view: &View<'_>) -> Decision {
    let usable = view.usable_concurrencies();
    let all_expired = !view.claimed().is_empty() && view.claimed().iter().all(|c| c.state == InstanceState::Expired);
    if all_expired {
        return expired(view);
    }
    if view.claimed().is_empty() {
        return undelivered(view);
    }
    let mut findings = Vec::new();
    let mut verdicts = vec![purchased(view)];
    let renewal = renewal::plan(view);
    let assignment = assignment::plan(view);
    verdicts.push(ready(view, usable, &assignment));
    verdicts.push(assignment.verdict());
    verdicts.push(renewal.verdict());
    // A renewal that is due goes first: nothing else may make it late.
    findings.push(renewal);
    findings.push(assignment);
    if let Some(effect) = flags::plan(view) {
        let mut finding =
            Finding::working(RENEWAL_ON_TRACK, Reason::SettingAutoRenew, "sets the cloud's own renewal as declared");
        finding.effect = Some(effect);
        findings.push(finding);
    } else if wants_auto_renew(&view.input.pack.spec)
        && view.usable().any(|c| c.flag() != RenewFlag::Auto)
        && let Err(obstacle) = auto_renew_is_allowed(&view.case)
    {
        findings.push(Finding::of(RENEWAL_ON_TRACK, Progress::Stuck, obstacle));
    }
    if let Some(effect) = naming::plan(view) {
        let mut finding = Finding::working(ASSIGNED, Reason::Renaming, "renames the pack as declared");
        finding.effect = Some(effect);
        findings.push(finding);
    }
    finish(view, verdicts, findings, view.expiration)
}

/// Paid, and nothing to be seen of it yet.
fn undelivered(view: &View<'_>) -> Decision {
    let order = newest(orders::own(&view.input, OrderAction::Buy));
    let (reason, message) = order.map_or_else(
        || {
            (
                Reason::Vanished,
                "bought, and none of it is listed by the cloud; nothing is bought in its place".to_owned(),
            )
        },
        orders::standing,
    );
    let fulfilled = order.filter(|order| !is_open(order) && has_paid(order));
    let finding = match reason {
        _ if fulfilled.is_some_and(|order| is_overdue(view, order)) => {
            let message = format!(
                "bought by order {}, and none of it is listed by the cloud; nothing is bought in its place: to buy anew, run kubectl delete concurrencypack {} -n {} and apply it again",
                fulfilled.map(name_of).unwrap_or_default(),
                view.name,
                view.namespace
            );
            Finding::stuck(READY, Reason::PaidNotDelivered, message)
        }
        Reason::AwaitingDelivery | Reason::Fulfilled => {
            Finding::working(READY, Reason::AwaitingDelivery, message).wants_sweep()
        }
        _ => Finding::stuck(READY, reason, message),
    };
    // The deals, or a person, may show that nothing was bought although the cloud's answer said so.
    let purchased = match reason {
        Reason::Unpaid | Reason::Cancelled | Reason::SettledByHand => {
            verdict(PURCHASED, Some(false), reason, finding.message.clone())
        }
        _ => verdict(PURCHASED, Some(true), Reason::Paid, "bought and paid for"),
    };
    finish(view, vec![purchased, finding.verdict()], vec![finding], None)
}

fn is_overdue(view: &View<'_>, order: &PackOrder) -> bool {
    let sent = last_call(lines_of(order));
    sent.is_some_and(|sent| view.input.now >= plus(sent, view.input.timing.delivery_grace))
}

/// Every instance is past its expiry: as planned, or not.
fn expired(view: &View<'_>) -> Decision {
    let spec = &view.input.pack.spec;
    let last = view.claimed().iter().filter_map(|c| c.expiration).max();
    let until = spec.renewal.until.as_ref();
    let planned = match spec.renewal.mode {
        RenewalMode::None => true,
        RenewalMode::AutoRenew => false,
        RenewalMode::Operator => until.is_some() && last.is_none_or(|last| next_renewal(spec, last).is_none()),
    };
    let at = last.map(|at| at.to_string()).unwrap_or_default();
    let mut verdicts = vec![purchased(view)];
    let finding = if planned {
        verdicts.push(verdict(ENDED, Some(true), Reason::Ended, format!("ended as planned at {at}")));
        Finding::good(ENDED, Reason::Ended, "ended as planned")
    } else {
        let message = format!(
            "expired at {at} without having been renewed; nothing is bought on its own account: to buy anew, run kubectl delete concurrencypack {} -n {} and apply it again{}",
            view.name,
            view.namespace,
            if spec.adopt.is_some() { " without spec.adopt" } else { "" }
        );
        verdicts.push(verdict(READY, Some(false), Reason::Expired, message.clone()));
        let missed = Finding::stuck(RENEWAL_ON_TRACK, Reason::Missed, message);
        verdicts.push(missed.verdict());
        missed
    };
    finish(view, verdicts, vec![finding], None)
}
