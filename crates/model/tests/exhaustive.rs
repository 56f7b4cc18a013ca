//! Small worlds, explored to the last state.

use std::time::Duration;

use carpack_model::config::{Tokens, World};
use carpack_model::run::{Report, explore};
use carpack_model::worlds;

fn whole(world: World) -> Report {
    let name = world.name;
    let report = explore(world, 2, Duration::from_secs(300), |_| {});
    assert_eq!(report.broken(), Vec::<&str>::new(), "{name}: {report:#?}");
    assert!(report.complete, "{name}: not explored to the end: {report:#?}");
    report
}

#[test]
fn every_rule_holds_whatever_happens_once_and_what_matters_is_reached() {
    for tokens in [Tokens::Honoured, Tokens::Ignored, Tokens::Known(15)] {
        let report = whole(World { tokens, ..World::small() });
        assert!(report.unique > 10_000, "{report:#?}");
        for story in [
            "everything is bought, renewed and settled",
            "an answer lost after commit",
            "a call given up on its way",
            "held back after signing",
            "arrives from a process that no longer leads",
            "a signature that is too old",
            "recorded on a newer order",
            "killed while it pays",
        ] {
            assert!(report.reached(story), "{story}: {report:#?}");
        }
    }
}

#[test]
fn every_rule_holds_when_settled_orders_are_pruned_and_when_people_decide() {
    for world in worlds::sound().into_iter().filter(|world| ["pruned", "approval"].contains(&world.name)) {
        whole(world);
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
