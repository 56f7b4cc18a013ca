//! Sends one signed POST, and says what is known when no answer comes.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, RequestBuilder, redirect, retry};
use rustls::ClientConfig;
use serde_json::Value;
use tower_layer::Layer;
use tower_service::Service as TowerService;

use crate::credentials::Credentials;
use crate::endpoint::{Endpoints, Service};
use crate::error::{CallError, Category, ConfigError};
use crate::outcome::{BeforeSend, PaidFailure};
use crate::time::Clock;
use crate::{tc3, tls};

/// An answer larger than this is not read.
pub(crate) const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A call before it is signed.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) action: &'static str,
    pub(crate) service: Service,
    pub(crate) body: Value,
}

/// An answer, before it is decoded.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Transport {
    /// For everything but paid calls. It keeps its connections.
    pooled: Client,
    tls: ClientConfig,
    connect_timeout: Duration,
    call_timeout: Duration,
    endpoints: Endpoints,
    credentials: Credentials,
    clock: Clock,
    skew: Mutex<Option<SignedDuration>>,
}

impl Transport {
    pub(crate) fn new(
        endpoints: Endpoints,
        credentials: Credentials,
        clock: Clock,
        connect_timeout: Duration,
        call_timeout: Duration,
    ) -> Result<Self, ConfigError> {
        let tls = tls::client_config(endpoints.is_plain())?;
        let pooled = builder(&tls, &endpoints, connect_timeout, call_timeout).build().map_err(ConfigError::Http)?;
        Ok(Self { pooled, tls, connect_timeout, call_timeout, endpoints, credentials, clock, skew: Mutex::new(None) })
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(crate) fn skew(&self) -> Option<SignedDuration> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a call that is free of charge.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, CallError> {
        let sent = (self.clock)();
        self.answer(call.action, sent, self.request(&self.pooled, call, sent)?).await
    }

    /// Sends a paid call on a new connection: a kept connection may be dead, and a request that is lost on it is one more
    /// unknown outcome. `before_send` is asked when the connection is up and the request is signed. Nothing of the request
    /// leaves before it has said yes.
    pub(crate) async fn send_paid(&self, call: &Call, before_send: BeforeSend) -> Result<Answer, PaidFailure> {
        let departure = Departure { ask: before_send, verdict: Arc::default() };
        let client = builder(&self.tls, &self.endpoints, self.connect_timeout, self.call_timeout)
            .pool_max_idle_per_host(0)
            .connector_layer(departure.clone())
            .build()
            .map_err(|error| {
                let message = "the http client cannot be set up";
                PaidFailure::NotSent(CallError::new(call.action, Category::Unreachable, message).with_source(error))
            })?;
        let sent = (self.clock)();
        let request = self.request(&client, call, sent).map_err(PaidFailure::NotSent)?;
        self.answer(call.action, sent, request).await.map_err(|error| match departure.verdict.get() {
            None => {
                // Without a connection nothing can have left, whichever timeout came first.
                let message = "no connection was made";
                PaidFailure::NotSent(CallError::new(call.action, Category::Unreachable, message).with_source(error))
            }
            Some(Err(reason)) => {
                let message = format!("held back: {reason}");
                PaidFailure::NotSent(CallError::new(call.action, Category::HeldBack, message))
            }
            Some(Ok(())) => PaidFailure::NoVerdict(error),
        })
    }

    fn request(&self, client: &Client, call: &Call, at: Timestamp) -> Result<RequestBuilder, CallError> {
        let endpoint = self.endpoints.of(call.service);
        let body = call.body.to_string();
        let authorization = tc3::authorization(
            self.credentials.id(),
            self.credentials.key(),
            call.service.name(),
            &endpoint.host,
            at,
            body.as_bytes(),
        );
        let mut request = client
            .post(endpoint.url.clone())
            .header(HOST, &endpoint.host)
            .header(CONTENT_TYPE, tc3::CONTENT_TYPE)
            .header("X-TC-Action", call.action)
            .header("X-TC-Version", call.service.version())
            .header("X-TC-Timestamp", at.as_second())
            .header("X-TC-Language", "en-US")
            .header(AUTHORIZATION, sensitive(call.action, &authorization)?);
        if let Some(token) = self.credentials.token() {
            request = request.header("X-TC-Token", sensitive(call.action, token)?);
        }
        Ok(request.body(body))
    }

    async fn answer(
        &self,
        action: &'static str,
        sent: Timestamp,
        request: RequestBuilder,
    ) -> Result<Answer, CallError> {
        let mut response = request.send().await.map_err(|error| lost(action, error))?;
        self.note_skew(sent, response.headers());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| lost(action, error))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                let message = format!("the answer is larger than {LARGEST_ANSWER} bytes");
                return Err(CallError::new(action, Category::Garbled, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }

    fn note_skew(&self, sent: Timestamp, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        let Some(date) = date.and_then(|text| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok())
        else {
            return;
        };
        let skew = skew(sent, (self.clock)(), date);
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// How far the cloud's clock is ahead of ours, at least. The cloud wrote `date`, in whole seconds, at some time between our
/// `sent` and our `received`.
fn skew(sent: Timestamp, received: Timestamp, date: Timestamp) -> SignedDuration {
    let latest = date.saturating_add(SignedDuration::from_millis(999)).unwrap_or(date);
    if date > received.max(sent) {
        date.duration_since(received.max(sent))
    } else if latest < sent {
        latest.duration_since(sent)
    } else {
        SignedDuration::ZERO
    }
}

fn builder(
    tls: &ClientConfig,
    endpoints: &Endpoints,
    connect_timeout: Duration,
    call_timeout: Duration,
) -> ClientBuilder {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .https_only(!endpoints.is_plain())
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .user_agent(concat!("carpack/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .timeout(call_timeout);
    // The proxy of the environment is for the internet. A plain address is a simulator nearby.
    if endpoints.is_plain() { builder.no_proxy() } else { builder }
}

/// A header value that no log shows. It does not fail in practice: the parts of a key are checked to be printable.
fn sensitive(action: &'static str, text: &str) -> Result<HeaderValue, CallError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| CallError::new(action, Category::InvalidRequest, "the key cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A transport error, without the address in it.
fn lost(action: &'static str, error: reqwest::Error) -> CallError {
    let (category, message) = if error.is_connect() {
        (Category::Unreachable, "no connection was made")
    } else if error.is_timeout() {
        (Category::NoAnswer, "no answer in time")
    } else {
        (Category::NoAnswer, "the answer was lost or cut off")
    };
    CallError::new(action, category, message).with_source(error.without_url())
}

/// Asks, once a connection is up, whether the request may leave on it.
#[derive(Clone)]
struct Departure {
    ask: BeforeSend,
    verdict: Arc<OnceLock<Result<(), String>>>,
}

impl Departure {
    fn may_leave(&self) -> Result<(), BoxError> {
        self.verdict.get_or_init(|| (self.ask)()).clone().map_err(BoxError::from)
    }
}

impl<S> Layer<S> for Departure {
    type Service = AskBeforeLeaving<S>;

    fn layer(&self, connect: S) -> Self::Service {
        AskBeforeLeaving { connect, departure: self.clone() }
    }
}

#[derive(Clone)]
struct AskBeforeLeaving<S> {
    connect: S,
    departure: Departure,
}

impl<S, R> TowerService<R> for AskBeforeLeaving<S>
where
    S: TowerService<R, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connect.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let connecting = self.connect.call(target);
        let departure = self.departure.clone();
        Box::pin(async move {
            let connection = connecting.await?;
            departure.may_leave()?;
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_date_within_the_call_is_no_skew() {
        let sent = at("2026-01-01T00:00:00.900Z");
        assert_eq!(skew(sent, at("2026-01-01T00:00:03Z"), at("2026-01-01T00:00:00Z")), SignedDuration::ZERO);
        assert_eq!(skew(sent, at("2026-01-01T00:00:03Z"), at("2026-01-01T00:00:03Z")), SignedDuration::ZERO);
    }

    #[test]
    fn a_cloud_ahead_is_positive_and_a_cloud_behind_negative() {
        let (sent, received) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:02Z"));
        assert_eq!(skew(sent, received, at("2026-01-01T00:06:02Z")), SignedDuration::from_mins(6));
        assert_eq!(skew(sent, received, at("2025-12-31T23:54:00Z")).as_secs(), -359);
    }

    #[test]
    fn the_date_header_is_read() {
        let read = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        assert_eq!(read, at("2015-10-21T07:28:00Z"));
    }
}
