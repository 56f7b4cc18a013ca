//! One watch for each kind: it fills a store, and tells a listener what was touched.

use std::fmt::Debug;

use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use kube::core::NamespaceResourceScope;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::runtime::feed::{Feed, Touched};
use crate::runtime::guarded::Guarded;
use crate::runtime::seen::Seen;

/// Shorter than the silence after which a connection counts as dead.
const WATCH_SECONDS: u32 = 60;

/// A watch over one or several namespaces.
pub struct Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    namespaces: Vec<String>,
    streams: Vec<BoxStream<'static, Part<K>>>,
    feed: Feed<K>,
}

/// The number of the watched namespace (from 0), and what was seen there.
type Part<K> = (usize, Result<Event<Guarded<K>>, watcher::Error>);

impl<K> Watch<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    /// A watch over these namespaces, or over all when none is named.
    pub fn new(client: &Client, namespaces: &[String]) -> Self {
        let mut apis: Vec<Api<Guarded<K>>> =
            namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect();
        if apis.is_empty() {
            apis.push(Api::all(client.clone()));
        }
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let streams: Vec<BoxStream<'static, Part<K>>> = apis
            .into_iter()
            .enumerate()
            .map(|(part, api)| {
                watcher::watcher(api, config.clone()).default_backoff().map(move |event| (part, event)).boxed()
            })
            .collect();
        let feed = Feed::new(streams.len());
        Self { namespaces: namespaces.to_vec(), streams, feed }
    }

    /// The store that the watch fills.
    pub fn seen(&self) -> Seen<K> {
        self.feed.seen()
    }

    /// Watches until it is dropped.
    pub async fn run(mut self, mut touched: impl FnMut(Touched<'_, K>)) {
        let seen = self.feed.seen();
        let mut stream = select_all(self.streams);
        while let Some((part, event)) = stream.next().await {
            match event {
                Ok(event) => {
                    if let (Event::InitDone, Some(namespace)) = (&event, self.namespaces.get(part)) {
                        seen.set_listed(namespace, true);
                    }
                    self.feed.take(part, event, &mut touched);
                }
                Err(error) => {
                    let namespace = self.namespaces.get(part).map_or("", String::as_str);
                    tracing::warn!(kind = %K::kind(&()), namespace, %error, "the watch was interrupted and begins again");
                    if is_closed_to_us(&error) {
                        seen.set_listed(namespace, false);
                        self.feed.go_on_without(part, &mut touched);
                    }
                }
            }
        }
    }
}

/// True when the API server lets us list nothing there.
fn is_closed_to_us(error: &watcher::Error) -> bool {
    let refused = match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => error,
        _ => return false,
    };
    matches!(refused, kube::Error::Api(status) if matches!(status.code, 403 | 404))
}
