//! Buying a pack, against a real API server and the simulated cloud, with the operator as a process.
#![allow(missing_docs)]

mod harness;

use harness::{PROJECT, World};
use serde_json::json;
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_apply_buys_a_pack_that_becomes_ready_with_its_expiry() {
    let world = World::start().await;
    world.apply("concert", json!({"project": PROJECT})).await;
    let pack = world.until_ready("concert").await;
    let status = pack.status.unwrap();
    assert_eq!(status.quantity.as_deref(), Some("1/1"));
    assert_eq!(status.project.as_deref(), Some(PROJECT));
    assert_eq!(status.expiration_time.map(|t| t.0), world.simulator.instances().first().map(|i| i.expires));
    assert_eq!(world.bought(), 1);
}
