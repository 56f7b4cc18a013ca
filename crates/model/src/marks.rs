//! Marks: what has gone wrong, and what was seen, on the way to a state. One bit each.

/// I1: a line was charged twice, or the first purchase of a pack was.
pub const CHARGED_TWICE: u32 = 1;
/// I2: an instance was renewed twice for one expiry.
pub const RENEWED_TWICE: u32 = 1 << 1;
/// I3: no order leads to a charge.
pub const UNREACHABLE: u32 = 1 << 2;
/// I4: a paid call was sent without its intent on record.
pub const NO_INTENT: u32 = 1 << 3;
/// I5: an order was released with an open line.
pub const CARELESS: u32 = 1 << 4;
/// I6: a newer record was overwritten.
pub const LOST_UPDATE: u32 = 1 << 5;
/// I8: two paid calls for one pack were in flight. Where tokens are known to be honoured: with different tokens.
pub const TWO_CALLS: u32 = 1 << 6;
/// A decision wanted something that is not modelled.
pub const UNMODELLED: u32 = 1 << 7;
/// I7: a renewal was not begun when it was due.
pub const LATE: u32 = 1 << 8;

/// The answer to an executed call was lost.
pub const SAW_LOST_AFTER_COMMIT: u32 = 1;
/// The operator gave up a call before the cloud executed it.
pub const SAW_LOST_BEFORE_COMMIT: u32 = 1 << 1;
/// The write of an intent met a newer record.
pub const SAW_CONFLICT: u32 = 1 << 2;
/// A signed call was not sent, because the lease was lost or the intent was too old.
pub const SAW_HELD_BACK: u32 = 1 << 3;
/// A call of a process that no longer leads arrived at the cloud.
pub const SAW_ZOMBIE_CALL: u32 = 1 << 4;
/// The cloud refused a signature that was too old.
pub const SAW_STALE_SIGNATURE: u32 = 1 << 5;
/// A line was sent again, after it was refused or its absence was proven.
pub const SAW_RETRY: u32 = 1 << 6;
/// A second call with the same token was answered with the first one's order.
pub const SAW_SAME_TOKEN: u32 = 1 << 7;
/// An answer was recorded on an order that is newer than the intent.
pub const SAW_LATE_RECORD: u32 = 1 << 8;
/// A process was killed while it paid.
pub const SAW_CRASH: u32 = 1 << 9;

/// A set of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks(u32);

impl Marks {
    /// Sets a mark.
    pub fn set(&mut self, mark: u32) {
        self.0 |= mark;
    }

    /// True when the mark is set.
    pub fn has(self, mark: u32) -> bool {
        self.0 & mark != 0
    }
}
