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

/// The sum of amounts in one currency; entries in another currency are left out.
pub fn sum<'a>(currency: &str, entries: impl IntoIterator<Item = &'a Money>) -> Amount {
    entries
        .into_iter()
        .filter(|money| money.currency == currency)
        .filter_map(|money| Amount::parse(&money.amount).ok())
        .fold(Amount::ZERO, |sum, amount| sum.plus(amount).unwrap_or(sum))
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
    fn an_overflow_is_no_amount_instead_of_a_small_one() {
        assert_eq!(Amount::parse("99999999999").unwrap().times(i64::MAX), None);
    }

    proptest! {
        #[test]
        fn every_amount_survives_being_written_and_read(units in 0_i64..=9_999_999_999_999) {
            let amount = Amount(units);
            prop_assert_eq!(Amount::parse(&amount.to_string()).unwrap(), amount);
        }
    }
}
