//! A state: the whole world at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Formatter};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use carpack_api::order::OrderAction;
use carpack_api::{ConcurrencyPack, PackOrder};
use carpack_core::observation::Observation;
use carpack_core::order::Outcome;
use serde::Serialize;

use crate::marks::Marks;

/// An object with its resource version: as the API server stores it, or as an operator has read it.
pub struct Stored<T> {
    /// The object.
    pub object: Arc<T>,
    /// Its resource version.
    pub version: u64,
    /// Digest of the object: objects with the same digest are the same.
    key: u128,
}

impl<T> Clone for Stored<T> {
    fn clone(&self) -> Self {
        Self { object: Arc::clone(&self.object), version: self.version, key: self.key }
    }
}

impl<T: Serialize> Stored<T> {
    /// An object of this version.
    pub fn new(object: T, version: u64) -> Self {
        let key = digest(&serde_json::to_vec(&object).unwrap_or_default());
        Self { object: Arc::new(object), version, key }
    }
}

impl<T> Stored<T> {
    /// The digest of the object.
    pub fn key(&self) -> u128 {
        self.key
    }
}

/// A digest of any value.
pub fn digest<T: Hash + ?Sized>(value: &T) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// An instance in the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CloudInstance {
    /// Its name.
    pub name: String,
    /// Its expiry, which lists show from `seen_at` on.
    pub expires: i64,
    /// The expiry that lists show until then; none: they do not show the instance yet.
    pub before: Option<i64>,
    /// When lists show the last change.
    pub seen_at: i64,
}

/// A charge in the cloud's ledger, and what it was for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Charge {
    /// When.
    pub at: i64,
    /// The token of the call.
    pub token: String,
    /// The order, by its name.
    pub order: String,
    /// The UID of the pack.
    pub uid: String,
    /// What was paid.
    pub action: OrderAction,
    /// The order's ordinal.
    pub ordinal: i64,
    /// The line of the order.
    pub line: i32,
    /// For a renewal, the expiry that the line names.
    pub renews_from: Option<i64>,
    /// For a renewal, the expiry that the instance had before.
    pub expired_before: Option<i64>,
    /// The instances.
    pub instances: Vec<String>,
    /// True for a pack's first purchase; false for the purchase of a successor.
    pub first: bool,
    /// True when its order was released with the payment on record.
    pub recorded: bool,
}

/// How far a paid call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallState {
    /// On its way to the cloud.
    InFlight,
    /// Executed or refused; the answer is on its way back.
    Answered(Outcome),
}

/// A paid call that has left an operator.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operator that sent it.
    pub by: usize,
    /// The order, as it was when the call was sent.
    pub order: Stored<PackOrder>,
    /// The line.
    pub line: i32,
    /// The attempt that the intent counts.
    pub attempt: i32,
    /// Its token.
    pub token: String,
    /// When it was signed.
    pub signed: i64,
    /// How far it is.
    pub state: CallState,
    /// True when nobody waits for the answer.
    pub abandoned: bool,
}

/// How far the spender is with a line.
#[derive(Debug, Clone)]
pub enum Stage {
    /// It has checked everything, and will write the order with this intent.
    Checked(Stored<PackOrder>),
    /// The intent is written; it will sign the call.
    Intended,
    /// The call was sent.
    Sent,
    /// The outcome is known; it will record it.
    Answered(Outcome),
}

/// What the spender of an operator is doing for an order.
#[derive(Debug, Clone)]
pub struct Task {
    /// The order, as it was last read or written.
    pub order: Stored<PackOrder>,
    /// The line.
    pub line: i32,
    /// The attempt.
    pub attempt: i32,
    /// How far it is.
    pub stage: Stage,
}

/// What a process had read before it was frozen.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The packs.
    pub packs: Vec<Option<Stored<ConcurrencyPack>>>,
    /// The orders, by name.
    pub orders: BTreeMap<String, Stored<PackOrder>>,
}

/// A complete sweep, as a process keeps it.
#[derive(Clone)]
pub struct Sweep {
    /// When it began.
    pub started: i64,
    /// What it observed.
    pub observation: Arc<Observation>,
    /// Digest of both.
    pub key: u128,
}

/// A process.
#[derive(Debug, Clone, Default)]
pub struct Operator {
    /// The newest sweep.
    pub sweep: Option<Sweep>,
    /// What it had read when it was frozen; none: it reads the current objects.
    pub snapshot: Option<Snapshot>,
    /// What its spender is doing, by order.
    pub tasks: BTreeMap<String, Task>,
    /// The order that it will create.
    pub creating: Option<Stored<PackOrder>>,
    /// True when it believes that it leads, and acts.
    pub acts: bool,
}

