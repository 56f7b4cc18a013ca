//! The simulated cloud: its clock, its instances, its charges, and the requests that it was sent.

use carpack_simulator::{Effect, Fault, FaultId, LedgerEntry, RenewFlag, When};
use jiff::{SignedDuration, Timestamp};

use super::World;

impl World {
    /// Moves business time on.
    pub fn advance(&self, hours: i64) {
        self.simulator.advance(SignedDuration::from_hours(hours)).unwrap();
    }

    pub fn advance_minutes(&self, minutes: i64) {
        self.simulator.advance(SignedDuration::from_mins(minutes)).unwrap();
    }

    /// The charges for this action.
    pub fn charges(&self, action: &str) -> Vec<LedgerEntry> {
        self.simulator.ledger().into_iter().filter(|entry| entry.action == action).collect()
    }

    /// How many purchases were charged.
    pub fn bought(&self) -> usize {
        self.charges("CreateInstance").len()
    }

    /// How many renewals were charged; each instance counts.
    pub fn renewed(&self) -> usize {
        self.charges("RenewInstance").len()
    }

    /// Projects of the instances in the cloud, in the order of their ids.
    pub fn projects(&self) -> Vec<Option<String>> {
        self.simulator.instances().iter().map(|i| i.project_id.clone()).collect()
    }

    /// Moves business time on to this moment.
    pub fn go_to(&self, moment: Timestamp) {
        self.simulator.set_now(moment).unwrap();
    }

    /// Ids of the instances in the cloud, in the order of their delivery.
    pub fn ids(&self) -> Vec<String> {
        self.simulator.instances().into_iter().map(|instance| instance.id).collect()
    }

    /// For each instance how often this action was charged, in the order of their delivery.
    pub fn charged_each(&self, action: &str) -> Vec<usize> {
        let charges = self.charges(action);
        self.ids().iter().map(|id| charges.iter().filter(|charge| charge.instance_ids.contains(id)).count()).collect()
    }

    /// How many requests of this action have arrived, whatever their outcome.
    pub fn asked(&self, action: &str) -> usize {
        self.simulator.requests().iter().filter(|request| request.action == action).count()
    }

    /// For how many instances the cloud's own renewal is on.
    pub fn renewing_themselves(&self) -> usize {
        self.simulator.instances().iter().filter(|i| i.renew_flag == RenewFlag::NotifyAndAutoRenew).count()
    }

    /// The cloud holds the next request of this action, before or after it carries it out.
    pub fn hold(&self, action: &str, when: When) -> FaultId {
        self.simulator.add_fault(Fault::on(action, Effect::Hold { when }).times(1)).unwrap()
    }

    /// The cloud holds the next renewal of this instance, before or after it carries it out.
    pub fn hold_renewal(&self, instance: &str, when: When) -> FaultId {
        let hold = Fault::on("RenewInstance", Effect::Hold { when }).containing(instance).times(1);
        self.simulator.add_fault(hold).unwrap()
    }
}
