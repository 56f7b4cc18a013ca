//! A real control plane does what one of a cluster does.

use std::time::{Duration, Instant};

use carpack_testkit::{ControlPlane, Options, tool_path, watch_until, watch_until_gone};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};

const DEADLINE: Duration = Duration::from_secs(30);

fn config_map(name: &str) -> ConfigMap {
    ConfigMap { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..ConfigMap::default() }
}

#[tokio::test]
async fn the_control_plane_answers_with_the_pinned_version() {
    let start = Instant::now();
    let control_plane = ControlPlane::shared().await.unwrap();
    println!("ready after {:?}", start.elapsed());
    let version = control_plane.admin_client().await.unwrap().apiserver_version().await.unwrap();
    assert_eq!((version.major.as_str(), version.minor.as_str()), ("1", "36"));
}

#[tokio::test]
async fn tests_of_one_process_share_a_control_plane_but_no_namespace() {
    let (first, second) = tokio::join!(ControlPlane::shared(), ControlPlane::shared());
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(std::ptr::eq(first, second));
    let (one, other) = tokio::join!(first.namespace("events"), second.namespace("events"));
    assert_ne!(one.unwrap(), other.unwrap());
}

#[tokio::test]
async fn a_fresh_service_account_is_known_but_may_do_nothing() {
    let control_plane = ControlPlane::shared().await.unwrap();
    let namespace = control_plane.namespace("rbac").await.unwrap();
    let client = control_plane.service_account_client(&namespace, "default").await.unwrap();
    let denied = Api::<ConfigMap>::namespaced(client, &namespace).list(&Default::default()).await.unwrap_err();
    let kube::Error::Api(status) = denied else { panic!("not an answer of the API server: {denied}") };
    assert_eq!(status.code, 403);
    assert!(status.message.contains(&format!("system:serviceaccount:{namespace}:default")), "{}", status.message);
}

#[tokio::test]
async fn kubectl_acts_as_the_service_account_of_its_kubeconfig() {
    let control_plane = ControlPlane::shared().await.unwrap();
    let namespace = control_plane.namespace("kubectl").await.unwrap();
    let kubeconfig = control_plane.service_account_kubeconfig(&namespace, "default").await.unwrap();
    let denied = control_plane.kubectl_as(&kubeconfig, &["get", "configmaps"]).await.unwrap();
    assert!(denied.stderr.contains("Forbidden"), "{denied:?}");
    let allowed = control_plane.kubectl(&["-n", &namespace, "get", "serviceaccounts", "-o", "name"]).await.unwrap();
    assert_eq!(allowed.success().unwrap().trim(), "serviceaccount/default");
}

