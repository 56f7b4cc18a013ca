//! What people do with kubectl.

use http::Method;
use serde_json::Value;

use crate::mutant::Mutant;
use crate::world::{TENANT, TREASURY, World};

/// The path of a pack; of all packs when the name is empty.
pub fn pack_path(name: &str) -> String {
    let path = format!("/apis/carpack.io/v1alpha1/namespaces/{TENANT}/concurrencypacks");
    if name.is_empty() { path } else { format!("{path}/{name}") }
}

/// The path of an order.
pub fn order_path(name: &str) -> String {
    format!("/apis/carpack.io/v1alpha1/namespaces/{TREASURY}/packorders/{name}")
}

/// A person creates an object.
pub fn create(world: &World, path: &str, object: &Value) {
    request(world, &Method::POST, path, object.to_string().as_bytes());
}

/// A person changes an object.
pub fn patch(world: &World, path: &str, patch: &Value) {
    request(world, &Method::PATCH, path, patch.to_string().as_bytes());
}

/// A person deletes an object.
pub fn delete(world: &World, path: &str) {
    if world.plan.is(Mutant::CarelessFinalizer) {
        world.api.handle(&Method::PATCH, path, br#"{"metadata":{"finalizers":[]}}"#, false);
    }
    request(world, &Method::DELETE, path, &[]);
}

fn request(world: &World, method: &Method, path: &str, body: &[u8]) {
    let answer = world.api.handle(method, path, body, false);
    tracing::info!(%method, path, status = answer.status.as_u16(), "USER");
    world.disturb();
}
