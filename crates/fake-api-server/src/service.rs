//! The server as an HTTP service for kube clients, with watches.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use http::{Method, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;

use crate::answer::{Answer, Refusal};
use crate::handle::ApiServer;
use crate::resource::{Key, Target};
use crate::store::Change;

/// The body of a response: JSON, or the events of a watch.
pub type Reply = UnsyncBoxBody<Bytes, Infallible>;

/// A connection to the server.
#[derive(Clone)]
pub struct Service(Arc<ApiServer>);

impl Service {
    /// A connection to this server.
    pub fn new(server: Arc<ApiServer>) -> Self {
        Self(server)
    }

    /// A kube client that uses this connection.
    pub fn client(self) -> kube::Client {
        kube::Client::new(self, "default")
    }
}

impl tower_service::Service<Request<Body>> for Service {
    type Response = Response<Reply>;
    type Error = kube::Error;
    type Future = BoxFuture<'static, Result<Response<Reply>, kube::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = Arc::clone(&self.0);
        async move { serve(&server, request).await }.boxed()
    }
}

/// A request, as [`ApiServer::handle`] needs it.
pub struct ApiRequest {
    /// Method.
    pub method: Method,
    /// Path, without the query.
    pub path: String,
    /// Query parameters.
    pub query: HashMap<String, String>,
    /// Body.
    pub body: Bytes,
    /// True when the answer should have only the metadata.
    pub partial: bool,
}

impl ApiRequest {
    /// The key of its object. The name is empty for a request to a collection. None for a request to all namespaces.
    pub fn key(&self) -> Option<Key> {
        let target = Target::read(&self.path)?;
        Some(Key { resource: target.resource, namespace: target.namespace?, name: target.name.unwrap_or_default() })
    }

    /// Reads a request with its body.
    ///
    /// # Errors
    /// When its body cannot be read.
    pub async fn read(request: Request<Body>) -> Result<Self, kube::Error> {
        let (parts, body) = request.into_parts();
        let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self {
            partial: accept.contains("as=PartialObjectMetadata;"),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(query).unwrap_or_default(),
            method: parts.method,
            body: body.collect().await?.to_bytes(),
        })
    }
}

fn query(text: &str) -> HashMap<String, String> {
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

impl Answer {
    /// The answer as a response.
    pub fn into_response(self) -> Response<Reply> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)).boxed_unsync());
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        response
    }
}

async fn serve(server: &Arc<ApiServer>, request: Request<Body>) -> Result<Response<Reply>, kube::Error> {
    let request = ApiRequest::read(request).await?;
    if request.query.get("watch").is_some_and(|watch| watch == "true") {
        return Ok(watch(server, &request));
    }
    Ok(server.handle(&request.method, &request.path, &request.body, request.partial).into_response())
}

/// Sends the changes after the requested version as they happen, until the timeout.
fn watch(server: &Arc<ApiServer>, request: &ApiRequest) -> Response<Reply> {
    let Some(target) = Target::read(&request.path) else { return Answer::from(Refusal::NoSuchPath).into_response() };
    let number = |name: &str| request.query.get(name).and_then(|text| text.parse::<u64>().ok());
    let from = number("resourceVersion").unwrap_or_else(|| server.version());
    let span = Duration::from_secs(number("timeoutSeconds").unwrap_or(300));
    let server = Arc::clone(server);
    let events = stream::unfold((server, from), move |(server, from)| {
        let target = target.clone();
        async move {
            let changes = next(&server, from).await;
            let last = changes.last().map_or(from, |change| change.version);
            let is_wanted = |change: &&Change| {
                let in_namespace =
                    target.namespace.as_deref().is_none_or(|namespace| namespace == change.key.namespace);
                change.key.resource == target.resource && in_namespace
            };
            let text: Vec<u8> = changes.iter().filter(is_wanted).flat_map(event).collect();
            Some((Ok(http_body::Frame::data(Bytes::from(text))), (server, last)))
        }
    });
    let events = events.take_until(tokio::time::sleep(span));
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// Waits until there are changes after this version.
async fn next(server: &ApiServer, from: u64) -> Vec<Change> {
    loop {
        let changed = server.changed().notified();
        let changes = server.changes_since(from);
        if !changes.is_empty() {
            return changes;
        }
        changed.await;
    }
}

fn event(change: &Change) -> Vec<u8> {
    let mut text = format!(r#"{{"type":"{}","object":"#, change.kind.as_str()).into_bytes();
    text.extend(change.object.to_json());
    text.extend(b"}\n");
    text
}
