//! What stateright is given: the beginning, what may happen next, and what must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::sync::atomic::{AtomicUsize, Ordering};

use carpack_api::Reason;
use carpack_api::order::{Approval, ApprovalScope, Decision};
use stateright::{Model, Property};

use crate::cloud::refused;
use crate::config::{BEGIN, World, at};
use crate::operator::Scene;
use crate::properties::{self, SAW_CRASH};
use crate::state::{Leg, Marks, Operator, Stage, State};

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// An operator looks at a pack and does what is decided.
    Pack(usize, usize),
    /// An operator looks at an order and does what is decided.
    Order(usize, String),
    /// An operator creates the order that it has decided on.
    Create(usize),
    /// The spender writes the intent.
    Intend(usize, String),
    /// The spender signs, asks the lease, and sends.
    Send(usize, String),
    /// A paid call arrives at the cloud.
    Execute(usize),
    /// The cloud refuses a paid call. A fault.
    Refuse(usize),
    /// The answer arrives.
    Receive(usize, String),
    /// The operator waits no longer for the answer. A fault.
    GiveUp(usize, String),
    /// The answer is recorded.
    Record(usize, String),
    /// A complete sweep.
    Sweep(usize),
    /// The leader is frozen, with all that it has read; the other one leads. A fault.
    Freeze,
    /// An operator is killed, and starts again. A fault.
    Kill(usize),
    /// A process that no longer leads ends, or one of two leaders reads again.
    Thaw(usize),
    /// A person says yes or no.
    Word(String, bool),
    /// A person deletes an order.
    DeleteOrder(String),
    /// A person deletes a pack and creates it again, under another UID.
    Recreate(usize),
    /// Time passes.
    Advance(i64),
}

/// A world as stateright explores it.
pub struct CarpackModel {
    /// The world.
    pub scene: Scene,
    asked: AtomicUsize,
}

impl CarpackModel {
    /// The model of a world.
    pub fn new(world: World) -> Self {
        Self { scene: Scene::new(world), asked: AtomicUsize::new(0) }
    }

    /// Unique states in which every rule was asked. What was generated and not looked at in time is not among them.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// True when as much as a pack needs was bought for it, and lasts for as long as it is to be renewed.
    pub fn lasts(&self, state: &State, index: usize) -> bool {
        let (Some(plan), Some(Some(pack))) = (self.scene.world.packs.get(index), state.packs.get(index)) else {
            return true;
        };
        let uid = pack.object.metadata.uid.as_deref().unwrap_or_default();
        let until = BEGIN.saturating_add(plan.until.unwrap_or(0).saturating_mul(3600));
        let lasting = state.bought_for(uid).filter(|(_, item)| item.expires >= until).count();
        lasting >= usize::try_from(plan.quantity).unwrap_or(0)
    }

    /// True when the leader has nothing to do at this moment.
    fn is_idle(&self, state: &State) -> bool {
        let leader = state.leader;
        let Some(process) = state.operators.get(leader) else { return false };
        if !process.tasks.is_empty() || process.creating.is_some() {
            return false;
        }
        let mut steps = Vec::new();
        self.steps(state, leader, &mut steps);
        steps.is_empty()
    }

    /// True when nothing is left that happens by itself.
    pub fn is_quiet(&self, state: &State) -> bool {
        let others = state.operators.iter().enumerate().any(|(index, o)| o.acts && index != state.leader);
        !others && state.calls.is_empty() && state.next_moment(&self.scene).is_none() && self.is_idle(state)
    }

    /// What an operator may do by itself.
    fn steps(&self, state: &State, operator: usize, actions: &mut Vec<Action>) {
        let Some(process) = state.operators.get(operator).filter(|o| o.acts) else { return };
        let scene = &self.scene;
        for (name, task) in &process.tasks {
            match &task.stage {
                Stage::Looked(_) => actions.push(Action::Intend(operator, name.clone())),
                Stage::Intended => actions.push(Action::Send(operator, name.clone())),
                Stage::Over(_) => actions.push(Action::Record(operator, name.clone())),
                Stage::Sent => {}
            }
        }
        if process.creating.is_some() {
            actions.push(Action::Create(operator));
        }
        let reads = |index: &usize| {
            state.may_step_pack(scene, operator, *index) && state.step_pack(scene, operator, *index).is_some()
        };
        actions.extend((0..state.packs.len()).filter(reads).map(|index| Action::Pack(operator, index)));
        let names = state.orders_of(operator).keys();
        let reads = |name: &&String| {
            state.may_step_order(scene, operator, name) && state.step_order(scene, operator, name).is_some()
        };
        actions.extend(names.filter(reads).map(|name| Action::Order(operator, name.clone())));
        if process.held.is_none() && state.wants_sweep(scene, operator) {
            actions.push(Action::Sweep(operator));
        }
    }

