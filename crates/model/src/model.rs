//! What may happen next in a state, and the state after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use carpack_api::Reason;
use carpack_api::order::{Approval, ApprovalScope, Decision};

use crate::action::Action;
use crate::cloud::refused;
use crate::config::{BEGIN, World, at};
use crate::marks::{Marks, SAW_CRASH};
use crate::scene::Scene;
use crate::state::{CallState, Operator, Stage, State};

/// The model of a world.
pub struct CarpackModel {
    /// The world.
    pub scene: Scene,
    checked: AtomicUsize,
}

impl CarpackModel {
    /// The model of a world.
    pub fn new(world: World) -> Self {
        Self { scene: Scene::new(world), checked: AtomicUsize::new(0) }
    }

    /// The number of unique states in which every rule was checked. States that were generated but not checked in time
    /// do not count.
    pub fn checked(&self) -> usize {
        self.checked.load(Ordering::Relaxed)
    }

    /// True when as many instances as the pack needs were bought for it, and last for as long as the pack is to be
    /// renewed.
    pub fn lasts(&self, state: &State, index: usize) -> bool {
        let (Some(plan), Some(Some(pack))) = (self.scene.world.packs.get(index), state.packs.get(index)) else {
            return true;
        };
        let uid = pack.object.metadata.uid.as_deref().unwrap_or_default();
        let until = BEGIN.saturating_add(plan.until.unwrap_or(0).saturating_mul(3600));
        let lasting = state.bought_for(uid).filter(|(_, instance)| instance.expires >= until).count();
        lasting >= usize::try_from(plan.quantity).unwrap_or(0)
    }

    /// True when nothing is left that happens by itself. While two leaders act that know nothing of each other, this is
    /// never true.
    pub fn is_quiet(&self, state: &State) -> bool {
        let others = state.operators.iter().enumerate().any(|(index, o)| o.acts && index != state.leader);
        !others && state.calls.is_empty() && state.next_moment(&self.scene).is_none() && self.is_idle(state)
    }

    /// True when the leader has nothing to do at this moment.
    fn is_idle(&self, state: &State) -> bool {
        let leader = state.leader;
        let Some(process) = state.operators.get(leader) else { return false };
        if !process.tasks.is_empty() || process.creating.is_some() {
            return false;
        }
        let mut actions = Vec::new();
        self.operator_actions(state, leader, &mut actions);
        actions.is_empty()
    }

    /// The first state: the packs were just applied.
    pub fn first_state(&self) -> State {
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
            interventions: world.interventions,
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
        state
    }

    /// Everything that may happen next.
    pub fn next_actions(&self, state: &State, actions: &mut Vec<Action>) {
        // stateright asks this once for each unique state, after it has checked the rules.
        self.checked.fetch_add(1, Ordering::Relaxed);
        self.operator_actions(state, state.leader, actions);
        // A slow leader is modelled as a frozen one: time does not pass while the leader has something to do.
        let pays = state.operators.get(state.leader).is_some_and(|process| !process.tasks.is_empty());
        let is_idle = actions.is_empty() && !pays;
        self.operator_actions(state, 1_usize.saturating_sub(state.leader), actions);
        for (index, call) in state.calls.iter().enumerate() {
            match (&call.state, call.order.object.metadata.name.clone()) {
                (CallState::InFlight, _) => actions.push(Action::Execute(index)),
                (CallState::Answered(_), Some(name)) => actions.push(Action::Receive(call.by, name)),
                (CallState::Answered(_), None) => {}
            }
        }
        for (index, process) in state.operators.iter().enumerate() {
            let no_longer_leads = process.acts && index != state.leader;
            if no_longer_leads && (self.scene.world.fenced || process.snapshot.is_some()) {
                actions.push(Action::Thaw(index));
            }
        }
        self.faults(state, actions);
        self.interventions(state, actions);
        if let Some(to) = state.next_moment(&self.scene).filter(|_| is_idle) {
            actions.push(Action::Advance(to));
        }
    }

    /// What an operator may do by itself.
    fn operator_actions(&self, state: &State, operator: usize, actions: &mut Vec<Action>) {
        let Some(process) = state.operators.get(operator).filter(|o| o.acts) else { return };
        let scene = &self.scene;
        for (name, task) in &process.tasks {
            match &task.stage {
                Stage::Checked(_) => actions.push(Action::Intend(operator, name.clone())),
                Stage::Intended => actions.push(Action::Send(operator, name.clone())),
                Stage::Answered(_) => actions.push(Action::Record(operator, name.clone())),
                Stage::Sent => {}
            }
        }
        if process.creating.is_some() {
            actions.push(Action::Create(operator));
        }
        let changes_pack = |index: &usize| {
            state.may_change_pack(scene, operator, *index) && state.reconcile_pack(scene, operator, *index).is_some()
        };
        actions.extend((0..state.packs.len()).filter(changes_pack).map(|index| Action::Pack(operator, index)));
        let names = state.orders_of(operator).keys();
        let changes_order = |name: &&String| {
            state.may_change_order(scene, operator, name) && state.reconcile_order(scene, operator, name).is_some()
        };
        actions.extend(names.filter(changes_order).map(|name| Action::Order(operator, name.clone())));
        if process.snapshot.is_none() && state.wants_sweep(scene, operator) {
            actions.push(Action::Sweep(operator));
        }
    }

