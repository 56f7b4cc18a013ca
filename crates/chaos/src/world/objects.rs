//! The objects of the API server, parsed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_fake_api_server::{ApiServer, Object, Resource};
use serde_json::Value;

use super::lock::lock;

/// The name of an object.
pub fn name_of(object: &impl kube::Resource) -> &str {
    object.meta().name.as_deref().unwrap_or_default()
}

/// A parsed object.
#[derive(Clone)]
enum Parsed {
    Pack(Arc<ConcurrencyPack>),
    Order(Arc<PackOrder>),
    Account(Arc<CarAccount>),
}

/// Reads objects from the API server, and parses each version once.
pub struct Objects {
    api: Arc<ApiServer>,
    /// By resource version.
    parsed: Mutex<BTreeMap<String, Parsed>>,
}

impl Objects {
    /// The objects of this API server.
    pub fn new(api: Arc<ApiServer>) -> Self {
        Self { api, parsed: Mutex::default() }
    }

    /// All packs.
    pub fn packs(&self) -> Vec<Arc<ConcurrencyPack>> {
        let (objects, _) = self.api.list(Resource::ConcurrencyPacks, None);
        objects.iter().filter_map(|object| self.pack(object)).collect()
    }

    /// All orders.
    pub fn orders(&self) -> Vec<Arc<PackOrder>> {
        let (objects, _) = self.api.list(Resource::PackOrders, None);
        objects.iter().filter_map(|object| self.order(object)).collect()
    }

    /// The account.
    pub fn the_account(&self) -> Option<Arc<CarAccount>> {
        let (objects, _) = self.api.list(Resource::CarAccounts, None);
        objects.first().and_then(|object| self.account(object))
    }

    /// The identity of the process that holds the lease; none when nobody does.
    pub fn lease_holder(&self) -> Option<String> {
        let (leases, _) = self.api.list(Resource::Leases, None);
        let spec: Value = serde_json::from_str(leases.first()?.parts.get("spec")?.get()).ok()?;
        Some(spec["holderIdentity"].as_str().filter(|holder| !holder.is_empty())?.to_owned())
    }

    /// The object as a pack.
    pub fn pack(&self, object: &Object) -> Option<Arc<ConcurrencyPack>> {
        match self.parse_once(object, |object| Some(Parsed::Pack(Arc::new(object.parse().ok()?))))? {
            Parsed::Pack(pack) => Some(pack),
            Parsed::Order(_) | Parsed::Account(_) => None,
        }
    }

    /// The object as an order.
    pub fn order(&self, object: &Object) -> Option<Arc<PackOrder>> {
        match self.parse_once(object, |object| Some(Parsed::Order(Arc::new(object.parse().ok()?))))? {
            Parsed::Order(order) => Some(order),
            Parsed::Pack(_) | Parsed::Account(_) => None,
        }
    }

    /// The object as an account.
    pub fn account(&self, object: &Object) -> Option<Arc<CarAccount>> {
        match self.parse_once(object, |object| Some(Parsed::Account(Arc::new(object.parse().ok()?))))? {
            Parsed::Account(account) => Some(account),
            Parsed::Pack(_) | Parsed::Order(_) => None,
        }
    }

    fn parse_once(&self, object: &Object, parse: impl FnOnce(&Object) -> Option<Parsed>) -> Option<Parsed> {
        let version = object.meta.resource_version.clone().unwrap_or_default();
        let mut parsed = lock(&self.parsed);
        if let Some(known) = parsed.get(&version) {
            return Some(known.clone());
        }
        let object = parse(object)?;
        parsed.insert(version, object.clone());
        Some(object)
    }
}
