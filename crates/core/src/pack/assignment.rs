//! Assignment: the project that the pack's instances are bound to.

use carpack_api::Reason;

use super::finding::{Finding, Progress, check};
use super::input::{Change, Effect};
use super::view::View;
use crate::condition::ASSIGNED;
use crate::facts::holdings::Claimed;
use crate::observation::Binding;
use crate::rules::access::{account_exists, namespace_is_granted};
use crate::rules::case::Rule;
use crate::rules::ladder::mode_allows_action;
use crate::rules::project::project_takes_the_pack;

/// What must hold before instances are bound, and how the pack reports what does not. They are asked one after another.
const RULES: &[(Rule, Progress)] = &[
    (namespace_is_granted, Progress::Stuck),
    (project_takes_the_pack, Progress::Stuck),
    (mode_allows_action, Progress::Held),
];

/// Refusals that may be about one of several instances; the others are about the account or the cloud.
const ABOUT_AN_INSTANCE: [Reason; 4] = [Reason::InvalidRequest, Reason::NotFound, Reason::Locked, Reason::Other];

/// Plans the next step towards the declared project: unbind, bind, confirm from observation.
pub(super) fn plan(view: &View<'_>) -> Finding {
    match view.input.pack.spec.project.as_deref() {
        Some(project) => assign(view, project),
        None => release(view),
    }
}

fn assign(view: &View<'_>, project: &str) -> Finding {
    let misplaced: Vec<&Claimed<'_>> = view.usable().filter(|c| c.project() != Some(project)).collect();
    if misplaced.is_empty() {
        return Finding::good(ASSIGNED, Reason::Bound, format!("bound to project {project}"));
    }
    if let Err(finding) = check(ASSIGNED, &view.case, &[(account_exists, Progress::Stuck)]) {
        return *finding;
    }
    if misplaced.iter().all(|c| *c.binding() == Binding::Unknown) {
        return Finding::unsure(
            ASSIGNED,
            Reason::BindingUnknown,
            "the cloud does not say which project the instances are bound to",
        );
    }
    let count = misplaced.len();
    let message = format!("{count} of {} instances are not bound to project {project} yet", view.usable().count());
    if let Err(mut finding) = check(ASSIGNED, &view.case, RULES) {
        match finding.reason {
            Reason::HeldByMode => return held_by_mode(view, &message),
            Reason::NamespaceNotGranted => {}
            _ => finding.message.push_str("; the pack stays where it is"),
        }
        return *finding;
    }
    let finding = Finding::working(ASSIGNED, Reason::Reassigning, message);
    let bound_to = misplaced.iter().find_map(|c| c.project().map(str::to_owned));
    // Free instances are bound first, so that users have capacity again sooner.
    let free: Vec<String> =
        misplaced.iter().filter(|c| *c.binding() == Binding::Unbound).map(|c| c.id.clone()).collect();
    if !free.is_empty() {
        let bind = |ids: Vec<String>| Change::Bind { ids, project: project.to_owned() };
        return take(finding, together_or_alone(view, free, bind));
    }
    match bound_to {
        Some(from) => take(finding, unbind(view, &misplaced, &from)),
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
    if mode_allows_action(&view.case).is_err() {
        return held_by_mode(view, &message);
    }
    take(Finding::working(ASSIGNED, Reason::Reassigning, message), unbind(view, &bound, from))
}

fn held_by_mode(view: &View<'_>, message: &str) -> Finding {
    let message = format!("{message}; mode {}: nothing is touched", view.mode);
    Finding::held(ASSIGNED, Reason::HeldByMode, message)
}

fn unbind(view: &View<'_>, instances: &[&Claimed<'_>], from: &str) -> Option<Change> {
    let ids = instances.iter().filter(|c| c.project() == Some(from)).map(|c| c.id.clone()).collect();
    together_or_alone(view, ids, |ids| Change::Unbind { ids, project: from.to_owned() })
}

/// All in one call. When the cloud refuses it for what may be one of the instances, each by itself: an instance that cannot be moved
/// does not hold back the others.
fn together_or_alone(view: &View<'_>, ids: Vec<String>, change: impl Fn(Vec<String>) -> Change) -> Option<Change> {
    let together = change(ids.clone());
    let refused = view.failure(&together).is_some_and(|failure| ABOUT_AN_INSTANCE.contains(&failure.category));
    let alone = ids.into_iter().filter(|_| refused).map(|id| change(vec![id]));
    view.first_ready(std::iter::once(together).chain(alone).collect())
}

fn take(finding: Finding, change: Option<Change>) -> Finding {
    match change {
        Some(change) => finding.effect(Effect::Change(change)),
        None => finding,
    }
}
