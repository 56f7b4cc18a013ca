//! Every fault alone; every schedule happens the same way each time; and mutants are detected.
#![allow(clippy::unwrap_used)]

use carpack_chaos::circumstance::Circumstance;
use carpack_chaos::matrix::{against, in_each_circumstance, pairs, single_faults};
use carpack_chaos::mutant::Mutant;
use carpack_chaos::runner::{run_schedule, run_schedules};
use carpack_chaos::schedule::Schedule;
use carpack_chaos::tally::Tally;

#[test]
fn whatever_fails_once_every_pack_is_bought_once_moved_and_renewed_in_time_and_nobody_is_asked() {
    let tally = run_schedules(single_faults(0).into_iter(), 2, |_| false);
    assert_eq!(tally.failures, []);
    assert_eq!((tally.complete, tally.questions(), &tally.incomplete), (476, 0, &Default::default()));
}

#[test]
fn a_schedule_happens_the_same_way_each_time() {
    let all = in_each_circumstance(3);
    let one_of_each = Circumstance::ALL
        .into_iter()
        .filter_map(|circumstance| all.iter().find(|schedule| schedule.circumstances.contains(&circumstance)).cloned());
    for schedule in pairs(3).step_by(17_011).chain(one_of_each) {
        let (first, again) = (run_schedule(&schedule).unwrap(), run_schedule(&schedule).unwrap());
        assert_eq!(first, again, "{schedule}");
        let other = Schedule { seed: 4, ..schedule.clone() };
        assert_ne!(first.digest, run_schedule(&other).unwrap().digest, "{schedule}");
    }
}

/// Each of these schedules has found a bug: docs/safety.md says which.
const FOUND: [&str; 17] = [
    "intent-rebind/not-sent/timeout~orders-deleted@1",
    "order-query/not-executed/timeout~wrong-clock@1",
    "receipt-buy/not-sent/zombie+order-query/not-executed/429~replace~stray@1",
    "bind/not-sent/timeout~wrong-clock@1",
    "finalizer-add/reply-lost/429~storm@1",
    "describe/not-sent/garbage@1",
    "order-query/not-sent/crash@5",
    "bind/not-sent/crash+describe/not-executed/429~replace~slow-watch@1",
    "bind/not-sent/zombie+list/not-executed/5xx~tokens-ignored~monthly~lag@1",
    "bind/not-executed/crash+describe/reply-lost/timeout~lag@1",
    "bind/reply-lost/zombie+describe/not-executed/zombie~lag@1",
    "bind/not-persisted/crash+list/not-executed/reset~replace~stray~slow-watch@1",
    "intent-renew/reply-lost/429~missed-rows@1",
    "intent-buy/reply-lost/crash~other-zone@1",
    "intent-rebind/not-sent/crash~other-zone@1",
    "bind/not-executed/5xx~console@1",
    "lease/reply-lost/crash~orders-deleted~replace@1",
];

#[test]
fn what_has_broken_a_rule_once_breaks_none_any_more() {
    for schedule in FOUND {
        let report = run_schedule(&schedule.parse().unwrap()).unwrap();
        assert_eq!((report.breaches, report.asked), (vec![], None), "{schedule}");
    }
}

#[test]
fn seeded_bugs_are_detected() {
    for mutant in [
        Mutant::IntentUnwritten,
        Mutant::SecondInstanceSkipped,
        Mutant::FirstRowOnly,
        Mutant::WrongZone,
        Mutant::BindUnmade,
        Mutant::OneTooMany,
        Mutant::TwiceTheTerm,
        Mutant::SilenceIsSuccess,
    ] {
        let is_detected = |tally: &Tally| !tally.failures.is_empty() || tally.questions() > 0;
        let tally = run_schedules(against(mutant).take(300), 2, is_detected);
        assert!(is_detected(&tally), "{mutant}");
    }
}
