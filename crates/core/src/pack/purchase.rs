//! A pack that is not bought yet: what stands between it and its order.

use carpack_api::order::{OrderAction, OrderState};
use carpack_api::{Mode, Money, PackOrder, Reason};

use super::finding::{Finding, Progress, check, nothing_but};
use super::orders::{self, Draft};
use super::view::View;
use crate::condition::PURCHASED;
use crate::facts::holdings::namesakes;
use crate::facts::ledger::{name_of, newest};
use crate::money;
use crate::rules::access::{account_exists, account_is_ready, billing_mode_is_offered, namespace_is_granted};
use crate::rules::case::Rule;
use crate::rules::ladder::mode_allows_action;
use crate::rules::name::name_is_free;
use crate::rules::observation::observation_is_new_enough;
use crate::rules::price::{price_is_allowed, quote};
use crate::rules::project::project_takes_the_pack;
use crate::rules::window::{closed_by, closes_at, opens_at, purchase_window_has_opened};
use crate::time::{short, term_in_words};

/// What must hold before the order for a first purchase is made, and how the pack reports what does not. They are asked one after
/// another, and asked again before the call leaves: compare with `PURCHASE` in `order/chains.rs`.
const RULES: &[(Rule, Progress)] = &[
    (account_exists, Progress::Stuck),
    (namespace_is_granted, Progress::Stuck),
    (account_is_ready, Progress::Working),
    (billing_mode_is_offered, Progress::Stuck),
    (price_is_allowed, Progress::Stuck),
    (purchase_window_has_opened, Progress::Working),
    (observation_is_new_enough, Progress::Working),
    (project_takes_the_pack, Progress::Stuck),
    (name_is_free, Progress::Stuck),
    (mode_allows_action, Progress::Held),
];

/// Plans the first purchase.
pub(super) fn plan(view: &View<'_>) -> Finding {
    let input = view.input;
    if let Some(order) = orders::open(&input) {
        return waiting_for(view, order);
    }
    if let Some(finding) = window_closed(view) {
        return finding;
    }
    if let Some(order) = newest(orders::own(&input, OrderAction::Buy)) {
        let (reason, message) = orders::standing(order);
        if reason != Reason::Void {
            let (name, namespace) = (name_of(order), input.operator_namespace);
            let message = format!("{message}; to try again, delete PackOrder {name} in namespace {namespace}");
            return Finding::stuck(PURCHASED, reason, message);
        }
    }
    let spec = &input.pack.spec;
    let quote = input.account.and_then(|account| quote(account, spec, spec.quantity, spec.duration).ok());
    if let Err(finding) = check(PURCHASED, &view.case, RULES) {
        return explained(view, *finding, quote.as_ref());
    }
    let (what, price) = (what_is_bought(spec.quantity, view), shown(quote.as_ref()));
    let draft = Draft {
        action: OrderAction::Buy,
        quantity: spec.quantity,
        duration: spec.duration,
        quote,
        deadline: closes_at(input.pack),
        lines: vec![(None, None)],
    };
    purchasing(&what, &price).effect(orders::create(&input, draft))
}

/// What the pack reports of an obstacle: when it passes, what would be done, and the way out.
fn explained(view: &View<'_>, mut finding: Finding, quote: Option<&Money>) -> Finding {
    let (spec, now) = (&view.input.pack.spec, view.input.now);
    let (what, price) = (what_is_bought(spec.quantity, view), shown(quote));
    match finding.reason {
        Reason::WaitingForWindow => match opens_at(Some(view.input.pack)) {
            Some(opens) => finding.wake(opens).next(format!("{what} at {}, {price}", short(opens, now))),
            None => finding,
        },
        Reason::ProjectNotGranted | Reason::ProjectNotFound | Reason::ScaleMismatch | Reason::ScaleUnknown => {
            finding.message.push_str("; nothing is bought until this is settled");
            finding
        }
        Reason::NameTaken => {
            finding.message.push_str(&how_to_adopt(view));
            finding
        }
        Reason::HeldByMode => {
            let place = if view.mode == Mode::DryRun { format!(" in {}", spec.region) } else { String::new() };
            let held = Finding::only_reports(PURCHASED, view.mode, &format!("{what}{place} for {price}"));
            held.next(format!("{}{what}, {price}", nothing_but(view.mode)))
        }
        _ => finding,
    }
}

fn shown(price: Option<&Money>) -> String {
    price.map(money::display).unwrap_or_default()
}

fn what_is_bought(quantity: i32, view: &View<'_>) -> String {
    let spec = &view.input.pack.spec;
    format!("buy {quantity} x {} for {}", spec.concurrency_scale, term_in_words(spec.billing_mode, spec.duration))
}

/// From the decision to buy until the call has left.
fn purchasing(what: &str, price: &str) -> Finding {
    let message = format!("about to {what} for {price}");
    Finding::working(PURCHASED, Reason::Purchasing, message).next(format!("{what}, {price}"))
}

/// The sentence and reason of an order that is under way.
fn waiting_for(view: &View<'_>, order: &PackOrder) -> Finding {
    let (reason, message) = orders::standing(order);
    let name = name_of(order);
    if order.spec.pack_ref.uid != orders::uid(&view.input) {
        let message = format!("waits until order {name} of an earlier object of this name is settled: {message}");
        return Finding::working(PURCHASED, Reason::EarlierOrderUnresolved, message);
    }
    let price = shown(order.spec.quote.as_ref());
    match order.status.as_ref().and_then(|s| s.state) {
        Some(OrderState::AwaitingApproval) => {
            Finding::held(PURCHASED, Reason::AwaitingApproval, message).next(format!("approve {name}, {price}"))
        }
        Some(OrderState::Ambiguous) => Finding::unsure(PURCHASED, Reason::OrderAmbiguous, message)
            .next(format!("nothing until order {name} is settled")),
        Some(OrderState::InProgress) if matches!(reason, Reason::PaidNotDelivered | Reason::Unpaid) => {
            Finding::stuck(PURCHASED, reason, message)
        }
        Some(OrderState::InProgress) => Finding::working(PURCHASED, Reason::AwaitingDelivery, message),
        _ if reason == Reason::Pending => purchasing(&what_is_bought(order.spec.terms.quantity, view), &price),
        _ => Finding::working(PURCHASED, reason, message),
    }
}

/// Nothing is bought or taken over any more.
pub(super) fn window_closed(view: &View<'_>) -> Option<Finding> {
    let field = closed_by(&view.case)?;
    let message = format!("not bought: {field} has passed; nothing is bought any more");
    Some(Finding::ended(Reason::WindowClosed, message))
}

/// All that stands there is taken over together, by a pack of that quantity.
fn how_to_adopt(view: &View<'_>) -> String {
    let there: Vec<_> = namesakes(view.input.traces(), view.claimed()).collect();
    let ids: Vec<&str> = there.iter().map(|instance| instance.id.as_str()).collect();
    let held = there.iter().fold(0_i32, |sum, instance| sum.saturating_add(instance.concurrencies.unwrap_or(1)));
    let declared = view.input.pack.spec.quantity;
    let first = if held == declared { "set".to_owned() } else { format!("apply a pack of quantity {held} anew, with") };
    format!("; to take it over, if no other cluster has it, {first} spec.adopt.instanceIds: [{}]", ids.join(", "))
}
