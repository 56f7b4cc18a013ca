//! Changes that people make in the cloud's console are reported, corrected or left alone, and never a reason to buy.

use std::collections::BTreeSet;

use carpack_simulator::term::BillingMode;
use carpack_simulator::{ConsoleBuy, RenewFlag, Simulator};
use jiff::SignedDuration;
use serde_json::json;

use crate::harness::status::{condition, condition_with_reason, expiration, message, reason_of, renewals};
use crate::harness::{DAY, PROJECT, World};

fn second(world: &World) -> String {
    world.ids().swap_remove(1)
}

/// One purchase was asked for and charged, and no other.
async fn nothing_more_was_bought(world: &World) {
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_second_of_three_vanishes_it_is_reported_and_the_others_are_renewed_without_it() {
    let world = World::start().await;
    let expiry = world.three().await;
    let gone = second(&world);
    world.simulator.console_vanish(&gone).unwrap();
    let pack = world.until_reason("concert", "Vanished").await;
    assert!(message(&pack, "Ready").starts_with("2 of 3 concurrencies are usable"), "{}", message(&pack, "Ready"));
    assert_eq!(pack.status.as_ref().unwrap().quantity.as_deref(), Some("2/3"));
    assert!(world.event("concert", "Vanished").await.contains("nothing is bought in their place"));
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until("concert", |pack| renewals(pack) == 1 && expiration(pack) == Some(expiry + DAY)).await;
    nothing_more_was_bought(&world).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1]);
    assert_eq!(world.renewed(), 2, "what is gone is not renewed");
    assert_eq!(reason_of(&world.pack("concert").await), "Vanished");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_of_a_pack_vanishes_it_is_reported_and_nothing_is_bought_in_its_place() {
    let mut world = World::start().await;
    let expiry = world.three().await;
    for id in world.ids() {
        world.simulator.console_vanish(&id).unwrap();
    }
    let pack = world.until_reason("concert", "Vanished").await;
    assert_eq!(pack.status.as_ref().unwrap().quantity.as_deref(), Some("0/3"));
    world.kill_operator();
    world.start_operator();
    world.until_log("leading").await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    nothing_more_was_bought(&world).await;
    world.go_to(expiry + DAY);
    nothing_more_was_bought(&world).await;
    assert_eq!((world.simulator.ledger().len(), world.all_orders().await.len()), (1, 1));
    assert_eq!(condition(&world.pack("concert").await, "Ready"), "False");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_vanishes_while_its_renewal_waits_for_approval_is_not_paid_for() {
    let world = World::start().await;
    let expiry = world.three().await;
    world.change("concert", json!({"mode": "ApprovalRequired"})).await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "AwaitingApproval").await;
    let gone = second(&world);
    world.simulator.console_vanish(&gone).unwrap();
    world.until_reason("concert", "Vanished").await;
    world.decide_order("concert", "renew-1", json!({"decision": "Approved"})).await;
    world.until_cloud("the others are renewed", |s| s.ledger().len() == 3).await;
    world.sweeps(3).await;
    assert_eq!((world.renewed(), world.charged_each("RenewInstance")), (2, vec![1, 1]));
    assert_eq!(world.asked("RenewInstance"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_renewed_is_not_renewed_again_and_its_new_expiry_is_shown() {
    let world = World::start().await;
    let expiry = world.three().await;
    for id in world.ids() {
        world.simulator.console_renew(&id, 2).unwrap();
    }
    world.until("concert", |pack| expiration(pack) == Some(expiry + DAY + DAY)).await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.sweeps(3).await;
    assert_eq!(world.renewed(), 0);
    world.go_to(expiry + DAY + DAY - SignedDuration::from_hours(5));
    world.until("concert", |pack| renewals(pack) == 1).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_person_renewed_only_the_second_of_three_the_others_are_renewed_when_they_are_due() {
    let world = World::start().await;
    let expiry = world.three().await;
    world.simulator.console_renew(&second(&world), 1).unwrap();
    world.sweeps(1).await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until("concert", |pack| renewals(pack) == 1 && expiration(pack) == Some(expiry + DAY)).await;
    world.sweeps(2).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_a_person_was_faster_with_is_void() {
    let world = World::start().await;
    let expiry = world.three().await;
    world.change("concert", json!({"mode": "ApprovalRequired"})).await;
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "AwaitingApproval").await;
    for id in world.ids() {
        world.simulator.console_renew(&id, 1).unwrap();
    }
    let order = world.until_order("concert", "renew-1", "Failed").await;
    assert!(order.status.unwrap().message.unwrap().contains("the expiry that it renews from has moved"));
    world.decide_order("concert", "renew-1", json!({"decision": "Approved"})).await;
    world.sweeps(3).await;
    assert_eq!((world.renewed(), world.asked("RenewInstance")), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unbound_in_the_console_is_bound_again_with_an_event() {
    let world = World::start().await;
    world.three().await;
    world.simulator.console_unbind(&second(&world)).unwrap();
    world
        .until_cloud("it is bound again", |s| s.instances().iter().all(|i| i.project_id.as_deref() == Some(PROJECT)))
        .await;
    assert!(world.event("concert", "MovedBack").await.contains("was unbound by another hand"));
    world.until_ready("concert").await;
    nothing_more_was_bought(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_renamed_in_the_console_is_still_the_packs_and_gets_its_name_back() {
    let world = World::start().await;
    world.three().await;
    let (id, names) = (second(&world), names(&world));
    world.simulator.console_rename(&id, "something-else").unwrap();
    world.until_cloud("it has its name back", |s| s.instances().iter().map(|i| i.name.clone()).eq(names.clone())).await;
    world.until_ready("concert").await;
    nothing_more_was_bought(&world).await;
}

fn names(world: &World) -> Vec<String> {
    world.simulator.instances().into_iter().map(|instance| instance.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn renamed_while_the_operator_is_down_it_is_still_known_by_its_id() {
    let mut world = World::start().await;
    world.three().await;
    world.kill_operator();
    let before = names(&world);
    for (id, number) in world.ids().iter().zip(1..) {
        world.simulator.console_rename(id, &format!("mine-{number}")).unwrap();
    }
    world.start_operator();
    // Which of the three gets which number does not matter.
    let now = |s: &Simulator| s.instances().into_iter().map(|i| i.name).collect::<BTreeSet<String>>();
    let before: BTreeSet<String> = before.into_iter().collect();
    world.until_cloud("they have their names back", |s| now(s) == before).await;
    world.until_ready("concert").await;
    nothing_more_was_bought(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clouds_own_renewal_switched_on_in_the_console_is_switched_off_before_the_operator_renews() {
    let world = World::start().await;
    let monthly = json!({"billingMode": "Monthly", "duration": 1, "quantity": 3, "project": PROJECT,
        "renewal": {"mode": "Operator", "duration": 1, "renewBefore": "48h"}});
    world.apply("concert", monthly).await;
    let expiry = expiration(&world.until_ready("concert").await).unwrap();
    world.simulator.console_set_renew_flag(&second(&world), RenewFlag::NotifyAndAutoRenew).unwrap();
    let on = |flag: RenewFlag| flag == RenewFlag::NotifyAndAutoRenew;
    world.until_cloud("it is switched off", |s| !s.instances().iter().any(|i| on(i.renew_flag))).await;
    world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
    world.go_to(expiry - SignedDuration::from_hours(47));
    world.until("concert", |pack| renewals(pack) == 1).await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
    assert_eq!(world.charges("AutoRenew").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_bought_under_the_packs_name_is_not_bought_a_second_time() {
    let mut world = World::start().await;
    world.three().await;
    world.delete("concert").await;
    world.gone("concert").await;
    // As in a rebuilt cluster: the orders are gone, the instances are still in the cloud.
    world.stop_operator().await;
    let name = world.order_name("concert", "buy-1");
    world.release_order(&name).await;
    world.start_operator();
    world.apply_three().await;
    let pack = world.until_reason("concert", "NameTaken").await;
    assert_eq!(condition(&pack, "Stalled"), "True");
    nothing_more_was_bought(&world).await;
    assert_eq!(world.all_orders().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_packs_of_the_account_are_left_alone_and_reported_as_unclaimed() {
    let world = World::start().await;
    let mut buy = ConsoleBuy::new("by-hand", BillingMode::Daily, "ap-singapore", "L1");
    (buy.quantity, buy.project_id) = (2, Some("cap-b".to_owned()));
    world.simulator.console_buy(&buy).unwrap();
    let by_hand = world.simulator.instances();
    world.three().await;
    let account = world.until_unclaimed(2).await.status.unwrap();
    let mut reported: Vec<_> = account.unclaimed_instances.into_iter().map(|instance| instance.id).collect();
    reported.sort();
    let mut ids: Vec<_> = by_hand.iter().map(|instance| instance.id.clone()).collect();
    ids.sort();
    assert_eq!(reported, ids);
    let now = world.simulator.instances();
    assert!(by_hand.iter().all(|before| now.contains(before)), "{now:#?}");
    assert_eq!(condition_with_reason(&world.pack("concert").await, "Ready"), "True Active");
}
