//! Every fault by itself, the same way each time; and mistakes made on purpose, which must be noticed.
#![allow(clippy::unwrap_used)]

use carpack_chaos::matrix::{against, atomic, beside_troubles, pairs};
use carpack_chaos::plan::Schedule;
use carpack_chaos::run::{run, run_all};
use carpack_chaos::sabotage::Sabotage;
use carpack_chaos::trouble::Trouble;

#[test]
fn whatever_fails_once_every_pack_is_bought_once_moved_and_renewed_in_time_and_nobody_is_asked() {
    let tally = run_all(atomic(0).into_iter(), 2, |_| false);
    assert_eq!(tally.failures, []);
    assert_eq!((tally.reached, tally.questions(), &tally.unreached), (476, 0, &Default::default()));
}

#[test]
fn a_schedule_happens_the_same_way_each_time() {
    let crossed = beside_troubles(3);
    let beside = Trouble::ALL
        .into_iter()
        .filter_map(|trouble| crossed.iter().find(|schedule| schedule.troubles.contains(&trouble)).cloned());
    for schedule in pairs(3).step_by(17_011).chain(beside) {
        let (first, again) = (run(&schedule).unwrap(), run(&schedule).unwrap());
        assert_eq!(first, again, "{schedule}");
        let other = Schedule { seed: 4, ..schedule.clone() };
        assert_ne!(first.digest, run(&other).unwrap().digest, "{schedule}");
    }
}

/// Each of these has broken a rule: docs/safety.md tells which.
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
        let ending = run(&schedule.parse().unwrap()).unwrap();
        assert_eq!((ending.breaches, ending.asked), (vec![], None), "{schedule}");
    }
}

#[test]
fn mistakes_made_on_purpose_are_noticed() {
    for sabotage in [
        Sabotage::IntentUnwritten,
        Sabotage::SecondInstanceSkipped,
        Sabotage::FirstRowOnly,
        Sabotage::WrongZone,
        Sabotage::BindUnmade,
        Sabotage::OneTooMany,
        Sabotage::TwiceTheTerm,
        Sabotage::SilenceIsSuccess,
    ] {
        let noticed = |tally: &carpack_chaos::run::Tally| !tally.failures.is_empty() || tally.questions() > 0;
        let tally = run_all(against(sabotage).take(300), 2, noticed);
        assert!(noticed(&tally), "{sabotage}");
    }
}
