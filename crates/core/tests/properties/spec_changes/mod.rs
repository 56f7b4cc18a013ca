//! Any changes of a spec: whatever is written into it, in whatever order, and taken back, nothing is bought twice, and the pack
//! works again afterwards or says what a person has to do.
//!
//! Also what the API server refuses today, and what it never lets anybody change: it may have been stored under older rules,
//! or come out of an etcd that was restored.

mod accepted;
mod edits;
mod meanwhile;

use std::cell::RefCell;
use std::collections::BTreeSet;

use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_api::{ConcurrencyPack, PackOrder};
use carpack_core::facts::ledger::has_paid;
use carpack_core::order::settle_annotation;
use carpack_core::pack as packs;
use proptest::prelude::*;
use serde_json::json;

use self::accepted::Written;
use self::edits::{Edit, apply, edit};
use self::meanwhile::{Meanwhile, live_through, meanwhile, round};
use crate::cases;
use crate::world::{MINUTE, NAME, World, pack};

/// Each case is the life of one pack with at most so many edits of its spec.
const MOST_EDITS: usize = 80;
const LIVES: u32 = 40;
/// At least so many edits a life change something, on average, and so many of each kind.
const EDITS_PER_LIFE: u32 = 27;
const EDITS_OF_EACH_KIND_PER_LIFE: u32 = 2;

/// An account that is there and that does not grant this namespace anything.
const OTHERS: &str = "others";

/// One charge for each token, one renewal of each instance from each expiry, one first purchase, one open order.
fn check_charges(world: &World) -> Result<(), TestCaseError> {
    prop_assert!(world.open_orders() <= 1, "{} open orders", world.open_orders());
    let mut tokens = BTreeSet::new();
    prop_assert!(world.charges.iter().all(|charge| tokens.insert(charge.token.clone())), "a token was charged twice");
    let (mut renewed, mut bought) = (BTreeSet::new(), BTreeSet::new());
    for order in &world.orders {
        for line in order.spec.lines.iter().filter(|line| tokens.contains(&line.client_token)) {
            match &line.renews_from {
                None if order.spec.action == OrderAction::Buy => {
                    prop_assert!(bought.insert(&order.spec.pack_ref.uid), "one object bought twice");
                }
                from => {
                    // A successor renews no instance: it fills the gap that would come.
                    let charge = world.charges.iter().find(|charge| charge.token == line.client_token).unwrap();
                    let what = match &line.instance_id {
                        Some(id) => format!("{id} from {from:?}"),
                        None => format!("{} from {:?}", order.spec.pack_ref.uid, charge.ends),
                    };
                    prop_assert!(renewed.insert(what.clone()), "renewed twice: {what}");
                }
            }
        }
    }
    Ok(())
}

/// A person does what the conditions ask for. Returns false when they ask for nothing.
fn do_what_is_asked(world: &mut World) -> bool {
    let conditions = world.status().conditions.iter();
    let messages: Vec<String> =
        conditions.filter(|c| c.type_ == "Stalled" || c.type_ == "Reconciling").map(|c| c.message.clone()).collect();
    let asked = |wanted: String| messages.iter().any(|message| message.contains(&wanted));
    let name = |order: &PackOrder| order.metadata.name.clone().unwrap();
    if let Some(order) = world.orders.iter_mut().find(|o| asked(format!("kubectl annotate packorder {} ", name(o)))) {
        let asked =
            |l: &&LineStatus| matches!(l.state, LineState::Unknown | LineState::Submitting | LineState::Committed);
        let line = order.status.iter().flat_map(|s| &s.lines).find(asked).unwrap();
        let (index, key) = (line.index, settle_annotation(line));
        let token = &order.spec.lines.iter().find(|line| line.index == index).unwrap().client_token;
        let executed = world.charges.iter().any(|charge| charge.token == *token);
        let word = if executed { "Executed" } else { "NotExecuted" };
        order.metadata.annotations = Some([(key, word.to_owned())].into());
        return true;
    }
    let before = world.orders.len();
    world.orders.retain(|order| !asked(format!("delete PackOrder {} ", name(order))));
    world.orders.len() < before
}

