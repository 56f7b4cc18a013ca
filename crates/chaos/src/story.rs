//! What people do in a world, and what is expected of it: a pack is bought, moved, renewed; and if faults are left, it is
//! deleted and another one lives the same life.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::{ConcurrencyPack, PackOrder};
use carpack_core::names::carries_hash;
use carpack_simulator::state::{Instance, InstanceStatus, RenewFlag};
use carpack_simulator::term::BillingMode;
use carpack_simulator::{ConsoleBuy, LedgerEntry};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::oracle::{Breach, Rule, is_later_expiry};
use crate::reading::{asks, describe, describe_order, is_settled, name_of, stands, waits_by_design};
use crate::sabotage::Sabotage;
use crate::trouble::{self, Trouble};
use crate::world::{TENANT, TREASURY, World};

/// How long after the last fault everything is settled, but for what waits by design: see [`waits_by_design`].
const SETTLED: Duration = Duration::from_secs(60);
/// How long nothing is written or paid then.
const QUIET: Duration = Duration::from_secs(30 * 60);
/// No step of a life takes longer, whatever happens.
const LONGEST: Duration = Duration::from_secs(3 * 3600);
/// The pack of a neighbour in the same account.
const NEIGHBOUR: &str = "neighbour";
/// A pack that names what another one takes over.
const RIVAL: &str = "rival";
/// Packs that are bought within an hour, where an account has limits: the first one, and the neighbour's.
const MOST_AN_HOUR: usize = 2;
const STEP: Duration = Duration::from_secs(1);
/// No wait of the operator is longer: so long after a clock was set it is noticed.
const UNNOTICED: Duration = Duration::from_secs(60);
/// An operator that is up for so long before an expiry renews in time.
const IN_TIME: SignedDuration = SignedDuration::from_secs(150);

/// How a life went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Faults that came.
    pub reached: usize,
    /// Rules that were broken.
    pub breaches: Vec<Breach>,
    /// What a person was asked in the end: the reason, and the words with the way out.
    pub asked: Option<(String, String)>,
    /// Charges in the cloud's ledger.
    pub charges: usize,
    /// What happened, in a number: the same schedule has the same one each time.
    pub digest: u64,
}

/// Why a story is not told to its end: what stopped it is in the oracle's or the teller's hands.
struct Stop;

/// Lets a world live, and judges it.
pub async fn tell(world: &Arc<World>) -> Ending {
    prepare(world);
    world.start_process();
    if world.plan.has(Trouble::Standby) {
        world.start_process();
    }
    trouble::let_loose(world);
    let mut teller = Teller { world, asked: None, project: world.plan.project() };
    let _ = teller.lives().await;
    let asked = teller.asked.take();
    if let Some((reason, words)) = asked.as_ref().filter(|_| !world.needs_a_person()) {
        world.oracle().breach(Rule::NeedlessQuestion, format!("{reason}: {words}"));
    }
    account_for_everything(world, asked.is_some());
    let reached = world.faults().fired();
    let oracle = world.oracle();
    Ending { reached, breaches: oracle.breaches.clone(), asked, charges: oracle.charges.len(), digest: oracle.digest() }
}

/// What stands there before the operator: its Secret, and the account.
fn prepare(world: &World) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
        "data": {"secretId": "QUtJRHNpbXVsYXRvcg==", "secretKey": "c2ltdWxhdG9yLXNlY3JldC1rZXk="}});
    let mut account = json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "CarAccount", "metadata": {"name": "default"},
        "spec": {
            "site": "International", "timeZone": "+08:00", "credentials": {"secretRef": {"name": "key"}},
            "mode": if world.plan.has(Trouble::Approval) { "ApprovalRequired" } else { "Automatic" },
            "purchase": {"channel": "Api", "api": {
                "productCode": "p_car", "subProductCode": "sp_car_pack", "zoneCode": "{region}", "billingProject": 0,
                "parameterTemplate":
                    "{\"Name\":\"{packName}\",\"ConcurrentType\":\"{concurrencyScale}\",\"ApplicationType\":\"{applicationType}\"}",
                "periodUnits": {"Daily": "d", "Monthly": "m"}}},
            "priceList": {"currency": "USD", "prices": [
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"},
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Monthly", "amount": "1041.00"}]},
            "tenants": [{"namespaces": [TENANT], "projects": ["cap-a", "cap-b"]}]}});
    let spec = &mut account["spec"];
    if world.plan.has(Trouble::TokensKnown) {
        spec["purchase"]["api"]["clientTokenHonoredMinutes"] = json!(1440);
    }
    if world.plan.has(Trouble::Cautious) {
        spec["purchase"]["api"]["unansweredCalls"] = json!("Ask");
    }
    if world.plan.has(Trouble::OtherZone) {
        // A zone too far west is a danger until it is observed: docs/safety.md says so.
        let zones = [Value::Null, json!("+09:00"), json!("+12:00")];
        spec["timeZone"] = world.choose(&zones).cloned().unwrap_or_default();
    }
    if world.plan.has(Trouble::Adopted) {
        spec["tenants"][0]["adopt"] = json!(true);
    }
    if world.plan.has(Trouble::Limits) {
        let cents = world.plan.most_a_day();
        spec["limits"] = json!({"spendPerDay": format!("{}.00", cents / 100), "ordersPerHour": MOST_AN_HOUR});
        spec["tenants"][0]["brake"] = json!({"orders": MOST_AN_HOUR, "withinMinutes": 60});
    }
    user(world, &Method::POST, &format!("/api/v1/namespaces/{TREASURY}/secrets"), &secret);
    user(world, &Method::POST, &format!("/apis/carpack.io/v1alpha1/namespaces/{TREASURY}/caraccounts"), &account);
}

