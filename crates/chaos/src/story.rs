//! What people do in a world, and what is expected of it: a pack is bought, moved, renewed; and if faults are left, it is
//! deleted and another one lives the same life.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::order::{LineState, OrderState};
use carpack_api::{ConcurrencyPack, PackOrder};
use carpack_core::Timing;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::oracle::{Breach, Rule};
use crate::world::{TENANT, TREASURY, World};

/// How long after the last fault everything is settled, but for the quarantine.
const SETTLED: Duration = Duration::from_secs(60);
/// How long nothing is written or paid then.
const QUIET: Duration = Duration::from_secs(30 * 60);
/// No step of a life takes longer, whatever happens.
const LONGEST: Duration = Duration::from_secs(3 * 3600);
const STEP: Duration = Duration::from_secs(1);
/// No wait of the operator is longer.
const UNNOTICED: Duration = Duration::from_secs(60);

/// How a life went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Faults that came.
    pub reached: usize,
    /// Rules that were broken.
    pub breaches: Vec<Breach>,
    /// What a person was asked in the end: the reason, and the words with the way out.
    pub asked: Option<(String, String)>,
    /// What was paid, in the cloud's ledger.
    pub charges: usize,
}

/// Why a story is not told to its end.
struct Stop;

/// Lets a world live, and judges it.
pub async fn tell(world: &Arc<World>) -> Ending {
    prepare(world);
    world.start_process();
    let mut teller = Teller { world, asked: None, project: "cap-a" };
    // What stopped it is in the oracle's or the teller's hands.
    let _ = teller.lives().await;
    let asked = teller.asked.take();
    if asked.is_none() {
        account_for_everything(world);
    }
    let reached = world.faults().fired();
    let oracle = world.oracle();
    Ending { reached, breaches: oracle.breaches.clone(), asked, charges: oracle.charges.len() }
}

/// What stands there before the operator: its Secret, and the account.
fn prepare(world: &World) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
        "data": {"secretId": "QUtJRHNpbXVsYXRvcg==", "secretKey": "c2ltdWxhdG9yLXNlY3JldC1rZXk="}});
    let account = json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "CarAccount", "metadata": {"name": "default"},
        "spec": {
            "site": "International", "timeZone": "+08:00", "credentials": {"secretRef": {"name": "key"}},
            "mode": "Automatic",
            "purchase": {"channel": "Api", "api": {
                "productCode": "p_car", "subProductCode": "sp_car_pack", "zoneCode": "{region}", "billingProject": 0,
                "parameterTemplate":
                    "{\"Name\":\"{packName}\",\"ConcurrentType\":\"{concurrencyScale}\",\"ApplicationType\":\"{applicationType}\"}",
                "periodUnits": {"Daily": "d", "Monthly": "m"}}},
            "priceList": {"currency": "USD", "prices": [
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"},
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Monthly", "amount": "1041.00"}]},
            "tenants": [{"namespaces": [TENANT], "projects": ["cap-a", "cap-b"]}]}});
    user(world, &Method::POST, &format!("/api/v1/namespaces/{TREASURY}/secrets"), &secret);
    user(world, &Method::POST, &format!("/apis/carpack.io/v1alpha1/namespaces/{TREASURY}/caraccounts"), &account);
}

fn pack(world: &World, name: &str) -> Value {
    let plan = &world.plan;
    let renewal = json!({
        "mode": "Operator", "duration": 1, "renewBefore": "6h",
        "strategy": if plan.replace { "Replace" } else { "Extend" }});
    json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack", "metadata": {"name": name},
        "spec": {
            "accountRef": {"name": "default"}, "applicationType": "Cloud3D", "project": "cap-a",
            "billingMode": if plan.monthly { "Monthly" } else { "Daily" },
            "region": "ap-singapore", "concurrencyScale": "L1", "quantity": plan.quantity, "duration": 1,
            "deletionPolicy": "Retain", "mode": "Automatic", "renewal": renewal}})
}

fn path(name: &str) -> String {
    format!("/apis/carpack.io/v1alpha1/namespaces/{TENANT}/concurrencypacks{name}")
}

/// A person with kubectl.
fn user(world: &World, method: &Method, path: &str, body: &Value) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let answer = world.api.handle(method, path, &body, false);
    tracing::info!(%method, path, status = answer.status.as_u16(), "USER");
    world.disturb();
}

struct Teller<'a> {
    world: &'a Arc<World>,
    asked: Option<(String, String)>,
    /// Where the packs are to be.
    project: &'static str,
}

