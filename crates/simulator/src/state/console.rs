//! What a person does in the cloud's console, and deliveries and losses without a request.

use serde::Deserialize;

use super::orders::order_status;
use super::{Call, Delivery, Purchase, Purchased, RenewFlag, Renewal, State, Target};
use crate::{
    error::{ApiError, Error},
    term::{BillingMode, PeriodUnit, Term},
};

/// A purchase by a person in the console.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleBuy {
    /// The account that pays.
    #[serde(default = "default_account")]
    pub account: String,
    /// The name of the pack.
    pub name: String,
    /// Daily or Monthly.
    pub mode: BillingMode,
    /// The region of the pack.
    pub region: String,
    /// The concurrency scale.
    pub scale: String,
    /// The number of concurrencies.
    #[serde(default = "one")]
    pub quantity: i64,
    /// The number of days (Daily) or months (Monthly).
    #[serde(default = "one")]
    pub duration: i64,
    /// The project that the pack is bound to at once. None: "to be allocated".
    #[serde(default)]
    pub project_id: Option<String>,
    /// Whether the cloud renews it by itself.
    #[serde(default)]
    pub auto_renew: bool,
}

impl ConsoleBuy {
    /// One concurrency for one cycle, paid by the account `default`.
    pub fn new(name: &str, mode: BillingMode, region: &str, scale: &str) -> Self {
        Self {
            account: default_account(),
            name: name.to_owned(),
            mode,
            region: region.to_owned(),
            scale: scale.to_owned(),
            quantity: 1,
            duration: 1,
            project_id: None,
            auto_renew: false,
        }
    }
}

/// A project that is to be created.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// The id of the project. None: the simulator chooses one.
    #[serde(default)]
    pub id: Option<String>,
    /// The name of the project.
    pub name: String,
    /// The one concurrency scale of packs that can be bound to it.
    pub scale: String,
    /// DESKTOP (the default) or MOBILE.
    #[serde(default)]
    pub category: Option<String>,
    /// SHARED or EXCLUSIVE (the default).
    #[serde(default)]
    pub project_type: Option<String>,
    /// The application that it runs.
    #[serde(default)]
    pub application_id: Option<String>,
}

fn default_account() -> String {
    "default".to_owned()
}

fn one() -> i64 {
    1
}

impl State {
    /// A person buys a pack. The limits of the product hold for it, and those of the API do not.
    ///
    /// # Errors
    /// The error that the cloud answers, such as `FailedOperation.BalanceInsufficient`.
    pub fn console_buy(&mut self, buy: &ConsoleBuy) -> Result<Purchased, ApiError> {
        let unit = match buy.mode {
            BillingMode::Daily => PeriodUnit::Day,
            BillingMode::Monthly => PeriodUnit::Month,
        };
        let flag = if buy.auto_renew { RenewFlag::NotifyAndAutoRenew } else { RenewFlag::default() };
        let purchase = Purchase {
            target: self.target(&buy.region),
            zone: String::new(),
            name: buy.name.clone(),
            scale: buy.scale.clone(),
            application_type: "Cloud3D".to_owned(),
            project_id: buy.project_id.clone(),
            quantity: buy.quantity,
            term: Term { period: buy.duration, unit },
            renew_flag: flag,
        };
        self.create_instance(&console_call(&buy.account), &purchase, Delivery::AT_ONCE)
    }

    /// A person renews an instance for so many days (Daily) or months (Monthly). Returns the id of the order.
    ///
    /// # Errors
    /// When there is no such instance, or the cloud refuses the renewal.
    pub fn console_renew(&mut self, id: &str, duration: i64) -> Result<String, Error> {
        let instance = self.existing(id)?;
        let unit = match instance.billing_mode {
            BillingMode::Daily => PeriodUnit::Day,
            BillingMode::Monthly => PeriodUnit::Month,
        };
        let renewal = Renewal {
            target: self.target(&instance.region),
            instance_id: id.to_owned(),
            term: Term { period: duration, unit },
        };
        Ok(self.renew_instance(&console_call(&instance.account), &renewal)?)
    }

