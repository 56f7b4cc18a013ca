//! One test's world: two namespaces of the shared control plane, a simulated cloud, and the operator as a process.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod ground;
pub mod way;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carpack_api::order::OrderAction;
use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_simulator::{Config, LedgerEntry, Simulator};
use carpack_testkit::{
    ControlPlane, GuardedCommand, GuardedProcess, Options, TemporaryFolder, eventually, watch_until, watch_until_gone,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The project of scale L1 that a world begins with; cap-b is another one, cap-small is of scale S1.
pub const PROJECT: &str = "cap-a";

/// One test's world.
pub struct World {
    pub plane: &'static ControlPlane,
    pub client: Client,
    pub tenant: String,
    pub treasury: String,
    pub simulator: Simulator,
    folder: TemporaryFolder,
    flags: Vec<String>,
    operator: Option<GuardedProcess>,
    /// What the operator reaches the API server by.
    kubeconfig: PathBuf,
    starts: AtomicUsize,
}

/// How a world begins.
pub struct Setup {
    pub simulator: Config,
    pub account: Value,
    pub flags: Vec<&'static str>,
    pub with_account: bool,
    pub with_secret: bool,
    /// A control plane of one's own, for tests that stop or change it; none = the one that all tests share.
    pub plane: Option<&'static ControlPlane>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            simulator: Config::default(),
            account: json!({}),
            flags: Vec::new(),
            with_account: true,
            with_secret: true,
            plane: None,
        }
    }
}

