//! A pack that is not bought yet: what stands between it and its order.

use carpack_api::Mode;
use carpack_api::Reason;
use carpack_api::order::{OrderAction, OrderState};

use super::finding::Finding;
use super::orders::{self, Draft};
use super::view::View;
use crate::account::{Account, Health, PriceProblem};
use crate::claim::strangers;
use crate::condition::PURCHASED;
use crate::money;
use crate::order::{check_project, not_granted, not_offered, opening, opens_at, stands_already};
use crate::time::{short, term_in_words};

/// Plans the first purchase.
pub(super) fn plan(view: &View<'_>) -> Finding {
    let input = view.input;
    if let Some(order) = orders::open(&input) {
        return waiting_for(view, order);
    }
    if window_closed(view) {
        return ended();
    }
    if let Some(order) = orders::newest(orders::own(&input, OrderAction::Buy)) {
        let (reason, message) = orders::standing(order);
        if reason != Reason::Void {
            let name = orders::name_of(order);
            let message =
                format!("{message}; to try again, delete PackOrder {name} in namespace {}", input.operator_namespace);
            return Finding::stuck(PURCHASED, reason, message);
        }
    }
    let account = match usable_account(view) {
        Ok(account) => account,
        Err(finding) => return *finding,
    };
    let spec = &input.pack.spec;
    let quote = match account.quote(spec, spec.quantity, spec.duration) {
        Ok(quote) => quote,
        Err(PriceProblem::Unpriced(message)) => return Finding::stuck(PURCHASED, Reason::Unpriced, message),
        Err(PriceProblem::AboveMaxPrice(message)) => return Finding::stuck(PURCHASED, Reason::AboveMaxPrice, message),
    };
    let what = what_is_bought(spec.quantity, view);
    let price = money::display(&quote);
    if let Some(opens) = opening(input.pack, input.now) {
        let message = opens_at(opens);
        let finding = Finding::working(PURCHASED, Reason::WaitingForWindow, message).wake(opens);
        return finding.next(format!("{what} at {}, {price}", short(opens, input.now)));
    }
    if !view.fresh {
        return Finding::working(PURCHASED, Reason::AwaitingObservation, "waits for a complete look at the account")
            .wants_sweep();
    }
    if let Some(finding) = project_problem(view, account) {
        return finding;
    }
    if let Some(mut finding) = name_taken(view) {
        finding.message.push_str(&how_to_adopt(view));
        return finding;
    }
    match view.mode {
        Mode::Observe => Finding::held(PURCHASED, Reason::Observing, format!("mode Observe: would {what} for {price}"))
            .next(format!("nothing (mode Observe): would {what}, {price}")),
        Mode::DryRun => Finding::held(
            PURCHASED,
            Reason::DryRun,
            format!("mode DryRun: would {what} in {} for {price}", spec.region),
        )
        .next(format!("nothing (mode DryRun): would {what}, {price}")),
        Mode::ApprovalRequired | Mode::Automatic => {
            let deadline = spec.purchase_window.as_ref().and_then(|w| w.not_after.as_ref()).map(|t| t.0);
            let draft = Draft {
                action: OrderAction::Buy,
                quantity: spec.quantity,
                duration: spec.duration,
                quote: Some(quote),
                deadline,
                lines: vec![(None, None)],
            };
            purchasing(&what, &price).effect(orders::create(&input, draft))
        }
    }
}

fn what_is_bought(quantity: i32, view: &View<'_>) -> String {
    let spec = &view.input.pack.spec;
    format!("buy {quantity} x {} for {}", spec.concurrency_scale, term_in_words(spec.billing_mode, spec.duration))
}

/// From the decision to buy until the call has left.
fn purchasing(what: &str, price: &str) -> Finding {
    Finding::working(PURCHASED, Reason::Purchasing, format!("about to {what} for {price}"))
        .next(format!("{what}, {price}"))
}

