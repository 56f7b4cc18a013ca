//! Makes one observation of the cloud's two lists of instances. The renewal list has expiry, renewal switch, isolation and name.
//! CAR's own list has project, scale, region and count.

use std::collections::BTreeMap;

use carpack_api::pack::{ExpirationTimeSource, RenewFlag};
use carpack_cloud::port::{self, ConcurrentPackage, DealStatus, ProjectBinding, RenewableInstance};
use carpack_core::observation::{Binding, Deal, DealAction, DealState, Instance, Observation, Project};
use jiff::Timestamp;
use jiff::tz::Offset;

/// The lists that a sweep has read.
pub struct Lists {
    /// When the sweep began.
    pub started: Timestamp,
    /// The renewal list: instances of all products.
    pub renewables: Vec<RenewableInstance>,
    /// CAR's own list.
    pub packages: Vec<ConcurrentPackage>,
    /// The projects.
    pub projects: Vec<port::Project>,
}

/// One observation of the lists. An instance is left out as one of another product when CAR does not list it and it does not
/// have the account's product code.
pub fn merge(lists: Lists, product_code: Option<&str>, zone: Offset) -> Observation {
    let mut packages: BTreeMap<String, ConcurrentPackage> =
        lists.packages.into_iter().map(|package| (package.id.clone(), package)).collect();
    let mut instances = BTreeMap::new();
    for renewable in lists.renewables {
        let package = packages.remove(&renewable.id);
        let ours = product_code.is_some() && renewable.product_code.as_deref() == product_code;
        if package.is_some() || ours {
            instances.insert(renewable.id.clone(), instance(Some(renewable), package, zone));
        }
    }
    for (id, package) in packages {
        instances.insert(id, instance(None, Some(package), zone));
    }
    let projects = lists.projects.into_iter().map(|p| (p.id.clone(), Project { id: p.id, scale: p.scale })).collect();
    Observation {
        started: lists.started,
        instances: instances.into_values().map(|i| (i.id.clone(), i)).collect(),
        projects,
    }
}

/// The instance by both lists. At least one of the two is given.
fn instance(renewable: Option<RenewableInstance>, package: Option<ConcurrentPackage>, zone: Offset) -> Instance {
    let read = |text: &Option<String>| text.as_deref().and_then(|text| carpack_cloud::time::parse(text, zone));
    let by_billing = renewable.as_ref().and_then(|r| read(&r.expire_time));
    let by_car = package.as_ref().and_then(|p| read(&p.expire_time));
    let billing_name = renewable.as_ref().and_then(|r| r.name.clone());
    let car_name = package.as_ref().and_then(|p| p.name.clone());
    let billing_region = renewable.as_ref().and_then(|r| r.region.clone());
    let car_region = package.as_ref().and_then(|p| p.region.clone());
    let id = renewable.as_ref().map(|r| r.id.clone()).or_else(|| package.as_ref().map(|p| p.id.clone()));
    Instance {
        id: id.unwrap_or_default(),
        name: billing_name.or(car_name),
        concurrencies: package
            .as_ref()
            .and_then(|p| p.concurrencies)
            .and_then(|n| i32::try_from(n).ok())
            .filter(|n| *n > 0),
        project: match package.as_ref().map(|p| &p.project) {
            None | Some(ProjectBinding::Unknown) => Binding::Unknown,
            Some(ProjectBinding::Unbound) => Binding::Unbound,
            Some(ProjectBinding::Bound(project)) => Binding::Bound(project.clone()),
        },
        expiration: by_billing.or(by_car),
        expiration_source: if by_billing.is_none() && by_car.is_some() {
            ExpirationTimeSource::ConcurrentPackages
        } else {
            ExpirationTimeSource::Billing
        },
        renew_flag: match renewable.as_ref().and_then(|r| r.renew_flag) {
            Some(port::RenewFlag::Auto) => RenewFlag::Auto,
            Some(port::RenewFlag::Manual | port::RenewFlag::ManualSilent) => RenewFlag::Manual,
            None => RenewFlag::Unknown,
        },
        scale: package.as_ref().and_then(|p| p.scale.clone()),
        region: car_region.or(billing_region),
        isolated: renewable.is_some_and(|r| r.isolated),
    }
}

/// How far a deal came. Whatever may still be paid, and whatever is not known, counts as in effect.
fn state(status: Option<DealStatus>) -> DealState {
    match status {
        Some(DealStatus::Unpaid) => DealState::Unpaid,
        Some(
            DealStatus::Refunded
            | DealStatus::Closed
            | DealStatus::Expired
            | DealStatus::InvalidOrder
            | DealStatus::InvalidProduct
            | DealStatus::PaymentRefused,
        ) => DealState::WithoutEffect,
        Some(
            DealStatus::Paid
            | DealStatus::Shipping
            | DealStatus::Shipped
            | DealStatus::ShipmentFailed
            | DealStatus::Paying
            | DealStatus::Unknown(_),
        )
        | None => DealState::InEffect,
    }
}

