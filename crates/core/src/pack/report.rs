//! Puts the findings together: the one effect, the conditions, the columns, and when to reconcile again.

use carpack_api::Reason;
use carpack_api::common::Time;
use carpack_api::pack::{ConcurrencyPackStatus, ExpirationTimeSource, OrderReference};
use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, Progress};
use super::input::{Change, Decision, Effect, Input};
use super::orders;
use super::view::View;
use crate::Event;
use crate::condition::{
    ASSIGNED, ENDED, PURCHASED, READY, RECONCILING, STALLED, Verdict, events, is_true, merge, verdict,
};
use crate::facts::holdings::Claimed;
use crate::facts::ledger::{is_open, name_of};
use crate::time::{plus, whole};

/// How often the time of the last sweep is written while nothing else changes. Ready says when it is too old.
const REFRESH: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn finish(
    view: &View<'_>,
    mut verdicts: Vec<Verdict>,
    findings: Vec<Finding>,
    moment: Option<Timestamp>,
) -> Decision {
    let input = &view.input;
    let old = input.pack.status.clone().unwrap_or_default();
    let (effect, failed) = choose(view, &findings);
    if let Some((kind, reason, message)) = failed {
        // What is usable as declared stays Ready, although a successor cannot be bound or a name not given.
        let unready = |v: &Verdict| kind == ASSIGNED && v.kind == READY && v.status != Some(true);
        for verdict in verdicts.iter_mut().filter(|v| v.kind == kind || unready(v)) {
            *verdict = Verdict { kind: verdict.kind, status: Some(false), reason, message: message.clone() };
        }
    }
    summarise(&findings, &mut verdicts);
    let mut said = events(&old.conditions, &verdicts, &[RECONCILING, STALLED, PURCHASED, ENDED]);
    said.dedup_by(|a, b| a.reason == b.reason);
    said.extend(ended_event(&old, &verdicts));
    said.extend(moved_event(view, &old, effect.as_ref()));
    let bound_project = bound_project(view, &old, effect.as_ref());
    let mut status = ConcurrencyPackStatus {
        conditions: merge(&old.conditions, &verdicts, input.pack.metadata.generation, input.now),
        observed_generation: input.pack.metadata.generation,
        reason: reason_column(&verdicts),
        quantity: Some(quantity_column(view)),
        project: project_column(view),
        expiration_time: expiration(view).map(Time),
        expiration_time_source: source(view).or(old.expiration_time_source),
        last_observed_time: last_observed(view, &old),
        next_renewal_time: findings.iter().find_map(|f| f.renewal).map(Time),
        renewals: orders::renewals(input).max(old.renewals),
        order_ref: order_ref(input).or(old.order_ref),
        spent: orders::spent(input, old.spent),
        next: findings.iter().find_map(|f| f.next.clone()).or_else(|| stuck(&findings)),
        bound_project,
        ordinals: orders::ordinals(input),
        instances: view.claimed().iter().map(Claimed::status).collect(),
    };
    if Some(&status) != input.pack.status.as_ref() {
        // It is written anyway.
        status.last_observed_time = input.observation.map(|o| whole(o.started)).or(status.last_observed_time);
    }
    let moments = findings.iter().filter_map(|f| f.wake).chain(moment);
    let retry = input.failures.iter().map(|f| f.retry_time);
    let stale = input.observation.map(|o| plus(o.started, input.timing.stale_after));
    let wants_sweep = findings.iter().any(|f| f.wants_sweep || f.effect.is_some()) && !view.fresh;
    let wake_at = moments.chain(retry).chain(stale).filter(|at| *at > input.now).min();
    Decision { effect, status, events: said, wake_at, wants_sweep }
}

/// At most one effect: the first finding's that may be carried out now.
fn choose(view: &View<'_>, findings: &[Finding]) -> (Option<Effect>, Option<(&'static str, Reason, String)>) {
    let mut failed = None;
    for finding in findings {
        let Some(effect) = &finding.effect else { continue };
        let Effect::Change(change) = effect else { return (Some(effect.clone()), failed) };
        if let Some(failure) = view.failure(change) {
            let message = format!("{}: the cloud refused: {}", finding.message, failure.message);
            failed.get_or_insert((finding.kind, failure.category, message));
        }
        if view.fresh && !view.waits(change) {
            return (Some(effect.clone()), failed);
        }
    }
    (None, failed)
}

/// What happens next when a person is needed first.
fn stuck(findings: &[Finding]) -> Option<String> {
    let stuck = findings.iter().find(|f| f.progress == Progress::Stuck)?;
    Some(format!("nothing before this is settled: {}", stuck.reason))
}

