//! Spending limits of an account and of its tenants: what counts against them, and whether an order fits.
//!
//! Rule 13 of docs/money.md, which names the tests that fail without it.

use carpack_api::account::Limits;
use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_api::pack::ConcurrencyPackSpec;
use carpack_api::{ConcurrencyPack, Money, PackOrder, Reason};
use jiff::{SignedDuration, Timestamp};

use super::case::Case;
use super::obstacle::Obstacle;
use super::price::quote;
use crate::account::Account;
use crate::facts::commitments::{Commitment, Commitments, Kind};
use crate::facts::ledger::{is_braked, is_first_purchase, last_call, name_of};
use crate::money::{self, Amount, NoSum};
use crate::time::{after_term, next_renewal, plus, renew_before, renewal_duration};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const DAYS_30: SignedDuration = SignedDuration::from_hours(24 * 30);
/// At most so many renewals of one pack are counted in advance.
const RENEWALS: usize = 1000;

impl Commitments {
    /// Gathers what counts against the limits of an account. Without limits there is nothing to gather.
    pub fn gather<'o, 'p>(
        account: &Account,
        orders: impl IntoIterator<Item = &'o PackOrder>,
        packs: impl IntoIterator<Item = &'p ConcurrencyPack>,
        now: Timestamp,
    ) -> Self {
        if !account.has_limits() {
            return Self::default();
        }
        let ours = |order: &&PackOrder| order.spec.account_ref.name == account.name;
        let orders: Vec<&PackOrder> = orders.into_iter().filter(ours).collect();
        let counted = orders.iter().map(|order| &order.spec).filter(|spec| is_braked(spec));
        let decisions = counted.map(|spec| (spec.pack_ref.namespace.clone(), spec.decision_time.0)).collect();
        let spent = orders.iter().filter_map(|order| spent(order));
        let horizon = plus(now, DAYS_30);
        let own = |pack: &&ConcurrencyPack| pack.spec.account_ref.name == account.name;
        let due = packs.into_iter().filter(own).flat_map(|pack| {
            let namespace = pack.metadata.namespace.clone().unwrap_or_default();
            let commit = move |(at, amount)| Commitment { namespace: namespace.clone(), amount, at, kind: Kind::Due };
            renewals_due(account, pack, horizon).into_iter().map(commit)
        });
        Self { entries: spent.chain(due).collect(), decisions, now }
    }
}

fn spent(order: &PackOrder) -> Option<Commitment> {
    let spec = &order.spec;
    let status = order.status.as_ref()?;
    let counts = |line: &&LineStatus| !matches!(line.state, LineState::Pending | LineState::Rejected | LineState::Void);
    let at = last_call(status.lines.iter().filter(counts))?;
    // The books say what it was only when they know every line.
    let booked = status.lines.iter().filter(counts).all(|line| line.paid.is_some());
    let amount = if booked { status.paid.clone() } else { None };
    if spec.action == OrderAction::Return {
        return None;
    }
    Some(Commitment {
        namespace: spec.pack_ref.namespace.clone(),
        amount: amount.or_else(|| spec.quote.clone())?,
        at,
        kind: Kind::Spent { order: name_of(order).to_owned(), purchase: is_first_purchase(spec) },
    })
}

/// When each renewal of a pack by the operator will be due until then, and what it will cost at today's prices.
pub fn renewals_due(account: &Account, pack: &ConcurrencyPack, horizon: Timestamp) -> Vec<(Timestamp, Money)> {
    let spec: &ConcurrencyPackSpec = &pack.spec;
    let first = pack.status.as_ref().and_then(|status| status.next_renewal_time.as_ref());
    let duration = renewal_duration(spec);
    let (Some(first), Ok(quote)) = (first, quote(account, spec, spec.quantity, duration)) else { return Vec::new() };
    let first_expiry = plus(first.0, renew_before(spec));
    std::iter::successors(Some(first_expiry), |expiry| Some(after_term(*expiry, spec.billing_mode, duration)))
        .map_while(|expiry| next_renewal(spec, expiry))
        .take_while(|at| *at < horizon)
        .take(RENEWALS)
        .map(|at| (at, quote.clone()))
        .collect()
}

/// The order fits into the limits of its account and tenants. A purchase leaves room for the renewals that are due; a renewal is
/// held by what was spent only.
pub(crate) fn limits_have_room(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(recorded), Some(account)) = (case.recorded, case.account) else { return Ok(()) };
    let Some(quote) = recorded.order.spec.quote.as_ref() else { return Ok(()) };
    let namespace = case.namespace;
    let whole = account.spec.limits.iter().map(|limits| (format!("account {}", account.name), None, limits));
    let tenants = account.spec.tenants.iter().filter(|tenant| tenant.covers(namespace));
    let parts = tenants.filter_map(|tenant| {
        let whose = format!("the tenant of namespace {namespace} in account {}", account.name);
        Some((whose, Some(tenant), tenant.limits.as_ref()?))
    });
    for (whose, tenant, limits) in whole.chain(parts) {
        let counts = |c: &&Commitment| tenant.is_none_or(|tenant| tenant.covers(&c.namespace));
        let others = |c: &&Commitment| !c.is_of(recorded.order);
        let entries = recorded.commitments.entries.iter().filter(counts).filter(others).collect();
        let room =
            Room { whose, limits, quote, is_purchase: is_first_purchase(&recorded.order.spec), entries, now: case.now };
        room.for_order()?;
        room.within_spans()?;
        room.for_purchases_in_an_hour()?;
    }
    Ok(())
}

