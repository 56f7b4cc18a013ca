//! Puts the findings together: the one effect, the conditions, the columns, the moment to look again.

use carpack_api::Mode;
use carpack_api::common::Time;
use carpack_api::order::OrderState;
use carpack_api::pack::{
    ConcurrencyPackStatus, ExpirationTimeSource, InstanceState, OrderReference, RenewFlag, RenewalMode,
};
use jiff::{SignedDuration, Timestamp};

use super::claim::{Claimed, carrying, claimed, is_paid};
use super::{Change, Decision, Effect, Input, assignment, flags, orders, purchase, renewal};
use crate::Event;
use crate::condition::{
    ASSIGNED, ENDED, PURCHASED, READY, RECONCILING, RENEWAL_ON_TRACK, STALLED, Verdict, events, is_true, merge, verdict,
};
use crate::time::{plus, short, whole};

/// How often the time of the last look is refreshed while nothing else changes.
const REFRESH: SignedDuration = SignedDuration::from_mins(5);

/// What all the parts of a decision look at.
pub(super) struct View<'a> {
    pub input: Input<'a>,
    pub namespace: &'a str,
    pub name: &'a str,
    /// The lowest step of the ladder.
    pub mode: Mode,
    pub claimed: Vec<Claimed<'a>>,
    /// The usable instances that carry the pack.
    pub carrying: Vec<Claimed<'a>>,
    /// When the first of those expires.
    pub expiration: Option<Timestamp>,
    /// True when the newest sweep is young, and newer than our own last change.
    pub fresh: bool,
}

impl<'a> View<'a> {
    pub fn new(input: Input<'a>) -> Self {
        let claimed = claimed(&input);
        let carrying: Vec<Claimed<'a>> = carrying(&claimed, input.pack.spec.quantity).into_iter().cloned().collect();
        let account = input.account.map_or(Mode::Automatic, |a| a.spec.mode);
        let fresh = input
            .observation
            .is_some_and(|o| input.last_change.is_none_or(|change| o.started > change) && !is_stale(&input, o.started));
        Self {
            namespace: input.pack.metadata.namespace.as_deref().unwrap_or_default(),
            name: input.pack.metadata.name.as_deref().unwrap_or_default(),
            mode: input.installation_mode.min(account).min(input.pack.spec.mode),
            expiration: carrying.iter().filter_map(|c| c.expiration).min(),
            claimed,
            carrying,
            fresh,
            input,
        }
    }

    pub fn usable(&self) -> impl Iterator<Item = &Claimed<'a>> {
        self.claimed.iter().filter(|c| c.state == InstanceState::Usable)
    }

    fn purchased(&self) -> bool {
        let status = self.input.pack.status.as_ref();
        let recorded = status.is_some_and(|s| is_true(&s.conditions, PURCHASED) || !s.instances.is_empty());
        recorded || orders::own(&self.input, carpack_api::order::OrderAction::Buy).any(is_paid)
    }
}

fn is_stale(input: &Input<'_>, seen: Timestamp) -> bool {
    input.now.duration_since(seen) >= input.timing.stale_after
}

/// How far one concern is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// As it should be.
    Good,
    /// On its way, by itself.
    Working,
    /// Held back on purpose; a person may let it go.
    Held,
    /// A person is needed.
    Stuck,
    /// Over, as planned.
    Ended,
    /// Not known.
    Unsure,
}

/// What one concern (purchase, assignment, renewal) has to say.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    kind: &'static str,
    progress: Progress,
    reason: &'static str,
    message: String,
    effect: Option<Effect>,
    next: Option<String>,
    wake: Option<Timestamp>,
    renewal: Option<Timestamp>,
    wants_sweep: bool,
}

