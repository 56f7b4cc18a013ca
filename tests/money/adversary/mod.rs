//! People interfere at the worst moment: they delete, remove finalizers, recreate, edit, restore an old backup, or act in the
//! console. Nothing is bought twice, and nothing that was paid for is lost without a report.

mod console;
mod force;
mod lookalikes;
mod restored;
mod spoilt;

use std::collections::BTreeSet;

use carpack_simulator::{Effect, Fault, FaultId};
use carpack_testkit::watch_until_gone;
use kube::api::DeleteParams;

use crate::harness::status::{condition, message, reason_of};
use crate::harness::{PATIENCE, QUARANTINE, World};

/// The lists that show a purchase.
const LISTS: [&str; 3] = ["DescribeRenewInstances", "DescribeConcurrentPackages", "DescribeDealsByCond"];

fn fault(world: &World, action: &str, effect: Effect) -> FaultId {
    world.simulator.add_fault(Fault::on(action, effect).times(1)).unwrap()
}

/// From now on the lists show the state of an hour ago.
fn blind(world: &World) -> Vec<FaultId> {
    let stale = |list: &&str| Fault::on(list, Effect::StaleLists { seconds: 3600 });
    LISTS.iter().map(|list| world.simulator.add_fault(stale(list)).unwrap()).collect()
}

fn sighted(world: &World, blind: Vec<FaultId>) {
    blind.into_iter().for_each(|fault| world.simulator.remove_fault(fault).unwrap());
}

/// The tokens of all purchase requests.
fn tokens(world: &World) -> BTreeSet<String> {
    let asked = world.simulator.requests().into_iter().filter(|r| r.action == "CreateInstance");
    asked.map(|r| r.parameters["ClientToken"].as_str().unwrap().to_owned()).collect()
}

/// There is one charge, by one call, and the pack is Ready.
async fn bought_once(world: &World) {
    world.until_ready("concert").await;
    world.sweeps(3).await;
    assert_eq!((world.bought(), world.simulator.ledger().len(), world.simulator.instances().len()), (1, 1, 3));
    assert_eq!(condition(&world.pack("concert").await, "Ready"), "True");
}

/// There is one charge; the pack reports that its name is taken, and the account reports the instances as unclaimed.
async fn bought_once_and_left_to_a_person(world: &World) {
    let pack = world.until_reason("concert", "NameTaken").await;
    assert!(message(&pack, "Ready").contains("it is not bought a second time"), "{}", message(&pack, "Ready"));
    world.until_unclaimed(3).await;
    world.advance_minutes(2 * QUARANTINE);
    world.sweeps(3).await;
    assert_eq!(reason_of(&world.pack("concert").await), "NameTaken");
    assert_eq!((world.bought(), world.asked("CreateInstance"), world.simulator.instances().len()), (1, 1, 3));
}

async fn delete_order(world: &World, suffix: &str) -> String {
    let name = world.order_name("concert", suffix);
    world.orders().delete(&name, &DeleteParams::default()).await.unwrap();
    name
}

async fn until_order_gone(world: &World, name: &str) {
    watch_until_gone(&world.orders(), name, PATIENCE).await.unwrap_or_else(|error| world.fail(&error.to_string()));
}
