//! The names that the instances of a pack get in the cloud.

use serde_json::json;

use crate::packs::active;

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
