//! Executes requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Notify;

use crate::answer::{Answer, Refusal};
use crate::object::{Meta, Object};
use crate::patch::merge;
use crate::resource::{Key, Resource, Target};
use crate::store::{Change, Store};

/// Gives the current time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// An API server.
pub struct ApiServer {
    store: Mutex<Store>,
    changed: Notify,
    clock: Clock,
}

/// The body of a DELETE.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DeleteOptions {
    preconditions: Option<Preconditions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl ApiServer {
    /// A server without objects.
    pub fn new(clock: Clock) -> Self {
        Self { store: Mutex::default(), changed: Notify::new(), clock }
    }

    /// Executes a request that is not a watch. With `partial`, the answer has only the metadata.
    pub fn handle(&self, method: &Method, path: &str, body: &[u8], partial: bool) -> Answer {
        let before = self.version();
        let answer = self.try_handle(method, path, body, partial).unwrap_or_else(Answer::from);
        if self.version() != before {
            self.changed.notify_waiters();
        }
        answer
    }

    /// The version of the last change.
    pub fn version(&self) -> u64 {
        self.lock().version()
    }

    /// The changes after a version, oldest first.
    pub fn changes_since(&self, version: u64) -> Vec<Change> {
        self.lock().since(version).to_vec()
    }

    /// Notified of every change.
    pub fn changed(&self) -> &Notify {
        &self.changed
    }

    /// The object with this key.
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.lock().get(key).cloned()
    }

    /// All objects of a resource, in one namespace or in all, and the version of the list.
    pub fn list(&self, resource: Resource, namespace: Option<&str>) -> (Vec<Arc<Object>>, u64) {
        let store = self.lock();
        (store.list(resource, namespace).cloned().collect(), store.version())
    }

    fn try_handle(&self, method: &Method, path: &str, body: &[u8], partial: bool) -> Result<Answer, Refusal> {
        let target = Target::read(path).ok_or(Refusal::NoSuchPath)?;
        let Some(name) = &target.name else { return self.on_collection(method, &target, body) };
        let namespace = target.namespace.as_deref().ok_or(Refusal::NoSuchPath)?;
        if target.status && !target.resource.is_custom() {
            return Err(Refusal::NoSuchPath);
        }
        let key = Key::new(target.resource, namespace, name);
        let written = match *method {
            Method::GET => self.get(&key).ok_or(Refusal::NotFound(key))?,
            Method::PUT => {
                let new = read(target.resource, body)?;
                // The API server creates a lease that does not exist when it is updated.
                if target.resource == Resource::Leases && self.get(&key).is_none() && new.meta.name == key.name {
                    if new.meta.uid.is_some() {
                        return Err(Refusal::Conflict { key, why: "the lease of this UID is gone" });
                    }
                    return Ok(Answer::created(self.create(namespace, new)?.to_json()));
                }
                self.replace(key, new, target.status)?
            }
            Method::PATCH => self.patch(key, body, target.status)?,
            Method::DELETE if !target.status => match self.delete(key, body)? {
                Some(object) => object,
                None => return Ok(Answer::gone()),
            },
            _ => return Err(Refusal::MethodNotAllowed),
        };
        Ok(Answer::ok(if partial { written.to_partial() } else { written.to_json() }))
    }

    fn on_collection(&self, method: &Method, target: &Target, body: &[u8]) -> Result<Answer, Refusal> {
        match (method, target.namespace.as_deref()) {
            (&Method::GET, namespace) => {
                let (objects, version) = self.list(target.resource, namespace);
                Ok(Answer::ok(list(target.resource, &objects, version)))
            }
            (&Method::POST, Some(namespace)) => {
                let created = self.create(namespace, read(target.resource, body)?)?;
                Ok(Answer::created(created.to_json()))
            }
            _ => Err(Refusal::MethodNotAllowed),
        }
    }

    fn create(&self, namespace: &str, mut object: Object) -> Result<Arc<Object>, Refusal> {
        if !object.meta.namespace.is_empty() && object.meta.namespace != namespace {
            return Err(Refusal::BadRequest("the namespace of the object is not that of the request".to_owned()));
        }
        namespace.clone_into(&mut object.meta.namespace);
        let key = Key::new(object.resource, namespace, &object.meta.name);
        if object.meta.name.is_empty() {
            return Err(Refusal::Invalid(key, "metadata.name: Required value"));
        }
        let mut store = self.lock();
        if store.get(&key).is_some() {
            return Err(Refusal::AlreadyExists(key));
        }
        object.meta.uid = Some(store.next_uid());
        object.meta.generation = object.resource.is_custom().then_some(1);
        object.meta.creation_timestamp = Some(self.second());
        object.meta.deletion_timestamp = None;
        object.meta.deletion_grace_period_seconds = None;
        object.status = None;
        Ok(store.put(key, object))
    }

    fn replace(&self, key: Key, new: Object, status: bool) -> Result<Arc<Object>, Refusal> {
        if new.meta.name != key.name {
            return Err(Refusal::BadRequest("the name of the object is not that of the request".to_owned()));
        }
        let mut store = self.lock();
        let Some(old) = store.get(&key).cloned() else { return Err(Refusal::NotFound(key)) };
        if new.meta.uid.is_some() && new.meta.uid != old.meta.uid {
            return Err(Refusal::Conflict { key, why: "the UID in the precondition is another one" });
        }
        if new.meta.resource_version.as_deref().is_none_or(str::is_empty) {
            return Err(Refusal::Invalid(key, "metadata.resourceVersion: must be specified for an update"));
        }
        self.write(&mut store, key, &old, new, status)
    }

    fn patch(&self, key: Key, body: &[u8], status: bool) -> Result<Arc<Object>, Refusal> {
        let unreadable = |error: serde_json::Error| Refusal::BadRequest(error.to_string());
        let patch: Value = serde_json::from_slice(body).map_err(unreadable)?;
        let mut store = self.lock();
        let Some(old) = store.get(&key).cloned() else { return Err(Refusal::NotFound(key)) };
        let only_metadata = patch.as_object().is_some_and(|patch| patch.keys().all(|name| name == "metadata"));
        let new = if only_metadata {
            let mut meta = serde_json::to_value(&old.meta).map_err(unreadable)?;
            if let Some(patch) = patch.get("metadata") {
                merge(&mut meta, patch);
            }
            let meta: Meta = serde_json::from_value(meta).map_err(unreadable)?;
            Object { meta, ..Object::clone(&old) }
        } else {
            let mut value = old.to_value().map_err(unreadable)?;
            merge(&mut value, &patch);
            Object::from_value(key.resource, &value).map_err(unreadable)?
        };
        if new.meta.uid != old.meta.uid || new.meta.name != old.meta.name {
            return Err(Refusal::Invalid(key, "metadata: field is immutable"));
        }
        self.write(&mut store, key, &old, new, status)
    }

    /// Stores the new object if it is based on the newest version, and differs from the old one.
    fn write(
        &self,
        store: &mut Store,
        key: Key,
        old: &Arc<Object>,
        new: Object,
        status: bool,
    ) -> Result<Arc<Object>, Refusal> {
        if new.meta.resource_version != old.meta.resource_version {
            return Err(Refusal::Conflict { key, why: "the object has been modified" });
        }
        let next = if status {
            Object { status: new.status, ..Object::clone(old) }
        } else {
            let mut meta = Meta { finalizers: new.meta.finalizers, labels: new.meta.labels, ..old.meta.clone() };
            meta.annotations = new.meta.annotations;
            meta.owner_references = new.meta.owner_references;
            Object { meta, parts: new.parts, status: old.status.clone(), resource: old.resource }
        };
        let deleting = old.meta.deletion_timestamp.is_some();
        let added = next.meta.finalizers.iter().any(|finalizer| !old.meta.finalizers.contains(finalizer));
        if deleting && added {
            return Err(Refusal::Invalid(key, "metadata.finalizers: Forbidden: the object is being deleted"));
        }
        if deleting && next.meta.finalizers.is_empty() {
            store.remove(&key);
            return Ok(Arc::new(next));
        }
        let same_parts = next.has_parts_of(old);
        if same_parts && next.meta == old.meta && next.has_status_of(old) {
            return Ok(Arc::clone(old));
        }
        let mut next = next;
        if !same_parts {
            next.meta.generation = next.meta.generation.map(|generation| generation.saturating_add(1));
        }
        Ok(store.put(key, next))
    }

    /// Deletes an object. Returns it when finalizers hold it; none when it was removed.
    fn delete(&self, key: Key, body: &[u8]) -> Result<Option<Arc<Object>>, Refusal> {
        let options: DeleteOptions = if body.is_empty() {
            DeleteOptions::default()
        } else {
            serde_json::from_slice(body).map_err(|error| Refusal::BadRequest(error.to_string()))?
        };
        let mut store = self.lock();
        let Some(old) = store.get(&key).cloned() else { return Err(Refusal::NotFound(key)) };
        let wanted = options.preconditions.unwrap_or_default();
        let differs = |wanted: &Option<String>, have: &Option<String>| wanted.is_some() && wanted != have;
        if differs(&wanted.uid, &old.meta.uid) || differs(&wanted.resource_version, &old.meta.resource_version) {
            return Err(Refusal::Conflict { key, why: "the precondition failed" });
        }
        if old.meta.finalizers.is_empty() {
            store.remove(&key);
            return Ok(None);
        }
        if old.meta.deletion_timestamp.is_some() {
            return Ok(Some(old));
        }
        let mut next = Object::clone(&old);
        next.meta.deletion_timestamp = Some(self.second());
        next.meta.deletion_grace_period_seconds = Some(0);
        next.meta.generation = next.meta.generation.map(|generation| generation.saturating_add(1));
        Ok(Some(store.put(key, next)))
    }

    fn second(&self) -> String {
        let now = (self.clock)();
        Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(resource: Resource, body: &[u8]) -> Result<Object, Refusal> {
    Object::read(resource, body).map_err(|error| Refusal::BadRequest(error.to_string()))
}

fn list(resource: Resource, objects: &[Arc<Object>], version: u64) -> Vec<u8> {
    let head = format!(
        r#"{{"apiVersion":"{}","kind":"{}List","metadata":{{"resourceVersion":"{version}"}},"items":["#,
        resource.api_version(),
        resource.kind()
    );
    let mut text = head.into_bytes();
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend(object.to_json());
    }
    text.extend(b"]}");
    text
}
