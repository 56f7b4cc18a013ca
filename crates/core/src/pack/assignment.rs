//! Assignment: the project that the pack's instances are bound to.

use carpack_api::Mode;
use carpack_api::Reason;

use super::finding::Finding;
use super::view::View;
use super::{Change, Effect};
use crate::claim::Claimed;
use crate::condition::ASSIGNED;
use crate::observation::Binding;

/// Categories of refusals that may be about one of several instances; the others are about the account or the cloud.
const ABOUT_AN_INSTANCE: [Reason; 4] = [Reason::InvalidRequest, Reason::NotFound, Reason::Locked, Reason::Other];

/// Plans the next step towards the declared project: unbind, bind, confirm from observation.
pub(super) fn plan(view: &View<'_>) -> Finding {
    match view.input.pack.spec.project.as_deref() {
        Some(project) => assign(view, project),
        None => release(view),
    }
}

fn assign(view: &View<'_>, project: &str) -> Finding {
    let astray: Vec<&Claimed<'_>> = view.usable().filter(|c| c.project() != Some(project)).collect();
    if astray.is_empty() {
        return Finding::good(ASSIGNED, Reason::Bound, format!("bound to project {project}"));
    }
    let Some(account) = view.input.account else {
        let (name, namespace) = (&view.input.pack.spec.account_ref.name, view.input.operator_namespace);
        let message = format!("there is no CarAccount {name} in namespace {namespace}: create it");
        return Finding::stuck(ASSIGNED, Reason::AccountMissing, message);
    };
    if astray.iter().all(|c| *c.binding() == Binding::Unknown) {
        return Finding::unsure(
            ASSIGNED,
            Reason::BindingUnknown,
            "the cloud does not say which project the instances are bound to",
        );
    }
    if !account.grants_namespace(view.namespace) {
        return Finding::stuck(
            ASSIGNED,
            Reason::NamespaceNotGranted,
            crate::order::not_granted(account, view.namespace),
        );
    }
    if let Some((reason, message)) =
        crate::order::check_project(view.input.pack, account, view.input.observation, project)
    {
        return Finding::stuck(ASSIGNED, reason, format!("{message}; the pack stays where it is"));
    }
    let count = astray.len();
    let message = format!("{count} of {} instances are not bound to project {project} yet", view.usable().count());
    if view.mode <= Mode::DryRun {
        return Finding::held(
            ASSIGNED,
            Reason::HeldByMode,
            format!("{message}; mode {:?}: nothing is touched", view.mode),
        );
    }
    let finding = Finding::working(ASSIGNED, Reason::Reassigning, message);
    let elsewhere = astray.iter().find_map(|c| c.project().map(str::to_owned));
    // Free ones are bound first: capacity is back sooner.
    let free: Vec<String> = astray.iter().filter(|c| *c.binding() == Binding::Unbound).map(|c| c.id.clone()).collect();
    if !free.is_empty() {
        let bind = |ids: Vec<String>| Change::Bind { ids, project: project.to_owned() };
        return take(finding, together_or_alone(view, free, bind));
    }
    match elsewhere {
        Some(from) => take(finding, unbind(view, &astray, &from)),
        None => finding,
    }
}

/// No project declared: what we bound we unbind, what a person bound is left and shown.
fn release(view: &View<'_>) -> Finding {
    let bound: Vec<&Claimed<'_>> = view.usable().filter(|c| c.project().is_some()).collect();
    let Some(first) = bound.first().and_then(|c| c.project()) else {
        return Finding::good(ASSIGNED, Reason::Unassigned, "to be allocated: bound to no project");
    };
    let ours = view.input.pack.status.as_ref().and_then(|s| s.bound_project.as_deref());
    let Some(from) = ours.filter(|ours| bound.iter().any(|c| c.project() == Some(ours))) else {
        return Finding::good(
            ASSIGNED,
            Reason::BoundByAnother,
            format!("no project is declared; this pack has not bound it to {first}, and it is left there"),
        );
    };
    let message = format!("to be unbound from project {from}");
    if view.mode <= Mode::DryRun {
        return Finding::held(
            ASSIGNED,
            Reason::HeldByMode,
            format!("{message}; mode {:?}: nothing is touched", view.mode),
        );
    }
    take(Finding::working(ASSIGNED, Reason::Reassigning, message), unbind(view, &bound, from))
}

fn unbind(view: &View<'_>, instances: &[&Claimed<'_>], from: &str) -> Option<Change> {
    let ids = instances.iter().filter(|c| c.project() == Some(from)).map(|c| c.id.clone()).collect();
    together_or_alone(view, ids, |ids| Change::Unbind { ids, project: from.to_owned() })
}

/// All in one call; when the cloud refuses that for what is in it, each instance by itself, so that one that cannot be
/// moved does not keep the others where they are.
fn together_or_alone(view: &View<'_>, ids: Vec<String>, change: impl Fn(Vec<String>) -> Change) -> Option<Change> {
    let together = change(ids.clone());
    let refused = view.failure(&together).is_some_and(|failure| ABOUT_AN_INSTANCE.contains(&failure.category));
    let alone = ids.into_iter().filter(|_| refused).map(|id| change(vec![id]));
    view.first_awake(std::iter::once(together).chain(alone).collect())
}

fn take(finding: Finding, change: Option<Change>) -> Finding {
    match change {
        Some(change) => finding.effect(Effect::Change(change)),
        None => finding,
    }
}