impl Finding {
    fn new(kind: &'static str, progress: Progress, reason: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            kind,
            progress,
            reason,
            message,
            effect: None,
            next: None,
            wake: None,
            renewal: None,
            wants_sweep: false,
        }
    }
    pub fn good(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Good, reason, message)
    }
    pub fn working(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Working, reason, message)
    }
    pub fn held(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Held, reason, message)
    }
    pub fn stuck(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Stuck, reason, message)
    }
    pub fn unsure(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(kind, Progress::Unsure, reason, message)
    }
    pub fn ended(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(PURCHASED, Progress::Ended, reason, message)
    }
    pub fn about(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
    pub fn wake(mut self, at: Timestamp) -> Self {
        self.wake = Some(at);
        self
    }
    pub fn renewal(mut self, at: Timestamp) -> Self {
        self.renewal = Some(at);
        self
    }
    pub fn wants_sweep(mut self) -> Self {
        self.wants_sweep = true;
        self
    }

    fn verdict(&self) -> Verdict {
        let status = match self.progress {
            Progress::Good => Some(true),
            Progress::Unsure => None,
            Progress::Working | Progress::Held | Progress::Stuck | Progress::Ended => Some(false),
        };
        verdict(self.kind, status, self.reason, self.message.clone())
    }
}

pub(super) fn decide_and_report(input: &Input<'_>) -> Decision {
    let view = View::new(*input);
    if view.purchased() { bought(&view) } else { not_bought(&view) }
}

fn not_bought(view: &View<'_>) -> Decision {
    let finding = purchase::plan(view);
    let mut verdicts = vec![finding.verdict()];
    if finding.progress == Progress::Ended {
        verdicts.push(verdict(ENDED, Some(true), finding.reason, finding.message.clone()));
    } else {
        let ready = if finding.progress == Progress::Unsure { Some(false) } else { finding.verdict().status };
        verdicts.push(verdict(READY, ready, finding.reason, finding.message.clone()));
    }
    let closes = view.input.pack.spec.purchase_window.as_ref().and_then(|w| w.not_after.as_ref()).map(|t| t.0);
    finish(view, verdicts, vec![finding], closes)
}

fn bought(view: &View<'_>) -> Decision {
    let usable: i32 = view.usable().fold(0, |sum, c| sum.saturating_add(c.concurrencies()));
    let all_expired = !view.claimed.is_empty() && view.claimed.iter().all(|c| c.state == InstanceState::Expired);
    if all_expired {
        return expired(view);
    }
    if view.claimed.is_empty() {
        return undelivered(view);
    }
    let mut findings = Vec::new();
    let mut verdicts = vec![verdict(PURCHASED, Some(true), "Paid", "bought and paid for")];
    let renewal = renewal::plan(view);
    let assignment = assignment::plan(view);
    verdicts.push(ready(view, usable, &assignment));
    verdicts.push(assignment.verdict());
    verdicts.push(renewal.verdict());
    // A renewal that is due goes first: nothing else may make it late.
    findings.push(renewal);
    findings.push(assignment);
    if let Some(effect) = flags::plan(view) {
        let mut finding =
            Finding::working(RENEWAL_ON_TRACK, "SettingAutoRenew", "sets the cloud's own renewal as declared");
        finding.effect = Some(effect);
        findings.push(finding);
    } else if view.input.pack.spec.renewal.mode == RenewalMode::AutoRenew
        && !flags::may_switch_on(view)
        && view.usable().any(|c| c.flag() != RenewFlag::Auto)
    {
        let message = "switching the cloud's own renewal on lets the cloud spend, and the mode asks for approval: switch it on in the console, or raise the mode to Automatic";
        findings.push(Finding::stuck(RENEWAL_ON_TRACK, "AutoRenewNotAllowed", message));
    }
    if let Some(effect) = flags::rename(view) {
        let mut finding = Finding::working(ASSIGNED, "Renaming", "renames the pack as declared");
        finding.effect = Some(effect);
        findings.push(finding);
    }
    finish(view, verdicts, findings, view.expiration)
}

