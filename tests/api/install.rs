//! Installation by Helm and by `kubectl apply -k` on a fresh control plane. The command line of the rendered pod then runs as a
//! process with its own service account, against the simulated cloud.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use carpack_api::{ConcurrencyPack, PackOrder};
use carpack_simulator::{Config, Simulator};
use carpack_testkit::{ControlPlane, Exit, GuardedCommand, GuardedProcess, Options, eventually, free_port};
use carpack_testkit::{watch_until, watch_until_gone, workspace_root};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::harness::http::get_ok;

const PATIENCE: Duration = Duration::from_secs(90);
const TREASURY: &str = "carpack-system";
const TENANT: &str = "events";
const ACCOUNT: &str = "system:serviceaccount:carpack-system:carpack";

/// Rights that are granted and not used in these tests: orders are pruned after 90 days, and only a repeated event is patched.
const USED_LATER: [(&str, &str); 2] = [("packorders", "delete"), ("events", "patch")];

#[tokio::test(flavor = "multi_thread")]
async fn after_helm_install_a_pack_becomes_ready_no_right_is_missing_or_too_many_and_uninstall_keeps_the_record() {
    let plane = fresh_control_plane().await;
    let installed =
        plane.helm(&["install", "carpack", &path("charts/carpack"), "-n", TREASURY, "--create-namespace"]).await;
    let notes = installed.unwrap().success().unwrap();
    assert!(notes.contains("ABOUT MONEY") && notes.contains("ABOUT THE IMAGE"), "{notes}");

    let mut world = World::start(&plane).await;
    world.buys_a_pack().await;
    world.buys_what_an_approver_approves_and_nobody_else_can().await;
    world.lets_go_of_a_deleted_pack_and_order().await;
    world.stops_cleanly().await;
    let used = world.used_rights();
    let unused: Vec<_> = world.granted_rights().await.difference(&used).cloned().collect();
    let unused: Vec<_> = unused.iter().filter(|(r, v)| !USED_LATER.contains(&(r.as_str(), v.as_str()))).collect();
    assert!(unused.is_empty(), "granted and not used: {unused:?}");

    // The record of what was spent stays.
    plane.helm(&["uninstall", "carpack", "-n", TREASURY]).await.unwrap().success().unwrap();
    for object in
        [["concurrencypack", "showroom", "-n", TENANT], ["packorder", "events.showroom.buy-1", "-n", TREASURY]]
    {
        plane.kubectl(&[&["get"][..], &object].concat()).await.unwrap().success().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kubectl_apply_k_a_pack_becomes_ready_in_a_namespace_that_enforces_the_restricted_standard() {
    let plane = fresh_control_plane().await;
    plane.kubectl(&["apply", "-k", &path("deploy")]).await.unwrap().success().unwrap();
    let mut world = World::start(&plane).await;
    world.is_admitted_to_a_restricted_namespace().await;
    world.buys_a_pack().await;
    world.stops_cleanly().await;
    world.used_rights();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_for_some_namespaces_has_no_rights_in_the_others() {
    let plane = fresh_control_plane().await;
    plane.kubectl(&["create", "namespace", TENANT]).await.unwrap().success().unwrap();
    let chart = path("charts/carpack");
    let only = format!("watchNamespaces={{{TENANT}}}");
    let args = ["install", "carpack", &chart, "-n", TREASURY, "--create-namespace", "--set", &only];
    plane.helm(&args).await.unwrap().success().unwrap();
    let mut world = World::start(&plane).await;
    world.buys_a_pack().await;
    world.stops_cleanly().await;
    world.used_rights();
    let rights =
        [("concurrencypacks", "kube-system"), ("secrets", TENANT), ("packorders", TENANT), ("secrets", TREASURY)];
    for (resource, namespace) in rights {
        assert!(!world.may(ACCOUNT, "list", resource, namespace).await, "it may list {resource} in {namespace}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_installation_that_would_buy_every_pack_again_is_refused() {
    let plane = fresh_control_plane().await;
    let chart = path("charts/carpack");
    plane.helm(&["install", "one", &chart, "-n", "one", "--create-namespace"]).await.unwrap().success().unwrap();
    let args = ["install", "two", &chart, "-n", "two", "--create-namespace", "--set", "userRoles=false"];
    let second = plane.helm(&args).await.unwrap();
    assert!(!second.status.success());
    assert!(second.stderr.contains("carpack-operator"), "{}", second.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_accepted_by_the_api_server() {
    let plane = fresh_control_plane().await;
    plane.apply(&workspace_root().join("crds")).await.unwrap();
    for sample in std::fs::read_dir(workspace_root().join("examples")).unwrap() {
        let sample = sample.unwrap().path().display().to_string();
        let args = ["apply", "--dry-run=server", "--validate=strict", "-f", &sample];
        let applied = plane.kubectl(&args).await.unwrap();
        assert_eq!(applied.stderr, "", "{sample}");
        applied.success().unwrap();
    }
}

#[tokio::test]
async fn the_plain_manifests_are_what_the_chart_renders_and_its_crds_those_of_the_api() {
    let check = tokio::process::Command::new(path("deploy/generate")).arg("--check").output().await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    assert!(check.status.success(), "{said}");
    for crd in carpack_api::custom_resource_definitions() {
        let file = format!("{}.yaml", crd.name_any());
        let [ours, charts] = ["crds", "charts/carpack/crds"].map(|folder| workspace_root().join(folder).join(&file));
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(ours), read(charts), "charts/carpack/crds/{file} is not crds/{file}: copy it");
    }
}

/// An installation: the operator runs as a process, and the account is that of the simulator.
struct World<'a> {
    plane: &'a ControlPlane,
    client: Client,
    simulator: Simulator,
    deployment: Deployment,
    container: Container,
    operator: GuardedProcess,
    port: u16,
}

impl<'a> World<'a> {
    async fn start(plane: &'a ControlPlane) -> Self {
        let client = plane.admin_client().await.unwrap();
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), TREASURY);
        let deployment = deployments.get("carpack").await.unwrap();
        let pod = deployment.spec.clone().unwrap().template.spec.unwrap();
        let [container] = pod.containers.as_slice() else { panic!("not one container") };
        assert_eq!(container.command, None, "the image's own entry point is the operator");
        let port = free_port();
        let operator = run_as_a_process(plane, container, &pod.service_account_name.unwrap(), port).await;
        let simulator = Simulator::start(Config::default()).await.unwrap();
        simulator.create_project("cap-abc123", "L1").unwrap();
        let world = Self {
            plane,
            client,
            simulator,
            container: container.clone(),
            deployment: deployment.clone(),
            operator,
            port,
        };
        let tenant = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {TENANT}}}\n");
        plane.apply_text(&tenant).await.unwrap();
        let account = sample("account-simulator.yaml").replace("http://127.0.0.1:9000", &world.simulator.url());
        world.kubectl_apply(TREASURY, &account).await;
        world
    }

    async fn kubectl_apply(&self, namespace: &str, manifest: &str) {
        self.plane
            .kubectl_with_input(&["apply", "-n", namespace, "-f", "-"], manifest)
            .await
            .unwrap()
            .success()
            .unwrap();
    }

    fn packs(&self) -> Api<ConcurrencyPack> {
        Api::namespaced(self.client.clone(), TENANT)
    }

    async fn until(&self, name: &str, wanted: impl Fn(&ConcurrencyPack) -> bool) -> ConcurrencyPack {
        let seen = watch_until(&self.packs(), name, PATIENCE, |pack| wanted(pack)).await;
        seen.unwrap_or_else(|error| panic!("{error}\n{}", self.operator.log_tail()))
    }

    async fn buys_a_pack(&self) {
        self.kubectl_apply(TENANT, &sample("pack-daily.yaml")).await;
        let pack = self.until("concert", |pack| is_ready(pack) && reason(pack) == "Active").await;
        let status = pack.status.unwrap();
        assert_eq!((status.quantity.as_deref(), status.project.as_deref()), (Some("5/5"), Some("cap-abc123")));
        assert_eq!(self.simulator.ledger().len(), 1);

        let probes = [self.container.liveness_probe.as_ref(), self.container.readiness_probe.as_ref()];
        for probe in probes {
            self.answers(&probed_path(probe.unwrap())).await;
        }
        let metrics = self.answers("/metrics").await;
        assert!(metrics.contains("carpack_leader 1"), "{metrics}");
        let events =
            self.plane.kubectl(&["get", "events", "-n", TENANT, "-o", "name"]).await.unwrap().success().unwrap();
        assert!(!events.is_empty(), "no event about the pack");
    }

    /// Runs the commands of docs/concepts.md as a person who has the role carpack-approver in the treasury and no other.
    async fn buys_what_an_approver_approves_and_nobody_else_can(&self) {
        let role =
            ["create", "rolebinding", "approvers", "-n", TREASURY, "--clusterrole=carpack-approver", "--user=alice"];
        self.plane.kubectl(&role).await.unwrap().success().unwrap();
        let manifest = format!("{}  mode: ApprovalRequired\n", sample("pack-monthly.yaml"));
        self.kubectl_apply(TENANT, &manifest).await;
        let pack = self.until("showroom", |pack| reason(pack) == "AwaitingApproval").await;
        let order = pack.status.unwrap().order_ref.unwrap();
        assert_eq!((order.namespace.as_str(), order.name.as_str()), (TREASURY, "events.showroom.buy-1"));
        let orders: Api<PackOrder> = Api::namespaced(self.client.clone(), TREASURY);
        let waits = |order: &PackOrder| order.status.as_ref().is_some_and(|status| status.message.is_some());
        watch_until(&orders, &order.name, PATIENCE, waits).await.unwrap();

        let yes = r#"{"spec":{"approval":{"decision":"Approved"}}}"#;
        let patch = ["patch", "packorder", &order.name, "-n", TREASURY, "--type", "merge", "-p", yes];
        let refused = self.plane.kubectl(&[&patch[..], &["--as", "bob"]].concat()).await.unwrap();
        assert!(refused.stderr.contains("Forbidden") || refused.stderr.contains("forbidden"), "{}", refused.stderr);
        let cheaper = r#"{"spec":{"quote":{"amount":"1.00","currency":"USD"}}}"#;
        let change =
            ["patch", "packorder", &order.name, "-n", TREASURY, "--type", "merge", "-p", cheaper, "--as", "alice"];
        let refused = self.plane.kubectl(&change).await.unwrap();
        assert!(refused.stderr.contains("only spec.approval may be set"), "{}", refused.stderr);
        assert_eq!(self.simulator.ledger().len(), 1);
        self.plane.kubectl(&[&patch[..], &["--as", "alice"]].concat()).await.unwrap().success().unwrap();
        self.until("showroom", is_ready).await;
        assert_eq!(self.simulator.ledger().len(), 2);
        assert!(!self.may("alice", "delete", "packorders.carpack.io", TREASURY).await);
        assert!(!self.may("alice", "get", "secrets", TREASURY).await);
    }

    async fn lets_go_of_a_deleted_pack_and_order(&self) {
        let delete = ["delete", "concurrencypack", "concert", "-n", TENANT, "--wait=false"];
        self.plane.kubectl(&delete).await.unwrap().success().unwrap();
        watch_until_gone(&self.packs(), "concert", PATIENCE).await.unwrap();
        let order = "events.concert.buy-1";
        self.plane
            .kubectl(&["delete", "packorder", order, "-n", TREASURY, "--wait=false"])
            .await
            .unwrap()
            .success()
            .unwrap();
        let orders: Api<PackOrder> = Api::namespaced(self.client.clone(), TREASURY);
        watch_until_gone(&orders, order, PATIENCE).await.unwrap();
        assert_eq!(self.simulator.ledger().len(), 2);
    }

    async fn stops_cleanly(&mut self) {
        let grace =
            self.deployment.spec.as_ref().unwrap().template.spec.as_ref().unwrap().termination_grace_period_seconds;
        let grace = Duration::from_secs(u64::try_from(grace.unwrap()).unwrap());
        let exit: Exit = self.operator.terminate(grace).await.unwrap();
        assert!(exit.success(), "{exit:?}: {}", self.operator.log_tail());
    }

    async fn is_admitted_to_a_restricted_namespace(&self) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), TREASURY);
        let template = self.deployment.spec.as_ref().unwrap().template.clone();
        let metadata = ObjectMeta { name: Some("trial".to_owned()), ..template.metadata.unwrap() };
        let mut pod = Pod { metadata, spec: template.spec, ..Pod::default() };
        let trial = PostParams { dry_run: true, ..PostParams::default() };
        pods.create(&trial, &pod).await.unwrap();
        pod.spec.as_mut().unwrap().containers.iter_mut().for_each(|container| container.security_context = None);
        let refused = pods.create(&trial, &pod).await.unwrap_err().to_string();
        assert!(refused.contains("violates PodSecurity"), "{refused}");
    }

    async fn may(&self, user: &str, verb: &str, resource: &str, namespace: &str) -> bool {
        let args = ["auth", "can-i", verb, resource, "-n", namespace, "--as", user];
        self.plane.kubectl(&args).await.unwrap().stdout.trim() == "yes"
    }

    /// The body of a page of the operator, once its status is 200.
    async fn answers(&self, path: &str) -> String {
        eventually(PATIENCE, path, async || get_ok(self.port, path).await).await.unwrap()
    }

    /// Resource and verb of every request of the operator's service account. None of them was denied.
    fn used_rights(&self) -> BTreeSet<(String, String)> {
        let log = std::fs::read_to_string(self.plane.audit_log().unwrap()).unwrap();
        let mut used = BTreeSet::new();
        for line in log.lines() {
            // The last line may be incomplete.
            let Ok(request) = serde_json::from_str::<Value>(line) else { continue };
            if request["user"]["username"] != ACCOUNT {
                continue;
            }
            assert_ne!(request["responseStatus"]["code"], 403, "denied: {line}");
            let part = |name: &str| request["objectRef"][name].as_str().unwrap_or_default();
            let resource = match part("subresource") {
                "" => part("resource").to_owned(),
                subresource => format!("{}/{subresource}", part("resource")),
            };
            used.insert((resource, request["verb"].as_str().unwrap_or_default().to_owned()));
        }
        assert!(!used.is_empty(), "the operator did not use its own service account");
        used
    }

    async fn granted_rights(&self) -> BTreeSet<(String, String)> {
        let role = Api::<Role>::namespaced(self.client.clone(), TREASURY).get("carpack").await.unwrap();
        let cluster_role = Api::<ClusterRole>::all(self.client.clone()).get("carpack-operator").await.unwrap();
        let rules: Vec<PolicyRule> = [role.rules, cluster_role.rules].into_iter().flatten().flatten().collect();
        let mut granted = BTreeSet::new();
        for rule in &rules {
            for resource in rule.resources.iter().flatten() {
                granted.extend(rule.verbs.iter().map(|verb| (resource.clone(), verb.clone())));
            }
            let secrets = rule.resources.iter().flatten().any(|resource| resource == "secrets");
            assert!(!secrets || rule.resource_names.as_ref().is_some_and(|names| !names.is_empty()));
        }
        granted
    }
}

