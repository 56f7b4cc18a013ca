//! An order that somebody deletes: its finalizer goes once nothing can be lost.

use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderAction};
use carpack_core::order::Effect;
use serde_json::json;

use crate::orders::{delete_order, ordered, sent, unsent};
use crate::world::{Reply, SECOND, World};

#[test]
fn an_order_gets_its_finalizer_first_and_none_when_it_is_being_deleted() {
    let (mut world, index) = unsent(OrderAction::Buy);
    world.orders[index].metadata.finalizers = None;
    assert_eq!(world.decide_order(index).effect, Some(Effect::AddFinalizer));
    world.orders[index].metadata.deletion_timestamp = Some(Time(world.now));
    assert_eq!(world.decide_order(index).effect, None);
}

#[test]
fn an_order_that_is_deleted_before_it_was_sent_is_void() {
    let mut world = ordered(json!({}));
    delete_order(&mut world);
    let effects: Vec<_> = (0..5).filter_map(|_| world.reconcile_order(0)).collect();
    assert_eq!((world.line_state(0), world.bought()), ((LineState::Void, 0), 0));
    assert_eq!(effects.first(), Some(&Effect::RemoveFinalizer));
}

#[test]
fn an_order_whose_outcome_is_unknown_is_kept_when_somebody_deletes_it() {
    let mut world = sent(Reply::LostAfterCommit);
    delete_order(&mut world);
    for _ in 0..20 {
        world.advance(SECOND);
        assert_eq!(world.reconcile_order(0), None);
    }
    assert_eq!(world.line_state(0), (LineState::Unknown, 1));
    world.sweep();
    world.advance(SECOND);
    let leaves = |world: &mut World| (0..5).any(|_| world.reconcile_order(0) == Some(Effect::RemoveFinalizer));
    assert!(!leaves(&mut world), "the pack does not know yet what it bought");
    assert_eq!((world.line_state(0), world.bought()), ((LineState::Done, 1), 1));
    world.reconcile_pack();
    assert!(leaves(&mut world), "{:?}", world.orders[0].status);
}

#[test]
fn an_order_that_is_deleted_does_not_wait_for_a_pack_that_has_no_use_for_it() {
    let gone = |edit: fn(&mut World)| {
        let mut world = sent(Reply::LostAfterCommit);
        delete_order(&mut world);
        world.sweep();
        world.advance(SECOND);
        assert!((0..5).all(|_| world.reconcile_order(0).is_none()), "{:?}", world.orders[0].status);
        edit(&mut world);
        (0..5).any(|_| world.reconcile_order(0) == Some(Effect::RemoveFinalizer))
    };
    assert!(gone(|world| world.pack = None));
    assert!(gone(|world| {
        let now = Some(Time(world.now));
        world.pack.as_mut().unwrap().metadata.deletion_timestamp = now;
    }));
    assert!(gone(|world| {
        world.instances.clear();
        world.sweep();
    }));
    assert!(gone(|world| (world.account, world.observation) = (None, None)));
    assert!(!gone(|_| ()));
}
