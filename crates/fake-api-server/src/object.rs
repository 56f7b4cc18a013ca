//! A stored object: its metadata is parsed, everything else is kept as text.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::resource::Resource;

/// The metadata that this server understands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// UID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Resource version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// The number of changes of the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<String>,
    /// When it was deleted; finalizers may still hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<String>,
    /// 0 while it is being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// Finalizers.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub finalizers: Vec<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    /// Owners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_references: Option<Value>,
}

/// A null counts as the default.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// An object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its resource.
    pub resource: Resource,
    /// Its metadata.
    pub meta: Meta,
    /// Everything except metadata and status, such as `spec` or `data`, as text.
    pub parts: BTreeMap<String, Box<RawValue>>,
    /// The status, as text.
    pub status: Option<Box<RawValue>>,
}

impl Object {
    /// Parses an object of this resource.
    pub(crate) fn read(resource: Resource, body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut parts: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body)?;
        let meta = match parts.remove("metadata") {
            Some(meta) => serde_json::from_str(meta.get())?,
            None => Meta::default(),
        };
        parts.remove("apiVersion");
        parts.remove("kind");
        let mut status = parts.remove("status").filter(|status| status.get() != "null");
        if !resource.is_custom() {
            parts.extend(status.take().map(|status| ("status".to_owned(), status)));
        }
        Ok(Self { resource, meta, parts, status })
    }

    /// Parses a patched object.
    pub(crate) fn from_value(resource: Resource, value: &Value) -> Result<Self, serde_json::Error> {
        Self::read(resource, &serde_json::to_vec(value)?)
    }

    /// The object as a JSON value.
    pub(crate) fn to_value(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }

    /// The object as JSON text.
    pub fn to_json(&self) -> Vec<u8> {
        // This cannot fail: keys are strings, and everything else was JSON before.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The object as a typed value.
    ///
    /// # Errors
    /// When it does not have this type.
    pub fn parse<K: serde::de::DeserializeOwned>(&self) -> Result<K, serde_json::Error> {
        serde_json::from_slice(&self.to_json())
    }

    /// Only its metadata, as `PartialObjectMetadata`.
    pub(crate) fn to_partial(&self) -> Vec<u8> {
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), "meta.k8s.io/v1".into());
        object.insert("kind".to_owned(), "PartialObjectMetadata".into());
        object.insert("metadata".to_owned(), serde_json::to_value(&self.meta).unwrap_or_default());
        Value::Object(object).to_string().into_bytes()
    }

    /// True when everything except metadata and status means the same in both.
    pub(crate) fn has_parts_of(&self, other: &Self) -> bool {
        let same =
            |name: &String, raw: &RawValue| other.parts.get(name).is_some_and(|other| means_the_same(raw, other));
        self.parts.len() == other.parts.len() && self.parts.iter().all(|(name, raw)| same(name, raw))
    }

    /// True when both have the same status.
    pub(crate) fn has_status_of(&self, other: &Self) -> bool {
        match (&self.status, &other.status) {
            (Some(one), Some(other)) => means_the_same(one, other),
            (one, other) => one.is_none() == other.is_none(),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("apiVersion", self.resource.api_version())?;
        map.serialize_entry("kind", self.resource.kind())?;
        map.serialize_entry("metadata", &self.meta)?;
        for (name, raw) in &self.parts {
            map.serialize_entry(name, raw)?;
        }
        if let Some(status) = &self.status {
            map.serialize_entry("status", status)?;
        }
        map.end()
    }
}

/// True when both texts are the same JSON value. Equal texts, and texts with different letters, are decided without
/// parsing.
fn means_the_same(a: &RawValue, b: &RawValue) -> bool {
    let (a, b) = (a.get(), b.get());
    if a == b {
        return true;
    }
    let letters = |text: &str| {
        text.bytes().filter(|b| !b.is_ascii_whitespace()).fold(0_u64, |sum, b| sum.wrapping_add(u64::from(b)))
    };
    letters(a) == letters(b) && serde_json::from_str::<Value>(a).ok() == serde_json::from_str::<Value>(b).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn the_order_of_fields_and_blanks_have_no_meaning_and_everything_else_has() {
        assert!(means_the_same(&raw(r#"{"a":1,"b":2}"#), &raw(r#"{"b":2, "a":1}"#)));
        assert!(!means_the_same(&raw(r#"{"a":1,"b":2}"#), &raw(r#"{"a":2,"b":1}"#)));
        assert!(!means_the_same(&raw(r#"[1,2]"#), &raw(r#"[2,1]"#)));
    }

    #[test]
    fn an_object_is_written_as_it_was_read() {
        let text = r#"{"apiVersion":"carpack.io/v1alpha1","kind":"PackOrder","metadata":{"name":"a","namespace":"b"},"spec":{"x":1.50},"status":{"y":[]}}"#;
        let object = Object::read(Resource::PackOrders, text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(object.to_json()).unwrap(), text);
    }
}
