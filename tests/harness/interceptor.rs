//! Proxies between the operator and its API server and cloud. They stop one chosen request and tell the test, which kills or
//! freezes the operator at that moment.

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

/// The largest body that is forwarded, in bytes.
const LARGEST: usize = 10 << 20;

/// The request that is stopped, once.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub site: Site,
    pub point: Point,
    /// So many effects of this kind pass before.
    pub skip: usize,
}

/// Stops the request of a place.
pub struct Interceptor {
    place: Place,
    seen: AtomicUsize,
    /// Whether the next write to the API server is stopped.
    at_next_write: AtomicBool,
    stops: mpsc::UnboundedSender<oneshot::Sender<Next>>,
}

/// What happens to a stopped request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is forwarded.
    Forward,
    /// It is dropped.
    Drop,
}

/// Receives a message when the request is stopped. The request waits until the sender in the message is answered.
pub type Stops = mpsc::UnboundedReceiver<oneshot::Sender<Next>>;

impl Interceptor {
    pub fn at(place: Place) -> (Arc<Self>, Stops) {
        let (stops, stopped) = mpsc::unbounded_channel();
        let interceptor = Self { place, seen: AtomicUsize::new(0), at_next_write: AtomicBool::new(false), stops };
        (Arc::new(interceptor), stopped)
    }

    /// Stops here until the test says what happens next.
    async fn stop(&self) -> Next {
        let (answer, answered) = oneshot::channel();
        let _ = self.stops.send(answer);
        answered.await.unwrap_or(Next::Drop)
    }

    /// Handles one request; `onward` forwards it.
    async fn pass(&self, site: Option<Site>, persists: bool, onward: impl Future<Output = Response>) -> Response {
        if persists && self.at_next_write.swap(false, Ordering::SeqCst) && self.stop().await == Next::Drop {
            return lost();
        }
        if site != Some(self.place.site) || self.seen.fetch_add(1, Ordering::SeqCst) != self.place.skip {
            return onward.await;
        }
        match self.place.point {
            Point::NotSent if self.stop().await == Next::Forward => onward.await,
            Point::NotSent => lost(),
            Point::NotExecuted => {
                self.stop().await;
                lost()
            }
            Point::ReplyLost => {
                let answer = onward.await;
                if self.stop().await == Next::Forward { answer } else { lost() }
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

/// A listening proxy; it ends when dropped.
pub struct Proxy {
    pub url: String,
    server: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[allow(clippy::disallowed_methods)] // it ends with the proxy
async fn listen(router: Router) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Proxy { url, server: server.abort_handle() }
}

/// A proxy to the API server; it forwards with the credentials of this client.
pub async fn proxy_to_api_server(client: Client, interceptor: Arc<Interceptor>) -> Proxy {
    listen(Router::new().fallback(to_api_server).with_state((client, interceptor))).await
}

async fn to_api_server(
    State((client, interceptor)): State<(Client, Arc<Interceptor>)>,
    request: Request<Body>,
) -> Response {
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
    interceptor.pass(site, persists, onward(client, parts, body)).await
}

/// The stored status of the object at this path, or at the path of its status.
async fn status_of(client: &Client, path: &str) -> String {
    let path = path.strip_suffix("/status").unwrap_or(path);
    let request = Request::get(path).body(Vec::new()).unwrap();
    let object: Value = client.request(request).await.unwrap_or_default();
    object["status"].to_string()
}

/// A proxy to the cloud at this address.
pub async fn proxy_to_cloud(url: &str, interceptor: Arc<Interceptor>) -> Proxy {
    let client = Client::try_from(Config::new(url.parse().unwrap())).unwrap();
    listen(Router::new().fallback(to_cloud).with_state((client, interceptor))).await
}

async fn to_cloud(State((client, interceptor)): State<(Client, Arc<Interceptor>)>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.unwrap();
    let action = parts.headers.get("x-tc-action").and_then(|action| action.to_str().ok());
    // The header Host stays as it is: it is part of the signature.
    interceptor.pass(action.and_then(effect_of_action), false, onward(client, parts, body)).await
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
