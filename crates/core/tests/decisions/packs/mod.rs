//! What is decided about a pack: one file for each part of its life.

mod adopted;
mod adoption;
mod assignment;
mod deletion;
mod delivery;
mod naming;
mod purchase;
mod readiness;
mod renewal;
mod requeue;
mod successor;

use carpack_api::pack::{Adopt, ExpirationTimeSource, RenewFlag};
use carpack_core::observation::{Binding, Instance};
use serde_json::{Value, json};

use crate::world::{HOUR, Reply, World, pack};

/// A pack that was bought and is Ready.
pub fn active(spec: Value) -> World {
    let mut world = World::new(pack(spec));
    world.run_rounds();
    assert_eq!(world.ready(), "True Active", "{:#?}", world.orders);
    world
}

/// A pack of three that came in one instance. The cloud says how many concurrencies it carries, or does not.
fn in_one_instance(concurrencies: Option<i32>) -> World {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Delayed];
    world.run_rounds();
    world.undelivered.truncate(1);
    world.undelivered[0].concurrencies = concurrencies;
    world.deliver();
    world.advance(HOUR * 2);
    world.run_rounds();
    world
}

/// Three instances that a person bought, and a pack that names them in `adopt`.
fn adopting(spec: Value) -> World {
    let ids = ["i-a", "i-b", "i-c"];
    let mut pack = pack(spec);
    pack.spec.adopt = Some(Adopt { instance_ids: ids.map(str::to_owned).into() });
    let mut world = World::new(pack);
    world.account.as_mut().unwrap().spec.tenants[0].adopt = Some(true);
    let expiration = world.now + HOUR * 50;
    let bought = |id: &str| Instance {
        id: id.into(),
        name: Some("by hand".into()),
        concurrencies: Some(1),
        project: Binding::Unbound,
        expiration: Some(expiration),
        expiration_source: ExpirationTimeSource::Billing,
        renew_flag: RenewFlag::Manual,
        scale: Some("L1".into()),
        region: Some("ap-singapore".into()),
        isolated: false,
    };
    world.instances = ids.map(|id| (id.to_owned(), bought(id))).into();
    world
}
