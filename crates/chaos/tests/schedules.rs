//! Single faults; every schedule happens the same way each time; and mutants are detected.
#![allow(clippy::unwrap_used)]

use carpack_chaos::circumstance::Circumstance;
use carpack_chaos::matrix::{in_each_circumstance, pairs, single_faults};
use carpack_chaos::mutant::Mutant;
use carpack_chaos::runner::{run_schedule, run_schedules};
use carpack_chaos::schedule::Schedule;

/// Every fifth fault: each effect, point and outcome occurs. `make chaos` runs all 476 faults with 20 seeds.
#[test]
fn whatever_fails_once_every_pack_is_bought_once_moved_and_renewed_in_time_and_nobody_is_asked() {
    let tally = run_schedules(single_faults(0).into_iter().step_by(5), 2, |_| false);
    assert_eq!(tally.failures, []);
    assert_eq!((tally.complete, tally.questions(), &tally.incomplete), (96, 0, &Default::default()));
}

#[test]
fn a_schedule_happens_the_same_way_each_time() {
    let all = in_each_circumstance(3);
    let one_of_each = Circumstance::ALL
        .into_iter()
        .filter_map(|circumstance| all.iter().find(|schedule| schedule.circumstances.contains(&circumstance)).cloned());
    for schedule in pairs(3).step_by(17_011).chain(one_of_each) {
        assert_eq!(run_schedule(&schedule).unwrap(), run_schedule(&schedule).unwrap(), "{schedule}");
    }
}

#[test]
fn a_schedule_with_another_seed_happens_in_another_way() {
    for schedule in pairs(3).step_by(34_019) {
        let other = Schedule { seed: 4, ..schedule.clone() };
        let digest = |schedule: &Schedule| run_schedule(schedule).unwrap().digest;
        assert_ne!(digest(&schedule), digest(&other), "{schedule}");
    }
}

/// Each of these schedules has found a bug. docs/findings.md describes the bugs.
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

/// For each mutant a schedule that detects it. If one of them does not any more, `make chaos ARGS='--seeds 0
/// --pair-seeds 0'` prints another one.
const DETECTING: [&str; 28] = [
    "intent-buy/not-persisted/crash~long-lag!token-per-call@1",
    "intent-buy/not-persisted/crash~long-lag!token-per-process@1",
    "finalizer-add/not-sent/zombie!intent-unwritten@1",
    "finalizer-add/not-sent/crash!intent-after-call@1",
    "intent-renew/not-sent/timeout~tokens-ignored!no-versions@1",
    "finalizer-add/not-sent/crash!cached-reads@1",
    "buy/not-executed/zombie!silence-is-refusal@1",
    "buy/not-executed/zombie!silence-is-success@1",
    "buy/reply-lost/5xx!any-error-is-refusal@1",
    "buy/reply-lost/reset~tokens-ignored!transport-retries@1",
    "finalizer-add/not-sent/crash~tokens-ignored!sent-twice@1",
    "buy/not-sent/crash!no-quarantine@1",
    "intent-renew/reply-lost/zombie!no-margin@1",
    "receipt-renew/not-persisted/zombie~orders-deleted!never-steps-down@2",
    "finalizer-add/not-sent/crash!first-row-only@1",
    "intent-buy/not-persisted/crash~tokens-ignored~blind!unread-is-empty@2",
    "finalizer-add/not-sent/crash!stale-lists@1",
    "finalizer-add/not-sent/crash!no-deals@1",
    "intent-buy/not-persisted/crash!no-names@1",
    "finalizer-add/not-sent/crash!second-instance-skipped@1",
    "finalizer-add/not-sent/crash!wrong-zone@1",
    "finalizer-add/not-sent/crash!clock-stands@1",
    "finalizer-add/not-sent/crash!deaf@1",
    "finalizer-add/not-sent/zombie!bind-unmade@1",
    "finalizer-add/not-sent/crash!no-finalizer@1",
    "finalizer-add/reply-lost/5xx~orders-deleted!careless-finalizer@2",
    "finalizer-add/not-sent/crash!one-too-many@1",
    "finalizer-add/not-sent/crash!twice-the-term@1",
];

#[test]
fn every_mutant_is_detected() {
    let schedules = DETECTING.map(|text| text.parse::<Schedule>().unwrap());
    assert_eq!(schedules.each_ref().map(|schedule| schedule.mutant), Mutant::ALL.map(Some));
    for schedule in schedules {
        let is_good = |schedule: &Schedule| {
            let report = run_schedule(schedule).unwrap();
            report.breaches.is_empty() && report.asked.is_none()
        };
        assert!(!is_good(&schedule), "{schedule}");
        let without = Schedule { mutant: None, ..schedule };
        assert!(is_good(&without), "{without}");
    }
}
