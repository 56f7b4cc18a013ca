//! The decisions of carpack: observe -> **decide** -> one effect -> record.
//!
//! Everything here is a pure, total function of its input: no clock, no IO, no randomness, no client. The controllers, the
//! tests in virtual time and the model checker drive the same functions.
//!
//! Three floors, each of which uses only what is below it:
//!
//! - **Deciders**: [`pack::decide`] says what to do next for a ConcurrencyPack, [`order::decide`] for a PackOrder;
//!   [`order::settle`] records the outcome of a paid call.
//! - **Rules** ([`rules`]): what must hold before money moves. One rule is one function.
//! - **Facts** ([`facts`]): what orders and observations say.
//!
//! Below them are plain data and their arithmetic: [`observation`], [`account`], [`condition`], [`money`], [`names`], [`time`],
//! [`zone`].
#![deny(clippy::arithmetic_side_effects)]

pub mod account;
pub mod condition;
pub mod facts;
pub mod money;
pub mod names;
pub mod observation;
pub mod order;
pub mod pack;
pub mod rules;
pub mod time;
pub mod zone;

use carpack_api::Reason;

/// Something worth a Kubernetes event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// True for a warning.
    pub warning: bool,
    /// Why.
    pub reason: Reason,
    /// One sentence.
    pub message: String,
}

/// Intervals that decisions depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// An observation older than this proves nothing about now.
    pub stale_after: jiff::SignedDuration,
    /// How long after an unknown outcome nothing can be concluded from an absence: longer than the signature's validity
    /// (5 min) + the call's time-out + clock skew.
    pub quarantine: jiff::SignedDuration,
    /// How old an intent may be when its call leaves. With the validity of the signature (5 min) and the time until a
    /// purchase shows, this is less than the quarantine.
    pub intent_valid: jiff::SignedDuration,
    /// How long a paid delivery may be late before it is reported as stuck, or as partial.
    pub delivery_grace: jiff::SignedDuration,
    /// First wait before a refused call is sent again; doubles with each attempt, up to an hour.
    pub retry_after: jiff::SignedDuration,
    /// How long settled orders are kept; the newest of each action always is.
    pub order_retention: jiff::SignedDuration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            stale_after: jiff::SignedDuration::from_mins(10),
            quarantine: jiff::SignedDuration::from_mins(7),
            intent_valid: jiff::SignedDuration::from_secs(10),
            delivery_grace: jiff::SignedDuration::from_hours(1),
            retry_after: jiff::SignedDuration::from_secs(30),
            order_retention: jiff::SignedDuration::from_hours(24 * 90),
        }
    }
}
