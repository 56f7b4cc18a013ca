//! HTTP: the API on `/`, the control interface under `/simulator/`.
#![allow(clippy::disallowed_methods)] // the one place of this crate that starts tasks: the server and its requests

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{Response, StatusCode, header},
    routing::get,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    api::{Incoming, Reply},
    connection::{CuttableListener, Scissors},
    control,
    error::Error,
    shared::Shared,
};

/// A request with a larger body is refused.
const MOST_BYTES: usize = 10 * 1024 * 1024;

/// A server that runs until it is told to stop.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<()>,
}

impl Server {
    /// Starts to serve in the caller's runtime.
    ///
    /// # Errors
    /// When the simulator cannot listen on the address.
    pub(crate) async fn start(shared: Arc<Shared>, address: SocketAddr) -> Result<Self, Error> {
        let failed = |source| Error::Listen { address: address.to_string(), source };
        let listener = CuttableListener(TcpListener::bind(address).await.map_err(failed)?);
        let address = listener.address().map_err(failed)?;
        let router = Router::new()
            .route("/", get(serve).post(serve))
            .merge(control::routes())
            .with_state(shared)
            .into_make_service_with_connect_info::<Scissors>();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let until = async move {
                let _ = stopped.await;
            };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
                tracing::error!(%error, "the server stopped");
            }
        });
        Ok(Self { address, stop, task })
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, MOST_BYTES).await {
        Ok(bytes) => bytes.to_vec(),
        Err(_) => return reply(&shared, 413, "the body is too large".to_owned()),
    };
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let incoming = Incoming {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body,
    };
    // In a task of its own: the request is carried out even if the client goes away.
    let answer = tokio::spawn(incoming.answer(Arc::clone(&shared))).await;
    match answer {
        Ok(Reply::Body(status, body)) => reply(&shared, status, body),
        Ok(Reply::Drop) | Err(_) => {
            scissors.cut();
            Response::new(Body::empty())
        }
    }
}

/// Exactly `application/json`, and the date of the clock that judges signatures.
fn reply(shared: &Shared, status: u16, body: String) -> Response<Body> {
    let date = shared.lock().wall().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if let Ok(date) = date.parse() {
        headers.insert(header::DATE, date);
    }
    response
}
