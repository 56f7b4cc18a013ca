//! The API server as a process sees it: the fake one, at the end of a way with faults.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use carpack_api::{ORDER_FINALIZER, PACK_FINALIZER};
use carpack_fake_api_server::{Answer, Asked, Key, Resource};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;

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
    let site = target.as_ref().and_then(|key| site(&link.world, key, &asked));
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

/// Which effect a write is.
fn site(world: &World, key: &Key, asked: &Asked) -> Option<Site> {
    match (key.resource, &asked.method) {
        (Resource::Leases, _) => Some(Site::Lease),
        (Resource::ConcurrencyPacks | Resource::PackOrders, &Method::PATCH) => {
            let text = std::str::from_utf8(&asked.body).unwrap_or_default();
            let adds = text.contains(PACK_FINALIZER) || text.contains(ORDER_FINALIZER);
            Some(if adds { Site::FinalizerAdd } else { Site::FinalizerRemove })
        }
        (Resource::PackOrders, &Method::PUT) => Some(order_site(world, key, asked)),
        (Resource::ConcurrencyPacks, &Method::PUT) => Some(pack_site(world, key, asked)),
        (Resource::CarAccounts, &Method::PUT) => Some(Site::Status),
        _ => None,
    }
}

fn order_site(world: &World, key: &Key, asked: &Asked) -> Site {
    let submitting = |text: &str| text.matches(r#""state":"Submitting""#).count();
    let stored = world.api.get(key).and_then(|object| object.status.as_ref().map(|status| submitting(status.get())));
    let (before, after) = (stored.unwrap_or(0), std::str::from_utf8(&asked.body).map_or(0, submitting));
    let renews = key.name.contains(".renew-");
    match (after.cmp(&before), renews) {
        (std::cmp::Ordering::Greater, false) => Site::IntentBuy,
        (std::cmp::Ordering::Greater, true) => Site::IntentRenew,
        (std::cmp::Ordering::Less, false) => Site::ReceiptBuy,
        (std::cmp::Ordering::Less, true) => Site::ReceiptRenew,
        (std::cmp::Ordering::Equal, _) => Site::Status,
    }
}

fn pack_site(world: &World, key: &Key, asked: &Asked) -> Site {
    let object = world.api.get(key);
    let before = object.as_ref().and_then(|object| object.status.as_ref()).map_or("", |status| status.get());
    let after = std::str::from_utf8(&asked.body).unwrap_or_default();
    let bound = bound_project(after);
    if bound.is_some() && bound != bound_project(before) {
        Site::IntentRebind
    } else if bound.is_some() && is_assigned(after) && !is_assigned(before) {
        Site::ReceiptRebind
    } else {
        Site::Status
    }
}

/// The status is written by serde, field after field without blanks: no need to parse what is asked so often.
fn bound_project(status: &str) -> Option<&str> {
    let (_, rest) = status.split_once(r#""boundProject":""#)?;
    rest.split('"').next()
}

fn is_assigned(status: &str) -> bool {
    status.contains(r#""status":"True","type":"Assigned""#)
}
