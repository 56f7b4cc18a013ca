//! The steps of a pack's life: it is bought, moved, renewed and deleted.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::ConcurrencyPack;
use carpack_core::names::carries_hash;
use carpack_simulator::ConsoleBuy;
use carpack_simulator::state::{Instance, InstanceStatus, RenewFlag};
use carpack_simulator::term::BillingMode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::manifests::pack;
use super::status::{expiration_time, is_ready, question};
use super::waiting::{LONGEST_REQUEUE, NEIGHBOUR, Stopped, Timeline};
use crate::circumstance::Circumstance;
use crate::oracle::expiry::is_later_expiry;
use crate::rule::Rule;
use crate::user;
use crate::world::objects::name_of;
use crate::world::{TENANT, World};

/// The pack of the first life; the second one has another name.
pub const FIRST: &str = "concert";
/// A pack that names the same instances as another one.
const RIVAL: &str = "rival";
/// An operator that runs for so long before an expiry must renew in time.
const TIME_TO_RENEW: SignedDuration = SignedDuration::from_secs(150);

impl Timeline<'_> {
    /// A pack is created, and the operator buys it.
    pub(super) async fn buy(&mut self, name: &str) -> Result<(), Stopped> {
        let world = self.world;
        let mut pack = pack(world, name);
        if world.plan.has(Circumstance::Adopted) {
            pack["spec"]["adopt"] = json!({"instanceIds": self.buy_in_console()});
            self.name_the_same_instances(&pack);
        }
        user::create(world, &user::pack_path(""), &pack);
        if world.plan.has(Circumstance::Recreated) && name == FIRST {
            sleep(world.random.between(0, 5000)).await;
            self.delete(name).await?;
            user::create(world, &user::pack_path(""), &pack);
        }
        let project = world.plan.project();
        self.project = project;
        let goal = |packs: &[Arc<ConcurrencyPack>]| {
            is_ready(packs, name, project, None) && has_true_expiry(world, packs, name)
        };
        self.wait_until(&format!("{name} is bought"), Duration::ZERO, goal).await
    }

    /// A person buys in the console what a pack is to take over.
    fn buy_in_console(&self) -> Vec<String> {
        let mode = if self.world.plan.has(Circumstance::Monthly) { BillingMode::Monthly } else { BillingMode::Daily };
        let mut buy = ConsoleBuy::new("by hand", mode, "ap-singapore", "L1");
        buy.quantity = self.world.plan.quantity.into();
        self.world.cloud().console_buy(&buy).map(|bought| bought.instance_ids).unwrap_or_default()
    }

    /// Another pack names the same instances, up to three seconds earlier or later. It is deleted after at most 33 s.
    fn name_the_same_instances(&self, pack: &Value) {
        let mut other = pack.clone();
        other["metadata"]["name"] = json!(RIVAL);
        let world = Arc::clone(self.world);
        let earlier = world.random.chance(2);
        let (soon, later) = (world.random.between(0, 3000), world.random.between(0, 30_000));
        if earlier {
            user::create(&world, &user::pack_path(""), &other);
        }
        self.world.spawn_incident(async move {
            sleep(soon).await;
            if !earlier {
                user::create(&world, &user::pack_path(""), &other);
            }
            sleep(later).await;
            user::delete(&world, &user::pack_path(RIVAL));
        });
    }

    /// A person moves the pack to another project.
    pub(super) async fn move_pack(&mut self, name: &str) -> Result<(), Stopped> {
        user::patch(self.world, &user::pack_path(name), &json!({"spec": {"project": "cap-b"}}));
        self.project = "cap-b";
        let goal = |packs: &[Arc<ConcurrencyPack>]| is_ready(packs, name, "cap-b", None);
        self.wait_until(&format!("{name} is moved"), Duration::ZERO, goal).await
    }

    /// The clock is set to shortly before the renewal is due, and the operator renews the pack. A neighbour's pack is
    /// renewed too.
    pub(super) async fn renew(&mut self, name: &str) -> Result<(), Stopped> {
        let mut renewals = vec![(name, self.next_renewal(name)?)];
        if self.world.plan.has(Circumstance::Neighbour) {
            renewals.push((NEIGHBOUR, self.next_renewal(NEIGHBOUR)?));
        }
        if self.world.plan.has(Circumstance::ByHand) {
            self.renew_some_by_hand();
        }
        // When all of them are due, but early enough before the first expiry.
        let due = renewals.iter().map(|(_, renewal)| renewal.due).max().unwrap_or(Timestamp::MAX);
        let expires = renewals.iter().map(|(_, renewal)| renewal.expires).min().unwrap_or(Timestamp::MAX);
        self.set_clock(due.min(expires.saturating_sub(TIME_TO_RENEW).unwrap_or(due)), 5);
        for (name, renewal) in renewals {
            self.wait_until_renewed(name, renewal.expires).await?;
        }
        Ok(())
    }

    /// A person renews some of the instances in the console. At least one is left to the operator.
    fn renew_some_by_hand(&self) {
        let mut cloud = self.world.cloud();
        let ids: Vec<String> = cloud.instances().into_iter().map(|instance| instance.id).collect();
        for id in ids.iter().skip(1).filter(|_| self.world.random.chance(2)) {
            // This fails for an instance of a deleted pack that has expired.
            let done = cloud.console_renew(id, 1);
            tracing::info!(id, ok = done.is_ok(), "CONSOLE renews");
        }
    }

    /// The instances of a deleted pack are returned, or they expire.
    pub(super) async fn release_instances(&mut self, name: &str) -> Result<(), Stopped> {
        let world = self.world;
        let returned = world.plan.has(Circumstance::Returned);
        let is_released = |instance: &Instance| {
            let ends = returned && instance.status != InstanceStatus::Normal
                || !returned && instance.renew_flag != RenewFlag::NotifyAndAutoRenew;
            ends || !carries_hash(TENANT, name, &instance.name)
        };
        let goal = |_: &[Arc<ConcurrencyPack>]| world.cloud().instances().iter().all(is_released);
        self.wait_until(&format!("{name} is released"), LONGEST_REQUEUE, goal).await
    }

    /// The operator is down when the renewal is due. It comes up again before or after the pack expires. The timeline
    /// ends here, unless the pack is renewed in time.
    pub(super) async fn renew_after_outage(&mut self, name: &str) -> Result<(), Stopped> {
        let world = self.world;
        let NextRenewal { due, expires } = self.next_renewal(name)?;
        world.kill_all();
        let window = expires.duration_since(due).as_secs();
        let seconds = world.random.between(0, window.unsigned_abs().saturating_mul(1100)).as_secs();
        let later = SignedDuration::from_secs(seconds.try_into().unwrap_or(0));
        self.set_clock(due.saturating_add(later).unwrap_or(due), 0);
        let left = expires.duration_since(world.clock.now());
        world.start_process();
        if left > TIME_TO_RENEW {
            return self.wait_until_renewed(name, expires).await;
        }
        sleep(Duration::from_secs(300)).await;
        let packs = world.objects.packs();
        let renewed = packs.iter().any(|pack| {
            name_of(pack.as_ref()) == name && expiration_time(pack).is_some_and(|at| is_later_expiry(at, expires))
        });
        if left.is_negative() && renewed {
            let what = format!("{name} was renewed after it had expired");
            world.journal().breach(Rule::RepeatedRenewal, what);
        }
        self.asked = question(&packs, &world.objects.orders());
        if !renewed && self.asked.is_none() {
            let what = format!("{name} was not renewed, and nobody is told");
            world.journal().breach(Rule::MissedRenewal, what);
        }
        Err(Stopped)
    }

    /// Reads from the pack's status when it is renewed next.
    fn next_renewal(&self, name: &str) -> Result<NextRenewal, Stopped> {
        let pack = self.world.objects.packs().into_iter().find(|pack| name_of(pack.as_ref()) == name);
        let status = pack.and_then(|pack| pack.status.clone()).unwrap_or_default();
        // The cloud renews at the expiry.
        let by_cloud = status.expiration_time.clone().filter(|_| self.world.plan.has(Circumstance::AutoRenew));
        let (Some(due), Some(expires)) = (status.next_renewal_time.or(by_cloud), status.expiration_time) else {
            self.world.journal().breach(Rule::MissedRenewal, format!("{name} has no time of renewal"));
            return Err(Stopped);
        };
        Ok(NextRenewal { due: due.0, expires: expires.0 })
    }

    /// Sets the clock forward to so many seconds before a moment. No timer notices.
    fn set_clock(&self, moment: Timestamp, seconds_before: i64) {
        let left = moment.duration_since(self.world.clock.now());
        self.world.clock.shift(left.saturating_sub(SignedDuration::from_secs(seconds_before)));
        tracing::info!(now = %self.world.clock.now(), "TIME");
        self.world.disturb();
    }

    async fn wait_until_renewed(&mut self, name: &str, expires: Timestamp) -> Result<(), Stopped> {
        let project = if name == NEIGHBOUR { "cap-a" } else { self.project };
        let goal = |packs: &[Arc<ConcurrencyPack>]| is_ready(packs, name, project, Some(expires));
        let renewed = self.wait_until(&format!("{name} is renewed"), LONGEST_REQUEUE, goal).await;
        // The cloud renews in time, but the operator observes it only later.
        let by_operator = !self.world.plan.has(Circumstance::AutoRenew);
        if by_operator && renewed.is_ok() && self.world.clock.now() >= expires {
            let what = format!("{name} was renewed after it had expired");
            self.world.journal().breach(Rule::MissedRenewal, what);
        }
        renewed
    }

    /// A person deletes the pack.
    pub(super) async fn delete(&mut self, name: &str) -> Result<(), Stopped> {
        user::delete(self.world, &user::pack_path(name));
        self.wait_until_deleted(name).await
    }
}

/// When a pack is renewed next.
struct NextRenewal {
    due: Timestamp,
    expires: Timestamp,
}

/// With a wrong time zone in the account, the first order shows the true one, and the next sweep corrects the pack's
/// expiry. True once that has happened.
fn has_true_expiry(world: &World, packs: &[Arc<ConcurrencyPack>], name: &str) -> bool {
    let orders = world.objects.orders();
    let zone_is_known = orders.iter().flat_map(|order| &order.status).any(|status| status.time_zone.is_some());
    if !world.plan.has(Circumstance::OtherZone) || !zone_is_known {
        return true;
    }
    let mut shown = packs.iter().filter(|pack| name_of(pack.as_ref()) == name).filter_map(|pack| expiration_time(pack));
    shown.all(|at| world.cloud().instances().iter().any(|instance| instance.expires == at))
}
