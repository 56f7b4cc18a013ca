//! What the cloud's books show of an order: what its calls have cost.

use carpack_api::PackOrderStatus;
use carpack_api::order::{LineState, LineStatus, OrderAction};

use super::input::Input;
use crate::money::{self, Amount};
use crate::observation::{Deal, DealAction, DealState};
use crate::time::{plus, whole_up};

/// Takes what a paid line has cost from the cloud's books.
pub(super) fn book(input: &Input<'_>, line: &mut LineStatus) -> Option<String> {
    if line.paid.is_some() || !matches!(line.state, LineState::Committed | LineState::Done) {
        return None;
    }
    find_deals(input, line);
    let list = input.deals?;
    let ours = |deal: &&Deal| line.order_ids.contains(&deal.order_id) && deal.cost_cents.is_some();
    let deals: Vec<&Deal> = list.deals.iter().filter(ours).collect();
    let in_time = plus(line.submit_time.as_ref()?.0, input.timing.delivery_grace);
    if deals.is_empty() && line.state == LineState::Done && list.started >= in_time {
        line.last_look_time = Some(whole_up(list.started));
        return None;
    }
    // One of several is not what the line has cost.
    if deals.len() < line.order_ids.len() && list.started < in_time {
        return None;
    }
    let currency = deals.first()?.currency.clone().unwrap_or_else(|| currency(input));
    let paid = deals
        .iter()
        .filter_map(|deal| deal.cost_cents.and_then(Amount::from_cents))
        .fold(Amount::ZERO, |sum, amount| sum.plus(amount).unwrap_or(sum));
    line.paid = Some(paid.in_currency(&currency));
    Some(format!("the cloud's books show {paid} {currency}"))
}

/// A call that was found by what it left behind has no order id yet: the deal that made or changed its instances has.
fn find_deals(input: &Input<'_>, line: &mut LineStatus) {
    let Some(list) = input.deals.filter(|_| line.order_ids.is_empty()) else { return };
    let wanted = match input.order.spec.action {
        OrderAction::Buy => DealAction::Purchase,
        OrderAction::Renew => DealAction::Renew,
        OrderAction::Return => DealAction::Refund,
    };
    let ours = |deal: &&Deal| {
        deal.action == wanted
            && deal.state != DealState::WithoutEffect
            && deal.instance_ids.iter().any(|id| line.instance_ids.contains(id))
    };
    let free = |deal: &&Deal| !input.has_on_record(deal);
    let found: Vec<String> = list.deals.iter().filter(ours).filter(free).map(|deal| deal.order_id.clone()).collect();
    // With two candidates nobody knows which is the line's.
    if let [only] = found.as_slice() {
        line.order_ids = vec![only.clone()];
    }
}

fn currency(input: &Input<'_>) -> String {
    let quoted = input.order.spec.quote.as_ref().map(|quote| quote.currency.clone());
    quoted.or_else(|| input.account.map(|a| a.spec.price_list.currency.clone())).unwrap_or_default()
}

/// Sums up what the lines have cost.
pub(super) fn sum_up(input: &Input<'_>, status: &mut PackOrderStatus) {
    let currency = currency(input);
    let paid: Vec<_> = status.lines.iter().filter_map(|line| line.paid.clone()).collect();
    let Some(first) = paid.first() else { return };
    let currency = if currency.is_empty() { first.currency.clone() } else { currency };
    // Where there is no sum, as with amounts in two currencies, the quote counts.
    status.paid = money::sum(&currency, &paid).ok().map(|sum| sum.in_currency(&currency));
}
