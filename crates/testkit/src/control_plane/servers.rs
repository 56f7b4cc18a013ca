//! The command lines of the servers: a small but real control plane.

use std::path::Path;

use super::ControlPlane;
use super::slot::Server;
use crate::{Error, GuardedCommand, tool_path};

/// The API groups that are served. Without networking and discovery the API server never gets ready.
const GROUPS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "apiregistration.k8s.io/v1",
    "apps/v1",
    "authentication.k8s.io/v1",
    "authorization.k8s.io/v1",
    "autoscaling/v2",
    "batch/v1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "events.k8s.io/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
];

/// Admission plugins for what does not exist here: nodes, volumes, quotas, ingresses.
const NO_ADMISSION: &str = "LimitRanger,TaintNodesByCondition,Priority,DefaultTolerationSeconds,DefaultStorageClass,\
StorageObjectInUseProtection,PersistentVolumeClaimResize,RuntimeClass,CertificateApproval,CertificateSigning,\
ClusterTrustBundleAttest,CertificateSubjectRestriction,DefaultIngressClass,PodTopologyLabels,ResourceQuota";

const AUDIT_POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: RequestResponse, resources: [{group: carpack.io}]}
- {level: Metadata}
"#;

pub(super) struct Etcd<'a>(pub(super) &'a ControlPlane);

impl Server for Etcd<'_> {
    fn command(&self, port: u16) -> Result<GuardedCommand, Error> {
        let folder = self.0.folder();
        let url = format!("http://127.0.0.1:{port}");
        // There are no peers; port 0 means any free port.
        let peers = "http://127.0.0.1:0";
        Ok(GuardedCommand::new(tool_path("etcd")?, folder.join("etcd.log"))
            .arg("--unsafe-no-fsync")
            .arg("--log-level=warn")
            .arg(format!("--data-dir={}", folder.join("etcd").display()))
            .arg(format!("--listen-client-urls={url}"))
            .arg(format!("--advertise-client-urls={url}"))
            .arg(format!("--listen-peer-urls={peers}")))
    }

    async fn ready(&self, port: u16) -> Result<(), String> {
        let answer = plain_http_get(port, "/readyz").await.map_err(|error| error.to_string())?;
        if answer.contains(" 200 ") { Ok(()) } else { Err(answer) }
    }
}

pub(super) struct ApiServer<'a>(pub(super) &'a ControlPlane);

impl Server for ApiServer<'_> {
    fn command(&self, port: u16) -> Result<GuardedCommand, Error> {
        let folder = self.0.folder();
        let certificates = &self.0.certificates;
        let groups: String = GROUPS.iter().map(|group| format!(",{group}=true")).collect();
        let mut command = GuardedCommand::new(tool_path("kube-apiserver")?, folder.join("kube-apiserver.log"))
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.0.etcd.port()))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
            .arg(format!("--secure-port={port}"))
            .arg(flag("--cert-dir", folder))
            .arg(flag("--tls-cert-file", &certificates.serving.certificate))
            .arg(flag("--tls-private-key-file", &certificates.serving.key))
            .arg(flag("--client-ca-file", &certificates.authority))
            .arg(flag("--service-account-key-file", &certificates.token_public_key))
            .arg(flag("--service-account-signing-key-file", &certificates.token_signing_key))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg("--authorization-mode=RBAC")
            .arg("--endpoint-reconciler-type=none")
            .arg("--service-cluster-ip-range=10.0.0.0/24")
            .arg("--allow-privileged=true")
            .arg("--enable-priority-and-fairness=false")
            .arg("--profiling=false")
            .arg(format!("--runtime-config=api/all=false{groups}"))
            .arg(format!("--disable-admission-plugins={NO_ADMISSION}"));
        if self.0.options.audit_log {
            let policy = folder.join("audit-policy.yaml");
            std::fs::write(&policy, AUDIT_POLICY).map_err(Error::file(&policy))?;
            command = command
                .arg(flag("--audit-policy-file", &policy))
                .arg(flag("--audit-log-path", &folder.join("audit.log")))
                .arg("--audit-log-mode=blocking-strict");
        }
        Ok(command)
    }

    async fn ready(&self, _port: u16) -> Result<(), String> {
        let client = self.0.admin_client().await.map_err(|error| error.to_string())?;
        healthy(&client, "/readyz").await
    }
}

pub(super) struct ControllerManager<'a>(pub(super) &'a ControlPlane);

impl Server for ControllerManager<'_> {
    fn command(&self, port: u16) -> Result<GuardedCommand, Error> {
        let folder = self.0.folder();
        let kubeconfig = self.0.admin_kubeconfig()?;
        let certificates = &self.0.certificates;
        let program = tool_path("kube-controller-manager")?;
        Ok(GuardedCommand::new(program, folder.join("kube-controller-manager.log"))
            .arg(flag("--kubeconfig", &kubeconfig))
            .arg("--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller")
            .arg("--leader-elect=false")
            .arg("--bind-address=127.0.0.1")
            .arg(format!("--secure-port={port}"))
            .arg(flag("--tls-cert-file", &certificates.serving.certificate))
            .arg(flag("--tls-private-key-file", &certificates.serving.key))
            .arg("--authorization-always-allow-paths=/healthz")
            .arg("--profiling=false"))
    }

    async fn ready(&self, port: u16) -> Result<(), String> {
        let url = format!("https://127.0.0.1:{port}");
        let client = self.0.admin_client_at(&url).await.map_err(|error| error.to_string())?;
        healthy(&client, "/healthz").await
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

async fn healthy(client: &kube::Client, path: &str) -> Result<(), String> {
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
    client.request_text(request).await.map(drop).map_err(|error| error.to_string())
}

async fn plain_http_get(port: u16, path: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