/// Whether an order fits into one set of limits.
struct Room<'a> {
    whose: String,
    limits: &'a Limits,
    quote: &'a Money,
    is_purchase: bool,
    /// What counts against these limits besides the order.
    entries: Vec<&'a Commitment>,
    now: Timestamp,
}

impl Room<'_> {
    fn for_order(&self) -> Result<(), Obstacle> {
        let Some(limit) = self.limits.spend_per_order.as_deref() else { return Ok(()) };
        if self.fits(limit, Some(Amount::ZERO)) {
            return Ok(());
        }
        let (cost, whose) = (money::display(self.quote), &self.whose);
        Err(above_limit(format!(
            "the order costs {cost}, and one order of {whose} may cost {limit}: raise limits.spendPerOrder, or set spec.approval.decision of the order to Denied"
        )))
    }

    fn within_spans(&self) -> Result<(), Obstacle> {
        let spans = [
            (&self.limits.spend_per_day, DAY, "24 hours", "spendPerDay"),
            (&self.limits.spend_per_30_days, DAYS_30, "30 days", "spendPer30Days"),
        ];
        let limited = |(limit, span, words, field): (&Option<String>, _, _, _)| {
            limit.as_deref().map_or(Ok(()), |limit| self.within_span(limit, span, words, field))
        };
        spans.into_iter().try_for_each(limited)
    }

    fn within_span(&self, limit: &str, span: SignedDuration, words: &str, field: &str) -> Result<(), Obstacle> {
        let (quote, whose) = (self.quote, &self.whose);
        let until = plus(self.now, span);
        let is_spent = |c: &&&Commitment| c.kind != Kind::Due && self.now.duration_since(c.at) < span;
        let is_due = |c: &&&Commitment| c.kind == Kind::Due && c.at < until && self.is_purchase;
        let spent: Vec<&Money> = self.entries.iter().filter(is_spent).map(|c| &c.amount).collect();
        let due: Vec<&Money> = self.entries.iter().filter(is_due).map(|c| &c.amount).collect();
        let sums = money::sum(&quote.currency, spent).and_then(|spent| Ok((spent, money::sum(&quote.currency, due)?)));
        let (spent, due) = sums.map_err(|why| self.cannot_be_added_up(&why, words, field))?;
        if self.fits(limit, spent.plus(due)) {
            return Ok(());
        }
        Err(above_limit(format!(
            "the order costs {}; of the {limit} that {whose} may spend in any {words}, {spent} are spent or on their way and {due} are kept for renewals: it waits until there is room; or raise limits.{field}, or set spec.approval.decision of the order to Denied",
            money::display(quote),
        )))
    }

    fn cannot_be_added_up(&self, why: &NoSum, words: &str, field: &str) -> Obstacle {
        let whose = &self.whose;
        above_limit(format!(
            "what {whose} has spent in the last {words}, and will spend on renewals, cannot be added up ({why}): it waits until that is longer ago; or remove limits.{field}, or set spec.approval.decision of the order to Denied"
        ))
    }

    fn for_purchases_in_an_hour(&self) -> Result<(), Obstacle> {
        let Some(most) = self.limits.orders_per_hour.filter(|_| self.is_purchase) else { return Ok(()) };
        let is_recent = |c: &&&Commitment| {
            matches!(c.kind, Kind::Spent { purchase: true, .. }) && self.now.duration_since(c.at) < HOUR
        };
        let (sent, whose) = (self.entries.iter().filter(is_recent).count(), &self.whose);
        if i64::try_from(sent).unwrap_or(i64::MAX) < i64::from(most) {
            return Ok(());
        }
        Err(above_limit(format!(
            "{sent} packs were bought for {whose} in the last hour, and {most} are allowed: it waits; or raise limits.ordersPerHour"
        )))
    }

    /// True when the order fits beside what is taken already. What cannot be added up does not fit.
    fn fits(&self, limit: &str, taken: Option<Amount>) -> bool {
        match (Amount::parse(limit), Amount::parse(&self.quote.amount)) {
            (Ok(limit), Ok(cost)) => taken.and_then(|taken| taken.plus(cost)).is_some_and(|sum| sum <= limit),
            _ => false,
        }
    }
}

fn above_limit(message: String) -> Obstacle {
    Obstacle::wait(Reason::AboveLimit, message)
}
