//! A pack that takes over what was already bought: what stands between it and the instances that it names.

use carpack_api::pack::RenewFlag;
use carpack_api::{BillingMode, Mode, Reason};

use super::finding::{Finding, nothing_but};
use super::purchase::{ended, reachable_account, window_closed};
use super::view::View;
use super::{Input, orders, renewal};
use crate::account::Account;
use crate::adoption::named_ids;
use crate::claim::{Claimed, claim, total};
use crate::condition::PURCHASED;
use crate::observation::{Binding, Instance};

/// The instances that the pack takes over now, or why not. What it takes over it never buys.
pub(super) fn plan<'a>(view: &View<'a>) -> Result<Vec<Claimed<'a>>, Box<Finding>> {
    let input = view.input;
    if let Some(order) = orders::open(&input) {
        let message = format!("waits until order {} is settled: {}", orders::name_of(order), orders::standing(order).1);
        return Err(Box::new(Finding::working(PURCHASED, Reason::EarlierOrderUnresolved, message)));
    }
    if window_closed(view) {
        return Err(Box::new(ended()));
    }
    let account = reachable_account(view)?;
    if !account.grants_adoption(view.namespace) {
        let message = format!(
            "namespace {} may not take over packs of account {}: set adopt: true in its entry of the account's tenants",
            view.namespace, account.name
        );
        return Err(Box::new(Finding::stuck(PURCHASED, Reason::AdoptionNotGranted, message)));
    }
    let Some(observation) = input.observation.filter(|_| view.fresh) else {
        let message = "waits for a complete look at the account";
        return Err(Box::new(Finding::working(PURCHASED, Reason::AwaitingObservation, message).wants_sweep()));
    };
    let mut adopted = Vec::new();
    for id in named_ids(input.pack) {
        let instance = observation.instances.get(id).filter(|instance| instance.is_live(input.now));
        let Some(instance) = instance else {
            let message =
                format!("the account has no instance {id} that has not expired: check spec.adopt.instanceIds");
            return Err(Box::new(Finding::stuck(PURCHASED, Reason::AdoptionMismatch, message)));
        };
        check(&input, account, instance)?;
        adopted.push(claim(input.traces(), &[], id.clone()));
    }
    check_count(view, &adopted)?;
    check_free(&input)?;
    if view.mode <= Mode::DryRun {
        let bound = input.pack.spec.project.as_deref().map(|project| format!(" and bind them to project {project}"));
        let what = format!("take over {}{}", named_ids(input.pack).join(", "), bound.unwrap_or_default());
        // And what that would lead to, which may cost money at once.
        let renewal = renewal::plan(&View::of(input, adopted)).next.unwrap_or_default();
        let then = renewal.strip_prefix(&nothing_but(view.mode)).map(|renewal| format!(", and {renewal}"));
        let what = format!("{what}{}", then.unwrap_or_default());
        return Err(Box::new(Finding::only_looks(PURCHASED, view.mode, &what)));
    }
    Ok(adopted)
}

/// Whether one instance is what the pack declares, free, and within the tenant's reach.
fn check(input: &Input<'_>, account: &Account, instance: &Instance) -> Result<(), Box<Finding>> {
    let id = &instance.id;
    let spec = &input.pack.spec;
    let facts = [
        ("scale", &instance.scale, "concurrencyScale", &spec.concurrency_scale, Reason::ScaleUnknown),
        ("region", &instance.region, "region", &spec.region, Reason::RegionUnknown),
    ];
    for (what, observed, field, declared, unknown) in facts {
        return Err(match observed {
            Some(observed) if observed == declared => continue,
            Some(observed) => {
                let message = format!("instance {id} is of {what} {observed}, and spec.{field} is {declared}");
                Box::new(Finding::stuck(PURCHASED, Reason::AdoptionMismatch, message))
            }
            None => not_said(unknown, format!("of which {what} instance {id} is")),
        });
    }
    if instance.renew_flag == RenewFlag::Auto && spec.billing_mode == BillingMode::Daily {
        let message = format!(
            "the cloud itself renews instance {id}, which it does with Monthly packs alone, and spec.billingMode is Daily"
        );
        return Err(Box::new(Finding::stuck(PURCHASED, Reason::AdoptionMismatch, message)));
    }
    let namespace = input.pack.metadata.namespace.as_deref().unwrap_or_default();
    if instance.project == Binding::Unknown && !account.grants_project(namespace, "*") {
        return Err(not_said(Reason::BindingUnknown, format!("to which project instance {id} is bound")));
    }
    match instance.project.project().filter(|project| !account.grants_project(namespace, project)) {
        Some(project) => {
            let message = format!(
                "instance {id} is bound to project {project}, which namespace {namespace} may not use: unbind it in the console, or add the project to the namespace's entry in the tenants of account {}",
                account.name
            );
            Err(Box::new(Finding::stuck(PURCHASED, Reason::ProjectNotGranted, message)))
        }
        None => Ok(()),
    }
}

/// Whether nothing else holds the instances. Asked last: what does not fit is told first.
fn check_free(input: &Input<'_>) -> Result<(), Box<Finding>> {
    let mut held = named_ids(input.pack).iter().filter_map(|id| Some((id, input.holders.get(id)?)));
    match held.next() {
        Some((id, holder)) => {
            let message = format!("instance {id} is not free: {holder}");
            Err(Box::new(Finding::stuck(PURCHASED, Reason::AlreadyClaimed, message)))
        }
        None => Ok(()),
    }
}

fn check_count(view: &View<'_>, adopted: &[Claimed<'_>]) -> Result<(), Box<Finding>> {
    let (held, declared) = (total(adopted), view.input.pack.spec.quantity);
    if let Some(unknown) = adopted.iter().find(|c| c.known_concurrencies().is_none()) {
        return Err(not_said(Reason::CountUnknown, format!("how many concurrencies instance {} holds", unknown.id)));
    }
    if held == declared {
        return Ok(());
    }
    let message = format!(
        "the instances in spec.adopt hold {held} concurrencies, and spec.quantity is {declared}: delete this pack and apply it with quantity {held}, or name others"
    );
    Err(Box::new(Finding::stuck(PURCHASED, Reason::AdoptionMismatch, message)))
}

/// One of the cloud's lists may lack a row, or a field, which the next look shows.
fn not_said(reason: Reason, what: String) -> Box<Finding> {
    let message = format!("the cloud does not say {what}; it is taken over once a look shows it");
    Box::new(Finding::unsure(PURCHASED, reason, message).wants_sweep())
}
