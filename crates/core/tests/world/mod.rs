//! A world in virtual time: an API server, a cloud with a ledger, and the decisions about packs and orders, called in the
//! way the controllers call them. It has no clock and no threads: every step is a function call.

mod cloud;
mod objects;
mod steps;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use carpack_api::{ConcurrencyPack, ConcurrencyPackSpec, Mode, PackOrder};
use carpack_core::account::Account;
use carpack_core::facts::takeover::Holders;
use carpack_core::observation::{Instance, Observation, Project};
use carpack_core::pack::{Change, ChangeFailure};
use carpack_core::{Event, Timing};
use jiff::{SignedDuration, Timestamp};

pub use cloud::{Charge, Reply, committed, rate_limited, unanswered};
pub use objects::*;
pub use steps::reads_deals;

/// One pack, its orders, its account, and the cloud. Tests read and write every field.
#[derive(Clone)]
pub struct World {
    pub now: Timestamp,
    pub pack: Option<ConcurrencyPack>,
    pub orders: Vec<PackOrder>,
    pub account: Option<Account>,
    pub installation_mode: Mode,
    /// How far the operator's clock is ahead of the cloud's.
    pub clock_ahead: SignedDuration,
    pub instances: BTreeMap<String, Instance>,
    pub projects: BTreeMap<String, Project>,
    pub charges: Vec<Charge>,
    /// What was bought and is not listed yet.
    pub undelivered: Vec<Instance>,
    /// How the cloud answers the next paid calls, first to last; after the last one, `Reply::Honest`.
    pub replies: Vec<Reply>,
    /// The last sweep.
    pub observation: Option<Observation>,
    /// False while no sweep succeeds: the last one gets older.
    pub sweeping: bool,
    /// The changes that the cloud has accepted.
    pub changes: Vec<Change>,
    /// The cloud refuses every change.
    pub refuse_changes: bool,
    /// The cloud refuses every change that names this instance.
    pub refused_instance: Option<String>,
    /// The cloud accepts every change and shows none of them.
    pub ignores_changes: bool,
    pub last_change: Option<Timestamp>,
    pub failures: Vec<ChangeFailure>,
    pub events: Vec<Event>,
    pub order_events: Vec<Event>,
    pub timing: Timing,
    /// The ids of deals and instances that the orders of other packs have on record.
    pub ids_of_others: BTreeSet<String>,
    /// The names of orders that this version cannot read.
    pub unreadable: BTreeSet<String>,
    /// Other packs of the account: their renewals count against its limits.
    pub neighbours: Vec<ConcurrencyPack>,
    /// The orders of these packs. Nobody reconciles them here.
    pub neighbours_orders: Vec<PackOrder>,
    /// Who else holds the instances that the pack wants to adopt.
    holders: Holders,
    /// Numbers the deals and instances that the cloud makes.
    counter: u32,
}

impl World {
    pub fn new(pack: ConcurrencyPack) -> Self {
        let project = |id: &str, scale: &str| (id.to_owned(), Project { id: id.into(), scale: Some(scale.into()) });
        Self {
            now: time("2026-12-01T00:00:00Z"),
            pack: Some(pack),
            orders: Vec::new(),
            account: Some(account()),
            installation_mode: Mode::Automatic,
            clock_ahead: SignedDuration::ZERO,
            instances: BTreeMap::new(),
            projects: [project("cap-a", "L1"), project("cap-b", "L1"), project("cap-small", "S1")].into(),
            charges: Vec::new(),
            undelivered: Vec::new(),
            replies: Vec::new(),
            observation: None,
            sweeping: true,
            changes: Vec::new(),
            refuse_changes: false,
            refused_instance: None,
            ignores_changes: false,
            last_change: None,
            failures: Vec::new(),
            events: Vec::new(),
            order_events: Vec::new(),
            timing: Timing::default(),
            ids_of_others: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            neighbours: Vec::new(),
            neighbours_orders: Vec::new(),
            holders: Holders::new(),
            counter: 0,
        }
    }

    /// Somebody edits the spec of the pack.
    pub fn edit_spec(&mut self, edit: impl FnOnce(&mut ConcurrencyPackSpec)) {
        let pack = self.pack.as_mut().unwrap();
        edit(&mut pack.spec);
        pack.metadata.generation = pack.metadata.generation.map(|g| g + 1);
    }

    /// Somebody deletes the pack; the API server keeps it until its finalizer is gone.
    pub fn delete_pack(&mut self) {
        self.pack.as_mut().unwrap().metadata.deletion_timestamp = Some(carpack_api::common::Time(self.now));
    }

    /// Somebody approves an order. The scope is `ThisOrder` or `ThisAndLaterRenewals`.
    pub fn approve(&mut self, index: usize, scope: &str) {
        let approval = serde_json::json!({"decision": "Approved", "scope": scope});
        self.orders[index].spec.approval = Some(serde_json::from_value(approval).unwrap());
    }

    /// The operator is restarted: it has forgotten what stands in no object.
    pub fn restart_operator(&mut self) {
        self.last_change = None;
        self.failures.clear();
        self.observation = None;
    }

    /// Time passes; the cloud isolates what has expired.
    pub fn advance(&mut self, duration: SignedDuration) {
        self.now = self.now.checked_add(duration).unwrap();
        for instance in self.instances.values_mut() {
            instance.isolated = instance.expiration.is_some_and(|at| at <= self.now);
        }
    }

    /// Time passes until this moment.
    pub fn advance_to(&mut self, moment: Timestamp) {
        self.advance(moment.duration_since(self.now));
    }

    /// A complete sweep of the account.
    pub fn sweep(&mut self) {
        if self.sweeping {
            let (instances, projects) = (self.instances.clone(), self.projects.clone());
            self.observation = Some(Observation { started: self.now, instances, projects });
        }
    }

    /// A sweep that begins after so long and takes a second.
    pub fn sweep_after(&mut self, duration: SignedDuration) {
        self.advance(duration);
        self.sweep();
        self.advance(SECOND);
    }
}
