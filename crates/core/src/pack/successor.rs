//! Renewal by `Replace`: a successor is bought in time, and what it replaces runs out.

use carpack_api::Reason;
use carpack_api::order::OrderAction;
use jiff::SignedDuration;

use super::barriers::{barred, deadline, name_not_seen};
use super::due::Due;
use super::finding::{Finding, Progress};
use super::orders::{self, Draft};
use super::view::View;
use crate::condition::RENEWAL_ON_TRACK;
use crate::facts::holdings::Claimed;
use crate::rules::name::name_is_free_for;
use crate::time::{plus, renewal_duration, since, term};

/// A successor has to add at least this part of its term: a half.
const PART_OF_TERM: i32 = 2;

/// Plans the order that buys the successor.
pub(super) fn plan<'a>(view: &View<'a>, due: &Due<'_, 'a>, words: String) -> Finding {
    let successor = orders::next_pack_name(&view.input);
    let has_its_name = |c: &&Claimed<'_>| c.observed.is_some_and(|observed| observed.is_named(&successor));
    let mut waits = due.instances.iter().copied().chain(view.usable().filter(has_its_name));
    waits.find_map(|c| name_not_seen(view, c)).unwrap_or_else(|| replace(view, &successor, due, words))
}

/// The order for a successor of this name, for the moment from which the pack would have less than its quantity.
fn replace(view: &View<'_>, successor: &str, due: &Due<'_, '_>, words: String) -> Finding {
    let (input, ends) = (view.input, due.ends);
    let spec = &input.pack.spec;
    let duration = renewal_duration(spec);
    let length = term(spec.billing_mode, duration);
    let gain = since(plus(input.now, length), ends);
    if gain < length.checked_div(PART_OF_TERM).unwrap_or(SignedDuration::MAX) {
        let message = format!(
            "a successor bought now would last only {}h longer than what is there, less than half of its term: shorten renewBefore, or lengthen renewal.duration",
            gain.as_hours()
        );
        let half = plus(ends, length.checked_div(PART_OF_TERM).unwrap_or(SignedDuration::ZERO).saturating_mul(-1));
        return Finding::stuck(RENEWAL_ON_TRACK, Reason::SuccessorGainsTooLittle, message).wake(half);
    }
    if let Some(finding) = barred(view, OrderAction::Buy, None, ends) {
        return finding;
    }
    // The order would be void, and so would each after it. While it is open nothing is renamed, so a name that an instance of the pack
    // still has is not free either.
    if let Err(obstacle) = name_is_free_for(&view.case, Some(successor)) {
        return Finding::of(RENEWAL_ON_TRACK, Progress::Stuck, obstacle);
    }
    let draft = Draft {
        action: OrderAction::Buy,
        quantity: spec.quantity,
        duration,
        quote: due.quote.clone(),
        deadline: deadline(spec, Some(ends)),
        lines: vec![(None, Some(ends))],
    };
    let finding = Finding::working(RENEWAL_ON_TRACK, Reason::Renewing, words.clone());
    finding.effect(orders::create(&input, draft)).next(words)
}
