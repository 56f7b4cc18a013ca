//! What must hold in every state, and what must be reached in some.

use carpack_api::order::OrderState;
use carpack_api::{ConcurrencyPack, PackOrder};
use stateright::Property;

use crate::model::CarpackModel;
use crate::state::State;

/// I1: a line is charged once, and a pack's first purchase once.
pub const CHARGED_TWICE: u32 = 1;
/// I2: an instance is renewed once for each expiry.
pub const RENEWED_TWICE: u32 = 1 << 1;
/// I3: every charge can be reached from an order.
pub const UNREACHABLE: u32 = 1 << 2;
/// I4: no paid call without its intent.
pub const NO_INTENT: u32 = 1 << 3;
/// I5: no order is let go with an open line.
pub const CARELESS: u32 = 1 << 4;
/// I6: no newer record is overwritten.
pub const LOST_UPDATE: u32 = 1 << 5;
/// I8: one paid call in flight for a pack; or, where tokens are known to be honoured, calls with the same token.
pub const TWO_CALLS: u32 = 1 << 6;
/// The decisions did something that the model does not know.
pub const UNMODELLED: u32 = 1 << 7;
/// I7: a renewal was not begun when it was due.
pub const LATE: u32 = 1 << 8;

/// The answer of an executed call was lost.
pub const SAW_LOST_AFTER_COMMIT: u32 = 1;
/// A call was given up before it arrived.
pub const SAW_LOST_BEFORE_COMMIT: u32 = 1 << 1;
/// An intent met a newer record.
pub const SAW_CONFLICT: u32 = 1 << 2;
/// A call was held back after signing, because the lease was lost.
pub const SAW_HELD_BACK: u32 = 1 << 3;
/// A call of a process that no longer leads arrived.
pub const SAW_ZOMBIE_CALL: u32 = 1 << 4;
/// The cloud refused a signature that was too old.
pub const SAW_STALE_SIGNATURE: u32 = 1 << 5;
/// A line was sent again after its absence was proven or it was refused.
pub const SAW_RETRY: u32 = 1 << 6;
/// A second call with the same token was answered with the first one's order.
pub const SAW_SAME_TOKEN: u32 = 1 << 7;
/// An answer was recorded on a newer order than the intent's.
pub const SAW_LATE_RECORD: u32 = 1 << 8;
/// A process was killed while its spender worked.
pub const SAW_CRASH: u32 = 1 << 9;

type M = CarpackModel;

fn sound(state: &State, bit: u32) -> bool {
    !state.broken.has(bit)
}

/// All properties.
pub fn all() -> Vec<Property<M>> {
    vec![
        Property::always("I1 a line, and the first purchase of a pack, is charged at most once", |_: &M, s: &State| {
            sound(s, CHARGED_TWICE)
        }),
        Property::always("I2 an instance is renewed at most once for each expiry", |_: &M, s: &State| {
            sound(s, RENEWED_TWICE)
        }),
        Property::always("I3 every charge is found from an order", |_: &M, s: &State| sound(s, UNREACHABLE)),
        Property::always("I4 no paid call without its intent on record", |_: &M, s: &State| sound(s, NO_INTENT)),
        Property::always("I5 no order is let go with an open line", |_: &M, s: &State| sound(s, CARELESS)),
        Property::always("I6 a stale writer overwrites nothing", |_: &M, s: &State| sound(s, LOST_UPDATE)),
        Property::always("I7 a renewal is begun within a minute of the moment it is due", |_: &M, s: &State| {
            sound(s, LATE)
        }),
        Property::always(
            "I7 when nothing is left to happen, a pack was bought and renewed to its end, or its order asks a person",
            |model: &M, s: &State| !model.is_quiet(s) || (0..s.packs.len()).all(|index| is_served(model, s, index)),
        ),
        Property::always(
            "I8 one paid call in flight for a pack, or the same token where tokens are known to be honoured",
            |_: &M, s: &State| sound(s, TWO_CALLS),
        ),
        Property::always("the decisions do nothing that is not modelled", |_: &M, s: &State| sound(s, UNMODELLED)),
        Property::always(
            "when nothing is left to happen, every order is settled or asks a person",
            |model: &M, s: &State| !model.is_quiet(s) || s.orders.values().all(|order| rests(&order.object)),
        ),
        Property::always("when nothing is left to happen, no pack waits for nothing", |model: &M, s: &State| {
            !model.is_quiet(s) || s.packs.iter().flatten().all(|pack| pack_rests(&pack.object))
        }),
        Property::sometimes("reached: everything is bought, renewed and settled", |model: &M, s: &State| {
            (0..s.packs.len()).all(|index| model.lasts(s, index))
                && model.is_quiet(s)
                && s.orders.values().all(|o| fulfilled(&o.object))
        }),
        Property::sometimes("reached: an answer lost after commit, and the purchase adopted", |_: &M, s: &State| {
            s.seen.has(SAW_LOST_AFTER_COMMIT) && s.orders.values().any(|o| fulfilled(&o.object))
        }),
        Property::sometimes("reached: a call given up on its way, and sent again", |_: &M, s: &State| {
            s.seen.has(SAW_LOST_BEFORE_COMMIT) && s.seen.has(SAW_RETRY) && !s.charges.is_empty()
        }),
        Property::sometimes("reached: an intent that meets a newer record", |_: &M, s: &State| {
            s.seen.has(SAW_CONFLICT)
        }),
        Property::sometimes("reached: a call held back after signing", |_: &M, s: &State| s.seen.has(SAW_HELD_BACK)),
        Property::sometimes("reached: a call arrives from a process that no longer leads", |_: &M, s: &State| {
            s.seen.has(SAW_ZOMBIE_CALL)
        }),
        Property::sometimes("reached: a signature that is too old", |_: &M, s: &State| s.seen.has(SAW_STALE_SIGNATURE)),
        Property::sometimes("reached: the same token a second time", |_: &M, s: &State| s.seen.has(SAW_SAME_TOKEN)),
        Property::sometimes("reached: an answer recorded on a newer order", |_: &M, s: &State| {
            s.seen.has(SAW_LATE_RECORD)
        }),
        Property::sometimes("reached: a process killed while it pays", |_: &M, s: &State| s.seen.has(SAW_CRASH)),
    ]
}

