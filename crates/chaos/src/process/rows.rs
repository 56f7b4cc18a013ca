//! Rows of the cloud's lists, as a client decodes them.

use carpack_cloud::port::{
    ConcurrentPackage, Deal, DealAction, DealStatus, ProjectBinding, RenewFlag, RenewableInstance,
};
use carpack_simulator::state::{self, State, View};
use carpack_simulator::term::format_time;
use jiff::{SignedDuration, Timestamp};

use crate::circumstance::Circumstance;
use crate::mutant::Mutant;
use crate::world::World;

/// Mutants that read lists wrongly.
pub fn mutate(world: &World, rows: &mut Vec<state::Instance>) {
    match world.plan.mutant {
        Some(Mutant::FirstRowOnly) => rows.truncate(1),
        Some(Mutant::NoNames) => rows.iter_mut().for_each(|row| row.name.clear()),
        Some(Mutant::WrongZone) => shift_expiries(rows, SignedDuration::from_hours(8)),
        _ => {}
    }
}

/// Makes every expiry later by this.
pub fn shift_expiries(rows: &mut [state::Instance], later: SignedDuration) {
    for row in rows {
        row.expires = row.expires.saturating_add(later).unwrap_or(row.expires);
    }
}

/// The state that a list shows: that of some time ago.
pub fn view(world: &World, cloud: &State) -> View {
    let lag = if world.plan.is(Mutant::StaleLists) { SignedDuration::from_mins(15) } else { world.lag() };
    let as_of = (!lag.is_zero()).then(|| cloud.now().saturating_sub(lag).unwrap_or(Timestamp::MIN));
    View { as_of, rotate: 0 }
}

/// A row of the renewal list.
pub fn renewable(cloud: &State, row: &state::Instance) -> RenewableInstance {
    RenewableInstance {
        id: row.id.clone(),
        name: Some(row.name.clone()).filter(|name| !name.is_empty()),
        product_code: Some(cloud.rules().product_code.clone()),
        sub_product_code: Some(cloud.rules().sub_product_code.clone()),
        region: Some(row.region.clone()),
        expire_time: Some(format_time(row.expires, &cloud.rules().zone)),
        renew_flag: Some(match row.renew_flag {
            state::RenewFlag::NotifyAndAutoRenew => RenewFlag::Auto,
            state::RenewFlag::NotifyAndManualRenew => RenewFlag::Manual,
            state::RenewFlag::DisableNotifyAndManualRenew => RenewFlag::ManualSilent,
        }),
        isolated: row.status == state::InstanceStatus::Isolated,
    }
}

/// A row of CAR's own list.
pub fn package(world: &World, cloud: &State, row: &state::Instance) -> ConcurrentPackage {
    ConcurrentPackage {
        id: row.id.clone(),
        name: Some(row.name.clone()).filter(|name| !name.is_empty()),
        project: row.project_id.clone().map_or(ProjectBinding::Unbound, ProjectBinding::Bound),
        scale: Some(row.scale.clone()),
        region: Some(row.region.clone()),
        concurrencies: (world.is_calm() || !world.plan.has(Circumstance::FewCounts) || world.random.chance(2))
            .then_some(1),
        expire_time: Some(format_time(row.expires, &cloud.rules().zone)),
    }
}

/// A row of the list of deals.
pub fn deal(cloud: &State, row: state::Order) -> Deal {
    let refund = row.action == state::OrderAction::Refund;
    Deal {
        order_id: row.order_id,
        status: Some(DealStatus::of(row.status)),
        action: DealAction::of(row.action.as_str()),
        cost_cents: Some(if refund { row.cost_cents.saturating_neg() } else { row.cost_cents }),
        currency: Some("USD".to_owned()),
        resource_ids: row.instance_ids,
        product_code: Some(cloud.rules().product_code.clone()),
        create_time: Some(format_time(row.created, &cloud.rules().zone)),
    }
}
