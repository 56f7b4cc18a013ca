//! Whether a pack is Ready, when it has expired, and when its instances have vanished.

use carpack_api::pack::RenewalMode;
use carpack_core::facts::holdings::owns_instance;
use serde_json::json;

use crate::packs::active;
use crate::world::{DAY, HOUR, World, extend, pack};

#[test]
fn ready_turns_false_at_expiry_though_the_cloud_is_unreachable() {
    let mut world = active(json!({}));
    world.sweeping = false;
    world.run_until("2026-12-01T01:00:00Z", HOUR);
    assert_eq!(world.ready(), "Unknown ObservationStale");
    world.run_until("2026-12-04T00:05:00Z", HOUR);
    assert_eq!(world.ready(), "False Expired");
    assert_eq!(world.renewed(), 0);
}

#[test]
fn a_pack_that_expired_while_the_operator_was_down_is_reported_and_never_bought_again() {
    let mut world = active(json!({}));
    world.advance(DAY * 7);
    world.run_rounds();
    assert_eq!(world.ready(), "False Expired");
    assert_eq!(world.renewal_on_track(), "False Missed");
    world.instances.clear();
    world.run_until("2026-12-20T00:00:00Z", HOUR * 12);
    assert_eq!((world.ready().as_str(), world.charges.len()), ("False Expired", 1));
}

#[test]
fn what_expired_of_a_pack_is_not_taken_for_undelivered_when_the_rest_lives_on() {
    let mut world = active(json!({}));
    let late = world.instances.keys().next_back().unwrap().clone();
    let renewed: Vec<String> = world.instances.keys().filter(|id| **id != late).cloned().collect();
    for id in renewed {
        let instance = world.instances.get_mut(&id).unwrap();
        extend(instance, HOUR * 72);
    }
    world.edit_spec(|spec| spec.renewal.mode = RenewalMode::None);
    world.run_until("2026-12-04T06:00:00Z", HOUR);
    assert_eq!(world.ready(), "False PartlyExpired");
    assert!(world.status().instances.iter().any(|instance| instance.id == late), "it is still part of the pack");
}

#[test]
fn a_pack_that_vanished_is_reported_and_never_bought_again() {
    let mut world = active(json!({}));
    let first = world.instances.keys().next().unwrap().clone();
    world.instances.remove(&first);
    world.run_rounds();
    assert_eq!(world.ready(), "False Vanished");
    world.instances.clear();
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("False Vanished", 1));
}

#[test]
fn the_only_instance_of_a_pack_is_missed_when_it_is_gone() {
    let mut world = World::new(pack(json!({"quantity": 1})));
    world.run_rounds();
    world.instances.clear();
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.status().instances.len()), ("False Vanished", 1));
}

#[test]
fn an_instance_is_owned_by_the_pack_that_has_it_on_record() {
    let mut world = World::new(pack(json!({"quantity": 1})));
    world.run_rounds();
    let pack = world.pack.as_ref().unwrap();
    let id = world.instances.keys().next().unwrap();
    assert!(owns_instance(pack, id) && !owns_instance(pack, "i-of-another"));
}