/// True when only a new object helps, and the conditions say so: the pack has ended, or a part of it has expired.
fn is_over(world: &World) -> bool {
    let ways_out = ["run kubectl delete concurrencypack concert -n events", "create another pack for what is missing"];
    let conditions = world.pack.iter().filter_map(|pack| pack.status.as_ref()).flat_map(|status| &status.conditions);
    conditions.into_iter().any(|c| c.type_ == "Ended" || ways_out.iter().any(|way_out| c.message.contains(way_out)))
}

/// A decision on its own result has no effect, no events, and the same status.
fn check_that_nothing_is_left_to_do(world: &World) -> Result<(), TestCaseError> {
    let mut pack = world.pack.clone().unwrap();
    for _ in 0..2 {
        let orders: Vec<&PackOrder> = world.orders.iter().collect();
        let decision = packs::decide(&world.pack_input(&pack, &orders));
        prop_assert_eq!(&decision.effect, &None);
        prop_assert_eq!(&Some(&decision.status), &pack.status.as_ref());
        prop_assert_eq!(&decision.events, &vec![]);
        prop_assert!(decision.wake_at.is_none_or(|at| at > world.now));
        pack.status = Some(decision.status);
    }
    for index in 0..world.orders.len() {
        let decision = world.decide_order(index);
        prop_assert!(decision.effect.is_none() || !world.status().conditions.is_empty());
        prop_assert_eq!(&Some(&decision.status), &world.orders[index].status.as_ref());
    }
    Ok(())
}

fn live_with_changes(changes: &[(Edit, Meanwhile)], written: &RefCell<Written>) -> Result<World, TestCaseError> {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    let first = world.pack.as_ref().unwrap().spec.clone();
    let change = |world: &mut World, edit: &Edit| {
        let now = world.now;
        if apply(world, edit, &first) {
            written.borrow_mut().count(edit, &first, now);
        }
    };
    written.borrow_mut().lives += 1;
    for (edit, meanwhile) in changes {
        change(&mut world, edit);
        live_through(&mut world, meanwhile);
        check_charges(&world)?;
        if is_over(&world) && world.open_orders() == 0 {
            create_again(&mut world);
        }
    }
    change(&mut world, &Edit::RollBack);
    Ok(world)
}

/// An hour in which everything is delivered and nothing fails.
fn calm_down(world: &mut World) {
    for _ in 0..12 {
        world.advance(MINUTE * 5);
        world.deliver();
        world.round();
        world.round();
    }
    world.run_rounds();
}

/// The pack is not only Ready: it is renewed when its renewal is due.
fn check_that_it_is_renewed(world: &mut World) -> Result<(), TestCaseError> {
    let due = world.status().next_renewal_time.as_ref().unwrap().0;
    let before = world.charges.len();
    world.now = due.max(world.now);
    world.run_rounds();
    check_charges(world)?;
    prop_assert!(world.charges.len() > before, "not renewed: {:#?}", world.status());
    prop_assert_eq!(world.ready(), "True Active", "after a renewal: {:#?}", world.status());
    Ok(())
}

/// True when this object was bought while its spec declared a smaller quantity than now. The difference is never bought.
fn was_bought_with_less(world: &World) -> bool {
    let pack = world.pack.as_ref().unwrap();
    let uid = pack.metadata.uid.as_ref();
    world.orders.iter().any(|order| {
        let own_purchase = order.spec.action == OrderAction::Buy && uid == Some(&order.spec.pack_ref.uid);
        own_purchase && has_paid(order) && order.spec.terms.quantity < pack.spec.quantity
    })
}

/// True when the pack is usable as far as it was bought, or the conditions say what a person can do.
fn is_told(world: &World) -> bool {
    is_over(world) || matches!(world.ready().as_str(), "True Active" | "False PartiallyDelivered")
}

