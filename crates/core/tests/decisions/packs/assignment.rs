//! The project of a pack: its instances are bound, moved, moved back, or left where they are.

use carpack_api::{Mode, Reason};
use carpack_core::observation::Binding;
use carpack_core::pack::Change;
use rstest::rstest;
use serde_json::json;

use crate::packs::active;
use crate::world::{HOUR, SECOND, World, pack};

#[test]
fn the_pack_moves_when_its_project_changes() {
    let mut world = active(json!({"project": "cap-a"}));
    world.edit_spec(|spec| spec.project = Some("cap-b".into()));
    world.run_rounds();
    assert_eq!(world.projects_of_instances(), vec![Some("cap-b".to_owned()); 3]);
    world.edit_spec(|spec| spec.project = None);
    world.run_rounds();
    assert_eq!(world.projects_of_instances(), vec![None; 3]);
    world.edit_spec(|spec| spec.project = Some("cap-a".into()));
    world.run_rounds();
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
    assert_eq!(world.ready(), "True Active");
}

#[rstest]
#[case("cap-small", "ScaleMismatch")]
#[case("cap-nowhere", "ProjectNotFound")]
#[case("cap-foreign", "ProjectNotGranted")]
fn a_project_that_cannot_take_the_pack_is_refused_and_nothing_is_touched(#[case] project: &str, #[case] reason: &str) {
    let mut world = active(json!({"project": "cap-a"}));
    let changes = world.changes.len();
    world.edit_spec(|spec| spec.project = Some(project.into()));
    world.run_rounds();
    assert_eq!(world.condition("Assigned"), format!("False {reason}"));
    assert_eq!(world.changes.len(), changes);
    let mut unbought = World::new(pack(json!({"project": project})));
    unbought.run_rounds();
    assert_eq!((unbought.ready(), unbought.orders.len()), (format!("False {reason}"), 0));
}

#[rstest]
#[case::the_mode(|world: &mut World| world.installation_mode = Mode::DryRun, "HeldByMode")]
#[case::the_namespace(|world: &mut World| world.account.as_mut().unwrap().spec.tenants.clear(), "NamespaceNotGranted")]
fn nothing_is_moved_when_it_is_forbidden_by(#[case] change: fn(&mut World), #[case] reason: &str) {
    let mut world = active(json!({"project": "cap-a"}));
    let changes = world.changes.len();
    change(&mut world);
    world.edit_spec(|spec| spec.project = Some("cap-b".into()));
    world.run_rounds();
    assert_eq!((world.condition("Assigned"), world.changes.len()), (format!("False {reason}"), changes));
}

#[test]
fn one_instance_that_cannot_be_moved_does_not_keep_the_others_where_they_are() {
    let mut world = active(json!({"project": "cap-a"}));
    let second = world.instances.keys().nth(1).unwrap().clone();
    world.refused_instance = Some(second);
    world.edit_spec(|spec| spec.project = Some("cap-b".into()));
    world.run_rounds();
    let (a, b) = (Some("cap-a".to_owned()), Some("cap-b".to_owned()));
    assert_eq!(world.projects_of_instances(), [b.clone(), a, b.clone()]);
    assert_eq!(world.condition("Assigned"), "False Locked");
    world.refused_instance = None;
    world.advance(HOUR);
    world.run_rounds();
    assert_eq!(world.projects_of_instances(), vec![b; 3]);
}

#[test]
fn a_cloud_that_refuses_every_change_is_not_asked_for_each_instance_by_itself() {
    let mut world = active(json!({"project": "cap-a"}));
    world.refuse_changes = true;
    world.edit_spec(|spec| spec.project = Some("cap-b".into()));
    world.run_rounds();
    assert_eq!(world.failures.len(), 1, "{:?}", world.failures);
}

#[test]
fn a_change_that_the_cloud_refuses_is_shown_and_does_not_delay_a_renewal() {
    let mut world = active(json!({"project": "cap-a"}));
    world.refuse_changes = true;
    world.edit_spec(|spec| spec.project = Some("cap-b".into()));
    world.run_rounds();
    assert_eq!(world.condition("Assigned"), "False CloudInternal");
    world.run_until("2026-12-03T23:00:00Z", HOUR);
    assert_eq!(world.renewed(), 3);
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
}

#[test]
fn what_was_moved_in_the_console_is_moved_back_with_an_event() {
    let mut world = active(json!({"project": "cap-a"}));
    world.instances.values_mut().nth(1).unwrap().project = Binding::Bound("cap-b".into());
    world.run_rounds();
    assert_eq!(world.projects_of_instances(), vec![Some("cap-a".to_owned()); 3]);
    assert_eq!(world.events.iter().filter(|e| e.reason == Reason::MovedBack).count(), 1);
}

#[test]
fn what_a_person_bound_is_left_when_no_project_is_declared() {
    let mut world = active(json!({}));
    for instance in world.instances.values_mut() {
        instance.project = Binding::Bound("cap-b".into());
    }
    world.run_rounds();
    assert!(world.changes.is_empty());
    assert_eq!(world.condition("Assigned"), "True BoundByAnother");
}

#[test]
fn killed_between_unbind_and_bind_the_pack_is_bound_after_the_restart() {
    let mut world = active(json!({"project": "cap-a"}));
    world.edit_spec(|spec| spec.project = Some("cap-b".into()));
    while !matches!(world.changes.last(), Some(Change::Unbind { .. })) {
        world.round();
    }
    world.restart_operator();
    world.run_rounds();
    assert_eq!(world.projects_of_instances(), vec![Some("cap-b".to_owned()); 3]);
}

#[test]
fn a_sweep_from_before_our_own_change_moves_nothing() {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.run_rounds();
    for instance in world.instances.values_mut() {
        instance.project = Binding::Unbound;
    }
    world.sweep();
    world.last_change = Some(world.now + SECOND);
    let changes = world.changes.len();
    world.advance(SECOND * 2);
    world.reconcile_pack();
    assert_eq!(world.changes.len(), changes);
}
