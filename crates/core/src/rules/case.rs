//! The case that a rule examines, and how several rules are asked.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::rc::Rc;

use carpack_api::order::OrderLine;
use carpack_api::{BillingMode, ConcurrencyPack, Mode, PackOrder};
use jiff::{SignedDuration, Timestamp};

use super::obstacle::Obstacle;
use crate::account::Account;
use crate::facts::commitments::Commitments;
use crate::facts::holdings::{Claimed, Traces, claimed};
use crate::facts::takeover::Holders;
use crate::observation::{Instance, Observation};

/// A rule about a spending act, or about one line of its order.
pub(crate) type Rule = fn(&Case<'_>) -> Result<(), Obstacle>;

/// What a rule examines: a spending act that a pack plans, or that an order records.
pub(crate) struct Case<'a> {
    facts: CaseFacts<'a>,
    /// The pack's instances, found when a rule first asks for them.
    claimed: Rc<OnceCell<Vec<Claimed<'a>>>>,
}

/// The facts of a case.
#[derive(Clone, Copy)]
pub(crate) struct CaseFacts<'a> {
    /// The pack, while it exists.
    pub pack: Option<&'a ConcurrencyPack>,
    /// Namespace of the pack.
    pub namespace: &'a str,
    /// All orders for the pack's namespace and name.
    pub orders: &'a [&'a PackOrder],
    /// The order that records the act; none while a pack only plans it. Rules about a recorded order then pass.
    pub recorded: Option<Recorded<'a>>,
    /// The line of the order, for rules about a line.
    pub line: Option<&'a OrderLine>,
    /// Name of the CarAccount.
    pub account_name: &'a str,
    /// The account; none when there is no such CarAccount.
    pub account: Option<&'a Account>,
    /// How the act is billed.
    pub billing_mode: BillingMode,
    /// How many concurrencies are paid for.
    pub quantity: i32,
    /// For how many days or months.
    pub duration: i32,
    /// The step of the ladder that counts.
    pub mode: Mode,
    /// The newest complete sweep of the account.
    pub observation: Option<&'a Observation>,
    /// An observation that began at this moment or earlier proves nothing.
    pub sweep_after: Option<Timestamp>,
    /// Nor does one that is older than this.
    pub stale_after: SignedDuration,
    /// What other packs have on record.
    pub ids_of_others: &'a BTreeSet<String>,
    /// What else holds the instances that the pack wants to take over.
    pub holders: Option<&'a Holders>,
    /// The operator's namespace.
    pub operator_namespace: &'a str,
    /// Now, by our own clock.
    pub now: Timestamp,
    /// The earliest moment that it may be now. A plan goes by our own clock, for a plan can be made again. An order that is rejected
    /// stays so: what ends it must be past by the cloud's clock too.
    pub earliest_now: Timestamp,
}

/// The order of a case, and what only matters once there is one.
#[derive(Clone, Copy)]
pub(crate) struct Recorded<'a> {
    /// The order.
    pub order: &'a PackOrder,
    /// Names of all orders that cannot be read.
    pub unreadable: &'a BTreeSet<String>,
    /// What counts against the account's limits besides this order.
    pub commitments: &'a Commitments,
}

impl<'a> Case<'a> {
    /// A case with these facts. `claimed` are the pack's instances, where the caller knows them already.
    pub fn new(facts: CaseFacts<'a>, claimed: Option<Vec<Claimed<'a>>>) -> Self {
        Self { facts, claimed: Rc::new(claimed.map(OnceCell::from).unwrap_or_default()) }
    }

    /// The same case, for one line: an observation that began at `sweep_after` or earlier proves nothing about it.
    pub fn of_line(&self, line: &'a OrderLine, sweep_after: Timestamp) -> Self {
        let facts = CaseFacts { line: Some(line), sweep_after: Some(sweep_after), ..self.facts };
        Self { facts, claimed: Rc::clone(&self.claimed) }
    }

    /// The same case, for so many concurrencies and days or months.
    pub fn of_terms(&self, quantity: i32, duration: i32) -> Self {
        Self { facts: CaseFacts { quantity, duration, ..self.facts }, claimed: Rc::clone(&self.claimed) }
    }

    /// The instance that the line names, as it is observed.
    pub fn observed_instance(&self) -> Option<&'a Instance> {
        self.observation?.instances.get(self.line?.instance_id.as_ref()?)
    }

    /// The expiry that the line renews from.
    pub fn renews_from(&self) -> Option<Timestamp> {
        self.line?.renews_from.as_ref().map(|time| time.0)
    }

    /// What tells which instances are the pack's; none once the pack is gone.
    pub fn traces(&self) -> Option<Traces<'a>> {
        let CaseFacts { orders, observation, ids_of_others, now, .. } = self.facts;
        self.pack.map(|pack| Traces { pack, orders, observation, ids_of_others, now })
    }

    /// The pack's instances; none once the pack is gone.
    pub fn claimed(&self) -> &[Claimed<'a>] {
        self.claimed.get_or_init(|| self.traces().map(claimed).unwrap_or_default())
    }

    /// The other orders for the same namespace and name.
    pub fn other_orders(&self) -> impl Iterator<Item = &'a PackOrder> + Clone + use<'a> {
        let own = self.recorded.map(|recorded| recorded.order.metadata.name.clone());
        self.orders.iter().copied().filter(move |order| Some(&order.metadata.name) != own.as_ref())
    }

    /// True when a moment is past, and stays so when clocks are set right.
    pub fn is_past(&self, moment: Timestamp) -> bool {
        self.earliest_now >= moment
    }
}

impl<'a> Deref for Case<'a> {
    type Target = CaseFacts<'a>;

    fn deref(&self) -> &CaseFacts<'a> {
        &self.facts
    }
}

/// Asks all these rules. An obstacle that ends the act goes before one that delays it; of the others the first is named.
///
/// # Errors
/// When one of the rules does not hold: that obstacle.
pub(crate) fn check_all(case: &Case<'_>, rules: &[Rule]) -> Result<(), Obstacle> {
    decisive(rules.iter().map(|rule| rule(case)))
}

/// Asks these rules one after another: each builds on those before it, and the first obstacle is named.
///
/// # Errors
/// When one of the rules does not hold: that obstacle.
pub(crate) fn check_in_turn(case: &Case<'_>, rules: &[Rule]) -> Result<(), Obstacle> {
    rules.iter().try_for_each(|rule| rule(case))
}

/// The first final obstacle, or else the first obstacle.
///
/// # Errors
/// When one of the results is an obstacle.
pub(crate) fn decisive(results: impl Iterator<Item = Result<(), Obstacle>>) -> Result<(), Obstacle> {
    let mut delay = Ok(());
    for result in results {
        match result {
            Err(obstacle) if obstacle.is_final() => return Err(obstacle),
            Err(obstacle) if delay.is_ok() => delay = Err(obstacle),
            Err(_) | Ok(()) => {}
        }
    }
    delay
}
