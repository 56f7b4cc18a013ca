//! Purchases: `CreateInstance`, `PayDeals`, delivery, and the memory of client tokens.

use jiff::SignedDuration;

use super::{
    Call, Delivery, Instance, InstanceStatus, Order, OrderAction, Purchase, Purchased, RenewFlag, State, Target,
    lifecycle::Event, model::Remembered, order_status,
};
use crate::{
    account::TokenHandling,
    error::ApiError,
    term::{BillingMode, PeriodUnit, Term},
};

impl State {
    /// Buys `purchase.quantity` instances. A call with the same token and the same parameters gets the first answer
    /// again.
    ///
    /// # Errors
    /// The error that the cloud answers: the product, the term, the quantity, the project, the price or the token is
    /// wrong, or the balance does not suffice. After `FailedOperation.PaySuccDeliverFailed` the money is gone.
    pub fn create_instance(
        &mut self,
        call: &Call,
        purchase: &Purchase,
        delivery: Delivery,
    ) -> Result<Purchased, ApiError> {
        let parameters = format!("{purchase:?}");
        if let Some(answer) = self.replay(call, "CreateInstance", &parameters)? {
            return Ok(answer);
        }
        let cost = self.check_purchase(call, purchase)?;
        let unpaid = self.settings_of(&call.account).unpaid_orders && !call.console;
        let order_id = self.place_order(call, OrderAction::Purchase, purchase, cost);
        if unpaid {
            self.set_order_status(&order_id, order_status::UNPAID);
        } else {
            if let Err(error) = self.charge(call, "CreateInstance", &order_id, &[], cost) {
                self.orders.pop(); // a refused purchase leaves no order behind
                return Err(error);
            }
            self.ship(&order_id, delivery)?;
        }
        let instance_ids = self.order(&order_id).map(|order| order.instance_ids.clone()).unwrap_or_default();
        let answer = Purchased { order_id, instance_ids };
        self.remember(call, "CreateInstance", parameters, &answer);
        Ok(answer)
    }

    /// Pays unpaid orders and delivers them. All are checked before the first is paid.
    ///
    /// # Errors
    /// When an order does not exist or is not unpaid, or the balance does not suffice. After
    /// `FailedOperation.PaySuccDeliverFailed` the money is gone.
    pub fn pay_deals(&mut self, call: &Call, order_ids: &[String], delivery: Delivery) -> Result<Vec<Order>, ApiError> {
        let mut total = 0_i64;
        for id in order_ids {
            let order = self
                .orders
                .iter()
                .find(|order| order.account == call.account && (order.order_id == *id || order.big_deal_id == *id))
                .ok_or_else(|| ApiError::value(format!("there is no order {id}")))?;
            if order.status != order_status::UNPAID {
                return Err(ApiError::new("FailedOperation.InvalidDeal", format!("order {id} is not unpaid")));
            }
            total = total.saturating_add(order.cost_cents);
        }
        let balance = self.account_mut(&call.account)?.balance_cents;
        if total > balance {
            let message = format!("the balance is {balance} cents, {total} are needed");
            return Err(ApiError::new("FailedOperation.BalanceInsufficient", message));
        }
        let mut paid = Vec::new();
        for id in order_ids {
            let Some(order) = self.orders.iter().find(|order| order.order_id == *id || order.big_deal_id == *id) else {
                continue;
            };
            let (order_id, cost) = (order.order_id.clone(), order.cost_cents);
            self.charge(call, "PayDeals", &order_id, &[], cost)?;
            self.ship(&order_id, delivery)?;
            paid.extend(self.order(&order_id).cloned());
        }
        Ok(paid)
    }

    /// Checks that the product can be bought.
    ///
    /// # Errors
    /// `UnsupportedOperation` when it cannot.
    pub(super) fn check_target(&self, call: &Call, target: &Target) -> Result<(), ApiError> {
        let known = target.product_code == self.rules.product_code
            && target.sub_product_code.as_ref().is_none_or(|code| *code == self.rules.sub_product_code);
        if !known || (!call.console && !self.settings_of(&call.account).api_purchase) {
            return Err(ApiError::new("UnsupportedOperation", "the product is not supported by this API"));
        }
        Ok(())
    }

    pub(super) fn check_term(&self, call: &Call, term: Term) -> Result<(), ApiError> {
        if !(1..=36).contains(&term.period) {
            return Err(ApiError::value("Period must be from 1 to 36"));
        }
        if term.unit == PeriodUnit::Day && !call.console && !self.settings_of(&call.account).day_unit {
            return Err(ApiError::value("PeriodUnit must be m or y"));
        }
        Ok(())
    }

    /// Checks everything that can be checked before an order exists. Returns the price in cents.
    ///
    /// # Errors
    /// The error that the cloud answers.
    fn check_purchase(&self, call: &Call, purchase: &Purchase) -> Result<i64, ApiError> {
        self.check_target(call, &purchase.target)?;
        self.check_term(call, purchase.term)?;
        if purchase.quantity < 1 {
            return Err(ApiError::value("Quantity must be at least 1"));
        }
        if purchase.quantity > 100 {
            return Err(ApiError::new("FailedOperation.NumLimitError", "at most 100 concurrencies in one purchase"));
        }
        let mode = purchase.term.unit.billing_mode();
        if mode == BillingMode::Daily && purchase.renew_flag == RenewFlag::NotifyAndAutoRenew {
            return Err(ApiError::value("a Daily pack cannot auto-renew"));
        }
        if let Some(id) = &purchase.project_id {
            self.check_project(&call.account, id, &purchase.scale)?;
        }
        self.price(&purchase.target.region, &purchase.scale, purchase.term, purchase.quantity)
    }

