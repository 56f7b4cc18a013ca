//! What must hold at every step, asked where it happens: when money leaves, when it is charged, when something is written.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use carpack_api::PackOrder;
use carpack_api::order::{LineState, OrderAction, OrderLine};
use carpack_fake_api_server::{Asked, Key, Resource};
use carpack_simulator::LedgerEntry;
use carpack_simulator::state::State;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cloud::SIGNATURE;
use crate::process::identity;
use crate::trouble::Trouble;
use crate::world::World;

/// Lists may date one expiry a little differently, and the shortest renewal is by a day. The judge takes no measure from the
/// code that it judges.
const APART: SignedDuration = SignedDuration::from_hours(12);

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// I1: one order was charged twice, or two for what is wanted once.
    DoubleCharge,
    /// More was paid than the order says.
    Overpaid,
    /// I2: an expiry was renewed twice.
    RepeatedRenewal,
    /// I3: a charge that nothing points to.
    LostPack,
    /// I4: a paid call without a recorded intent.
    NoIntent,
    /// A paid call of a process while another one holds the lease.
    NotLeader,
    /// I5: an order was let go with a call that nobody has settled.
    LetGo,
    /// I6: a write that does not say which version it is made of.
    BlindWrite,
    /// I7: a renewal that came late, or not at all.
    MissedRenewal,
    /// I8: two paid calls for one pack at the same time.
    TwoAtOnce,
    /// A person is asked although nothing has happened that needs one.
    NeedlessQuestion,
    /// Not settled in time after the last fault.
    NotSettled,
    /// Something was written or paid although nothing happened.
    Restless,
    /// Something panicked, or could not be run.
    Panic,
}

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which rule.
    pub rule: Rule,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// A charge, and what it was for.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The order object; empty when there is none.
    pub order: String,
    /// The pack, by its name: one made anew under it is still bought once.
    pub pack: String,
    /// What was paid.
    pub action: OrderAction,
    /// For what renews: the instance (none for a successor), and the expiry that is named.
    pub renews: Option<(Option<String>, Timestamp)>,
    /// The token of the call.
    pub token: String,
    /// The cloud's order.
    pub order_id: String,
}

/// A paid call that has left and is not over.
#[derive(Debug, Clone)]
struct Flight {
    process: usize,
    token: String,
    uid: String,
    /// When it was signed: the cloud takes no old signatures.
    signed: Timestamp,
}

/// Watches.
#[derive(Debug, Default)]
pub struct Oracle {
    flights: Vec<Flight>,
    /// Every charge so far.
    pub charges: Vec<Charge>,
    /// Every breach so far.
    pub breaches: Vec<Breach>,
    /// Paid calls so far.
    paid_calls: usize,
    /// Writes to the API server so far, but for the lease.
    writes: usize,
    /// Of everything that was seen.
    digest: DefaultHasher,
}

impl Oracle {
    /// Writes to the API server so far, but for the lease; and paid calls.
    pub fn counts(&self) -> (usize, usize) {
        (self.writes, self.paid_calls)
    }

