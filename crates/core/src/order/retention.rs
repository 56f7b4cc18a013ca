//! When an order may go: what it bought is on record, or it is old and settled.

use carpack_api::PackOrderStatus;
use carpack_api::order::LineStatus;

use super::input::{Effect, Input};
use crate::facts::holdings::owns_instance;
use crate::facts::ledger::{is_paid, is_settled, last_call};
use crate::rules::approval::covers_later_renewals;

/// True when nothing is lost with the order: its pack has on record what the order bought for it, or will never have.
pub(super) fn is_handed_over(input: &Input<'_>, lines: &[LineStatus]) -> bool {
    let Some(pack) = input.pack.filter(|pack| pack.metadata.deletion_timestamp.is_none()) else { return true };
    let mut bought = lines.iter().filter(|line| is_paid(line)).flat_map(|line| &line.instance_ids);
    bought.all(|id| {
        let stands = match input.observation {
            Some(observation) => observation.instances.get(id).is_some_and(|i| i.is_live(input.now)),
            None => input.account.is_some(),
        };
        owns_instance(pack, id) || !stands
    })
}

/// Deletes an old settled order: never the newest of its action, nor one whose approval covers later renewals.
pub(super) fn prune(input: &Input<'_>, status: &PackOrderStatus) -> Option<Effect> {
    let spec = &input.order.spec;
    let settled = status.lines.iter().all(is_settled);
    // What was paid long after it was decided counts against limits from then on.
    let last = last_call(&status.lines).map_or(spec.decision_time.0, |sent| sent.max(spec.decision_time.0));
    let old = input.now.duration_since(last) > input.timing.order_retention;
    let newest = !input.siblings.iter().any(|o| o.spec.action == spec.action && o.spec.ordinal > spec.ordinal);
    let leaving = input.order.metadata.deletion_timestamp.is_some();
    let needed = input.pack.is_some() && covers_later_renewals(spec, input.now);
    (settled && old && !newest && !leaving && !needed).then_some(Effect::Prune)
}
