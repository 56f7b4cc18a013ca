//! The spender of an operator, with the steps of the operator's own spender: check, intend, sign and send, receive,
//! record.

use carpack_api::Reason;
use carpack_core::observation::DealList;
use carpack_core::order::{self, Effect, Outcome};

use crate::api::{line_of, with_status, without_times};
use crate::cloud::refused;
use crate::config::{Mutant, SIGNATURE, Tokens, World, at};
use crate::marks::{
    NO_INTENT, SAW_CONFLICT, SAW_HELD_BACK, SAW_LATE_RECORD, SAW_LOST_AFTER_COMMIT, SAW_LOST_BEFORE_COMMIT, SAW_RETRY,
    TWO_CALLS,
};
use crate::scene::Scene;
use crate::state::{Call, CallState, Stage, State, Task};

impl State {
    /// True when the lease allows this operator to spend.
    fn leads(&self, world: &World, operator: usize) -> bool {
        !world.fenced || world.is(Mutant::UncheckedAfterSigning) || self.leader == operator
    }

    /// The spender reads order and pack live and decides again. The intent is made now and written later: the process
    /// may be frozen in between, and then its intent carries the earlier time.
    pub fn start_payment(
        &self,
        scene: &Scene,
        operator: usize,
        name: &str,
        index: i32,
        deals: Option<DealList>,
    ) -> Option<Self> {
        let world = &scene.world;
        let live = self.orders.get(name)?.clone();
        // Only one order of a pack at a time is between the check and the intent.
        let pack = &live.object.spec.pack_ref;
        let busy = |task: &Task| {
            let other = &task.order.object.spec.pack_ref;
            matches!(task.stage, Stage::Checked(_)) && (&other.namespace, &other.name) == (&pack.namespace, &pack.name)
        };
        if self.operators.get(operator)?.tasks.values().any(busy) {
            return None;
        }
        let decided = self.decide_order_with(scene, operator, &live, &self.packs, deals);
        let fenced_off = world.fenced && self.leader != operator;
        if decided.decision.effect != Some(Effect::Submit { index }) || fenced_off {
            return None;
        }
        let intent = with_status(&live.object, without_times(order::intend(&live.object, index, at(self.now))));
        let attempt = line_of(&intent.object, index).map_or(0, |line| line.attempts);
        let stage = if world.is(Mutant::IntentAfterCall) { Stage::Intended } else { Stage::Checked(intent) };
        let mut next = self.clone();
        if attempt > 1 {
            next.saw(SAW_RETRY);
        }
        let task = Task { order: live, line: index, attempt, stage };
        next.operators.get_mut(operator)?.tasks.insert(name.to_owned(), task);
        Some(next)
    }

    /// The spender writes the intent. After a conflict it stops.
    pub fn write_intent(&self, scene: &Scene, operator: usize, name: &str) -> Option<Self> {
        let task = self.operators.get(operator)?.tasks.get(name)?.clone();
        let Stage::Checked(intent) = &task.stage else { return None };
        let mut next = self.clone();
        match next.write_order(&scene.world, &task.order, intent) {
            Some(order) => {
                next.remember_order(operator, name, order.clone());
                let tasks = &mut next.operators.get_mut(operator)?.tasks;
                tasks.insert(name.to_owned(), Task { order, stage: Stage::Intended, ..task });
            }
            None => {
                next.operators.get_mut(operator)?.tasks.remove(name);
                next.saw(SAW_CONFLICT);
            }
        }
        Some(next)
    }

    /// The spender signs the call, checks the lease and the age of the intent, and sends the call.
    pub fn sign_and_send(&self, scene: &Scene, operator: usize, name: &str) -> Option<Self> {
        let world = &scene.world;
        let task = self.operators.get(operator)?.tasks.get(name)?.clone();
        if !matches!(task.stage, Stage::Intended) {
            return None;
        }
        let mut next = self.clone();
        let unchecked = world.is(Mutant::UncheckedAfterSigning) || world.is(Mutant::IntentAfterCall);
        let in_time = unchecked || order::may_leave(&task.order.object, task.line, at(self.now), &world.timing);
        let held_back = !self.leads(world, operator) || !in_time;
        let stage = if held_back { Stage::Answered(refused(Reason::HeldBack)) } else { Stage::Sent };
        if held_back {
            next.saw(SAW_HELD_BACK);
        } else {
            next.send(world, operator, &task)?;
        }
        next.operators.get_mut(operator)?.tasks.insert(name.to_owned(), Task { stage, ..task });
        Some(next)
    }

