//! Which rules are asked before a call leaves, for each kind of spending act. Packs ask some of the same rules before they make an order:
//! `rules/mod.rs` says where their lists stand.

use carpack_api::PackOrderSpec;
use carpack_api::order::OrderAction;

use crate::facts::ledger::is_first_purchase;
use crate::rules::access::{account_exists, account_is_ready, billing_mode_is_offered, namespace_is_granted};
use crate::rules::adoption::nothing_is_to_be_adopted;
use crate::rules::approval::{order_is_approved, order_is_approved_where_the_mode_asks, order_is_not_denied};
use crate::rules::brake::brake_is_released;
use crate::rules::case::Rule;
use crate::rules::expiry::{
    clouds_own_renewal_is_off, count_is_priced, expiry_has_not_moved, expiry_is_not_outlasted,
    instance_can_be_returned, instance_carries_the_packs_name, instance_expires_before_until, instance_is_listed,
    line_names_an_expiry, what_is_replaced_is_there,
};
use crate::rules::ladder::mode_allows_action;
use crate::rules::limits::limits_have_room;
use crate::rules::name::name_is_free;
use crate::rules::observation::observation_is_new_enough;
use crate::rules::price::price_is_allowed;
use crate::rules::project::project_takes_the_pack;
use crate::rules::turn::{expiry_is_not_paid_for, it_is_the_orders_turn, orders_are_readable};
use crate::rules::wanted::{pack_exists, pack_is_not_bought, renewal_is_declared, terms_are_declared};
use crate::rules::window::{deadline_is_ahead, purchase_window_has_opened, purchase_window_is_not_over};

/// What must hold before a call of an order leaves.
pub(super) struct Chain {
    /// For the order as a whole. All are asked: what ends the order goes before what delays it.
    pub order: &'static [Rule],
    /// For each line, one after another: each builds on those before it.
    pub line: &'static [Rule],
}

/// The chain of an order.
pub(super) fn chain_of(spec: &PackOrderSpec) -> &'static Chain {
    match spec.action {
        OrderAction::Buy if is_first_purchase(spec) => &PURCHASE,
        OrderAction::Buy => &SUCCESSOR,
        OrderAction::Renew => &RENEWAL,
        OrderAction::Return => &RETURN,
    }
}

/// The first purchase of a pack.
const PURCHASE: Chain = Chain {
    order: &[
        order_is_not_denied,
        deadline_is_ahead,
        pack_exists,
        terms_are_declared,
        purchase_window_is_not_over,
        nothing_is_to_be_adopted,
        pack_is_not_bought,
        purchase_window_has_opened,
        it_is_the_orders_turn,
        orders_are_readable,
        account_exists,
        namespace_is_granted,
        account_is_ready,
        billing_mode_is_offered,
        mode_allows_action,
        order_is_approved_where_the_mode_asks,
        price_is_allowed,
        brake_is_released,
        limits_have_room,
    ],
    line: &[observation_is_new_enough, name_is_free, project_takes_the_pack],
};

/// What a renewal must pass as a whole. A brake never holds it.
const RENEWAL_ORDER: &[Rule] = &[
    order_is_not_denied,
    deadline_is_ahead,
    pack_exists,
    terms_are_declared,
    renewal_is_declared,
    it_is_the_orders_turn,
    orders_are_readable,
    account_exists,
    namespace_is_granted,
    account_is_ready,
    billing_mode_is_offered,
    mode_allows_action,
    order_is_approved_where_the_mode_asks,
    price_is_allowed,
    limits_have_room,
];

/// A renewal by `Replace`: the purchase of a successor.
const SUCCESSOR: Chain = Chain {
    order: RENEWAL_ORDER,
    line: &[
        expiry_is_not_paid_for,
        observation_is_new_enough,
        name_is_free,
        expiry_is_not_outlasted,
        what_is_replaced_is_there,
    ],
};

/// A renewal by `Extend`.
const RENEWAL: Chain = Chain {
    order: RENEWAL_ORDER,
    line: &[
        expiry_is_not_paid_for,
        observation_is_new_enough,
        line_names_an_expiry,
        instance_is_listed,
        expiry_has_not_moved,
        instance_expires_before_until,
        instance_carries_the_packs_name,
        expiry_is_not_outlasted,
        count_is_priced,
        clouds_own_renewal_is_off,
    ],
};

/// A return. It always waits for a person, and needs neither the pack nor a price.
const RETURN: Chain = Chain {
    order: &[
        order_is_not_denied,
        deadline_is_ahead,
        it_is_the_orders_turn,
        orders_are_readable,
        account_exists,
        namespace_is_granted,
        account_is_ready,
        mode_allows_action,
        order_is_approved,
        brake_is_released,
    ],
    line: &[expiry_is_not_paid_for, observation_is_new_enough, instance_can_be_returned],
};
