//! Fills a store with what watches show, and tells a listener what was touched.
//!
//! An object that cannot be read (because a newer version wrote it, for example) is logged and left out of the store. It does
//! not stop the watch, the listener is told of it, and its name stays known.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::reflector::store::{Writer, store};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;

use crate::runtime::guarded::Guarded;
use crate::runtime::seen::Seen;

/// Fills a store from watches over one or several namespaces.
pub struct Feed<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    parts: Parts<K>,
    writer: Writer<K>,
    seen: Seen<K>,
}

/// What happened to an object.
pub enum Touched<'a, K> {
    /// It is new or changed. The second value is the object as it was known before.
    Present(&'a K, Option<&'a K>),
    /// It was deleted.
    Gone(&'a K),
    /// It is new or changed, and cannot be read.
    Unreadable(&'a ObjectMeta),
}

impl<K> Feed<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// A feed that so many watches fill.
    pub fn new(watches: usize) -> Self {
        let (reader, mut writer) = store();
        writer.apply_watcher_event(&Event::Init);
        Self { parts: Parts::new(watches), writer, seen: Seen::nothing(reader) }
    }

    /// The store that it fills.
    pub fn seen(&self) -> Seen<K> {
        self.seen.clone()
    }

    /// Goes on without what one of several watches may not list: its namespace is gone, and its RoleBinding with it. The others
    /// are served; what it shows when it may be listed again is taken in then.
    pub(super) fn go_on_without(&mut self, part: usize, touched: impl FnMut(Touched<'_, K>)) {
        if self.parts.has_others(part) && !self.parts.is_complete(part) {
            self.take(part, Event::InitDone, touched);
        }
    }

    /// Takes in an event of one of the watches, and tells the listener what was touched.
    pub fn take(&mut self, part: usize, event: Event<Guarded<K>>, mut touched: impl FnMut(Touched<'_, K>)) {
        match &event {
            Event::Apply(object) | Event::InitApply(object) => match &object.0 {
                Ok(_) => self.seen.remove_unreadable(&reference(object)),
                Err(invalid) => {
                    self.seen.add_unreadable(reference(object));
                    touched(Touched::Unreadable(&invalid.metadata));
                }
            },
            Event::Delete(object) => self.seen.remove_unreadable(&reference(object)),
            Event::Init | Event::InitDone => {}
        }
        let listed = matches!(event, Event::InitDone);
        let events = self.parts.take(part, event, &self.seen.store);
        if listed {
            self.seen.retain_unreadable(|object| self.parts.shows(object));
        }
        for event in events {
            let done = matches!(event, Event::InitDone);
            let before = match &event {
                Event::Apply(object) => self.seen.store.get(&ObjectRef::from_obj(object)),
                _ => None,
            };
            self.writer.apply_watcher_event(&event);
            if done {
                for stale in self.parts.stale(&self.seen.store) {
                    self.writer.apply_watcher_event(&Event::Delete(stale.as_ref().clone()));
                }
                self.seen.complete();
                self.seen.select(|_| true).iter().for_each(|object| touched(Touched::Present(object, None)));
            }
            match &event {
                Event::Apply(object) => touched(Touched::Present(object, before.as_deref())),
                Event::Delete(object) => touched(Touched::Gone(object)),
                Event::Init | Event::InitApply(_) | Event::InitDone => {}
            }
        }
    }
}

/// Joins the watches of several namespaces into one: a store can be filled from the start only once.
struct Parts<K>
where
    K: Resource<DynamicType = ()>,
{
    parts: Vec<Listing<K>>,
    complete: bool,
}

struct Listing<K: Resource<DynamicType = ()>> {
    /// The objects that are there, by the last complete list and the changes since.
    present: HashSet<ObjectRef<K>>,
    /// The objects that the list under way has shown so far.
    listed: HashSet<ObjectRef<K>>,
    complete: bool,
}

impl<K> Parts<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
    ObjectRef<K>: Hash + Eq,
{
    fn new(count: usize) -> Self {
        let empty = || Listing { present: HashSet::new(), listed: HashSet::new(), complete: false };
        Self { parts: (0..count).map(|_| empty()).collect(), complete: false }
    }

    /// True when there is more than this watch.
    fn has_others(&self, part: usize) -> bool {
        self.parts.len() > 1 && part < self.parts.len()
    }

    /// True once the watch has shown all of its objects.
    fn is_complete(&self, part: usize) -> bool {
        self.parts.get(part).is_some_and(|listing| listing.complete)
    }

    /// Objects in the store that no namespace shows: deleted while another namespace was still being listed.
    fn stale(&self, store: &Store<K>) -> Vec<Arc<K>> {
        store.state_filter(|object| !self.shows(&ObjectRef::from_obj(object)))
    }

    /// True when a namespace shows the object, or the list under way has shown it.
    fn shows(&self, object: &ObjectRef<K>) -> bool {
        self.parts.iter().any(|listing| listing.present.contains(object) || listing.listed.contains(object))
    }

    /// The events for the joined store.
    fn take(&mut self, part: usize, event: Event<Guarded<K>>, store: &Store<K>) -> Vec<Event<K>> {
        let complete = self.complete;
        let Some(listing) = self.parts.get_mut(part) else { return Vec::new() };
        match event {
            Event::Init => {
                listing.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                listing.listed.insert(reference(&object));
                let wrap = if complete { Event::Apply } else { Event::InitApply };
                readable(object).map(wrap).into_iter().collect()
            }
            Event::InitDone => {
                let gone = std::mem::replace(&mut listing.present, std::mem::take(&mut listing.listed));
                let gone: Vec<_> = gone.difference(&listing.present).filter_map(|object| store.get(object)).collect();
                listing.complete = true;
                let first = !complete && self.parts.iter().all(|listing| listing.complete);
                self.complete |= first;
                let gone = gone.into_iter().map(|object| Event::Delete(object.as_ref().clone()));
                gone.chain(first.then_some(Event::InitDone)).collect()
            }
            Event::Apply(object) => {
                listing.present.insert(reference(&object));
                let wrap = if complete { Event::Apply } else { Event::InitApply };
                readable(object).map(wrap).into_iter().collect()
            }
            Event::Delete(object) => {
                let object_ref = reference(&object);
                listing.present.remove(&object_ref);
                // The object may have become unreadable since. The copy in the store is good enough.
                let known = store.get(&object_ref).map(|known| known.as_ref().clone());
                object.0.ok().or(known).map(Event::Delete).into_iter().collect()
            }
        }
    }
}

fn reference<K: Resource<DynamicType = ()>>(object: &Guarded<K>) -> ObjectRef<K> {
    let meta = object.meta();
    let reference = ObjectRef::new(meta.name.as_deref().unwrap_or_default());
    match meta.namespace.as_deref() {
        Some(namespace) => reference.within(namespace),
        None => reference,
    }
}

fn readable<K: Resource<DynamicType = ()>>(object: Guarded<K>) -> Option<K> {
    match object.0 {
        Ok(object) => Some(object),
        Err(invalid) => {
            let (namespace, name) = (invalid.metadata.namespace.as_deref(), invalid.metadata.name.as_deref());
            tracing::error!(kind = %K::kind(&()), namespace, name, error = invalid.error, "an object cannot be read and is left out");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use carpack_api::PackOrder;
    use serde_json::{Value, json};

    use super::*;

    /// An order, of which the spec can be read or not.
    fn order(name: &str, readable: bool) -> Guarded<PackOrder> {
        let spec = if readable { readable_spec() } else { json!({"action": "Prolong"}) };
        serde_json::from_value(json!({
            "apiVersion": "carpack.io/v1alpha1", "kind": "PackOrder",
            "metadata": {"namespace": "treasury", "name": name}, "spec": spec,
        }))
        .unwrap()
    }

    fn readable_spec() -> Value {
        json!({
            "packRef": {"namespace": "events", "name": "concert", "uid": "u"}, "accountRef": {"name": "default"},
            "action": "Buy", "ordinal": 1, "packName": "concert", "decisionTime": "2026-11-26T00:00:00Z",
            "terms": {"applicationType": "Cloud3D", "billingMode": "Daily", "region": "r", "concurrencyScale": "s", "quantity": 1, "duration": 1, "autoRenew": false},
            "lines": [],
        })
    }

    fn feed(events: Vec<Event<Guarded<PackOrder>>>) -> Vec<String> {
        let mut feed = Feed::new(1);
        events.into_iter().for_each(|event| feed.take(0, event, |_| {}));
        feed.seen().unreadable().into_iter().collect()
    }

    #[test]
    fn a_namespace_that_may_not_be_listed_holds_back_none_of_the_others() {
        let mut feed = Feed::new(2);
        let names = |feed: &Feed<PackOrder>| -> Vec<_> {
            feed.seen().select(|_| true).iter().filter_map(|order| order.metadata.name.clone()).collect()
        };
        let listed = |name| [Event::Init, Event::InitApply(order(name, true)), Event::InitDone];
        listed("here").into_iter().for_each(|event| feed.take(0, event, |_| {}));
        assert!(!feed.seen().is_complete());
        feed.go_on_without(1, |_| {});
        assert!(feed.seen().is_complete());
        assert_eq!(names(&feed), ["here"]);
        listed("there").into_iter().for_each(|event| feed.take(1, event, |_| {}));
        assert_eq!(names(&feed), ["here", "there"], "it may be listed again");
        let mut alone = Feed::<PackOrder>::new(1);
        alone.go_on_without(0, |_| {});
        assert!(!alone.seen().is_complete(), "of the only one nothing is known");
    }

    #[test]
    fn an_object_that_cannot_be_read_is_known_until_it_is_gone_or_can_be_read() {
        let (bad, good) = (|| order("bad", false), || order("good", true));
        assert!(good().0.is_ok());
        let listed = || vec![Event::Init, Event::InitApply(bad()), Event::InitApply(good()), Event::InitDone];
        let then = |more: Vec<_>| feed(listed().into_iter().chain(more).collect());
        assert_eq!(feed(listed()), ["bad"]);
        assert_eq!(then(vec![Event::Apply(order("good", false))]), ["bad", "good"]);
        assert_eq!(then(vec![Event::Apply(order("bad", true))]), [""; 0]);
        assert_eq!(then(vec![Event::Delete(bad())]), [""; 0]);
        assert_eq!(then(vec![Event::Init, Event::InitApply(good())]), ["bad"], "a list under way proves no absence");
        assert_eq!(then(vec![Event::Init, Event::InitApply(good()), Event::InitDone]), [""; 0]);
        assert_eq!(then(listed()), ["bad"]);
    }
}