/// What was bought is renewed, or it expires because a successor was bought for it; the status says so.
fn check_that_a_smaller_purchase_is_told(world: &mut World) -> Result<(), TestCaseError> {
    prop_assert!(is_told(world), "bought with less, and not told: {:#?}", world.status());
    let due = world.status().next_renewal_time.as_ref().unwrap().0;
    let ends = world.status().expiration_time.as_ref().unwrap().0;
    let before = world.charges.len();
    world.now = due.max(world.now);
    world.run_rounds();
    check_charges(world)?;
    prop_assert!(is_told(world), "bought with less, and not told when due: {:#?}", world.status());
    if world.charges.len() == before {
        world.now = ends.max(world.now);
        world.run_rounds();
        check_charges(world)?;
        prop_assert!(is_over(world), "ran out, and no way out is told: {:#?}", world.status());
    }
    Ok(())
}

/// A person returns what is left in the console, deletes the object, and applies its manifest again.
fn create_again(world: &mut World) {
    world.instances.clear();
    let old = world.pack.take().unwrap();
    let mut new = ConcurrencyPack::new(NAME, old.spec);
    new.metadata.namespace = old.metadata.namespace;
    new.metadata.uid = old.metadata.uid.map(|uid| format!("{uid}+"));
    new.metadata.generation = Some(1);
    world.pack = Some(new);
}

fn changes() -> impl Strategy<Value = Vec<(Edit, Meanwhile)>> {
    prop::collection::vec((edit(), meanwhile()), 1..=MOST_EDITS)
}

#[test]
fn after_any_changes_of_the_spec_the_first_one_works_again() {
    let written = RefCell::new(Written::default());
    proptest!(cases(LIVES), |(changes in changes())| {
        let mut world = live_with_changes(&changes, &written)?;
        // The cloud answers again, and the quarantine passes.
        world.replies.clear();
        calm_down(&mut world);
        // A person is asked about one line at a time, and then about the order.
        for _ in 0..12 {
            if is_over(&world) || !do_what_is_asked(&mut world) {
                break;
            }
            world.run_rounds();
        }
        check_charges(&world)?;
        check_that_nothing_is_left_to_do(&world)?;
        if is_over(&world) {
            return Ok(());
        }
        if was_bought_with_less(&world) {
            check_that_a_smaller_purchase_is_told(&mut world)?;
        } else {
            prop_assert_eq!(world.ready(), "True Active", "wedged: {:#?}", world.status());
            check_that_it_is_renewed(&mut world)?;
        }
    });
    let written = written.into_inner();
    // `PROPTEST_CASES` may have asked for fewer lives: then the average says little.
    if written.lives >= LIVES {
        let kinds = [written.valid, written.invalid, written.rolled_back];
        assert!(kinds.iter().sum::<u32>() >= EDITS_PER_LIFE * written.lives, "{written:?}");
        assert!(kinds.iter().all(|count| *count >= EDITS_OF_EACH_KIND_PER_LIFE * written.lives), "{written:?}");
    }
}

proptest! {
    #![proptest_config(cases(LIVES))]

    #[test]
    fn after_any_changes_of_the_spec_the_pack_can_be_deleted(changes in prop::collection::vec((edit(), meanwhile()), 1..12)) {
        let mut world = World::new(pack(json!({"project": "cap-a"})));
        let first = world.pack.as_ref().unwrap().spec.clone();
        for (edit, meanwhile) in &changes {
            apply(&mut world, edit, &first);
            live_through(&mut world, meanwhile);
        }
        let paid = |world: &World| world.charges.iter().filter(|c| c.action != OrderAction::Return).count();
        let finalized = world.pack.as_ref().unwrap().metadata.finalizers.is_some();
        world.delete_pack();
        // Without a finalizer the API server removes it by itself.
        world.pack = world.pack.take().filter(|_| finalized);
        for _ in 0..30 {
            world.advance(MINUTE * 5);
            round(&mut world);
            check_charges(&world)?;
        }
        prop_assert!(world.pack.is_none(), "still there: {:?}", world.pack.as_ref().and_then(|p| p.status.clone()));
        let before = paid(&world);
        world.run_rounds();
        prop_assert_eq!(paid(&world), before);
    }
}
