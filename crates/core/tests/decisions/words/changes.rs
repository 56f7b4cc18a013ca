//! Diaries of packs that are moved and renamed, by the operator and by others, and of packs that vanish.

use carpack_core::observation::Binding;
use serde_json::{Value, json};

use crate::words::Diary;
use crate::world::{HOUR, MINUTE, World};

#[test]
fn a_pack_that_is_moved_renamed_and_moved_by_somebody_else() {
    let mut diary = Diary::new(json!({"project": "cap-a", "renewal": {"mode": "None"}}));
    diary.run(6, MINUTE).then("to another project, under another name", |world| {
        world.edit_spec(|spec| {
            spec.project = Some("cap-b".into());
            spec.pack_name = Some("gala".into());
        });
    });
    diary.run(12, MINUTE).then("somebody unbinds it in the console", |world| {
        world.instances.values_mut().for_each(|instance| instance.project = Binding::Unbound);
    });
    diary.run(4, MINUTE).then("to a project of another scale", |world| {
        world.edit_spec(|spec| spec.project = Some("cap-small".into()));
    });
    diary.run(2, MINUTE).then("the cloud refuses every change, and it goes back", |world| {
        world.refuse_changes = true;
        world.edit_spec(|spec| spec.project = Some("cap-a".into()));
    });
    diary.run(4, MINUTE);
    diary.assert_snapshot("moved");
}

#[test]
fn names_that_were_changed_in_the_console_are_given_back() {
    let bought = |spec: Value| {
        let mut diary = Diary::new(spec);
        diary.run(6, MINUTE);
        diary.text.clear();
        diary
    };
    let rename = |world: &mut World, which: &[usize]| {
        for (index, instance) in world.instances.values_mut().enumerate() {
            if which.contains(&index) {
                instance.name = Some(format!("mine {index}"));
            }
        }
    };
    let mut diary = bought(json!({}));
    diary.then("two of three are renamed", |world| rename(world, &[0, 2])).run(4, MINUTE);
    let mut one = bought(json!({"quantity": 1}));
    one.then("the only one is renamed", |world| rename(world, &[0])).run(3, MINUTE);
    let mut replaced = bought(
        json!({"quantity": 2, "renewal": {"mode": "Operator", "strategy": "Replace", "duration": 3, "renewBefore": "6h"}}),
    );
    replaced.run(69, HOUR);
    replaced.text.clear();
    replaced.then("one of each generation is renamed, and the pack too", |world| {
        rename(world, &[0, 3]);
        world.edit_spec(|spec| spec.pack_name = Some("gala".into()));
    });
    replaced.run(6, MINUTE);
    diary.text += &[one.text, replaced.text].concat();
    diary.assert_snapshot("names");
}

#[test]
fn a_refused_name_or_binding_of_a_successor_takes_nothing_from_what_is_usable() {
    let mut diary = Diary::new(json!({
        "project": "cap-a", "quantity": 1,
        "renewal": {"mode": "Operator", "strategy": "Replace", "duration": 3, "renewBefore": "6h"}}));
    diary.run(7, MINUTE);
    diary.text.clear();
    diary.then("the pack is renamed, and the cloud refuses every change", |world| {
        world.refuse_changes = true;
        world.edit_spec(|spec| spec.pack_name = Some("gala".into()));
    });
    diary.run(2, MINUTE);
    assert_eq!(diary.world.ready(), "True Active");
    diary.run(70, HOUR);
    assert_eq!((diary.world.bought(), diary.world.ready().as_str()), (2, "True Active"));
    assert_eq!(diary.world.condition("Assigned"), "False CloudInternal");
    diary.assert_snapshot("refused_changes");
}

#[test]
fn a_pack_that_cannot_be_seen_for_a_while_and_then_has_vanished() {
    let mut diary = Diary::new(json!({}));
    diary.run(6, MINUTE).then("one instance has run out, one is gone", |world| {
        world.instances.pop_first();
        world.instances.values_mut().next().unwrap().expiration = Some(world.now);
    });
    diary.run(2, MINUTE).then("all are gone", |world| world.instances.clear());
    diary.run(2, MINUTE).then("nobody looks any more", |world| world.sweeping = false);
    diary.run(2, HOUR).then("the account is deleted", |world| world.account = None);
    diary.run(2, MINUTE);
    diary.assert_snapshot("vanished");
}
