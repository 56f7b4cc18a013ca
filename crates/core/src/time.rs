//! Terms, lead times and how moments are written in sentences.

use carpack_api::BillingMode;
use carpack_api::common::Time;
use carpack_api::pack::{ConcurrencyPackSpec, RenewalMode};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// A moment as the API stores it, in whole seconds: rounded down.
pub fn whole(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// A moment as the API stores it, in whole seconds: rounded up. What is newer than the stored moment is then newer than the real one.
pub fn whole_up(at: Timestamp) -> Time {
    let second = if at.subsec_nanosecond() > 0 { at.as_second().saturating_add(1) } else { at.as_second() };
    Time(Timestamp::from_second(second).unwrap_or(at))
}

const DAY: i64 = 24;
/// The shortest month.
const MONTH: i64 = 28 * 24;

/// A moment later or earlier. Instead of an overflow, the first or the last moment that can be written.
pub fn plus(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.checked_add(duration).unwrap_or(if duration.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// How long ago.
pub fn since(now: Timestamp, then: Timestamp) -> SignedDuration {
    now.duration_since(then)
}

/// The shortest renewal adds a day, and a successor adds half a day at least. Expiries that differ by less than this are the same expiry:
/// another list of the cloud dates it otherwise (ASSUMED: no document says that the lists agree), or it was read in another zone.
const ONE_EXPIRY: SignedDuration = SignedDuration::from_hours(10);

/// True when an expiry is later than `from` because of a renewal.
pub fn is_renewed(expiration: Timestamp, from: Timestamp) -> bool {
    since(expiration, from) >= ONE_EXPIRY
}

/// True when both moments mean the same expiry.
pub fn is_same_expiry(one: Timestamp, other: Timestamp) -> bool {
    since(one, other).abs() < ONE_EXPIRY
}

/// The length of a term of so many days or months. A month counts as the shortest one, 28 days.
pub fn term(mode: BillingMode, duration: i32) -> SignedDuration {
    let hours = match mode {
        BillingMode::Daily => DAY,
        BillingMode::Monthly => MONTH,
    };
    SignedDuration::from_hours(hours.saturating_mul(i64::from(duration)))
}

/// When a term that begins at this moment is over, by the calendar (in UTC); the last moment that can be written instead of an overflow.
pub fn after_term(at: Timestamp, mode: BillingMode, duration: i32) -> Timestamp {
    let span = match mode {
        BillingMode::Daily => Span::new().try_days(duration),
        BillingMode::Monthly => Span::new().try_months(duration),
    };
    let end = span.and_then(|span| at.to_zoned(TimeZone::UTC).checked_add(span));
    end.map_or(Timestamp::MAX, |end| end.timestamp())
}

/// Term of the operator's renewals, in days or months.
pub fn renewal_duration(spec: &ConcurrencyPackSpec) -> i32 {
    spec.renewal.duration.unwrap_or(spec.duration)
}

/// Without `renewBefore`, a pack is renewed this part of its term before its expiry, within the two bounds below.
const DEFAULT_PART_OF_TERM: i64 = 3;
const SHORTEST_DEFAULT: SignedDuration = SignedDuration::from_hours(2);
const LONGEST_DEFAULT: SignedDuration = SignedDuration::from_hours(72);
/// Less leaves no time to send a failed renewal again.
const SHORTEST_RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(1);
/// By so much is `renewBefore` shorter than the term: otherwise a pack would be renewed as soon as it was bought.
const SHORTER_THAN_THE_TERM: SignedDuration = SignedDuration::from_mins(30);

/// How long before expiry to renew: `renewBefore`, or a third of the shorter term, at least 2 h and at most 72 h; always
/// at least 1 h, and always shorter than the term.
pub fn renew_before(spec: &ConcurrencyPackSpec) -> SignedDuration {
    let shorter = term(spec.billing_mode, renewal_duration(spec).min(spec.duration));
    let part = SignedDuration::from_secs(shorter.as_secs().checked_div(DEFAULT_PART_OF_TERM).unwrap_or(0));
    let default = part.clamp(SHORTEST_DEFAULT, LONGEST_DEFAULT);
    let wanted = spec.renewal.renew_before.as_deref().and_then(parse_duration).unwrap_or(default);
    let longest = shorter.checked_sub(SHORTER_THAN_THE_TERM).unwrap_or(shorter);
    wanted.clamp(SHORTEST_RENEW_BEFORE, longest.max(SHORTEST_RENEW_BEFORE))
}

/// A renewal that would serve for less than this until `renewal.until` is not made: the cloud's days end a second before midnight, and a
/// whole term would be bought for that second.
const SHORTEST_USE: SignedDuration = SignedDuration::from_hours(1);

/// When the operator renews what expires at this moment; none when it does not.
pub fn next_renewal(spec: &ConcurrencyPackSpec, expiration: Timestamp) -> Option<Timestamp> {
    let until = spec.renewal.until.as_ref().map(|t| t.0);
    let is_needed = until.is_none_or(|until| since(until, expiration) >= SHORTEST_USE);
    let wanted = spec.renewal.mode == RenewalMode::Operator && is_needed;
    wanted.then(|| plus(expiration, renew_before(spec).saturating_mul(-1)))
}

/// Reads a duration such as `6h`, `90m`, `1h30m`.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let mut total = SignedDuration::ZERO;
    let mut digits = String::new();
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let count: i64 = digits.parse().ok()?;
        digits.clear();
        let seconds = match character {
            'h' => count.checked_mul(3600)?,
            'm' => count.checked_mul(60)?,
            's' => count,
            _ => return None,
        };
        total = total.checked_add(SignedDuration::from_secs(seconds))?;
    }
    (digits.is_empty() && !text.is_empty()).then_some(total)
}

/// "12-04 09:59Z", or with the year when it is not this one.
pub fn short(at: Timestamp, now: Timestamp) -> String {
    let format = if at.strftime("%Y").to_string() == now.strftime("%Y").to_string() {
        "%m-%d %H:%MZ"
    } else {
        "%Y-%m-%d %H:%MZ"
    };
    at.strftime(format).to_string()
}

/// "3 days", "1 month".
pub fn term_in_words(mode: BillingMode, duration: i32) -> String {
    let unit = match mode {
        BillingMode::Daily => "day",
        BillingMode::Monthly => "month",
    };
    let plural = if duration == 1 { "" } else { "s" };
    format!("{duration} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("6h", Some(6 * 3600))]
    #[case("90m", Some(90 * 60))]
    #[case("45s", Some(45))]
    #[case("1h30m5s", Some(5405))]
    #[case("", None)]
    #[case("6", None)]
    #[case("1h30", None)]
    #[case("h", None)]
    #[case("6d", None)]
    #[case("99999999999999999h", None)]
    fn a_duration_is_read_in_hours_minutes_and_seconds(#[case] text: &str, #[case] seconds: Option<i64>) {
        assert_eq!(parse_duration(text), seconds.map(SignedDuration::from_secs));
    }

    #[test]
    fn a_moment_is_stored_in_its_second_or_never_earlier_than_it_was() {
        let second: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let within = second + SignedDuration::from_millis(1);
        let next = second + SignedDuration::from_secs(1);
        assert_eq!([whole(second).0, whole(within).0], [second, second]);
        assert_eq!([whole_up(second).0, whole_up(within).0], [second, next]);
    }

    #[test]
    fn what_differs_by_hours_is_one_expiry_and_what_differs_by_half_a_day_is_not() {
        let expiry: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let hours = SignedDuration::from_hours(9);
        for same in [expiry, expiry + hours, expiry - hours] {
            assert!(is_same_expiry(same, expiry) && !is_renewed(same, expiry), "{same}");
        }
        for apart in [ONE_EXPIRY, SignedDuration::from_hours(12)] {
            assert!(is_renewed(expiry + apart, expiry) && !is_same_expiry(expiry + apart, expiry), "{apart}");
            assert!(!is_renewed(expiry - apart, expiry) && !is_same_expiry(expiry - apart, expiry), "{apart}");
        }
    }

    #[test]
    fn a_term_ends_by_the_calendar() {
        let at: Timestamp = "2026-01-31T16:00:00Z".parse().unwrap();
        let after = |mode, duration| after_term(at, mode, duration).to_string();
        assert_eq!(after(BillingMode::Daily, 3), "2026-02-03T16:00:00Z");
        assert_eq!(after(BillingMode::Monthly, 1), "2026-02-28T16:00:00Z");
        assert_eq!(after(BillingMode::Monthly, 2), "2026-03-31T16:00:00Z");
        assert_eq!(after_term(at, BillingMode::Monthly, i32::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_month_counts_as_the_shortest_one() {
        assert_eq!(term(BillingMode::Daily, 3), SignedDuration::from_hours(72));
        assert_eq!(term(BillingMode::Monthly, 2), SignedDuration::from_hours(2 * 28 * 24));
    }
}
