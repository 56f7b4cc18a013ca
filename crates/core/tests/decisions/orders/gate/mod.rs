//! The last check before money moves: an order that was made earlier, in a world that has changed since.

mod any_order;
mod each_rule;
mod purchase;
mod renewal;
mod sweep;

use serde_json::Value;

use crate::orders::ordered;
use crate::world::{SECOND, World, pack};

/// The first purchase is ordered and not sent; the last sweep is newer than the order.
pub fn purchase_to_send(spec: Value) -> World {
    let mut world = ordered(spec);
    world.reconcile_order(0);
    world.sweep_after(SECOND);
    world
}

/// Three renewals are ordered and not sent; the last sweep is newer than the order.
fn renewal_to_send(spec: Value) -> World {
    let mut world = World::new(pack(spec));
    world.run_rounds();
    world.order_renewal();
    assert_eq!(world.orders.len(), 2, "{:?}", world.status().next);
    world.reconcile_order(1);
    world.sweep_after(SECOND);
    world
}
