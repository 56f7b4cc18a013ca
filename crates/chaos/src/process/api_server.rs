//! The connection of a process to the API server, which is the fake one.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use carpack_fake_api_server::{Answer, ApiRequest, Key, Resource};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;

use crate::effect::effect_of;
use crate::fault::{Outcome, Point, Site};
use crate::mutant::Mutant;
use crate::oracle::writes;
use crate::process::connection::{Call, Connection};
use crate::world::World;

const VERSION: &str = r#""resourceVersion":""#;
/// When a call without an answer ends: later than the operator waits.
const TIMEOUT: Duration = Duration::from_secs(60);

type Reply = Response<http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, std::convert::Infallible>>;

/// The HTTP client of a process, as kube uses it.
#[derive(Clone)]
pub struct ApiConnection(pub Connection);

/// The connection failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConnectionFailed(&'static str);

impl tower_service::Service<Request<Body>> for ApiConnection {
    type Response = Reply;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Reply, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = self.0.clone();
        async move {
            let request = ApiRequest::read(request).await?;
            handle(&connection, request).await
        }
        .boxed()
    }
}

async fn handle(
    connection: &Connection,
    mut request: ApiRequest,
) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
    if connection.world.is_api_down() {
        return Err(Box::new(ConnectionFailed("connection refused")));
    }
    let write = request.method != Method::GET;
    let target = write.then(|| request.key()).flatten();
    let site = target.as_ref().and_then(|key| {
        let stored = connection.world.api.get(key);
        let stored = stored.as_ref().and_then(|object| object.status.as_ref()).map_or("", |status| status.get());
        effect_of(key, &request.method, &String::from_utf8_lossy(&request.body), stored)
    });
    let is_state = |key: &Key| !matches!(key.resource, Resource::Events | Resource::Leases | Resource::Secrets);
    let stores = target.as_ref().is_some_and(is_state);
    let world = Arc::clone(&connection.world);
    let execute = move || {
        if let Some(key) = &target {
            writes::check(&world, key, &request);
            if let Some(answer) = mutant_write(&world, site, key, &mut request) {
                return Ok(answer.into_response());
            }
        } else if let Some(answer) = mutant_read(&world, &request) {
            return Ok(answer.into_response());
        }
        let answer = world.api.handle(&request.method, &request.path, &request.body, request.partial);
        if write {
            tracing::trace!(body = %String::from_utf8_lossy(&request.body), "API server");
            let status = answer.status.as_u16();
            tracing::debug!(method = %request.method, path = request.path, status, "API server");
        }
        Ok(answer.into_response())
    };
    let call = Call { site, stores, connect_timeout: TIMEOUT, answer_timeout: TIMEOUT };
    connection.call(call, execute, || (), failure).await
}

/// Mutants that write wrongly. They change the request, or return an answer without asking the server.
fn mutant_write(world: &Arc<World>, site: Option<Site>, key: &Key, request: &mut ApiRequest) -> Option<Answer> {
    let acknowledged = || {
        let object = if request.method == Method::PUT { request.body.to_vec() } else { world.api.get(key)?.to_json() };
        Some(Answer { status: StatusCode::OK, body: object })
    };
    match (world.plan.mutant?, site) {
        (Mutant::IntentUnwritten, Some(Site::IntentBuy | Site::IntentRenew)) => acknowledged(),
        (Mutant::IntentAfterCall, Some(Site::IntentBuy | Site::IntentRenew)) => {
            let (later, path, body) = (Arc::clone(world), request.path.clone(), request.body.clone());
            world.spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                later.api.handle(&Method::PUT, &path, &body, false);
            });
            acknowledged()
        }
        (Mutant::NoFinalizer, Some(Site::FinalizerAdd)) => acknowledged(),
        (Mutant::NoVersions, Some(_)) if key.resource != Resource::Leases => {
            let newest = world.api.get(key)?.meta.resource_version.clone()?;
            let text = String::from_utf8_lossy(&request.body).into_owned();
            let (before, rest) = text.split_once(VERSION)?;
            let (_, after) = rest.split_once('"')?;
            request.body = format!("{before}{VERSION}{newest}\"{after}").into();
            None
        }
        _ => None,
    }
}

/// A mutant that reads from a cache: it gets orders and packs as they were one version ago.
fn mutant_read(world: &World, request: &ApiRequest) -> Option<Answer> {
    let key = request.key().filter(|key| !key.name.is_empty() && world.plan.is(Mutant::CachedReads))?;
    let wanted = matches!(key.resource, Resource::PackOrders | Resource::ConcurrencyPacks);
    let changes = if wanted { world.api.changes_since(0) } else { Vec::new() };
    let before = changes.iter().filter(|change| change.key == key).rev().nth(1)?;
    Some(Answer { status: StatusCode::OK, body: before.object.to_json() })
}

fn failure(_: Point, outcome: Outcome) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
    let answer = |status, reason, message| Ok(Answer::failure(status, reason, message).into_response());
    match outcome {
        Outcome::ServerError => answer(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "not now"),
        Outcome::TooManyRequests => answer(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "not so fast"),
        Outcome::Garbage => Ok(Answer { status: StatusCode::OK, body: b"<html>".to_vec() }.into_response()),
        Outcome::Crash | Outcome::Zombie | Outcome::Timeout | Outcome::Reset => {
            Err(Box::new(ConnectionFailed("connection reset")))
        }
    }
}
