//! The API server as a process sees it: the fake one, at the end of a way with faults.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use carpack_fake_api_server::{Answer, Asked, Key, Resource};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;

use crate::effect::effect_of;
use crate::fault::{Outcome, Point, Site};
use crate::journey::{Call, Link};
use crate::sabotage::Sabotage;
use crate::world::World;

const VERSION: &str = r#""resourceVersion":""#;
/// Longer than the operator waits for an answer.
const SILENCE: Duration = Duration::from_secs(60);

type Reply = Response<http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, std::convert::Infallible>>;

/// A connection of a process to the API server.
#[derive(Clone)]
pub struct Wire(pub Link);

/// The connection did not hold.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(&'static str);

impl tower_service::Service<Request<Body>> for Wire {
    type Response = Reply;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Reply, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let link = self.0.clone();
        async move {
            let asked = Asked::read(request).await?;
            ask(&link, asked).await
        }
        .boxed()
    }
}

async fn ask(link: &Link, asked: Asked) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
    if link.world.is_cut_off() {
        return Err(Box::new(Broken("connection refused")));
    }
    let write = asked.method != Method::GET;
    let target = write.then(|| asked.key()).flatten();
    let site = target.as_ref().and_then(|key| {
        let stored = link.world.api.get(key);
        let stored = stored.as_ref().and_then(|object| object.status.as_ref()).map_or("", |status| status.get());
        effect_of(key, &asked.method, &String::from_utf8_lossy(&asked.body), stored)
    });
    let ours = |key: &Key| !matches!(key.resource, Resource::Events | Resource::Leases | Resource::Secrets);
    let persists = target.as_ref().is_some_and(ours);
    let world = Arc::clone(&link.world);
    let mut asked = asked;
    let execute = move || {
        if let Some(key) = &target {
            world.oracle().writes(&world, key, &asked);
            if let Some(answer) = sabotaged(&world, site, key, &mut asked) {
                return Ok(answer.into_response());
            }
        } else if let Some(answer) = cached(&world, &asked) {
            return Ok(answer.into_response());
        }
        let answer = world.api.handle(&asked.method, &asked.path, &asked.body, asked.partial);
        if write {
            tracing::trace!(body = %String::from_utf8_lossy(&asked.body), "API server");
            tracing::debug!(method = %asked.method, path = asked.path, status = answer.status.as_u16(), "API server");
        }
        Ok(answer.into_response())
    };
    link.travel(Call { site, persists, patience: [SILENCE; 2] }, execute, || (), spoilt).await
}

/// Mistakes of a client of the API server that are made on purpose; an answer where it does not ask the server.
fn sabotaged(world: &Arc<World>, site: Option<Site>, key: &Key, asked: &mut Asked) -> Option<Answer> {
    let acknowledged = || {
        let object = if asked.method == Method::PUT { asked.body.to_vec() } else { world.api.get(key)?.to_json() };
        Some(Answer { status: StatusCode::OK, body: object })
    };
    match (world.plan.sabotage?, site) {
        (Sabotage::IntentUnwritten, Some(Site::IntentBuy | Site::IntentRenew)) => acknowledged(),
        (Sabotage::IntentAfterCall, Some(Site::IntentBuy | Site::IntentRenew)) => {
            let (place, path, body) = (Arc::clone(world), asked.path.clone(), asked.body.clone());
            world.spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                place.api.handle(&Method::PUT, &path, &body, false);
            });
            acknowledged()
        }
        (Sabotage::NoFinalizer, Some(Site::FinalizerAdd)) => acknowledged(),
        (Sabotage::NoVersions, Some(_)) if key.resource != Resource::Leases => {
            let newest = world.api.get(key)?.meta.resource_version.clone()?;
            let text = String::from_utf8_lossy(&asked.body).into_owned();
            let (before, rest) = text.split_once(VERSION)?;
            let (_, after) = rest.split_once('"')?;
            asked.body = format!("{before}{VERSION}{newest}\"{after}").into();
            None
        }
        _ => None,
    }
}

/// Orders and packs as they were one version ago.
fn cached(world: &World, asked: &Asked) -> Option<Answer> {
    let key = asked.key().filter(|key| !key.name.is_empty() && world.plan.is(Sabotage::CachedReads))?;
    let wanted = matches!(key.resource, Resource::PackOrders | Resource::ConcurrencyPacks);
    let changes = if wanted { world.api.changes_since(0) } else { Vec::new() };
    let before = changes.iter().filter(|change| change.key == key).rev().nth(1)?;
    Some(Answer { status: StatusCode::OK, body: before.object.to_json() })
}

fn spoilt(_: Point, outcome: Outcome) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
    let failure = |status, reason, message| Ok(Answer::failure(status, reason, message).into_response());
    match outcome {
        Outcome::ServerError => failure(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "not now"),
        Outcome::TooManyRequests => failure(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "not so fast"),
        Outcome::Garbage => Ok(Answer { status: StatusCode::OK, body: b"<html>".to_vec() }.into_response()),
        Outcome::Crash | Outcome::Zombie | Outcome::Timeout | Outcome::Reset => {
            Err(Box::new(Broken("connection reset")))
        }
    }
}