    /// What was seen so far, in a number.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    fn note(&mut self, world: &World, what: &str) {
        (world.clock.now().as_millisecond(), what).hash(&mut self.digest);
    }

    /// A rule was broken.
    pub fn breach(&mut self, rule: Rule, what: impl Into<String>) {
        let breach = Breach { rule, what: what.into() };
        tracing::error!(%breach, "BREACH");
        self.breaches.push(breach);
    }

    /// A paid call leaves a process.
    pub fn leaves(&mut self, world: &World, process: usize, parameters: &Value, signed: Timestamp) {
        self.paid_calls = self.paid_calls.saturating_add(1);
        let token = text(parameters, "ClientToken");
        self.note(world, &token);
        // A machine that stood still with its clock cannot know that its lease is another's by now.
        let holder = world.leader().filter(|_| !world.plan.has(Trouble::Suspended));
        if let Some(holder) = holder.filter(|holder| *holder != identity(process)) {
            self.breach(Rule::NotLeader, format!("process {process} pays while {holder} leads"));
        }
        let Some((order, line)) = order_of(world, &token) else {
            self.breach(Rule::NoIntent, format!("no order has the token of a paid call: {token}"));
            return;
        };
        if state_of(&order, &line) != Some(LineState::Submitting) {
            let what = format!("{} line {} is sent in state {:?}", name(&order), line.index, state_of(&order, &line));
            self.breach(Rule::NoIntent, what);
        }
        let uid = order.spec.pack_ref.uid.clone();
        let now = world.clock.now();
        // Also what a killed process has sent arrives while its signature is young.
        self.flights.retain(|flight| now.duration_since(flight.signed) <= SIGNATURE);
        // Where tokens are known to be honoured, what arrives after its like is answered, and changes nothing.
        let known = world.plan.has(Trouble::TokensKnown);
        let charged = |flight: &Flight| self.charges.iter().any(|charge| charge.token == flight.token);
        let harmless = |flight: &Flight| known && (flight.token == token || charged(flight));
        let clashes = |f: &&Flight| f.uid == uid && !harmless(f);
        let clash = self.flights.iter().find(clashes).cloned();
        if let Some(flight) = clash {
            let what = format!(
                "{} leaves process {process} while {} of {} is under way",
                name(&order),
                flight.token,
                flight.process
            );
            self.breach(Rule::TwoAtOnce, what);
        }
        self.flights.push(Flight { process, token, uid, signed });
    }

    /// A paid call has arrived, or never will.
    pub fn is_over(&mut self, process: usize, parameters: &Value) {
        let token = text(parameters, "ClientToken");
        self.flights.retain(|flight| flight.process != process || flight.token != token);
    }

    /// Money was charged.
    pub fn charged(&mut self, world: &World, parameters: &Value, entry: &LedgerEntry, cloud: &State) {
        let token = text(parameters, "ClientToken");
        let Some((order, line)) = order_of(world, &token) else {
            self.breach(Rule::LostPack, format!("a charge for an order that is gone: token {token}"));
            return;
        };
        let spec = &order.spec;
        let renews = line.renews_from.as_ref().map(|from| (line.instance_id.clone(), from.0));
        let charge = Charge {
            order: name(&order).to_owned(),
            pack: spec.pack_ref.name.clone(),
            action: spec.action,
            renews,
            token,
            order_id: entry.order_id.clone(),
        };
        if charge.action != OrderAction::Return {
            self.compare(&charge);
            let quoted = spec.quote.as_ref().map(|quote| quote.amount.clone());
            let paid = entry.amount_cents.saturating_mul(i64::try_from(spec.lines.len()).unwrap_or(1));
            let paid = format!("{}.{:02}", paid / 100, paid % 100);
            if quoted.as_ref() != Some(&paid) {
                self.breach(Rule::Overpaid, format!("{} costs {quoted:?}, and {paid} was paid", charge.order));
            }
        }
        if let (OrderAction::Renew, Some((Some(id), from))) = (charge.action, &charge.renews) {
            let term = world.plan.renewed(*from);
            let expires = cloud.instance(id).map(|instance| instance.expires);
            if !expires.is_some_and(|expires| is_same_expiry(expires, term)) {
                let what = format!("{} renewed {id} from {from}, and it now expires at {expires:?}", charge.order);
                self.breach(Rule::RepeatedRenewal, what);
            }
        }
        self.charges.push(charge);
    }

    fn compare(&mut self, charge: &Charge) {
        let same_call = self.charges.iter().find(|c| c.token == charge.token).cloned();
        let same_purpose = self
            .charges
            .iter()
            .find(|c| c.pack == charge.pack && c.action == charge.action && renew_the_same(c, charge))
            .cloned();
        if let Some(before) = same_call {
            self.breach(
                Rule::DoubleCharge,
                format!("{} was charged as {} and {}", charge.order, before.order_id, charge.order_id),
            );
        } else if let Some(before) = same_purpose {
            let rule = if charge.renews.is_some() { Rule::RepeatedRenewal } else { Rule::DoubleCharge };
            self.breach(rule, format!("{} and {} were charged for the same", before.order, charge.order));
        }
    }

    /// Something is about to be written to the API server.
    pub fn writes(&mut self, world: &World, key: &Key, asked: &Asked) {
        if key.resource == Resource::Leases {
            return;
        }
        // The recorder names its events by the machine's clock.
        let ours = key.resource != Resource::Events;
        self.note(world, if ours { &asked.path } else { "an event" });
        let body = std::str::from_utf8(&asked.body).unwrap_or_default();
        self.note(world, if ours { body } else { "" });
        if !world.is_calm() || !is_heartbeat(world, key, asked) {
            self.writes = self.writes.saturating_add(1);
        }
        if matches!(key.resource, Resource::Events | Resource::Secrets) || asked.method == Method::POST {
            return;
        }
        if !body.contains(r#""resourceVersion":""#) {
            self.breach(Rule::BlindWrite, format!("{} {} without a version", asked.method, asked.path));
        }
        if key.resource == Resource::PackOrders && asked.method != Method::PUT {
            let stored = world.api.get(key).and_then(|object| object.parse::<PackOrder>().ok());
            let goes = asked.method == Method::DELETE || body.contains(r#""finalizers":[]"#);
            let open =
                |order: &PackOrder| order.status.iter().flat_map(|s| &s.lines).any(|line| is_unresolved(line.state));
            // A deletion only asks: the finalizer holds it.
            if goes && asked.method == Method::PATCH && stored.as_ref().is_some_and(open) {
                self.breach(Rule::LetGo, format!("{} is let go although a call of it is not settled", key.name));
            }
        }
    }
}

