//! A namespace without an operator, for tests of what the API server accepts and refuses.

use std::sync::atomic::{AtomicUsize, Ordering};

use carpack_testkit::ControlPlane;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

pub const PACK: &str = "ConcurrencyPack";
pub const ACCOUNT: &str = "CarAccount";
pub const ORDER: &str = "PackOrder";

/// A namespace of its own, without an operator.
pub struct Ground {
    pub client: Client,
    pub namespace: String,
    made: AtomicUsize,
}

pub type Answer = Result<Value, String>;

impl Ground {
    pub async fn new() -> Self {
        Self::on(ControlPlane::shared().await.unwrap()).await
    }

    pub async fn on(plane: &ControlPlane) -> Self {
        let (client, namespace) = (plane.admin_client().await.unwrap(), plane.namespace("rules").await.unwrap());
        Self { client, namespace, made: Default::default() }
    }

    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("carpack.io", "v1alpha1", kind);
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::from_gvk(&kind))
    }

    pub fn packs(&self) -> Api<carpack_api::ConcurrencyPack> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn name(&self) -> String {
        format!("it-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Creates an object with the base spec of its kind and these changes.
    pub async fn create(&self, kind: &str, changes: &Value) -> Answer {
        let mut spec = base(kind);
        deep_merge(&mut spec, changes);
        let object =
            json!({"apiVersion": "carpack.io/v1alpha1", "kind": kind, "metadata": {"name": self.name()}, "spec": spec});
        let object = serde_json::from_value(object).unwrap();
        answer(self.api(kind).create(&PostParams::default(), &object).await)
    }

    /// Creates an object with the changes `from`, then merges `to` into its spec.
    pub async fn change(&self, kind: &str, from: &Value, to: &Value) -> Answer {
        let made = self.create(kind, from).await.unwrap();
        let name = made["metadata"]["name"].as_str().unwrap();
        let patch = Patch::Merge(json!({ "spec": to }));
        answer(self.api(kind).patch(name, &PatchParams::default(), &patch).await)
    }
}

pub fn answer(result: kube::Result<DynamicObject>) -> Answer {
    match result {
        Ok(object) => Ok(serde_json::to_value(object).unwrap()),
        Err(kube::Error::Api(status)) if status.code == 422 || status.code == 400 => Err(status.message),
        Err(error) => panic!("{error}"),
    }
}

/// Merges like `kubectl patch --type merge`: objects are merged, null removes, everything else replaces.
pub fn deep_merge(into: &mut Value, changes: &Value) {
    let (Some(fields), Some(changes)) = (into.as_object_mut(), changes.as_object()) else {
        return *into = changes.clone();
    };
    for (key, value) in changes {
        if value.is_null() {
            fields.remove(key);
        } else {
            deep_merge(fields.entry(key).or_insert(Value::Null), value);
        }
    }
}

pub fn base(kind: &str) -> Value {
    let when = "2030-01-01T00:00:00Z";
    let price = json!({"amount": "315.00", "currency": "USD"});
    match kind {
        "ConcurrencyPack" => super::spec::daily(json!({})),
        "CarAccount" => {
            json!({"site": "International", "credentials": {"secretRef": {"name": "key"}}, "mode": "Observe",
            "purchase": {"channel": "Api", "api": {"productCode": "p", "subProductCode": "sp", "parameterTemplate": "{\"Name\":\"{packName}\"}",
                "periodUnits": {"Monthly": "m"}}},
            "priceList": {"currency": "USD"}, "tenants": [{"namespaces": ["events"]}]})
        }
        "PackOrder" => {
            json!({"packRef": {"namespace": "events", "name": "concert", "uid": "u"}, "accountRef": {"name": "default"},
            "action": "Renew", "ordinal": 1, "packName": "concert-1", "decisionTime": when, "deadline": when,
            "quote": price, "maxPrice": price, "terms": {"applicationType": "Cloud3D", "billingMode": "Daily",
                "region": "ap-singapore", "concurrencyScale": "L1", "quantity": 1, "duration": 3, "autoRenew": false},
            "lines": [{"index": 0, "instanceId": "cgpack-1", "renewsFrom": when, "clientToken": "t"}]})
        }
        other => panic!("no base for {other}"),
    }
}
