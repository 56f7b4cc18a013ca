//! The names that the instances of a pack get in the cloud.

use carpack_api::order::LineState;
use serde_json::json;

use crate::packs::active;
use crate::world::{Reply, World, pack};

#[test]
fn the_pack_is_renamed_with_the_numbers_the_cloud_gave() {
    let mut world = active(json!({"packName": "first"}));
    world.edit_spec(|spec| spec.pack_name = Some("second".into()));
    world.run_rounds();
    let names = world.names_of_instances();
    assert!(names.iter().all(|n| n.starts_with("second-")), "{names:?}");
    assert_eq!(names.iter().map(|n| n.rsplit_once('-').unwrap().1).collect::<Vec<_>>(), ["1", "2", "3"]);
    // An instance that has lost its number gets the number that is free.
    for (instance, number) in world.instances.values_mut().zip(["3", "1", "2"]) {
        instance.name = instance.name.as_ref().map(|name| format!("{}-{number}", name.rsplit_once('-').unwrap().0));
    }
    world.instances.values_mut().nth(1).unwrap().name = Some("scribble".into());
    world.run_rounds();
    let names = world.names_of_instances();
    assert_eq!(names.iter().map(|n| n.rsplit_once('-').unwrap().1).collect::<Vec<_>>(), ["3", "1", "2"]);
}

#[test]
fn a_pack_whose_order_is_gone_is_renamed_as_its_first_purchase_was_named() {
    let mut world = active(json!({"packName": "first"}));
    let hash = world.orders[0].spec.pack_name.strip_prefix("first").unwrap().to_owned();
    world.orders.clear();
    world.edit_spec(|spec| spec.pack_name = Some("second".into()));
    world.run_rounds();
    let names = world.names_of_instances();
    assert_eq!(names, [1, 2, 3].map(|number| format!("second{hash}-{number}")));
}

#[test]
fn an_instance_that_another_pack_has_on_record_is_not_taken_over_by_its_name() {
    let mut world = active(json!({}));
    let mut theirs = world.instances.values().next().unwrap().clone();
    theirs.id = "i-theirs".into();
    theirs.name = Some(format!("{}-9", world.orders[0].spec.pack_name));
    world.instances.insert(theirs.id.clone(), theirs);
    world.ids_of_others.insert("i-theirs".into());
    world.run_rounds();
    let has_it = |world: &World| world.status().instances.iter().any(|instance| instance.id == "i-theirs");
    assert!(!has_it(&world), "a name is no title");
    world.ids_of_others.clear();
    world.run_rounds();
    assert!(has_it(&world), "what nobody else has on record is ours by its name");
}

#[test]
fn a_lost_purchase_is_not_proven_by_an_instance_that_another_pack_has_on_record() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostAfterCommit];
    world.ids_of_others = (0..9).map(|number| format!("i-{number:03}")).collect();
    world.run_rounds();
    assert!(!world.instances.is_empty() && world.instances.keys().all(|id| world.ids_of_others.contains(id)));
    assert_eq!(world.last_line_state().0, LineState::Unknown);
    world.ids_of_others.clear();
    world.run_rounds();
    assert_eq!(world.last_line_state().0, LineState::Done);
}
