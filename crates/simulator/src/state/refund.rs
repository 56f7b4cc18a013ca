//! `RefundInstance`. Each account has one full return, within five days of the purchase. Any other return pays back the price
//! less the daily price of the days begun.

use jiff::SignedDuration;

use super::{Call, InstanceStatus, OrderAction, Purchased, State, Target, order_status};
use crate::{
    error::ApiError,
    term::{BillingMode, PeriodUnit, Term},
};

const DAY_SECONDS: i64 = 86_400;

impl State {
    /// Returns one instance and pays back. Returns the id of the order. A call with the same token and the same
    /// parameters gets the first answer again.
    ///
    /// # Errors
    /// The error that the cloud answers: the product, the instance or the token is wrong, or the instance has expired.
    pub fn refund_instance(&mut self, call: &Call, target: &Target, id: &str) -> Result<String, ApiError> {
        let parameters = format!("{target:?} {id}");
        if let Some(answer) = self.replay(call, "RefundInstance", &parameters)? {
            return Ok(answer.order_id);
        }
        self.check_target(call, target)?;
        let instance = self.owned(call, id, Some(target))?;
        if instance.status == InstanceStatus::Isolated {
            let message = format!("{id} has expired and is isolated");
            return Err(ApiError::new("FailedOperation.BusinessCheckErrCode", message));
        }
        let used = self.now.duration_since(instance.bought);
        let full =
            used <= SignedDuration::from_secs(5 * DAY_SECONDS) && !self.settings_of(&call.account).full_refund_used;
        let refund = if full {
            instance.paid_cents
        } else {
            let started_days = used.as_secs() / DAY_SECONDS + 1;
            let daily = self.daily_cents(&instance.region, &instance.scale);
            (instance.paid_cents - daily.saturating_mul(started_days)).max(0)
        };
        let term = Term { period: 0, unit: PeriodUnit::Day };
        let order_id = self.place_order_about(call, OrderAction::Refund, &instance, term, refund);
        self.charge(call, "RefundInstance", &order_id, std::slice::from_ref(&instance.id), -refund)?;
        self.set_order_status(&order_id, order_status::SHIPPED);
        if full {
            self.account_mut(&call.account)?.settings.full_refund_used = true;
        }
        self.remove(id);
        self.close_refunded(&instance.order_id);
        let answer = Purchased { order_id: order_id.clone(), instance_ids: Vec::new() };
        self.remember(call, "RefundInstance", parameters, &answer);
        Ok(order_id)
    }

    /// The list price of a day, or a thirtieth of the month's where days are not sold.
    fn daily_cents(&self, region: &str, scale: &str) -> i64 {
        self.prices
            .unit_cents(region, scale, BillingMode::Daily)
            .or_else(|| self.prices.unit_cents(region, scale, BillingMode::Monthly).map(|month| month / 30))
            .unwrap_or(0)
    }

    /// A purchase whose instances were all returned has status 6.
    fn close_refunded(&mut self, order_id: &str) {
        let Some(order) = self.order(order_id) else { return };
        let all_returned = order.status == order_status::SHIPPED
            && order.instance_ids.iter().all(|id| {
                self.orders
                    .iter()
                    .any(|refund| refund.action == OrderAction::Refund && refund.instance_ids.contains(id))
            });
        if all_returned {
            self.set_order_status(order_id, order_status::REFUNDED);
        }
    }
}
