//! A person does in the console what the operator is doing at the same time.

use std::collections::BTreeSet;

use carpack_simulator::term::BillingMode;
use carpack_simulator::{ConsoleBuy, Effect, Fault, Simulator, When};
use jiff::SignedDuration;

use super::{blind, bought_once, delete_order, fault, sighted};
use crate::harness::status::{expiration, message, reason_of};
use crate::harness::{DAY, PROJECT, QUARANTINE, World};

/// A person buys three instances under another name than that of the pack; returns their ids.
fn bought_by_hand(world: &World, name: &str) -> BTreeSet<String> {
    let before: BTreeSet<String> = world.ids().into_iter().collect();
    let mut buy = ConsoleBuy::new(name, BillingMode::Daily, "ap-singapore", "L1");
    (buy.quantity, buy.duration) = (3, 3);
    world.simulator.console_buy(&buy).unwrap();
    world.ids().into_iter().filter(|id| !before.contains(id)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_buys_while_our_lost_purchase_is_in_doubt_is_not_taken_for_ours_and_a_person_is_asked() {
    let world = World::start().await;
    fault(&world, "CreateInstance", Effect::Drop { commit: false });
    world.apply_three().await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    let by_hand = bought_by_hand(&world, "by-hand");
    let theirs = world.simulator.instances();
    world.advance_minutes(QUARANTINE);
    world.sweeps(3).await;
    assert_eq!(
        reason_of(&world.pack("concert").await),
        "OrderAmbiguous",
        "it could be ours, under a name changed since"
    );
    world.advance_minutes(QUARANTINE);
    let name = world.order_name("concert", "buy-1");
    let command = format!(
        "kubectl annotate packorder {name} -n {} carpack.io/settle-line-0-attempt-1=NotExecuted",
        world.treasury
    );
    world.until("concert", |pack| message(pack, "Ready").contains(&command)).await;
    assert_eq!((world.bought(), world.asked("CreateInstance")), (0, 1));
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    world.plane.kubectl(&words).await.unwrap().success().unwrap();
    world.until_reason("concert", "SettledByHand").await;
    delete_order(&world, "buy-1").await;
    let pack = world.until_ready("concert").await;
    world.until_unclaimed(3).await;
    let ours: BTreeSet<String> = pack.status.unwrap().instances.into_iter().map(|instance| instance.id).collect();
    assert_eq!((ours.len(), ours.intersection(&by_hand).count()), (3, 0));
    assert!(theirs.iter().all(|before| world.simulator.instances().contains(before)), "nobody touches theirs");
    assert_eq!((world.bought(), world.charges("ConsoleCreateInstance").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_buys_while_our_purchase_is_found_late_stays_theirs() {
    let world = World::start().await;
    fault(&world, "CreateInstance", Effect::Drop { commit: true });
    let blind = blind(&world);
    world.apply_three().await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    let by_hand = bought_by_hand(&world, "concert");
    sighted(&world, blind);
    let pack = world.until_ready("concert").await;
    world.until_unclaimed(3).await;
    let ours: BTreeSet<String> = pack.status.unwrap().instances.into_iter().map(|instance| instance.id).collect();
    assert_eq!((ours.len(), ours.intersection(&by_hand).count()), (3, 0));
    assert!(world.simulator.instances().iter().all(|i| i.project_id.is_some() == ours.contains(&i.id)));
    assert_eq!((world.bought(), world.asked("CreateInstance")), (1, 1));
    assert_eq!(world.charges("ConsoleCreateInstance").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_buys_under_our_very_name_while_ours_is_in_doubt_takes_its_place_and_nothing_is_sent_again() {
    let world = World::start().await;
    fault(&world, "CreateInstance", Effect::Drop { commit: false });
    world.apply_three().await;
    let order = world.until_order("concert", "buy-1", "Ambiguous").await;
    bought_by_hand(&world, &order.spec.pack_name);
    world.until_ready("concert").await;
    world.advance_minutes(2 * QUARANTINE);
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.asked("CreateInstance"), world.simulator.instances().len()), (0, 1, 3));
    assert_eq!(world.charges("ConsoleCreateInstance").len(), 1);
}

/// For each instance how often it was renewed by the operator and by a person.
fn renewed_each(world: &World) -> Vec<(usize, usize)> {
    let by_hand = world.charged_each("ConsoleRenewInstance");
    world.charged_each("RenewInstance").into_iter().zip(by_hand).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_renews_while_our_renewal_is_on_its_way_is_renewed_by_both_and_then_rests_a_day_longer() {
    let world = World::start().await;
    let expiry = world.three().await;
    let second = world.ids().swap_remove(1);
    let held = world.hold_renewal(&second, When::BeforeCommit);
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_held(held).await;
    world.simulator.console_renew(&second, 1).unwrap();
    world.simulator.release(held).unwrap();
    world.until_order("concert", "renew-1", "Fulfilled").await;
    world.sweeps(3).await;
    assert_eq!(renewed_each(&world), [(1, 0), (1, 1), (1, 0)]);
    world.go_to(expiry + DAY - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-2", "Fulfilled").await;
    world.sweeps(3).await;
    assert_eq!(renewed_each(&world), [(2, 0), (1, 1), (2, 0)], "what was renewed twice already is not due");
    assert!(world.simulator.instances().iter().all(|instance| instance.expires == expiry + DAY + DAY));
    assert_eq!((world.asked("RenewInstance"), world.bought()), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_renews_while_our_lost_renewal_is_in_doubt_is_not_renewed_again() {
    let world = World::start().await;
    let expiry = world.three().await;
    let second = world.ids().swap_remove(1);
    let lost = Fault::on("RenewInstance", Effect::Drop { commit: false }).containing(&second).times(1);
    world.simulator.add_fault(lost).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "Ambiguous").await;
    world.simulator.console_renew(&second, 1).unwrap();
    world.until_order("concert", "renew-1", "Fulfilled").await;
    world.advance_minutes(2 * QUARANTINE);
    world.sweeps(3).await;
    assert_eq!(renewed_each(&world), [(1, 0), (0, 1), (1, 0)]);
    assert_eq!(world.asked("RenewInstance"), 3);
    world.until("concert", |pack| expiration(pack) == Some(expiry + DAY)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_unbinds_while_the_answer_of_our_binding_is_on_its_way_is_bound_in_the_end() {
    for (when, elsewhere) in [(When::BeforeCommit, None), (When::AfterCommit, None), (When::AfterCommit, Some("cap-b"))]
    {
        let world = World::start().await;
        let held = world.hold("BindConcurrentPackagesToProject", when);
        world.apply_three().await;
        world.until_cloud("the binding is held", |s| s.holding(held) == 1).await;
        let second = world.ids().swap_remove(1);
        match elsewhere {
            Some(project) => world.simulator.console_bind(&second, project).unwrap(),
            None => world.simulator.console_unbind(&second).unwrap(),
        }
        world.simulator.release(held).unwrap();
        let bound = |s: &Simulator| s.instances().iter().all(|i| i.project_id.as_deref() == Some(PROJECT));
        world.until_cloud("all are bound", bound).await;
        bought_once(&world).await;
    }
}
