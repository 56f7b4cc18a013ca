//! Taking over what was already bought: the tenant may, the instances are what the pack declares, and nothing else holds them.
//!
//! Rule 11 of docs/money.md, which names the tests that fail without it.

use carpack_api::pack::RenewFlag;
use carpack_api::{BillingMode, Reason};

use super::case::Case;
use super::obstacle::Obstacle;
use crate::account::Account;
use crate::facts::holdings::{Claimed, claim, named_ids, total};
use crate::observation::{Binding, Instance};

/// The pack declares nothing to take over: only then does it buy.
pub(crate) fn nothing_is_to_be_adopted(case: &Case<'_>) -> Result<(), Obstacle> {
    match case.pack.and_then(|pack| pack.spec.adopt.as_ref()) {
        Some(_) => Err(Obstacle::void("the pack takes over what spec.adopt names, and buys nothing")),
        None => Ok(()),
    }
}

/// The account lets packs of the namespace take over what was already bought.
pub(crate) fn adoption_is_granted(case: &Case<'_>) -> Result<(), Obstacle> {
    let namespace = case.namespace;
    match case.account.filter(|account| !account.grants_adoption(namespace)) {
        Some(account) => {
            let message = format!(
                "namespace {namespace} may not take over packs of account {}: set adopt: true in its entry of the account's tenants",
                account.name
            );
            Err(Obstacle::wait(Reason::AdoptionNotGranted, message))
        }
        None => Ok(()),
    }
}

/// Every instance exists, has not expired, is what the pack declares, and is bound to no project that the tenant may not use.
pub(crate) fn instances_fit(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(pack), Some(account), Some(observation)) = (case.pack, case.account, case.observation) else {
        return Ok(());
    };
    for id in named_ids(pack) {
        let Some(instance) = observation.instances.get(id).filter(|instance| instance.is_live(case.now)) else {
            let message =
                format!("the account has no instance {id} that has not expired: check spec.adopt.instanceIds");
            return Err(Obstacle::wait(Reason::AdoptionMismatch, message));
        };
        instance_is_declared(case, instance)?;
        project_is_within_reach(case, account, instance)?;
    }
    Ok(())
}

/// Scale, region and billing mode are what the pack declares.
fn instance_is_declared(case: &Case<'_>, instance: &Instance) -> Result<(), Obstacle> {
    let Some(spec) = case.pack.map(|pack| &pack.spec) else { return Ok(()) };
    let id = &instance.id;
    let facts = [
        ("scale", &instance.scale, "concurrencyScale", &spec.concurrency_scale, Reason::ScaleUnknown),
        ("region", &instance.region, "region", &spec.region, Reason::RegionUnknown),
    ];
    for (what, observed, field, declared, unknown) in facts {
        match observed {
            Some(observed) if observed == declared => {}
            Some(observed) => {
                let message = format!("instance {id} is of {what} {observed}, and spec.{field} is {declared}");
                return Err(Obstacle::wait(Reason::AdoptionMismatch, message));
            }
            None => return Err(not_said(unknown, &format!("of which {what} instance {id} is"))),
        }
    }
    if instance.renew_flag == RenewFlag::Auto && spec.billing_mode == BillingMode::Daily {
        let message = format!(
            "the cloud itself renews instance {id}, which it does with Monthly packs alone, and spec.billingMode is Daily"
        );
        return Err(Obstacle::wait(Reason::AdoptionMismatch, message));
    }
    Ok(())
}

fn project_is_within_reach(case: &Case<'_>, account: &Account, instance: &Instance) -> Result<(), Obstacle> {
    let (id, namespace) = (&instance.id, case.namespace);
    if instance.project == Binding::Unknown && !account.grants_project(namespace, "*") {
        return Err(not_said(Reason::BindingUnknown, &format!("to which project instance {id} is bound")));
    }
    match instance.project.project().filter(|project| !account.grants_project(namespace, project)) {
        Some(project) => {
            let message = format!(
                "instance {id} is bound to project {project}, which namespace {namespace} may not use: unbind it in the console, or add the project to the namespace's entry in the tenants of account {}",
                account.name
            );
            Err(Obstacle::wait(Reason::ProjectNotGranted, message))
        }
        None => Ok(()),
    }
}

/// The instances hold as many concurrencies as the pack declares.
pub(crate) fn count_fits(case: &Case<'_>) -> Result<(), Obstacle> {
    let adopted = to_be_adopted(case);
    if let Some(unknown) = adopted.iter().find(|c| c.known_concurrencies().is_none()) {
        return Err(not_said(Reason::CountUnknown, &format!("how many concurrencies instance {} holds", unknown.id)));
    }
    let (held, declared) = (total(&adopted), case.quantity);
    if held == declared {
        return Ok(());
    }
    let message = format!(
        "the instances in spec.adopt hold {held} concurrencies, and spec.quantity is {declared}: delete this pack and apply it with quantity {held}, or name others"
    );
    Err(Obstacle::wait(Reason::AdoptionMismatch, message))
}

/// Nothing else holds the instances.
pub(crate) fn instances_are_free(case: &Case<'_>) -> Result<(), Obstacle> {
    let ids = case.pack.map(named_ids).unwrap_or_default();
    match ids.iter().find_map(|id| Some((id, case.holders?.get(id)?))) {
        Some((id, holder)) => {
            Err(Obstacle::wait(Reason::AlreadyClaimed, format!("instance {id} is not free: {holder}")))
        }
        None => Ok(()),
    }
}

/// The instances that the pack names, as the observation shows them.
pub(crate) fn to_be_adopted<'a>(case: &Case<'a>) -> Vec<Claimed<'a>> {
    let Some(traces) = case.traces() else { return Vec::new() };
    named_ids(traces.pack).iter().map(|id| claim(traces, &[], id.clone())).collect()
}

/// One of the cloud's lists may lack a row, or a field, which the next sweep shows.
fn not_said(reason: Reason, what: &str) -> Obstacle {
    Obstacle::needs_sweep(reason, format!("the cloud does not say {what}; it is taken over once a sweep shows it"))
}
