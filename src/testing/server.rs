//! An API server of a few lines: it keeps objects, compares versions, and refuses and delays as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use kube::{Client, Config, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::objects::TREASURY;
use crate::runtime::kubernetes::Kube;
use crate::runtime::tasks::Tasks;

/// What was asked, in its order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn write(&self, entry: String) {
        lock(&self.0).push(entry);
    }

    pub fn read(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

#[derive(Default)]
struct Told {
    /// So many writes are taken before these are refused, with this status.
    taken: usize,
    refused: usize,
    status: u16,
    delay: Duration,
    /// This object changes when it has been read once more.
    changes: Option<String>,
}

pub struct Server {
    pub log: Log,
    address: String,
    objects: Mutex<BTreeMap<String, Value>>,
    told: Mutex<Told>,
}

impl Server {
    pub async fn start(tasks: &Tasks) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(Self { log: Log::default(), address, objects: Mutex::default(), told: Mutex::default() });
        let root = "/apis/carpack.io/v1alpha1/namespaces/{namespace}/{kind}";
        let router = Router::new()
            .route(root, get(list))
            .route(&format!("{root}/{{name}}"), get(read))
            .route(&format!("{root}/{{name}}/status"), put(write).patch(write))
            .with_state(Arc::clone(&server));
        tasks.spawn_background(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    pub fn kube(&self) -> Kube {
        let mut config = Config::new(self.address.parse().unwrap());
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        Kube { reads: client.clone(), once: client, own_namespace: TREASURY.to_owned() }
    }

    pub fn put<K: Resource<DynamicType = ()> + Serialize>(&self, object: &K) {
        lock(&self.objects).insert(object.name_any(), json!(object));
    }

    pub fn get<K: DeserializeOwned>(&self, name: &str) -> K {
        serde_json::from_value(lock(&self.objects)[name].clone()).unwrap()
    }

    /// Somebody else writes the object.
    pub fn change<K>(&self, name: &str, change: impl FnOnce(&mut K))
    where
        K: Resource<DynamicType = ()> + Serialize + DeserializeOwned,
    {
        let mut object = self.get(name);
        change(&mut object);
        self.put(&object);
        next_version(&mut lock(&self.objects), name);
    }

    /// Somebody else writes the object between the next time it is read and what follows.
    pub fn change_after_the_next_read(&self, name: &str) {
        lock(&self.told).changes = Some(name.to_owned());
    }

    pub fn refuse_writes(&self, count: usize, status: u16) {
        self.refuse_writes_after(0, count, status);
    }

    pub fn refuse_writes_after(&self, taken: usize, refused: usize, status: u16) {
        let mut told = lock(&self.told);
        (told.taken, told.refused, told.status) = (taken, refused, status);
    }

    pub fn delay_writes(&self, delay: Duration) {
        lock(&self.told).delay = delay;
    }

    /// The status with which the next write is refused, if it is.
    fn refusal(&self) -> Option<u16> {
        let mut told = lock(&self.told);
        if told.taken > 0 {
            told.taken -= 1;
            return None;
        }
        told.refused = told.refused.checked_sub(1)?;
        Some(told.status)
    }

    fn refuse(&self, status: u16) -> Response {
        self.log.write(format!("refused: {status}"));
        failure(status)
    }
}

fn next_version(objects: &mut BTreeMap<String, Value>, name: &str) {
    let version = &mut objects.get_mut(name).unwrap()["metadata"]["resourceVersion"];
    *version = json!((version.as_str().unwrap().parse::<u64>().unwrap() + 1).to_string());
}

fn failure(status: u16) -> Response {
    let reason = if status == 409 { "Conflict" } else { "Other" };
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "no",
        "reason": reason, "code": status});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

type Name = (String, String, String);

async fn list(State(server): State<Arc<Server>>) -> Response {
    let orders =
        lock(&server.objects).values().filter(|object| object["kind"] == "PackOrder").cloned().collect::<Vec<_>>();
    Json(json!({"apiVersion": "carpack.io/v1alpha1", "kind": "PackOrderList", "metadata": {}, "items": orders}))
        .into_response()
}

async fn read(State(server): State<Arc<Server>>, Path((_, _, name)): Path<Name>) -> Response {
    let mut objects = lock(&server.objects);
    let Some(object) = objects.get(&name).cloned() else { return failure(404) };
    if lock(&server.told).changes.take_if(|changes| *changes == name).is_some() {
        next_version(&mut objects, &name);
    }
    Json(object).into_response()
}

/// A write names the version that it is made for; a patch need not.
async fn write(State(server): State<Arc<Server>>, Path((_, _, name)): Path<Name>, Json(new): Json<Value>) -> Response {
    let delay = lock(&server.told).delay;
    tokio::time::sleep(delay).await;
    if let Some(status) = server.refusal() {
        return server.refuse(status);
    }
    let mut objects = lock(&server.objects);
    let Some(object) = objects.get_mut(&name) else { return failure(404) };
    let version = &new["metadata"]["resourceVersion"];
    if !version.is_null() && *version != object["metadata"]["resourceVersion"] {
        return server.refuse(409);
    }
    object["status"] = new["status"].clone();
    let line = &object["status"]["lines"][0]["state"];
    let pack = object["spec"]["packRef"]["name"].as_str().unwrap_or_default();
    server.log.write(format!("{pack}: {}", line.as_str().unwrap_or_default()));
    next_version(&mut objects, &name);
    Json(objects[&name].clone()).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
