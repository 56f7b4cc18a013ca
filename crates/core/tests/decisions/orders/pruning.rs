//! Which old orders are deleted by the operator itself.

use carpack_api::Mode;
use carpack_api::common::Time;
use carpack_core::order::Effect;
use serde_json::json;

use crate::packs::active;
use crate::world::{DAY, HOUR, World, pack};

#[test]
fn old_settled_orders_are_pruned_but_never_the_newest_of_their_action() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    world.run_until("2026-12-05T00:00:00Z", HOUR);
    let count = world.orders.len();
    assert!(count >= 3);
    world.advance(DAY * 100);
    let mut pruned = Vec::new();
    for index in 0..count {
        world.reconcile_order(index);
        if world.reconcile_order(index) == Some(Effect::Prune) {
            pruned.push(index);
        }
    }
    assert_eq!(pruned, (1..count - 1).collect::<Vec<_>>(), "all but the only purchase and the newest renewal");
}

#[test]
fn an_order_that_was_paid_long_after_it_was_made_is_kept_from_when_it_was_paid() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    world.run_until("2026-12-07T00:00:00Z", HOUR);
    world.advance(DAY * 100);
    let recent = world.now - DAY;
    world.orders[1].status.as_mut().unwrap().lines[0].submit_time = Some(Time(recent));
    let mut pruned = |index| (0..2).any(|_| world.reconcile_order(index) == Some(Effect::Prune));
    assert_eq!([pruned(1), pruned(2)], [false, true]);
}

#[test]
fn an_approval_on_which_later_renewals_rest_is_kept_however_old() {
    for (scope, kept) in [("ThisAndLaterRenewals", true), ("ThisOrder", false)] {
        let mut world = active(json!({}));
        world.edit_spec(|spec| spec.mode = Mode::ApprovalRequired);
        let approve_what_waits = |world: &mut World, scope: &str| {
            world.run_until("2026-12-03T18:10:00Z", HOUR);
            let index = world.last_order();
            world.approve(index, scope);
            world.run_rounds();
        };
        approve_what_waits(&mut world, scope);
        assert_eq!(world.renewed(), 3);
        let mut newer = world.orders[1].clone();
        newer.metadata.name = Some("events.concert.renew-2".into());
        newer.spec.ordinal = 2;
        newer.spec.approval = None;
        world.orders.push(newer);
        world.advance(DAY * 91);
        let pruned = (0..3).any(|_| world.reconcile_order(1) == Some(Effect::Prune));
        assert_eq!(pruned, !kept, "{scope}");
    }
}
