//! Faults on demand: which requests they hit, and what happens to those.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    actions::ActionOptions,
    error::{ApiError, Error},
    state::Delivery,
};

/// The id of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A fault: the requests that it hits, and its effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The action, or `*`.
    pub action: String,
    /// Only requests of this account.
    #[serde(default)]
    pub account: Option<String>,
    /// Only requests whose parameters, written as compact JSON, contain this text.
    #[serde(default)]
    pub contains: Option<String>,
    /// So many matching requests are not hit before the first one that is.
    #[serde(default)]
    pub skip: u32,
    /// So many requests are hit; absent = all until the fault is removed.
    #[serde(default)]
    pub count: Option<u32>,
    /// The effect.
    pub effect: Effect,
}

impl Fault {
    /// This effect on every request of this action.
    pub fn on(action: &str, effect: Effect) -> Self {
        Self { action: action.to_owned(), account: None, contains: None, skip: 0, count: None, effect }
    }

    /// Hits only so many requests.
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Does not hit the first so many requests.
    pub fn skipping(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Hits only requests whose parameters contain this text.
    pub fn containing(mut self, text: &str) -> Self {
        self.contains = Some(text.to_owned());
        self
    }
}

/// What a fault does. `commit` says whether the action is executed before the bad reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The request waits this long, in real time, before anything else.
    Latency {
        /// How long.
        milliseconds: u64,
    },
    /// The request is refused with this code, and not executed.
    Refuse {
        /// The code.
        code: String,
        /// The message.
        #[serde(default)]
        message: String,
    },
    /// The request is executed, then answered with this code. An action that fails by itself keeps its own code.
    CommitThenError {
        /// The code.
        code: String,
        /// The message.
        #[serde(default)]
        message: String,
    },
    /// The connection is closed without a reply.
    Drop {
        /// Whether the action is executed first.
        commit: bool,
    },
    /// HTTP 200 with a body that is not JSON.
    Garbage {
        /// Whether the action is executed first.
        commit: bool,
    },
    /// Another HTTP status, as a gateway answers.
    HttpStatus {
        /// The status.
        status: u16,
        /// Whether the action is executed first.
        commit: bool,
    },
    /// `RequestLimitExceeded` for so long after the fault was set, in real time.
    RateLimitStorm {
        /// How long.
        seconds: f64,
    },
    /// Purchases are delivered late, in part, never, or fail after payment.
    Delivery(Delivery),
    /// Lists show the state of so long ago, on the business clock.
    StaleLists {
        /// How long ago.
        seconds: i64,
    },
    /// Rows move by one place with every request, so that pages miss some rows and repeat others.
    ShiftingLists {},
    /// These fields are null everywhere in the answer.
    NullFields {
        /// Their names.
        fields: Vec<String>,
    },
    /// The request waits until it is released. When the fault is removed instead, its connection is closed.
    Hold {
        /// Before the execution, or after it.
        when: When,
    },
}

/// Where a request is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the action is executed.
    BeforeCommit,
    /// After the action was executed, before the answer.
    AfterCommit,
}

/// A fault as the control interface shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultView {
    /// Its id.
    pub id: FaultId,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// The number of requests that matched so far.
    pub matched: u32,
    /// The number of requests that were hit so far.
    pub hit: u32,
    /// The number of requests that it holds now.
    pub holding: usize,
}

/// A bad reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadReply {
    Error(ApiError),
    Drop,
    Garbage,
    HttpStatus(u16),
}

/// Whether held requests may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Shut,
    Open,
}

/// Where a held request waits.
#[derive(Debug)]
pub(crate) struct Hold(watch::Receiver<Gate>);

impl Hold {
    /// Waits. False when the fault was removed and the request must be dropped.
    pub(crate) async fn wait(mut self) -> bool {
        self.0.wait_for(|gate| *gate == Gate::Open).await.is_ok()
    }
}

/// What all faults together do to one request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) latency: Duration,
    pub(crate) hold_before: Vec<Hold>,
    pub(crate) before: Option<BadReply>,
    pub(crate) options: ActionOptions,
    pub(crate) hold_after: Vec<Hold>,
    pub(crate) after: Option<BadReply>,
    pub(crate) null_fields: Vec<String>,
}

