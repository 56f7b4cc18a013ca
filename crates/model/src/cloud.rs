//! The cloud: its instances, its ledger, its lists, and how it answers a paid call.

use std::collections::BTreeMap;
use std::sync::Arc;

use carpack_api::order::{OrderAction, OrderLine};
use carpack_api::pack::{ExpirationTimeSource, RenewFlag};
use carpack_api::{PackOrder, PackOrderSpec, Reason};
use carpack_core::names::instance_name;
use carpack_core::observation::{Binding, Deal, DealAction, DealList, DealState, Instance, Observation};
use carpack_core::order::Outcome;

use crate::config::{PRODUCT, SIGNATURE, Tokens, World, at};
use crate::marks::{CHARGED_TWICE, RENEWED_TWICE, SAW_SAME_TOKEN, SAW_STALE_SIGNATURE, SAW_ZOMBIE_CALL, UNREACHABLE};
use crate::state::{Call, CallState, Charge, CloudInstance, State, Sweep, digest};

/// A day in seconds, the only term that this cloud sells.
pub const DAY: i64 = 24 * 3600;

/// The id of the cloud's order for a charge.
pub fn deal_id(index: usize) -> String {
    format!("deal-{index}")
}

impl State {
    /// A sweep: what the lists show now.
    pub fn sweep(&self) -> Sweep {
        let listed = self.instances.iter().filter_map(|(id, item)| {
            let expires = if self.now >= item.seen_at { Some(item.expires) } else { item.before };
            expires.map(|expires| (id.clone(), instance(id, item, expires, self.now)))
        });
        let instances: BTreeMap<String, Instance> = listed.collect();
        let seen: Vec<_> =
            instances.values().map(|i| (i.id.as_str(), i.name.as_deref(), i.expiration, i.isolated)).collect();
        let key = digest(&(self.now, seen));
        let observation = Observation { started: at(self.now), instances, projects: BTreeMap::new() };
        Sweep { started: self.now, observation: Arc::new(observation), key }
    }

    /// The list of deals as it is now.
    pub fn deals(&self, world: &World) -> DealList {
        let shown = self.charges.iter().enumerate().filter(|(_, charge)| self.now >= shown_at(world, charge));
        let deals = shown.map(|(index, charge)| Deal {
            order_id: deal_id(index),
            action: match charge.action {
                OrderAction::Buy => DealAction::Purchase,
                OrderAction::Renew => DealAction::Renew,
                OrderAction::Return => DealAction::Refund,
            },
            cost_cents: Some(100),
            currency: Some("USD".to_owned()),
            instance_ids: charge.instances.clone(),
            product_code: Some(PRODUCT.to_owned()),
            state: DealState::InEffect,
            created: None,
        });
        DealList { started: at(self.now), deals: deals.collect() }
    }

    /// The instances that were bought for a pack, successors included, by id.
    pub fn bought_for(&self, uid: &str) -> impl Iterator<Item = (&str, &CloudInstance)> {
        let purchases = self.charges.iter().filter(move |c| c.action == OrderAction::Buy && c.uid == uid);
        let bought = purchases.flat_map(|charge| &charge.instances);
        bought.filter_map(move |id| Some((id.as_str(), self.instances.get(id)?)))
    }

    /// A paid call arrives, and the cloud answers it.
    pub fn execute(&mut self, world: &World, index: usize) {
        let Some(call) = self.calls.get(index).cloned() else { return };
        if call.by != self.leader {
            self.saw(SAW_ZOMBIE_CALL);
        }
        let outcome = self.answer(world, &call);
        if call.abandoned {
            self.calls.remove(index);
        } else if let Some(call) = self.calls.get_mut(index) {
            call.state = CallState::Answered(outcome);
        }
    }

    fn answer(&mut self, world: &World, call: &Call) -> Outcome {
        if self.now.saturating_sub(call.signed) > SIGNATURE {
            self.saw(SAW_STALE_SIGNATURE);
            return refused(Reason::ClockSkew);
        }
        let known =
            self.charges.iter().position(|charge| charge.token == call.token && honoured(world, charge, self.now));
        if let Some(index) = known {
            self.saw(SAW_SAME_TOKEN);
            return self.committed(index);
        }
        let spec = &call.order.object.spec;
        let Some(line) = spec.lines.iter().find(|line| line.index == call.line) else {
            return refused(Reason::InvalidRequest);
        };
        let charge = match spec.action {
            OrderAction::Buy => self.deliver(world, spec),
            OrderAction::Renew => match self.renew(world, spec, line) {
                Some(charge) => charge,
                None => return refused(Reason::NotFound),
            },
            OrderAction::Return => return refused(Reason::Unsupported),
        };
        self.book(Charge { token: call.token.clone(), ..charge }, &call.order.object, line);
        self.committed(self.charges.len().saturating_sub(1))
    }