    fn send(&mut self, world: &World, operator: usize, task: &Task) -> Option<()> {
        let order = &task.order.object;
        let line = order.spec.lines.iter().find(|line| line.index == task.line)?;
        let token = match world.mutant {
            Some(Mutant::TokenPerAttempt) => format!("{}-{}", line.client_token, task.attempt),
            _ => line.client_token.clone(),
        };
        let name = order.metadata.name.clone()?;
        if !self.intents.contains(&(name, task.line, task.attempt)) {
            self.broken.set(NO_INTENT);
        }
        let alive =
            |call: &&Call| self.now.saturating_sub(call.signed) <= SIGNATURE && call.state == CallState::InFlight;
        let same_pack = |call: &&Call| call.order.object.spec.pack_ref.uid == order.spec.pack_ref.uid;
        // Where tokens are known to be honoured, a second call with the same token may be in flight: the cloud answers
        // it and charges nothing. Otherwise no second call may be in flight, not even with the same token, and not from
        // a process that was frozen or from another leader.
        let known = matches!(world.tokens, Tokens::Known(_));
        let charged = |call: &Call| self.charges.iter().any(|charge| charge.token == call.token);
        let clashes = |call: &Call| !known || call.token != token && !charged(call);
        if self.calls.iter().filter(alive).filter(same_pack).any(clashes) {
            self.broken.set(TWO_CALLS);
        }
        self.calls.push(Call {
            by: operator,
            order: task.order.clone(),
            line: task.line,
            attempt: task.attempt,
            token,
            signed: self.now,
            state: CallState::InFlight,
            abandoned: false,
        });
        Some(())
    }

    fn call_of(&self, operator: usize, name: &str) -> Option<usize> {
        self.calls.iter().position(|call| {
            call.by == operator && !call.abandoned && call.order.object.metadata.name.as_deref() == Some(name)
        })
    }

    /// The answer arrives at the spender.
    pub fn receive(&self, operator: usize, name: &str) -> Option<Self> {
        let index = self.call_of(operator, name)?;
        let CallState::Answered(outcome) = self.calls.get(index)?.state.clone() else { return None };
        let mut next = self.clone();
        next.calls.remove(index);
        next.operators.get_mut(operator)?.tasks.get_mut(name)?.stage = Stage::Answered(outcome);
        Some(next)
    }

    /// The spender stops waiting for the answer: the outcome is unknown. The call may still arrive at the cloud.
    pub fn give_up(&self, scene: &Scene, operator: usize, name: &str) -> Option<Self> {
        let index = self.call_of(operator, name)?;
        let mut next = self.clone();
        next.abandon_call(index);
        let unknown = match scene.world.mutant {
            Some(Mutant::TimeoutIsRefusal) => refused(Reason::NoAnswer),
            _ => Outcome::Unknown { category: Reason::NoAnswer, message: "no answer in time".to_owned() },
        };
        next.operators.get_mut(operator)?.tasks.get_mut(name)?.stage = Stage::Answered(unknown);
        Some(next)
    }

    /// Nobody waits for the answer to this call any more.
    pub fn abandon_call(&mut self, index: usize) {
        match self.calls.get_mut(index) {
            Some(call) if call.state == CallState::InFlight => {
                call.abandoned = true;
                self.saw(SAW_LOST_BEFORE_COMMIT);
            }
            Some(_) => {
                let call = self.calls.remove(index);
                if matches!(call.state, CallState::Answered(Outcome::Committed { .. })) {
                    self.saw(SAW_LOST_AFTER_COMMIT);
                }
            }
            None => {}
        }
    }

    /// The spender records the outcome: on the version that the intent left, or on the newer order when that has
    /// changed.
    pub fn record(&self, scene: &Scene, operator: usize, name: &str) -> Option<Self> {
        let task = self.operators.get(operator)?.tasks.get(name)?.clone();
        let Stage::Answered(outcome) = &task.stage else { return None };
        let mut next = self.clone();
        next.operators.get_mut(operator)?.tasks.remove(name);
        let current = match self.orders.get(name) {
            Some(live) if live.version == task.order.version || scene.world.is(Mutant::NoVersionCheck) => {
                task.order.clone()
            }
            Some(live) => {
                next.saw(SAW_LATE_RECORD);
                live.clone()
            }
            None => return Some(next),
        };
        if !line_of(&current.object, task.line).is_some_and(|line| order::adds_to(line, task.attempt, outcome))
            && !scene.world.is(Mutant::IntentAfterCall)
        {
            return Some(next);
        }
        let mut order = current.object.as_ref().clone();
        if scene.world.is(Mutant::IntentAfterCall) {
            order.status = Some(order::intend(&order, task.line, at(self.now)));
        }
        let status = without_times(order::settle(&order, task.line, outcome, at(self.now), &scene.timing));
        if let Some(recorded) = next.write_order(&scene.world, &current, &with_status(&current.object, status)) {
            next.remember_order(operator, name, recorded);
        }
        Some(next)
    }
}
