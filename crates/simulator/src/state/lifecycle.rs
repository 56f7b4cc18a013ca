//! What happens as time passes: deliveries, auto-renewals, expiry and removal, in order, each at its own instant.

use jiff::{SignedDuration, Timestamp};

use super::{Call, Instance, InstanceStatus, OrderAction, RenewFlag, State, model::Record, order_status};
use crate::term::{BillingMode, PeriodUnit, Term, start_of_day};

/// Something that is due. An event of an instance has no effect when the expiry of the instance has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Deliver(String),
    AutoRenew { id: String, expires: Timestamp },
    Expire { id: String, expires: Timestamp },
    Remove { id: String, expires: Timestamp },
}

impl State {
    /// Moves the business time forward to `to`. Everything that is due until then happens in order. The time never goes
    /// back.
    pub fn advance_to(&mut self, to: Timestamp) {
        while let Some(entry) = self.events.first_entry() {
            let due = entry.key().0;
            if due > to {
                break;
            }
            let event = entry.remove();
            self.now = self.now.max(due);
            self.happen(event);
        }
        self.now = self.now.max(to);
    }

    pub(super) fn schedule(&mut self, due: Timestamp, event: Event) {
        self.events_made += 1;
        self.events.insert((due, self.events_made), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(order_id) => {
                self.deliver_some(&order_id, i64::MAX);
            }
            Event::AutoRenew { id, expires } => self.auto_renew(&id, expires),
            Event::Expire { id, expires } => {
                if self.is_current(&id, expires, InstanceStatus::Normal) {
                    self.change(&id, |instance| instance.status = InstanceStatus::Isolated);
                    let isolation = SignedDuration::from_secs(self.rules.isolation_seconds);
                    let due = self.now.saturating_add(isolation).unwrap_or(self.now);
                    self.schedule(due, Event::Remove { id, expires });
                }
            }
            Event::Remove { id, expires } => {
                if self.is_current(&id, expires, InstanceStatus::Isolated) {
                    self.remove(&id);
                }
            }
        }
    }

    fn is_current(&self, id: &str, expires: Timestamp, status: InstanceStatus) -> bool {
        self.instance(id).is_some_and(|instance| instance.expires == expires && instance.status == status)
    }

    /// The cloud's own renewal. It is tried once, on the day of expiry.
    fn auto_renew(&mut self, id: &str, expires: Timestamp) {
        let Some(instance) = self.instance(id).cloned() else { return };
        let wanted =
            instance.renew_flag == RenewFlag::NotifyAndAutoRenew && instance.billing_mode == BillingMode::Monthly;
        if !wanted || !self.is_current(id, expires, InstanceStatus::Normal) {
            return;
        }
        let call = Call { account: instance.account.clone(), ..Call::default() };
        let term = Term { period: 1, unit: PeriodUnit::Month };
        // When the balance does not suffice, the service ends at its expiry, as the documents say.
        let _ = self.extend(&call, "AutoRenew", &instance, term);
    }

    /// Pays for one instance and extends it. The caller has checked that this is allowed.
    ///
    /// # Errors
    /// When there is no price, or the balance does not suffice.
    pub(super) fn extend(
        &mut self,
        call: &Call,
        action: &str,
        instance: &Instance,
        term: Term,
    ) -> Result<String, crate::error::ApiError> {
        let cost = self.price(&instance.region, &instance.scale, term, 1)?;
        let order_id = self.place_order_about(call, OrderAction::Renew, instance, term, cost);
        if let Err(error) = self.charge(call, action, &order_id, std::slice::from_ref(&instance.id), cost) {
            self.orders.pop();
            return Err(error);
        }
        self.set_order_status(&order_id, order_status::SHIPPED);
        let expires = term.end(instance.expires, &self.rules.zone);
        self.change(&instance.id, |instance| {
            instance.expires = expires;
            instance.paid_cents += cost;
        });
        self.schedule_end(&instance.id);
        Ok(order_id)
    }

    /// The instance of this id. None: it does not exist now.
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.index.get(id).and_then(|at| self.records.get(*at)).and_then(|record| record.current.as_ref())
    }

    /// Every instance that exists now, in the order of delivery.
    pub fn instances(&self) -> Vec<Instance> {
        self.records.iter().filter_map(|record| record.current.clone()).collect()
    }

    pub(super) fn insert(&mut self, instance: Instance) {
        let id = instance.id.clone();
        self.index.insert(id.clone(), self.records.len());
        self.records.push(Record { versions: vec![(self.now, Some(instance.clone()))], current: Some(instance) });
        self.schedule_end(&id);
    }

    /// Changes an instance, and keeps its earlier version.
    pub(super) fn change(&mut self, id: &str, with: impl FnOnce(&mut Instance)) {
        let now = self.now;
        let record = self.index.get(id).and_then(|at| self.records.get_mut(*at));
        if let Some(record) = record
            && let Some(instance) = &mut record.current
        {
            with(instance);
            record.versions.push((now, Some(instance.clone())));
        }
    }

    /// Removes an instance, and keeps its earlier version.
    pub(super) fn remove(&mut self, id: &str) {
        let now = self.now;
        if let Some(record) = self.index.get(id).and_then(|at| self.records.get_mut(*at)) {
            record.current = None;
            record.versions.push((now, None));
        }
    }

    /// Schedules the end of an instance by its expiry and flag.
    pub(super) fn schedule_end(&mut self, id: &str) {
        let Some(instance) = self.instance(id) else { return };
        let (id, expires, flag) = (instance.id.clone(), instance.expires, instance.renew_flag);
        if flag == RenewFlag::NotifyAndAutoRenew {
            let due = start_of_day(expires, &self.rules.zone).max(self.now);
            self.schedule(due, Event::AutoRenew { id: id.clone(), expires });
        }
        self.schedule(expires, Event::Expire { id, expires });
    }
}