async fn fresh_control_plane() -> ControlPlane {
    ControlPlane::start(Options { audit_log: true, ..Options::default() }).await.unwrap()
}

/// Starts the container as the kubelet would: with its arguments and its environment, except for the port.
async fn run_as_a_process(plane: &ControlPlane, container: &Container, account: &str, port: u16) -> GuardedProcess {
    let kubeconfig = plane.service_account_kubeconfig(TREASURY, account).await.unwrap();
    let mut command = GuardedCommand::new(env!("CARGO_BIN_EXE_carpack"), plane.folder().join("operator.log"))
        .name("operator")
        .args(container.args.as_ref().unwrap())
        .env("KUBECONFIG", kubeconfig)
        .env("CARPACK_HEALTH_ADDRESS", format!("127.0.0.1:{port}"));
    for variable in container.env.iter().flatten() {
        let field = variable
            .value_from
            .as_ref()
            .and_then(|from| from.field_ref.as_ref())
            .map(|field| field.field_path.as_str());
        let value = match (&variable.value, field) {
            (Some(value), None) => value,
            (None, Some("metadata.name")) => "carpack-0",
            (None, Some("metadata.namespace")) => TREASURY,
            other => panic!("{}: {other:?}", variable.name),
        };
        command = command.env(&variable.name, value);
    }
    command.start().unwrap()
}

fn probed_path(probe: &Probe) -> String {
    probe.http_get.as_ref().unwrap().path.clone().unwrap()
}

fn path(relative: &str) -> String {
    workspace_root().join(relative).display().to_string()
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(workspace_root().join("examples").join(name)).unwrap()
}

fn reason(pack: &ConcurrencyPack) -> &str {
    pack.status.as_ref().and_then(|status| status.reason.as_deref()).unwrap_or_default()
}

fn is_ready(pack: &ConcurrencyPack) -> bool {
    let conditions = pack.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
