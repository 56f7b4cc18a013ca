//! What is decided about an order: whether it is sent, what became of its calls, and when it is closed.

mod approval;
mod deals;
mod deletion;
mod evidence;
pub mod gate;
mod pruning;
mod quarantine;
mod settlement;

use carpack_api::common::Time;
use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_core::observation::{Deal, DealAction, DealState};
use carpack_core::order::{Decision, Effect, settle_annotation};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::{Reply, SECOND, World, pack, unanswered};

const AFTER_THE_QUARANTINE: SignedDuration = SignedDuration::from_mins(10);

/// The first purchase was ordered a second ago. It is not sent.
pub fn ordered(spec: Value) -> World {
    let mut world = World::new(pack(spec));
    world.sweep();
    world.advance(SECOND);
    world.reconcile_pack();
    world.reconcile_pack();
    assert_eq!(world.orders.len(), 1, "{:?}", world.ready());
    world.advance(SECOND);
    world
}

/// The first purchase was sent, and the cloud did this with it.
pub fn sent(reply: Reply) -> World {
    let mut world = ordered(json!({}));
    world.replies = vec![reply];
    let sent = (0..12).any(|_| {
        world.sweep();
        world.advance(SECOND);
        world.reconcile_order(0) == Some(Effect::Submit { index: 0 })
    });
    assert!(sent, "{:?}", world.orders[0].status);
    world
}

/// The answer to the first purchase was lost, and a sweep since shows nothing of it. The cloud honours tokens for so many
/// minutes.
fn lost_call(reply: Reply, honored_minutes: Option<i32>) -> World {
    let mut world = sent(reply);
    let api = world.account.as_mut().unwrap().spec.purchase.api.as_mut().unwrap();
    api.client_token_honored_minutes = honored_minutes;
    sweep_in_vain(&mut world);
    world
}

/// A new sweep that lists no instance.
fn sweep_in_vain(world: &mut World) {
    let instances = std::mem::take(&mut world.instances);
    world.sweep_after(SECOND);
    world.instances = instances;
}

/// The first line of the first order after a minute in which sweeps list no instance.
fn after_a_minute_in_vain(world: &mut World) -> (LineState, i32) {
    for _ in 0..20 {
        world.reconcile_order(0);
        sweep_in_vain(world);
    }
    world.line_state(0)
}

/// A person says what became of the last attempt: `Executed` or `NotExecuted`.
fn annotate(world: &mut World, index: usize, word: &str) {
    let key = settle_annotation(world.line(index));
    world.orders[index].metadata.annotations = Some([(key, word.to_owned())].into());
}

fn delete_order(world: &mut World) {
    world.orders[0].metadata.deletion_timestamp = Some(Time(world.now));
}

/// A world with an order of this kind that was not sent, and the place of this order.
fn unsent(action: OrderAction) -> (World, usize) {
    let returned = json!({"deletionPolicy": "Return"});
    if action == OrderAction::Buy {
        return (ordered(returned), 0);
    }
    let mut world = World::new(pack(returned));
    world.run_rounds();
    if action == OrderAction::Return {
        world.delete_pack();
    } else {
        world.advance_to(world.status().next_renewal_time.clone().unwrap().0);
    }
    world.sweep();
    world.advance(SECOND);
    (0..3).for_each(|_| drop(world.reconcile_pack()));
    let index = world.orders.iter().position(|order| order.spec.action == action).unwrap();
    world.advance(SECOND);
    (world, index)
}

/// The call for such an order was not answered, and the quarantine is over.
fn in_doubt(action: OrderAction) -> (World, usize) {
    let (mut world, index) = unsent(action);
    world.record_call(index, &unanswered());
    world.sweep_after(AFTER_THE_QUARANTINE);
    (world, index)
}

/// What is decided about the order once these deals were read from the cloud's order books.
fn decide_with_deals(world: &World, index: usize, deals: Vec<Deal>) -> Decision {
    world.decide_order_with(index, &world.deal_list(deals))
}

fn first_line(decision: &Decision) -> &LineStatus {
    &decision.status.lines[0]
}

/// A deal that no order has on record.
fn deal(action: DealAction, instance_ids: &[&str]) -> Deal {
    Deal {
        order_id: "somebodys".into(),
        action,
        cost_cents: Some(10_500),
        currency: Some("USD".into()),
        instance_ids: instance_ids.iter().map(|id| (*id).to_owned()).collect(),
        product_code: Some("p_car".into()),
        state: DealState::InEffect,
        created: None,
    }
}
