//! Which schedules a run consists of.

use std::collections::BTreeSet;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::circumstance::Circumstance;
use crate::fault::{Fault, Site};
use crate::mutant::Mutant;
use crate::schedule::Schedule;

/// Every third schedule with a pair of faults has one of these circumstances. They do not take long and need no person.
const BESIDE_PAIRS: [Circumstance; 9] = [
    Circumstance::Lag,
    Circumstance::Partial,
    Circumstance::MissedRows,
    Circumstance::SlowWatch,
    Circumstance::DeafWatch,
    Circumstance::RepeatedEvents,
    Circumstance::Skew,
    Circumstance::Standby,
    Circumstance::Edits,
];

/// These circumstances are also combined with successors: they change what is seen of a successor, or what is bought.
const BESIDE_SUCCESSORS: [Circumstance; 10] = [
    Circumstance::TokensIgnored,
    Circumstance::Lag,
    Circumstance::Replicas,
    Circumstance::OrdersDeleted,
    Circumstance::Partial,
    Circumstance::MissedRows,
    Circumstance::FewCounts,
    Circumstance::Stray,
    Circumstance::Console,
    Circumstance::Approval,
];

/// Some mutants are detected in hardly any circumstance but these. They are tried first, which saves minutes.
const REVEALING: [Circumstance; 5] = [
    Circumstance::OrdersDeleted,
    Circumstance::WrongClock,
    Circumstance::Console,
    Circumstance::Blind,
    Circumstance::Lag,
];

/// Every fault alone, in the plain world.
pub fn single_faults(seed: u64) -> Vec<Schedule> {
    Fault::all().into_iter().map(|fault| schedule(vec![fault], Vec::new(), seed)).collect()
}

/// Every fault alone in each circumstance, and in some circumstances together with successors.
pub fn in_each_circumstance(seed: u64) -> Vec<Schedule> {
    let successors = BESIDE_SUCCESSORS
        .into_iter()
        .map(|circumstance| [with_prerequisites(circumstance), vec![Circumstance::Replace]].concat());
    Circumstance::ALL
        .into_iter()
        .map(with_prerequisites)
        .chain(successors)
        .flat_map(|circumstances| crossed(&circumstances, seed))
        .collect()
}

/// Every fault alone in all of these circumstances at once.
pub fn in_circumstances(circumstances: &[Circumstance]) -> Vec<Schedule> {
    let circumstances: BTreeSet<Circumstance> = circumstances.iter().copied().flat_map(with_prerequisites).collect();
    crossed(&circumstances.into_iter().collect::<Vec<_>>(), 1)
}

fn crossed(circumstances: &[Circumstance], seed: u64) -> Vec<Schedule> {
    let fit = |fault: &Fault| circumstances.iter().all(|circumstance| fits(*fault, *circumstance));
    Fault::all().into_iter().filter(fit).map(|fault| schedule(vec![fault], circumstances.to_vec(), seed)).collect()
}

