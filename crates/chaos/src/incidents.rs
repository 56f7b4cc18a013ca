//! Incidents: the circumstances that act by themselves while the timeline goes on.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::order::OrderState;
use jiff::SignedDuration;
use serde_json::json;
use tokio::time::sleep;

use crate::circumstance::Circumstance;
use crate::user;
use crate::world::World;
use crate::world::cloud::{ACCOUNT, BALANCE, STORM};
use crate::world::objects::name_of;

/// Starts the incidents of a world.
pub fn start(world: &Arc<World>) {
    for circumstance in world.plan.circumstances.clone() {
        let own = Arc::clone(world);
        match circumstance {
            Circumstance::Poor => world.spawn_incident(async move { lack_money(&own).await }),
            Circumstance::WrongClock => world.spawn_incident(async move { set_wrong_clock(&own).await }),
            Circumstance::Storm => world.spawn_incident(sleep(STORM)),
            Circumstance::ApiOutage => world.spawn_incident(async move { stop_api_server(&own).await }),
            Circumstance::Console => world.spawn_incident(async move { use_console(&own).await }),
            Circumstance::Edits => world.spawn_incident(async move { edit_pack(&own).await }),
            Circumstance::Rollout => world.spawn_incident(async move { roll_out(&own).await }),
            Circumstance::OrdersDeleted => world.spawn_incident(async move { delete_orders(&own).await }),
            // No incident: the operator goes on while the person approves.
            Circumstance::Approval | Circumstance::Returned => world.spawn(async move { approve_orders(&own).await }),
            _ => {}
        }
    }
}

fn seconds(world: &World, low: u64, high: u64) -> Duration {
    world.random.between(low.saturating_mul(1000), high.saturating_mul(1000))
}

async fn lack_money(world: &World) {
    // The account exists, so this cannot fail.
    let _ = world.cloud().set_balance(ACCOUNT, 100);
    sleep(seconds(world, 20, 200)).await;
    let _ = world.cloud().set_balance(ACCOUNT, BALANCE);
}

async fn set_wrong_clock(world: &World) {
    sleep(seconds(world, 0, 10)).await;
    let hours = [1, -1, 24, -24];
    let by = SignedDuration::from_hours(world.random.choose(&hours).copied().unwrap_or(1));
    world.shift_process_clock(by);
    world.disturb();
    sleep(Duration::from_secs(120)).await;
    world.shift_process_clock(SignedDuration::ZERO.saturating_sub(by));
    // The operator notices within a minute that its clock was set.
    sleep(Duration::from_secs(60)).await;
}

async fn stop_api_server(world: &World) {
    sleep(world.random.between(0, 4000)).await;
    world.set_api_down(true);
    let down = seconds(world, 5, 120);
    sleep(down).await;
    world.set_api_down(false);
}

async fn use_console(world: &World) {
    for _ in 0..4 {
        sleep(seconds(world, 1, 20)).await;
        let instances = world.cloud().instances();
        let Some(id) = world.random.choose(&instances).map(|instance| instance.id.clone()) else { continue };
        let act = world.random.between(0, 3).as_millis();
        let done = {
            let mut cloud = world.cloud();
            match act {
                0 => {
                    world.instance_renamed(&id);
                    cloud.console_rename(&id, "renamed by hand")
                }
                1 => cloud.console_unbind(&id),
                2 => cloud.console_bind(&id, "cap-b"),
                _ => cloud.console_bind(&id, "cap-a"),
            }
        };
        tracing::info!(id, act, ok = done.is_ok(), "CONSOLE");
        world.disturb();
    }
}

async fn edit_pack(world: &World) {
    for round in 0..4_u32 {
        sleep(seconds(world, 1, 15)).await;
        let Some(pack) = world.objects.packs().first().cloned() else { continue };
        if pack.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let spec = if world.random.chance(2) {
            json!({"packName": format!("Gala {round}")})
        } else {
            json!({"maxPrice": {"amount": format!("{}000.00", round.saturating_add(9)), "currency": "USD"}})
        };
        user::patch(world, &user::pack_path(name_of(pack.as_ref())), &json!({"spec": spec}));
    }
}

async fn roll_out(world: &Arc<World>) {
    for _ in 0..3 {
        sleep(world.random.between(500, 40_000)).await;
        world.stop_leader();
        sleep(world.random.between(100, 2000)).await;
        world.start_process();
    }
}

async fn delete_orders(world: &World) {
    for _ in 0..2 {
        sleep(world.random.between(500, 20_000)).await;
        let orders = world.objects.orders();
        let Some(order) = world.random.choose(&orders) else { continue };
        user::delete(world, &user::order_path(name_of(order.as_ref())));
    }
}

/// Every 1 to 20 s a person approves all orders that wait for approval.
async fn approve_orders(world: &World) {
    loop {
        sleep(seconds(world, 1, 20)).await;
        for order in world.objects.orders() {
            let state = order.status.as_ref().and_then(|status| status.state);
            if state == Some(OrderState::AwaitingApproval) && order.spec.approval.is_none() {
                let approval = json!({"spec": {"approval": {"decision": "Approved", "scope": "ThisOrder"}}});
                user::patch(world, &user::order_path(name_of(order.as_ref())), &approval);
            }
        }
    }
}
