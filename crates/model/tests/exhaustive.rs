//! Small worlds, explored to the last state.

use std::time::Duration;

use carpack_model::config::World;
use carpack_model::run::{Report, explore};
use carpack_model::worlds::{self, TOKENS};

/// What is reached in every world with one fault in which nobody meddles.
const STORIES: [&str; 8] = [
    "everything is bought, renewed and settled",
    "an answer lost after commit",
    "a call given up on its way",
    "held back after signing",
    "arrives from a process that no longer leads",
    "a signature that is too old",
    "recorded on a newer order",
    "killed while it pays",
];

fn whole(world: World) -> Report {
    let name = world.name;
    let report = explore(world, 2, Duration::from_secs(300), |_| {});
    assert_eq!(report.broken(), Vec::<&str>::new(), "{name}: {report:#?}");
    assert!(report.complete, "{name}: not explored to the end: {report:#?}");
    report
}

fn whole_with_every_story(world: World) {
    let name = world.name;
    let report = whole(world);
    assert!(report.unique > 10_000, "{name}: {report:#?}");
    for story in STORIES {
        assert!(report.reached(story), "{name}: {story}: {report:#?}");
    }
}

#[test]
fn every_rule_holds_whatever_happens_once_and_what_matters_is_reached() {
    for tokens in TOKENS {
        whole_with_every_story(World { tokens, ..World::small() });
    }
}

#[test]
fn every_rule_holds_at_quantity_three_with_a_frozen_process_and_with_lost_answers() {
    for tokens in TOKENS {
        whole_with_every_story(worlds::three(tokens));
    }
}

#[test]
fn every_rule_holds_with_two_packs_that_are_both_bought_and_renewed() {
    for tokens in TOKENS {
        whole_with_every_story(worlds::pair(tokens));
    }
}

#[test]
fn every_rule_holds_in_every_order_of_what_happens_to_two_packs_at_the_same_moments() {
    for tokens in TOKENS {
        let report = whole(World { faults: 0, ..worlds::abreast(tokens) });
        assert!(report.reached("everything is bought, renewed and settled"), "{tokens:?}: {report:#?}");
    }
}

#[test]
fn every_rule_holds_when_settled_orders_are_pruned_and_when_people_decide() {
    // What people do at any moment is as large as a fault; both together are for `make model`.
    for (name, faults) in [("pruned", 1), ("approval", 1), ("deleted-orders", 0), ("recreated", 0)] {
        let found: Vec<World> = worlds::sound().into_iter().filter(|world| world.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        for world in found {
            whole(World { faults, ..world });
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
