//! What holds or ends a purchase that was ordered.

use carpack_api::common::Time;
use carpack_api::order::LineState;
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;

use crate::orders::gate::{purchase_to_send, renewal_to_send};
use crate::orders::ordered;
use crate::world::{DAY, HOUR, SECOND, World, extend, pack, time};

#[test]
fn a_first_purchase_is_not_sent_while_anything_alive_carries_the_packs_hash() {
    let mut world = purchase_to_send(json!({}));
    let mut other = World::new(pack(json!({})));
    other.run_rounds();
    // Bought by an order that somebody has deleted: the same hash under another number.
    world.instances = other.instances.clone();
    for instance in world.instances.values_mut() {
        let name = instance.name.clone().unwrap();
        let hash = name.rsplit('-').nth(1).unwrap();
        instance.name = Some(format!("other-002-{hash}-1"));
    }
    world.sweep();
    world.run_last_order();
    assert_eq!((world.bought(), world.last_line_state()), (0, (LineState::Pending, 0)));
    world.advance(DAY * 4);
    world.sweep();
    world.run_last_order();
    assert_eq!(world.bought(), 1, "what has expired stands in nobody's way");
}

#[test]
fn nothing_is_bought_under_a_name_that_is_taken_meanwhile() {
    let mut world = purchase_to_send(json!({}));
    let mut other = World::new(pack(json!({})));
    other.run_rounds();
    world.instances = other.instances;
    world.sweep();
    world.run_last_order();
    assert_eq!(world.bought(), 0);
    // Nobody could tell the new instances from these, even when these have expired.
    world.advance(DAY * 4);
    world.sweep();
    world.run_last_order();
    assert_eq!(world.bought(), 0);
}

#[test]
fn a_pack_that_has_been_bought_is_not_bought_by_an_order_that_was_put_back() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    let last = world.last_order();
    world.orders[last].status = None;
    world.instances.clear();
    world.sweep();
    world.run_last_order();
    assert_eq!((world.bought(), world.last_line_state()), (1, (LineState::Void, 0)));
}

#[test]
fn a_closed_window_and_a_deleted_pack_end_an_order_that_was_not_sent() {
    let mut closed = purchase_to_send(json!({"purchaseWindow": {"notAfter": "2026-12-09T00:00:00Z"}}));
    closed
        .edit_spec(|spec| spec.purchase_window.as_mut().unwrap().not_after = Some(Time(time("2026-12-01T00:00:01Z"))));
    closed.run_last_order();
    assert_eq!((closed.bought(), closed.last_line_state().0), (0, LineState::Rejected));
    let mut passed = purchase_to_send(json!({"purchaseWindow": {"notAfter": "2026-12-09T00:00:00Z"}}));
    passed.advance(DAY * 9);
    passed.edit_spec(|spec| spec.purchase_window = None);
    passed.sweep();
    passed.advance(SECOND);
    passed.run_last_order();
    assert_eq!((passed.bought(), passed.last_line_state().0), (0, LineState::Rejected), "the order's own deadline");
    let mut deleted = purchase_to_send(json!({}));
    deleted.delete_pack();
    deleted.run_last_order();
    assert_eq!((deleted.bought(), deleted.last_line_state().0), (0, LineState::Void));
    let mut gone = purchase_to_send(json!({}));
    gone.pack.as_mut().unwrap().metadata.uid = Some("another".into());
    gone.run_last_order();
    assert_eq!((gone.bought(), gone.last_line_state().0), (0, LineState::Void));
}

#[test]
fn a_clock_that_is_ahead_ends_no_order_before_its_deadline() {
    for (ahead, state) in [(48, LineState::Pending), (0, LineState::Rejected)] {
        let mut world = ordered(json!({}));
        world.account = None;
        world.orders[0].spec.deadline = Some(Time(world.now + DAY));
        world.advance(HOUR * 48);
        world.clock_ahead = SignedDuration::from_hours(ahead);
        world.reconcile_order(0);
        assert_eq!(world.line_state(0).0, state, "{ahead}");
    }
}

#[test]
fn a_purchase_waits_for_a_window_that_was_moved_since_it_was_ordered() {
    let mut world = purchase_to_send(json!({}));
    let opens = json!({"notBefore": "2026-12-02T00:00:00Z"});
    world.edit_spec(|spec| spec.purchase_window = serde_json::from_value(opens).unwrap());
    world.run_last_order();
    assert_eq!((world.bought(), world.last_line_state()), (0, (LineState::Pending, 0)));
    world.sweep_after(DAY);
    world.run_last_order_with_new_sweep();
    assert_eq!(world.bought(), 1);
}

#[rstest]
#[case::not_granted("ProjectNotGranted", |world: &mut World| world.account.as_mut().unwrap().spec.tenants[0].projects.clear())]
#[case::gone("ProjectNotFound", |world: &mut World| drop(world.projects.remove("cap-a")))]
#[case::of_another_scale("ScaleMismatch", |world: &mut World| world.projects.get_mut("cap-a").unwrap().scale = Some("S1".into()))]
fn a_purchase_waits_while_its_project_cannot_take_it_any_more(#[case] reason: &str, #[case] change: fn(&mut World)) {
    let mut world = purchase_to_send(json!({"project": "cap-a"}));
    let (account, projects) = (world.account.clone(), world.projects.clone());
    change(&mut world);
    world.sweep();
    world.advance(SECOND);
    world.run_last_order();
    assert_eq!((world.bought(), world.last_line_state()), (0, (LineState::Pending, 0)));
    world.reconcile_pack();
    assert_eq!(world.reason("Purchased"), reason);
    (world.account, world.projects) = (account, projects);
    world.advance(SECOND);
    world.run_last_order_with_new_sweep();
    assert_eq!(world.bought(), 1);
}

#[test]
fn a_successor_is_void_when_the_lineage_lasts_longer_meanwhile() {
    let mut world =
        renewal_to_send(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}}));
    for instance in world.instances.values_mut() {
        extend(instance, DAY);
    }
    world.sweep();
    world.run_last_order();
    assert_eq!((world.bought(), world.last_line_state()), (1, (LineState::Void, 0)));
}
