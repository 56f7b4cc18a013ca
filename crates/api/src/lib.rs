//! The API group `carpack.io`, version `v1alpha1`: custom resource types and their validation, nothing else.
//!
//! - [`ConcurrencyPack`]: what a tenant wants.
//! - [`PackOrder`]: one spending act, readable, approvable, kept.
//! - [`CarAccount`]: whose money it is and who may spend it.
//! - [`Reason`]: why a condition, an event or a line is as it is.
// Every printed column says its type anew.
#![allow(clippy::duplicated_attributes)]

pub mod account;
pub mod common;
pub mod order;
pub mod pack;
pub mod reason;

pub use account::{CarAccount, CarAccountSpec, CarAccountStatus};
pub use common::{BillingMode, Condition, Mode, Money};
pub use order::{PackOrder, PackOrderSpec, PackOrderStatus};
pub use pack::{ConcurrencyPack, ConcurrencyPackSpec, ConcurrencyPackStatus};
pub use reason::Reason;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group.
pub const GROUP: &str = "carpack.io";
/// API version.
pub const VERSION: &str = "v1alpha1";
/// Finalizer that holds a pack until its deletion policy is carried out.
pub const PACK_FINALIZER: &str = "carpack.io/pack";
/// Finalizer that holds an order while it is unresolved.
pub const ORDER_FINALIZER: &str = "carpack.io/order";

/// The CustomResourceDefinitions, in the order of their names.
pub fn custom_resource_definitions() -> [CustomResourceDefinition; 3] {
    [CarAccount::crd(), ConcurrencyPack::crd(), PackOrder::crd()]
}
