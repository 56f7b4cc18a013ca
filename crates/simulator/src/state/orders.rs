//! Orders, which billing calls deals.

use jiff::Timestamp;

use super::{Call, Instance, Order, OrderAction, Purchase, State, View};
use crate::term::{Term, format_time, whole_second};

/// The documented values of an order's status that the simulator uses.
pub mod order_status {
    /// Not paid.
    pub const UNPAID: i64 = 1;
    /// Paid and not delivered completely.
    pub const SHIPPING: i64 = 3;
    /// Carried out: delivered, renewed or paid back.
    pub const SHIPPED: i64 = 4;
    /// Paid, and never delivered.
    pub const SHIPMENT_FAILED: i64 = 5;
    /// Returned completely.
    pub const REFUNDED: i64 = 6;
    /// Cancelled before it was paid.
    pub const CLOSED: i64 = 7;
}

/// The filters of `DescribeDealsByCond`.
#[derive(Debug, Clone)]
pub struct DealQuery {
    /// Only orders that were made at this instant or later.
    pub from: Timestamp,
    /// Only orders that were made at this instant or earlier.
    pub until: Timestamp,
    /// Only orders with these statuses. Empty: all.
    pub statuses: Vec<i64>,
    /// Only this order. None: all.
    pub order_id: Option<String>,
    /// Only this big order. None: all.
    pub big_deal_id: Option<String>,
    /// Only orders of this instance. None: all.
    pub instance_id: Option<String>,
}

impl State {
    /// Every order of every account, in the order in which they were made.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// The orders that match the query, newest first.
    pub fn deals(&self, account: &str, query: &DealQuery, view: View) -> Vec<Order> {
        let seen_until = view.as_of.unwrap_or(Timestamp::MAX);
        let mut rows: Vec<Order> = self
            .orders
            .iter()
            .rev()
            .filter(|order| order.account == account && order.created <= seen_until)
            .filter(|order| (query.from..=query.until).contains(&whole_second(order.created)))
            .filter(|order| query.statuses.is_empty() || query.statuses.contains(&order.status))
            .filter(|order| query.order_id.as_ref().is_none_or(|id| *id == order.order_id))
            .filter(|order| query.big_deal_id.as_ref().is_none_or(|id| *id == order.big_deal_id))
            .filter(|order| query.instance_id.as_ref().is_none_or(|id| order.instance_ids.contains(id)))
            .cloned()
            .collect();
        view.shift(&mut rows);
        rows
    }

    pub(super) fn order(&self, order_id: &str) -> Option<&Order> {
        self.orders.iter().rev().find(|order| order.order_id == order_id)
    }

    pub(super) fn set_order_status(&mut self, order_id: &str, status: i64) {
        if let Some(order) = self.orders.iter_mut().rev().find(|order| order.order_id == order_id) {
            order.status = status;
        }
    }

    fn next_order_id(&self) -> String {
        let day = format_time(self.now, &self.rules.zone).get(..10).unwrap_or_default().replace('-', "");
        format!("{day}{:09}", self.orders.len() + 1)
    }

    pub(super) fn place_order(
        &mut self,
        call: &Call,
        action: OrderAction,
        purchase: &Purchase,
        cost_cents: i64,
    ) -> String {
        self.push_order(Order {
            order_id: String::new(),
            big_deal_id: String::new(),
            account: call.account.clone(),
            action,
            status: order_status::SHIPPING,
            created: self.now,
            paid: None,
            cost_cents,
            instance_ids: Vec::new(),
            term: purchase.term,
            quantity: purchase.quantity,
            region: purchase.target.region.clone(),
            zone: purchase.zone.clone(),
            purchase: Some(purchase.clone()),
            name: purchase.name.clone(),
            client_token: call.client_token.clone(),
        })
    }

    pub(super) fn place_order_about(
        &mut self,
        call: &Call,
        action: OrderAction,
        about: &Instance,
        term: Term,
        cost_cents: i64,
    ) -> String {
        self.push_order(Order {
            order_id: String::new(),
            big_deal_id: String::new(),
            account: call.account.clone(),
            action,
            status: order_status::SHIPPING,
            created: self.now,
            paid: None,
            cost_cents,
            instance_ids: vec![about.id.clone()],
            term,
            quantity: 1,
            region: about.region.clone(),
            zone: about.zone.clone(),
            purchase: None,
            name: about.name.clone(),
            client_token: call.client_token.clone(),
        })
    }

    fn push_order(&mut self, mut order: Order) -> String {
        let id = self.next_order_id();
        order.big_deal_id = format!("{id}B");
        order.order_id.clone_from(&id);
        self.orders.push(order);
        id
    }
}