/// Ready: usable now as declared.
fn ready(view: &View<'_>, usable: i32, assignment: &Finding) -> Verdict {
    let input = view.input;
    let wanted = input.pack.spec.quantity;
    let Some(observation) = input.observation else {
        return verdict(READY, None, "AwaitingObservation", "waits for a first complete look at the account");
    };
    if is_stale(&input, observation.started) {
        let age = short(observation.started, input.now);
        return verdict(
            READY,
            None,
            "ObservationStale",
            format!("the cloud was last seen at {age}: too long ago to say"),
        );
    }
    if usable < wanted {
        let any = |state: InstanceState| view.claimed.iter().any(|c| c.state == state);
        let (reason, why) = match () {
            () if any(InstanceState::Missing) => (
                "Vanished",
                "instances are no longer listed by the cloud; nothing is bought in their place: look into the console",
            ),
            () if any(InstanceState::Expired) => ("PartlyExpired", "instances have expired and are not bought again"),
            () if delivery_pending(view) => ("AwaitingDelivery", "paid; the rest is not delivered yet"),
            () => {
                ("PartiallyDelivered", "paid, not delivered in full, and never bought again: ask the cloud's support")
            }
        };
        return verdict(READY, Some(false), reason, format!("{usable} of {wanted} concurrencies are usable: {why}"));
    }
    if assignment.progress != Progress::Good {
        return Verdict { kind: READY, ..assignment.verdict() };
    }
    if view.carrying.iter().any(|c| c.expiration.is_none()) {
        return verdict(READY, None, "ExpiryUnknown", "the cloud does not say when the pack expires");
    }
    let scale = &input.pack.spec.concurrency_scale;
    let until = view.expiration.map(|at| at.to_string()).unwrap_or_default();
    verdict(
        READY,
        Some(true),
        "Active",
        format!("{usable} of {wanted} concurrencies of {scale} are usable until {until}"),
    )
}

fn delivery_pending(view: &View<'_>) -> bool {
    orders::own(&view.input, carpack_api::order::OrderAction::Buy)
        .any(|o| o.status.as_ref().and_then(|s| s.state) == Some(OrderState::InProgress))
}

/// Paid, and nothing to be seen of it yet.
fn undelivered(view: &View<'_>) -> Decision {
    let order = orders::newest(orders::own(&view.input, carpack_api::order::OrderAction::Buy));
    let (reason, message) = order.map_or_else(
        || ("Vanished", "bought, and none of it is listed by the cloud; nothing is bought in its place".to_owned()),
        orders::standing,
    );
    let finding = match reason {
        "AwaitingDelivery" | "Fulfilled" => Finding::working(READY, "AwaitingDelivery", message).wants_sweep(),
        _ => Finding::stuck(READY, reason, message),
    };
    let verdicts = vec![verdict(PURCHASED, Some(true), "Paid", "bought and paid for"), finding.verdict()];
    finish(view, verdicts, vec![finding], None)
}

/// Every instance is past its expiry: as planned, or not.
fn expired(view: &View<'_>) -> Decision {
    let spec = &view.input.pack.spec;
    let last = view.claimed.iter().filter_map(|c| c.expiration).max();
    let until = spec.renewal.until.as_ref().map(|t| t.0);
    let planned = match spec.renewal.mode {
        RenewalMode::None => true,
        RenewalMode::AutoRenew => false,
        RenewalMode::Operator => until.is_some_and(|until| last.is_none_or(|last| last >= until)),
    };
    let at = last.map(|at| at.to_string()).unwrap_or_default();
    let mut verdicts = vec![verdict(PURCHASED, Some(true), "Paid", "bought and paid for")];
    let finding = if planned {
        verdicts.push(verdict(ENDED, Some(true), "Ended", format!("ended as planned at {at}")));
        Finding::good(ENDED, "Ended", "ended as planned")
    } else {
        let message = format!(
            "expired at {at} without having been renewed; nothing is bought on its own account: delete this object and create it again to buy anew"
        );
        verdicts.push(verdict(READY, Some(false), "Expired", message.clone()));
        let missed = Finding::stuck(RENEWAL_ON_TRACK, "Missed", message);
        verdicts.push(missed.verdict());
        missed
    };
    finish(view, verdicts, vec![finding], None)
}

