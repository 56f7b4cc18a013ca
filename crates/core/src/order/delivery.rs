//! What the cloud shows of calls that were taken: their delivery and their payment.

use carpack_api::Reason;
use carpack_api::order::{LineState, LineStatus, OrderAction, OrderLine};
use jiff::Timestamp;

use super::doubt::is_late;
use super::input::Input;
use super::intent::join_ids;
use crate::facts::ledger::is_unpaid;
use crate::observation::{DealState, Instance, Observation};
use crate::time::is_renewed;

/// A paid line is done once its delivery is seen, in part only after the grace.
pub(super) fn deliver(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus) -> Option<String> {
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
    let booked = input.deals.iter().flat_map(|list| &list.deals).filter(|deal| line.order_ids.contains(&deal.order_id));
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
pub(super) fn check_payment(input: &Input<'_>, spec: &OrderLine, line: &mut LineStatus) -> Option<String> {
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
            let message =
                format!("order {} is not paid, and the cloud's books show it no more", join_ids(&line.order_ids));
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
    let (was_unpaid, orders) = (is_unpaid(line), join_ids(&line.order_ids));
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

/// The instances that carry the order's name, and that no other pack has on record.
pub(super) fn named(input: &Input<'_>, observation: &Observation) -> Vec<String> {
    let ours = |i: &&Instance| i.is_named(&input.order.spec.pack_name) && !input.ids_of_others.contains(&i.id);
    observation.instances.values().filter(ours).map(|i| i.id.clone()).collect()
}

/// True when the line's instance expires later than the line renews from.
pub(super) fn renewed(spec: &OrderLine, observation: &Observation) -> bool {
    let (Some(id), Some(from)) = (&spec.instance_id, &spec.renews_from) else { return false };
    observation.instances.get(id).and_then(|i| i.expiration).is_some_and(|expiration| is_renewed(expiration, from.0))
}
