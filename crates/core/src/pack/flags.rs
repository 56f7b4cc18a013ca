//! The cloud's own renewal switch.

use carpack_api::order::OrderAction;
use carpack_api::pack::RenewFlag;
use carpack_api::{BillingMode, Mode};

use super::input::{Change, Effect};
use super::orders;
use super::view::View;
use crate::account::wants_auto_renew;
use crate::facts::ledger::newest;

/// Turns the first switch that is not as declared, where the mode allows it.
pub(super) fn plan(view: &View<'_>) -> Option<Effect> {
    let spec = &view.input.pack.spec;
    let on = wants_auto_renew(spec);
    if view.mode <= Mode::DryRun || (on && !may_switch_on(view)) {
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

/// True when the switch may be turned on, which lets the cloud spend: below Automatic only where a person approved it with the
/// purchase.
pub(super) fn may_switch_on(view: &View<'_>) -> bool {
    let approved = || newest(orders::own(&view.input, OrderAction::Buy)).is_some_and(|o| o.spec.terms.auto_renew);
    view.input.pack.spec.billing_mode == BillingMode::Monthly && (view.mode == Mode::Automatic || approved())
}
