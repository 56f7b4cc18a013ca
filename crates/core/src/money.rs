//! Money as exact decimal numbers: ten-thousandths in an `i64`, every operation checked.

use std::fmt;

use carpack_api::Money;

const UNITS: i64 = 10_000;

/// An amount without its currency, in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Amount(i64);

/// A text that is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not an amount of money: write a decimal number with at most four digits after the point, such as 6300.00"
)]
pub struct NotAnAmount(String);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal number.
    ///
    /// # Errors
    /// When the text is no decimal number, is negative, has more than four decimals, or is too large.
    pub fn parse(text: &str) -> Result<Self, NotAnAmount> {
        let wrong = || NotAnAmount(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
            return Err(wrong());
        }
        let whole: i64 = whole.parse().map_err(|_| wrong())?;
        let fraction: i64 = format!("{fraction:0<4}").parse().map_err(|_| wrong())?;
        whole.checked_mul(UNITS).and_then(|n| n.checked_add(fraction)).map(Self).ok_or_else(wrong)
    }

    /// The size of an amount that the cloud gives in cents (a refund as a negative one); none when it is too large.
    pub fn from_cents(cents: i64) -> Option<Self> {
        cents.checked_abs()?.checked_mul(100).map(Self)
    }

    /// A balance that the cloud gives in cents: negative when it is a debt; none when it is too large.
    pub fn from_signed_cents(cents: i64) -> Option<Self> {
        cents.checked_mul(100).map(Self)
    }

    /// So many times the amount; none on overflow.
    pub fn times(self, count: i64) -> Option<Self> {
        self.0.checked_mul(count).map(Self)
    }

    /// The sum; none on overflow.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// With its currency, as the API writes it.
    pub fn in_currency(self, currency: &str) -> Money {
        Money { amount: self.to_string(), currency: currency.to_owned() }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        let scale = UNITS.unsigned_abs();
        let whole = units.checked_div(scale).unwrap_or(0);
        let fraction = format!("{:04}", units.checked_rem(scale).unwrap_or(0));
        let shown = if fraction.ends_with("00") { &fraction[..2] } else { &fraction[..] };
        write!(f, "{sign}{whole}.{shown}")
    }
}

/// "2100.00 USD".
pub fn display(money: &Money) -> String {
    format!("{} {}", money.amount, money.currency)
}

/// Why amounts have no sum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSum {
    /// Not all are in the currency of the sum.
    #[error("{amount} is not in {currency}")]
    OtherCurrency {
        /// The amount, with its currency.
        amount: String,
        /// The currency of the sum.
        currency: String,
    },
    /// One of them is no amount.
    #[error(transparent)]
    NotAnAmount(#[from] NotAnAmount),
    /// The sum is larger than any amount can be.
    #[error("the sum is too large")]
    TooLarge,
}

/// The sum of amounts in one currency. Nothing is left out.
///
/// # Errors
/// When one of them is in another currency or is no amount, or when the sum is too large.
pub fn sum<'a>(currency: &str, entries: impl IntoIterator<Item = &'a Money>) -> Result<Amount, NoSum> {
    entries.into_iter().try_fold(Amount::ZERO, |sum, money| {
        if money.currency != currency {
            return Err(NoSum::OtherCurrency { amount: display(money), currency: currency.to_owned() });
        }
        sum.plus(Amount::parse(&money.amount)?).ok_or(NoSum::TooLarge)
    })
}

/// The sums of amounts, one for each currency, in words: "2100.00 USD", or "2100.00 USD and 500.00 CNY".
///
/// # Errors
/// When one of them is no amount, or when a sum is too large.
pub fn sums_in_words<'a>(entries: impl IntoIterator<Item = &'a Money> + Clone) -> Result<String, NoSum> {
    let mut currencies: Vec<&str> = Vec::new();
    for money in entries.clone() {
        if !currencies.contains(&money.currency.as_str()) {
            currencies.push(&money.currency);
        }
    }
    let of = |currency: &&str| {
        let own = entries.clone().into_iter().filter(|money| money.currency == *currency);
        Ok(display(&sum(currency, own)?.in_currency(currency)))
    };
    let sums: Vec<String> = currencies.iter().map(of).collect::<Result<_, NoSum>>()?;
    Ok(sums.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("105", "105.00")]
    #[case("105.5", "105.50")]
    #[case("0.0001", "0.0001")]
    #[case("6300.00", "6300.00")]
    fn a_decimal_number_is_read_exactly(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(Amount::parse(text).unwrap().to_string(), shown);
    }

    #[rstest]
    #[case("")]
    #[case("-1")]
    #[case("1.")]
    #[case(".5")]
    #[case("1.00001")]
    #[case("1e3")]
    #[case("99999999999999999999")]
    fn what_is_no_amount_is_refused(#[case] text: &str) {
        assert!(Amount::parse(text).is_err());
    }

    #[test]
    fn less_than_nothing_is_shown_with_a_sign_and_nothing_without() {
        let shown = |count| Amount::parse("1.50").unwrap().times(count).unwrap().to_string();
        assert_eq!([shown(-1), shown(0), shown(1)], ["-1.50", "0.00", "1.50"]);
    }

    #[test]
    fn a_debt_is_shown_as_one() {
        let debt = Amount::from_signed_cents(-50_000).unwrap();
        assert_eq!(debt.to_string(), "-500.00");
        assert_eq!(Amount::from_signed_cents(i64::MIN), None);
    }

    #[test]
    fn an_overflow_is_no_amount_instead_of_a_small_one() {
        assert_eq!(Amount::parse("99999999999").unwrap().times(i64::MAX), None);
    }

    fn money(amount: &str, currency: &str) -> Money {
        Money { amount: amount.to_owned(), currency: currency.to_owned() }
    }

    #[test]
    fn a_sum_leaves_out_nothing_and_says_what_it_cannot_add() {
        let dollars = [money("105.50", "USD"), money("0.50", "USD")];
        assert_eq!(sum("USD", &dollars).unwrap().to_string(), "106.00");
        assert_eq!(sum("USD", &[]).unwrap(), Amount::ZERO);
        let refused = |entry: Money| sum("USD", [&dollars[0], &entry]).unwrap_err().to_string();
        assert_eq!(refused(money("7.00", "CNY")), "7.00 CNY is not in USD");
        assert!(refused(money("lots", "USD")).contains("is not an amount of money"));
        assert_eq!(refused(money("922337203685477", "USD")), "the sum is too large");
    }

    #[test]
    fn amounts_in_several_currencies_are_summed_up_each() {
        let mixed = [money("1.00", "USD"), money("7.00", "CNY"), money("2.00", "USD")];
        assert_eq!(sums_in_words(&mixed).unwrap(), "3.00 USD and 7.00 CNY");
        assert_eq!(sums_in_words(&mixed[..1]).unwrap(), "1.00 USD");
        assert!(sums_in_words(&[money("lots", "USD")]).is_err());
    }

    proptest! {
        #[test]
        fn every_amount_survives_being_written_and_read(units in 0_i64..=9_999_999_999_999) {
            let amount = Amount(units);
            prop_assert_eq!(Amount::parse(&amount.to_string()).unwrap(), amount);
        }
    }
}