#[tokio::test]
async fn a_deleted_namespace_goes_with_all_that_is_in_it() {
    let control_plane = ControlPlane::shared().await.unwrap();
    let namespace = control_plane.namespace("short-lived").await.unwrap();
    let client = control_plane.admin_client().await.unwrap();
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
    config_maps.create(&PostParams::default(), &config_map("content")).await.unwrap();
    let namespaces = Api::<Namespace>::all(client);
    namespaces.delete(&namespace, &DeleteParams::default()).await.unwrap();
    watch_until_gone(&namespaces, &namespace, DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_child_goes_when_its_owner_is_deleted() {
    let control_plane = ControlPlane::shared().await.unwrap();
    let namespace = control_plane.namespace("garbage").await.unwrap();
    let config_maps = Api::<ConfigMap>::namespaced(control_plane.admin_client().await.unwrap(), &namespace);
    let owner = config_maps.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    let mut child = config_map("child");
    child.metadata.owner_references = Some(vec![kube::Resource::owner_ref(&owner, &()).unwrap()]);
    config_maps.create(&PostParams::default(), &child).await.unwrap();
    config_maps.delete("owner", &DeleteParams::background()).await.unwrap();
    watch_until_gone(&config_maps, "child", DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_watch_returns_the_object_as_soon_as_it_is_as_awaited() {
    let control_plane = ControlPlane::shared().await.unwrap();
    let namespace = control_plane.namespace("watched").await.unwrap();
    let config_maps = Api::<ConfigMap>::namespaced(control_plane.admin_client().await.unwrap(), &namespace);
    let mut late = config_map("late");
    late.data = Some([("ready".to_owned(), "yes".to_owned())].into());
    let ready = |object: &ConfigMap| object.data.as_ref().is_some_and(|data| data.contains_key("ready"));
    let (seen, created) = tokio::join!(watch_until(&config_maps, "late", DEADLINE, ready), async {
        config_maps.create(&PostParams::default(), &config_map("late")).await.unwrap();
        config_maps.patch("late", &Default::default(), &kube::api::Patch::Merge(&late)).await
    });
    assert_eq!(seen.unwrap().metadata.uid, created.unwrap().metadata.uid);
}

#[tokio::test]
async fn a_watch_in_vain_tells_what_it_saw_last() {
    let control_plane = ControlPlane::shared().await.unwrap();
    let namespace = control_plane.namespace("in-vain").await.unwrap();
    let config_maps = Api::<ConfigMap>::namespaced(control_plane.admin_client().await.unwrap(), &namespace);
    config_maps.create(&PostParams::default(), &config_map("dull")).await.unwrap();
    let short = Duration::from_millis(300);
    let message = watch_until(&config_maps, "dull", short, |_| false).await.unwrap_err().to_string();
    assert!(message.starts_with("ConfigMap dull comes to the awaited state: not within 300ms"), "{message}");
    assert!(message.contains(r#""name":"dull""#), "{message}");
}

#[tokio::test]
async fn a_crd_that_is_there_from_the_start_is_garbage_collected_with_its_namespace() {
    let folder = carpack_testkit::TemporaryFolder::new("carpack-crd-").unwrap();
    std::fs::write(folder.path().join("crd.yaml"), CRD).unwrap();
    let options = Options { manifests: vec![folder.path().to_owned()], audit_log: true, ..Options::default() };
    let control_plane = ControlPlane::start(options).await.unwrap();
    let namespace = control_plane.namespace("custom").await.unwrap();
    let object = format!(
        "{{apiVersion: carpack.io/v1, kind: Example, metadata: {{name: one, namespace: {namespace}}}, spec: {{size: 3}}}}"
    );
    control_plane.apply_text(&object).await.unwrap();
    let audit = std::fs::read_to_string(control_plane.audit_log().unwrap()).unwrap();
    let with_body = |line: &&str| line.contains("examples") && line.contains(r#""requestObject""#);
    assert!(audit.lines().any(|line| with_body(&line)), "no request with its body in the audit log");
    control_plane.kubectl(&["delete", "namespace", &namespace, "--timeout=30s"]).await.unwrap().success().unwrap();
}

#[tokio::test]
async fn data_survive_a_kill_of_the_api_server_and_of_etcd() {
    let control_plane = ControlPlane::start(Options { controller_manager: false, ..Options::default() }).await.unwrap();
    let config_maps = Api::<ConfigMap>::namespaced(control_plane.admin_client().await.unwrap(), "default");
    config_maps.create(&PostParams::default(), &config_map("kept")).await.unwrap();

    let start = Instant::now();
    control_plane.restart_api_server().await.unwrap();
    println!("API server restarted in {:?}", start.elapsed());
    // The same client finds the server at the same address.
    config_maps.get("kept").await.unwrap();

    control_plane.kill_api_server();
    assert!(control_plane.api_server().is_none());
    config_maps.get("kept").await.unwrap_err();

    let start = Instant::now();
    control_plane.restart_etcd().await.unwrap();
    println!("etcd restarted in {:?}", start.elapsed());
    control_plane.start_api_server().await.unwrap();
    config_maps.get("kept").await.unwrap();
}

#[tokio::test]
async fn an_api_server_that_cannot_start_shows_the_end_of_its_log() {
    let deadline = Duration::from_millis(200);
    let error = ControlPlane::start(Options { deadline, ..Options::default() }).await.unwrap_err().to_string();
    assert!(error.contains("did not get ready") && error.contains("the end of its log"), "{error}");
}

#[tokio::test]
async fn helm_installs_into_the_control_plane() {
    if tool_path("helm").is_err() {
        println!("skipped: helm is not built, run `make tools`");
        return;
    }
    let control_plane = ControlPlane::shared().await.unwrap();
    let namespace = control_plane.namespace("helm").await.unwrap();
    let chart = carpack_testkit::TemporaryFolder::new("carpack-chart-").unwrap();
    std::fs::create_dir(chart.path().join("templates")).unwrap();
    std::fs::write(chart.path().join("Chart.yaml"), "{apiVersion: v2, name: example, version: 0.1.0}").unwrap();
    let template = "{apiVersion: v1, kind: ConfigMap, metadata: {name: from-helm}}";
    std::fs::write(chart.path().join("templates/config.yaml"), template).unwrap();
    let folder = chart.path().to_str().unwrap();
    control_plane.helm(&["install", "example", folder, "-n", &namespace]).await.unwrap().success().unwrap();
    let config_maps = Api::<ConfigMap>::namespaced(control_plane.admin_client().await.unwrap(), &namespace);
    config_maps.get("from-helm").await.unwrap();
}

const CRD: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: examples.carpack.io, annotations: {api-approved.kubernetes.io: unapproved}}
spec:
  group: carpack.io
  scope: Namespaced
  names: {kind: Example, plural: examples}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";
