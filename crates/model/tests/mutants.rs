//! Drivers that are broken on purpose: the model finds each of them, or its silence would mean nothing.

use std::time::Duration;

use carpack_model::config::{Mutant, People, Plan, Tokens, World};
use carpack_model::run::explore;

/// I8 is not asked for: a second call on its way is noticed before it costs anything, and the cost is to be seen.
fn world(mutant: Mutant) -> World {
    World {
        packs: vec![Plan { name: "concert", quantity: 1, until: Some(30), replace: false, opens: None }],
        tokens: Tokens::Ignored,
        mutant: Some(mutant),
        waived: Some("I8".to_owned()),
        ..World::small()
    }
}

fn is_caught(world: World, rules: &[&str]) {
    let mutant = world.mutant;
    let report = explore(world, 2, Duration::from_secs(300), |_| {});
    let broken = report.broken();
    assert!(broken.iter().any(|rule| rules.iter().any(|wanted| rule.starts_with(wanted))), "{mutant:?}: {report:#?}");
}

#[test]
fn an_intent_written_after_the_call_is_caught() {
    is_caught(world(Mutant::IntentAfterCall), &["I4"]);
}

#[test]
fn a_token_for_each_attempt_is_caught() {
    is_caught(world(Mutant::TokenPerAttempt), &["I3"]);
}

#[test]
fn a_status_written_without_its_version_is_caught() {
    is_caught(world(Mutant::NoVersionCheck), &["I6"]);
}

#[test]
fn a_timeout_taken_for_a_refusal_is_caught() {
    is_caught(world(Mutant::TimeoutIsRefusal), &["I1"]);
}

#[test]
fn a_call_that_leaves_whatever_has_happened_since_its_intent_is_caught() {
    is_caught(world(Mutant::UnaskedAfterSigning), &["I1"]);
}

#[test]
fn an_absence_that_is_believed_at_once_is_caught() {
    is_caught(world(Mutant::NoQuarantine), &["I1"]);
}

#[test]
fn an_order_let_go_with_an_open_line_is_caught() {
    let people = People { delete_orders: true, ..People::default() };
    is_caught(World { people, deeds: 1, ..world(Mutant::CarelessFinalizer) }, &["I5"]);
}

#[test]
fn a_renewal_that_is_overslept_is_caught() {
    is_caught(world(Mutant::Overslept), &["I7 a renewal is begun"]);
}

#[test]
fn a_second_call_on_its_way_is_caught() {
    is_caught(World { waived: None, ..world(Mutant::TimeoutIsRefusal) }, &["I8"]);
}
