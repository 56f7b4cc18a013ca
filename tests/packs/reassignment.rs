//! Which project a pack is bound to: bound, moved, unbound, and corrected.

use carpack_simulator::{Effect, Fault, When};
use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::status::{condition, condition_with_reason, is_current, message};

const BIND: &str = "BindConcurrentPackagesToProject";
const UNBIND: &str = "UnbindConcurrentPackagesFromProject";
const RENAME: &str = "ModifyConcurrentPackage";

/// Applies a pack of three, in a project or in none, and waits until it is Ready.
async fn three(world: &World, project: Option<&str>) {
    world.apply("concert", json!({"quantity": 3, "project": project})).await;
    world.until_ready("concert").await;
    assert_eq!(world.projects(), vec![project.map(str::to_owned); 3]);
}

fn all_in(project: Option<&str>) -> Vec<Option<String>> {
    vec![project.map(str::to_owned); 3]
}

/// Changes the project of the pack, and waits until the move is over.
async fn moved(world: &World, project: Option<&str>) {
    let wanted = if project.is_some() { "True Bound" } else { "True Unassigned" };
    let pack = world.until("concert", |pack| {
        let shown = pack.status.as_ref().and_then(|s| s.project.as_deref());
        is_current(pack) && condition_with_reason(pack, "Assigned") == wanted && shown == project
    });
    pack.await;
    assert_eq!(world.projects(), all_in(project));
    world.until_ready("concert").await;
}

fn changes(world: &World) -> usize {
    world.asked(BIND) + world.asked(UNBIND)
}

