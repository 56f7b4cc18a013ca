//! Faults: which requests they hit, and what they do to them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    actions::Conduct,
    error::{ApiError, Error},
    state::Delivery,
};

/// The id of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A fault: which requests it hits, and what it does to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The name of the action, or `*` for every action.
    pub action: String,
    /// It hits only requests of this account. None: of every account.
    #[serde(default)]
    pub account: Option<String>,
    /// It hits only requests whose parameters, as compact JSON, contain this text. None: all of them.
    #[serde(default)]
    pub contains: Option<String>,
    /// So many matching requests are spared first.
    #[serde(default)]
    pub skip: u32,
    /// It hits so many requests. None: all, until it is removed.
    #[serde(default)]
    pub count: Option<u32>,
    /// What the fault does.
    pub effect: Effect,
}

impl Fault {
    /// A fault with this effect on every request of this action.
    pub fn on(action: &str, effect: Effect) -> Self {
        Self { action: action.to_owned(), account: None, contains: None, skip: 0, count: None, effect }
    }

    /// Hits only so many requests.
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Spares so many requests first.
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

/// What a fault does. `commit` says whether the action is carried out before the answer is spoilt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The request waits in real time before anything else happens.
    Latency {
        /// How long it waits.
        milliseconds: u64,
    },
    /// The request is refused with this code, and the action is not carried out.
    Refuse {
        /// The error code.
        code: String,
        /// The text beside the code.
        #[serde(default)]
        message: String,
    },
    /// The action is carried out, and then answered with this code. An action that fails is answered with its own code.
    CommitThenError {
        /// The error code.
        code: String,
        /// The text beside it.
        #[serde(default)]
        message: String,
    },
    /// The connection is closed without a reply.
    Drop {
        /// Whether the action is carried out first.
        commit: bool,
    },
    /// HTTP 200 with a body that is not JSON.
    Garbage {
        /// Whether the action is carried out first.
        commit: bool,
    },
    /// Another HTTP status, as from a gateway.
    HttpStatus {
        /// The status, 300 to 599.
        status: u16,
        /// Whether the action is carried out first.
        commit: bool,
    },
    /// Requests are refused with `RequestLimitExceeded` for some real time after the fault was set.
    RateLimitStorm {
        /// How long, in seconds.
        seconds: f64,
    },
    /// Purchases are delivered late, in part or never, or their delivery fails after the payment.
    Delivery(Delivery),
    /// Lists are answered as they were earlier on the business clock.
    StaleLists {
        /// How much earlier, in seconds.
        seconds: i64,
    },
    /// Rows move by one place with every request, so that some pages miss rows and others repeat them.
    ShiftingLists {},
    /// These fields of the answer are null, wherever they occur.
    NullFields {
        /// The names of the fields.
        fields: Vec<String>,
    },
    /// The request waits until it is released. When the fault is removed instead, the connection is closed.
    Hold {
        /// Whether it waits before or after the action is carried out.
        when: When,
    },
}

/// When a request is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the action is carried out.
    BeforeCommit,
    /// After the action is carried out, before it is answered.
    AfterCommit,
}

/// A fault as the control interface shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultView {
    /// The id of the fault.
    pub id: FaultId,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests have matched so far, with those that were spared.
    pub matched: u32,
    /// How many requests it has hit so far.
    pub hit: u32,
    /// How many requests it holds now.
    pub holding: usize,
}

/// How an answer is spoilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spoilt {
    Error(ApiError),
    Drop,
    Garbage,
    HttpStatus(u16),
}

/// Whether a held request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Shut,
    Open,
}

/// The receiving half of a gate, for one held request.
#[derive(Debug)]
pub(crate) struct Hold(watch::Receiver<Gate>);

impl Hold {
    /// Waits for the gate to open. False: the fault is removed, and the request must be dropped.
    pub(crate) async fn wait(mut self) -> bool {
        self.0.wait_for(|gate| *gate == Gate::Open).await.is_ok()
    }
}

/// What the faults do to one request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) latency: Duration,
    pub(crate) hold_before: Vec<Hold>,
    pub(crate) before: Option<Spoilt>,
    pub(crate) conduct: Conduct,
    pub(crate) hold_after: Vec<Hold>,
    pub(crate) after: Option<Spoilt>,
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

    /// Removes a fault, and drops the requests that it holds.
    ///
    /// # Errors
    /// When there is no such fault.
    pub(crate) fn remove(&mut self, id: FaultId) -> Result<(), Error> {
        self.active.remove(&id).map(|_| ()).ok_or_else(|| not_found(id))
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    /// Removes a fault, and lets the requests that it holds go on.
    ///
    /// # Errors
    /// When there is no such fault.
    pub(crate) fn release(&mut self, id: FaultId) -> Result<usize, Error> {
        let active = self.active.remove(&id).ok_or_else(|| not_found(id))?;
        let held = active.gate.receiver_count();
        active.gate.send_replace(Gate::Open);
        Ok(held)
    }

    /// What the faults do to this request. It counts the request.
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
        let error = |code: &str, message: &str| Spoilt::Error(ApiError::new(code, message));
        let mut spoil = |commit: bool, spoilt: Spoilt| {
            let place = if commit { &mut self.after } else { &mut self.before };
            place.get_or_insert(spoilt);
        };
        match &active.fault.effect {
            Effect::Latency { milliseconds } => self.latency += Duration::from_millis(*milliseconds),
            Effect::Refuse { code, message } => spoil(false, error(code, message)),
            Effect::CommitThenError { code, message } => spoil(true, error(code, message)),
            Effect::Drop { commit } => spoil(*commit, Spoilt::Drop),
            Effect::Garbage { commit } => spoil(*commit, Spoilt::Garbage),
            Effect::HttpStatus { status, commit } => spoil(*commit, Spoilt::HttpStatus(*status)),
            Effect::RateLimitStorm { seconds } => {
                if now.duration_since(active.since).as_secs_f64() < *seconds {
                    spoil(false, error("RequestLimitExceeded", "the number of requests exceeds the frequency limit"));
                }
            }
            Effect::Delivery(delivery) => self.conduct.delivery = *delivery,
            Effect::StaleLists { seconds } => self.conduct.stale_seconds = Some(*seconds),
            Effect::ShiftingLists {} => self.conduct.rotate += active.hit as usize,
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