impl World {
    /// An Automatic account with enough money, and the operator running.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let mut world = Self::without_operator(setup).await;
        world.start_operator();
        world
    }

    pub async fn without_operator(setup: Setup) -> Self {
        let plane = match setup.plane {
            Some(plane) => plane,
            None => ControlPlane::shared().await.unwrap(),
        };
        let client = plane.admin_client().await.unwrap();
        let tenant = plane.namespace("tenant").await.unwrap();
        let treasury = plane.namespace("treasury").await.unwrap();
        let simulator = Simulator::start(setup.simulator).await.unwrap();
        for (project, scale) in [("cap-a", "L1"), ("cap-b", "L1"), ("cap-small", "S1"), ("cap-foreign", "L1")] {
            simulator.create_project(project, scale).unwrap();
        }
        let folder = TemporaryFolder::new("behaviour").unwrap();
        let flags = setup.flags.iter().map(|flag| (*flag).to_owned()).collect();
        let kubeconfig = plane.admin_kubeconfig().unwrap();
        let (operator, starts) = (None, AtomicUsize::new(0));
        let world = Self { plane, client, tenant, treasury, simulator, folder, flags, operator, kubeconfig, starts };
        if setup.with_secret {
            world.put_secret("AKIDsimulator", "simulator-secret-key").await;
        }
        if setup.with_account {
            world.put_account(setup.account).await;
        }
        world
    }

    // The operator.

    pub fn start_operator(&mut self) {
        self.operator = Some(self.launch());
    }

    /// Starts an operator; it belongs to the caller. Two of them may run at the same time.
    pub fn launch(&self) -> GuardedProcess {
        let number = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        let log = self.folder.path().join(format!("operator-{number}.log"));
        let url = self.simulator.url();
        let defaults = [
            ("--namespace", self.treasury.as_str()),
            ("--watch-namespace", &self.tenant),
            ("--health-address", "127.0.0.1:0"),
            ("--log-format", "human"),
            ("--log-level", "info,carpack=debug"),
            ("--rehearsal-clock", &url),
            ("--sweep-interval", "1s"),
            ("--retry-after", "2s"),
            ("--lease-duration", "6s"),
            ("--lease-renew-every", "500ms"),
            ("--lease-step-down", "4s"),
            ("--call-timeout", "3s"),
        ];
        // What a test sets itself is left to it.
        let defaults = defaults.into_iter().filter(|(flag, _)| !self.flags.iter().any(|own| own == flag));
        let command = GuardedCommand::new(env!("CARGO_BIN_EXE_carpack"), log)
            .name("carpack")
            .arg("run")
            .args(defaults.flat_map(|(flag, value)| [flag, value]))
            .args(&self.flags)
            .env("KUBECONFIG", &self.kubeconfig);
        command.start().unwrap()
    }

    /// From now on operators reach the API server at this address, without TLS and without being asked who they are.
    pub fn reach_api_server_at(&mut self, url: &str) {
        let cluster = json!({"name": "way", "cluster": {"server": url}});
        let context = json!({"name": "way", "context": {"cluster": "way", "user": ""}});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "way", "clusters": [cluster], "contexts": [context]});
        self.kubeconfig = self.folder.path().join("kubeconfig");
        std::fs::write(&self.kubeconfig, config.to_string()).unwrap();
    }

    /// From now on this is the world's operator.
    pub fn adopt_operator(&mut self, operator: GuardedProcess) -> Option<GuardedProcess> {
        self.operator.replace(operator)
    }

    pub fn operator(&self) -> &GuardedProcess {
        self.operator.as_ref().unwrap()
    }

    /// SIGKILL, at once.
    pub fn kill_operator(&mut self) {
        self.operator.take().unwrap().kill();
    }

    /// SIGTERM, and waits for a clean end.
    pub async fn stop_operator(&mut self) {
        let operator = self.operator.take().unwrap();
        let exit = operator.terminate(PATIENCE).await.unwrap();
        assert!(exit.success(), "{exit:?}: {}", operator.log_tail());
    }

    pub fn set_flags(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    }

    /// Waits until the operator's log says this.
    pub async fn until_log(&self, text: &str) {
        let look = async || if self.log().contains(text) { Ok(()) } else { Err("not yet") };
        let what = format!("the log says {text}");
        eventually(PATIENCE, &what, look).await.unwrap_or_else(|error| self.fail(&error.to_string()));
    }

    pub fn log(&self) -> String {
        (1..=self.starts.load(Ordering::Relaxed))
            .map(|n| std::fs::read_to_string(self.folder.path().join(format!("operator-{n}.log"))).unwrap_or_default())
            .collect()
    }

    // Objects.

    pub fn packs(&self) -> Api<ConcurrencyPack> {
        Api::namespaced(self.client.clone(), &self.tenant)
    }

    pub fn orders(&self) -> Api<PackOrder> {
        Api::namespaced(self.client.clone(), &self.treasury)
    }

    pub fn accounts(&self) -> Api<CarAccount> {
        Api::namespaced(self.client.clone(), &self.treasury)
    }

    pub async fn put_secret(&self, id: &str, key: &str) {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.treasury);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "car-credentials"},
            "stringData": {"secretId": id, "secretKey": key}});
        secrets.patch("car-credentials", &PatchParams::apply("test").force(), &Patch::Apply(&secret)).await.unwrap();
    }

    /// The account named default, with these changes to its spec.
    pub async fn put_account(&self, changes: Value) {
        let mut spec = json!({
            "site": "Custom",
            "endpoint": self.simulator.url(),
            "credentials": {"secretRef": {"name": "car-credentials"}},
            "mode": "Automatic",
            "timeZone": "+08:00",
            "purchase": {"channel": "Api", "api": {
                "productCode": "p_car", "subProductCode": "sp_car_concurrency",
                "parameterTemplate": "{\"Name\":\"{packName}\",\"ConcurrentType\":\"{concurrencyScale}\",\"ApplicationType\":\"{applicationType}\"}",
                "periodUnits": {"Daily": "d", "Monthly": "m"}}},
            "priceList": {"currency": "USD", "prices": [
                {"region": "ap-singapore", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"},
                {"region": "ap-singapore", "concurrencyScale": "L1", "billingMode": "Monthly", "amount": "1041.00"}]},
            "tenants": [{"namespaces": [self.tenant], "projects": ["cap-a", "cap-b", "cap-small", "cap-nowhere"]}]
        });
        merge(&mut spec, &changes);
        let account = json!({"apiVersion": "carpack.io/v1alpha1", "kind": "CarAccount", "metadata": {"name": "default"}, "spec": spec});
        self.accounts().patch("default", &PatchParams::apply("test").force(), &Patch::Apply(&account)).await.unwrap();
    }

    /// Applies a pack: a daily one of quantity 1 for 3 days, renewed by the operator for 1 day, with these changes.
    pub async fn apply(&self, name: &str, changes: Value) -> ConcurrencyPack {
        self.try_apply(name, changes).await.unwrap()
    }

    pub async fn try_apply(&self, name: &str, changes: Value) -> Result<ConcurrencyPack, kube::Error> {
        let pack = json!({"apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack", "metadata": {"name": name}, "spec": daily(changes)});
        self.packs().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&pack)).await
    }

    /// Merges changes into a pack's spec, as kubectl edit would; null removes a field.
    pub async fn change(&self, name: &str, spec: Value) -> ConcurrencyPack {
        self.try_change(name, spec).await.unwrap()
    }

    pub async fn try_change(&self, name: &str, spec: Value) -> Result<ConcurrencyPack, kube::Error> {
        self.packs().patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await
    }

    pub async fn delete(&self, name: &str) {
        self.packs().delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub async fn gone(&self, name: &str) {
        watch_until_gone(&self.packs(), name, PATIENCE).await.unwrap_or_else(|e| self.fail(&e.to_string()));
    }

    pub async fn pack(&self, name: &str) -> ConcurrencyPack {
        self.packs().get(name).await.unwrap()
    }

    /// Waits until the pack is as wanted.
    pub async fn until(&self, name: &str, wanted: impl Fn(&ConcurrencyPack) -> bool) -> ConcurrencyPack {
        match watch_until(&self.packs(), name, PATIENCE, |pack| wanted(pack)).await {
            Ok(pack) => pack,
            Err(error) => self.fail(&error.to_string()),
        }
    }

    /// Waits until the pack's status speaks of its present spec and its reason is this one.
    pub async fn until_reason(&self, name: &str, reason: &str) -> ConcurrencyPack {
        self.until(name, |pack| reason_of(pack) == reason && is_current(pack)).await
    }

    /// Waits until the pack is Ready, and its purchases are recorded as delivered (which may come a moment later).
    pub async fn until_ready(&self, name: &str) -> ConcurrencyPack {
        self.until(name, |pack| condition(pack, "Ready") == "True" && is_current(pack)).await;
        let look = async || {
            let orders = self.orders().list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
            let buys = orders.iter().filter(|o| o.spec.pack_ref.name == name && o.spec.action == OrderAction::Buy);
            let open: Vec<String> = buys.filter(|o| order_state(o) == "InProgress").map(name_of).collect();
            if open.is_empty() { Ok(()) } else { Err(format!("in progress: {open:?}")) }
        };
        let recorded = eventually(PATIENCE, "the purchase is recorded as delivered", look).await;
        recorded.unwrap_or_else(|error| self.fail(&error.to_string()));
        self.until(name, |pack| condition(pack, "Ready") == "True" && is_current(pack)).await
    }

    /// Waits until a condition has this status and reason, written `True Bound`.
    pub async fn until_condition(&self, name: &str, kind: &str, wanted: &str) -> ConcurrencyPack {
        self.until(name, |pack| condition_with_reason(pack, kind) == wanted && is_current(pack)).await
    }

    /// Name of an order of this world's tenant.
    pub fn order_name(&self, pack: &str, suffix: &str) -> String {
        format!("{}.{pack}.{suffix}", self.tenant)
    }

    /// Waits until an order has this state.
    pub async fn until_order(&self, pack: &str, suffix: &str, state: &str) -> PackOrder {
        self.until_order_says(pack, suffix, |order| order_state(order) == state).await
    }

    /// Waits until an order is as wanted.
    pub async fn until_order_says(&self, pack: &str, suffix: &str, wanted: impl Fn(&PackOrder) -> bool) -> PackOrder {
        let name = self.order_name(pack, suffix);
        let order = watch_until(&self.orders(), &name, PATIENCE, |order: &PackOrder| wanted(order)).await;
        order.unwrap_or_else(|error| self.fail(&error.to_string()))
    }

    /// Waits until the account's Ready has this status and reason, written `False WrongCredentials`.
    pub async fn until_account(&self, wanted: &str) -> CarAccount {
        let ready = |account: &CarAccount| {
            let conditions = account.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
            conditions.iter().any(|c| c.type_ == "Ready" && format!("{} {}", c.status, c.reason) == wanted)
        };
        self.until_account_says(ready).await
    }

    pub async fn until_account_says(&self, wanted: impl Fn(&CarAccount) -> bool) -> CarAccount {
        let account = watch_until(&self.accounts(), "default", PATIENCE, wanted).await;
        account.unwrap_or_else(|error| self.fail(&error.to_string()))
    }

    /// Waits until the account reports so many instances that no pack claims.
    pub async fn until_unclaimed(&self, count: i64) -> CarAccount {
        self.until_account_says(|account| account.status.as_ref().is_some_and(|s| s.unclaimed == count)).await
    }

    pub async fn all_orders(&self) -> Vec<PackOrder> {
        self.orders().list(&ListParams::default()).await.unwrap().items
    }

    /// Takes an order away, finalizer and all, as if the cluster had never had it.
    pub async fn release_order(&self, name: &str) {
        self.orders().delete(name, &DeleteParams::default()).await.unwrap();
        let nobody = json!({"metadata": {"finalizers": null}});
        match self.orders().patch(name, &PatchParams::default(), &Patch::Merge(nobody)).await {
            // The operator has let go of it already.
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            answer => drop(answer.unwrap()),
        }
        watch_until_gone(&self.orders(), name, PATIENCE).await.unwrap_or_else(|e| self.fail(&e.to_string()));
    }

    pub async fn decide_order(&self, pack: &str, suffix: &str, approval: Value) {
        let patch = json!({"spec": {"approval": approval}});
        self.orders()
            .patch(&self.order_name(pack, suffix), &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Waits for an event with this reason on a pack or an order; answers its message.
    pub async fn event(&self, object: &str, reason: &str) -> String {
        let look = async || {
            let mut seen = Vec::new();
            for namespace in [&self.tenant, &self.treasury] {
                let events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(self.client.clone(), namespace);
                for event in events.list(&ListParams::default()).await.map_err(|e| e.to_string())?.items {
                    let about = event.regarding.as_ref().and_then(|r| r.name.clone()).unwrap_or_default();
                    if about == object && event.reason.as_deref() == Some(reason) {
                        return Ok(event.note.unwrap_or_default());
                    }
                    seen.push(format!("{about}: {}", event.reason.unwrap_or_default()));
                }
            }
            Err(format!("{seen:?}"))
        };
        let what = format!("an event {reason} on {object}");
        eventually(PATIENCE, &what, look).await.unwrap_or_else(|error| self.fail(&error.to_string()))
    }

    // The cloud.

    /// Business time passes.
    pub fn advance(&self, hours: i64) {
        self.simulator.advance(SignedDuration::from_hours(hours)).unwrap();
    }

    pub fn advance_minutes(&self, minutes: i64) {
        self.simulator.advance(SignedDuration::from_mins(minutes)).unwrap();
    }

    pub fn charges(&self, action: &str) -> Vec<LedgerEntry> {
        self.simulator.ledger().into_iter().filter(|entry| entry.action == action).collect()
    }

    pub fn bought(&self) -> usize {
        self.charges("CreateInstance").len()
    }

    pub fn renewed(&self) -> usize {
        self.charges("RenewInstance").len()
    }

    /// Waits until something holds of the cloud.
    pub async fn until_cloud(&self, what: &str, mut holds: impl FnMut(&Simulator) -> bool) {
        let look = async || if holds(&self.simulator) { Ok(()) } else { Err("not yet") };
        eventually(PATIENCE, what, look).await.unwrap_or_else(|error| self.fail(&error.to_string()));
    }

    /// Waits until the operator has made so many complete looks at the account from now on: what it wanted to do on
    /// their word, it has done or decided not to.
    pub async fn sweeps(&self, count: usize) {
        let sweeps = |s: &Simulator| s.requests().iter().filter(|r| r.action == "DescribeApplicationProjects").count();
        let before = sweeps(&self.simulator);
        self.until_cloud("the operator looks at the account", |s| sweeps(s) > before + count).await;
    }

    /// Projects of the instances in the cloud, in the order of their ids.
    pub fn projects(&self) -> Vec<Option<String>> {
        self.simulator.instances().iter().map(|i| i.project_id.clone()).collect()
    }

    /// Business time moves on to this moment.
    pub fn go_to(&self, moment: Timestamp) {
        self.simulator.set_now(moment).unwrap();
    }

    /// Ids of the instances in the cloud, in the order of their delivery.
    pub fn ids(&self) -> Vec<String> {
        self.simulator.instances().into_iter().map(|instance| instance.id).collect()
    }

    /// How often each instance in the cloud was charged for by this action, in the order of their delivery.
    pub fn charged_each(&self, action: &str) -> Vec<usize> {
        let charges = self.charges(action);
        self.ids().iter().map(|id| charges.iter().filter(|charge| charge.instance_ids.contains(id)).count()).collect()
    }

    /// How many requests of this action have arrived, whatever became of them.
    pub fn asked(&self, action: &str) -> usize {
        self.simulator.requests().iter().filter(|request| request.action == action).count()
    }

    /// Fails with what a person would look at.
    pub fn fail(&self, why: &str) -> ! {
        let log = self.log();
        let tail: Vec<&str> = log.lines().rev().take(60).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        panic!("{why}\n--- ledger: {:#?}\n--- the operator's log ends:\n{}", self.simulator.ledger(), tail.join("\n"));
    }
}

/// A control plane for one test alone. It ends with the test's process.
pub async fn own_plane() -> &'static ControlPlane {
    let manifests = vec![carpack_testkit::workspace_root().join("crds")];
    let options = Options { manifests, ..Options::default() };
    Box::leak(Box::new(Box::pin(ControlPlane::start(options)).await.unwrap()))
}

/// The spec that tests begin with.
pub fn daily(changes: Value) -> Value {
    let mut spec = json!({
        "billingMode": "Daily", "region": "ap-singapore", "concurrencyScale": "L1", "quantity": 1, "duration": 3,
        "renewal": {"mode": "Operator", "duration": 1, "renewBefore": "6h"}
    });
    merge(&mut spec, &changes);
    spec
}

/// Top-level fields replace; null removes.
pub fn merge(into: &mut Value, changes: &Value) {
    let (Some(into), Some(changes)) = (into.as_object_mut(), changes.as_object()) else { return };
    for (key, value) in changes {
        if value.is_null() {
            into.remove(key);
        } else {
            into.insert(key.clone(), value.clone());
        }
    }
}

pub fn is_current(pack: &ConcurrencyPack) -> bool {
    pack.status.as_ref().and_then(|s| s.observed_generation) == pack.metadata.generation
}

pub fn reason_of(pack: &ConcurrencyPack) -> &str {
    pack.status.as_ref().and_then(|s| s.reason.as_deref()).unwrap_or_default()
}

pub fn condition<'a>(pack: &'a ConcurrencyPack, kind: &str) -> &'a str {
    let conditions = pack.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map(|c| c.status.as_str()).unwrap_or_default()
}

pub fn condition_with_reason(pack: &ConcurrencyPack, kind: &str) -> String {
    let conditions = pack.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map(|c| format!("{} {}", c.status, c.reason)).unwrap_or_default()
}

pub fn message(pack: &ConcurrencyPack, kind: &str) -> String {
    let conditions = pack.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map(|c| c.message.clone()).unwrap_or_default()
}

pub fn order_state(order: &PackOrder) -> String {
    order.status.as_ref().and_then(|s| s.state).map(|s| format!("{s:?}")).unwrap_or_default()
}

/// When the pack expires, as its status says.
pub fn expiration(pack: &ConcurrencyPack) -> Option<Timestamp> {
    pack.status.as_ref().and_then(|s| s.expiration_time.as_ref()).map(|t| t.0)
}

/// How often the pack was renewed, as its status says.
pub fn renewals(pack: &ConcurrencyPack) -> i64 {
    pack.status.as_ref().map_or(0, |s| s.renewals)
}

pub fn name_of(order: &PackOrder) -> String {
    order.name_any()
}
