//! Objects as the API server sends them. An object that cannot be parsed is an error for that object only: the list, the watch or the answer
//! that it came in is still read.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Annotations of other programs are not kept: nobody here reads them, and a tenant may write a quarter of a megabyte of them.
const OWN_ANNOTATIONS: &str = "carpack.io/";

/// An object, or why it cannot be read.
///
/// Two parts of the metadata are removed before parsing, because carpack never reads them: the annotations of other programs, and
/// `managedFields`, into which anybody who may write the object can put values that cannot be parsed.
#[derive(Debug, Clone)]
pub struct Guarded<K>(pub Result<K, Unreadable>);

/// An object that cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Unreadable {
    /// What the parser says. It may quote a value of the object.
    pub error: String,
    /// As much of the metadata as can be read: name, namespace, uid, version, finalizers, and whether it is being deleted.
    pub metadata: Box<ObjectMeta>,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Value::deserialize(deserializer)?;
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return Err(D::Error::custom("an object without metadata"));
        };
        strip(metadata);
        let known = readable_metadata(metadata);
        Ok(Self(
            K::deserialize(object).map_err(|error| Unreadable { error: error.to_string(), metadata: known.into() }),
        ))
    }
}

fn strip(metadata: &mut Map<String, Value>) {
    metadata.remove("managedFields");
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| key.starts_with(OWN_ANNOTATIONS));
    }
}

/// The metadata of an object that may not be parsed as a whole. A field of the wrong type is left out.
fn readable_metadata(metadata: &Map<String, Value>) -> ObjectMeta {
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    let deleted = metadata.get("deletionTimestamp").filter(|time| !time.is_null());
    let finalizers = metadata.get("finalizers").and_then(Value::as_array);
    ObjectMeta {
        name: text("name"),
        namespace: text("namespace"),
        uid: text("uid"),
        resource_version: text("resourceVersion"),
        // Any value means that the object is being deleted, also a time that cannot be parsed.
        deletion_timestamp: deleted
            .map(|time| Time::deserialize(time).unwrap_or(Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH))),
        finalizers: finalizers.map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        ..ObjectMeta::default()
    }
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.0 {
            Ok(object) => object.meta(),
            Err(unreadable) => &unreadable.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.0 {
            Ok(object) => object.meta_mut(),
            Err(unreadable) => &mut unreadable.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use carpack_api::ConcurrencyPack;
    use serde_json::json;

    use super::*;

    fn read(object: &Value) -> Guarded<ConcurrencyPack> {
        serde_json::from_value(object.clone()).unwrap()
    }

    fn pack() -> Value {
        json!({
            "apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack",
            "metadata": {"name": "concert", "namespace": "events", "uid": "u", "resourceVersion": "7", "finalizers": ["carpack.io/pack"]},
            "spec": {"billingMode": "Daily", "region": "r", "concurrencyScale": "L1", "quantity": 1, "duration": 1, "renewal": {"mode": "None"}},
        })
    }

    #[test]
    fn what_a_tenant_may_write_into_managed_fields_spoils_nothing() {
        let mut object = pack();
        object["metadata"]["managedFields"] = json!([{"manager": "m", "time": "9999-12-31T23:59:59Z"}, 7]);
        assert_eq!(read(&object).0.unwrap().metadata.name.as_deref(), Some("concert"));
    }

    #[test]
    fn annotations_of_other_programs_are_not_kept() {
        let mut object = pack();
        object["metadata"]["annotations"] =
            json!({"a.b/c": "x".repeat(1000), "carpack.io/settle-line-0-attempt-1": "Executed"});
        let annotations = read(&object).0.unwrap().metadata.annotations.unwrap();
        assert_eq!(annotations.keys().collect::<Vec<_>>(), ["carpack.io/settle-line-0-attempt-1"]);
    }

    #[test]
    fn an_object_that_cannot_be_read_is_known_by_its_name_and_by_whether_it_is_being_deleted() {
        for spoilt in [json!({"quantity": "many"}), json!(7), Value::Null] {
            let mut object = pack();
            object["spec"] = spoilt;
            object["metadata"]["deletionTimestamp"] = "+99999-01-01T00:00:00Z".into();
            object["metadata"]["creationTimestamp"] = json!({"not": "a time"});
            let read = read(&object);
            assert!(read.0.is_err());
            let meta = read.meta();
            assert_eq!((meta.name.as_deref(), meta.uid.as_deref()), (Some("concert"), Some("u")));
            assert_eq!(meta.finalizers.as_deref(), Some(["carpack.io/pack".to_owned()].as_slice()));
            assert!(meta.deletion_timestamp.is_some());
        }
    }
}
