//! The zone of the cloud's timestamps, which are written without one.

use carpack_api::order::LineStatus;
use jiff::SignedDuration;
use jiff::tz::Offset;

use crate::observation::DealsLook;

/// The zone in which a timestamp means its earliest moment: no place on earth is further east.
pub const EARLIEST: Offset = Offset::constant(14);
/// And none further west.
const LATEST: Offset = Offset::constant(-12);
/// Zones differ by quarters of an hour.
const QUARTER: i64 = 15 * 60;
/// A call is answered, and the cloud's clock off, by less than this together; more is no proof of anything.
const APART: i64 = 6 * 60;

/// The zone, as the books show it: an order of ours was made when its call left, and is dated in the cloud's zone. None when
/// no call tells, or two tell otherwise.
pub fn observed(lines: &[LineStatus], look: &DealsLook) -> Option<Offset> {
    // What was in doubt and sent again may have been made by an earlier call than the last.
    let told = lines.iter().filter(|line| line.doubts == 0 || line.attempts == 1).filter_map(|line| {
        let sent = line.submit_time.as_ref()?.0;
        let mut ours = look.deals.iter().filter(|deal| line.order_ids.contains(&deal.order_id));
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

/// The zone that is so far ahead of UTC, if one is nearly so.
fn nearest(ahead: SignedDuration) -> Option<Offset> {
    let quarters = ahead.as_secs().checked_add(QUARTER.checked_div(2)?)?.checked_div_euclid(QUARTER)?;
    let zone = quarters.checked_mul(QUARTER)?;
    let off = ahead.as_secs().checked_sub(zone)?.checked_abs()?;
    let offset = Offset::from_seconds(zone.try_into().ok()?).ok()?;
    (off <= APART && (LATEST..=EARLIEST).contains(&offset)).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_told_by_the_nearest_quarter_of_an_hour_and_only_if_it_is_near() {
        let at = |seconds| nearest(SignedDuration::from_secs(seconds)).map(|offset| i64::from(offset.seconds()));
        for (zone, off) in [(8 * 3600, 0), (8 * 3600, 360), (8 * 3600, -360), (-5 * 3600, 3), (20_700, -200), (0, 1)] {
            assert_eq!(at(zone + off), Some(zone), "{zone} {off}");
        }
        for none in [8 * 3600 + 361, 8 * 3600 - 361, 15 * 3600, -13 * 3600, i64::MAX, i64::MIN] {
            assert_eq!(at(none), None, "{none}");
        }
        assert_eq!((at(14 * 3600), at(-12 * 3600)), (Some(14 * 3600), Some(-12 * 3600)));
    }
}