impl Teller<'_> {
    async fn lives(&mut self) -> Result<(), Stop> {
        for name in ["concert", "gig"] {
            self.bought(name).await?;
            if self.world.plan.moves() {
                self.moved(name).await?;
            }
            self.renewed(name).await?;
            if self.world.faults().are_over() {
                break;
            }
            self.deleted(name).await?;
            if self.world.faults().are_over() {
                break;
            }
        }
        self.quiet().await
    }

    async fn bought(&mut self, name: &str) -> Result<(), Stop> {
        user(self.world, &Method::POST, &path(""), &pack(self.world, name));
        self.project = "cap-a";
        self.until(&format!("{name} is bought"), Duration::ZERO, |packs| stands(packs, name, "cap-a", None)).await
    }

    async fn moved(&mut self, name: &str) -> Result<(), Stop> {
        user(self.world, &Method::PATCH, &path(&format!("/{name}")), &json!({"spec": {"project": "cap-b"}}));
        self.project = "cap-b";
        self.until(&format!("{name} is moved"), Duration::ZERO, |packs| stands(packs, name, "cap-b", None)).await
    }

    /// The clock is set to shortly before the renewal is due.
    async fn renewed(&mut self, name: &str) -> Result<(), Stop> {
        let status = self.world.packs().into_iter().find(|p| p.metadata.name.as_deref() == Some(name));
        let status = status.and_then(|pack| pack.status.clone()).unwrap_or_default();
        let (Some(due), Some(expires)) = (status.next_renewal_time, status.expiration_time) else {
            self.world.oracle().breach(Rule::MissedRenewal, format!("{name} has no time of renewal"));
            return Err(Stop);
        };
        let left = due.0.duration_since(self.world.clock.now());
        self.world.clock.shift(left.saturating_sub(SignedDuration::from_secs(5)));
        tracing::info!(now = %self.world.clock.now(), "TIME");
        self.world.disturb();
        let (what, project) = (format!("{name} is renewed"), self.project);
        // A clock that was set is noticed within a minute.
        self.until(&what, UNNOTICED, |packs| stands(packs, name, project, Some(expires.0))).await
    }

    async fn deleted(&mut self, name: &str) -> Result<(), Stop> {
        user(self.world, &Method::DELETE, &path(&format!("/{name}")), &Value::Null);
        let gone = |packs: &[Arc<ConcurrencyPack>]| packs.iter().all(|p| p.metadata.name.as_deref() != Some(name));
        self.until(&format!("{name} is deleted"), Duration::ZERO, gone).await
    }

    /// Waits until this is so and every order is settled.
    async fn until(
        &mut self,
        what: &str,
        unnoticed: Duration,
        goal: impl Fn(&[Arc<ConcurrencyPack>]) -> bool,
    ) -> Result<(), Stop> {
        let world = self.world;
        let allowed = unnoticed + SETTLED + world.plan.allowance();
        let (mut version, mut orders, mut reached) = (None, Vec::new(), false);
        let (begun, mut calm, mut disturbed) = (Instant::now(), Duration::ZERO, world.disturbed());
        loop {
            let newest = world.api.version();
            if version.replace(newest) != Some(newest) {
                orders = world.orders();
                reached = orders.iter().all(|order| is_settled(order)) && goal(&world.packs());
            }
            if reached {
                tracing::info!(what, after = ?begun.elapsed(), "DONE");
                return Ok(());
            }
            if disturbed != world.disturbed() {
                (calm, disturbed) = (Duration::ZERO, world.disturbed());
            }
            if calm > allowed || begun.elapsed() > LONGEST {
                self.give_up(what, &orders);
                return Err(Stop);
            }
            sleep(STEP).await;
            if !in_quarantine(&orders, world.clock.now()) {
                calm += STEP;
            }
        }
    }

    /// Not settled: a person was asked, or a rule is broken.
    fn give_up(&mut self, what: &str, orders: &[Arc<PackOrder>]) {
        let stalled = |pack: Arc<ConcurrencyPack>| {
            let status = pack.status.clone()?;
            let condition = status.conditions.into_iter().find(|c| c.type_ == "Stalled" && c.status == "True")?;
            Some((condition.reason, condition.message))
        };
        let ambiguous = |order: &Arc<PackOrder>| {
            let status = order.status.clone()?;
            let exhausted =
                |line: &carpack_api::order::LineStatus| line.state == LineState::Unknown && line.clear_looks >= 2;
            let asks = status.state == Some(OrderState::Ambiguous) && status.lines.iter().any(exhausted);
            asks.then(|| ("OrderAmbiguous".to_owned(), status.message.unwrap_or_default()))
        };
        self.asked = orders.iter().find_map(ambiguous).or_else(|| self.world.packs().into_iter().find_map(stalled));
        if self.asked.is_none() {
            let state: Vec<String> = self.world.packs().iter().map(|pack| describe(pack)).collect();
            let orders: Vec<String> = orders.iter().map(|order| describe_order(order)).collect();
            let what = format!("{what}: not yet; {}; {}", state.join("; "), orders.join("; "));
            self.world.oracle().breach(Rule::NotSettled, what);
        }
    }

    /// Nothing is written, and nothing is paid.
    async fn quiet(&self) -> Result<(), Stop> {
        self.world.calm_down();
        // What was disturbed last is over by then, and the account's report has followed with the next look.
        let settled = Instant::now().max(self.world.disturbed()) + SETTLED + STEP + self.world.plan.allowance();
        tokio::time::sleep_until(settled).await;
        self.world.hold_the_lease();
        let before = {
            let oracle = self.world.oracle();
            (oracle.writes, oracle.paid_calls)
        };
        sleep(QUIET).await;
        let mut oracle = self.world.oracle();
        let after = (oracle.writes, oracle.paid_calls);
        if before != after {
            let what = format!(
                "{} writes and {} paid calls",
                after.0.saturating_sub(before.0),
                after.1.saturating_sub(before.1)
            );
            oracle.breach(Rule::Restless, what);
        }
        Ok(())
    }
}

