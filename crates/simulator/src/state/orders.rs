//! Orders, which billing calls deals.

use jiff::Timestamp;

use super::{Call, Instance, Order, OrderAction, Purchase, State, View};
use crate::term::{Term, format_time, whole_second};

/// The documented values of an order's status that the simulator uses.
pub mod order_status {
    /// Not paid.
    pub const UNPAID: i64 = 1;
    /// Paid, but not completely delivered.
    pub const SHIPPING: i64 = 3;
    /// Delivered.
    pub const SHIPPED: i64 = 4;
    /// Paid, but will not be delivered.
    pub const SHIPMENT_FAILED: i64 = 5;
    /// Completely returned.
    pub const REFUNDED: i64 = 6;
    /// Cancelled before it was paid.
    pub const CLOSED: i64 = 7;
}

/// Filters of `DescribeDealsByCond`.
#[derive(Debug, Clone)]
pub struct DealQuery {
    /// Only orders placed at this time or later.
    pub from: Timestamp,
    /// Only orders placed at this time or earlier.
    pub until: Timestamp,
    /// Only orders with one of these statuses; empty = all.
    pub statuses: Vec<i64>,
    /// Only this order.
    pub order_id: Option<String>,
    /// Only this big order.
    pub big_deal_id: Option<String>,
    /// Only orders for this instance.
    pub instance_id: Option<String>,
}

impl State {
    /// All orders of all accounts, oldest first.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// The orders that match, newest first.
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
