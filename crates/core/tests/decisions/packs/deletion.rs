//! What a deleted pack leaves behind: `deletionPolicy`, and orders that are under way.

use carpack_api::Reason;
use carpack_api::pack::RenewFlag;
use rstest::rstest;
use serde_json::{Value, json};

use crate::packs::active;
use crate::world::{MINUTE, Reply, World, pack};

/// A Monthly pack that the cloud renews, with this `deletionPolicy`.
fn declared(policy: &str) -> Value {
    json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": policy})
}

/// The same, bought.
fn renewed_by_the_cloud(policy: &str) -> World {
    active(declared(policy))
}

/// The same, bought, and deleted before anything is delivered.
fn deleted_before_delivery(policy: &str) -> World {
    let mut world = World::new(pack(declared(policy)));
    world.replies = vec![Reply::Delayed];
    world.run_rounds();
    world.delete_pack();
    world
}

#[rstest]
#[case("Retain")]
#[case("Lapse")]
#[case("Return")]
fn deletion_spends_nothing_and_leaves_no_order_in_flight_behind_unseen(#[case] policy: &str) {
    let mut world = renewed_by_the_cloud(policy);
    world.delete_pack();
    world.run_rounds();
    assert!(world.pack.is_none());
    assert_eq!(world.charges.len(), 1);
    let auto = world.instances.values().filter(|i| i.renew_flag == RenewFlag::Auto).count();
    assert_eq!(auto, if policy == "Lapse" { 0 } else { 3 });
    assert_eq!(world.open_orders(), usize::from(policy == "Return"), "a return waits for approval");
    if policy == "Return" {
        world.approve(1, "ThisOrder");
        world.run_rounds();
        assert!(world.instances.is_empty());
        let paid = world.order_status(1).paid.clone().unwrap();
        assert_eq!(paid.amount, "315.00", "the API server refuses a negative amount, and with it the whole status");
    }
}

#[test]
fn a_purchase_in_flight_outlives_the_deletion_of_its_pack() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostAfterCommit];
    world.sweep();
    for _ in 0..8 {
        world.round();
        if world.unresolved() {
            break;
        }
    }
    assert!(world.unresolved());
    world.delete_pack();
    world.reconcile_pack();
    assert!(world.pack.is_none(), "an unresolved order does not hold the pack");
    world.run_rounds();
    assert!(!world.unresolved());
    assert_eq!((world.bought(), world.open_orders()), (1, 0));
}

#[rstest]
#[case("Lapse")]
#[case("Return")]
fn a_purchase_in_flight_is_waited_for_before_the_policy_is_carried_out_but_not_for_ever(#[case] policy: &str) {
    let mut world = deleted_before_delivery(policy);
    world.run_rounds();
    assert!(world.pack.is_some(), "held while the delivery is awaited");
    world.deliver();
    world.run_rounds();
    assert!(world.pack.is_none());
    let auto = world.instances.values().filter(|i| i.renew_flag == RenewFlag::Auto).count();
    assert_eq!((auto, world.orders.len()), if policy == "Lapse" { (0, 1) } else { (3, 2) });

    let mut world = deleted_before_delivery(policy);
    world.run_until("2026-12-01T02:00:00Z", MINUTE * 5);
    assert!(world.pack.is_none());
    assert!(world.has_warned(Reason::ReleasedUnconfirmed));
}

#[test]
fn deletion_with_lapse_is_not_held_for_ever_by_a_cloud_that_cannot_be_reached() {
    let mut world = renewed_by_the_cloud("Lapse");
    world.refuse_changes = true;
    world.delete_pack();
    world.run_rounds();
    assert!(world.pack.is_some());
    world.run_until("2026-12-01T02:00:00Z", MINUTE * 10);
    assert!(world.pack.is_none());
    assert!(world.has_warned(Reason::ReleasedUnconfirmed));
}

#[test]
fn a_pack_is_let_go_only_when_the_clouds_own_renewal_is_seen_off() {
    for hide in [
        |world: &mut World, id: &String| world.instances.get_mut(id).unwrap().renew_flag = RenewFlag::Unknown,
        |world: &mut World, id: &String| {
            world.instances.remove(id);
        },
    ] {
        let mut world = renewed_by_the_cloud("Lapse");
        let first = world.instances.keys().next().unwrap().clone();
        hide(&mut world, &first);
        world.delete_pack();
        world.run_rounds();
        assert!(world.pack.is_some(), "the sweep does not say whether it is off");
        world.run_until("2026-12-01T02:00:00Z", MINUTE * 10);
        assert!(world.pack.is_none());
        assert!(world.has_warned(Reason::ReleasedUnconfirmed));
    }
}

#[test]
fn one_instance_whose_switch_is_stuck_does_not_keep_the_others_from_lapsing() {
    let mut world = renewed_by_the_cloud("Lapse");
    let ids: Vec<String> = world.instances.keys().cloned().collect();
    world.refused_instance = Some(ids[0].clone());
    world.delete_pack();
    world.run_rounds();
    let on: Vec<bool> = world.instances.values().map(|i| i.renew_flag == RenewFlag::Auto).collect();
    assert_eq!(on, [true, false, false]);
}