    fn faults(&self, state: &State, actions: &mut Vec<Action>) {
        if state.faults == 0 {
            return;
        }
        for (index, call) in state.calls.iter().enumerate() {
            if call.state == CallState::InFlight && !call.abandoned {
                actions.push(Action::Refuse(index));
            }
        }
        for (index, process) in state.operators.iter().enumerate().filter(|(_, process)| process.acts) {
            let sent = process.tasks.iter().filter(|(_, task)| matches!(task.stage, Stage::Sent));
            actions.extend(sent.map(|(name, _)| Action::GiveUp(index, name.clone())));
            // A process that holds nothing loses nothing when it is killed.
            if index == state.leader && (!process.tasks.is_empty() || process.creating.is_some()) {
                actions.push(Action::Kill(index));
            }
        }
        if state.operators.iter().filter(|process| process.acts).count() == 1 {
            actions.push(Action::Freeze);
        }
    }

    fn interventions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.interventions == 0 {
            return;
        }
        let people = self.scene.world.people;
        for (name, order) in &state.orders {
            let object = &order.object;
            let deleting = object.metadata.deletion_timestamp.is_some();
            if people.approve && object.spec.approval.is_none() && !deleting {
                actions.extend([true, false].map(|approves| Action::Decide(name.clone(), approves)));
            }
            if people.delete_orders && !deleting {
                actions.push(Action::DeleteOrder(name.clone()));
            }
        }
        if people.recreate_packs {
            let existing = state.packs.iter().enumerate().filter(|(_, pack)| pack.is_some());
            actions.extend(existing.map(|(index, _)| Action::Recreate(index)));
        }
    }

    /// The state after an action; none when nothing comes of it.
    pub fn after(&self, state: &State, action: &Action) -> Option<State> {
        let scene = &self.scene;
        let mut next = match action {
            Action::Pack(operator, index) => state.reconcile_pack(scene, *operator, *index)?,
            Action::Order(operator, name) => state.reconcile_order(scene, *operator, name)?,
            Action::Create(operator) => state.create(*operator)?,
            Action::Intend(operator, name) => state.write_intent(scene, *operator, name)?,
            Action::Send(operator, name) => state.sign_and_send(scene, *operator, name)?,
            Action::Receive(operator, name) => state.receive(*operator, name)?,
            Action::GiveUp(operator, name) => state.give_up(scene, *operator, name)?,
            Action::Record(operator, name) => state.record(scene, *operator, name)?,
            Action::Freeze => self.freeze(state)?,
            Action::Kill(operator) => self.kill(state, *operator)?,
            Action::Thaw(operator) => self.thaw(state, *operator)?,
            Action::Decide(name, approves) => self.decide(state, name, *approves),
            Action::Recreate(index) => self.recreate(state, *index)?,
            Action::Advance(to) => state.advance(*to),
            Action::Execute(_) | Action::Refuse(_) | Action::Sweep(_) | Action::DeleteOrder(_) => state.clone(),
        };
        match action {
            Action::Execute(index) => next.execute(&scene.world, *index),
            Action::Refuse(index) => {
                next.calls.get_mut(*index)?.state = CallState::Answered(refused(Reason::CloudInternal))
            }
            Action::Sweep(operator) => next.operators.get_mut(*operator)?.sweep = Some(state.sweep()),
            Action::DeleteOrder(name) => next.delete_order(name, at(state.now)),
            Action::Kill(_) => next.saw(SAW_CRASH),
            _ => {}
        }
        if action.is_fault() {
            next.faults = next.faults.checked_sub(1)?;
        }
        if action.is_by_person() {
            next.interventions = next.interventions.checked_sub(1)?;
        }
        Some(next)
    }

    fn decide(&self, state: &State, name: &str, approves: bool) -> State {
        let mut next = state.clone();
        let decision = if approves { Decision::Approved } else { Decision::Denied };
        let approval = Approval { decision, scope: ApprovalScope::ThisOrder, until: None };
        next.edit_order(name, |order| order.spec.approval = Some(approval));
        next
    }

    fn freeze(&self, state: &State) -> Option<State> {
        let mut next = state.clone();
        let snapshot = state.snapshot();
        next.operators.get_mut(state.leader)?.snapshot = Some(snapshot);
        next.leader = 1_usize.saturating_sub(state.leader);
        next.operators.get_mut(next.leader)?.acts = true;
        Some(next)
    }

    fn kill(&self, state: &State, operator: usize) -> Option<State> {
        let mut next = state.clone();
        let awaited = |next: &State| next.calls.iter().position(|call| call.by == operator && !call.abandoned);
        while let Some(index) = awaited(&next) {
            next.abandon_call(index);
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
        next.operators.get_mut(operator)?.snapshot = None;
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
}
