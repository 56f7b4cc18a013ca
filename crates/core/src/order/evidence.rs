//! What the cloud shows of calls that were made: it settles lines, one by one.
//!
//! A renewal is proven by its instance's own expiry; a purchase by the name frozen in the order, the ids, and the deals
//! since the intent. An absence counts only in complete looks that began after the quarantine, and only twice.

use carpack_api::PackOrderStatus;
use carpack_api::Reason;
use carpack_api::account::{ApiChannel, UnansweredCalls};
use carpack_api::order::{LineState, LineStatus, OrderAction, OrderLine};
use jiff::{SignedDuration, Timestamp};

use super::lines::{CLEAR_LOOKS, doubt, is_unpaid, list, note};
use super::{Input, settle_annotation};
use crate::claim::owns_instance;
use crate::money::Amount;
use crate::observation::{Deal, DealAction, DealState, Instance, Observation};
use crate::time::{is_renewed, plus, whole_up};
use crate::zone;

/// Settles what can be settled.
pub(super) fn apply(input: &Input<'_>, status: &mut PackOrderStatus) {
    let mut notes = Vec::new();
    for line in &mut status.lines {
        let Some(spec) = input.order.spec.lines.iter().find(|spec| spec.index == line.index) else { continue };
        let said = [check_payment(input, spec, line), settle_line(input, spec, line), book(input, line)];
        notes.extend(said.into_iter().flatten().map(|text| format!("line {}: {text}", line.index)));
    }
    for text in notes {
        note(status, input.now, text);
    }
    sum_up(input, status);
    status.time_zone = input
        .deals
        .and_then(|look| zone::observed(input.order.spec.action, &status.lines, look))
        .map(zone::text)
        .or(status.time_zone.take());
}

fn settle_line(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus) -> Option<String> {
    match line.state {
        LineState::Submitting => {
            let why = "the operator stopped between writing the intent and recording the answer";
            doubt(line, Reason::Interrupted, why);
            Some(format!("outcome unknown: {why}"))
        }
        LineState::Unknown => settle_unknown(input, spec, line).or_else(|| settle_by_hand(input, line)),
        // Only the books can tell that it was paid after all.
        LineState::Committed if is_unpaid(line) => settle_by_hand(input, line),
        LineState::Committed => deliver(input, spec, line).or_else(|| settle_by_hand(input, line)),
        // What was believed absent, and shows after all.
        LineState::Pending if line.doubts > 0 => recognise(input, spec, line, line.submit_time.as_ref()?.0),
        LineState::Pending | LineState::Done | LineState::Rejected | LineState::Void => None,
    }
}

/// A call that is proven by what it left behind was executed.
fn recognise(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus, submitted: Timestamp) -> Option<String> {
    line.instance_ids = trace(input, spec, submitted)?;
    line.state = LineState::Committed;
    line.in_doubt_since = None;
    line.retry_time = None;
    let seen = format!("found in the cloud: {}", list(&line.instance_ids));
    let rest = deliver(input, spec, line);
    line.category = None;
    Some(rest.map_or_else(|| seen.clone(), |rest| format!("{seen}; {rest}")))
}

fn settle_unknown(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus) -> Option<String> {
    let submitted = line.submit_time.as_ref()?.0;
    if let Some(found) = recognise(input, spec, line, submitted) {
        return Some(found);
    }
    let earliest = line.last_look_time.as_ref().map_or(quarantine_end(input, submitted), |look| look.0);
    let (observation, deals) = (input.observation?, input.deals?);
    if is_proven_absent(input, line) {
        return Some(send_again(line));
    }
    if observation.started <= earliest || deals.started <= earliest || line.clear_looks >= CLEAR_LOOKS {
        return None;
    }
    if deals.deals.iter().any(|deal| could_be_ours(input, spec, deal, observation)) {
        return None;
    }
    line.clear_looks = line.clear_looks.saturating_add(1);
    line.last_look_time = Some(whole_up(observation.started.max(deals.started)));
    if is_proven_absent(input, line) {
        return Some(send_again(line));
    }
    Some(format!("complete look {} of {CLEAR_LOOKS} found no trace", line.clear_looks))
}

/// True when a call is taken for one that was never made, and no person is to be asked instead.
fn is_proven_absent(input: &Input<'_>, line: &LineStatus) -> bool {
    line.clear_looks >= CLEAR_LOOKS && line.doubts < most_doubts(input)
}

fn send_again(line: &mut LineStatus) -> String {
    line.state = LineState::Pending;
    line.in_doubt_since = None;
    line.retry_time = None;
    line.category = None;
    line.message = None;
    "proven not executed: two complete looks after the quarantine found no trace".to_owned()
}

