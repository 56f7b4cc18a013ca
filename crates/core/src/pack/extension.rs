//! Renewal by `Extend`: one order that extends every instance that is due.

use carpack_api::Reason;
use carpack_api::order::OrderAction;

use super::barriers::{barred, deadline, is_being_named, name_not_seen, to_be_named};
use super::due::Due;
use super::finding::Finding;
use super::orders::{self, Draft};
use super::view::View;
use crate::condition::RENEWAL_ON_TRACK;
use crate::facts::holdings::{Claimed, total};
use crate::rules::price::quote;
use crate::time::{renew_before, renewal_duration, since};

/// One order for all waits until every due instance has its name, as long as more than this part of `renewBefore` is left.
const PART_OF_RENEW_BEFORE: i32 = 4;

/// Plans the order that extends what is due.
pub(super) fn plan(view: &View<'_>, due: &Due<'_, '_>, words: String) -> Finding {
    let spec = &view.input.pack.spec;
    // An instance that cannot get its name does not hold back the others.
    let named: Vec<&Claimed<'_>> = due.instances.iter().copied().filter(|c| to_be_named(view, c).is_none()).collect();
    let reserve = renew_before(spec).checked_div(PART_OF_RENEW_BEFORE).unwrap_or_default();
    let in_time = since(due.ends, view.input.now) > reserve;
    let mut waits = due.instances.iter().filter(|c| named.is_empty() || in_time && is_being_named(view, c));
    waits.find_map(|c| name_not_seen(view, c)).unwrap_or_else(|| extend(view, &named, due, words))
}

fn extend(view: &View<'_>, named: &[&Claimed<'_>], due: &Due<'_, '_>, words: String) -> Finding {
    let input = view.input;
    let barred = |c: &&Claimed<'_>| barred(view, OrderAction::Renew, Some(&c.id), c.expiration?);
    let open: Vec<&Claimed<'_>> = named.iter().copied().filter(|c| barred(c).is_none()).collect();
    if open.is_empty()
        && let Some(finding) = named.iter().find_map(barred)
    {
        return finding;
    }
    let spec = &input.pack.spec;
    let (quantity, duration) = (quantity_of(view, &open), renewal_duration(spec));
    let draft = Draft {
        action: OrderAction::Renew,
        quantity,
        duration,
        quote: input.account.and_then(|a| quote(a, spec, quantity, duration).ok()).or_else(|| due.quote.clone()),
        deadline: deadline(spec, open.iter().filter_map(|c| c.expiration).max()),
        lines: open.iter().map(|c| (Some(c.id.clone()), c.expiration)).collect(),
    };
    let finding = Finding::working(RENEWAL_ON_TRACK, Reason::Renewing, words.clone());
    finding.effect(orders::create(&input, draft)).next(words)
}

/// The concurrencies that are renewed with these instances. While the cloud does not say the count of each, all that one purchase
/// brings: what is approved and counted is never less than what is charged for them.
pub(super) fn quantity_of(view: &View<'_>, instances: &[&Claimed<'_>]) -> i32 {
    let sum = total(instances.iter().copied());
    let known = instances.iter().all(|c| c.known_concurrencies().is_some());
    if known { sum } else { sum.max(view.input.pack.spec.quantity) }
}
