//! The price: nothing is bought without one, above `maxPrice`, or dearer than the order was made for.
//!
//! Rule 12 of docs/money.md, which names the tests that fail without it.

use carpack_api::order::OrderAction;
use carpack_api::pack::ConcurrencyPackSpec;
use carpack_api::{BillingMode, Money, PackOrderSpec, PackOrderStatus, Reason};

use super::case::Case;
use super::obstacle::Obstacle;
use crate::account::Account;
use crate::money::{Amount, display};

/// What so many concurrencies cost for so many days or months, within the pack's `maxPrice`.
///
/// # Errors
/// When quantity or duration is below 1, the price list has no price that fits, or the price is above `maxPrice` or in another
/// currency: then nothing may be bought.
pub fn quote(account: &Account, pack: &ConcurrencyPackSpec, quantity: i32, duration: i32) -> Result<Money, Obstacle> {
    if quantity < 1 || duration < 1 {
        let message = format!("{quantity} for {duration} is nothing to buy: quantity and duration are at least 1");
        return Err(Obstacle::wait(Reason::Unpriced, message));
    }
    let (region, scale, mode) = (&pack.region, &pack.concurrency_scale, pack.billing_mode);
    let unit = unit_price(account, region, scale, mode);
    if unit == Some(Amount::ZERO) {
        let message = format!(
            "the price list of account {} says 0.00 for {mode} {scale} in {region}: a price of nothing is no price; correct it in priceList.prices",
            account.name
        );
        return Err(Obstacle::wait(Reason::Unpriced, message));
    }
    let amount = unit
        .and_then(|price| price.times(i64::from(quantity)))
        .and_then(|price| price.times(i64::from(duration)))
        .ok_or_else(|| {
            let message = format!(
                "the price list of account {} has no {mode} price for {scale} in {region}: nothing is bought without a price; add one to priceList.prices",
                account.name
            );
            Obstacle::wait(Reason::Unpriced, message)
        })?;
    let quote = amount.in_currency(&account.spec.price_list.currency);
    check_max_price(&quote, pack.max_price.as_ref())?;
    Ok(quote)
}

/// The price of one concurrency for one day or month; none when the price list has no entry that fits.
pub fn unit_price(account: &Account, region: &str, scale: &str, mode: BillingMode) -> Option<Amount> {
    let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
    let prices = &account.spec.price_list.prices;
    let fitting =
        prices.iter().find(|p| p.billing_mode == mode && fits(&p.region, region) && fits(&p.concurrency_scale, scale));
    fitting.and_then(|price| Amount::parse(&price.amount).ok())
}

/// Whether a price is within a `maxPrice`.
fn check_max_price(price: &Money, max: Option<&Money>) -> Result<(), Obstacle> {
    let Some(max) = max.filter(|max| !is_at_most(price, max)) else { return Ok(()) };
    let (shown, limit) = (display(price), display(max));
    let message = if price.currency == max.currency {
        format!("the price of {shown} is above maxPrice {limit}: nothing is bought; raise maxPrice if it is worth it")
    } else {
        format!(
            "the price is {shown} and maxPrice is in {}: nothing is bought; write maxPrice in {}",
            max.currency, price.currency
        )
    };
    Err(Obstacle::wait(Reason::AboveMaxPrice, message))
}

/// True when a price is in the currency of the other and not higher. False when one of them is no amount.
pub(crate) fn is_at_most(price: &Money, other: &Money) -> bool {
    match (Amount::parse(&price.amount), Amount::parse(&other.amount)) {
        (Ok(amount), Ok(most)) => price.currency == other.currency && amount <= most,
        _ => false,
    }
}

/// That an order has cost more than it was quoted at, in words; none while it has not, as far as its deals say.
pub(crate) fn paid_above_quote(spec: &PackOrderSpec, status: &PackOrderStatus) -> Option<String> {
    let (quote, paid) = (spec.quote.as_ref()?, status.paid.as_ref()?);
    let above = spec.action != OrderAction::Return && !is_at_most(paid, quote);
    above.then(|| format!("it was quoted at {} and has cost {}", display(quote), display(paid)))
}

/// The act is priced, within `maxPrice`, and not dearer than the quote of its order.
pub(crate) fn price_is_allowed(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(account), Some(pack)) = (case.account, case.pack) else { return Ok(()) };
    let price = quote(account, &pack.spec, case.quantity, case.duration)?;
    let Some(recorded) = case.recorded else { return Ok(()) };
    match recorded.order.spec.quote.as_ref() {
        Some(quoted) if is_at_most(&price, quoted) => Ok(()),
        Some(_) | None => Err(Obstacle::void("the price has risen since the order was made")),
    }
}