fn finish(view: &View<'_>, mut verdicts: Vec<Verdict>, findings: Vec<Finding>, moment: Option<Timestamp>) -> Decision {
    let input = &view.input;
    let old = input.pack.status.clone().unwrap_or_default();
    let (effect, failed) = choose(view, &findings);
    if let Some((kind, reason, message)) = failed {
        for verdict in verdicts.iter_mut().filter(|v| v.kind == kind || (kind == ASSIGNED && v.kind == READY)) {
            *verdict = Verdict { kind: verdict.kind, status: Some(false), reason, message: message.clone() };
        }
    }
    summarise(&findings, &mut verdicts);
    let mut said = events(&old.conditions, &verdicts, &[RECONCILING, STALLED, PURCHASED, ENDED]);
    said.dedup_by(|a, b| a.reason == b.reason);
    said.extend(ended_event(&old, &verdicts));
    said.extend(moved_event(view, &old, effect.as_ref()));
    let bound_project = bound_project(view, &old, effect.as_ref());
    let status = ConcurrencyPackStatus {
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
        spent: orders::spent(input).or(old.spent),
        next: findings.iter().find_map(|f| f.next.clone()),
        bound_project,
        instances: view.claimed.iter().map(Claimed::status).collect(),
    };
    let moments = findings.iter().filter_map(|f| f.wake).chain(moment);
    let retry = input.last_failure.map(|f| f.retry_time);
    let stale = input.observation.map(|o| plus(o.started, input.timing.stale_after));
    let soon = findings.iter().any(|f| f.wants_sweep).then(|| plus(input.now, SignedDuration::from_secs(5)));
    let wake_at = moments.chain(retry).chain(stale).chain(soon).filter(|at| *at > input.now).min();
    Decision { effect, status, events: said, wake_at }
}

/// At most one effect: the first finding's that may be carried out now.
fn choose(view: &View<'_>, findings: &[Finding]) -> (Option<Effect>, Option<(&'static str, &'static str, String)>) {
    let mut failed = None;
    for finding in findings {
        let Some(effect) = &finding.effect else { continue };
        let Effect::Change(change) = effect else { return (Some(effect.clone()), failed) };
        let failure = view.input.last_failure.filter(|f| f.change == *change);
        if let Some(failure) = failure {
            let message = format!("{}: the cloud refused: {}", finding.message, failure.message);
            failed.get_or_insert((finding.kind, failure.category, message));
        }
        if view.fresh && failure.is_none_or(|f| f.retry_time <= view.input.now) {
            return (Some(effect.clone()), failed);
        }
    }
    (None, failed)
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
    let moving = match effect {
        Some(Effect::Change(Change::Unbind { project, .. })) => {
            format!("was moved to project {project} by another hand")
        }
        Some(Effect::Change(Change::Bind { .. })) => "was unbound by another hand".to_owned(),
        _ => return None,
    };
    (was_there && seen).then(|| Event {
        warning: true,
        reason: "MovedBack",
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
        return Some("Ended".to_owned());
    }
    of(READY).map(|v| v.reason.to_owned())
}

fn quantity_column(view: &View<'_>) -> String {
    let usable = view.usable().fold(0_i32, |sum, c| sum.saturating_add(c.concurrencies()));
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
    view.expiration.or_else(|| view.claimed.iter().filter_map(|c| c.expiration).max())
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
    let own = input.orders.iter().filter(|o| o.spec.pack_ref.uid == uid);
    let order = own.max_by_key(|o| (orders::is_open(o), o.spec.decision_time.0))?;
    Some(OrderReference { namespace: input.operator_namespace.to_owned(), name: orders::name_of(order).to_owned() })
}