    fn faults(&self, state: &State, actions: &mut Vec<Action>) {
        if state.faults == 0 {
            return;
        }
        for (index, call) in state.calls.iter().enumerate() {
            if call.leg == Leg::Travelling && !call.abandoned {
                actions.push(Action::Refuse(index));
            }
        }
        for (index, process) in state.operators.iter().enumerate().filter(|(_, process)| process.acts) {
            let sent = process.tasks.iter().filter(|(_, task)| matches!(task.stage, Stage::Sent));
            actions.extend(sent.map(|(name, _)| Action::GiveUp(index, name.clone())));
            // One that has nothing in its hands loses nothing.
            if index == state.leader && (!process.tasks.is_empty() || process.creating.is_some()) {
                actions.push(Action::Kill(index));
            }
        }
        if state.operators.iter().filter(|process| process.acts).count() == 1 {
            actions.push(Action::Freeze);
        }
    }

    fn deeds(&self, state: &State, actions: &mut Vec<Action>) {
        if state.deeds == 0 {
            return;
        }
        let people = self.scene.world.people;
        for (name, order) in &state.orders {
            let object = &order.object;
            let deleting = object.metadata.deletion_timestamp.is_some();
            if people.approve && object.spec.approval.is_none() && !deleting {
                actions.extend([true, false].map(|word| Action::Word(name.clone(), word)));
            }
            if people.delete_orders && !deleting {
                actions.push(Action::DeleteOrder(name.clone()));
            }
        }
        if people.recreate_packs {
            let there = state.packs.iter().enumerate().filter(|(_, pack)| pack.is_some());
            actions.extend(there.map(|(index, _)| Action::Recreate(index)));
        }
    }

    fn freeze(&self, state: &State) -> Option<State> {
        let mut next = state.clone();
        let reading = state.reading();
        next.operators.get_mut(state.leader)?.held = Some(reading);
        next.leader = 1_usize.saturating_sub(state.leader);
        next.operators.get_mut(next.leader)?.acts = true;
        Some(next)
    }

    fn kill(&self, state: &State, operator: usize) -> Option<State> {
        let mut next = state.clone();
        let waits = |next: &State| next.calls.iter().position(|call| call.by == operator && !call.abandoned);
        while let Some(index) = waits(&next) {
            next.forget_call(index);
        }
        let acts = operator == state.leader;
        *next.operators.get_mut(operator)? = Operator { acts, ..Operator::default() };
        Some(next)
    }

    fn thaw(&self, state: &State, operator: usize) -> Option<State> {
        if self.scene.world.fenced {
            return self.kill(state, operator);
        }
        let mut next = state.clone();
        next.operators.get_mut(operator)?.held = None;
        Some(next)
    }

    fn recreate(&self, state: &State, index: usize) -> Option<State> {
        let mut next = state.clone();
        let incarnation = next.incarnations.get_mut(index)?;
        *incarnation = incarnation.saturating_add(1);
        let pack = self.scene.world.pack(index, *incarnation)?;
        next.put_pack(index, pack);
        Some(next)
    }

    fn happen(&self, state: &State, action: &Action) -> Option<State> {
        let scene = &self.scene;
        let mut next = state.clone();
        match action {
            Action::Pack(operator, index) => return state.step_pack(scene, *operator, *index),
            Action::Order(operator, name) => return state.step_order(scene, *operator, name),
            Action::Create(operator) => return state.create(*operator),
            Action::Intend(operator, name) => return state.write_intent(scene, *operator, name),
            Action::Send(operator, name) => return state.sign(scene, *operator, name),
            Action::Receive(operator, name) => return state.receive(*operator, name),
            Action::GiveUp(operator, name) => next = state.give_up(scene, *operator, name)?,
            Action::Record(operator, name) => return state.record(scene, *operator, name),
            Action::Execute(index) => next.execute(&scene.world, *index),
            Action::Refuse(index) => next.calls.get_mut(*index)?.leg = Leg::Answered(refused(Reason::CloudInternal)),
            Action::Sweep(operator) => next.operators.get_mut(*operator)?.sweep = Some(state.sweep()),
            Action::Freeze => next = self.freeze(state)?,
            Action::Kill(operator) => {
                next = self.kill(state, *operator)?;
                next.reach(SAW_CRASH);
            }
            Action::Thaw(operator) => return self.thaw(state, *operator),
            Action::Word(name, yes) => {
                let decision = if *yes { Decision::Approved } else { Decision::Denied };
                let scope = ApprovalScope::ThisOrder;
                next.edit_order(name, |order| {
                    order.spec.approval = Some(Approval { decision, scope, until: None });
                });
            }
            Action::DeleteOrder(name) => next.delete_order(name, at(state.now)),
            Action::Recreate(index) => next = self.recreate(state, *index)?,
            Action::Advance(to) => return Some(state.advance(*to)),
        }
        match action {
            Action::Refuse(_) | Action::GiveUp(..) | Action::Freeze | Action::Kill(_) => {
                next.faults = next.faults.checked_sub(1)?;
            }
            Action::Word(..) | Action::DeleteOrder(_) | Action::Recreate(_) => {
                next.deeds = next.deeds.checked_sub(1)?
            }
            _ => {}
        }
        Some(next)
    }
}