/// kstatus: Reconciling while work goes on by itself, Stalled when a person is needed.
fn summarise(findings: &[Finding], verdicts: &mut Vec<Verdict>) {
    let find = |wanted: &[Progress]| findings.iter().find(|f| wanted.contains(&f.progress));
    if let Some(f) = find(&[Progress::Stuck]) {
        verdicts.push(verdict(STALLED, Some(true), f.reason, f.message.clone()));
    }
    if let Some(f) = find(&[Progress::Working, Progress::Held, Progress::Unsure]) {
        verdicts.push(verdict(RECONCILING, Some(true), f.reason, f.message.clone()));
    }
}

fn ended_event(old: &ConcurrencyPackStatus, verdicts: &[Verdict]) -> Option<Event> {
    let ended = verdicts.iter().find(|v| v.kind == ENDED)?;
    (!is_true(&old.conditions, ENDED)).then(|| Event {
        warning: false,
        reason: ended.reason,
        message: ended.message.clone(),
    })
}

/// Somebody else moved the pack: it is moved back, and that is said.
fn moved_event(view: &View<'_>, old: &ConcurrencyPackStatus, effect: Option<&Effect>) -> Option<Event> {
    let declared = view.input.pack.spec.project.as_deref()?;
    let was_there = old.project.as_deref() == Some(declared) && is_true(&old.conditions, ASSIGNED);
    let seen = old.observed_generation == view.input.pack.metadata.generation;
    let (ids, moving) = match effect {
        Some(Effect::Change(Change::Unbind { ids, project })) => {
            (ids, format!("was moved to project {project} by another hand"))
        }
        Some(Effect::Change(Change::Bind { ids, .. })) => (ids, "was unbound by another hand".to_owned()),
        _ => return None,
    };
    // What was only just delivered was never there.
    let was_there =
        was_there && old.instances.iter().any(|i| ids.contains(&i.id) && i.project.as_deref() == Some(declared));
    (was_there && seen).then(|| Event {
        warning: true,
        reason: Reason::MovedBack,
        message: format!("{moving}; it is moved back to project {declared}"),
    })
}

/// The project counts as ours from just before we bind to it until nothing is bound to it any more.
fn bound_project(view: &View<'_>, old: &ConcurrencyPackStatus, effect: Option<&Effect>) -> Option<String> {
    if let Some(Effect::Change(Change::Bind { project, .. })) = effect {
        return Some(project.clone());
    }
    let ours = old.bound_project.clone()?;
    let gone = view.fresh && view.usable().all(|c| c.observed.is_some() && c.project() != Some(ours.as_str()));
    let declared = view.input.pack.spec.project.as_deref() == Some(ours.as_str());
    (!gone || declared).then_some(ours)
}

fn reason_column(verdicts: &[Verdict]) -> Option<String> {
    let of = |kind: &str| verdicts.iter().find(|v| v.kind == kind);
    if of(ENDED).is_some() {
        return Some(Reason::Ended.as_str().to_owned());
    }
    of(READY).map(|v| v.reason.as_str().to_owned())
}

fn quantity_column(view: &View<'_>) -> String {
    let usable = view.usable_concurrencies();
    format!("{usable}/{}", view.input.pack.spec.quantity)
}

fn project_column(view: &View<'_>) -> Option<String> {
    let mut projects: Vec<Option<&str>> = view.usable().map(Claimed::project).collect();
    projects.dedup();
    match projects.as_slice() {
        [Some(project)] => Some((*project).to_owned()),
        _ => None,
    }
}

/// Of what carries the pack; once all is over, of the last that did.
fn expiration(view: &View<'_>) -> Option<Timestamp> {
    view.expiration.or_else(|| view.claimed().iter().filter_map(|c| c.expiration).max())
}

fn source(view: &View<'_>) -> Option<ExpirationTimeSource> {
    let first = view.carrying.iter().filter_map(|c| c.observed).min_by_key(|i| i.expiration)?;
    Some(first.expiration_source)
}

fn last_observed(view: &View<'_>, old: &ConcurrencyPackStatus) -> Option<Time> {
    let seen = view.input.observation.map(|o| o.started);
    let before = old.last_observed_time.as_ref().map(|t| t.0);
    match (seen, before) {
        (Some(seen), Some(before)) if seen.duration_since(before).abs() < REFRESH => Some(Time(before)),
        (Some(seen), _) => Some(whole(seen)),
        (None, before) => before.map(Time),
    }
}

fn order_ref(input: &Input<'_>) -> Option<OrderReference> {
    let uid = orders::uid(input);
    let own = input.orders.iter().copied().filter(|o| o.spec.pack_ref.uid == uid);
    let order = own.max_by_key(|o| (is_open(o), o.spec.decision_time.0))?;
    Some(OrderReference { namespace: input.operator_namespace.to_owned(), name: name_of(order).to_owned() })
}
