//! What the cloud must show before money moves: the newest look at it, against what the order was made for.

use carpack_api::ConcurrencyPack;
use carpack_api::Reason;
use carpack_api::common::Time;
use carpack_api::order::{LineStatus, OrderAction, OrderLine};
use jiff::Timestamp;

use super::Input;
use super::gate::{Gate, is_past, others, wait};
use super::lines::last_call;
use crate::account::Account;
use crate::adoption::is_astray;
use crate::claim::{Claimed, Traces, carrying, claimed, is_outlasted, strangers, total};
use crate::observation::{Instance, Observation, seen_off};
use crate::time::{is_same_expiry, next_renewal};

const LASTS_UNTIL: &str = "what it renews lasts until renewal.until, and is not renewed";

const OUTLASTED: &str = "what outlasts the expiry that it renews from carries the whole pack already";

/// What a sweep must show before money moves. It is newer than the order, than the last call for the line or by another order of the pack, and than the
/// moment since which nothing else holds the order: while it was held, a person may have been at the console.
pub(super) fn check(input: &Input<'_>, cleared: Option<Timestamp>, line: &OrderLine, state: &LineStatus) -> Gate {
    let spec = &input.order.spec;
    let calls = others(input).flat_map(|o| &o.status).flat_map(|status| &status.lines).chain([state]);
    let since = last_call(calls).into_iter().chain(cleared).fold(spec.decision_time.0, Timestamp::max);
    let fresh = |o: &&Observation| o.started > since && input.now.duration_since(o.started) < input.timing.stale_after;
    let Some(observation) = input.observation.filter(fresh) else {
        let message = "waits for a look at the cloud that is newer than the order".to_owned();
        return Gate::Wait { reason: Reason::AwaitingObservation, message, wants_sweep: true };
    };
    match spec.action {
        OrderAction::Buy => check_purchase(input, line, observation),
        OrderAction::Renew => check_renewal(input, line, observation),
        OrderAction::Return => match line.instance_id.as_ref().and_then(|id| observation.instances.get(id)) {
            Some(_) => Gate::Open,
            None => Gate::Void("the instance is no longer listed".to_owned()),
        },
    }
}

fn check_purchase(input: &Input<'_>, line: &OrderLine, observation: &Observation) -> Gate {
    let Some(traces) = input.traces() else { return Gate::Open };
    let claimed = claimed(traces);
    let taken = observation.instances.values().find(|i| i.is_named(&input.order.spec.pack_name));
    if let Some(instance) = taken.or_else(|| strangers(traces, &claimed).next()) {
        return wait(Reason::NameTaken, stands_already(instance));
    }
    let Some(Time(ends)) = line.renews_from else { return check_place(input, traces) };
    if is_outlasted(traces, &claimed, ends) {
        return Gate::Void(OUTLASTED.to_owned());
    }
    let carrying = carrying(&claimed, traces.pack.spec.quantity);
    let here = carrying.into_iter().filter(|c| c.observed.is_some());
    let expirations = here.clone().filter_map(|c| c.expiration.filter(|at| is_same_expiry(*at, ends)));
    // What else ends on that day may not be due yet, nor have its name.
    let Some(nearest) = expirations.min_by_key(|at| at.duration_since(ends).abs()) else {
        return wait(Reason::Vanished, "what it replaces is not listed by the cloud");
    };
    let astray = |c: &&Claimed<'_>| c.observed.is_some_and(|observed| is_astray(traces.pack, observed));
    match here.filter(|c| c.expiration == Some(nearest)).find(astray) {
        Some(instance) => Gate::Void(lost_its_name(&instance.id)),
        None => check_until(input, Some(nearest)),
    }
}

/// A pack is not bought for a project that cannot take it any more.
fn check_place(input: &Input<'_>, traces: Traces<'_>) -> Gate {
    let Traces { pack, observation, .. } = traces;
    let (Some(account), Some(project)) = (input.account, pack.spec.project.as_deref()) else { return Gate::Open };
    check_project(pack, account, observation, project).map_or(Gate::Open, |(reason, message)| wait(reason, message))
}

