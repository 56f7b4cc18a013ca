//! Time goes from one moment of interest to the next. No decision and no answer of the cloud changes between two of
//! them.

use carpack_api::PackOrder;
use carpack_api::order::{LineState, LineStatus, OrderState};
use carpack_core::Timing;
use carpack_core::time::next_renewal;

use crate::at_rest::asks_a_person;
use crate::cloud::{DAY, shown_at};
use crate::config::{SIGNATURE, at};
use crate::marks::LATE;
use crate::scene::Scene;
use crate::state::{CallState, State};

/// A renewal must be begun within so many seconds of the moment it is due.
const PROMPT: i64 = 60;

impl State {
    /// The next moment at which a decision or an answer may change; none when there is none.
    pub fn next_moment(&self, scene: &Scene) -> Option<i64> {
        let mut moments: Vec<i64> = Vec::new();
        for order in self.orders.values() {
            moments.extend(of_order(&order.object, &scene.timing, self.now));
        }
        for pack in self.packs.iter().flatten() {
            let window = pack.object.spec.purchase_window.as_ref();
            moments.extend(window.and_then(|window| window.not_before.as_ref()).map(|t| t.0.as_second()));
        }
        for status in self.packs.iter().flatten().filter_map(|pack| pack.object.status.as_ref()) {
            moments.extend(status.next_renewal_time.iter().map(|t| t.0.as_second()));
            moments.extend(status.expiration_time.iter().map(|t| t.0.as_second()));
        }
        moments.extend(self.instances.values().map(|item| item.seen_at));
        moments.extend(self.charges.iter().map(|charge| shown_at(&scene.world, charge)));
        // The last moment at which a signature is accepted, and the first at which it is not.
        let in_flight = self.calls.iter().filter(|call| call.state == CallState::InFlight);
        moments.extend(in_flight.flat_map(|call| [SIGNATURE, SIGNATURE + 1].map(|s| call.signed.saturating_add(s))));
        moments.into_iter().filter(|moment| *moment > self.now).min()
    }

    /// Time passes until this moment. A call that nobody waits for is dropped when its signature becomes too old.
    pub fn advance(&self, to: i64) -> Self {
        let mut next = self.clone();
        next.now = to;
        next.calls.retain(|call| !call.abandoned || to.saturating_sub(call.signed) <= SIGNATURE);
        if self.misses_renewal(to) {
            next.broken.set(LATE);
        }
        next
    }

    /// True when a due renewal is not begun by then, and no order of its pack asks a person. Time passes only while the
    /// leader has nothing to do, so the leader is not merely slow.
    fn misses_renewal(&self, to: i64) -> bool {
        self.packs.iter().flatten().any(|pack| {
            let uid = pack.object.metadata.uid.as_deref().unwrap_or_default();
            let mut overdue = self.bought_for(uid).filter(|(_, item)| {
                let due = next_renewal(&pack.object.spec, at(item.expires)).map(|due| due.as_second());
                item.expires > self.now && due.is_some_and(|due| to > due.saturating_add(PROMPT))
            });
            overdue.any(|(id, item)| !self.is_begun(uid, id, item.expires)) && !asks_a_person(self, uid)
        })
    }

    /// True when an order that has not failed renews the instance from this expiry, or replaces it.
    fn is_begun(&self, uid: &str, id: &str, from: i64) -> bool {
        let state = |order: &PackOrder| order.status.as_ref().and_then(|status| status.state);
        let counts = |order: &&PackOrder| order.spec.pack_ref.uid == uid && state(order) != Some(OrderState::Failed);
        let orders = self.orders.values().map(|order| order.object.as_ref()).filter(counts);
        let mut lines = orders.flat_map(|order| &order.spec.lines);
        lines.any(|line| {
            let same = line.renews_from.as_ref().is_some_and(|t| t.0.as_second() == from);
            same && line.instance_id.as_deref().is_none_or(|named| named == id)
        })
    }
}

fn of_order(order: &PackOrder, timing: &Timing, now: i64) -> Vec<i64> {
    let decided = order.spec.decision_time.0.as_second();
    let lines = order.status.as_ref().map(|status| status.lines.as_slice()).unwrap_or_default();
    let deadline = order.spec.deadline.as_ref().map(|t| t.0.as_second());
    let mut moments: Vec<i64> = Vec::new();
    for line in lines {
        moments.extend(of_line(line, decided, timing));
        if line.state == LineState::Pending {
            moments.extend(deadline);
        }
    }
    if lines.is_empty() {
        moments.push(decided.saturating_add(1));
    }
    // An order needs a sweep that is newer than the moment at which it was cleared.
    if lines.iter().any(|line| line.state == LineState::Pending) {
        let cleared = order.status.as_ref().and_then(|status| status.cleared_time.as_ref());
        moments.extend(cleared.map(|at| at.0.as_second().saturating_add(1)));
    }
    let retention = decided.saturating_add(timing.order_retention.as_secs()).saturating_add(1);
    // The default retention of ninety days is never reached; only a short one matters.
    moments.extend(Some(retention).filter(|at| at.saturating_sub(now) < 3 * DAY));
    moments
}

/// A sweep proves something about a call only when it is newer than the call: hence the additional second.
fn of_line(line: &LineStatus, decided: i64, timing: &Timing) -> Vec<i64> {
    let submitted = line.submit_time.as_ref().map(|t| t.0.as_second());
    let after = |seconds: i64| submitted.map(|at| at.saturating_add(seconds));
    let quarantine = timing.quarantine.as_secs();
    let newer = submitted.map_or(decided, |at| at.max(decided)).saturating_add(1);
    match line.state {
        LineState::Pending => line.retry_time.iter().map(|t| t.0.as_second()).chain([newer]).collect(),
        LineState::Submitting | LineState::Unknown => {
            let next_read = line.last_look_time.as_ref().map(|t| t.0.as_second().saturating_add(1));
            let ends = [after(quarantine.saturating_add(1)), after(quarantine.saturating_mul(2)), next_read];
            ends.into_iter().flatten().chain([newer]).collect()
        }
        LineState::Committed => after(timing.delivery_grace.as_secs()).into_iter().chain([newer]).collect(),
        LineState::Done | LineState::Rejected | LineState::Void => Vec::new(),
    }
}