/// A person's word settles the line and the attempt that it names, once a person is asked about it.
fn settle_by_hand(input: &Input<'_>, line: &mut LineStatus) -> Option<String> {
    let (state, said) = match said_by_hand(input, line)? {
        "NotExecuted" => (LineState::Rejected, "settled by hand: not executed"),
        "Executed" => (LineState::Done, "settled by hand: executed"),
        _ => return None,
    };
    if !asks_a_person(input, line) {
        return None;
    }
    line.state = state;
    line.category = Some(Reason::SettledByHand);
    line.message = Some(said.to_owned());
    Some(said.to_owned())
}

/// What a person said of the line.
pub(super) fn said_by_hand<'a>(input: &Input<'a>, line: &LineStatus) -> Option<&'a str> {
    let annotations = input.order.metadata.annotations.as_ref()?;
    annotations.get(&settle_annotation(line)).map(String::as_str)
}

/// True while the cloud is known to answer the line's token with what the call in doubt came to: sending the same again is safe.
/// Once only: whoever gets no answer twice had better look.
pub(super) fn may_repeat(input: &Input<'_>, line: &LineStatus) -> bool {
    let api = api(input).filter(|api| api.unanswered_calls == UnansweredCalls::Retry);
    let Some(minutes) = api.and_then(|api| api.client_token_honored_minutes) else { return false };
    let Some(submitted) = line.submit_time.as_ref() else { return false };
    // The repetition may arrive as late as any call, and the cloud counts by a clock of its own.
    let arrives = plus(plus(input.now, input.timing.quarantine), input.clock_ahead.abs());
    let forgotten = plus(submitted.0, SignedDuration::from_mins(i64::from(minutes)));
    line.state == LineState::Unknown && line.doubts <= 1 && line.clear_looks == 0 && arrives < forgotten
}

/// True when the looks are done, and the call is not sent again.
pub(super) fn exhausted(input: &Input<'_>, line: &LineStatus) -> bool {
    line.state == LineState::Unknown && line.doubts >= most_doubts(input) && line.clear_looks >= CLEAR_LOOKS
}

/// How the account buys.
fn api<'a>(input: &Input<'a>) -> Option<&'a ApiChannel> {
    input.account.and_then(|account| account.spec.purchase.api.as_ref())
}

/// Calls without a known outcome after which a person is asked.
fn most_doubts(input: &Input<'_>) -> i32 {
    match api(input).map(|api| api.unanswered_calls) {
        // Nobody says what is wanted while there is no account.
        Some(UnansweredCalls::Ask) | None => 1,
        Some(UnansweredCalls::Retry) => 3,
    }
}

/// True when nothing that is still to come settles the line: a person is asked.
pub(super) fn asks_a_person(input: &Input<'_>, line: &LineStatus) -> bool {
    let Some(submitted) = line.submit_time.as_ref().map(|t| t.0) else { return false };
    match line.state {
        LineState::Unknown => {
            let in_vain = input.now >= plus(quarantine_end(input, submitted), input.timing.quarantine);
            exhausted(input, line) || in_vain
        }
        LineState::Committed => {
            let denied = line.category == Some(Reason::PaidNotDelivered) && line.instance_ids.is_empty();
            let unlisted = line.category == Some(Reason::UnpaidAndUnlisted);
            unlisted || !is_unpaid(line) && (denied || is_late(input, submitted))
        }
        _ => false,
    }
}

/// True when a look at the cloud would show by now what was paid.
fn is_late(input: &Input<'_>, submitted: Timestamp) -> bool {
    input.observation.is_some_and(|look| look.started >= plus(submitted, input.timing.delivery_grace))
}

/// When an absence begins to mean something: later, where our clock is ahead of the one that signatures are judged by.
pub(super) fn quarantine_end(input: &Input<'_>, submitted: Timestamp) -> Timestamp {
    plus(plus(submitted, input.timing.quarantine), input.clock_ahead.max(SignedDuration::ZERO))
}

/// The instances that prove the call was executed.
fn trace(input: &Input<'_>, spec: &OrderLine, submitted: Timestamp) -> Option<Vec<String>> {
    let observation = input.observation.filter(|o| o.started > submitted)?;
    match input.order.spec.action {
        OrderAction::Buy => {
            let ids = named(input, observation);
            (!ids.is_empty()).then_some(ids)
        }
        OrderAction::Renew => renewed(spec, observation).then(|| spec.instance_id.clone().into_iter().collect()),
        OrderAction::Return => {
            let id = spec.instance_id.clone()?;
            let refunded =
                input.deals?.deals.iter().any(|d| d.action == DealAction::Refund && d.instance_ids.contains(&id));
            let gone = observation.instances.get(&id).is_none_or(|i| i.isolated);
            (refunded && gone).then(|| vec![id])
        }
    }
}

fn named(input: &Input<'_>, observation: &Observation) -> Vec<String> {
    observation.instances.values().filter(|i| i.is_named(&input.order.spec.pack_name)).map(|i| i.id.clone()).collect()
}

