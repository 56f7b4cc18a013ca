//! When a pack is reconciled again, and when it asks for a sweep.

use jiff::SignedDuration;
use serde_json::json;

use crate::packs::active;
use crate::world::{SECOND, World, pack};

/// What is decided about the pack as it stands.
fn decision(world: &World) -> carpack_core::pack::Decision {
    let orders: Vec<_> = world.orders.iter().collect();
    carpack_core::pack::decide(&world.pack_input(world.pack.as_ref().unwrap(), &orders))
}

#[test]
fn nothing_is_done_again_when_nothing_has_changed() {
    let mut world = active(json!({"project": "cap-a"}));
    let orders = |world: &World| serde_json::to_value(&world.orders).unwrap();
    let (before, changes, status) = (orders(&world), world.changes.len(), world.status().clone());
    world.run_rounds();
    assert_eq!((orders(&world), world.changes.len()), (before, changes));
    assert_eq!(world.status(), &status);
}

#[test]
fn a_pack_is_looked_at_again_when_its_renewal_is_due_or_the_look_at_the_cloud_has_grown_old() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    let due = world.status().next_renewal_time.clone().unwrap().0;
    let mut again = |before: SignedDuration| {
        world.advance_to(due - before);
        world.sweep();
        decision(&world).wake_at.unwrap()
    };
    let stale_after = World::new(pack(json!({}))).timing.stale_after;
    assert_eq!(again(stale_after * 2), due - stale_after, "the sweep is too old by then");
    assert_eq!(again(SECOND), due);
    assert_eq!(again(SignedDuration::ZERO), due + stale_after, "never now");
}

#[test]
fn a_sweep_is_wanted_only_by_what_waits_for_one() {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.run_rounds();
    assert!(!decision(&world).wants_sweep, "nothing is to be done");
    world.advance(world.timing.stale_after);
    assert!(!decision(&world).wants_sweep, "nothing is to be done, however old the sweep");
    world.edit_spec(|spec| spec.project = Some("cap-b".into()));
    assert!(decision(&world).wants_sweep, "what is to be moved was last seen long ago");
    world.sweep();
    assert!(!decision(&world).wants_sweep);
    world.last_change = Some(world.now);
    assert!(decision(&world).wants_sweep, "it was moved since");
}