fn refused(code: &str) -> Effect {
    Effect::Refuse { code: code.into(), message: "not now".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_moves_from_none_to_a_project_to_another_and_to_none() {
    let world = World::start().await;
    three(&world, None).await;
    for project in [Some("cap-a"), Some("cap-b"), None, Some("cap-b")] {
        world.change("concert", json!({"project": project})).await;
        moved(&world, project).await;
    }
    world.sweeps(2).await;
    assert_eq!((world.asked(BIND), world.asked(UNBIND)), (3, 2), "no more than needed");
    assert_eq!(world.simulator.ledger().len(), 1, "moving costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_cannot_take_the_pack_is_refused_with_a_reason_and_nothing_is_touched() {
    let world = World::start().await;
    three(&world, Some("cap-a")).await;
    let before = changes(&world);
    let cases = [
        ("cap-small", "ScaleMismatch", "of scale S1 and this pack of L1"),
        ("cap-nowhere", "ProjectNotFound", "the account has no project cap-nowhere"),
        ("cap-foreign", "ProjectNotGranted", "may not bind packs to project cap-foreign"),
    ];
    for (project, reason, words) in cases {
        world.change("concert", json!({"project": project})).await;
        let pack = world.until_condition("concert", "Assigned", &format!("False {reason}")).await;
        assert!(message(&pack, "Assigned").contains(words), "{}", message(&pack, "Assigned"));
        assert_eq!((condition(&pack, "Ready"), condition(&pack, "Stalled")), ("False", "True"));
        world.sweeps(2).await;
        assert_eq!((world.projects(), changes(&world)), (all_in(Some("cap-a")), before), "{project}");
    }
    // When the project is granted later, the pack is bound without a further change.
    let tenants = json!({"tenants": [{"namespaces": [world.tenant], "projects": ["*"]}]});
    world.put_account(tenants).await;
    moved(&world, Some("cap-foreign")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_bought_for_a_project_that_cannot_take_it() {
    let world = World::start().await;
    for (name, project, reason) in [
        ("small", "cap-small", "ScaleMismatch"),
        ("nowhere", "cap-nowhere", "ProjectNotFound"),
        ("foreign", "cap-foreign", "ProjectNotGranted"),
    ] {
        world.apply(name, json!({"quantity": 3, "project": project})).await;
        world.until_reason(name, reason).await;
    }
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.all_orders().await.len(), changes(&world)), (0, 0, 0));
    world.change("nowhere", json!({"project": "cap-b"})).await;
    world.until_ready("nowhere").await;
    assert_eq!(world.projects(), all_in(Some("cap-b")));
}

/// Kills the operator while the cloud holds a request of the move, and starts it again; the request may still arrive.
async fn killed_half_way(action: &str, when: When, late: bool) {
    let mut world = World::start().await;
    three(&world, Some("cap-a")).await;
    let held = world.hold(action, when);
    world.change("concert", json!({"project": "cap-b"})).await;
    world.until_cloud("the request is held", |s| s.holding(held) == 1).await;
    world.kill_operator();
    if !late {
        world.simulator.remove_fault(held).unwrap();
    }
    world.start_operator();
    moved(&world, Some("cap-b")).await;
    if late {
        assert_eq!(world.simulator.release(held).unwrap(), 1);
        world.sweeps(2).await;
        moved(&world, Some("cap-b")).await;
    }
    assert_eq!(world.simulator.ledger().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_killed_before_its_unbinding_is_finished_after_the_restart() {
    killed_half_way(UNBIND, When::BeforeCommit, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_killed_before_its_unbinding_which_arrives_late_is_finished_after_the_restart() {
    killed_half_way(UNBIND, When::BeforeCommit, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_killed_after_its_unbinding_is_finished_after_the_restart() {
    killed_half_way(UNBIND, When::AfterCommit, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_killed_before_its_binding_is_finished_after_the_restart() {
    killed_half_way(BIND, When::BeforeCommit, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_killed_before_its_binding_which_arrives_late_is_finished_after_the_restart() {
    killed_half_way(BIND, When::BeforeCommit, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_killed_after_its_binding_is_seen_as_done_after_the_restart() {
    killed_half_way(BIND, When::AfterCommit, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_killed_half_way_and_called_off_meanwhile_goes_back() {
    let mut world = World::start().await;
    three(&world, Some("cap-a")).await;
    let held = world.hold(BIND, When::BeforeCommit);
    world.change("concert", json!({"project": "cap-b"})).await;
    world.until_cloud("the request is held", |s| s.holding(held) == 1).await;
    assert_eq!(world.projects(), all_in(None));
    world.kill_operator();
    world.simulator.remove_fault(held).unwrap();
    world.change("concert", json!({"project": "cap-a"})).await;
    world.start_operator();
    moved(&world, Some("cap-a")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_or_unbound_in_the_console_is_moved_back_with_an_event() {
    let world = World::start().await;
    three(&world, Some("cap-a")).await;
    let second = world.ids().swap_remove(1);
    world.simulator.console_bind(&second, "cap-b").unwrap();
    let said = world.event("concert", "MovedBack").await;
    assert_eq!(said, "was moved to project cap-b by another hand; it is moved back to project cap-a");
    world.until_cloud("it is back", |_| world.projects() == all_in(Some("cap-a"))).await;
    let touched = |action: &str| -> Vec<Value> {
        let requests = world.simulator.requests();
        requests.iter().filter(|r| r.action == action).map(|r| r.parameters["ConcurrentIds"].clone()).collect()
    };
    assert_eq!(touched(UNBIND), [json!([second])], "the others stay bound all the time");
    assert_eq!(touched(BIND)[1..], [json!([second])]);
    world.until_ready("concert").await;

    world.simulator.console_unbind(&second).unwrap();
    world.until_cloud("it is back", |_| world.projects() == all_in(Some("cap-a"))).await;
    world.until_ready("concert").await;
    assert_eq!((world.asked(UNBIND), world.asked(BIND)), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_project_declared_what_a_person_bound_is_left_and_shown() {
    let world = World::start().await;
    three(&world, None).await;
    for id in world.ids() {
        world.simulator.console_bind(&id, "cap-b").unwrap();
    }
    let pack = world.until_condition("concert", "Assigned", "True BoundByAnother").await;
    assert_eq!(pack.status.as_ref().and_then(|s| s.project.as_deref()), Some("cap-b"));
    world.sweeps(2).await;
    assert_eq!((world.projects(), changes(&world)), (all_in(Some("cap-b")), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_project_any_more_ours_are_unbound_and_the_one_a_person_bound_is_left() {
    let mut world = World::start().await;
    three(&world, Some("cap-a")).await;
    world.stop_operator().await;
    world.simulator.console_bind(&world.ids()[1], "cap-b").unwrap();
    world.change("concert", json!({"project": null})).await;
    world.start_operator();
    let pack = world.until_condition("concert", "Assigned", "True BoundByAnother").await;
    assert_eq!(condition(&pack, "Ready"), "True");
    world.sweeps(2).await;
    assert_eq!(world.projects(), [None, Some("cap-b".to_owned()), None]);
    assert_eq!(world.asked(UNBIND), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_that_is_already_there_is_not_touched() {
    let mut world = World::start().await;
    three(&world, Some("cap-a")).await;
    world.stop_operator().await;
    let second = world.ids().swap_remove(1);
    world.simulator.console_bind(&second, "cap-b").unwrap();
    world.simulator.clear_requests();
    world.change("concert", json!({"project": "cap-b"})).await;
    world.start_operator();
    moved(&world, Some("cap-b")).await;
    let requests = world.simulator.requests();
    let of_second = requests.iter().filter(|r| [BIND, UNBIND].contains(&r.action.as_str()));
    assert_eq!(of_second.filter(|r| r.parameters.to_string().contains(&second)).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_that_a_person_moves_in_the_middle_is_moved_after_the_others() {
    let world = World::start().await;
    three(&world, Some("cap-a")).await;
    let held = world.hold(BIND, When::BeforeCommit);
    world.change("concert", json!({"project": "cap-b"})).await;
    world.until_cloud("the request is held", |s| s.holding(held) == 1).await;
    world.simulator.console_bind(&world.ids()[1], "cap-foreign").unwrap();
    world.simulator.release(held).unwrap();
    moved(&world, Some("cap-b")).await;
    assert!(world.simulator.requests().iter().any(|r| r.action == BIND && r.outcome == "OperationDenied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_the_cloud_refuses_for_a_while_is_shown_and_tried_again() {
    let world = World::start().await;
    three(&world, Some("cap-a")).await;
    let fault = world.simulator.add_fault(Fault::on(BIND, refused("InternalError"))).unwrap();
    world.change("concert", json!({"project": "cap-b"})).await;
    let pack = world.until("concert", |pack| message(pack, "Assigned").contains("not now")).await;
    assert_eq!((condition(&pack, "Assigned"), condition(&pack, "Ready")), ("False", "False"));
    world.until_cloud("it is tried again", |_| world.asked(BIND) >= 3).await;
    world.simulator.remove_fault(fault).unwrap();
    moved(&world, Some("cap-b")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_that_cannot_be_bound_does_not_keep_the_others_out() {
    let world = World::start().await;
    three(&world, Some("cap-a")).await;
    let second = world.ids().swap_remove(1);
    for action in [BIND, UNBIND] {
        let effect = refused("InvalidParameter.ResourceLocked");
        world.simulator.add_fault(Fault::on(action, effect).containing(&second)).unwrap();
    }
    world.change("concert", json!({"project": "cap-b"})).await;
    let (a, b) = (Some("cap-a".to_owned()), Some("cap-b".to_owned()));
    world.until_cloud("the others are there", |_| world.projects() == [b.clone(), a.clone(), b.clone()]).await;
    let pack = world.until("concert", |pack| message(pack, "Assigned").contains("not now")).await;
    assert_eq!(condition_with_reason(&pack, "Assigned"), "False Locked");
    world.simulator.clear_faults();
    moved(&world, Some("cap-b")).await;
}

/// Names of the instances without their hash.
fn titles(world: &World) -> Vec<(String, String)> {
    let split = |name: &str| -> (String, String) {
        let mut parts = name.rsplitn(3, '-');
        let (number, _hash, title) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
        (title.to_owned(), number.to_owned())
    };
    world.simulator.instances().iter().map(|instance| split(&instance.name)).collect()
}

fn numbered(title: &str) -> Vec<(String, String)> {
    ["1", "2", "3"].map(|number| (title.to_owned(), number.to_owned())).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_renamed_with_its_numbers_though_the_second_instance_fails_at_first() {
    let world = World::start().await;
    world.apply("concert", json!({"quantity": 3, "packName": "first"})).await;
    world.until_ready("concert").await;
    assert_eq!(titles(&world), numbered("first"));
    let fault = Fault::on(RENAME, refused("InternalError")).containing(&world.ids()[1]).times(1);
    world.simulator.add_fault(fault).unwrap();
    world.change("concert", json!({"packName": "second"})).await;
    world.until_cloud("all are renamed", |_| titles(&world) == numbered("second")).await;
    assert_eq!(world.asked(RENAME), 4);

    world.simulator.console_rename(&world.ids()[1], "mine").unwrap();
    world
        .until_cloud("the spec wins", |_| {
            world.simulator.instances().iter().all(|instance| instance.name.starts_with("second-"))
        })
        .await;
    world.until_ready("concert").await;
    assert_eq!((world.bought(), world.all_orders().await.len()), (1, 1));
}
