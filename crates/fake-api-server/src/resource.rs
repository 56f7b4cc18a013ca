//! The resources of this server, and the paths of requests.

use std::fmt;

/// A resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// `concurrencypacks.carpack.io`
    ConcurrencyPacks,
    /// `packorders.carpack.io`
    PackOrders,
    /// `caraccounts.carpack.io`
    CarAccounts,
    /// `leases.coordination.k8s.io`
    Leases,
    /// `secrets`
    Secrets,
    /// `events.events.k8s.io`
    Events,
}

impl Resource {
    /// All resources.
    pub const ALL: [Self; 6] =
        [Self::ConcurrencyPacks, Self::PackOrders, Self::CarAccounts, Self::Leases, Self::Secrets, Self::Events];

    /// Plural name, as in paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ConcurrencyPacks => "concurrencypacks",
            Self::PackOrders => "packorders",
            Self::CarAccounts => "caraccounts",
            Self::Leases => "leases",
            Self::Secrets => "secrets",
            Self::Events => "events",
        }
    }

    /// Kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::ConcurrencyPacks => "ConcurrencyPack",
            Self::PackOrders => "PackOrder",
            Self::CarAccounts => "CarAccount",
            Self::Leases => "Lease",
            Self::Secrets => "Secret",
            Self::Events => "Event",
        }
    }

    /// API version.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::ConcurrencyPacks | Self::PackOrders | Self::CarAccounts => "carpack.io/v1alpha1",
            Self::Leases => "coordination.k8s.io/v1",
            Self::Secrets => "v1",
            Self::Events => "events.k8s.io/v1",
        }
    }

    /// True for custom resources. They have a status subresource and a generation.
    pub fn is_custom(self) -> bool {
        matches!(self, Self::ConcurrencyPacks | Self::PackOrders | Self::CarAccounts)
    }

    fn of(group_version: &str, plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.api_version() == group_version && resource.plural() == plural)
    }
}

/// The key of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its resource.
    pub resource: Resource,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The key of the object with this name.
    pub fn new(resource: Resource, namespace: &str, name: &str) -> Self {
        Self { resource, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.resource.plural(), self.namespace, self.name)
    }
}

/// What a path refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) resource: Resource,
    /// None: all namespaces.
    pub(crate) namespace: Option<String>,
    /// None: the collection.
    pub(crate) name: Option<String>,
    /// True for `/status`.
    pub(crate) status: bool,
}

impl Target {
    /// Parses `/apis/<group>/<version>/namespaces/<namespace>/<plural>/<name>/status` and its shorter forms.
    pub(crate) fn read(path: &str) -> Option<Self> {
        let (group_version, rest) = if let Some(rest) = path.strip_prefix("/api/v1/") {
            ("v1".to_owned(), rest)
        } else {
            let rest = path.strip_prefix("/apis/")?;
            let (group, rest) = rest.split_once('/')?;
            let (version, rest) = rest.split_once('/')?;
            (format!("{group}/{version}"), rest)
        };
        let (namespace, rest) = match rest.strip_prefix("namespaces/") {
            Some(rest) => {
                let (namespace, rest) = rest.split_once('/')?;
                (Some(namespace.to_owned()), rest)
            }
            None => (None, rest),
        };
        let mut parts = rest.split('/');
        let resource = Resource::of(&group_version, parts.next()?)?;
        let name = parts.next().map(str::to_owned);
        let status = match parts.next() {
            None => false,
            Some("status") if parts.next().is_none() => true,
            Some(_) => return None,
        };
        Some(Self { resource, namespace, name, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_objects_collections_and_statuses_are_read() {
        let target = |path| Target::read(path).unwrap();
        let order =
            target("/apis/carpack.io/v1alpha1/namespaces/carpack-system/packorders/events.concert.buy-1/status");
        assert_eq!((order.resource, order.status), (Resource::PackOrders, true));
        assert_eq!(
            (order.namespace.as_deref(), order.name.as_deref()),
            (Some("carpack-system"), Some("events.concert.buy-1"))
        );
        let all = target("/apis/carpack.io/v1alpha1/concurrencypacks");
        assert_eq!((all.namespace, all.name, all.status), (None, None, false));
        assert_eq!(target("/api/v1/namespaces/a/secrets/key").resource, Resource::Secrets);
        assert_eq!(Target::read("/apis/apps/v1/namespaces/a/deployments"), None);
        assert_eq!(Target::read("/api/v1/namespaces/a/secrets/key/scale"), None);
    }
}
