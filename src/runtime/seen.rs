//! The objects of one kind that the watches have seen.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::Resource;
#[cfg(test)]
use kube::runtime::reflector::store::{Writer, store};
use kube::runtime::reflector::{ObjectRef, Store};
#[cfg(test)]
use kube::runtime::watcher::Event;

/// All objects of a kind, and whether all of them were seen once.
#[derive(Clone)]
pub struct Seen<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// The objects.
    pub store: Store<K>,
    unreadable: Arc<Mutex<HashSet<ObjectRef<K>>>>,
    unlisted: Arc<Mutex<BTreeSet<String>>>,
    complete: Arc<AtomicBool>,
}

impl<K> Seen<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// True once every object was seen. Before that an absence means nothing.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// The objects that are wanted, sorted by name: what is done with them is done in the same order each time.
    pub fn select(&self, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let mut objects = self.store.state_filter(wanted);
        let name = |object: &K| (object.meta().namespace.clone(), object.meta().name.clone());
        objects.sort_by_cached_key(|object| name(object));
        objects
    }

    /// The namespaces that are watched and may not be listed: what is in them is not known.
    pub fn unlisted(&self) -> BTreeSet<String> {
        lock(&self.unlisted).clone()
    }

    /// Names of the objects that are there and cannot be read. The store may still hold an earlier version of one.
    pub fn unreadable(&self) -> BTreeSet<String> {
        lock(&self.unreadable).iter().map(|object| object.name.clone()).collect()
    }
}

/// What the watches write.
impl<K> Seen<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// Nothing was seen yet.
    pub(super) fn nothing(store: Store<K>) -> Self {
        Self { store, unreadable: Arc::default(), unlisted: Arc::default(), complete: Arc::default() }
    }

    /// All objects were seen once.
    pub(super) fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }

    /// This namespace may be listed, or not.
    pub(super) fn set_listed(&self, namespace: &str, listed: bool) {
        let mut unlisted = lock(&self.unlisted);
        if listed {
            unlisted.remove(namespace);
        } else {
            unlisted.insert(namespace.to_owned());
        }
    }

    /// This object can be read, or is gone.
    pub(super) fn remove_unreadable(&self, object: &ObjectRef<K>) {
        lock(&self.unreadable).remove(object);
    }

    /// This object cannot be read.
    pub(super) fn add_unreadable(&self, object: ObjectRef<K>) {
        lock(&self.unreadable).insert(object);
    }

    /// Forgets the unreadable objects that are not there any more.
    pub(super) fn retain_unreadable(&self, is_there: impl Fn(&ObjectRef<K>) -> bool) {
        lock(&self.unreadable).retain(is_there);
    }
}

#[cfg(test)]
impl<K> Seen<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// A complete store of these objects.
    pub fn of(objects: Vec<K>) -> Self {
        Self::written(objects).0
    }

    /// The same, and the writer that changes it.
    pub fn written(objects: Vec<K>) -> (Self, Writer<K>) {
        let (store, mut writer) = store();
        objects.into_iter().for_each(|object| writer.apply_watcher_event(&Event::Apply(object)));
        let seen = Self::nothing(store);
        seen.complete();
        (seen, writer)
    }

    /// From now on this object cannot be read.
    pub fn spoil(&self, object: ObjectRef<K>) {
        self.add_unreadable(object);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
