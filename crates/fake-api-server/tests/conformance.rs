//! The fake API server behaves like the real one: both execute the same random operations, and every answer and watch
//! event is compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use carpack_fake_api_server::{ApiServer, Service};
use carpack_testkit::ControlPlane;
use futures::StreamExt;
use http::{Method, Request};
use jiff::Timestamp;
use kube::Client;
use kube::api::WatchEvent;
use kube::client::Body;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

const SEQUENCES: usize = 40;
const OPERATIONS: usize = 40;

/// The resource version that an operation names.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Newest,
    /// The version of so many changes ago.
    Before(usize),
    Nothing,
}

#[derive(Debug, Clone)]
enum Operation {
    Create { kind: Kind, name: usize, finalizer: bool },
    Get { kind: Kind, name: usize },
    List(Kind),
    Replace { kind: Kind, name: usize, seen: Seen, edit: Edit, other_uid: bool },
    ReplaceStatus { kind: Kind, name: usize, seen: Seen, reason: usize, other_uid: bool, edit: Edit },
    Patch { kind: Kind, name: usize, seen: Seen, edit: Edit },
    PatchStatus { kind: Kind, name: usize, reason: usize },
    Delete { kind: Kind, name: usize, precondition: Option<Seen>, other_uid: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Pack,
    Order,
    Lease,
}

const KINDS: [Kind; 3] = [Kind::Pack, Kind::Order, Kind::Lease];

/// What an operation changes in the object that was read.
#[derive(Debug, Clone)]
enum Edit {
    Nothing,
    Spec(usize),
    Label(usize),
    Annotation(usize),
    Finalizers(Vec<usize>),
}

const NAMES: [&str; 2] = ["concert", "gig"];
const WORDS: [&str; 3] = ["one", "two", "three"];

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![3 => Just(Kind::Pack), 3 => Just(Kind::Order), 1 => Just(Kind::Lease)]
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![6 => Just(Seen::Newest), 2 => (1_usize..3).prop_map(Seen::Before), 1 => Just(Seen::Nothing)]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        1 => Just(Edit::Nothing),
        2 => (0_usize..3).prop_map(Edit::Spec),
        1 => (0_usize..3).prop_map(Edit::Label),
        1 => (0_usize..3).prop_map(Edit::Annotation),
        3 => prop::collection::vec(0_usize..3, 0..3).prop_map(Edit::Finalizers),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let name = || 0_usize..NAMES.len();
    let other = || prop::bool::weighted(0.1);
    prop_oneof![
        4 => (kind(), name(), any::<bool>()).prop_map(|(kind, name, finalizer)| Operation::Create { kind, name, finalizer }),
        1 => (kind(), name()).prop_map(|(kind, name)| Operation::Get { kind, name }),
        1 => kind().prop_map(Operation::List),
        4 => (kind(), name(), seen(), edit(), other())
            .prop_map(|(kind, name, seen, edit, other_uid)| Operation::Replace { kind, name, seen, edit, other_uid }),
        4 => (kind(), name(), seen(), 0_usize..3, other(), edit()).prop_map(|(kind, name, seen, reason, other_uid, edit)| {
            Operation::ReplaceStatus { kind, name, seen, reason, other_uid, edit }
        }),
        4 => (kind(), name(), seen(), edit()).prop_map(|(kind, name, seen, edit)| Operation::Patch { kind, name, seen, edit }),
        1 => (kind(), name(), 0_usize..3).prop_map(|(kind, name, reason)| Operation::PatchStatus { kind, name, reason }),
        3 => (kind(), name(), prop::option::of(seen()), other())
            .prop_map(|(kind, name, precondition, other_uid)| Operation::Delete { kind, name, precondition, other_uid }),
    ]
}

/// One of the two servers, and what its answers showed.
struct Side {
    client: Client,
    namespace: String,
    /// Every object as the server answered it last, with the versions that it had.
    known: BTreeMap<(Kind, usize), Known>,
    versions: Numbers,
    uids: Numbers,
}