/// Every ordered pair of faults. The seed chooses the circumstances.
pub fn pairs(seed: u64) -> impl Iterator<Item = Schedule> {
    let all = Fault::all();
    let seconds = all.clone();
    all.into_iter().zip(0_u64..).flat_map(move |(first, row)| {
        let seconds = seconds.clone();
        seconds.into_iter().zip(0_u64..).map(move |(second, column)| {
            let place = (row.wrapping_mul(476).wrapping_add(column)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
            let mut random = SmallRng::seed_from_u64(place);
            schedule(vec![first, second], drawn_circumstances(&[first, second], &mut random), seed)
        })
    })
}

/// The schedules on which a mutant is tried until it is detected.
pub fn against(mutant: Mutant) -> impl Iterator<Item = Schedule> {
    let with_mutant = move |schedule: Schedule| Schedule { mutant: Some(mutant), ..schedule };
    let combined: [&[Circumstance]; 6] = [
        &[Circumstance::TokensIgnored],
        &[Circumstance::LongLag],
        &[Circumstance::TokensIgnored, Circumstance::Stray],
        &[Circumstance::TokensIgnored, Circumstance::LongFreeze],
        &[Circumstance::TokensIgnored, Circumstance::Lag],
        &[Circumstance::TokensIgnored, Circumstance::Console],
    ];
    let crossed = combined.into_iter().flat_map(|circumstances| {
        Fault::all().into_iter().map(move |fault| schedule(vec![fault], circumstances.to_vec(), 1))
    });
    let (revealing, others): (Vec<_>, Vec<_>) = in_each_circumstance(2).into_iter().partition(|schedule| {
        schedule.circumstances.last().is_some_and(|circumstance| REVEALING.contains(circumstance))
    });
    single_faults(1).into_iter().chain(crossed).chain(revealing).chain(others).chain(pairs(1)).map(with_mutant)
}

fn schedule(faults: Vec<Fault>, circumstances: Vec<Circumstance>, seed: u64) -> Schedule {
    Schedule { faults, circumstances, mutant: None, seed }
}

/// A circumstance, and the circumstances that it needs.
fn with_prerequisites(circumstance: Circumstance) -> Vec<Circumstance> {
    match circumstance {
        Circumstance::MonthEnd | Circumstance::AutoRenew => vec![Circumstance::Monthly, circumstance],
        Circumstance::Limits => vec![Circumstance::Neighbour, circumstance],
        Circumstance::Stray
        | Circumstance::LongFreeze
        | Circumstance::Suspended
        | Circumstance::Cautious
        | Circumstance::Blind
        | Circumstance::Adopted => {
            vec![Circumstance::TokensIgnored, circumstance]
        }
        _ => vec![circumstance],
    }
}

/// False when the fault has no occasion in the circumstance, or when the two together only end with a question to a
/// person.
fn fits(fault: Fault, circumstance: Circumstance) -> bool {
    let bought = matches!(fault.site, Site::IntentBuy | Site::Buy | Site::ReceiptBuy);
    match circumstance {
        Circumstance::Replace | Circumstance::AutoRenew => !renews(fault),
        // Faults at other effects do not depend on this circumstance; `long-lag` covers them.
        Circumstance::Cautious => matches!(fault.site, Site::Buy | Site::Renew),
        Circumstance::Unassigned => !fault.site.is_about_projects(),
        Circumstance::Undelivered => bought,
        Circumstance::Adopted => !bought,
        Circumstance::Recreated => bought || matches!(fault.site, Site::FinalizerAdd | Site::FinalizerRemove),
        _ => true,
    }
}

/// True for faults at a renewal by the operator: there is none when packs are replaced, or when the cloud renews them.
fn renews(fault: Fault) -> bool {
    matches!(fault.site, Site::IntentRenew | Site::Renew | Site::ReceiptRenew)
}

fn drawn_circumstances(faults: &[Fault], random: &mut SmallRng) -> Vec<Circumstance> {
    let mut circumstances = BTreeSet::new();
    match random.random_range(0..6) {
        0..=2 => drop(circumstances.insert(Circumstance::TokensIgnored)),
        3 => drop(circumstances.insert(Circumstance::TokensExpire)),
        4 => drop(circumstances.insert(Circumstance::TokensKnown)),
        _ => {}
    }
    for (circumstance, one_in) in [(Circumstance::Monthly, 4), (Circumstance::Replace, 4), (Circumstance::Stray, 2)] {
        if random.random_range(0..one_in) == 0 && faults.iter().all(|fault| fits(*fault, circumstance)) {
            circumstances.insert(circumstance);
        }
    }
    if random.random_range(0..3) == 0 {
        circumstances.extend(BESIDE_PAIRS.get(random.random_range(0..BESIDE_PAIRS.len())));
    }
    circumstances.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_226576_ordered_pairs_and_no_two_schedules_are_the_same() {
        let mut seen = BTreeSet::new();
        for schedule in pairs(1) {
            seen.insert(schedule.faults);
        }
        assert_eq!(seen.len(), 226_576);
    }

    #[test]
    fn a_pair_has_the_same_schedule_each_time_and_another_one_with_another_seed() {
        let some = |seed| pairs(seed).step_by(997).map(|schedule| schedule.to_string()).collect::<Vec<_>>();
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
    }
}