fn name_of(pack: &ConcurrencyPack) -> &str {
    pack.metadata.name.as_deref().unwrap_or_default()
}

/// True when the pack is Ready in this project, knows when it is renewed next, and expires later than then.
fn stands(packs: &[Arc<ConcurrencyPack>], name: &str, project: &str, after: Option<Timestamp>) -> bool {
    let Some(pack) = packs.iter().find(|pack| name_of(pack) == name) else { return false };
    let Some(status) = &pack.status else { return false };
    let holds = |kind: &str| status.conditions.iter().any(|c| c.type_ == kind && c.status == "True");
    let expires = status.expiration_time.as_ref().map(|time| time.0);
    holds("Ready")
        && holds("RenewalOnTrack")
        && status.next_renewal_time.is_some()
        && status.observed_generation == pack.metadata.generation
        && status.project.as_deref() == Some(project)
        && after.is_none_or(|after| expires.is_some_and(|expires| expires > after))
}

fn is_settled(order: &PackOrder) -> bool {
    let state = order.status.as_ref().and_then(|status| status.state);
    matches!(state, Some(OrderState::Fulfilled | OrderState::Failed))
}

fn in_quarantine(orders: &[Arc<PackOrder>], now: Timestamp) -> bool {
    let quarantine = Timing::default().quarantine;
    let lines = orders.iter().filter_map(|order| order.status.as_ref()).flat_map(|status| &status.lines);
    lines.into_iter().any(|line| {
        let until = line.submit_time.as_ref().and_then(|time| time.0.checked_add(quarantine).ok());
        matches!(line.state, LineState::Unknown | LineState::Submitting) && until.is_some_and(|until| now < until)
    })
}

fn describe(pack: &ConcurrencyPack) -> String {
    let status = pack.status.clone().unwrap_or_default();
    let conditions: Vec<String> =
        status.conditions.iter().map(|c| format!("{}={} {} ({})", c.type_, c.status, c.reason, c.message)).collect();
    format!("{}: {}", name_of(pack), conditions.join(", "))
}

fn describe_order(order: &PackOrder) -> String {
    let status = order.status.clone().unwrap_or_default();
    let lines: Vec<String> = status.lines.iter().map(|line| format!("{:?}", line.state)).collect();
    let name = order.metadata.name.as_deref().unwrap_or_default();
    format!("{name}: {:?} {} [{}]", status.state, status.message.unwrap_or_default(), lines.join(", "))
}

/// I3: whatever was paid is on the record of an order, and in the hands of a pack or in the account's report.
fn account_for_everything(world: &World) {
    let (orders, packs) = (world.orders(), world.packs());
    let lines: Vec<_> =
        orders.iter().filter_map(|order| order.status.as_ref()).flat_map(|status| status.lines.clone()).collect();
    let entries: Vec<_> = world.cloud().ledger().to_vec();
    for entry in &entries {
        let booked = lines.iter().any(|line| line.order_ids.contains(&entry.order_id));
        if !booked {
            world.oracle().breach(Rule::LostPack, format!("no order has {} on its record", entry.order_id));
        }
    }
    let unclaimed = world.account().and_then(|account| account.status.clone()).unwrap_or_default().unclaimed_instances;
    let instances = world.cloud().instances();
    for instance in instances {
        let claimed = packs
            .iter()
            .filter_map(|pack| pack.status.as_ref())
            .flat_map(|s| &s.instances)
            .any(|i| i.id == instance.id);
        let reported = unclaimed.iter().any(|row| row.id == instance.id);
        if !claimed && !reported {
            world
                .oracle()
                .breach(Rule::LostPack, format!("nobody claims or reports {} ({})", instance.id, instance.name));
        }
    }
}
