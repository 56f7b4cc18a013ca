//! The API server: two clients, and the writes that the controllers share.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{NamespaceResourceScope, Request};
use kube::{Api, Client, Config, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::runtime::error::StepError;
use crate::runtime::guarded::{Guarded, Unreadable};

/// How long the API server may take for one answer.
pub const ANSWER: Duration = Duration::from_secs(10);
/// How long a connection may stay silent: longer than the longest pause of a watch.
const SILENCE: Duration = Duration::from_secs(90);

/// The two clients of the API server.
#[derive(Clone)]
pub struct Kube {
    /// Repeats failed requests: for watches, reads and events.
    pub reads: Client,
    /// Sends every request exactly once: for intents, creations and the lease.
    pub once: Client,
    /// The namespace the process runs in, or the one its configuration names.
    pub own_namespace: String,
}

impl Kube {
    /// Connects with the configuration of the cluster the process runs in, or with a kubeconfig.
    ///
    /// # Errors
    /// When there is no usable configuration: in words.
    pub async fn connect() -> Result<Self, String> {
        let mut config = Config::infer().await.map_err(|error| format!("no way to the API server: {error}"))?;
        config.connect_timeout = Some(ANSWER);
        config.read_timeout = Some(SILENCE);
        config.write_timeout = Some(SILENCE);
        let mut once = config.clone();
        once.default_retry = false;
        let own_namespace = config.default_namespace.clone();
        let client =
            |config| Client::try_from(config).map_err(|error| format!("no client for the API server: {error}"));
        Ok(Self { reads: client(config)?, once: client(once)?, own_namespace })
    }
}

/// Waits for an answer of the API server, for [`ANSWER`] at most.
///
/// # Errors
/// When the API server refuses, cannot be reached, or does not answer in time.
pub async fn answer<T>(step: &'static str, call: impl Future<Output = kube::Result<T>>) -> Result<T, StepError> {
    match tokio::time::timeout(ANSWER, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) if status.is_conflict() => Err(StepError::Conflict { step }),
        Ok(Err(source)) => Err(StepError::Kubernetes { step, source: Box::new(source) }),
        Err(_) => Err(StepError::Timeout { step, after: ANSWER }),
    }
}

/// Replaces the status of an object, if the object has not changed since it was read. Sent once. Returns the object as the API
/// server has it now.
///
/// # Errors
/// [`StepError::Conflict`] when it has changed; otherwise as [`answer`].
pub async fn replace_status<K>(kube: &Kube, step: &'static str, object: &K) -> Result<K, StepError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
{
    if object.resource_version().is_none() {
        return Err(StepError::Incomplete { step, part: "resourceVersion" });
    }
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let request = Request::new(K::url_path(&(), Some(&namespace)));
    let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError);
    let request = body.and_then(|body| {
        let built = request.replace_subresource("status", &name, &PostParams::default(), body);
        built.map_err(kube::Error::BuildRequest)
    });
    let sent = async { kube.once.request::<Guarded<K>>(request?).await };
    readable(step, answer(step, sent).await?)
}

/// The object itself.
///
/// # Errors
/// [`StepError::Unreadable`] when it cannot be read.
pub fn readable<K: Resource<DynamicType = ()>>(step: &'static str, object: Guarded<K>) -> Result<K, StepError> {
    object.0.map_err(|Unreadable { error, metadata }| {
        let place = metadata.namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let object = format!("{} {place}{}", K::kind(&()), metadata.name.unwrap_or_default());
        StepError::Unreadable { step, object, error }
    })
}

/// Adds or removes a finalizer, if the object has not changed since it was read.
///
/// # Errors
/// [`StepError::Conflict`] when it has changed; otherwise as [`answer`]. An object that is gone is no error.
pub async fn set_finalizer<K>(kube: &Kube, object: &K, finalizer: &str, wanted: bool) -> Result<(), StepError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let step = "changing the finalizer";
    let Some(version) = object.resource_version() else {
        return Err(StepError::Incomplete { step, part: "resourceVersion" });
    };
    let mut finalizers: Vec<&str> =
        object.finalizers().iter().map(String::as_str).filter(|f| *f != finalizer).collect();
    if wanted {
        finalizers.push(finalizer);
    }
    let patch = json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
    let api: Api<Guarded<K>> = Api::namespaced(kube.once.clone(), &object.namespace().unwrap_or_default());
    match answer(step, api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await {
        Ok(_) => Ok(()),
        Err(StepError::Kubernetes { source, .. }) if is_not_found(&source) => Ok(()),
        Err(error) => Err(error),
    }
}

/// True when the API server says that there is no such object.
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}
