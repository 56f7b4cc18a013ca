//! Identities for the API server: kubeconfig files, tokens and clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use super::ControlPlane;
use crate::Error;

/// How long a token is valid.
const TOKEN_SECONDS: i64 = 24 * 3600;
/// So that a silent API server does not hang a test for ever.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

impl ControlPlane {
    /// Writes a kubeconfig of an administrator.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be written.
    pub fn admin_kubeconfig(&self) -> Result<PathBuf, Error> {
        self.write_kubeconfig("admin", &self.kubeconfig(&self.server_url(), "default", self.admin_user()))
    }

    /// Makes a client that may do everything. Like every client here it belongs to the async runtime on which it is made
    /// (each #[tokio::test] has its own), and it tries nothing twice, so that a test sees each error.
    ///
    /// # Errors
    /// [`Error::Kubeconfig`] or [`Error::Kube`] when no client can be made.
    pub async fn admin_client(&self) -> Result<Client, Error> {
        self.admin_client_at(&self.server_url()).await
    }

    /// Makes a token of a service account that exists.
    ///
    /// # Errors
    /// [`Error::Kube`] when the API server refuses, [`Error::NoToken`] when it answers without a token.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String, Error> {
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let accounts = Api::<ServiceAccount>::namespaced(self.admin_client().await?, namespace);
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await?;
        answer
            .status
            .and_then(|status| status.token)
            .ok_or_else(|| Error::NoToken { account: format!("{namespace}/{name}") })
    }

    /// Writes a kubeconfig of a service account that exists; its default namespace is the account's.
    ///
    /// # Errors
    /// As [`Self::service_account_token`], and [`Error::File`] when the file cannot be written.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        let kubeconfig = self.service_account(namespace, name).await?;
        self.write_kubeconfig(&format!("{namespace}.{name}"), &kubeconfig)
    }

    /// Makes a client of a service account that exists: it may do what RBAC allows the account.
    ///
    /// # Errors
    /// As [`Self::service_account_token`], and [`Error::Kubeconfig`] when no client can be made.
    pub async fn service_account_client(&self, namespace: &str, name: &str) -> Result<Client, Error> {
        client(self.service_account(namespace, name).await?).await
    }

    pub(super) async fn admin_client_at(&self, url: &str) -> Result<Client, Error> {
        client(self.kubeconfig(url, "default", self.admin_user())).await
    }

    async fn service_account(&self, namespace: &str, name: &str) -> Result<Value, Error> {
        let token = self.service_account_token(namespace, name).await?;
        Ok(self.kubeconfig(&self.server_url(), namespace, json!({ "token": token })))
    }

    fn admin_user(&self) -> Value {
        let admin = &self.certificates.admin;
        json!({ "client-certificate": admin.certificate, "client-key": admin.key })
    }

    fn kubeconfig(&self, server: &str, namespace: &str, user: Value) -> Value {
        let cluster = json!({ "server": server, "certificate-authority": self.certificates.authority });
        let context = json!({ "cluster": "testkit", "user": "user", "namespace": namespace });
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "testkit", "cluster": cluster }],
            "users": [{ "name": "user", "user": user }],
            "contexts": [{ "name": "testkit", "context": context }],
            "current-context": "testkit",
        })
    }

    fn write_kubeconfig(&self, name: &str, kubeconfig: &Value) -> Result<PathBuf, Error> {
        let path = self.folder().join(format!("{name}.kubeconfig"));
        write_private(&path, serde_json::to_string_pretty(kubeconfig)?.as_bytes())?;
        Ok(path)
    }
}

async fn client(kubeconfig: Value) -> Result<Client, Error> {
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.read_timeout = Some(READ_TIMEOUT);
    config.default_retry = false;
    // A proxy of the environment must not be used between loopback ports.
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}

/// Writes by rename: a program that reads at this moment sees the old file or the new one.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder).map_err(Error::file(path))?;
    std::io::Write::write_all(&mut file, bytes).map_err(Error::file(path))?;
    file.persist(path).map_err(|error| Error::file(path)(error.error))?;
    Ok(())
}
