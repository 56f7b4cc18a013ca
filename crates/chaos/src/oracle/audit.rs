//! Judges the end of a schedule.

use carpack_core::names::carries_hash;
use carpack_simulator::LedgerEntry;
use carpack_simulator::state::Instance;

use crate::circumstance::Circumstance;
use crate::rule::Rule;
use crate::world::objects::name_of;
use crate::world::{TENANT, World};

/// I3: every charge is on the record of an order, and every instance belongs to a pack or is in the account's report.
/// `asked` is true when the schedule ends with a question to a person.
pub fn check(world: &World, asked: bool) {
    check_charges(world, asked);
    check_instances(world, asked);
}

fn check_charges(world: &World, asked: bool) {
    // An order that asks a person names the call instead of the cloud's order; and a person may delete orders with
    // their records.
    if asked || world.plan.has(Circumstance::OrdersDeleted) {
        return;
    }
    let orders = world.objects.orders();
    let statuses = orders.iter().filter_map(|order| order.status.as_ref());
    let lines: Vec<_> = statuses.flat_map(|status| &status.lines).collect();
    let entries: Vec<_> = world.cloud().ledger().to_vec();
    let by_operator = |entry: &&LedgerEntry| entry.action != "AutoRenew" && !entry.action.starts_with("Console");
    for entry in entries.iter().filter(by_operator) {
        if !lines.iter().any(|line| line.order_ids.contains(&entry.order_id)) {
            world.journal().breach(Rule::LostPack, format!("no order has {} on its record", entry.order_id));
        }
    }
}

fn check_instances(world: &World, asked: bool) {
    let packs = world.objects.packs();
    let account = world.objects.the_account();
    let unclaimed = account.and_then(|account| account.status.clone()).unwrap_or_default().unclaimed_instances;
    let owned: Vec<_> = packs.iter().flat_map(|pack| &pack.status).flat_map(|status| &status.instances).collect();
    let instances: Vec<Instance> = world.cloud().instances();
    for instance in instances {
        let is_owned = owned.iter().any(|row| row.id == instance.id);
        let is_reported = unclaimed.iter().any(|row| row.id == instance.id);
        // What was bought for an existing pack must belong to it; the report is not enough.
        let has_pack = packs.iter().any(|pack| carries_hash(TENANT, name_of(pack.as_ref()), &instance.name));
        let must_be_owned = has_pack && !asked && instance.expires > world.clock.now();
        if !is_owned && (!is_reported || must_be_owned) {
            let what = format!("no pack has {} ({})", instance.id, instance.name);
            world.journal().breach(Rule::LostPack, what);
        }
    }
}
