//! What is due to be renewed by the operator.

use carpack_api::Money;
use jiff::Timestamp;

use crate::facts::holdings::Claimed;

/// The operator's next renewal.
pub(super) struct Due<'v, 'a> {
    /// When the first of its instances is to be renewed.
    pub first: Timestamp,
    /// When the first instance that carries the pack expires.
    pub ends: Timestamp,
    /// What is due now; empty before the first is.
    pub instances: Vec<&'v Claimed<'a>>,
    /// What the next order will cost; none without a price.
    pub quote: Option<Money>,
}
