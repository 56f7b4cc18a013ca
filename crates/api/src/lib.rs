//! The API group `carpack.io`, version `v1alpha1`: custom resource types and their validation, nothing else.
//!
//! - [`ConcurrencyPack`]: the prepaid capacity that a tenant declares.
//! - [`PackOrder`]: one purchase, renewal or return, which a person can read and approve.
//! - [`CarAccount`]: an account with the cloud, and which namespaces may spend from it.
//! - [`Reason`]: why a condition, an event or a line is as it is.
//!
//! `kubectl explain` and `docs/api.md` show the docs of these types: each paragraph stands on one line, because the lines of a
//! doc comment are kept.
// `kubectl get` columns repeat names such as `type_`.
#![allow(clippy::duplicated_attributes)]

pub mod account;
pub mod common;
pub mod order;
pub mod pack;
pub mod purchase;
pub mod reason;

pub use account::{CarAccount, CarAccountSpec, CarAccountStatus};
pub use common::{BillingMode, Condition, Mode, Money};
pub use order::{PackOrder, PackOrderSpec, PackOrderStatus};
pub use pack::{ConcurrencyPack, ConcurrencyPackSpec, ConcurrencyPackStatus};
pub use reason::Reason;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The API group.
pub const GROUP: &str = "carpack.io";
/// The version of the API group.
pub const VERSION: &str = "v1alpha1";
/// The finalizer that keeps a deleted pack until its `deletionPolicy` is carried out.
pub const PACK_FINALIZER: &str = "carpack.io/pack";
/// The finalizer that keeps a deleted order until its calls are settled.
pub const ORDER_FINALIZER: &str = "carpack.io/order";

/// The CustomResourceDefinitions, in the order of their names.
pub fn custom_resource_definitions() -> [CustomResourceDefinition; 3] {
    [CarAccount::crd(), ConcurrencyPack::crd(), PackOrder::crd()]
}
