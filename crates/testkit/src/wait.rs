//! Waiting for a state, without sleeping for a fixed time.

use std::fmt::{Debug, Display};
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Tries again until `attempt` succeeds; its error says what was seen instead, and the last one is in the message when the
/// deadline passes. An attempt that hangs is cut off at the deadline.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example() -> Result<(), carpack_testkit::Error> {
/// let port = carpack_testkit::eventually(Duration::from_secs(5), "the file has a port", async || {
///     let text = std::fs::read_to_string("/tmp/port").map_err(|error| error.to_string())?;
///     text.trim().parse::<u16>().map_err(|error| format!("{text:?}: {error}"))
/// })
/// .await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::Deadline`] when no attempt succeeds in time.
pub async fn eventually<T, E: Display>(
    deadline: Duration,
    description: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, Error> {
    let mut last_seen = None;
    let polling = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(seen) => last_seen = Some(seen.to_string()),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    tokio::time::timeout(deadline, polling).await.map_err(|_| Error::Deadline {
        description: description.to_owned(),
        deadline,
        last_seen: last_seen.unwrap_or_else(|| "nothing: the first attempt did not end".to_owned()),
    })
}

/// Watches one object until the predicate holds, and returns the object. The error shows it as it was seen last.
///
/// # Errors
/// [`Error::Deadline`] when the predicate does not hold in time.
pub async fn watch_until<K>(
    api: &Api<K>,
    name: &str,
    deadline: Duration,
    mut predicate: impl FnMut(&K) -> bool,
) -> Result<K, Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let description = format!("{} {name} comes to the awaited state", K::kind(&()));
    watch(api, name, deadline, description, |object: Option<K>| object.filter(|object| predicate(object))).await
}

/// Watches one object until it does not exist.
///
/// # Errors
/// [`Error::Deadline`] when it still exists after that time.
pub async fn watch_until_gone<K>(api: &Api<K>, name: &str, deadline: Duration) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let description = format!("{} {name} is gone", K::kind(&()));
    watch(api, name, deadline, description, |object: Option<K>| object.is_none().then_some(())).await
}

async fn watch<K, T>(
    api: &Api<K>,
    name: &str,
    deadline: Duration,
    description: String,
    mut take: impl FnMut(Option<K>) -> Option<T>,
) -> Result<T, Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let mut last_seen = "nothing: the watch did not begin".to_owned();
    let watching = async {
        loop {
            let mut objects = pin!(watcher::watch_object(api.clone(), name));
            while let Some(object) = objects.next().await {
                match object {
                    Ok(object) => {
                        last_seen = object.as_ref().map_or_else(|| "it does not exist".to_owned(), shown);
                        if let Some(taken) = take(object) {
                            return taken;
                        }
                    }
                    Err(error) => {
                        last_seen = error.to_string();
                        // The watcher starts again by itself, at once.
                        tokio::time::sleep(FIRST_PAUSE).await;
                    }
                }
            }
        }
    };
    match tokio::time::timeout(deadline, watching).await {
        Ok(taken) => Ok(taken),
        Err(_) => Err(Error::Deadline { description, deadline, last_seen }),
    }
}

fn shown<K: Serialize>(object: &K) -> String {
    serde_json::to_string(object).unwrap_or_else(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_succeeds_at_the_third_attempt_is_returned() {
        let mut attempts = 0;
        let value = eventually(Duration::from_secs(5), "three attempts", async || {
            attempts += 1;
            if attempts == 3 { Ok(attempts) } else { Err(format!("attempt {attempts}")) }
        });
        assert_eq!(value.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn the_failure_names_what_was_awaited_and_what_was_seen_last() {
        let never = eventually(Duration::from_millis(50), "the pack is ready", async || Err::<(), _>("Reason=Waiting"));
        let message = never.await.unwrap_err().to_string();
        assert_eq!(message, "the pack is ready: not within 50ms; last seen: Reason=Waiting");
    }

    #[tokio::test]
    async fn an_attempt_that_hangs_is_cut_off_at_the_deadline() {
        let hangs = eventually(Duration::from_millis(50), "an answer", async || {
            std::future::pending::<Result<(), String>>().await
        });
        assert!(hangs.await.is_err());
    }
}
