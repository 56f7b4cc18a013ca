//! The stored objects, and all changes in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::object::Object;
use crate::resource::{Key, Resource};

/// What a change did to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It was removed. The change has its last state, with the version of the removal.
    Deleted,
}

impl ChangeKind {
    /// Its name in watch events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One change.
#[derive(Debug, Clone)]
pub struct Change {
    /// The version that it produced.
    pub version: u64,
    /// What it did to the object.
    pub kind: ChangeKind,
    /// The key of the object.
    pub key: Key,
    /// The object after it.
    pub object: Arc<Object>,
}

/// All objects.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    version: u64,
    uids: u64,
    objects: BTreeMap<Key, Arc<Object>>,
    changes: Vec<Change>,
}

impl Store {
    /// The version of the last change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The object with this key.
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.objects.get(key)
    }

    /// All objects of a kind, in one namespace or in all.
    pub(crate) fn list(&self, resource: Resource, namespace: Option<&str>) -> impl Iterator<Item = &Arc<Object>> {
        let wanted = move |key: &Key| key.resource == resource && namespace.is_none_or(|n| n == key.namespace);
        self.objects.iter().filter(move |(key, _)| wanted(key)).map(|(_, object)| object)
    }

    /// The changes after a version, oldest first.
    pub(crate) fn since(&self, version: u64) -> &[Change] {
        let first = self.changes.partition_point(|change| change.version <= version);
        self.changes.get(first..).unwrap_or_default()
    }

    /// A new UID.
    pub(crate) fn next_uid(&mut self) -> String {
        self.uids = self.uids.wrapping_add(1);
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }

    /// Stores an object with the next version.
    pub(crate) fn put(&mut self, key: Key, object: Object) -> Arc<Object> {
        let kind = if self.objects.contains_key(&key) { ChangeKind::Modified } else { ChangeKind::Added };
        let object = self.record(kind, key.clone(), object);
        self.objects.insert(key, Arc::clone(&object));
        object
    }

    /// Removes an object.
    pub(crate) fn remove(&mut self, key: &Key) {
        if let Some(object) = self.objects.remove(key) {
            self.record(ChangeKind::Deleted, key.clone(), Object::clone(&object));
        }
    }

    fn record(&mut self, kind: ChangeKind, key: Key, mut object: Object) -> Arc<Object> {
        self.version = self.version.wrapping_add(1);
        object.meta.resource_version = Some(self.version.to_string());
        let object = Arc::new(object);
        self.changes.push(Change { version: self.version, kind, key, object: Arc::clone(&object) });
        object
    }
}
