//! A moment of the world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Formatter};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use carpack_api::order::OrderAction;
use carpack_api::{ConcurrencyPack, PackOrder};
use carpack_core::observation::Observation;
use carpack_core::order::Outcome;
use serde::Serialize;

/// An object as the API server stores it, or as somebody has read it.
pub struct Rec<T> {
    /// The object.
    pub object: Arc<T>,
    /// Its resource version.
    pub version: u64,
    /// Digest of the object: two with the same digest are the same.
    key: u128,
}

impl<T> Clone for Rec<T> {
    fn clone(&self) -> Self {
        Self { object: Arc::clone(&self.object), version: self.version, key: self.key }
    }
}

impl<T: Serialize> Rec<T> {
    /// An object of this version.
    pub fn new(object: T, version: u64) -> Self {
        let key = digest(&serde_json::to_vec(&object).unwrap_or_default());
        Self { object: Arc::new(object), version, key }
    }
}

impl<T> Rec<T> {
    /// What tells it from others.
    pub fn key(&self) -> u128 {
        self.key
    }
}

/// 128 bits of anything.
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
pub struct Item {
    /// Its name.
    pub name: String,
    /// The expiry that the lists show from `seen_at` on.
    pub expires: i64,
    /// The expiry that they show until then; none: they do not list it yet.
    pub before: Option<i64>,
    /// When they change.
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
    /// For a renewal, the expiry that the instance had.
    pub found: Option<i64>,
    /// The instances.
    pub instances: Vec<String>,
    /// True when it is a purchase for a pack that has no instances, not one of a successor.
    pub first: bool,
    /// True when its order was let go, with the payment on record.
    pub filed: bool,
}

/// Where a paid call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leg {
    /// On its way.
    Travelling,
    /// Answered; the answer is on its way back.
    Answered(Outcome),
}

/// A paid call that has left an operator.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who sent it.
    pub by: usize,
    /// The order it is for, as it was when it was sent.
    pub order: Rec<PackOrder>,
    /// The line.
    pub line: i32,
    /// The attempt that the intent counts.
    pub attempt: i32,
    /// Its token.
    pub token: String,
    /// When it was signed.
    pub signed: i64,
    /// Where it is.
    pub leg: Leg,
    /// True when nobody waits for the answer any more.
    pub abandoned: bool,
}

/// How far the spender is with a line.
#[derive(Debug, Clone)]
pub enum Stage {
    /// It has looked, and is about to write the order with this intent.
    Looked(Rec<PackOrder>),
    /// The intent is written; the call is about to be signed.
    Intended,
    /// The call has left.
    Sent,
    /// It is over, and about to be recorded.
    Over(Outcome),
}

/// What the spender of an operator is doing for an order.
#[derive(Debug, Clone)]
pub struct Task {
    /// The order, as it was read or written last.
    pub order: Rec<PackOrder>,
    /// The line.
    pub line: i32,
    /// The attempt.
    pub attempt: i32,
    /// How far it is.
    pub stage: Stage,
}

/// What a process had read before it was frozen.
#[derive(Debug, Clone)]
pub struct Held {
    /// The packs.
    pub packs: Vec<Option<Rec<ConcurrencyPack>>>,
    /// The orders, by name.
    pub orders: BTreeMap<String, Rec<PackOrder>>,
}

/// A complete sweep in the hands of a process.
#[derive(Clone)]
pub struct Sweep {
    /// When it began.
    pub started: i64,
    /// What it saw.
    pub observation: Arc<Observation>,
    /// Digest of both.
    pub key: u128,
}

/// A process.
#[derive(Debug, Clone, Default)]
pub struct Operator {
    /// The newest sweep.
    pub sweep: Option<Sweep>,
    /// What it had read when it was frozen; none: it reads what there is.
    pub held: Option<Held>,
    /// What its spender does, by order.
    pub tasks: BTreeMap<String, Task>,
    /// The order that it is about to create.
    pub creating: Option<Rec<PackOrder>>,
    /// True when it takes itself for the leader, and acts.
    pub acts: bool,
}

