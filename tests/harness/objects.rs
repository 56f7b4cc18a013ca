//! Kubernetes objects: read, applied, changed and deleted as a person does it.

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_testkit::watch_until_gone;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::spec::{daily, merge};
use super::{PATIENCE, World};

impl World {
    pub fn packs(&self) -> Api<ConcurrencyPack> {
        Api::namespaced(self.client.clone(), &self.tenant)
    }

    pub fn orders(&self) -> Api<PackOrder> {
        Api::namespaced(self.client.clone(), &self.treasury)
    }

    pub fn accounts(&self) -> Api<CarAccount> {
        Api::namespaced(self.client.clone(), &self.treasury)
    }

    /// Applies the secret that the account names.
    pub async fn put_secret(&self, id: &str, key: &str) {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.treasury);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "car-credentials"},
            "stringData": {"secretId": id, "secretKey": key}});
        secrets.patch("car-credentials", &PatchParams::apply("test").force(), &Patch::Apply(&secret)).await.unwrap();
    }

    /// Applies the account `default` with these changes to its spec: top-level fields replace, null removes.
    pub async fn put_account(&self, changes: Value) {
        let mut spec = json!({
            "site": "Custom",
            "endpoint": self.simulator.url(),
            "credentials": {"secretRef": {"name": "car-credentials"}},
            "mode": "Automatic",
            "timeZone": "+08:00",
            "purchase": {"channel": "Api", "api": {
                "productCode": "p_car", "subProductCode": "sp_car_concurrency",
                "parameterTemplate": "{\"Name\":\"{packName}\",\"ConcurrentType\":\"{concurrencyScale}\",\"ApplicationType\":\"{applicationType}\"}",
                "periodUnits": {"Daily": "d", "Monthly": "m"}}},
            "priceList": {"currency": "USD", "prices": [
                {"region": "ap-singapore", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"},
                {"region": "ap-singapore", "concurrencyScale": "L1", "billingMode": "Monthly", "amount": "1041.00"}]},
            "tenants": [{"namespaces": [self.tenant], "projects": ["cap-a", "cap-b", "cap-small", "cap-nowhere"]}]
        });
        merge(&mut spec, &changes);
        let account = json!({"apiVersion": "carpack.io/v1alpha1", "kind": "CarAccount", "metadata": {"name": "default"}, "spec": spec});
        self.accounts().patch("default", &PatchParams::apply("test").force(), &Patch::Apply(&account)).await.unwrap();
    }

    /// Applies a pack with the spec of [`daily`] and these changes.
    pub async fn apply(&self, name: &str, changes: Value) -> ConcurrencyPack {
        self.try_apply(name, changes).await.unwrap()
    }

    /// As [`World::apply`]; the API server may refuse.
    pub async fn try_apply(&self, name: &str, changes: Value) -> Result<ConcurrencyPack, kube::Error> {
        let pack = json!({"apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack", "metadata": {"name": name}, "spec": daily(changes)});
        self.packs().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&pack)).await
    }

    /// Merges changes into the spec of a pack, as kubectl patch does; null removes a field.
    pub async fn change(&self, name: &str, spec: Value) -> ConcurrencyPack {
        self.try_change(name, spec).await.unwrap()
    }

    /// As [`World::change`]; the API server may refuse.
    pub async fn try_change(&self, name: &str, spec: Value) -> Result<ConcurrencyPack, kube::Error> {
        self.packs().patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await
    }

    pub async fn delete(&self, name: &str) {
        self.packs().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until the pack does not exist.
    pub async fn gone(&self, name: &str) {
        watch_until_gone(&self.packs(), name, PATIENCE).await.unwrap_or_else(|e| self.fail(&e.to_string()));
    }

    pub async fn pack(&self, name: &str) -> ConcurrencyPack {
        self.packs().get(name).await.unwrap()
    }

    /// Name of the order for a pack of the tenant.
    pub fn order_name(&self, pack: &str, suffix: &str) -> String {
        format!("{}.{pack}.{suffix}", self.tenant)
    }

    pub async fn all_orders(&self) -> Vec<PackOrder> {
        self.orders().list(&ListParams::default()).await.unwrap().items
    }

    /// Removes an order together with its finalizers, whatever the operator wants.
    pub async fn release_order(&self, name: &str) {
        self.orders().delete(name, &DeleteParams::default()).await.unwrap();
        let none = json!({"metadata": {"finalizers": null}});
        match self.orders().patch(name, &PatchParams::default(), &Patch::Merge(none)).await {
            // The operator has removed its finalizer already.
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            answer => drop(answer.unwrap()),
        }
        watch_until_gone(&self.orders(), name, PATIENCE).await.unwrap_or_else(|e| self.fail(&e.to_string()));
    }

    /// Sets spec.approval of an order.
    pub async fn decide_order(&self, pack: &str, suffix: &str, approval: Value) {
        let patch = json!({"spec": {"approval": approval}});
        self.orders()
            .patch(&self.order_name(pack, suffix), &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }
}
