//! What the API server of a world has.

use std::sync::Arc;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_fake_api_server::{Object, Resource};
use serde_json::Value;

use super::{World, lock};

/// Objects that were parsed, by their resource version.
#[derive(Clone)]
pub(super) enum Typed {
    Pack(Arc<ConcurrencyPack>),
    Order(Arc<PackOrder>),
    Account(Arc<CarAccount>),
}

impl World {
    /// All packs.
    pub fn packs(&self) -> Vec<Arc<ConcurrencyPack>> {
        let (objects, _) = self.api.list(Resource::ConcurrencyPacks, None);
        objects.iter().filter_map(|object| self.pack_of(object)).collect()
    }

    /// All orders.
    pub fn orders(&self) -> Vec<Arc<PackOrder>> {
        let (objects, _) = self.api.list(Resource::PackOrders, None);
        objects.iter().filter_map(|object| self.order_of(object)).collect()
    }

    /// The account.
    pub fn account(&self) -> Option<Arc<CarAccount>> {
        let (objects, _) = self.api.list(Resource::CarAccounts, None);
        objects.first().and_then(|object| self.account_of(object))
    }

    /// Who holds the lease, if anybody does.
    pub fn leader(&self) -> Option<String> {
        let (leases, _) = self.api.list(Resource::Leases, None);
        let spec: Value = serde_json::from_str(leases.first()?.parts.get("spec")?.get()).ok()?;
        Some(spec["holderIdentity"].as_str().filter(|holder| !holder.is_empty())?.to_owned())
    }

    /// An object as a pack. Each version is parsed once.
    pub fn pack_of(&self, object: &Object) -> Option<Arc<ConcurrencyPack>> {
        match self.typed(object, |object| Some(Typed::Pack(Arc::new(object.parse().ok()?))))? {
            Typed::Pack(pack) => Some(pack),
            Typed::Order(_) | Typed::Account(_) => None,
        }
    }

    /// An object as an order.
    pub fn order_of(&self, object: &Object) -> Option<Arc<PackOrder>> {
        match self.typed(object, |object| Some(Typed::Order(Arc::new(object.parse().ok()?))))? {
            Typed::Order(order) => Some(order),
            Typed::Pack(_) | Typed::Account(_) => None,
        }
    }

    /// An object as an account.
    pub fn account_of(&self, object: &Object) -> Option<Arc<CarAccount>> {
        match self.typed(object, |object| Some(Typed::Account(Arc::new(object.parse().ok()?))))? {
            Typed::Account(account) => Some(account),
            Typed::Pack(_) | Typed::Order(_) => None,
        }
    }

    fn typed(&self, object: &Object, parse: impl FnOnce(&Object) -> Option<Typed>) -> Option<Typed> {
        let version = object.meta.resource_version.clone().unwrap_or_default();
        let mut typed = lock(&self.typed);
        if let Some(known) = typed.get(&version) {
            return Some(known.clone());
        }
        let parsed = parse(object)?;
        typed.insert(version, parsed.clone());
        Some(parsed)
    }
}
