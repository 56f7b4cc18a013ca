//! Assignment: the pack moves when its project changes, and stays where it is when it cannot.
#![allow(missing_docs)]

mod harness;

use carpack_simulator::{Effect, Fault, When};
use harness::{PROJECT, World, condition_with_reason};
use serde_json::{Value, json};

async fn three(world: &World, changes: Value) {
    let mut spec = json!({"project": PROJECT, "quantity": 3});
    harness::merge(&mut spec, &changes);
    world.apply("concert", spec).await;
    world.until_ready("concert").await;
}

fn all_in(project: &str) -> Vec<Option<String>> {
    vec![Some(project.to_owned()); 3]
}

fn moves(world: &World) -> usize {
    world.asked("BindConcurrentPackagesToProject") + world.asked("UnbindConcurrentPackagesFromProject")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_moves_from_one_project_to_another_to_none_and_from_none() {
    let world = World::start().await;
    three(&world, json!({})).await;
    world.change("concert", json!({"project": "cap-b"})).await;
    world.until_condition("concert", "Assigned", "True Bound").await;
    assert_eq!(world.projects(), all_in("cap-b"));
    world.change("concert", json!({"project": null})).await;
    world.until_condition("concert", "Assigned", "True Unassigned").await;
    assert_eq!(world.projects(), vec![None; 3]);
    world.change("concert", json!({"project": PROJECT})).await;
    let pack = world.until_ready("concert").await;
    assert_eq!(world.projects(), all_in(PROJECT));
    assert_eq!(pack.status.unwrap().project.as_deref(), Some(PROJECT));
    assert_eq!(world.simulator.ledger().len(), 1, "moving costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_cannot_take_the_pack_is_refused_with_the_reason_and_nothing_is_touched() {
    let world = World::start().await;
    three(&world, json!({})).await;
    let before = moves(&world);
    for (project, reason) in
        [("cap-small", "ScaleMismatch"), ("cap-nowhere", "ProjectNotFound"), ("cap-foreign", "ProjectNotGranted")]
    {
        world.change("concert", json!({"project": project})).await;
        let pack = world.until_condition("concert", "Assigned", &format!("False {reason}")).await;
        assert_eq!(condition_with_reason(&pack, "Ready"), format!("False {reason}"));
        assert!(!condition_with_reason(&pack, "Stalled").is_empty());
        world.sweeps(2).await;
        assert_eq!((moves(&world), world.projects()), (before, all_in(PROJECT)), "{project}");
    }
    world.change("concert", json!({"project": PROJECT})).await;
    world.until_ready("concert").await;
    assert_eq!(moves(&world), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_bought_for_a_project_that_cannot_take_it() {
    let world = World::start().await;
    for (name, project, reason) in [
        ("a", "cap-small", "ScaleMismatch"),
        ("b", "cap-nowhere", "ProjectNotFound"),
        ("c", "cap-foreign", "ProjectNotGranted"),
    ] {
        world.apply(name, json!({"project": project})).await;
        world.until_reason(name, reason).await;
    }
    world.sweeps(2).await;
    assert_eq!((world.simulator.ledger().len(), world.all_orders().await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_unbind_and_bind_the_pack_arrives_after_the_restart() {
    for when in [When::BeforeCommit, When::AfterCommit] {
        for action in ["UnbindConcurrentPackagesFromProject", "BindConcurrentPackagesToProject"] {
            let mut world = World::start().await;
            three(&world, json!({})).await;
            let hold = world.simulator.add_fault(Fault::on(action, Effect::Hold { when }).times(1)).unwrap();
            world.change("concert", json!({"project": "cap-b"})).await;
            world.until_cloud("the call is under way", |s| s.holding(hold) == 1).await;
            world.kill_operator();
            world.simulator.remove_fault(hold).unwrap();
            world.start_operator();
            world.until_condition("concert", "Assigned", "True Bound").await;
            assert_eq!(world.projects(), all_in("cap-b"), "{action} {when:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_that_the_cloud_refuses_to_bind_is_bound_when_it_no_longer_does() {
    let world = World::start().await;
    three(&world, json!({})).await;
    let refuse = Effect::Refuse { code: "FailedOperation.ProcessTimeout".into(), message: "busy".into() };
    let fault = world.simulator.add_fault(Fault::on("BindConcurrentPackagesToProject", refuse)).unwrap();
    world.change("concert", json!({"project": "cap-b"})).await;
    let pack = world.until("concert", |pack| harness::message(pack, "Assigned").contains("busy")).await;
    assert!(condition_with_reason(&pack, "Ready").starts_with("False"));
    world.simulator.remove_fault(fault).unwrap();
    world.until_ready("concert").await;
    assert_eq!(world.projects(), all_in("cap-b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_a_person_has_moved_there_already_is_left_alone() {
    let world = World::start().await;
    three(&world, json!({"project": null})).await;
    let second = world.ids().swap_remove(1);
    world.simulator.console_bind(&second, "cap-b").unwrap();
    let there = |i: &carpack_api::pack::InstanceStatus| i.id == second && i.project.as_deref() == Some("cap-b");
    world.until("concert", |pack| pack.status.iter().flat_map(|s| &s.instances).any(there)).await;
    world.simulator.clear_requests();
    world.change("concert", json!({"project": "cap-b"})).await;
    world.until_condition("concert", "Assigned", "True Bound").await;
    assert_eq!(world.projects(), all_in("cap-b"));
    let unbound = world.asked("UnbindConcurrentPackagesFromProject");
    let touched = world.simulator.requests().iter().any(|request| {
        request.action == "BindConcurrentPackagesToProject" && request.parameters.to_string().contains(&second)
    });
    assert_eq!((unbound, touched), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_in_the_console_is_moved_back_with_an_event() {
    let world = World::start().await;
    three(&world, json!({})).await;
    let second = world.ids().swap_remove(1);
    world.simulator.console_unbind(&second).unwrap();
    world.simulator.console_bind(&second, "cap-b").unwrap();
    let message = world.event("concert", "MovedBack").await;
    assert!(message.contains("moved to project cap-b by another hand"), "{message}");
    world
        .until_cloud("it is moved back", |s| s.instances().iter().all(|i| i.project_id.as_deref() == Some(PROJECT)))
        .await;
    world.until_ready("concert").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_bound_is_left_and_shown_when_no_project_is_declared() {
    let world = World::start().await;
    three(&world, json!({"project": null})).await;
    for id in world.ids() {
        world.simulator.console_bind(&id, "cap-b").unwrap();
    }
    let pack = world.until_condition("concert", "Assigned", "True BoundByAnother").await;
    assert_eq!(pack.status.unwrap().project.as_deref(), Some("cap-b"));
    world.sweeps(2).await;
    assert_eq!((moves(&world), world.projects()), (0, all_in("cap-b")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_renamed_in_the_cloud_each_instance_with_the_number_it_had() {
    let world = World::start().await;
    three(&world, json!({"packName": "first night"})).await;
    let names = |world: &World| {
        let mut names: Vec<String> = world.simulator.instances().into_iter().map(|instance| instance.name).collect();
        names.sort();
        names
    };
    let before = names(&world);
    world.change("concert", json!({"packName": "second night"})).await;
    let wanted: Vec<String> = before.iter().map(|name| name.replace("first night", "second night")).collect();
    assert_ne!(before, wanted);
    world.until_cloud("all are renamed", |_| names(&world) == wanted).await;
    world.simulator.console_rename(&world.ids()[1], "scribble").unwrap();
    world.until_cloud("it is named as declared again", |_| names(&world) == wanted).await;
    assert_eq!(world.simulator.ledger().len(), 1);
}
