//! The way between the operator and its API server and cloud, on which a process is met in the middle of an effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use carpack_chaos::effect::effect_of;
use carpack_chaos::fault::{Point, Site};
use carpack_fake_api_server::{ApiRequest, Resource};
use kube::{Client, Config};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

const LARGEST: usize = 10 << 20;

/// Where a process is met, once.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub site: Site,
    pub point: Point,
    /// So many effects of this kind go by before.
    pub skip: usize,
}

/// Somebody who waits at a place.
pub struct Ambush {
    place: Place,
    seen: AtomicUsize,
    /// The next write to the API server is the place.
    at_next_write: AtomicBool,
    met: mpsc::UnboundedSender<oneshot::Sender<Then>>,
}

/// What becomes of the request in whose middle the process was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It goes on its way.
    GoesOn,
    /// It goes no further.
    IsLost,
}

/// A process was met there; it waits, and so does its request, until it is said what becomes of it.
pub type Met = mpsc::UnboundedReceiver<oneshot::Sender<Then>>;

impl Ambush {
    pub fn at(place: Place) -> (Arc<Self>, Met) {
        let (met, meetings) = mpsc::unbounded_channel();
        let ambush = Self { place, seen: AtomicUsize::new(0), at_next_write: AtomicBool::new(false), met };
        (Arc::new(ambush), meetings)
    }

    async fn meet(&self) -> Then {
        let (say, hear) = oneshot::channel();
        let _ = self.met.send(say);
        hear.await.unwrap_or(Then::IsLost)
    }

    /// A request passes.
    async fn pass(&self, site: Option<Site>, persists: bool, onward: impl Future<Output = Response>) -> Response {
        if persists && self.at_next_write.swap(false, Ordering::SeqCst) && self.meet().await == Then::IsLost {
            return lost();
        }
        if site != Some(self.place.site) || self.seen.fetch_add(1, Ordering::SeqCst) != self.place.skip {
            return onward.await;
        }
        match self.place.point {
            Point::NotSent if self.meet().await == Then::GoesOn => onward.await,
            Point::NotSent => lost(),
            Point::NotExecuted => {
                self.meet().await;
                lost()
            }
            Point::ReplyLost => {
                let answer = onward.await;
                if self.meet().await == Then::GoesOn { answer } else { lost() }
            }
            Point::NotPersisted => {
                self.at_next_write.store(true, Ordering::SeqCst);
                onward.await
            }
        }
    }
}

fn lost() -> Response {
    StatusCode::BAD_GATEWAY.into_response()
}

/// A listening end of the way; closed when dropped.
pub struct Way {
    pub url: String,
    server: AbortHandle,
}

impl Drop for Way {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[allow(clippy::disallowed_methods)] // it ends with the way
async fn open(router: Router) -> Way {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Way { url, server: server.abort_handle() }
}

/// The way to the API server; it goes there as this client.
pub async fn to_api_server(client: Client, ambush: Arc<Ambush>) -> Way {
    open(Router::new().fallback(ask_api_server).with_state((client, ambush))).await
}

async fn ask_api_server(State((client, ambush)): State<(Client, Arc<Ambush>)>, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.unwrap();
    let (mut site, mut persists) = (None, false);
    if parts.method != Method::GET {
        let (path, method) = (parts.uri.path().to_owned(), parts.method.clone());
        let asked = ApiRequest { method, path, query: Default::default(), body: body.clone(), partial: false };
        if let Some(key) = asked.key() {
            persists = !matches!(key.resource, Resource::Events | Resource::Leases | Resource::Secrets);
            let stored = if persists { status_of(&client, parts.uri.path()).await } else { String::new() };
            site = effect_of(&key, &asked.method, &String::from_utf8_lossy(&body), &stored);
        }
    }
    parts.headers.remove(header::HOST);
    ambush.pass(site, persists, onward(client, parts, body)).await
}

/// The status that an object has, as its path (or that of its status) says.
async fn status_of(client: &Client, path: &str) -> String {
    let path = path.strip_suffix("/status").unwrap_or(path);
    let request = Request::get(path).body(Vec::new()).unwrap();
    let object: Value = client.request(request).await.unwrap_or_default();
    object["status"].to_string()
}

/// The way to the cloud at this address.
pub async fn to_cloud(url: &str, ambush: Arc<Ambush>) -> Way {
    let client = Client::try_from(Config::new(url.parse().unwrap())).unwrap();
    open(Router::new().fallback(ask_cloud).with_state((client, ambush))).await
}

async fn ask_cloud(State((client, ambush)): State<(Client, Arc<Ambush>)>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.unwrap();
    let action = parts.headers.get("x-tc-action").and_then(|action| action.to_str().ok());
    // The host stays the one that was signed for.
    ambush.pass(action.and_then(effect_of_action), false, onward(client, parts, body)).await
}

fn effect_of_action(action: &str) -> Option<Site> {
    Some(match action {
        "BindConcurrentPackagesToProject" => Site::Bind,
        "UnbindConcurrentPackagesFromProject" => Site::Unbind,
        "CreateInstance" => Site::Buy,
        "RenewInstance" => Site::Renew,
        "DescribeConcurrentPackages" => Site::Describe,
        "DescribeRenewInstances" => Site::List,
        "DescribeDealsByCond" => Site::OrderQuery,
        _ => return None,
    })
}

async fn onward(client: Client, mut parts: Parts, body: Bytes) -> Response {
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.uri = parts.uri.path_and_query().unwrap().as_str().parse().unwrap();
    match client.send(Request::from_parts(parts, body.to_vec().into())).await {
        Ok(answer) => answer.map(Body::new),
        Err(_) => lost(),
    }
}
