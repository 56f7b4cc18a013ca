//! What tests ask about a world.

use carpack_api::order::{LineState, LineStatus, OrderAction, OrderState};
use carpack_api::{ConcurrencyPackStatus, PackOrder, PackOrderStatus, Reason};

use super::World;

impl World {
    pub fn status(&self) -> &ConcurrencyPackStatus {
        self.pack.as_ref().unwrap().status.as_ref().unwrap()
    }

    /// The status and the reason of a condition of the pack, as in `False Denied`; `-` where there is no such condition.
    pub fn condition(&self, kind: &str) -> String {
        let status = self.pack.as_ref().and_then(|pack| pack.status.as_ref());
        let condition = status.and_then(|status| status.conditions.iter().find(|c| c.type_ == kind));
        condition.map_or_else(|| "-".into(), |c| format!("{} {}", c.status, c.reason))
    }

    /// Only the reason of a condition of the pack.
    pub fn reason(&self, kind: &str) -> String {
        self.condition(kind).split(' ').next_back().unwrap_or_default().to_owned()
    }

    pub fn condition_message(&self, kind: &str) -> String {
        let conditions = &self.status().conditions;
        conditions.iter().find(|c| c.type_ == kind).unwrap().message.clone()
    }

    pub fn ready(&self) -> String {
        self.condition("Ready")
    }

    pub fn renewal_on_track(&self) -> String {
        self.condition("RenewalOnTrack")
    }

    /// True when the pack has warned with this reason.
    pub fn has_warned(&self, reason: Reason) -> bool {
        self.events.iter().any(|event| event.warning && event.reason == reason)
    }

    pub fn last_order(&self) -> usize {
        self.orders.len() - 1
    }

    pub fn order_status(&self, index: usize) -> &PackOrderStatus {
        self.orders[index].status.as_ref().unwrap()
    }

    pub fn order_message(&self, index: usize) -> &str {
        self.order_status(index).message.as_deref().unwrap_or_default()
    }

    /// The first line of an order.
    pub fn line(&self, index: usize) -> &LineStatus {
        &self.order_status(index).lines[0]
    }

    /// The state of the first line of an order, and how many attempts it has seen.
    pub fn line_state(&self, index: usize) -> (LineState, i32) {
        let line = self.line(index);
        (line.state, line.attempts)
    }

    /// The same of the newest order.
    pub fn last_line_state(&self) -> (LineState, i32) {
        self.line_state(self.last_order())
    }

    /// How many purchases the cloud has charged.
    pub fn bought(&self) -> usize {
        self.charges.iter().filter(|c| c.action == OrderAction::Buy).count()
    }

    /// How many renewals the cloud has charged, one for each instance.
    pub fn renewed(&self) -> usize {
        self.charges.iter().filter(|c| c.action == OrderAction::Renew).count()
    }

    pub fn projects_of_instances(&self) -> Vec<Option<String>> {
        self.instances.values().map(|i| i.project.project().map(str::to_owned)).collect()
    }

    pub fn names_of_instances(&self) -> Vec<String> {
        self.instances.values().filter_map(|i| i.name.clone()).collect()
    }

    pub fn open_orders(&self) -> usize {
        let open = |o: &&PackOrder| {
            !matches!(o.status.as_ref().and_then(|s| s.state), Some(OrderState::Fulfilled | OrderState::Failed))
        };
        self.orders.iter().filter(open).count()
    }

    /// True while the outcome of any call is unknown.
    pub fn unresolved(&self) -> bool {
        let mut lines = self.orders.iter().filter_map(|o| o.status.as_ref()).flat_map(|s| &s.lines);
        lines.any(|l| matches!(l.state, LineState::Unknown | LineState::Submitting))
    }
}