    pub(super) fn price(&self, region: &str, scale: &str, term: Term, quantity: i64) -> Result<i64, ApiError> {
        let mode = term.unit.billing_mode();
        let unit = self.prices.unit_cents(region, scale, mode).ok_or_else(|| {
            ApiError::new("FailedOperation.GetPriceParamError", format!("{scale} is not sold {mode:?} in {region}"))
        })?;
        unit.checked_mul(term.cycles())
            .and_then(|cents| cents.checked_mul(quantity))
            .ok_or_else(|| ApiError::new("FailedOperation.PayPriceError", "the price is too large"))
    }

    /// Delivers a paid order, at once or as the fault says.
    ///
    /// # Errors
    /// `FailedOperation.PaySuccDeliverFailed` when the fault makes the delivery fail.
    fn ship(&mut self, order_id: &str, delivery: Delivery) -> Result<(), ApiError> {
        let now = self.now;
        if let Some(order) = self.orders.iter_mut().rev().find(|order| order.order_id == order_id) {
            order.paid = Some(now);
        }
        if delivery.fails {
            self.set_order_status(order_id, order_status::SHIPMENT_FAILED);
            return Err(ApiError::new("FailedOperation.PaySuccDeliverFailed", "payment succeeded but shipment failed"));
        }
        self.set_order_status(order_id, order_status::SHIPPING);
        self.deliver_some(order_id, delivery.first.unwrap_or(i64::MAX));
        if let (Some(seconds), true) = (delivery.rest_after_seconds, self.undelivered(order_id) > 0) {
            let due = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(self.now);
            self.schedule(due, Event::Deliver(order_id.to_owned()));
        }
        Ok(())
    }

    pub(super) fn undelivered(&self, order_id: &str) -> i64 {
        self.order(order_id)
            .filter(|order| order.status == order_status::SHIPPING)
            .map_or(0, |order| order.quantity - order.instance_ids.len() as i64)
    }

    /// Delivers at most `most` of what is missing of an order. Returns how many instances were delivered.
    pub(super) fn deliver_some(&mut self, order_id: &str, most: i64) -> i64 {
        let owed = self.undelivered(order_id).min(most);
        let Some(order) = self.order(order_id).cloned() else { return 0 };
        let Some(purchase) = order.purchase.clone() else { return 0 };
        let already = order.instance_ids.len() as i64;
        let bought = order.paid.unwrap_or(order.created);
        let expires = purchase.term.end(bought, &self.rules.zone);
        for number in already + 1..=already + owed.max(0) {
            let id = self.random_name("cgpack-");
            let name =
                if purchase.quantity == 1 { purchase.name.clone() } else { format!("{}-{number}", purchase.name) };
            self.insert(Instance {
                id: id.clone(),
                account: order.account.clone(),
                name,
                billing_mode: purchase.term.unit.billing_mode(),
                region: purchase.target.region.clone(),
                zone: purchase.zone.clone(),
                scale: purchase.scale.clone(),
                application_type: purchase.application_type.clone(),
                project_id: purchase.project_id.clone().filter(|id| self.projects.contains_key(id)),
                renew_flag: purchase.renew_flag,
                status: InstanceStatus::Normal,
                created: self.now,
                bought,
                expires,
                paid_cents: order.cost_cents / order.quantity.max(1),
                order_id: order.order_id.clone(),
                resets: 0,
            });
            self.note_delivered(order_id, id);
        }
        if self.undelivered(order_id) == 0 {
            self.set_order_status(order_id, order_status::SHIPPED);
        }
        owed.max(0)
    }

    /// Records a delivered instance in its order and in the ledger entry that paid for it.
    fn note_delivered(&mut self, order_id: &str, id: String) {
        if let Some(entry) = self.ledger.iter_mut().rev().find(|entry| entry.order_id == order_id) {
            entry.instance_ids.push(id.clone());
        }
        if let Some(order) = self.orders.iter_mut().rev().find(|order| order.order_id == order_id) {
            order.instance_ids.push(id);
        }
    }

    /// The remembered answer to the token of this call. None: the call is carried out.
    ///
    /// # Errors
    /// When the token is not valid, or was used with other parameters.
    pub(super) fn replay(
        &self,
        call: &Call,
        action: &'static str,
        parameters: &str,
    ) -> Result<Option<Purchased>, ApiError> {
        let Some(token) = call.client_token.clone() else { return Ok(None) };
        if token.is_empty() || token.len() > 64 || !token.is_ascii() {
            return Err(ApiError::value("ClientToken must be 1 to 64 ASCII characters"));
        }
        let settings = self.settings_of(&call.account);
        let Some(first) = self.tokens.get(&(call.account.clone(), action, token)) else { return Ok(None) };
        let lifetime = SignedDuration::from_secs(settings.token_lifetime_seconds);
        let expired = self.now.duration_since(first.at) >= lifetime;
        if settings.token_handling != TokenHandling::Honoured || expired {
            return Ok(None);
        }
        if first.parameters != parameters {
            return Err(ApiError::new("InvalidParameter", "the ClientToken was used with other parameters"));
        }
        Ok(Some(first.answer.clone()))
    }

    pub(super) fn remember(&mut self, call: &Call, action: &'static str, parameters: String, answer: &Purchased) {
        if let Some(token) = call.client_token.clone() {
            let remembered = Remembered { parameters, answer: answer.clone(), at: self.now };
            self.tokens.insert((call.account.clone(), action, token), remembered);
        }
    }
}