/// A deal as decisions see it.
pub fn deal(deal: port::Deal) -> Deal {
    Deal {
        order_id: deal.order_id,
        action: match deal.action {
            port::DealAction::Purchase => DealAction::Purchase,
            port::DealAction::Renew => DealAction::Renew,
            port::DealAction::Refund => DealAction::Refund,
            port::DealAction::Other => DealAction::Other,
        },
        cost_cents: deal.cost_cents.filter(|_| !matches!(deal.status, Some(DealStatus::Unpaid | DealStatus::Paying))),
        currency: deal.currency,
        instance_ids: deal.resource_ids,
        product_code: deal.product_code,
        state: state(deal.status),
        created: deal.create_time.as_deref().and_then(carpack_cloud::time::civil),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renewable(id: &str, product: &str) -> RenewableInstance {
        RenewableInstance {
            id: id.to_owned(),
            name: Some(format!("{id}-billing")),
            product_code: Some(product.to_owned()),
            sub_product_code: None,
            region: Some("billing-region".to_owned()),
            expire_time: Some("2026-12-04 23:59:59".to_owned()),
            renew_flag: Some(port::RenewFlag::ManualSilent),
            isolated: true,
        }
    }

    fn package(id: &str) -> ConcurrentPackage {
        ConcurrentPackage {
            id: id.to_owned(),
            name: Some(format!("{id}-car")),
            project: ProjectBinding::Bound("cap-1".to_owned()),
            scale: Some("L1".to_owned()),
            region: Some("ap-singapore".to_owned()),
            concurrencies: Some(20),
            expire_time: Some("2026-12-05 00:00:00".to_owned()),
        }
    }

    fn merged(renewables: Vec<RenewableInstance>, packages: Vec<ConcurrentPackage>) -> Observation {
        let lists = Lists { started: Timestamp::UNIX_EPOCH, renewables, packages, projects: Vec::new() };
        merge(lists, Some("p_car"), Offset::constant(8))
    }

    #[test]
    fn an_instance_in_both_lists_takes_from_each_what_it_knows_best() {
        let seen = merged(vec![renewable("i-1", "p_other")], vec![package("i-1")]);
        let instance = &seen.instances["i-1"];
        assert_eq!(instance.name.as_deref(), Some("i-1-billing"));
        assert_eq!(instance.expiration.unwrap().to_string(), "2026-12-04T15:59:59Z");
        assert_eq!(instance.expiration_source, ExpirationTimeSource::Billing);
        assert_eq!((instance.renew_flag, instance.isolated), (RenewFlag::Manual, true));
        assert_eq!((instance.concurrencies, instance.scale.as_deref()), (Some(20), Some("L1")));
        assert_eq!(instance.region.as_deref(), Some("ap-singapore"));
        assert_eq!(instance.project, Binding::Bound("cap-1".to_owned()));
    }

    #[test]
    fn an_instance_only_car_lists_is_kept_with_cars_expiry_and_an_unknown_switch() {
        let seen = merged(Vec::new(), vec![package("i-1")]);
        let instance = &seen.instances["i-1"];
        assert_eq!(instance.expiration_source, ExpirationTimeSource::ConcurrentPackages);
        assert_eq!(instance.expiration.unwrap().to_string(), "2026-12-04T16:00:00Z");
        assert_eq!(instance.renew_flag, RenewFlag::Unknown);
    }

    #[test]
    fn an_instance_only_billing_lists_is_kept_when_it_has_the_accounts_product_code() {
        let seen = merged(vec![renewable("i-1", "p_car"), renewable("i-2", "p_cvm")], Vec::new());
        assert_eq!(seen.instances.keys().collect::<Vec<_>>(), ["i-1"]);
        assert_eq!((seen.instances["i-1"].concurrencies, &seen.instances["i-1"].project), (None, &Binding::Unknown));
    }

    #[test]
    fn a_deal_that_may_still_be_paid_is_not_without_effect_and_has_cost_nothing_yet() {
        let with = |status: Option<i64>| {
            let blank = port::Deal {
                order_id: "o".to_owned(),
                status: status.map(DealStatus::of),
                action: port::DealAction::Purchase,
                cost_cents: Some(100),
                currency: None,
                resource_ids: Vec::new(),
                product_code: None,
                create_time: None,
            };
            deal(blank)
        };
        for status in [None, Some(4), Some(5)] {
            assert_eq!((with(status).state, with(status).cost_cents), (DealState::InEffect, Some(100)), "{status:?}");
        }
        assert_eq!((with(Some(1)).state, with(Some(1)).cost_cents), (DealState::Unpaid, None));
        assert_eq!((with(Some(12)).state, with(Some(12)).cost_cents), (DealState::InEffect, None));
        for status in 6..=11 {
            assert_eq!(with(Some(status)).state, DealState::WithoutEffect, "{status}");
        }
        for status in [0, 13, -1] {
            assert_eq!(with(Some(status)).state, DealState::InEffect, "{status}");
        }
        assert_eq!(with(None).action, DealAction::Purchase);
    }
}