/// True for a write by which a status only says what time has brought: when the cloud was last seen, which is told anew once
/// an hour, and what falls due in the days to come.
fn is_heartbeat(world: &World, key: &Key, asked: &Asked) -> bool {
    let parse = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or(Value::Null);
    let before = world.api.get(key).map(|object| parse(&object.to_json())).unwrap_or(Value::Null);
    let after = parse(&asked.body);
    let lean = |object: &Value| {
        let mut status = object["status"].clone();
        ["lastObservedTime", "lastSweepTime", "due7Days", "due30Days"]
            .into_iter()
            .for_each(|field| status[field] = Value::Null);
        status
    };
    asked.method == Method::PUT
        && before["status"].is_object()
        && after["status"].is_object()
        && lean(&before) == lean(&after)
}

/// True when two lists that date their expiries differently may mean the same one.
fn is_same_expiry(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() < APART
}

/// True when it is a later expiry, and not the same one in another list.
pub fn is_later_expiry(one: Timestamp, other: Timestamp) -> bool {
    one > other && !is_same_expiry(one, other)
}

fn renew_the_same(one: &Charge, other: &Charge) -> bool {
    match (&one.renews, &other.renews) {
        (Some((a, from)), Some((b, other_from))) => a == b && is_same_expiry(*from, *other_from),
        (None, None) => true,
        _ => false,
    }
}

fn is_unresolved(state: LineState) -> bool {
    matches!(state, LineState::Submitting | LineState::Unknown | LineState::Committed)
}

fn text(parameters: &Value, field: &str) -> String {
    parameters[field].as_str().unwrap_or_default().to_owned()
}

fn name(order: &PackOrder) -> &str {
    order.metadata.name.as_deref().unwrap_or_default()
}

fn state_of(order: &PackOrder, line: &OrderLine) -> Option<LineState> {
    let lines = order.status.iter().flat_map(|status| &status.lines);
    lines.into_iter().find(|status| status.index == line.index).map(|status| status.state)
}

/// The order whose line has this token, as the API server has it now.
fn order_of(world: &World, token: &str) -> Option<(PackOrder, OrderLine)> {
    world.orders().into_iter().find_map(|order| {
        let line = order.spec.lines.iter().find(|line| line.client_token == token).cloned()?;
        Some((PackOrder::clone(&order), line))
    })
}
