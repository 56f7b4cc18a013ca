//! The controller of CarAccounts: keeps an inventory running for each account, and reports what it shows.

use std::sync::Arc;

use carpack_api::account::UnclaimedInstance;
use carpack_api::common::Time;
use carpack_api::order::OrderAction;
use carpack_api::pack::RenewFlag;
use carpack_api::{CarAccount, CarAccountStatus, ConcurrencyPack, PackOrder, Reason};
use carpack_core::account::{Account, Health};
use carpack_core::condition::{BRAKE_RELEASED, READY, Verdict, events, merge, verdict};
use carpack_core::facts::holdings::owns_instance;
use carpack_core::facts::ledger::has_paid;
use carpack_core::money::{Amount, NoSum, display, sum};
use carpack_core::rules::brake::all_engaged;
use carpack_core::rules::limits::renewals_due;
use carpack_core::time::plus;
use carpack_core::zone;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::driver::Requeue;
use super::record::record;
use crate::account::snapshot::Snapshot;
use crate::operator::Operator;
use crate::runtime::error::StepError;

/// How often the time of the last sweep is written while nothing else changes.
const REFRESH: SignedDuration = SignedDuration::from_hours(1);
/// The capability of an account that has bought. It stays when the order that proved it is deleted.
const BUY: &str = "Buy";
/// How many unclaimed instances the status lists.
const LISTED: usize = 20;

/// Reconciles an account.
///
/// # Errors
/// When the status cannot be written.
pub async fn reconcile(account: Arc<CarAccount>, operator: Arc<Operator>) -> Result<Requeue, StepError> {
    let name = account.name_any();
    operator.inventories.ensure(&account, zone_shown(&operator, &name));
    let snapshot = operator.snapshot(&name);
    if !snapshot.is_settled() {
        // The first sweep queues the account again.
        return Ok(None);
    }
    let now = operator.clock.second();
    let packs = operator.stores.packs.select(|pack| pack.spec.account_ref.name == name);
    let old = account.status.clone().unwrap_or_default();
    let mut verdicts = vec![ready(&account, &snapshot)];
    verdicts.extend(brake(&operator, operator.account(&name, &snapshot)));
    let mut status = report(&account, &snapshot, &packs, now);
    status.conditions = merge(&old.conditions, &verdicts, account.metadata.generation, now);
    let bought = old.capabilities.iter().any(|known| known == BUY);
    if bought || was_seen_to_buy(&operator, &name) {
        status.capabilities.push(BUY.to_owned());
    }
    keep_last_sweep(&old, &mut status);
    let news = events(&old.conditions, &verdicts, &[]);
    record(&operator, "recording an account", account, status, &news).await?;
    Ok(Some(operator.clock.wait_for(None)))
}

/// What the status of an account depends on in a pack: its instances, and when it is renewed next.
pub fn counts(pack: &ConcurrencyPack) -> (Vec<&str>, Option<&Time>) {
    let status = pack.status.as_ref();
    let instances = status.iter().flat_map(|status| &status.instances).map(|instance| instance.id.as_str());
    (instances.collect(), status.and_then(|status| status.next_renewal_time.as_ref()))
}

/// One condition for all tenants whose brake is on. None when no tenant has a brake.
fn brake(operator: &Operator, account: Option<Account>) -> Option<Verdict> {
    let account = account.filter(|account| account.spec.tenants.iter().any(|tenant| tenant.brake.is_some()))?;
    let on = all_engaged(&account, &operator.settings.namespace, &operator.commitments(Some(&account)));
    Some(if on.is_empty() {
        verdict(BRAKE_RELEASED, Some(true), Reason::BrakeReleased, "no brake holds anything")
    } else {
        verdict(BRAKE_RELEASED, Some(false), Reason::BrakeOn, on.join("; "))
    })
}

fn ready(account: &CarAccount, snapshot: &Snapshot) -> Verdict {
    match &snapshot.health {
        Health::Ready => {
            let zone = zone_told(account.spec.time_zone.as_deref(), snapshot.zone);
            let debt = if snapshot.balance.as_ref().is_some_and(|balance| balance.cents < 0) {
                "; its balance is a debt: top it up, or the cloud refuses what is to be bought and renewed"
            } else {
                ""
            };
            verdict(READY, Some(true), Reason::Ready, format!("the account can be worked with{debt}{zone}"))
        }
        Health::NotReady { reason, message } => verdict(READY, Some(false), *reason, message.clone()),
    }
}

/// What the condition says of the zone of the cloud's timestamps.
fn zone_told(named: Option<&str>, observed: Option<Offset>) -> String {
    match (named, observed.map(zone::text)) {
        (Some(named), Some(observed)) if named != observed => format!(
            "; the cloud's timestamps are in {observed}, as an order has shown, and read so: correct spec.timeZone, or remove it"
        ),
        (None, None) => "; until the first order shows the zone of the cloud's timestamps, each is read as the earliest moment that it may mean: set spec.timeZone if you know it".to_owned(),
        (Some(_), _) | (None, Some(_)) => String::new(),
    }
}

