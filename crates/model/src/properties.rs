//! What must hold in every state, and what must be reached in some state.

use stateright::Property;

use crate::at_rest::{asks_a_person, is_fulfilled, is_order_at_rest, is_pack_at_rest};
use crate::marks::{
    CARELESS, CHARGED_TWICE, LATE, LOST_UPDATE, NO_INTENT, RENEWED_TWICE, SAW_CONFLICT, SAW_CRASH, SAW_HELD_BACK,
    SAW_LATE_RECORD, SAW_LOST_AFTER_COMMIT, SAW_LOST_BEFORE_COMMIT, SAW_RETRY, SAW_SAME_TOKEN, SAW_STALE_SIGNATURE,
    SAW_ZOMBIE_CALL, TWO_CALLS, UNMODELLED, UNREACHABLE,
};
use crate::model::CarpackModel;
use crate::state::State;

type M = CarpackModel;

/// All properties.
pub fn all() -> Vec<Property<M>> {
    [rules(), rules_at_the_end(), goals()].concat()
}

/// What must hold in every state.
fn rules() -> Vec<Property<M>> {
    vec![
        Property::always("I1 a line, and the first purchase of a pack, is charged at most once", |_: &M, s: &State| {
            !s.broken.has(CHARGED_TWICE)
        }),
        Property::always("I2 an instance is renewed at most once for each expiry", |_: &M, s: &State| {
            !s.broken.has(RENEWED_TWICE)
        }),
        Property::always("I3 an order leads to every charge", |_: &M, s: &State| !s.broken.has(UNREACHABLE)),
        Property::always("I4 no paid call without its intent on record", |_: &M, s: &State| !s.broken.has(NO_INTENT)),
        Property::always("I5 no order is released with an open line", |_: &M, s: &State| !s.broken.has(CARELESS)),
        Property::always("I6 no newer record is overwritten", |_: &M, s: &State| !s.broken.has(LOST_UPDATE)),
        Property::always("I7 a renewal is begun within a minute of the moment it is due", |_: &M, s: &State| {
            !s.broken.has(LATE)
        }),
        Property::always(
            "I8 one paid call in flight for a pack, or the same token where tokens are known to be honoured",
            |_: &M, s: &State| !s.broken.has(TWO_CALLS),
        ),
        Property::always("the decisions do nothing that is not modelled", |_: &M, s: &State| !s.broken.has(UNMODELLED)),
    ]
}

/// What must hold in states in which nothing is left to happen.
fn rules_at_the_end() -> Vec<Property<M>> {
    vec![
        Property::always(
            "I7 when nothing is left to happen, a pack was bought and renewed to its end, or its order asks a person",
            |model: &M, s: &State| !model.is_quiet(s) || (0..s.packs.len()).all(|index| is_served(model, s, index)),
        ),
        Property::always(
            "when nothing is left to happen, every order is settled or asks a person",
            |model: &M, s: &State| !model.is_quiet(s) || s.orders.values().all(|order| is_order_at_rest(&order.object)),
        ),
        Property::always("when nothing is left to happen, no pack is being worked on", |model: &M, s: &State| {
            !model.is_quiet(s) || s.packs.iter().flatten().all(|pack| is_pack_at_rest(&pack.object))
        }),
    ]
}

/// What must be reached in some state, so that the rules are known to be asked of it.
fn goals() -> Vec<Property<M>> {
    vec![
        Property::sometimes("reached: everything is bought, renewed and settled", |model: &M, s: &State| {
            (0..s.packs.len()).all(|index| model.lasts(s, index))
                && model.is_quiet(s)
                && s.orders.values().all(|o| is_fulfilled(&o.object))
        }),
        Property::sometimes("reached: an answer lost after commit, and the purchase adopted", |_: &M, s: &State| {
            s.seen.has(SAW_LOST_AFTER_COMMIT) && s.orders.values().any(|o| is_fulfilled(&o.object))
        }),
        Property::sometimes("reached: a call given up in flight, and sent again", |_: &M, s: &State| {
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

/// I7 for one pack. Most of what people do is no excuse: an order that waits for them, or that they denied, says so,
/// and an order that they delete is created again. There is one excuse: a pack that is created again after its
/// predecessor was paid for finds its name taken, and must not be bought a second time.
fn is_served(model: &M, state: &State, index: usize) -> bool {
    let incarnation = state.incarnations.get(index).copied().unwrap_or_default();
    let uid = |incarnation: u8| model.scene.world.uid(index, incarnation).unwrap_or_default();
    let paid = |uid: String| state.charges.iter().any(|charge| charge.uid == uid);
    model.lasts(state, index) || asks_a_person(state, &uid(incarnation)) || (0..incarnation).map(uid).any(paid)
}
