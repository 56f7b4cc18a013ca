//! A pack that takes over what was already bought: what stands between it and the instances that it names.

use carpack_api::Reason;

use super::finding::{Finding, Progress, check, nothing_but};
use super::purchase::window_closed;
use super::view::View;
use super::{orders, renewal};
use crate::condition::PURCHASED;
use crate::facts::holdings::{Claimed, named_ids};
use crate::facts::ledger::name_of;
use crate::rules::access::{account_exists, account_is_ready, namespace_is_granted};
use crate::rules::adoption::{adoption_is_granted, count_fits, instances_are_free, instances_fit, to_be_adopted};
use crate::rules::case::Rule;
use crate::rules::ladder::mode_allows_action;
use crate::rules::observation::observation_is_new_enough;

/// What must hold before a pack takes instances over, and how the pack reports what does not. They are asked one after another:
/// what does not fit is told before what is not free.
const RULES: &[(Rule, Progress)] = &[
    (account_exists, Progress::Stuck),
    (namespace_is_granted, Progress::Stuck),
    (account_is_ready, Progress::Working),
    (adoption_is_granted, Progress::Stuck),
    (observation_is_new_enough, Progress::Working),
    (instances_fit, Progress::Stuck),
    (count_fits, Progress::Stuck),
    (instances_are_free, Progress::Stuck),
    (mode_allows_action, Progress::Held),
];

/// The instances that the pack takes over now. It never buys what it takes over.
///
/// # Errors
/// When it takes nothing over now: what the pack reports.
pub(super) fn plan<'a>(view: &View<'a>) -> Result<Vec<Claimed<'a>>, Box<Finding>> {
    let input = view.input;
    if let Some(order) = orders::open(&input) {
        let message = format!("waits until order {} is settled: {}", name_of(order), orders::standing(order).1);
        return Err(Box::new(Finding::working(PURCHASED, Reason::EarlierOrderUnresolved, message)));
    }
    if let Some(finding) = window_closed(view) {
        return Err(Box::new(finding));
    }
    check(PURCHASED, &view.case, RULES).map_err(|finding| Box::new(explained(view, *finding)))?;
    Ok(to_be_adopted(&view.case))
}

/// What the pack reports of an obstacle.
fn explained(view: &View<'_>, finding: Finding) -> Finding {
    match finding.reason {
        Reason::HeldByMode => would_take_over(view),
        // The next sweep may say it.
        Reason::ScaleUnknown | Reason::RegionUnknown | Reason::BindingUnknown | Reason::CountUnknown => {
            Finding { progress: Progress::Unsure, ..finding }
        }
        _ => finding,
    }
}

/// What would be taken over, and what that would lead to: it may cost money at once.
fn would_take_over(view: &View<'_>) -> Finding {
    let pack = view.input.pack;
    let bound = pack.spec.project.as_deref().map(|project| format!(" and bind them to project {project}"));
    let what = format!("take over {}{}", named_ids(pack).join(", "), bound.unwrap_or_default());
    let adopted = View::of(view.input, to_be_adopted(&view.case));
    let renewal = renewal::plan(&adopted).next.unwrap_or_default();
    let then = renewal.strip_prefix(&nothing_but(view.mode)).map(|renewal| format!(", and {renewal}"));
    Finding::only_reports(PURCHASED, view.mode, &format!("{what}{}", then.unwrap_or_default()))
}