/// Why the pack cannot be bound to a project, if it cannot.
pub(crate) fn check_project(
    pack: &ConcurrencyPack,
    account: &Account,
    observation: Option<&Observation>,
    project: &str,
) -> Option<(Reason, String)> {
    let namespace = pack.metadata.namespace.as_deref().unwrap_or_default();
    if !account.grants_project(namespace, project) {
        let message = format!(
            "namespace {namespace} may not bind packs to project {project}: add the project to its entry in the tenants of account {}",
            account.name
        );
        return Some((Reason::ProjectNotGranted, message));
    }
    let Some(found) = observation.and_then(|o| o.projects.get(project)) else {
        return Some((Reason::ProjectNotFound, format!("the account has no project {project}: check spec.project")));
    };
    let wanted = &pack.spec.concurrency_scale;
    match found.scale.as_ref() {
        Some(scale) if scale == wanted => None,
        Some(scale) => Some((
            Reason::ScaleMismatch,
            format!(
                "project {project} is of scale {scale} and this pack of {wanted}: a pack can only be bound to a project of its own scale"
            ),
        )),
        None => Some((Reason::ScaleUnknown, format!("the cloud does not say of which scale project {project} is"))),
    }
}

pub(crate) fn stands_already(instance: &Instance) -> String {
    format!(
        "instance {} already stands in the account under this pack's name ({}): it is not bought a second time; return or rename it in the console, or let it run out, after which it is bought",
        instance.id,
        instance.name.as_deref().unwrap_or_default()
    )
}

fn lost_its_name(id: &str) -> String {
    format!("instance {id}, which was taken over, does not carry the pack's name any more")
}

/// A renewal that was due by an earlier reading of the expiry, or an earlier `until`, may not be wanted any more.
fn check_until(input: &Input<'_>, expiration: Option<Timestamp>) -> Gate {
    match input.pack.zip(expiration).map(|(pack, at)| next_renewal(&pack.spec, at)) {
        Some(None) => Gate::Void(LASTS_UNTIL.to_owned()),
        Some(Some(_)) | None => Gate::Open,
    }
}

fn check_renewal(input: &Input<'_>, line: &OrderLine, observation: &Observation) -> Gate {
    let (Some(id), Some(from)) = (&line.instance_id, &line.renews_from) else {
        return Gate::Reject(Reason::InvalidOrder, "the line names no instance and expiry".to_owned());
    };
    let Some(instance) = observation.instances.get(id) else {
        return wait(Reason::Vanished, format!("instance {id} is not listed by the cloud"));
    };
    match instance.expiration {
        Some(expiration) if !is_same_expiry(expiration, from.0) => {
            return Gate::Void("the expiry that it renews from has moved".to_owned());
        }
        None => return wait(Reason::ExpiryUnknown, format!("the cloud does not say when instance {id} expires")),
        Some(_) if is_past(input, from.0) || instance.isolated => {
            return Gate::Reject(Reason::DeadlinePassed, format!("instance {id} has expired"));
        }
        Some(_) => {}
    }
    let until = check_until(input, instance.expiration);
    if until != Gate::Open {
        return until;
    }
    if let Some(traces) = input.traces() {
        if is_astray(traces.pack, instance) {
            return Gate::Void(lost_its_name(id));
        }
        let claimed = claimed(traces);
        if is_outlasted(traces, &claimed, from.0) {
            return Gate::Void(OUTLASTED.to_owned());
        }
        let spec = &input.order.spec;
        let ours = |c: &&Claimed<'_>| spec.lines.iter().any(|line| line.instance_id.as_ref() == Some(&c.id));
        let held = total(claimed.iter().filter(ours));
        if held > spec.terms.quantity {
            return Gate::Void(format!(
                "its instances hold {held} concurrencies, and it was made and priced for {}",
                spec.terms.quantity
            ));
        }
    }
    if !seen_off(instance.renew_flag, input.order.spec.terms.billing_mode) {
        let message = format!("the cloud's own renewal of instance {id} is not seen off yet");
        return Gate::Wait { reason: Reason::AutoRenewStillOn, message, wants_sweep: true };
    }
    Gate::Open
}
