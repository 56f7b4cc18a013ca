//! Times as the cloud writes them, `yyyy-MM-dd HH:mm:ss` without a zone; and the wall clock.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// The wall clock. It is given from outside, so that time can be rehearsed.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

const FORMAT: &str = "%Y-%m-%d %H:%M:%S";
const LENGTH: usize = "yyyy-MM-dd HH:mm:ss".len();

/// UTC+8, the cloud's home zone: ASSUMED, so configurable for each account.
pub const DEFAULT_OFFSET: Offset = Offset::constant(8);

/// Reads a time of the cloud in the zone given. A text that names its own zone, as in RFC 3339, is read in that one. `None` when the text
/// is not such a time; `0000-00-00 00:00:00` is none.
pub fn parse(text: &str, offset: Offset) -> Option<Timestamp> {
    match civil(text) {
        Some(civil) => offset.to_timestamp(civil).ok(),
        None => text.trim().parse::<Timestamp>().ok().filter(|time| time.as_second() > 0),
    }
}

/// Reads a time of the cloud without a zone. `None` when the text is not such a time.
pub fn civil(text: &str) -> Option<DateTime> {
    let text = text.trim();
    if text.len() != LENGTH {
        return None;
    }
    let civil = DateTime::strptime(FORMAT, text).ok()?;
    // Some databases write "never" as a time in year 0.
    (civil.year() >= 1).then_some(civil)
}

/// Writes an instant as the cloud wants it, in the zone given. Fractions of a second are dropped.
pub fn format(instant: Timestamp, offset: Offset) -> String {
    offset.to_datetime(instant).strftime(FORMAT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_the_accounts_zone() {
        let read = |hours| parse("2026-12-01 00:30:00", Offset::constant(hours)).unwrap().to_string();
        assert_eq!(read(8), "2026-11-30T16:30:00Z");
        assert_eq!(read(0), "2026-12-01T00:30:00Z");
        assert_eq!(read(-5), "2026-12-01T05:30:00Z");
    }

    #[test]
    fn a_time_that_names_its_zone_is_read_in_it() {
        for text in ["2026-12-04T15:59:59Z", "2026-12-04T23:59:59+08:00", "2026-12-04 15:59:59Z"] {
            assert_eq!(parse(text, Offset::constant(-5)).unwrap().to_string(), "2026-12-04T15:59:59Z", "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["2024-02-29 23:59:59", "2026-01-01 00:00:00"] {
            assert_eq!(format(parse(text, DEFAULT_OFFSET).unwrap(), DEFAULT_OFFSET), text);
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "0000-00-00 00:00:00",
            "0000-01-01 00:00:00",
            "2026-02-30 00:00:00",
            "2026-02-03",
            "2026-02-03T00:00:00",
            "2026-2-3 00:00:00",
            "2026-02-03 24:00:00",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text, DEFAULT_OFFSET), None, "{text}");
        }
    }
}