/// The sentence and reason of an order that is under way.
fn waiting_for(view: &View<'_>, order: &carpack_api::PackOrder) -> Finding {
    let (reason, message) = orders::standing(order);
    let name = orders::name_of(order);
    if order.spec.pack_ref.uid != orders::uid(&view.input) {
        let message = format!("waits until order {name} of an earlier object of this name is settled: {message}");
        return Finding::working(PURCHASED, Reason::EarlierOrderUnresolved, message);
    }
    match order.status.as_ref().and_then(|s| s.state) {
        Some(OrderState::AwaitingApproval) => {
            let price = order.spec.quote.as_ref().map(money::display).unwrap_or_default();
            Finding::held(PURCHASED, Reason::AwaitingApproval, message).next(format!("approve {name}, {price}"))
        }
        Some(OrderState::Ambiguous) => Finding::unsure(PURCHASED, Reason::OrderAmbiguous, message)
            .next(format!("nothing until order {name} is settled")),
        Some(OrderState::InProgress) if matches!(reason, Reason::PaidNotDelivered | Reason::Unpaid) => {
            Finding::stuck(PURCHASED, reason, message)
        }
        Some(OrderState::InProgress) => Finding::working(PURCHASED, Reason::AwaitingDelivery, message),
        _ if reason == Reason::Pending => {
            let price = order.spec.quote.as_ref().map(money::display).unwrap_or_default();
            purchasing(&what_is_bought(order.spec.terms.quantity, view), &price)
        }
        _ => Finding::working(PURCHASED, reason, message),
    }
}

/// Nothing is bought or taken over any more.
pub(super) fn ended() -> Finding {
    Finding::ended(Reason::WindowClosed, "not bought: purchaseWindow.notAfter has passed; nothing is bought any more")
}

pub(super) fn window_closed(view: &View<'_>) -> bool {
    let window = view.input.pack.spec.purchase_window.as_ref().and_then(|w| w.not_after.as_ref());
    window.is_some_and(|not_after| view.input.now >= not_after.0)
}

/// The account, when packs of this namespace can be bought with it now.
pub(super) fn usable_account<'a>(view: &View<'a>) -> Result<&'a Account, Box<Finding>> {
    let account = reachable_account(view)?;
    let mode = view.input.pack.spec.billing_mode;
    match account.can_buy(mode) {
        true => Ok(account),
        false => Err(Box::new(Finding::stuck(PURCHASED, Reason::BillingModeNotOffered, not_offered(account, mode)))),
    }
}

/// The account, when packs of this namespace may use it and the cloud lets us work with it.
pub(super) fn reachable_account<'a>(view: &View<'a>) -> Result<&'a Account, Box<Finding>> {
    let input = view.input;
    let name = &input.pack.spec.account_ref.name;
    let Some(account) = input.account else {
        let message = format!("there is no CarAccount {name} in namespace {}: create it", input.operator_namespace);
        return Err(Box::new(Finding::stuck(PURCHASED, Reason::AccountMissing, message)));
    };
    if !account.grants_namespace(view.namespace) {
        return Err(Box::new(Finding::stuck(
            PURCHASED,
            Reason::NamespaceNotGranted,
            not_granted(account, view.namespace),
        )));
    }
    if let Health::NotReady { reason, message } = &account.health {
        return Err(Box::new(Finding::working(PURCHASED, *reason, message.clone())));
    }
    Ok(account)
}

/// A pack is not bought for a project that cannot take it.
fn project_problem(view: &View<'_>, account: &Account) -> Option<Finding> {
    let project = view.input.pack.spec.project.as_deref()?;
    let (reason, message) = check_project(view.input.pack, account, view.input.observation, project)?;
    Some(Finding::stuck(PURCHASED, reason, format!("{message}; nothing is bought until this is settled")))
}

/// All that stands there is taken over together, by a pack of that quantity.
fn how_to_adopt(view: &View<'_>) -> String {
    let there: Vec<_> = strangers(view.input.traces(), &view.claimed).collect();
    let ids: Vec<&str> = there.iter().map(|instance| instance.id.as_str()).collect();
    let held = there.iter().fold(0_i32, |sum, instance| sum.saturating_add(instance.concurrencies.unwrap_or(1)));
    let declared = view.input.pack.spec.quantity;
    let first = if held == declared { "set".to_owned() } else { format!("apply a pack of quantity {held} anew, with") };
    format!("; to take it over, if no other cluster has it, {first} spec.adopt.instanceIds: [{}]", ids.join(", "))
}

/// What already stands under the wanted name is never bought a second time.
pub(super) fn name_taken(view: &View<'_>) -> Option<Finding> {
    let other = strangers(view.input.traces(), &view.claimed).next()?;
    Some(Finding::stuck(PURCHASED, Reason::NameTaken, stands_already(other)))
}
