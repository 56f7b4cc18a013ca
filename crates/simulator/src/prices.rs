//! The price list. Prices are data: the code that charges has no price of its own.

use serde::{Deserialize, Serialize};

use crate::{error::Error, term::BillingMode};

/// The price of one concurrency for one cycle: a day or a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRule {
    /// A region, or `*` for any.
    pub region: String,
    /// A concurrency scale, or `*` for any.
    pub scale: String,
    /// Daily or Monthly.
    pub mode: BillingMode,
    /// The price in US cents.
    pub cents: i64,
}

/// Prices in any order. The most specific rule that fits counts; a region is more specific than a scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriceList(Vec<PriceRule>);

impl PriceList {
    /// A list of these rules.
    ///
    /// # Errors
    /// When a price is negative.
    pub fn new(rules: Vec<PriceRule>) -> Result<Self, Error> {
        if let Some(rule) = rules.iter().find(|rule| rule.cents < 0) {
            return Err(Error::Invalid(format!("the price of {} in {} is negative", rule.scale, rule.region)));
        }
        Ok(Self(rules))
    }

    /// The rules.
    pub fn rules(&self) -> &[PriceRule] {
        &self.0
    }

    /// The price of one concurrency for one cycle, in cents. None: the list has no price for it.
    pub fn unit_cents(&self, region: &str, scale: &str, mode: BillingMode) -> Option<i64> {
        self.0
            .iter()
            .filter(|rule| rule.mode == mode)
            .filter(|rule| rule.region == "*" || rule.region == region)
            .filter(|rule| rule.scale == "*" || rule.scale == scale)
            .max_by_key(|rule| (rule.region != "*", rule.scale != "*"))
            .map(|rule| rule.cents)
    }
}

impl Default for PriceList {
    /// The list prices of the public documents (2022-2024).
    fn default() -> Self {
        let dollars = [
            ("ap-singapore", [398, 612, 1041], [40, 62, 105]),
            ("ap-tokyo", [374, 588, 1016], [38, 59, 102]),
            ("ap-seoul", [460, 661, 1064], [46, 67, 107]),
        ];
        let mut rules = Vec::new();
        for (region, monthly, daily) in dollars {
            for (mode, prices) in [(BillingMode::Monthly, monthly), (BillingMode::Daily, daily)] {
                for (scale, price) in ["S1", "M1", "L1"].into_iter().zip(prices) {
                    let cents = price * 100;
                    rules.push(PriceRule { region: region.to_owned(), scale: scale.to_owned(), mode, cents });
                }
            }
        }
        Self(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_rule_wins_region_before_scale() {
        let rule = |region: &str, scale: &str, cents| PriceRule {
            region: region.into(),
            scale: scale.into(),
            mode: BillingMode::Daily,
            cents,
        };
        let list = PriceList::new(vec![rule("*", "*", 1), rule("*", "S1", 2), rule("r", "*", 3)]).unwrap();
        assert_eq!(list.unit_cents("r", "S1", BillingMode::Daily), Some(3));
        assert_eq!(list.unit_cents("q", "S1", BillingMode::Daily), Some(2));
        assert_eq!(list.unit_cents("q", "M1", BillingMode::Daily), Some(1));
        assert_eq!(list.unit_cents("q", "M1", BillingMode::Monthly), None);
    }

    #[test]
    fn the_documented_prices_are_the_default() {
        let list = PriceList::default();
        assert_eq!(list.unit_cents("ap-singapore", "L1", BillingMode::Daily), Some(10_500));
        assert_eq!(list.unit_cents("ap-seoul", "S1", BillingMode::Monthly), Some(46_000));
        assert_eq!(list.unit_cents("ap-seoul", "XL2", BillingMode::Monthly), None);
    }
}