#[derive(Default)]
struct Known {
    object: Value,
    versions: Vec<String>,
}

/// Numbers random texts in the order of appearance, so that both servers can be compared.
#[derive(Default)]
struct Numbers(Vec<String>);

impl Numbers {
    fn of(&mut self, text: &str) -> usize {
        self.0.iter().position(|known| known == text).unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        })
    }
}

fn collection(kind: Kind, namespace: &str) -> String {
    match kind {
        Kind::Pack => format!("/apis/carpack.io/v1alpha1/namespaces/{namespace}/concurrencypacks"),
        Kind::Order => format!("/apis/carpack.io/v1alpha1/namespaces/{namespace}/packorders"),
        Kind::Lease => format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"),
    }
}

fn fresh(kind: Kind, name: usize, finalizer: bool) -> Value {
    let finalizers: Vec<&str> = finalizer.then_some("carpack.io/one").into_iter().collect();
    let metadata = json!({"name": NAMES[name], "finalizers": finalizers});
    match kind {
        Kind::Pack => json!({
            "apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack", "metadata": metadata,
            "spec": {
                "accountRef": {"name": "default"}, "applicationType": "Cloud3D", "billingMode": "Daily",
                "region": "ap-singapore", "concurrencyScale": "L1", "quantity": 2, "duration": 3, "project": "one",
                "renewal": {"mode": "None"}, "deletionPolicy": "Retain", "mode": "Automatic",
                "purchaseWindow": {"notAfter": "2030-01-01T00:00:00Z"}},
            // The server ignores a status at creation.
            "status": {"reason": "invented"},
        }),
        Kind::Order => json!({
            "apiVersion": "carpack.io/v1alpha1", "kind": "PackOrder", "metadata": metadata,
            "spec": {
                "packRef": {"namespace": "events", "name": "concert", "uid": "uid"}, "accountRef": {"name": "default"},
                "action": "Buy", "ordinal": 1, "packName": "events-concert-1", "decisionTime": "2026-12-01T00:00:00Z",
                "terms": {
                    "applicationType": "Cloud3D", "billingMode": "Daily", "region": "ap-singapore",
                    "concurrencyScale": "L1", "quantity": 2, "duration": 3, "autoRenew": false},
                "lines": [{"index": 0, "clientToken": "token"}]},
            "status": {"message": "invented"},
        }),
        Kind::Lease => json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
            "spec": {"holderIdentity": "one", "leaseDurationSeconds": 30}}),
    }
}

fn status(kind: Kind, reason: usize) -> Value {
    if kind == Kind::Order {
        return json!({"message": WORDS[reason], "state": "Pending"});
    }
    json!({"reason": WORDS[reason], "renewals": reason, "ordinals": {"buy": 1, "renew": 0, "return": 0}})
}

