//! Serves /livez, /readyz and /metrics.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::operator::Operator;
use crate::runtime::lease::Standing;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Opens the port. Where every address is wanted and the machine has no IPv6, every address of IPv4.
///
/// # Errors
/// When the port is in use or not allowed: in words.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let every_address_of_ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    let bound = match TcpListener::bind(address).await {
        Err(error)
            if address.ip() == Ipv6Addr::UNSPECIFIED
                && !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) =>
        {
            TcpListener::bind(every_address_of_ipv4).await
        }
        bound => bound,
    };
    let listener = bound.map_err(|error| format!("--health-address {address}: {error}"))?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving /livez, /readyz and /metrics");
    }
    Ok(listener)
}

/// Serves until the process is to stop.
pub async fn serve(listener: TcpListener, operator: Arc<Operator>) {
    let stop = operator.tasks.stop().clone();
    let router = Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(operator);
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "the health server failed");
    }
}

/// Ready when every object was seen once and it is known who leads. A standby is ready too.
async fn ready(State(operator): State<Arc<Operator>>) -> Response {
    let missing = match operator.guard.standing() {
        _ if operator.tasks.is_stopping() => Some("stopping"),
        _ if !operator.stores.are_complete() => Some("not every object was seen yet"),
        Standing::Unknown => Some("it is not known yet who leads"),
        Standing::Lost => Some("the lease is lost"),
        Standing::Standby | Standing::Leading => None,
    };
    let unlisted: Vec<String> = operator.stores.packs.unlisted().into_iter().collect();
    match missing {
        None if unlisted.is_empty() => "ok".into_response(),
        None => format!("ok, but for namespaces that may not be listed: {}", unlisted.join(", ")).into_response(),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, missing).into_response(),
    }
}

async fn metrics(State(operator): State<Arc<Operator>>) -> Response {
    match operator.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
