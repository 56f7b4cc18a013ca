//! Sums up the reports of many schedules.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use carpack_api::Reason;

use crate::rule::{Breach, Rule};
use crate::schedule::Schedule;
use crate::timeline::Report;

/// More failures than these are counted, but not kept.
const KEPT_FAILURES: usize = 50;

/// The sum of many reports.
#[derive(Debug, Default)]
pub struct Tally {
    /// The number of schedules in which every fault happened.
    pub complete: usize,
    /// The number of schedules in which a fault had no occasion, by the effect of the first such fault.
    pub incomplete: BTreeMap<String, usize>,
    /// How often each rule was broken.
    pub broken: BTreeMap<Rule, usize>,
    /// The same, by the circumstances of the schedule.
    pub broken_by_circumstances: BTreeMap<(Rule, String), usize>,
    /// The first schedules in which rules were broken, with the breaches.
    pub failures: Vec<(Schedule, Vec<Breach>)>,
    /// The questions to a person, by reason: the schedule and the message.
    pub asked: BTreeMap<Reason, Vec<(Schedule, String)>>,
    /// The digests of the schedules in which every fault happened: one for each different course of events.
    pub courses: HashSet<u64>,
    /// The digests of all schedules, folded into one number. It does not depend on the order in which they ran.
    pub digest: u64,
}

impl Tally {
    /// The number of schedules.
    pub fn schedules(&self) -> usize {
        self.complete.saturating_add(self.incomplete.values().sum())
    }

    /// The number of schedules that ended with a question to a person.
    pub fn questions(&self) -> usize {
        self.asked.values().map(Vec::len).sum()
    }

    /// How often a rule was broken.
    pub fn count(&self, rule: Rule) -> usize {
        self.broken.get(&rule).copied().unwrap_or(0)
    }

    /// Adds the report of a schedule.
    pub fn add(&mut self, schedule: &Schedule, report: Report) {
        self.digest = self.digest.wrapping_add(digest_of(schedule, &report));
        match first_without_occasion(schedule, report.faults) {
            None => {
                increment(&mut self.complete);
                self.courses.insert(report.digest);
            }
            Some(site) => increment(self.incomplete.entry(site).or_default()),
        }
        if let Some(question) = report.asked {
            self.asked.entry(question.reason).or_default().push((schedule.clone(), question.message));
        }
        for breach in &report.breaches {
            increment(self.broken.entry(breach.rule).or_default());
            let circumstances: Vec<String> = schedule.circumstances.iter().map(ToString::to_string).collect();
            increment(self.broken_by_circumstances.entry((breach.rule, circumstances.join(" "))).or_default());
        }
        if !report.breaches.is_empty() && self.failures.len() < KEPT_FAILURES {
            self.failures.push((schedule.clone(), report.breaches));
        }
    }
}

fn increment(count: &mut usize) {
    *count = count.saturating_add(1);
}

/// The effect of the first fault that had no occasion, and the effects of the faults before it; none when every fault
/// happened.
fn first_without_occasion(schedule: &Schedule, happened: usize) -> Option<String> {
    let missing = schedule.faults.get(happened)?;
    let before = schedule.faults.get(..happened).unwrap_or_default();
    let before: Vec<String> = before.iter().map(|fault| fault.site.to_string()).collect();
    let site = missing.site;
    Some(if before.is_empty() { site.to_string() } else { format!("{site} after {}", before.join(", ")) })
}

/// A number for what happened in a schedule. Two runs of the same schedules are compared by the sum of these numbers.
fn digest_of(schedule: &Schedule, report: &Report) -> u64 {
    let mut digest = DefaultHasher::new();
    let rules: Vec<Rule> = report.breaches.iter().map(|breach| breach.rule).collect();
    (schedule.to_string(), report.faults, report.charges, report.digest, report.asked.is_some(), rules)
        .hash(&mut digest);
    digest.finish()
}