fn renewed(spec: &OrderLine, observation: &Observation) -> bool {
    let (Some(id), Some(from)) = (&spec.instance_id, &spec.renews_from) else { return false };
    observation.instances.get(id).and_then(|i| i.expiration).is_some_and(|expiration| is_renewed(expiration, from.0))
}

/// A deal that nothing explains but, perhaps, our call.
fn could_be_ours(input: &Input<'_>, spec: &OrderLine, deal: &Deal, observation: &Observation) -> bool {
    let known = |line: &LineStatus| line.order_ids.contains(&deal.order_id);
    let recorded = input.siblings.iter().filter_map(|o| o.status.as_ref()).flat_map(|s| &s.lines).any(known);
    if deal.state == DealState::WithoutEffect || recorded || input.elsewhere.contains(&deal.order_id) {
        return false;
    }
    match (input.order.spec.action, deal.action) {
        (OrderAction::Buy, DealAction::Purchase | DealAction::Other) => {
            // What is known to belong elsewhere, or is of other terms, is somebody else's purchase. A name proves nothing: a
            // person may have changed it, or the cloud may never have taken it.
            let product = api(input).map(|api| api.product_code.as_str());
            let of_product = deal.product_code.is_none() || deal.product_code.as_deref() == product;
            let explained = !deal.instance_ids.is_empty()
                && deal.instance_ids.iter().all(|id| belongs_elsewhere(input, observation, id));
            of_product && !explained
        }
        (OrderAction::Renew, DealAction::Renew | DealAction::Other)
        | (OrderAction::Return, DealAction::Refund | DealAction::Other) => {
            deal.instance_ids.is_empty() || spec.instance_id.as_ref().is_some_and(|id| deal.instance_ids.contains(id))
        }
        _ => false,
    }
}

/// True when an instance is another order's, also of one that is not there any more, or is not what this order buys.
fn belongs_elsewhere(input: &Input<'_>, observation: &Observation, id: &str) -> bool {
    let terms = &input.order.spec.terms;
    let other = |i: &Instance| {
        i.scale.as_ref().is_some_and(|scale| *scale != terms.concurrency_scale)
            || i.region.as_ref().is_some_and(|region| *region != terms.region)
    };
    // What the pack has on record it had before: nothing of a call in doubt is claimed.
    let had = input.pack.is_some_and(|pack| owns_instance(pack, id));
    had || input.elsewhere.contains(id) || observation.instances.get(id).is_some_and(other)
}

/// A paid line is done once its delivery is seen, in part only after the grace.
fn deliver(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus) -> Option<String> {
    let submitted = line.submit_time.as_ref()?.0;
    let observation = input.observation.filter(|o| o.started > submitted)?;
    match input.order.spec.action {
        OrderAction::Buy => deliver_purchase(input, line, observation, submitted),
        OrderAction::Renew => renewed(spec, observation).then(|| {
            done(line);
            "renewed: the cloud shows a later expiry".to_owned()
        }),
        OrderAction::Return => {
            let gone =
                spec.instance_id.as_ref().is_none_or(|id| observation.instances.get(id).is_none_or(|i| i.isolated));
            gone.then(|| {
                done(line);
                "returned: the cloud no longer lists the instance as usable".to_owned()
            })
        }
    }
}

fn deliver_purchase(
    input: &Input<'_>,
    line: &mut LineStatus,
    observation: &Observation,
    submitted: Timestamp,
) -> Option<String> {
    let mut ids = named(input, observation);
    ids.extend(line.instance_ids.iter().cloned());
    let booked = input.deals.iter().flat_map(|look| &look.deals).filter(|deal| line.order_ids.contains(&deal.order_id));
    ids.extend(booked.flat_map(|deal| deal.instance_ids.iter().cloned()));
    ids.sort();
    ids.dedup();
    let before = line.instance_ids.len();
    line.instance_ids = ids;
    let there: Vec<_> = line.instance_ids.iter().filter_map(|id| observation.instances.get(id)).collect();
    let counts = there.iter().map(|i| i64::from(i.concurrencies.unwrap_or(1)));
    let seen = counts.fold(0_i64, i64::saturating_add);
    let wanted = i64::from(input.order.spec.terms.quantity);
    if seen >= wanted {
        done(line);
        return Some(format!("delivered: {seen} of {wanted} concurrencies"));
    }
    if seen > 0 && is_late(input, submitted) {
        done(line);
        if there.iter().any(|i| i.concurrencies.is_none()) {
            return Some(format!(
                "delivered: {} instances, and the cloud does not say of how many concurrencies",
                there.len()
            ));
        }
        line.category = Some(Reason::PartiallyDelivered);
        let text = format!("delivered in part: {seen} of {wanted} concurrencies; paid, and never bought again");
        line.message = Some(text.clone());
        return Some(text);
    }
    let more = line.instance_ids.len() > before;
    more.then(|| format!("{seen} of {wanted} concurrencies delivered so far"))
}