/// The merge patch of an edit.
fn edited(kind: Kind, edit: &Edit) -> Value {
    match edit {
        Edit::Nothing => json!({}),
        Edit::Spec(word) if kind == Kind::Pack => json!({"spec": {"project": WORDS[*word]}}),
        Edit::Spec(word) if kind == Kind::Order => {
            let scope = if *word == 0 { "ThisOrder" } else { "ThisAndLaterRenewals" };
            json!({"spec": {"approval": {"decision": "Approved", "scope": scope}}})
        }
        Edit::Spec(word) => json!({"spec": {"holderIdentity": WORDS[*word]}}),
        Edit::Label(word) => json!({"metadata": {"labels": {"word": WORDS[*word]}}}),
        Edit::Annotation(word) => json!({"metadata": {"annotations": {"carpack.io/word": WORDS[*word]}}}),
        Edit::Finalizers(words) => {
            let mut list: Vec<String> = words.iter().map(|word| format!("carpack.io/{}", WORDS[*word])).collect();
            list.dedup();
            json!({"metadata": {"finalizers": list}})
        }
    }
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(target.entry(name).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

impl Side {
    fn new(client: Client, namespace: String) -> Self {
        Self { client, namespace, known: BTreeMap::new(), versions: Numbers::default(), uids: Numbers::default() }
    }

    /// The resource version that an operation names.
    fn version(&self, kind: Kind, name: usize, seen: Seen) -> Option<String> {
        let versions = self.known.get(&(kind, name)).map(|known| known.versions.as_slice()).unwrap_or_default();
        match seen {
            Seen::Nothing => None,
            Seen::Newest => versions.last().cloned(),
            Seen::Before(count) => versions.iter().rev().nth(count).or(versions.first()).cloned(),
        }
    }

    /// The object as it was last answered, with this version and this edit.
    fn rewritten(&self, kind: Kind, name: usize, seen: Seen, edit: &Edit, other_uid: bool) -> Value {
        let known = self.known.get(&(kind, name)).map(|known| known.object.clone());
        let mut object = known.unwrap_or_else(|| fresh(kind, name, false));
        merge(&mut object, &edited(kind, edit));
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("resourceVersion");
        metadata.remove("managedFields");
        if let Some(version) = self.version(kind, name, seen) {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
        if other_uid {
            metadata.insert("uid".to_owned(), "11111111-1111-4111-8111-111111111111".into());
        }
        object
    }

    /// Executes an operation. Returns the answer in comparable form.
    async fn execute(&mut self, operation: &Operation) -> Value {
        let (method, kind, name, body, suffix) = match operation {
            Operation::Create { kind, name, finalizer } => {
                (Method::POST, *kind, None, fresh(*kind, *name, *finalizer), "")
            }
            Operation::Get { kind, name } => (Method::GET, *kind, Some(*name), Value::Null, ""),
            Operation::List(kind) => (Method::GET, *kind, None, Value::Null, ""),
            Operation::Replace { kind, name, seen, edit, other_uid } => {
                (Method::PUT, *kind, Some(*name), self.rewritten(*kind, *name, *seen, edit, *other_uid), "")
            }
            Operation::ReplaceStatus { kind, name, seen, reason, other_uid, edit } => {
                let mut object = self.rewritten(*kind, *name, *seen, edit, *other_uid);
                object["status"] = status(*kind, *reason);
                (Method::PUT, *kind, Some(*name), object, "/status")
            }
            Operation::Patch { kind, name, seen, edit } => {
                let mut patch = edited(*kind, edit);
                if let Some(version) = self.version(*kind, *name, *seen) {
                    merge(&mut patch, &json!({"metadata": {"resourceVersion": version}}));
                }
                (Method::PATCH, *kind, Some(*name), patch, "")
            }
            Operation::PatchStatus { kind, name, reason } => {
                (Method::PATCH, *kind, Some(*name), json!({"status": status(*kind, *reason)}), "/status")
            }
            Operation::Delete { kind, name, precondition, other_uid } => {
                let mut preconditions = json!({});
                if let Some(version) = precondition.and_then(|seen| self.version(*kind, *name, seen)) {
                    preconditions["resourceVersion"] = version.into();
                }
                if *other_uid {
                    preconditions["uid"] = "11111111-1111-4111-8111-111111111111".into();
                }
                let body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
                (Method::DELETE, *kind, Some(*name), body, "")
            }
        };
        let name_part = name.map(|name| format!("/{}", NAMES[name])).unwrap_or_default();
        let path = format!("{}{name_part}{suffix}", collection(kind, &self.namespace));
        let (code, answer) = self.send(method, &path, &body).await;
        if code >= 400 {
            return json!({"code": code, "reason": answer["reason"]});
        }
        if let Some(items) = answer.get("items").and_then(Value::as_array) {
            let items: Vec<Value> = items.clone().into_iter().map(|item| self.comparable(item)).collect();
            return json!({"code": code, "items": items});
        }
        if answer["kind"] == "Status" {
            return json!({"code": code, "status": answer["status"]});
        }
        self.remember(kind, &answer);
        json!({"code": code, "object": self.comparable(answer)})
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let content = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header("content-type", content);
        let response = self.client.send(request.body(Body::from(body)).unwrap()).await.unwrap();
        let code = response.status().as_u16();
        let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    fn remember(&mut self, kind: Kind, object: &Value) {
        let Some(name) = NAMES.iter().position(|name| object["metadata"]["name"] == *name) else { return };
        let known = self.known.entry((kind, name)).or_default();
        known.object = object.clone();
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        if known.versions.last() != Some(&version) {
            known.versions.push(version);
        }
    }

    /// The object without what differs between servers.
    fn comparable(&mut self, mut object: Value) -> Value {
        // The real server omits these in lists of built-in resources.
        object.as_object_mut().unwrap().retain(|field, _| field != "apiVersion" && field != "kind");
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("managedFields");
        metadata.remove("namespace");
        for (field, numbers) in [("resourceVersion", &mut self.versions), ("uid", &mut self.uids)] {
            if let Some(Value::String(text)) = metadata.get(field) {
                let number = numbers.of(text);
                metadata.insert(field.to_owned(), number.into());
            }
        }
        for time in ["creationTimestamp", "deletionTimestamp"] {
            if metadata.contains_key(time) {
                metadata.insert(time.to_owned(), "set".into());
            }
        }
        object
    }

    /// All events since a version, up to that of an object that is created to end them.
    async fn events(&mut self, kind: Kind, since: &str) -> Vec<Value> {
        let mut end = fresh(kind, 0, false);
        end["metadata"]["name"] = "end".into();
        let path = collection(kind, &self.namespace);
        self.send(Method::POST, &path, &end).await;
        let uri = format!("{path}?watch=true&resourceVersion={since}&timeoutSeconds=60");
        let request = Request::get(uri).body(Vec::new()).unwrap();
        let events = self.client.request_events::<Value>(request).await.unwrap();
        let mut events = std::pin::pin!(events);
        let mut read = Vec::new();
        loop {
            let next = tokio::time::timeout(Duration::from_secs(30), events.next()).await.expect("the events end");
            let (what, object) = match next.expect("the watch goes on").unwrap() {
                WatchEvent::Added(object) => ("ADDED", object),
                WatchEvent::Modified(object) => ("MODIFIED", object),
                WatchEvent::Deleted(object) => ("DELETED", object),
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(error) => panic!("{error:?}"),
            };
            if object["metadata"]["name"] == "end" {
                return read;
            }
            read.push(json!({"type": what, "object": self.comparable(object)}));
        }
    }
}

#[tokio::test]
async fn the_same_operations_have_the_same_answers_and_events_on_the_real_api_server_and_on_the_fake_one() {
    let plane = ControlPlane::shared().await.unwrap();
    let real = plane.admin_client().await.unwrap();
    let mut runner =
        TestRunner::new_with_rng(ProptestConfig::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let sequences = prop::collection::vec(operation(), OPERATIONS);
    for number in 0..SEQUENCES {
        let operations = sequences.new_tree(&mut runner).unwrap().current();
        let namespace = plane.namespace("conformance").await.unwrap();
        let clock = Arc::new(|| Timestamp::from_second(1_796_083_200).unwrap());
        let fake = Service::new(Arc::new(ApiServer::new(clock))).client();
        let mut sides = [Side::new(real.clone(), namespace.clone()), Side::new(fake, namespace)];
        let mut begins = Vec::new();
        for side in &mut sides {
            let (_, list) = side.send(Method::GET, &collection(Kind::Pack, &side.namespace), &Value::Null).await;
            begins.push(list["metadata"]["resourceVersion"].as_str().unwrap().to_owned());
        }
        for (step, operation) in operations.iter().enumerate() {
            let [real, fake] = &mut sides;
            let (expected, found) = (real.execute(operation).await, fake.execute(operation).await);
            let history = &operations[..step];
            assert_eq!(found, expected, "sequence {number}, step {step}: {operation:?}, after {history:?}");
        }
        for kind in KINDS {
            let [real, fake] = &mut sides;
            let (expected, found) = (real.events(kind, &begins[0]).await, fake.events(kind, &begins[1]).await);
            assert_eq!(found, expected, "events of {kind:?} in sequence {number}: {operations:?}");
        }
    }
}
