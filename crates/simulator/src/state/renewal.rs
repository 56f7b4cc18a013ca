//! `RenewInstance`, `SetRenewal` and `DescribeRenewInstances`.

use jiff::Timestamp;

use super::{Call, Instance, InstanceStatus, Purchased, RenewFlag, Renewal, State, Target, View};
use crate::{error::ApiError, term::BillingMode};

/// The filters of `DescribeRenewInstances`.
#[derive(Debug, Clone, Default)]
pub struct RenewQuery {
    /// Only instances with these flags. Empty: all.
    pub flags: Vec<RenewFlag>,
    /// Only these instances. Empty: all.
    pub ids: Vec<String>,
    /// Only instances that expire at this instant or later. None: all.
    pub from: Option<Timestamp>,
    /// Only instances that expire at this instant or earlier. None: all.
    pub until: Option<Timestamp>,
    /// Whether the latest expiry comes first.
    pub reverse: bool,
}

/// An instance that `SetRenewal` did not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRenewal {
    /// The code of the failure.
    pub code: i64,
    /// The failure in words.
    pub message: String,
    /// The id of the instance.
    pub instance_id: String,
}

impl State {
    /// Extends one instance from its current expiry. Returns the id of the order. A call with the same token and the
    /// same parameters gets the first answer again.
    ///
    /// # Errors
    /// The error that the cloud answers: the product, the term, the instance or the token is wrong, or the balance does
    /// not suffice.
    pub fn renew_instance(&mut self, call: &Call, renewal: &Renewal) -> Result<String, ApiError> {
        let parameters = format!("{renewal:?}");
        if let Some(answer) = self.replay(call, "RenewInstance", &parameters)? {
            return Ok(answer.order_id);
        }
        self.check_target(call, &renewal.target)?;
        self.check_term(call, renewal.term)?;
        let instance = self.owned(call, &renewal.instance_id, Some(&renewal.target))?;
        if instance.status == InstanceStatus::Isolated {
            let message = format!("{} has expired and is isolated", instance.id);
            return Err(ApiError::new("FailedOperation.BusinessCheckErrCode", message));
        }
        if renewal.term.unit.billing_mode() != instance.billing_mode {
            let message = format!("{} is billed {:?}", instance.id, instance.billing_mode);
            return Err(ApiError::value(message));
        }
        let daily_renewal = call.console || self.settings_of(&call.account).daily_renewal;
        if instance.billing_mode == BillingMode::Daily && !daily_renewal {
            return Err(ApiError::new("UnsupportedOperation", "a Daily pack cannot be extended"));
        }
        let order_id = self.extend(call, "RenewInstance", &instance, renewal.term)?;
        let answer = Purchased { order_id: order_id.clone(), instance_ids: vec![instance.id] };
        self.remember(call, "RenewInstance", parameters, &answer);
        Ok(order_id)
    }

    /// Sets the renew flag of one instance. Returns the instance if it could not be changed: that is not an error.
    ///
    /// # Errors
    /// `UnsupportedOperation` when the product is not a concurrency pack.
    pub fn set_renewal(
        &mut self,
        call: &Call,
        target: &Target,
        id: &str,
        flag: RenewFlag,
    ) -> Result<Vec<FailedRenewal>, ApiError> {
        self.check_target(&Call { console: true, ..call.clone() }, target)?;
        let failed =
            |code, message: &str| vec![FailedRenewal { code, message: message.to_owned(), instance_id: id.to_owned() }];
        let Ok(instance) = self.owned(call, id, Some(target)) else {
            return Ok(failed(4040, "the instance does not exist"));
        };
        if instance.status == InstanceStatus::Isolated {
            return Ok(failed(4090, "the instance is isolated"));
        }
        if flag == RenewFlag::NotifyAndAutoRenew && instance.billing_mode == BillingMode::Daily {
            return Ok(failed(4000, "a Daily pack cannot auto-renew"));
        }
        if instance.renew_flag != flag {
            self.change(id, |instance| instance.renew_flag = flag);
            self.schedule_end(id);
        }
        Ok(Vec::new())
    }

    /// The instances that can be renewed, ordered by expiry.
    pub fn renew_instances(&self, account: &str, query: &RenewQuery, view: View) -> Vec<Instance> {
        let daily = self.settings_of(account).list_daily_in_renewals;
        let mut rows = self.seen(account, view);
        rows.retain(|row| {
            (daily || row.billing_mode == BillingMode::Monthly)
                && (query.flags.is_empty() || query.flags.contains(&row.renew_flag))
                && (query.ids.is_empty() || query.ids.contains(&row.id))
                && query.from.is_none_or(|from| row.expires >= from)
                && query.until.is_none_or(|until| row.expires <= until)
        });
        rows.sort_by_key(|row| row.expires);
        if query.reverse {
            rows.reverse();
        }
        view.shift(&mut rows);
        rows
    }

    /// The instance of this id, if it belongs to the caller and is in the region of the target.
    ///
    /// # Errors
    /// `InvalidParameterValue` when there is no such instance.
    pub(super) fn owned(&self, call: &Call, id: &str, target: Option<&Target>) -> Result<Instance, ApiError> {
        self.instance(id)
            .filter(|instance| instance.account == call.account)
            .filter(|instance| target.is_none_or(|target| target.region == instance.region))
            .cloned()
            .ok_or_else(|| ApiError::value(format!("there is no instance {id}")))
    }
}
