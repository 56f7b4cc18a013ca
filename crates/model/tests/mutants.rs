//! Seeded bugs: the model detects each of them. A model that detects nothing proves nothing.

use std::time::Duration;

use carpack_model::config::{Mutant, People, Plan, Tokens, World};
use carpack_model::explore::explore;

/// I8 is not checked, so that the bug is detected by what it costs, not already by the second call in flight.
fn world(mutant: Mutant) -> World {
    World {
        packs: vec![Plan { name: "concert", quantity: 1, until: Some(30), replace: false, opens: None }],
        tokens: Tokens::Ignored,
        mutant: Some(mutant),
        waived: Some("I8".to_owned()),
        ..World::small()
    }
}

fn is_detected(world: World, rules: &[&str]) {
    let mutant = world.mutant;
    let report = explore(world, 2, Duration::from_secs(300), |_| {});
    let broken = report.broken();
    assert!(broken.iter().any(|rule| rules.iter().any(|wanted| rule.starts_with(wanted))), "{mutant:?}: {report:#?}");
}

#[test]
fn an_intent_written_after_the_call_is_detected() {
    is_detected(world(Mutant::IntentAfterCall), &["I4"]);
}

#[test]
fn a_token_for_each_attempt_is_detected() {
    is_detected(world(Mutant::TokenPerAttempt), &["I3"]);
}

#[test]
fn a_status_written_without_its_version_is_detected() {
    is_detected(world(Mutant::NoVersionCheck), &["I6"]);
}

#[test]
fn a_timeout_taken_for_a_refusal_is_detected() {
    is_detected(world(Mutant::TimeoutIsRefusal), &["I1"]);
}

#[test]
fn a_call_that_leaves_whatever_has_happened_since_its_intent_is_detected() {
    is_detected(world(Mutant::UncheckedAfterSigning), &["I1"]);
}

#[test]
fn an_absence_that_is_believed_at_once_is_detected() {
    is_detected(world(Mutant::NoQuarantine), &["I1"]);
}

#[test]
fn an_order_released_with_an_open_line_is_detected() {
    let people = People { delete_orders: true, ..People::default() };
    is_detected(World { people, interventions: 1, ..world(Mutant::CarelessFinalizer) }, &["I5"]);
}

#[test]
fn a_missed_renewal_is_detected() {
    is_detected(world(Mutant::MissedRenewal), &["I7 a renewal is begun"]);
}

#[test]
fn a_second_call_in_flight_is_detected() {
    is_detected(World { waived: None, ..world(Mutant::TimeoutIsRefusal) }, &["I8"]);
}
