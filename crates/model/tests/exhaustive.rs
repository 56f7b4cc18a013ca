//! Small worlds, explored to the last state.
//!
//! Each test says how many unique states its worlds have. A change of structure leaves these numbers as they are. A
//! change of what the operator does may change them: then the new numbers belong into the same commit.
//!
//! The larger worlds run here only with tokens that are ignored and with tokens that are known to be honoured, which
//! are the two extremes. `make model` explores them with all kinds of tokens.

use std::time::Duration;

use carpack_model::config::{Tokens, World};
use carpack_model::explore::{Report, explore};
use carpack_model::worlds::{self, TOKENS};

/// What is reached in every world with one fault in which people do nothing.
const REACHED: [&str; 8] = [
    "everything is bought, renewed and settled",
    "an answer lost after commit",
    "a call given up in flight",
    "held back after signing",
    "arrives from a process that no longer leads",
    "a signature that is too old",
    "recorded on a newer order",
    "killed while it pays",
];

fn explores_completely(world: World, states: usize) -> Report {
    let name = world.name;
    let report = explore(world, 2, Duration::from_secs(300), |_| {});
    assert_eq!(report.broken(), Vec::<&str>::new(), "{name}: {report:#?}");
    assert!(report.complete, "{name}: not explored to the end: {report:#?}");
    assert_eq!(report.unique, states, "{name}: unique states");
    report
}

fn explores_completely_and_reaches_everything(world: World, states: usize) {
    let name = world.name;
    let report = explores_completely(world, states);
    for goal in REACHED {
        assert!(report.reached(goal), "{name}: {goal}: {report:#?}");
    }
}

#[test]
fn every_rule_holds_whatever_happens_once_and_what_matters_is_reached() {
    for (tokens, states) in TOKENS.into_iter().zip([25_601, 25_601, 25_601, 17_363]) {
        explores_completely_and_reaches_everything(World { tokens, ..World::small() }, states);
    }
}

#[test]
fn every_rule_holds_at_quantity_three_with_a_frozen_process_and_with_lost_answers() {
    for (tokens, states) in [(Tokens::Ignored, 48_747), (Tokens::Known(15), 32_111)] {
        explores_completely_and_reaches_everything(worlds::three(tokens), states);
    }
}

#[test]
fn every_rule_holds_with_two_packs_that_are_both_bought_and_renewed() {
    for (tokens, states) in [(Tokens::Ignored, 141_073), (Tokens::Known(15), 82_940)] {
        explores_completely_and_reaches_everything(worlds::pair(tokens), states);
    }
}

#[test]
fn every_rule_holds_in_every_order_of_what_happens_to_two_packs_at_the_same_moments() {
    for tokens in TOKENS {
        let report = explores_completely(World { faults: 0, ..worlds::abreast(tokens) }, 1162);
        assert!(report.reached("everything is bought, renewed and settled"), "{tokens:?}: {report:#?}");
    }
}

#[test]
fn every_rule_holds_when_settled_orders_are_pruned_and_when_people_decide() {
    // What people do at any moment gives as many states as a fault. Both together run in `make model`.
    for (name, faults, states) in
        [("pruned", 1, 26_795), ("approval", 1, 60_269), ("deleted-orders", 0, 486), ("recreated", 0, 390)]
    {
        let found: Vec<World> = worlds::sound().into_iter().filter(|world| world.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        for world in found {
            explores_completely(World { faults, ..world }, states);
        }
    }
}

#[test]
fn where_the_guarantees_end_is_where_the_documents_say() {
    for world in worlds::beyond() {
        let name = world.name;
        let report = explore(world, 2, Duration::from_secs(300), |_| {});
        assert!(report.broken().iter().any(|rule| rule.starts_with("I1")), "{name}: {report:#?}");
    }
}
