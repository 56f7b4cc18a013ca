//! Every fault by itself, the same way each time; and mistakes made on purpose, which must be noticed.
#![allow(clippy::unwrap_used)]

use carpack_chaos::matrix::{against, atomic, pairs};
use carpack_chaos::plan::Schedule;
use carpack_chaos::run::{run, run_all};
use carpack_chaos::sabotage::Sabotage;

#[test]
fn whatever_fails_once_every_pack_is_bought_once_moved_and_renewed_in_time_and_nobody_is_asked() {
    let tally = run_all(atomic(0).into_iter(), 2, |_| false);
    assert_eq!(tally.failures, []);
    assert_eq!((tally.reached, tally.questions(), &tally.unreached), (476, 0, &Default::default()));
}

#[test]
fn a_schedule_happens_the_same_way_each_time() {
    for schedule in pairs(3).step_by(17_011) {
        let (first, again) = (run(&schedule).unwrap(), run(&schedule).unwrap());
        assert_eq!(first, again, "{schedule}");
        let other = Schedule { seed: 4, ..schedule.clone() };
        assert_ne!(first.digest, run(&other).unwrap().digest, "{schedule}");
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
        Sabotage::CarelessFinalizer,
        Sabotage::SilenceIsSuccess,
    ] {
        let noticed = |tally: &carpack_chaos::run::Tally| !tally.failures.is_empty() || tally.questions() > 0;
        let tally = run_all(against(sabotage).take(300), 2, noticed);
        assert!(noticed(&tally), "{sabotage}");
    }
}
