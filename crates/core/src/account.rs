//! What an account allows, and what to report of it.

use carpack_api::account::{CarAccountSpec, Channel, Tenant};
use carpack_api::pack::{ConcurrencyPackSpec, RenewalMode};
use carpack_api::{BillingMode, Money, Reason};

use crate::money::Amount;

/// An account as a decision sees it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Name of the CarAccount.
    pub name: String,
    /// Its spec.
    pub spec: CarAccountSpec,
    /// Whether the cloud lets us work with it.
    pub health: Health,
}

/// Whether the cloud lets us work with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Ready,
    /// No: a reason of a closed set, and the way out in one sentence.
    NotReady {
        /// Why.
        reason: Reason,
        /// What is wrong and what to do.
        message: String,
    },
}

/// Why an order cannot be priced or is refused for its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceProblem {
    /// The price list has no entry that fits.
    Unpriced(String),
    /// The price is above maxPrice, or in another currency.
    AboveMaxPrice(String),
}

impl Account {
    /// True when the account or one of its tenants has spending limits or a brake: then all orders are counted.
    pub fn has_limits(&self) -> bool {
        let limited = |tenant: &Tenant| tenant.limits.is_some() || tenant.brake.is_some();
        self.spec.limits.is_some() || self.spec.tenants.iter().any(limited)
    }

    /// True when packs of the namespace may spend from this account.
    pub fn grants_namespace(&self, namespace: &str) -> bool {
        self.spec.tenants.iter().any(|tenant| tenant.covers(namespace))
    }

    /// True when packs of the namespace may be bound to the project.
    pub fn grants_project(&self, namespace: &str, project: &str) -> bool {
        self.spec.tenants.iter().any(|tenant| tenant.covers(namespace) && names(&tenant.projects, project))
    }

    /// True when packs of the namespace may take over what was already bought.
    pub fn grants_adoption(&self, namespace: &str) -> bool {
        grants_adoption(&self.spec, namespace)
    }

    /// The price of one concurrency for one day or month.
    pub fn unit_price(&self, region: &str, scale: &str, mode: BillingMode) -> Option<Amount> {
        let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        self.spec
            .price_list
            .prices
            .iter()
            .find(|p| p.billing_mode == mode && fits(&p.region, region) && fits(&p.concurrency_scale, scale))
            .and_then(|p| Amount::parse(&p.amount).ok())
    }

    /// What so many concurrencies cost for so many days or months, and whether the pack's maxPrice allows it.
    ///
    /// # Errors
    /// When it is nothing, the price list has no entry for it, or the price is above maxPrice: then nothing may be bought.
    pub fn quote(&self, pack: &ConcurrencyPackSpec, quantity: i32, duration: i32) -> Result<Money, PriceProblem> {
        if quantity < 1 || duration < 1 {
            let message = format!("{quantity} for {duration} is nothing to buy: quantity and duration are at least 1");
            return Err(PriceProblem::Unpriced(message));
        }
        let (region, scale, mode) = (&pack.region, &pack.concurrency_scale, pack.billing_mode);
        let currency = &self.spec.price_list.currency;
        let amount = self
            .unit_price(region, scale, mode)
            .and_then(|price| price.times(i64::from(quantity)))
            .and_then(|price| price.times(i64::from(duration)))
            .ok_or_else(|| {
                PriceProblem::Unpriced(format!(
                    "the price list of account {} has no {mode:?} price for {scale} in {region}: nothing is bought without a price; add one to priceList.prices",
                    self.name
                ))
            })?;
        let quote = amount.in_currency(currency);
        check_max_price(&quote, pack.max_price.as_ref())?;
        Ok(quote)
    }

    /// True when this account can buy packs of this billing mode.
    pub fn can_buy(&self, mode: BillingMode) -> bool {
        self.spec.purchase.channel == Channel::Api
            && self.spec.purchase.api.as_ref().is_some_and(|api| api.period_unit(mode).is_some())
    }
}

/// True when an account lets packs of the namespace take over what was already bought.
pub fn grants_adoption(account: &CarAccountSpec, namespace: &str) -> bool {
    account.tenants.iter().any(|tenant| tenant.covers(namespace) && tenant.adopt == Some(true))
}

/// Whether a quote is within a maxPrice.
///
/// # Errors
/// When it is above, or in another currency.
pub fn check_max_price(quote: &Money, max: Option<&Money>) -> Result<(), PriceProblem> {
    let Some(max) = max else { return Ok(()) };
    if quote.currency != max.currency {
        return Err(PriceProblem::AboveMaxPrice(format!(
            "the price is {} {} and maxPrice is in {}: nothing is bought; write maxPrice in {}",
            quote.amount, quote.currency, max.currency, quote.currency
        )));
    }
    let refuse = || {
        Err(PriceProblem::AboveMaxPrice(format!(
            "the price of {} {} is above maxPrice {} {}: nothing is bought; raise maxPrice if it is worth it",
            quote.amount, quote.currency, max.amount, max.currency
        )))
    };
    match (Amount::parse(&quote.amount), Amount::parse(&max.amount)) {
        (Ok(price), Ok(limit)) if price <= limit => Ok(()),
        _ => refuse(),
    }
}

/// The cloud's renewal switch that a pack's spec asks for.
pub fn wants_auto_renew(pack: &ConcurrencyPackSpec) -> bool {
    pack.renewal.mode == RenewalMode::AutoRenew
}

fn names(list: &[String], value: &str) -> bool {
    list.iter().any(|entry| entry == "*" || entry == value)
}
