//! What happens between two edits.

use std::collections::BTreeMap;

use carpack_core::observation::Observation;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::OTHERS;
use crate::world::{MINUTE, Reply, SECOND, World, account};

/// What happens between two edits.
#[derive(Debug, Clone)]
pub enum Meanwhile {
    Nothing,
    Rounds(u8),
    /// The operator runs for so many hours.
    Hours(i64),
    /// The operator is not running for so many minutes: less than the shortest `renewBefore`.
    Outage(i64),
    Reply(Reply),
    Approve,
    RestartOperator,
}

pub fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    let reply = prop_oneof![
        2 => Just(Reply::LostAfterCommit),
        2 => Just(Reply::LostBeforeCommit),
        1 => Just(Reply::Delayed),
        1 => Just(Reply::BALANCE_INSUFFICIENT),
    ];
    prop_oneof![
        2 => Just(Meanwhile::Nothing),
        8 => (1_u8..3).prop_map(Meanwhile::Rounds),
        3 => (1_i64..20).prop_map(Meanwhile::Hours),
        2 => (1_i64..50).prop_map(Meanwhile::Outage),
        1 => reply.prop_map(Meanwhile::Reply),
        1 => Just(Meanwhile::Approve),
        1 => Just(Meanwhile::RestartOperator),
    ]
}

/// As [`World::round`], with the account that the spec names: none, or [`OTHERS`], whose sweep lists none of the instances.
/// The orders keep the account that they were made with.
pub fn round(world: &mut World) {
    let named = world.pack.as_ref().map(|pack| pack.spec.account_ref.name.clone());
    if named.as_deref().is_none_or(|name| name == "default") {
        return world.round();
    }
    world.advance(SECOND * 2);
    world.sweep();
    let (mut named_account, mut observation) = (None, None);
    if named.as_deref() == Some(OTHERS) {
        let mut others = account();
        others.name = OTHERS.into();
        others.spec.tenants.clear();
        named_account = Some(others);
        observation = Some(Observation { started: world.now, instances: BTreeMap::new(), projects: BTreeMap::new() });
    }
    world.advance(SignedDuration::from_millis(100));
    std::mem::swap(&mut world.account, &mut named_account);
    std::mem::swap(&mut world.observation, &mut observation);
    world.reconcile_pack();
    (world.account, world.observation) = (named_account, observation);
    world.advance(SignedDuration::from_millis(100));
    for index in 0..world.orders.len() {
        world.reconcile_order(index);
        world.reconcile_order(index);
    }
}

pub fn live_through(world: &mut World, meanwhile: &Meanwhile) {
    match meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Rounds(count) => (0..*count).for_each(|_| round(world)),
        Meanwhile::Hours(hours) => run_for(world, SignedDuration::from_hours(*hours)),
        Meanwhile::Outage(minutes) => {
            world.advance(SignedDuration::from_mins(*minutes));
            run_for(world, MINUTE);
        }
        Meanwhile::Reply(reply) => {
            world.replies.push(reply.clone());
            round(world);
        }
        Meanwhile::Approve => {
            if let Some(newest) = world.orders.len().checked_sub(1) {
                world.approve(newest, "ThisOrder");
            }
            round(world);
        }
        Meanwhile::RestartOperator => {
            world.restart_operator();
            round(world);
        }
    }
}

/// The operator runs for so long. Time in which nothing can happen is skipped.
fn run_for(world: &mut World, long: SignedDuration) {
    let end = world.now.checked_add(long).unwrap();
    while world.now < end {
        let step = if world.open_orders() > 0 { MINUTE * 30 } else { long };
        let due = world.pack.as_ref().and_then(|p| p.status.as_ref()?.next_renewal_time.as_ref()).map(|due| due.0);
        let next = [Some(end), world.now.checked_add(step).ok(), due.filter(|due| *due > world.now)];
        world.advance(next.into_iter().flatten().min().unwrap().duration_since(world.now));
        for _ in 0..if world.open_orders() > 0 { 4 } else { 2 } {
            round(world);
        }
    }
}