    /// A person binds an instance. If it is bound to another project, it moves, as in the console.
    ///
    /// # Errors
    /// When there is no such instance or project, or their scales differ.
    pub fn console_bind(&mut self, id: &str, project: &str) -> Result<(), Error> {
        let instance = self.existing(id)?;
        self.check_project(&instance.account, project, &instance.scale)?;
        self.change(id, |instance| instance.project_id = Some(project.to_owned()));
        Ok(())
    }

    /// A person unbinds an instance.
    ///
    /// # Errors
    /// When there is no such instance.
    pub fn console_unbind(&mut self, id: &str) -> Result<(), Error> {
        self.existing(id)?;
        self.change(id, |instance| instance.project_id = None);
        Ok(())
    }

    /// A person renames an instance.
    ///
    /// # Errors
    /// When there is no such instance, or the name does not have 1 to 128 characters.
    pub fn console_rename(&mut self, id: &str, name: &str) -> Result<(), Error> {
        let account = self.existing(id)?.account;
        Ok(self.rename(&console_call(&account), id, name)?)
    }

    /// A person sets the cloud's own renewal of an instance, or its notices.
    ///
    /// # Errors
    /// When there is no such instance, or it cannot have this flag.
    pub fn console_set_renew_flag(&mut self, id: &str, flag: RenewFlag) -> Result<(), Error> {
        let instance = self.existing(id)?;
        let target = self.target(&instance.region);
        match self.set_renewal(&console_call(&instance.account), &target, id, flag)?.pop() {
            Some(failed) => Err(Error::Invalid(failed.message)),
            None => Ok(()),
        }
    }

    /// Removes an instance, without a refund and without an order.
    ///
    /// # Errors
    /// When there is no such instance.
    pub fn console_vanish(&mut self, id: &str) -> Result<(), Error> {
        self.existing(id)?;
        self.remove(id);
        Ok(())
    }

    /// A person pays an unpaid order. It is delivered at once.
    ///
    /// # Errors
    /// When there is no such order, it is not unpaid, or the balance does not suffice.
    pub fn console_pay(&mut self, order_id: &str) -> Result<(), Error> {
        let account = self.unpaid(order_id)?;
        self.pay_deals(&console_call(&account), &[order_id.to_owned()], Delivery::AT_ONCE)?;
        Ok(())
    }

    /// A person cancels an unpaid order.
    ///
    /// # Errors
    /// When there is no such order, or it is not unpaid.
    pub fn console_cancel(&mut self, order_id: &str) -> Result<(), Error> {
        self.unpaid(order_id)?;
        self.set_order_status(order_id, order_status::CLOSED);
        Ok(())
    }

    /// The account of an unpaid order.
    ///
    /// # Errors
    /// When there is no such order, or it is not unpaid.
    fn unpaid(&self, order_id: &str) -> Result<String, Error> {
        match self.order(order_id) {
            None => Err(Error::NotFound { kind: "order", id: order_id.to_owned() }),
            Some(order) if order.status == order_status::UNPAID => Ok(order.account.clone()),
            Some(_) => Err(Error::Invalid(format!("order {order_id} is not unpaid"))),
        }
    }

    /// Delivers what is missing of an order. Returns how many instances were delivered.
    ///
    /// # Errors
    /// When there is no such order.
    pub fn console_deliver(&mut self, order_id: &str) -> Result<i64, Error> {
        if self.order(order_id).is_none() {
            return Err(Error::NotFound { kind: "order", id: order_id.to_owned() });
        }
        Ok(self.deliver_some(order_id, i64::MAX))
    }

    fn existing(&self, id: &str) -> Result<super::Instance, Error> {
        self.instance(id).cloned().ok_or_else(|| Error::NotFound { kind: "instance", id: id.to_owned() })
    }

    fn target(&self, region: &str) -> Target {
        Target {
            product_code: self.rules.product_code.clone(),
            sub_product_code: Some(self.rules.sub_product_code.clone()),
            region: region.to_owned(),
        }
    }
}

fn console_call(account: &str) -> Call {
    Call { account: account.to_owned(), console: true, ..Call::default() }
}
