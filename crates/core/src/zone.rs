//! The zone of the cloud's timestamps, which are written without one.

use carpack_api::order::{LineStatus, OrderAction};
use jiff::SignedDuration;
use jiff::tz::Offset;

use crate::observation::DealList;

/// The zone in which a timestamp means its earliest moment: no place on earth is further east.
pub const EARLIEST: Offset = Offset::constant(14);
/// No place on earth is further west.
const LATEST: Offset = Offset::constant(-12);
/// Zones differ by half an hour. A zone in between is not observed.
const STEP: i64 = 30 * 60;
/// The time that a call takes and the error of the cloud's clock are together less than this. A deal that is further off was made by
/// another call.
const APART: i64 = 6 * 60;

/// Reads `+08:00`.
pub fn parse(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1_i32, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?;
    Offset::from_seconds(sign.checked_mul(seconds)?).ok()
}

/// Writes `+08:00`.
pub fn text(zone: Offset) -> String {
    let minutes = zone.seconds().unsigned_abs() / 60;
    format!("{}{:02}:{:02}", if zone.is_negative() { '-' } else { '+' }, minutes / 60, minutes % 60)
}

/// The zone of the cloud's timestamps, as the deals show it. A deal of ours was made when its call was sent, and its date is written in the
/// cloud's zone: the difference is the zone. None when no call shows it, or when two calls show different zones.
pub fn observed(action: OrderAction, lines: &[LineStatus], deals: &DealList) -> Option<Offset> {
    // What was in doubt may be the work of an earlier call than the last, or, if it is a renewal, of a person. Only what stands
    // under the name of a purchase that was sent once is its own.
    let sole = |line: &LineStatus| action == OrderAction::Buy && line.attempts == 1;
    let known = |line: &&LineStatus| line.doubts == 0 || sole(line);
    let told = lines.iter().filter(known).filter_map(|line| {
        let sent = line.submit_time.as_ref()?.0;
        let mut ours = deals.deals.iter().filter(|deal| line.order_ids.contains(&deal.order_id));
        let written = ours.find_map(|deal| deal.created)?;
        let ahead = Offset::UTC.to_timestamp(written).ok()?.duration_since(sent);
        nearest(ahead)
    });
    let mut told: Vec<Offset> = told.collect();
    told.dedup();
    match told.as_slice() {
        [zone] => Some(*zone),
        _ => None,
    }
}

/// The zone that is so far ahead of UTC, within [`APART`].
fn nearest(ahead: SignedDuration) -> Option<Offset> {
    let steps = ahead.as_secs().checked_add(STEP.checked_div(2)?)?.checked_div_euclid(STEP)?;
    let zone = steps.checked_mul(STEP)?;
    let off = ahead.as_secs().checked_sub(zone)?.checked_abs()?;
    let offset = Offset::from_seconds(zone.try_into().ok()?).ok()?;
    (off <= APART && (LATEST..=EARLIEST).contains(&offset)).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_read_as_it_is_written() {
        for written in ["+08:00", "-05:00", "+05:30", "-03:30", "+00:00", "+14:00"] {
            assert_eq!(parse(written).map(text).as_deref(), Some(written));
        }
        for none in ["", "8", "08:00", "+8", "+ab:00", "+99:00", "Asia/Shanghai"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_zone_is_told_by_the_nearest_half_hour_and_only_if_it_is_near() {
        let at = |seconds| nearest(SignedDuration::from_secs(seconds)).map(|offset| i64::from(offset.seconds()));
        for (zone, off) in [(8 * 3600, 0), (8 * 3600, 360), (8 * 3600, -360), (-5 * 3600, 3), (19_800, -200), (0, 1)] {
            assert_eq!(at(zone + off), Some(zone), "{zone} {off}");
        }
        for none in [8 * 3600 + 361, 8 * 3600 - 361, 20_700, 15 * 3600, -13 * 3600, i64::MAX, i64::MIN] {
            assert_eq!(at(none), None, "{none}");
        }
        assert_eq!((at(14 * 3600), at(-12 * 3600)), (Some(14 * 3600), Some(-12 * 3600)));
    }
}