    fn committed(&self, index: usize) -> Outcome {
        let instances = self.charges.get(index).map(|charge| charge.instances.clone()).unwrap_or_default();
        Outcome::Committed { order_ids: vec![deal_id(index)], instance_ids: instances, request_id: None }
    }

    fn deliver(&mut self, world: &World, spec: &PackOrderSpec) -> Charge {
        let number = self.charges.len();
        let instances: Vec<String> = (1..=spec.terms.quantity).map(|n| format!("i-{number}-{n}")).collect();
        for (id, n) in instances.iter().zip(1..) {
            let appended = (spec.terms.quantity > 1).then(|| format!("{n}"));
            let item = CloudInstance {
                name: instance_name(&spec.pack_name, appended.as_deref()),
                expires: self.now.saturating_add(DAY),
                before: None,
                seen_at: self.now.saturating_add(world.lag),
            };
            self.instances.insert(id.clone(), item);
        }
        Charge {
            first: spec.lines.iter().all(|line| line.renews_from.is_none()),
            ..charge(self.now, spec, 0, instances)
        }
    }

    fn renew(&mut self, world: &World, spec: &PackOrderSpec, line: &OrderLine) -> Option<Charge> {
        let id = line.instance_id.clone()?;
        let (now, seen_at) = (self.now, self.now.saturating_add(world.lag));
        let item = self.instances.get_mut(&id).filter(|item| item.expires > now)?;
        let before = item.expires;
        *item = CloudInstance { expires: before.saturating_add(DAY), before: Some(before), seen_at, ..item.clone() };
        let renews_from = line.renews_from.as_ref().map(|t| t.0.as_second());
        Some(Charge { renews_from, expired_before: Some(before), ..charge(now, spec, line.index, vec![id]) })
    }

    /// Adds a charge to the ledger, and marks the rules that it breaks.
    fn book(&mut self, charge: Charge, order: &PackOrder, line: &OrderLine) {
        let same_line = |c: &&Charge| {
            (&c.uid, c.action, c.ordinal, c.line) == (&charge.uid, charge.action, charge.ordinal, charge.line)
        };
        let same_pack = |c: &&Charge| c.first && charge.first && c.uid == charge.uid;
        if self.charges.iter().any(|c| same_line(&c) || same_pack(&c)) {
            self.broken.set(CHARGED_TWICE);
        }
        // A renewal must extend the expiry that its line names, and only once.
        let again = |c: &&Charge| {
            c.action == OrderAction::Renew && c.instances == charge.instances && c.renews_from == charge.renews_from
        };
        let renews = charge.action == OrderAction::Renew;
        if renews && (charge.expired_before != charge.renews_from || self.charges.iter().any(|c| again(&c))) {
            self.broken.set(RENEWED_TWICE);
        }
        let name = order.metadata.name.as_deref().unwrap_or_default();
        let lines = self.orders.get(name).map(|live| live.object.spec.lines.as_slice()).unwrap_or_default();
        if !lines.iter().any(|l| l.client_token == charge.token && l.index == line.index) {
            self.broken.set(UNREACHABLE);
        }
        self.charges.push(charge);
    }
}

fn honoured(world: &World, charge: &Charge, now: i64) -> bool {
    match world.tokens {
        Tokens::Honoured => true,
        Tokens::Ignored => false,
        Tokens::Known(minutes) => now.saturating_sub(charge.at) <= i64::from(minutes).saturating_mul(60),
        Tokens::Expire(after) => now.saturating_sub(charge.at) <= after,
    }
}

/// When the list of deals shows a charge.
pub fn shown_at(world: &World, charge: &Charge) -> i64 {
    charge.at.saturating_add(world.lag)
}

fn charge(now: i64, spec: &PackOrderSpec, line: i32, instances: Vec<String>) -> Charge {
    Charge {
        at: now,
        token: String::new(),
        order: carpack_core::names::order_name(
            &spec.pack_ref.namespace,
            &spec.pack_ref.name,
            spec.action,
            spec.ordinal,
        ),
        uid: spec.pack_ref.uid.clone(),
        action: spec.action,
        ordinal: spec.ordinal,
        line,
        renews_from: None,
        expired_before: None,
        instances,
        first: false,
        recorded: false,
    }
}

/// A refusal. It may pass, unless the category says that it never will.
pub fn refused(category: Reason) -> Outcome {
    let may_pass = !matches!(category, Reason::NotFound | Reason::InvalidRequest | Reason::Unsupported);
    Outcome::Rejected { category, message: "refused".to_owned(), may_pass }
}

fn instance(id: &str, item: &CloudInstance, expires: i64, now: i64) -> Instance {
    Instance {
        id: id.to_owned(),
        name: Some(item.name.clone()),
        concurrencies: Some(1),
        project: Binding::Unbound,
        expiration: Some(at(expires)),
        expiration_source: ExpirationTimeSource::Billing,
        renew_flag: RenewFlag::Manual,
        scale: Some("L1".to_owned()),
        region: Some("ap-singapore".to_owned()),
        isolated: expires <= now,
    }
}
