//! The cloud's own renewal switch.

use carpack_api::pack::RenewFlag;

use super::input::{Change, Effect};
use super::view::View;
use crate::account::wants_auto_renew;
use crate::rules::ladder::{auto_renew_is_allowed, mode_allows_action};

/// Turns the first switch that is not as declared, where the mode allows it.
pub(super) fn plan(view: &View<'_>) -> Option<Effect> {
    let spec = &view.input.pack.spec;
    let on = wants_auto_renew(spec);
    if mode_allows_action(&view.case).is_err() || on && auto_renew_is_allowed(&view.case).is_err() {
        return None;
    }
    let wrong = view.usable().filter(|c| match (c.flag(), on) {
        (RenewFlag::Auto, on) => !on,
        (RenewFlag::Manual, on) => on,
        (RenewFlag::Unknown, _) => false,
    });
    let turns = wrong.map(|c| Change::SetAutoRenew { id: c.id.clone(), region: spec.region.clone(), on });
    view.first_ready(turns.collect()).map(Effect::Change)
}