/// What has gone wrong: one bit for each rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks(pub u32);

impl Marks {
    /// Sets a bit.
    pub fn set(&mut self, bit: u32) {
        self.0 |= bit;
    }

    /// True when the bit is set.
    pub fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }
}

/// The whole world at one moment.
#[derive(Clone)]
pub struct State {
    /// Now, in seconds.
    pub now: i64,
    /// The packs; none when deleted.
    pub packs: Vec<Option<Rec<ConcurrencyPack>>>,
    /// The orders, by name.
    pub orders: BTreeMap<String, Rec<PackOrder>>,
    /// The last resource version that was given out. Not part of the state's identity: only whether a version in
    /// somebody's hands is the current one has consequences.
    pub version: u64,
    /// What the cloud has.
    pub instances: BTreeMap<String, Item>,
    /// What was paid.
    pub charges: Vec<Charge>,
    /// Paid calls on their way.
    pub calls: Vec<Call>,
    /// The processes.
    pub operators: [Operator; 2],
    /// Which of them leads.
    pub leader: usize,
    /// Faults that may still happen.
    pub faults: u8,
    /// What people may still do.
    pub deeds: u8,
    /// How often each pack was created.
    pub incarnations: Vec<u8>,
    /// Every intent that the API server has accepted: order, line, attempt.
    pub intents: BTreeSet<(String, i32, i32)>,
    /// Rules that were broken on the way here.
    pub broken: Marks,
    /// What has happened on the way here; only to show that it is reached, and not part of the state's identity.
    pub seen: Marks,
    /// What the decisions wanted that is not modelled, in words.
    pub wanted: Option<String>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.now, self.leader, self.faults, self.deeds, self.broken, &self.incarnations).hash(state);
        for pack in &self.packs {
            pack.as_ref().map(Rec::key).hash(state);
        }
        for order in self.orders.values() {
            order.key().hash(state);
        }
        (&self.instances, &self.charges, &self.intents, self.calls.len()).hash(state);
        for call in &self.calls {
            (call.by, call.order.key(), call.line, call.attempt, &call.token, call.signed, call.abandoned).hash(state);
            words(&call.leg).hash(state);
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
    /// The digest of what a read object is, and whether it is still what the API server has.
    fn read(&self, order: &Rec<PackOrder>) -> (u128, bool) {
        let name = order.object.metadata.name.as_deref().unwrap_or_default();
        (order.key(), self.orders.get(name).is_some_and(|live| live.version == order.version))
    }

    fn hash_operator<H: Hasher>(&self, operator: &Operator, state: &mut H) {
        (operator.acts, operator.sweep.as_ref().map(|sweep| sweep.key)).hash(state);
        operator.creating.as_ref().map(Rec::key).hash(state);
        operator.tasks.len().hash(state);
        for task in operator.tasks.values() {
            (self.read(&task.order), task.line, task.attempt).hash(state);
            std::mem::discriminant(&task.stage).hash(state);
            match &task.stage {
                Stage::Looked(intent) => intent.key().hash(state),
                Stage::Over(outcome) => words(outcome).hash(state),
                Stage::Intended | Stage::Sent => {}
            }
        }
        operator.held.is_some().hash(state);
        let Some(held) = &operator.held else { return };
        for (read, live) in held.packs.iter().zip(&self.packs) {
            let current = read.as_ref().map(|r| r.version) == live.as_ref().map(|l| l.version);
            (read.as_ref().map(Rec::key), current).hash(state);
        }
        held.orders.len().hash(state);
        for order in held.orders.values() {
            self.read(order).hash(state);
        }
    }
}

/// Everything that is in a value, for what has no digest of its own.
fn words<T: Debug>(value: &T) -> String {
    format!("{value:?}")
}

impl<T> Debug for Rec<T> {
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
