//! What is stored, and every change of it in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::object::Object;
use crate::resource::{Key, Resource};

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It is gone; the object is as it was last, with the version of its end.
    Deleted,
}

impl ChangeKind {
    /// As a watch calls it.
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
    /// The version that it made.
    pub version: u64,
    /// What became of the object.
    pub kind: ChangeKind,
    /// Which object.
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

    /// The object of this name.
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

    /// A UID that was never given before.
    pub(crate) fn next_uid(&mut self) -> String {
        self.uids = self.uids.wrapping_add(1);
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }

    /// Writes an object, and gives it the next version.
    pub(crate) fn put(&mut self, key: Key, object: Object) -> Arc<Object> {
        let kind = if self.objects.contains_key(&key) { ChangeKind::Modified } else { ChangeKind::Added };
        let object = self.note(kind, key.clone(), object);
        self.objects.insert(key, Arc::clone(&object));
        object
    }

    /// Takes an object away.
    pub(crate) fn remove(&mut self, key: &Key) {
        if let Some(object) = self.objects.remove(key) {
            self.note(ChangeKind::Deleted, key.clone(), Object::clone(&object));
        }
    }

    fn note(&mut self, kind: ChangeKind, key: Key, mut object: Object) -> Arc<Object> {
        self.version = self.version.wrapping_add(1);
        object.meta.resource_version = Some(self.version.to_string());
        let object = Arc::new(object);
        self.changes.push(Change { version: self.version, kind, key, object: Arc::clone(&object) });
        object
    }
}
