//! What the operator knows of objects that cannot be read.

use carpack_api::pack::Adopt;
use kube::runtime::reflector::ObjectRef;

use crate::testing::World;
use crate::testing::objects::{TREASURY, pack};

#[tokio::test]
async fn an_object_that_cannot_be_read_may_hold_whatever_a_pack_wants_to_take_over() {
    let world = World::leading().await;
    let mut pack = pack("gala");
    pack.spec.adopt = Some(Adopt { instance_ids: vec!["i-1".to_owned()] });
    let holder = |world: &World| world.operator.holders(&pack, &world.snapshot).remove("i-1").unwrap_or_default();
    assert_eq!(holder(&world), "");
    world.operator.stores.packs.spoil(ObjectRef::new("strange").within("events"));
    assert!(holder(&world).starts_with("ConcurrencyPack strange cannot be read"), "{}", holder(&world));
    let world = World::leading().await;
    world.operator.stores.orders.spoil(ObjectRef::new("strange").within(TREASURY));
    assert!(holder(&world).starts_with("PackOrder strange cannot be read"), "{}", holder(&world));
}