fn done(line: &mut LineStatus) {
    line.state = LineState::Done;
    line.category = None;
    line.message = None;
}

/// What the books say of an order that was taken: it waits for its payment, or it is over and nothing came of it.
fn check_payment(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus) -> Option<String> {
    let submitted = line.submit_time.as_ref()?.0;
    let observation = input.observation.filter(|o| o.started > submitted)?;
    let deals = input.deals?.deals.iter().filter(|deal| line.order_ids.contains(&deal.order_id));
    let states: Vec<DealState> = deals.map(|deal| deal.state).collect();
    if line.state != LineState::Committed {
        return None;
    }
    if states.is_empty() {
        // Cancelled and deleted, or too old to be listed: from here on a person's word can settle it.
        let gone = line.category == Some(Reason::Unpaid) && is_late(input, submitted);
        return gone.then(|| {
            let message = format!("order {} is not paid, and the cloud's books show it no more", list(&line.order_ids));
            line.category = Some(Reason::UnpaidAndUnlisted);
            line.message = Some(message.clone());
            message
        });
    }
    let unseen = match input.order.spec.action {
        OrderAction::Buy => {
            let listed = |id: &String| observation.instances.contains_key(id);
            named(input, observation).is_empty() && !line.instance_ids.iter().any(listed)
        }
        OrderAction::Renew => !renewed(spec, observation),
        OrderAction::Return => false,
    };
    let (was_unpaid, orders) = (is_unpaid(line), list(&line.order_ids));
    if unseen && states.iter().all(|state| *state == DealState::WithoutEffect) {
        line.state = LineState::Rejected;
        line.category = Some(Reason::Cancelled);
        line.message = Some(format!("order {orders} was closed or refunded in the cloud"));
    } else if unseen && states.contains(&DealState::Unpaid) {
        line.category = Some(Reason::Unpaid);
        line.message = Some(format!(
            "order {orders} is made and not paid; it is not sent again: pay it or cancel it in the cloud's console"
        ));
    } else if was_unpaid {
        line.category = None;
        line.message = None;
        return Some("no longer unpaid".to_owned());
    }
    let changed = line.state == LineState::Rejected || is_unpaid(line) != was_unpaid;
    changed.then(|| line.message.clone()).flatten()
}

/// Takes what a paid line has cost from the cloud's books.
fn book(input: &Input<'_>, line: &mut LineStatus) -> Option<String> {
    if line.paid.is_some() || !matches!(line.state, LineState::Committed | LineState::Done) {
        return None;
    }
    find_deals(input, line);
    let look = input.deals?;
    let ours = |deal: &&Deal| line.order_ids.contains(&deal.order_id) && deal.cost_cents.is_some();
    let deals: Vec<&Deal> = look.deals.iter().filter(ours).collect();
    let in_time = plus(line.submit_time.as_ref()?.0, input.timing.delivery_grace);
    if deals.is_empty() && line.state == LineState::Done && look.started >= in_time {
        line.last_look_time = Some(whole_up(look.started));
        return None;
    }
    // One of several is not what the line has cost.
    if deals.len() < line.order_ids.len() && look.started < in_time {
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
    let Some(look) = input.deals.filter(|_| line.order_ids.is_empty()) else { return };
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
    let free = |deal: &&Deal| {
        let recorded = input.siblings.iter().filter_map(|o| o.status.as_ref()).flat_map(|s| &s.lines);
        !recorded.into_iter().any(|other| other.order_ids.contains(&deal.order_id))
    };
    let found: Vec<String> = look.deals.iter().filter(ours).filter(free).map(|deal| deal.order_id.clone()).collect();
    // Two candidates prove nothing.
    if let [only] = found.as_slice() {
        line.order_ids = vec![only.clone()];
    }
}

fn currency(input: &Input<'_>) -> String {
    let quoted = input.order.spec.quote.as_ref().map(|quote| quote.currency.clone());
    quoted.or_else(|| input.account.map(|a| a.spec.price_list.currency.clone())).unwrap_or_default()
}

fn sum_up(input: &Input<'_>, status: &mut PackOrderStatus) {
    let currency = currency(input);
    let paid: Vec<_> = status.lines.iter().filter_map(|line| line.paid.clone()).collect();
    let Some(first) = paid.first() else { return };
    let currency = if currency.is_empty() { first.currency.clone() } else { currency };
    // What is in another currency adds up to nothing: then the quote counts, not a sum without it.
    let same = paid.iter().all(|money| money.currency == currency);
    status.paid = same.then(|| crate::money::sum(&currency, &paid).in_currency(&currency));
}