fn pack(world: &World, name: &str) -> Value {
    let plan = &world.plan;
    let renewal = if plan.has(Trouble::AutoRenew) {
        json!({"mode": "AutoRenew"})
    } else {
        let strategy = if plan.has(Trouble::Replace) { "Replace" } else { "Extend" };
        json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "strategy": strategy})
    };
    let deletion_policy = match () {
        () if plan.has(Trouble::Returned) => "Return",
        () if plan.has(Trouble::AutoRenew) => "Lapse",
        () => "Retain",
    };
    let project = Some(plan.project()).filter(|project| !project.is_empty());
    json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack", "metadata": {"name": name},
        "spec": {
            "accountRef": {"name": "default"}, "applicationType": "Cloud3D", "project": project,
            "billingMode": if plan.has(Trouble::Monthly) { "Monthly" } else { "Daily" },
            "region": "ap-singapore", "concurrencyScale": "L1", "quantity": plan.quantity, "duration": 1,
            "deletionPolicy": deletion_policy, "mode": "Automatic", "renewal": renewal}})
}

fn path(name: &str) -> String {
    format!("/apis/carpack.io/v1alpha1/namespaces/{TENANT}/concurrencypacks{name}")
}

/// A person with kubectl.
pub fn user(world: &World, method: &Method, path: &str, body: &Value) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    if *method == Method::DELETE && world.plan.is(Sabotage::CarelessFinalizer) {
        world.api.handle(&Method::PATCH, path, br#"{"metadata":{"finalizers":[]}}"#, false);
    }
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
        if self.world.plan.has(Trouble::Neighbour) {
            user(self.world, &Method::POST, &path(""), &pack(self.world, NEIGHBOUR));
        }
        for name in ["concert", "gig"] {
            self.bought(name).await?;
            if self.world.plan.moves() {
                self.moved(name).await?;
            }
            if self.world.plan.has(Trouble::Outage) {
                self.down_when_due(name).await?;
            } else {
                self.renewed(name).await?;
            }
            let deletion_matters = self.world.plan.has(Trouble::Returned) || self.world.plan.has(Trouble::AutoRenew);
            if self.world.faults().are_over() && !deletion_matters {
                break;
            }
            self.deleted(name).await?;
            if deletion_matters {
                self.let_go(name).await?;
            }
            if self.world.faults().are_over() {
                break;
            }
        }
        self.quiet().await
    }

    async fn bought(&mut self, name: &str) -> Result<(), Stop> {
        let mut pack = pack(self.world, name);
        if self.world.plan.has(Trouble::Adopted) {
            pack["spec"]["adopt"] = json!({"instanceIds": self.buy_by_hand()});
            self.name_the_same(&pack);
        }
        user(self.world, &Method::POST, &path(""), &pack);
        if self.world.plan.has(Trouble::Recreated) && name == "concert" {
            sleep(self.world.between(0, 5000)).await;
            self.deleted(name).await?;
            user(self.world, &Method::POST, &path(""), &pack);
        }
        let project = self.world.plan.project();
        self.project = project;
        let world = self.world;
        // Where the zone is shown by the first order, the next look tells when the pack really expires.
        let is_dated = |packs: &[Arc<ConcurrencyPack>]| {
            let told = |pack: &ConcurrencyPack| pack.status.as_ref()?.expiration_time.as_ref().map(|time| time.0);
            let mut told = packs.iter().filter(|pack| name_of(pack) == name).filter_map(|pack| told(pack));
            let shown = world.orders().iter().any(|o| o.status.as_ref().is_some_and(|s| s.time_zone.is_some()));
            !world.plan.has(Trouble::OtherZone)
                || !shown
                || told.all(|at| world.cloud().instances().iter().any(|instance| instance.expires == at))
        };
        let goal = |packs: &[Arc<ConcurrencyPack>]| stands(packs, name, project, None) && is_dated(packs);
        self.until(&format!("{name} is bought"), Duration::ZERO, goal).await
    }

    /// A person buys in the console what a pack is to take over.
    fn buy_by_hand(&self) -> Vec<String> {
        let mode = if self.world.plan.has(Trouble::Monthly) { BillingMode::Monthly } else { BillingMode::Daily };
        let mut buy = ConsoleBuy::new("by hand", mode, "ap-singapore", "L1");
        buy.quantity = self.world.plan.quantity.into();
        self.world.cloud().console_buy(&buy).map(|bought| bought.instance_ids).unwrap_or_default()
    }

    /// Another pack names the same instances, a moment before or after, and is deleted half a minute later at most.
    fn name_the_same(&self, pack: &Value) {
        let mut other = pack.clone();
        other["metadata"]["name"] = json!(RIVAL);
        let world = Arc::clone(self.world);
        let first = world.chance(2);
        let (soon, later) = (world.between(0, 3000), world.between(0, 30_000));
        if first {
            user(&world, &Method::POST, &path(""), &other);
        }
        self.world.spawn_trouble(async move {
            sleep(soon).await;
            if !first {
                user(&world, &Method::POST, &path(""), &other);
            }
            sleep(later).await;
            user(&world, &Method::DELETE, &path(&format!("/{RIVAL}")), &Value::Null);
        });
    }

    async fn moved(&mut self, name: &str) -> Result<(), Stop> {
        user(self.world, &Method::PATCH, &path(&format!("/{name}")), &json!({"spec": {"project": "cap-b"}}));
        self.project = "cap-b";
        self.until(&format!("{name} is moved"), Duration::ZERO, |packs| stands(packs, name, "cap-b", None)).await
    }

    /// The clock is set to shortly before the renewal is due; that of a neighbour comes with it.
    async fn renewed(&mut self, name: &str) -> Result<(), Stop> {
        let mut renewals = vec![(name, self.next_renewal(name)?)];
        if self.world.plan.has(Trouble::Neighbour) {
            renewals.push((NEIGHBOUR, self.next_renewal(NEIGHBOUR)?));
        }
        if self.world.plan.has(Trouble::ByHand) {
            self.some_are_renewed_by_hand();
        }
        // Until all of them are due, and none is nearly over.
        let due = renewals.iter().map(|(_, (due, _))| *due).max().unwrap_or(Timestamp::MAX);
        let over = renewals.iter().map(|(_, (_, expires))| *expires).min().unwrap_or(Timestamp::MAX);
        self.time_flies_until(due.min(over.saturating_sub(IN_TIME).unwrap_or(due)), 5);
        for (name, (_, expires)) in renewals {
            self.until_renewed(name, expires).await?;
        }
        Ok(())
    }

    /// Not all of them: the rest is the operator's.
    fn some_are_renewed_by_hand(&self) {
        let mut cloud = self.world.cloud();
        let ids: Vec<String> = cloud.instances().into_iter().map(|instance| instance.id).collect();
        for id in ids.iter().skip(1).filter(|_| self.world.chance(2)) {
            // An instance of a pack that is gone has ended.
            let done = cloud.console_renew(id, 1);
            tracing::info!(id, ok = done.is_ok(), "CONSOLE renews");
        }
    }

    /// What becomes of what a deleted pack has bought: it is returned, or runs out.
    async fn let_go(&mut self, name: &str) -> Result<(), Stop> {
        let world = self.world;
        let returned = world.plan.has(Trouble::Returned);
        let over = |instance: &Instance| {
            let ends = returned && instance.status != InstanceStatus::Normal
                || !returned && instance.renew_flag != RenewFlag::NotifyAndAutoRenew;
            ends || !carries_hash(TENANT, name, &instance.name)
        };
        self.until(&format!("{name} is let go"), UNNOTICED, |_| world.cloud().instances().iter().all(over)).await
    }

    /// The operator is down when the renewal falls due, and up again before, or after, the pack expires.
    async fn down_when_due(&mut self, name: &str) -> Result<(), Stop> {
        let (due, expires) = self.next_renewal(name)?;
        self.world.kill_all();
        let window = expires.duration_since(due).as_secs();
        let seconds = self.world.between(0, window.unsigned_abs().saturating_mul(1100)).as_secs();
        let later = SignedDuration::from_secs(seconds.try_into().unwrap_or(0));
        self.time_flies_until(due.saturating_add(later).unwrap_or(due), 0);
        // What is left until the expiry is the operator's to use from when it leads.
        let left = expires.duration_since(self.world.clock.now());
        self.world.start_process();
        if left > IN_TIME {
            return self.until_renewed(name, expires).await;
        }
        sleep(Duration::from_secs(300)).await;
        let renewed = self.world.packs().iter().any(|pack| {
            let at = pack.status.as_ref().and_then(|status| status.expiration_time.as_ref()).map(|t| t.0);
            name_of(pack) == name && at.is_some_and(|at| is_later_expiry(at, expires))
        });
        if left.is_negative() && renewed {
            self.world.oracle().breach(Rule::RepeatedRenewal, format!("{name} was renewed after it had expired"));
        }
        self.asked = asks(&self.world.packs(), &self.world.orders());
        if !renewed && self.asked.is_none() {
            self.world.oracle().breach(Rule::MissedRenewal, format!("{name} was not renewed, and nobody is told"));
        }
        Err(Stop)
    }

    fn next_renewal(&self, name: &str) -> Result<(Timestamp, Timestamp), Stop> {
        let pack = self.world.packs().into_iter().find(|pack| name_of(pack) == name);
        let status = pack.and_then(|pack| pack.status.clone()).unwrap_or_default();
        // The cloud has renewed what it renews by the last day.
        let cloud = status.expiration_time.clone().filter(|_| self.world.plan.has(Trouble::AutoRenew));
        let (Some(due), Some(expires)) = (status.next_renewal_time.or(cloud), status.expiration_time) else {
            self.world.oracle().breach(Rule::MissedRenewal, format!("{name} has no time of renewal"));
            return Err(Stop);
        };
        Ok((due.0, expires.0))
    }

    /// Nobody is told.
    fn time_flies_until(&self, moment: Timestamp, seconds_before: i64) {
        let left = moment.duration_since(self.world.clock.now());
        self.world.clock.shift(left.saturating_sub(SignedDuration::from_secs(seconds_before)));
        tracing::info!(now = %self.world.clock.now(), "TIME");
        self.world.disturb();
    }

    async fn until_renewed(&mut self, name: &str, expires: Timestamp) -> Result<(), Stop> {
        let project = if name == NEIGHBOUR { "cap-a" } else { self.project };
        let what = format!("{name} is renewed");
        let renewed = self.until(&what, UNNOTICED, |packs| stands(packs, name, project, Some(expires))).await;
        // What the cloud renews it has renewed before the operator looks.
        let by_us = !self.world.plan.has(Trouble::AutoRenew);
        if by_us && renewed.is_ok() && self.world.clock.now() >= expires {
            self.world.oracle().breach(Rule::MissedRenewal, format!("{name} was renewed after it had expired"));
        }
        renewed
    }

    async fn deleted(&mut self, name: &str) -> Result<(), Stop> {
        user(self.world, &Method::DELETE, &path(&format!("/{name}")), &Value::Null);
        let gone = |packs: &[Arc<ConcurrencyPack>]| packs.iter().all(|pack| name_of(pack) != name);
        let begun = Instant::now();
        while !gone(&self.world.packs()) {
            if begun.elapsed() > LONGEST {
                self.world.oracle().breach(Rule::NotSettled, format!("{name} is not deleted"));
                return Err(Stop);
            }
            sleep(STEP).await;
        }
        Ok(())
    }

    /// Waits until this is so and every order is settled.
    async fn until(
        &mut self,
        what: &str,
        unnoticed: Duration,
        goal: impl Fn(&[Arc<ConcurrencyPack>]) -> bool,
    ) -> Result<(), Stop> {
        let world = self.world;
        let (mut version, mut orders, mut reached) = (None, Vec::new(), false);
        let (begun, mut calm, mut disturbed) = (Instant::now(), Duration::ZERO, world.disturbed());
        loop {
            let newest = world.api.version();
            if version.replace(newest) != Some(newest) {
                orders = world.orders();
                let packs = world.packs();
                let neighbour = !world.plan.has(Trouble::Neighbour) || stands(&packs, NEIGHBOUR, "cap-a", None);
                reached = orders.iter().all(|order| is_settled(order)) && neighbour && goal(&packs);
            }
            if reached {
                tracing::info!(what, after = ?begun.elapsed(), "DONE");
                return Ok(());
            }
            if disturbed != world.disturbed() {
                (calm, disturbed) = (Duration::ZERO, world.disturbed());
            }
            let allowed = unnoticed + SETTLED + world.allowance();
            if calm > allowed || begun.elapsed() > LONGEST {
                self.give_up(what, &orders);
                return Err(Stop);
            }
            sleep(STEP).await;
            if !world.is_troubled() && !waits_by_design(&orders, world.slowest_time()) {
                calm += STEP;
            }
        }
    }

    /// Not settled: a person was asked, or a rule is broken.
    fn give_up(&mut self, what: &str, orders: &[Arc<PackOrder>]) {
        let packs = self.world.packs();
        self.asked = asks(&packs, orders);
        // Nobody was away for so long.
        if let Some((_, words)) = self.asked.take_if(|(reason, _)| reason == "Missed") {
            self.world.oracle().breach(Rule::MissedRenewal, format!("{what}: not yet; {words}"));
            return;
        }
        if self.asked.is_none() {
            let packs: Vec<String> = packs.iter().map(|pack| describe(pack)).collect();
            let orders: Vec<String> = orders.iter().map(|order| describe_order(order)).collect();
            let what = format!("{what}: not yet; {}; {}", packs.join("; "), orders.join("; "));
            self.world.oracle().breach(Rule::NotSettled, what);
        }
    }

    /// Nothing is written, and nothing is paid.
    async fn quiet(&self) -> Result<(), Stop> {
        let world = self.world;
        let begun = Instant::now();
        world.calm_down();
        // What a person does in the console is noticed by the next look only.
        let unnoticed = if world.plan.has(Trouble::Console) { UNNOTICED } else { Duration::ZERO };
        // What was disturbed last is over by then, and the account's report has followed with the next look.
        loop {
            let settled = begun.max(world.disturbed()) + SETTLED + STEP + unnoticed + world.allowance();
            if settled <= Instant::now() && !world.is_troubled() && !world.has_sleepers() {
                break;
            }
            sleep_until(settled.max(Instant::now() + STEP)).await;
        }
        world.hold_the_lease();
        let before = world.oracle().counts();
        sleep(QUIET).await;
        let mut oracle = world.oracle();
        let after = oracle.counts();
        if before != after {
            let (writes, calls) = (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
            oracle.breach(Rule::Restless, format!("{writes} writes and {calls} paid calls"));
        }
        Ok(())
    }
}

