//! Deletion of a pack: nothing is spent, and money is returned only when deletionPolicy says so.

use carpack_api::order::LineState;
use carpack_simulator::{Effect, Fault, RenewFlag, When};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::spec::monthly;
use crate::harness::status::{expiration, order_state};
use crate::harness::{PATIENCE, World};

#[tokio::test(flavor = "multi_thread")]
async fn retain_touches_nothing_and_the_account_reports_what_is_left_and_still_renews_itself() {
    let world = World::start().await;
    world.apply("concert", monthly("Retain")).await;
    world.until_ready("concert").await;
    world.until_unclaimed(0).await;
    let before = world.simulator.instances();
    world.delete("concert").await;
    world.gone("concert").await;
    let account = world.until_unclaimed(3).await.status.unwrap();
    assert!(account.unclaimed_instances.iter().all(|instance| instance.renews_itself), "{account:?}");
    assert_eq!(world.simulator.instances(), before);
    assert_eq!(world.simulator.ledger().len(), 1);
    assert!(world.event("concert", "Released").await.contains("the cloud goes on renewing them"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lapse_switches_the_clouds_own_renewal_off_on_every_instance_before_the_object_goes() {
    let world = World::start().await;
    world.apply("concert", monthly("Lapse")).await;
    world.until_ready("concert").await;
    assert_eq!(world.renewing_themselves(), 3);
    let second = world.ids().swap_remove(1);
    let refuse = Effect::Refuse { code: "InternalError".into(), message: "not now".into() };
    world.simulator.add_fault(Fault::on("SetRenewal", refuse).containing(&second).times(2)).unwrap();
    world.delete("concert").await;
    world.gone("concert").await;
    assert_eq!(world.renewing_themselves(), 0);
    assert_eq!(world.simulator.instances().len(), 3, "they run out by themselves");
    assert_eq!(world.simulator.ledger().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_waits_for_approval_even_in_mode_automatic_and_pays_back_each_instance_once() {
    let world = World::start().await;
    world.apply("concert", json!({"quantity": 3, "deletionPolicy": "Return"})).await;
    world.until_ready("concert").await;
    world.delete("concert").await;
    world.gone("concert").await;
    world.until_order("concert", "return-1", "AwaitingApproval").await;
    world.sweeps(2).await;
    assert_eq!(world.charges("RefundInstance").len(), 0);
    let second = world.ids().swap_remove(1);
    world
        .simulator
        .add_fault(Fault::on("RefundInstance", Effect::Drop { commit: true }).containing(&second).times(1))
        .unwrap();
    world.decide_order("concert", "return-1", json!({"decision": "Approved"})).await;
    world.until_order("concert", "return-1", "Ambiguous").await;
    world.advance_minutes(8);
    world.until_order("concert", "return-1", "Fulfilled").await;
    let refunds = world.charges("RefundInstance");
    assert_eq!(refunds.len(), 3);
    assert!(refunds.iter().all(|refund| refund.amount_cents < 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_return_returns_nothing() {
    let world = World::start().await;
    world.apply("concert", json!({"deletionPolicy": "Return"})).await;
    world.until_ready("concert").await;
    world.delete("concert").await;
    world.until_order("concert", "return-1", "AwaitingApproval").await;
    world.decide_order("concert", "return-1", json!({"decision": "Denied"})).await;
    world.until_order("concert", "return-1", "Failed").await;
    assert_eq!(world.charges("RefundInstance").len(), 0);
    assert_eq!(world.simulator.instances().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_not_sent_dies_with_its_pack() {
    let world = World::start().await;
    world.apply("concert", json!({"mode": "ApprovalRequired"})).await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    world.delete("concert").await;
    world.gone("concert").await;
    let order = world.until_order("concert", "buy-1", "Failed").await;
    assert!(order.status.unwrap().message.unwrap().contains("the pack is gone"));
    world.decide_order("concert", "buy-1", json!({"decision": "Approved"})).await;
    world.sweeps(2).await;
    assert_eq!(world.simulator.ledger().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenants_namespace_goes_with_an_order_in_flight_and_the_order_is_settled_and_kept() {
    let world = World::start().await;
    let hold = world
        .simulator
        .add_fault(Fault::on("CreateInstance", Effect::Hold { when: When::AfterCommit }).times(1))
        .unwrap();
    world.apply("concert", json!({"quantity": 3})).await;
    world.until_cloud("the purchase is under way", |s| s.holding(hold) == 1).await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.delete(&world.tenant, &DeleteParams::default()).await.unwrap();
    carpack_testkit::watch_until_gone(&namespaces, &world.tenant, PATIENCE).await.unwrap();
    world.simulator.release(hold).unwrap();
    let order = world.until_order("concert", "buy-1", "Fulfilled").await;
    assert_eq!(order.status.unwrap().lines[0].instance_ids.len(), 3);
    world.until_unclaimed(3).await;
    assert_eq!((world.bought(), world.all_orders().await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_account_is_missing_is_deleted_all_the_same() {
    let world = World::start().await;
    world.apply("concert", monthly("Lapse")).await;
    world.until_ready("concert").await;
    world.accounts().delete("default", &DeleteParams::default()).await.unwrap();
    world.delete("concert").await;
    world.gone("concert").await;
    assert!(world.event("concert", "ReleasedUnconfirmed").await.contains("its account is missing"));
    assert_eq!(world.simulator.ledger().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_deleted_while_its_outcome_is_unknown_stays_until_it_is_settled() {
    let world = World::start().await;
    world.simulator.add_fault(Fault::on("CreateInstance", Effect::Drop { commit: true }).times(1)).unwrap();
    world.apply("concert", json!({"quantity": 3})).await;
    let name = world.order_name("concert", "buy-1");
    world.until_cloud("it is paid", |s| s.ledger().len() == 1).await;
    world.orders().delete(&name, &DeleteParams::default()).await.unwrap();
    world.until_ready("concert").await;
    assert_eq!(world.bought(), 1);
    assert!(world.all_orders().await.iter().all(|order| order_state(order) != "Ambiguous"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_that_never_arrived_is_not_sent_again_once_the_tenants_namespace_is_gone() {
    let world = World::start().await;
    world.simulator.add_fault(Fault::on("CreateInstance", Effect::Drop { commit: false }).times(1)).unwrap();
    world.apply("concert", json!({"quantity": 3})).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.delete(&world.tenant, &DeleteParams::default()).await.unwrap();
    carpack_testkit::watch_until_gone(&namespaces, &world.tenant, PATIENCE).await.unwrap();
    world.sweeps(2).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    world.advance_minutes(8);
    let order = world.until_order("concert", "buy-1", "Failed").await;
    assert!(order.status.unwrap().message.unwrap().contains("nothing was spent"));
    world.sweeps(2).await;
    assert_eq!((world.simulator.ledger().len(), world.asked("CreateInstance")), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_between_the_renewals_of_three_instances_the_rest_is_not_renewed() {
    let world = World::start().await;
    world.apply("concert", json!({"quantity": 3})).await;
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    let effect = Effect::Hold { when: When::AfterCommit };
    let hold = world.simulator.add_fault(Fault::on("RenewInstance", effect).skipping(1).times(1)).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_cloud("the second renewal is under way", |s| s.holding(hold) == 1).await;
    world.delete("concert").await;
    world.gone("concert").await;
    world.simulator.release(hold).unwrap();
    let order = world.until_order("concert", "renew-1", "Fulfilled").await;
    let states: Vec<LineState> = order.status.unwrap().lines.iter().map(|line| line.state).collect();
    assert_eq!(states, [LineState::Done, LineState::Done, LineState::Void]);
    world.sweeps(2).await;
    assert_eq!((world.renewed(), world.asked("RenewInstance")), (2, 2));
    world.until_unclaimed(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_whose_second_instance_is_refused_for_a_while_is_completed_later_each_once() {
    let world = World::start().await;
    world.apply("concert", json!({"quantity": 3, "deletionPolicy": "Return"})).await;
    world.until_ready("concert").await;
    let second = world.ids().swap_remove(1);
    let locked = Effect::Refuse { code: "InvalidParameter.ResourceLocked".into(), message: "in use".into() };
    world.simulator.add_fault(Fault::on("RefundInstance", locked).containing(&second).times(2)).unwrap();
    world.delete("concert").await;
    world.gone("concert").await;
    world.until_order("concert", "return-1", "AwaitingApproval").await;
    world.decide_order("concert", "return-1", json!({"decision": "Approved"})).await;
    world.until_order("concert", "return-1", "Fulfilled").await;
    assert_eq!((world.charges("RefundInstance").len(), world.asked("RefundInstance")), (3, 5));
    assert_eq!(world.simulator.instances().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_leaves_out_the_second_instance_when_a_person_was_faster() {
    let world = World::start().await;
    world.apply("concert", json!({"quantity": 3, "deletionPolicy": "Return"})).await;
    world.until_ready("concert").await;
    let second = world.ids().swap_remove(1);
    world.delete("concert").await;
    world.until_order("concert", "return-1", "AwaitingApproval").await;
    world.simulator.console_vanish(&second).unwrap();
    world.sweeps(1).await;
    world.decide_order("concert", "return-1", json!({"decision": "Approved"})).await;
    let order = world.until_order("concert", "return-1", "Fulfilled").await;
    let void = order.status.unwrap().lines.iter().filter(|line| line.state == LineState::Void).count();
    assert_eq!((void, world.charges("RefundInstance").len(), world.asked("RefundInstance")), (1, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_asked_for_without_an_account_waits_for_it_and_does_not_hold_the_object() {
    let world = World::start().await;
    world.apply("concert", json!({"quantity": 3, "deletionPolicy": "Return"})).await;
    world.until_ready("concert").await;
    world.accounts().delete("default", &DeleteParams::default()).await.unwrap();
    world.until_condition("concert", "RenewalOnTrack", "False AccountMissing").await;
    world.delete("concert").await;
    world.gone("concert").await;
    world.until_order("concert", "return-1", "Pending").await;
    world.decide_order("concert", "return-1", json!({"decision": "Approved"})).await;
    assert_eq!(world.charges("RefundInstance").len(), 0);
    world.put_account(json!({})).await;
    world.until_order("concert", "return-1", "Fulfilled").await;
    assert_eq!(world.charges("RefundInstance").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn lapse_waits_for_a_cloud_that_is_down_but_not_for_ever() {
    let world = World::start().await;
    world.apply("concert", monthly("Lapse")).await;
    world.until_ready("concert").await;
    world.simulator.add_fault(Fault::on("*", Effect::Drop { commit: false })).unwrap();
    world.until_account("False CloudUnreachable").await;
    world.delete("concert").await;
    world.until_condition("concert", "Deleting", "True Lapsing").await;
    world.advance(2);
    world.gone("concert").await;
    assert!(world.event("concert", "ReleasedUnconfirmed").await.contains("look into the console"));
    assert_eq!((world.renewing_themselves(), world.simulator.ledger().len()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn lapse_where_the_second_instance_is_off_already_switches_off_the_others() {
    let world = World::start().await;
    world.apply("concert", monthly("Lapse")).await;
    world.until_ready("concert").await;
    let second = world.ids().swap_remove(1);
    let effect = Effect::Hold { when: When::BeforeCommit };
    // Otherwise the operator may switch it on again before the pack is deleted.
    let hold = world.simulator.add_fault(Fault::on("SetRenewal", effect).containing("AUTO").times(1)).unwrap();
    world.simulator.console_set_renew_flag(&second, RenewFlag::DisableNotifyAndManualRenew).unwrap();
    world.until_cloud("it is about to be switched on again", |s| s.holding(hold) == 1).await;
    world.delete("concert").await;
    world.simulator.remove_fault(hold).unwrap();
    world.gone("concert").await;
    assert_eq!((world.renewing_themselves(), world.simulator.instances().len()), (0, 3));
    assert_eq!(world.simulator.ledger().len(), 1);
}