#[derive(Debug)]
struct Active {
    fault: Fault,
    matched: u32,
    hit: u32,
    since: Instant,
    gate: watch::Sender<Gate>,
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    made: u64,
    active: BTreeMap<FaultId, Active>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault, now: Instant) -> Result<FaultId, Error> {
        check(&fault)?;
        self.made += 1;
        let id = FaultId(self.made);
        let (gate, _) = watch::channel(Gate::Shut);
        self.active.insert(id, Active { fault, matched: 0, hit: 0, since: now, gate });
        Ok(id)
    }

    pub(crate) fn list(&self) -> Vec<FaultView> {
        let view = |(id, active): (&FaultId, &Active)| FaultView {
            id: *id,
            fault: active.fault.clone(),
            matched: active.matched,
            hit: active.hit,
            holding: active.gate.receiver_count(),
        };
        self.active.iter().map(view).collect()
    }

    /// Removes a fault. The requests that it holds are dropped.
    pub(crate) fn remove(&mut self, id: FaultId) -> Result<(), Error> {
        self.active.remove(&id).map(|_| ()).ok_or_else(|| not_found(id))
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    /// Removes a fault. The requests that it holds go on; returns how many these are.
    pub(crate) fn release(&mut self, id: FaultId) -> Result<usize, Error> {
        let active = self.active.remove(&id).ok_or_else(|| not_found(id))?;
        let held = active.gate.receiver_count();
        active.gate.send_replace(Gate::Open);
        Ok(held)
    }

    /// What the faults do to this request. The request is counted.
    pub(crate) fn plan(&mut self, account: &str, action: &str, parameters: &str, now: Instant) -> Plan {
        let mut plan = Plan::default();
        for active in self.active.values_mut() {
            let Fault { action: of, account: only, contains, .. } = &active.fault;
            let matches = (of == "*" || of == action)
                && only.as_ref().is_none_or(|only| only == account)
                && contains.as_ref().is_none_or(|text| parameters.contains(text.as_str()));
            if !matches {
                continue;
            }
            active.matched = active.matched.saturating_add(1);
            let spent = active.fault.count.is_some_and(|count| active.hit >= count);
            if spent || active.matched <= active.fault.skip {
                continue;
            }
            active.hit = active.hit.saturating_add(1);
            plan.add(active, now);
        }
        plan
    }
}

impl Plan {
    fn add(&mut self, active: &Active, now: Instant) {
        let error = |code: &str, message: &str| BadReply::Error(ApiError::new(code, message));
        let mut reply_with = |commit: bool, reply: BadReply| {
            let place = if commit { &mut self.after } else { &mut self.before };
            place.get_or_insert(reply);
        };
        match &active.fault.effect {
            Effect::Latency { milliseconds } => self.latency += Duration::from_millis(*milliseconds),
            Effect::Refuse { code, message } => reply_with(false, error(code, message)),
            Effect::CommitThenError { code, message } => reply_with(true, error(code, message)),
            Effect::Drop { commit } => reply_with(*commit, BadReply::Drop),
            Effect::Garbage { commit } => reply_with(*commit, BadReply::Garbage),
            Effect::HttpStatus { status, commit } => reply_with(*commit, BadReply::HttpStatus(*status)),
            Effect::RateLimitStorm { seconds } => {
                if now.duration_since(active.since).as_secs_f64() < *seconds {
                    reply_with(
                        false,
                        error("RequestLimitExceeded", "the number of requests exceeds the frequency limit"),
                    );
                }
            }
            Effect::Delivery(delivery) => self.options.delivery = *delivery,
            Effect::StaleLists { seconds } => self.options.stale_seconds = Some(*seconds),
            Effect::ShiftingLists {} => self.options.rotate += active.hit as usize,
            Effect::NullFields { fields } => self.null_fields.extend(fields.iter().cloned()),
            Effect::Hold { when: When::BeforeCommit } => self.hold_before.push(Hold(active.gate.subscribe())),
            Effect::Hold { when: When::AfterCommit } => self.hold_after.push(Hold(active.gate.subscribe())),
        }
    }
}

fn not_found(id: FaultId) -> Error {
    Error::NotFound { kind: "fault", id: id.0.to_string() }
}

fn check(fault: &Fault) -> Result<(), Error> {
    let wrong = |text: &str| Err(Error::Invalid(text.to_owned()));
    if fault.action.is_empty() {
        return wrong("action must be the name of an action, or *");
    }
    match &fault.effect {
        Effect::Refuse { code, .. } | Effect::CommitThenError { code, .. } if code.is_empty() => {
            wrong("code must not be empty")
        }
        Effect::HttpStatus { status, .. } if !(300..=599).contains(status) => wrong("status must be from 300 to 599"),
        Effect::RateLimitStorm { seconds } if !seconds.is_finite() || *seconds < 0.0 => {
            wrong("seconds must not be negative")
        }
        Effect::StaleLists { seconds } if *seconds < 0 => wrong("seconds must not be negative"),
        Effect::Delivery(Delivery { first, rest_after_seconds, .. })
            if first.is_some_and(|first| first < 0) || rest_after_seconds.is_some_and(|seconds| seconds < 0) =>
        {
            wrong("first and rest_after_seconds must not be negative")
        }
        _ => Ok(()),
    }
}
