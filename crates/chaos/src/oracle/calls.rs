//! Judges paid calls and charges.

use carpack_api::PackOrder;
use carpack_api::order::{LineState, OrderAction, OrderLine};
use carpack_simulator::LedgerEntry;
use carpack_simulator::state::State;
use jiff::Timestamp;
use serde_json::Value;

use super::expiry::is_same_expiry;
use crate::circumstance::Circumstance;
use crate::rule::Rule;
use crate::world::World;
use crate::world::cloud::SIGNATURE_LIFETIME;
use crate::world::journal::{Charge, Journal, PaidCall};
use crate::world::objects::name_of;
use crate::world::process::identity;

/// A paid call leaves a process: I4, I8, and only the leader pays.
pub fn paid_call_leaves(world: &World, process: usize, parameters: &Value, signed: Timestamp) {
    let journal = &mut *world.journal();
    journal.paid_calls = journal.paid_calls.saturating_add(1);
    let token = text(parameters, "ClientToken");
    journal.note(world.clock.now(), &token);
    // A machine that was suspended together with its clock cannot know that its lease has expired.
    let holder = world.objects.lease_holder().filter(|_| !world.plan.has(Circumstance::Suspended));
    if let Some(holder) = holder.filter(|holder| *holder != identity(process)) {
        journal.breach(Rule::NotLeader, format!("process {process} pays while {holder} leads"));
    }
    let Some((order, line)) = order_of(world, &token) else {
        journal.breach(Rule::NoIntent, format!("no order has the token of a paid call: {token}"));
        return;
    };
    if state_of(&order, &line) != Some(LineState::Submitting) {
        let what = format!("{} line {} is sent in state {:?}", name_of(&order), line.index, state_of(&order, &line));
        journal.breach(Rule::NoIntent, what);
    }
    let call = PaidCall { process, token, pack_uid: order.spec.pack_ref.uid.clone(), signed };
    check_concurrent_calls(world, journal, &order, &call);
    journal.in_flight.push(call);
}

/// I8. A call of a killed process counts too: the cloud executes it as long as its signature is valid.
fn check_concurrent_calls(world: &World, journal: &mut Journal, order: &PackOrder, call: &PaidCall) {
    let now = world.clock.now();
    journal.in_flight.retain(|other| now.duration_since(other.signed) <= SIGNATURE_LIFETIME);
    // Where tokens are known to be honoured, the cloud answers a call whose token was charged already, and charges
    // nothing.
    let honoured = world.plan.has(Circumstance::TokensKnown);
    let is_charged = |other: &PaidCall| journal.charges.iter().any(|charge| charge.token == other.token);
    let is_harmless = |other: &PaidCall| honoured && (other.token == call.token || is_charged(other));
    let clashes = |other: &&PaidCall| other.pack_uid == call.pack_uid && !is_harmless(other);
    if let Some(other) = journal.in_flight.iter().find(clashes) {
        let what = format!(
            "{} leaves process {} while {} of process {} is in flight",
            name_of(order),
            call.process,
            other.token,
            other.process
        );
        journal.breach(Rule::ConcurrentCalls, what);
    }
}

/// A paid call has arrived, or never will.
pub fn paid_call_is_over(world: &World, process: usize, parameters: &Value) {
    let token = text(parameters, "ClientToken");
    world.journal().in_flight.retain(|call| call.process != process || call.token != token);
}

/// Money was charged: I1, I2, I3, and not more than the order says. `cloud` is the cloud's state after the charge.
pub fn charged(world: &World, parameters: &Value, entry: &LedgerEntry, cloud: &State) {
    let journal = &mut *world.journal();
    let token = text(parameters, "ClientToken");
    let Some((order, line)) = order_of(world, &token) else {
        journal.breach(Rule::LostPack, format!("a charge for an order that is gone: token {token}"));
        return;
    };
    let charge = Charge {
        order: name_of(&order).to_owned(),
        pack: order.spec.pack_ref.name.clone(),
        action: order.spec.action,
        renews: line.renews_from.as_ref().map(|from| (line.instance_id.clone(), from.0)),
        token,
        order_id: entry.order_id.clone(),
    };
    if charge.action != OrderAction::Return {
        check_double_charge(journal, &charge);
        check_amount(journal, &order, entry);
    }
    check_new_expiry(world, journal, &charge, cloud);
    journal.charges.push(charge);
}

/// I1 and I2: nothing is charged twice.
fn check_double_charge(journal: &mut Journal, charge: &Charge) {
    let same_call = journal.charges.iter().find(|other| other.token == charge.token);
    let is_same_purpose =
        |other: &&Charge| other.pack == charge.pack && other.action == charge.action && renews_the_same(other, charge);
    let same_purpose = journal.charges.iter().find(is_same_purpose);
    let (rule, what) = match (same_call, same_purpose) {
        (Some(before), _) => {
            let what = format!("{} was charged as {} and {}", charge.order, before.order_id, charge.order_id);
            (Rule::DoubleCharge, what)
        }
        (None, Some(before)) => {
            let rule = if charge.renews.is_some() { Rule::RepeatedRenewal } else { Rule::DoubleCharge };
            (rule, format!("{} and {} were charged for the same", before.order, charge.order))
        }
        (None, None) => return,
    };
    journal.breach(rule, what);
}

/// What was paid is what the order quotes.
fn check_amount(journal: &mut Journal, order: &PackOrder, entry: &LedgerEntry) {
    let quoted = order.spec.quote.as_ref().map(|quote| quote.amount.clone());
    let paid = entry.amount_cents.saturating_mul(i64::try_from(order.spec.lines.len()).unwrap_or(1));
    let paid = format!("{}.{:02}", paid / 100, paid % 100);
    if quoted.as_ref() != Some(&paid) {
        journal.breach(Rule::Overpaid, format!("{} costs {quoted:?}, and {paid} was paid", name_of(order)));
    }
}

/// I2: a renewal adds one term to the expiry that its line names.
fn check_new_expiry(world: &World, journal: &mut Journal, charge: &Charge, cloud: &State) {
    let (OrderAction::Renew, Some((Some(id), from))) = (charge.action, &charge.renews) else { return };
    let expected = world.plan.expiry_after_renewal(*from);
    let expires = cloud.instance(id).map(|instance| instance.expires);
    if !expires.is_some_and(|expires| is_same_expiry(expires, expected)) {
        let what = format!("{} renewed {id} from {from}, and it now expires at {expires:?}", charge.order);
        journal.breach(Rule::RepeatedRenewal, what);
    }
}

fn renews_the_same(one: &Charge, other: &Charge) -> bool {
    match (&one.renews, &other.renews) {
        (Some((a, from)), Some((b, other_from))) => a == b && is_same_expiry(*from, *other_from),
        (None, None) => true,
        _ => false,
    }
}

fn text(parameters: &Value, field: &str) -> String {
    parameters[field].as_str().unwrap_or_default().to_owned()
}

fn state_of(order: &PackOrder, line: &OrderLine) -> Option<LineState> {
    let lines = order.status.iter().flat_map(|status| &status.lines);
    lines.into_iter().find(|status| status.index == line.index).map(|status| status.state)
}

/// The order whose line has this token, as the API server has it now.
fn order_of(world: &World, token: &str) -> Option<(PackOrder, OrderLine)> {
    world.objects.orders().into_iter().find_map(|order| {
        let line = order.spec.lines.iter().find(|line| line.client_token == token).cloned()?;
        Some((PackOrder::clone(&order), line))
    })
}
