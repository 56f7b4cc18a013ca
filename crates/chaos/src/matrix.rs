//! Which schedules there are.

use std::collections::BTreeSet;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::fault::{Fault, Site};
use crate::plan::Schedule;
use crate::sabotage::Sabotage;
use crate::trouble::Trouble;

/// Beside the pairs of faults, one of these in every third schedule: what neither takes long nor needs a person.
const BESIDE_PAIRS: [Trouble; 9] = [
    Trouble::Lag,
    Trouble::Partial,
    Trouble::MissedRows,
    Trouble::SlowWatch,
    Trouble::DeafWatch,
    Trouble::RepeatedEvents,
    Trouble::Skew,
    Trouble::Standby,
    Trouble::Edits,
];

/// What is tried beside successors too: it moves what is seen of them, or what is bought.
const BESIDE_SUCCESSORS: [Trouble; 10] = [
    Trouble::TokensIgnored,
    Trouble::Lag,
    Trouble::Replicas,
    Trouble::OrdersDeleted,
    Trouble::Partial,
    Trouble::MissedRows,
    Trouble::FewCounts,
    Trouble::Stray,
    Trouble::Console,
    Trouble::Approval,
];

/// Some mistakes show beside hardly anything but these: they are tried before the others, which saves minutes.
const TELLING: [Trouble; 5] =
    [Trouble::OrdersDeleted, Trouble::WrongClock, Trouble::Console, Trouble::Blind, Trouble::Lag];

/// Every fault by itself, in a plain world.
pub fn atomic(seed: u64) -> Vec<Schedule> {
    Fault::all().into_iter().map(|fault| schedule(vec![fault], Vec::new(), seed)).collect()
}

/// Every fault by itself, beside each trouble, and beside some where packs are replaced by successors.
pub fn beside_troubles(seed: u64) -> Vec<Schedule> {
    let successors = BESIDE_SUCCESSORS.into_iter().map(|trouble| [with(trouble), vec![Trouble::Replace]].concat());
    Trouble::ALL.into_iter().map(with).chain(successors).flat_map(|troubles| crossed(&troubles, seed)).collect()
}

/// Every fault by itself, beside all of these at once and what belongs to them.
pub fn beside(troubles: &[Trouble]) -> Vec<Schedule> {
    let troubles: BTreeSet<Trouble> = troubles.iter().copied().flat_map(with).collect();
    crossed(&troubles.into_iter().collect::<Vec<_>>(), 1)
}

fn crossed(troubles: &[Trouble], seed: u64) -> Vec<Schedule> {
    let fit = |fault: &Fault| troubles.iter().all(|trouble| fits(*fault, *trouble));
    Fault::all().into_iter().filter(fit).map(|fault| schedule(vec![fault], troubles.to_vec(), seed)).collect()
}

/// Every ordered pair of faults; what else is different is left to the seed.
pub fn pairs(seed: u64) -> impl Iterator<Item = Schedule> {
    let all = Fault::all();
    let seconds = all.clone();
    all.into_iter().zip(0_u64..).flat_map(move |(first, row)| {
        let seconds = seconds.clone();
        seconds.into_iter().zip(0_u64..).map(move |(second, column)| {
            let place = (row.wrapping_mul(476).wrapping_add(column)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
            let mut random = SmallRng::seed_from_u64(place);
            schedule(vec![first, second], drawn(&[first, second], &mut random), seed)
        })
    })
}

/// What a mistake is tried on until it is noticed.
pub fn against(sabotage: Sabotage) -> impl Iterator<Item = Schedule> {
    let broken = move |schedule: Schedule| Schedule { sabotage: Some(sabotage), ..schedule };
    let combined: [&[Trouble]; 6] = [
        &[Trouble::TokensIgnored],
        &[Trouble::LongLag],
        &[Trouble::TokensIgnored, Trouble::Stray],
        &[Trouble::TokensIgnored, Trouble::LongFreeze],
        &[Trouble::TokensIgnored, Trouble::Lag],
        &[Trouble::TokensIgnored, Trouble::Console],
    ];
    let crossed = combined
        .into_iter()
        .flat_map(|troubles| Fault::all().into_iter().map(move |fault| schedule(vec![fault], troubles.to_vec(), 1)));
    let (telling, others): (Vec<_>, Vec<_>) = beside_troubles(2)
        .into_iter()
        .partition(|schedule| schedule.troubles.last().is_some_and(|trouble| TELLING.contains(trouble)));
    atomic(1).into_iter().chain(crossed).chain(telling).chain(others).chain(pairs(1)).map(broken)
}

fn schedule(faults: Vec<Fault>, troubles: Vec<Trouble>, seed: u64) -> Schedule {
    Schedule { faults, troubles, sabotage: None, seed }
}

/// A trouble, and what belongs to it.
fn with(trouble: Trouble) -> Vec<Trouble> {
    match trouble {
        Trouble::MonthEnd | Trouble::AutoRenew => vec![Trouble::Monthly, trouble],
        Trouble::Limits => vec![Trouble::Neighbour, trouble],
        Trouble::Stray
        | Trouble::LongFreeze
        | Trouble::Suspended
        | Trouble::Cautious
        | Trouble::Blind
        | Trouble::Adopted => {
            vec![Trouble::TokensIgnored, trouble]
        }
        _ => vec![trouble],
    }
}

/// Whether a fault has an occasion beside a trouble, and the two together are worth asking a person.
fn fits(fault: Fault, trouble: Trouble) -> bool {
    let bought = matches!(fault.site, Site::IntentBuy | Site::Buy | Site::ReceiptBuy);
    match trouble {
        Trouble::Replace | Trouble::AutoRenew => !renews(fault),
        // Where something comes of it in the end: what is left of it elsewhere is tried beside `long-lag`.
        Trouble::Cautious => matches!(fault.site, Site::Buy | Site::Renew),
        Trouble::Unassigned => !fault.site.is_about_moves(),
        Trouble::Undelivered => bought,
        Trouble::Adopted => !bought,
        Trouble::Recreated => bought || matches!(fault.site, Site::FinalizerAdd | Site::FinalizerRemove),
        _ => true,
    }
}

/// Where packs are replaced, or the cloud renews them, we renew nothing.
fn renews(fault: Fault) -> bool {
    matches!(fault.site, Site::IntentRenew | Site::Renew | Site::ReceiptRenew)
}

fn drawn(faults: &[Fault], random: &mut SmallRng) -> Vec<Trouble> {
    let mut troubles = BTreeSet::new();
    match random.random_range(0..6) {
        0..=2 => drop(troubles.insert(Trouble::TokensIgnored)),
        3 => drop(troubles.insert(Trouble::TokensExpire)),
        4 => drop(troubles.insert(Trouble::TokensKnown)),
        _ => {}
    }
    for (trouble, one_in) in [(Trouble::Monthly, 4), (Trouble::Replace, 4), (Trouble::Stray, 2)] {
        if random.random_range(0..one_in) == 0 && faults.iter().all(|fault| fits(*fault, trouble)) {
            troubles.insert(trouble);
        }
    }
    if random.random_range(0..3) == 0 {
        troubles.extend(BESIDE_PAIRS.get(random.random_range(0..BESIDE_PAIRS.len())));
    }
    troubles.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_226576_ordered_pairs_and_each_schedule_is_another_one() {
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