fn fulfilled(order: &PackOrder) -> bool {
    order.status.as_ref().and_then(|status| status.state) == Some(OrderState::Fulfilled)
}

/// I7 for one pack. Most of what people do excuses nothing: an order that waits for their word, or was denied, says so, and
/// one that they delete is made anew. One deed does: a pack that is deleted and created again after it was paid for finds
/// its name taken, and must not be bought a second time. Nor is it asked while two leaders act that know nothing of each
/// other, for then nothing is ever quiet.
fn is_served(model: &M, state: &State, index: usize) -> bool {
    let incarnation = state.incarnations.get(index).copied().unwrap_or_default();
    let uid = |incarnation: u8| model.scene.world.uid(index, incarnation).unwrap_or_default();
    let paid = |uid: String| state.charges.iter().any(|charge| charge.uid == uid);
    model.lasts(state, index) || asks_for(state, &uid(incarnation)) || (0..incarnation).map(uid).any(paid)
}

/// True when an order for this pack asks a person, or was refused.
pub fn asks_for(state: &State, uid: &str) -> bool {
    state.orders.values().any(|order| order.object.spec.pack_ref.uid == uid && asks(&order.object))
}

/// That an order is void asks nobody: the next one is made at once, or none is needed.
fn asks(order: &PackOrder) -> bool {
    !fulfilled(order) && reason(order) != Some("Void") && rests(order)
}

fn reason(order: &PackOrder) -> Option<&str> {
    let mut conditions = order.status.iter().flat_map(|status| &status.conditions);
    conditions.find(|c| c.type_ == "Fulfilled").map(|c| c.reason.as_str())
}

/// Settled, or a person is asked: in words, with a reason.
fn rests(order: &PackOrder) -> bool {
    let Some(status) = &order.status else { return false };
    let message = status.message.as_deref().unwrap_or_default();
    let reason = reason(order);
    match status.state {
        Some(OrderState::Fulfilled | OrderState::Failed | OrderState::AwaitingApproval) => true,
        Some(OrderState::Ambiguous) => message.contains("kubectl annotate"),
        Some(OrderState::InProgress) => matches!(reason, Some("PaidNotDelivered" | "Unpaid")),
        Some(OrderState::Pending) => matches!(reason, Some("NameTaken" | "Vanished")),
        None => false,
    }
}

/// Ready, ended, stalled, or held by a person's word: not "being worked on".
fn pack_rests(pack: &ConcurrencyPack) -> bool {
    let Some(status) = &pack.status else { return false };
    let is = |kind: &str| status.conditions.iter().find(|c| c.type_ == kind).filter(|c| c.status == "True");
    let asks = ["AwaitingApproval", "OrderAmbiguous", "OutcomeUnknown", "NameTaken"];
    let waits = is("Reconciling").filter(|c| !asks.contains(&c.reason.as_str()));
    waits.is_none() || is("Stalled").is_some()
}
