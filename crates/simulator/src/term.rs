//! Billing modes, period units, and how an expiry is computed.

use jiff::{SignedDuration, Span, Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// How a pack is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BillingMode {
    /// Prepaid by the day. It cannot auto-renew.
    Daily,
    /// Prepaid by the month.
    Monthly,
}

/// The unit of `Period` in requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeriodUnit {
    /// Days. The public documents do not list this unit; the simulator offers it for CAR.
    #[serde(rename = "d")]
    Day,
    /// Months.
    #[serde(rename = "m")]
    Month,
    /// Years.
    #[serde(rename = "y")]
    Year,
}

impl PeriodUnit {
    /// Reads `d`, `m` or `y`. None: any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "d" => Some(Self::Day),
            "m" => Some(Self::Month),
            "y" => Some(Self::Year),
            _ => None,
        }
    }

    /// The unit as requests and answers have it: `d`, `m` or `y`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "d",
            Self::Month => "m",
            Self::Year => "y",
        }
    }

    /// The billing mode of what is bought in this unit.
    pub fn billing_mode(self) -> BillingMode {
        match self {
            Self::Day => BillingMode::Daily,
            Self::Month | Self::Year => BillingMode::Monthly,
        }
    }
}

/// A duration that is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The number of units.
    pub period: i64,
    /// The unit.
    pub unit: PeriodUnit,
}

impl Term {
    /// The number of cycles that have a price: days for Daily, months for Monthly.
    pub fn cycles(self) -> i64 {
        match self.unit {
            PeriodUnit::Day | PeriodUnit::Month => self.period,
            PeriodUnit::Year => self.period.saturating_mul(12),
        }
    }

    /// The end of a term that starts at `from`, without a fraction of a second. A day is 24 hours. A month is a
    /// calendar month in `zone`: 31 January plus one month is the last day of February.
    pub fn end(self, from: Timestamp, zone: &TimeZone) -> Timestamp {
        let end = match self.unit.billing_mode() {
            BillingMode::Daily => from.checked_add(SignedDuration::from_hours(self.cycles().saturating_mul(24))),
            BillingMode::Monthly => from
                .to_zoned(zone.clone())
                .checked_add(Span::new().try_months(self.cycles()).unwrap_or_default())
                .map(|zoned| zoned.timestamp()),
        };
        whole_second(end.unwrap_or(Timestamp::MAX))
    }
}

/// The instant without its fraction of a second.
pub fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The instant as `yyyy-MM-dd HH:mm:ss` in `zone`, as the cloud writes times.
pub fn format_time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Reads `yyyy-MM-dd HH:mm:ss` in `zone`. None: the text is not a time.
pub fn parse_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let civil = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    civil.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// The first instant of the day of `at` in `zone`.
pub fn start_of_day(at: Timestamp, zone: &TimeZone) -> Timestamp {
    at.to_zoned(zone.clone()).start_of_day().map_or(at, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(from: &str, period: i64, unit: PeriodUnit) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        Term { period, unit }.end(from.parse().unwrap(), &zone).to_string()
    }

    #[test]
    fn a_daily_term_ends_whole_days_later_without_its_fraction() {
        assert_eq!(end("2026-01-31T10:00:00.75Z", 3, PeriodUnit::Day), "2026-02-03T10:00:00Z");
    }

    #[test]
    fn a_monthly_term_from_the_31st_ends_on_the_last_day_of_february_in_the_clouds_zone() {
        assert_eq!(end("2026-01-30T18:00:00Z", 1, PeriodUnit::Month), "2026-02-27T18:00:00Z");
        assert_eq!(end("2028-01-31T10:00:00Z", 1, PeriodUnit::Month), "2028-02-29T10:00:00Z");
    }

    #[test]
    fn a_year_is_twelve_months() {
        assert_eq!(end("2026-05-31T10:00:00Z", 1, PeriodUnit::Year), "2027-05-31T10:00:00Z");
    }

    #[test]
    fn a_time_on_the_wire_reads_back_as_the_same_instant() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let at: Timestamp = "2026-12-31T16:00:00Z".parse().unwrap();
        assert_eq!(format_time(at, &zone), "2027-01-01 00:00:00");
        assert_eq!(parse_time("2027-01-01 00:00:00", &zone), Some(at));
        assert_eq!(parse_time("2027-01-01", &zone), None);
    }
}