fn report(
    account: &CarAccount,
    snapshot: &Snapshot,
    packs: &[Arc<ConcurrencyPack>],
    now: Timestamp,
) -> CarAccountStatus {
    let currency = &account.spec.price_list.currency;
    let known = account.status.as_ref().and_then(|status| status.cloud_account.clone());
    let mut status = CarAccountStatus {
        observed_generation: account.metadata.generation,
        cloud_account: known.or_else(|| snapshot.cloud_account.clone()),
        ..CarAccountStatus::default()
    };
    let balance = snapshot.balance.as_ref().and_then(|balance| Amount::from_signed_cents(balance.cents));
    let known = account.status.as_ref().and_then(|status| status.time_zone.clone());
    status.time_zone = snapshot.zone.map(zone::text).or(known);
    status.balance = balance.map(|amount| display(&amount.in_currency(currency)));
    let priced = Account { name: account.name_any(), spec: account.spec.clone(), health: snapshot.health.clone() };
    let due = |days: i64| {
        let sum = due(&priced, packs, now, SignedDuration::from_hours(24 * days)).ok()?;
        Some(display(&sum.in_currency(currency)))
    };
    status.due_7_days = due(7);
    status.due_30_days = due(30);
    let Some(observation) = &snapshot.observation else { return status };
    let unclaimed: Vec<UnclaimedInstance> = observation
        .instances
        .values()
        .filter(|instance| !packs.iter().any(|pack| owns_instance(pack, &instance.id)))
        .map(|instance| UnclaimedInstance {
            id: instance.id.clone(),
            name: instance.name.clone(),
            expiration_time: instance.expiration.map(Time),
            renews_itself: instance.renew_flag == RenewFlag::Auto,
        })
        .collect();
    status.unclaimed = i64::try_from(unclaimed.len()).unwrap_or(i64::MAX);
    status.unclaimed_instances = unclaimed.into_iter().take(LISTED).collect();
    status.last_sweep_time = Some(Time(observation.started));
    status.capabilities.push("Observe".to_owned());
    status
}

/// What renewals by the operator will cost within this span, at today's prices.
fn due(
    account: &Account,
    packs: &[Arc<ConcurrencyPack>],
    now: Timestamp,
    span: SignedDuration,
) -> Result<Amount, NoSum> {
    let horizon = plus(now, span);
    let costs: Vec<_> =
        packs.iter().flat_map(|pack| renewals_due(account, pack, horizon)).map(|(_, cost)| cost).collect();
    sum(&account.spec.price_list.currency, &costs)
}

/// The zone of the cloud's timestamps, by the newest order of the account that shows it.
fn zone_shown(operator: &Operator, account: &str) -> Option<Offset> {
    let told = |order: &PackOrder| zone::parse(order.status.as_ref()?.time_zone.as_deref()?);
    let orders = operator.stores.orders.select(|order| order.spec.account_ref.name == account && told(order).is_some());
    orders.iter().max_by_key(|order| order.spec.decision_time.0).and_then(|order| told(order))
}

/// True when an order shows that the account has bought.
fn was_seen_to_buy(operator: &Operator, account: &str) -> bool {
    let found = operator.stores.orders.store.find(|order| {
        order.spec.account_ref.name == account && order.spec.action == OrderAction::Buy && has_paid(order)
    });
    found.is_some()
}

/// Keeps the recorded time of the last sweep while nothing else changes: the time alone is not worth a write.
fn keep_last_sweep(old: &CarAccountStatus, new: &mut CarAccountStatus) {
    let (Some(before), Some(now)) = (&old.last_sweep_time, &new.last_sweep_time) else { return };
    let unchanged = *old == CarAccountStatus { last_sweep_time: old.last_sweep_time.clone(), ..new.clone() };
    if unchanged && now.0.duration_since(before.0) < REFRESH {
        new.last_sweep_time.clone_from(&old.last_sweep_time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_last_sweep_alone_is_written_only_now_and_then() {
        let at = |minute: i64| Some(Time(Timestamp::from_second(minute * 60).unwrap()));
        let old = CarAccountStatus { last_sweep_time: at(0), ..CarAccountStatus::default() };
        let kept = |new: CarAccountStatus| {
            let mut new = new;
            keep_last_sweep(&old, &mut new);
            new.last_sweep_time
        };
        assert_eq!(kept(CarAccountStatus { last_sweep_time: at(59), ..old.clone() }), at(0));
        assert_eq!(kept(CarAccountStatus { last_sweep_time: at(60), ..old.clone() }), at(60));
        assert_eq!(kept(CarAccountStatus { last_sweep_time: at(1), unclaimed: 1, ..old.clone() }), at(1));
    }
}