impl Model for CarpackModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let world = &self.scene.world;
        let mut state = State {
            now: BEGIN,
            packs: vec![None; world.packs.len()],
            orders: BTreeMap::new(),
            version: 0,
            instances: BTreeMap::new(),
            charges: Vec::new(),
            calls: Vec::new(),
            operators: [Operator { acts: true, ..Operator::default() }, Operator::default()],
            leader: 0,
            faults: world.faults,
            deeds: world.deeds,
            incarnations: vec![0; world.packs.len()],
            intents: BTreeSet::new(),
            broken: Marks::default(),
            seen: Marks::default(),
            wanted: None,
        };
        for index in 0..world.packs.len() {
            if let Some(pack) = world.pack(index, 0) {
                state.put_pack(index, pack);
            }
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // What follows from a state is asked once for each, after its rules.
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.steps(state, state.leader, actions);
        // A leader that is slow is one that is frozen: time waits for the others.
        let waits = state.operators.get(state.leader).is_some_and(|process| !process.tasks.is_empty());
        let idle = actions.is_empty() && !waits;
        self.steps(state, 1_usize.saturating_sub(state.leader), actions);
        for (index, call) in state.calls.iter().enumerate() {
            match (&call.leg, call.order.object.metadata.name.clone()) {
                (Leg::Travelling, _) => actions.push(Action::Execute(index)),
                (Leg::Answered(_), Some(name)) => actions.push(Action::Receive(call.by, name)),
                (Leg::Answered(_), None) => {}
            }
        }
        for (index, process) in state.operators.iter().enumerate() {
            let over = process.acts && index != state.leader;
            if over && (self.scene.world.fenced || process.held.is_some()) {
                actions.push(Action::Thaw(index));
            }
        }
        self.faults(state, actions);
        self.deeds(state, actions);
        if let Some(to) = state.next_moment(&self.scene).filter(|_| idle) {
            actions.push(Action::Advance(to));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.happen(state, &action)
    }

    fn format_action(&self, action: &Action) -> String {
        action.to_string()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let waived = self.scene.world.waived.as_deref();
        properties::all().into_iter().filter(|rule| !waived.is_some_and(|name| rule.name.starts_with(name))).collect()
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let who = |operator: &usize| if *operator == 0 { "operator A" } else { "operator B" };
        match self {
            Self::Pack(o, index) => write!(f, "{} decides about pack {index} and records it", who(o)),
            Self::Order(o, name) => write!(f, "{} decides about {name} and records or begins", who(o)),
            Self::Create(o) => write!(f, "{} creates the order it decided on", who(o)),
            Self::Intend(o, name) => write!(f, "{} writes the intent of {name}", who(o)),
            Self::Send(o, name) => write!(f, "{} signs, asks the lease and sends a line of {name}", who(o)),
            Self::Execute(index) => write!(f, "paid call {index} arrives at the cloud"),
            Self::Refuse(index) => write!(f, "FAULT the cloud refuses paid call {index}"),
            Self::Receive(o, name) => write!(f, "{} receives the answer about {name}", who(o)),
            Self::GiveUp(o, name) => write!(f, "FAULT {} waits no longer for the answer about {name}", who(o)),
            Self::Record(o, name) => write!(f, "{} records the outcome of {name}", who(o)),
            Self::Sweep(o) => write!(f, "{} sweeps the account", who(o)),
            Self::Freeze => write!(f, "FAULT the leader is frozen, and the other operator leads"),
            Self::Kill(o) => write!(f, "FAULT {} is killed and starts again", who(o)),
            Self::Thaw(o) => write!(f, "{} ends, or reads everything anew", who(o)),
            Self::Word(name, true) => write!(f, "a person approves {name}"),
            Self::Word(name, false) => write!(f, "a person denies {name}"),
            Self::DeleteOrder(name) => write!(f, "a person deletes {name}"),
            Self::Recreate(index) => write!(f, "a person deletes pack {index} and creates it again"),
            Self::Advance(to) => write!(f, "time passes: {}", at(*to)),
        }
    }
}