/// The whole world at one moment.
#[derive(Clone)]
pub struct State {
    /// Now, in seconds.
    pub now: i64,
    /// The packs; none when deleted.
    pub packs: Vec<Option<Stored<ConcurrencyPack>>>,
    /// The orders, by name.
    pub orders: BTreeMap<String, Stored<PackOrder>>,
    /// The last resource version that was given out. It is not part of the state's identity: it only matters whether a
    /// version that an operator holds is the current one.
    pub version: u64,
    /// The cloud's instances, by id.
    pub instances: BTreeMap<String, CloudInstance>,
    /// The cloud's ledger.
    pub charges: Vec<Charge>,
    /// Paid calls that are in flight or answered.
    pub calls: Vec<Call>,
    /// The processes.
    pub operators: [Operator; 2],
    /// The index of the one that leads.
    pub leader: usize,
    /// Faults that may still happen.
    pub faults: u8,
    /// How often people may still intervene.
    pub interventions: u8,
    /// How often each pack was created.
    pub incarnations: Vec<u8>,
    /// Every intent that the API server has stored: order, line, attempt.
    pub intents: BTreeSet<(String, i32, i32)>,
    /// Rules that were broken on the way here.
    pub broken: Marks,
    /// What was seen on the way here. It only shows what is reached, and is not part of the state's identity.
    pub seen: Marks,
    /// What a decision wanted that is not modelled, in words.
    pub wanted: Option<String>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, self.leader, self.faults, self.interventions, self.broken, &self.incarnations).hash(state);
        for pack in &self.packs {
            pack.as_ref().map(Stored::key).hash(state);
        }
        for order in self.orders.values() {
            order.key().hash(state);
        }
        (&self.instances, &self.charges, &self.intents, self.calls.len()).hash(state);
        for call in &self.calls {
            (call.by, call.order.key(), call.line, call.attempt, &call.token, call.signed, call.abandoned).hash(state);
            words(&call.state).hash(state);
        }
        for operator in &self.operators {
            self.hash_operator(operator, state);
        }
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        digest(self) == digest(other)
    }
}

impl State {
    /// The digest of an order that was read, and whether it is still the current version.
    fn read_key(&self, order: &Stored<PackOrder>) -> (u128, bool) {
        let name = order.object.metadata.name.as_deref().unwrap_or_default();
        (order.key(), self.orders.get(name).is_some_and(|live| live.version == order.version))
    }

    fn hash_operator<H: Hasher>(&self, operator: &Operator, state: &mut H) {
        (operator.acts, operator.sweep.as_ref().map(|sweep| sweep.key)).hash(state);
        operator.creating.as_ref().map(Stored::key).hash(state);
        operator.tasks.len().hash(state);
        for task in operator.tasks.values() {
            (self.read_key(&task.order), task.line, task.attempt).hash(state);
            std::mem::discriminant(&task.stage).hash(state);
            match &task.stage {
                Stage::Checked(intent) => intent.key().hash(state),
                Stage::Answered(outcome) => words(outcome).hash(state),
                Stage::Intended | Stage::Sent => {}
            }
        }
        operator.snapshot.is_some().hash(state);
        let Some(snapshot) = &operator.snapshot else { return };
        for (read, live) in snapshot.packs.iter().zip(&self.packs) {
            let current = read.as_ref().map(|r| r.version) == live.as_ref().map(|l| l.version);
            (read.as_ref().map(Stored::key), current).hash(state);
        }
        snapshot.orders.len().hash(state);
        for order in snapshot.orders.values() {
            self.read_key(order).hash(state);
        }
    }
}

/// The debug text of a value that cannot be hashed.
fn words<T: Debug>(value: &T) -> String {
    format!("{value:?}")
}

impl<T> Debug for Stored<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.version)
    }
}

impl Debug for Sweep {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "sweep of {}", self.started)
    }
}

impl Debug for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, order) in &self.orders {
            let lines = order.object.status.iter().flat_map(|status| &status.lines);
            for line in lines {
                writeln!(
                    f,
                    "{name} line {}: {:?}, attempt {}, {:?}",
                    line.index, line.state, line.attempts, line.order_ids
                )?;
            }
            let message = order.object.status.as_ref().and_then(|status| status.message.as_deref());
            writeln!(f, "{name}: {}", message.unwrap_or("no status"))?;
        }
        for charge in &self.charges {
            writeln!(f, "charged: {} line {} of {}: {:?}", charge.order, charge.line, charge.uid, charge.instances)?;
        }
        for pack in self.packs.iter().flatten() {
            let status = pack.object.status.as_ref();
            writeln!(f, "pack {}: {:?}", pack.object.spec.quantity, status.and_then(|s| s.next.as_deref()))?;
        }
        self.wanted.iter().try_for_each(|wanted| writeln!(f, "wanted: {wanted}"))
    }
}