/// I3: whatever was paid is on the record of an order, and in the hands of a pack or in the account's report.
fn account_for_everything(world: &World, asked: bool) {
    let (orders, packs) = (world.orders(), world.packs());
    let lines: Vec<_> =
        orders.iter().filter_map(|order| order.status.as_ref()).flat_map(|status| status.lines.clone()).collect();
    let entries: Vec<_> = world.cloud().ledger().to_vec();
    // Where a person is asked, the order says so, and names the call instead of the cloud's order; and people may delete
    // what was recorded.
    let excused = asked || world.plan.has(Trouble::OrdersDeleted);
    let by_us = |entry: &&LedgerEntry| entry.action != "AutoRenew" && !entry.action.starts_with("Console");
    for entry in entries.iter().filter(by_us).filter(|_| !excused) {
        if !lines.iter().any(|line| line.order_ids.contains(&entry.order_id)) {
            world.oracle().breach(Rule::LostPack, format!("no order has {} on its record", entry.order_id));
        }
    }
    let unclaimed = world.account().and_then(|account| account.status.clone()).unwrap_or_default().unclaimed_instances;
    let instances = world.cloud().instances();
    for instance in instances {
        let owned = packs.iter().filter_map(|pack| pack.status.as_ref()).flat_map(|status| &status.instances);
        let claimed = owned.into_iter().any(|i| i.id == instance.id);
        let reported = unclaimed.iter().any(|row| row.id == instance.id);
        // What was bought for a pack that is there is its own, not merely reported.
        let ours = packs.iter().any(|pack| carries_hash(TENANT, name_of(pack), &instance.name));
        let wanted = ours && !asked && instance.expires > world.clock.now();
        if !claimed && (!reported || wanted) {
            world.oracle().breach(Rule::LostPack, format!("nobody has {} ({})", instance.id, instance.name));
        }
    }
}
