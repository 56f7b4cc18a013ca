//! Spending limits of an account and of its tenants: what counts against them, and whether an order fits.

use carpack_api::account::Limits;
use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_api::pack::ConcurrencyPackSpec;
use carpack_api::{ConcurrencyPack, Money, PackOrder, PackOrderSpec};
use jiff::{SignedDuration, Timestamp};

use crate::account::Account;
use crate::money::{self, Amount};
use crate::order::last_call;
use crate::time::{plus, renewal_duration, term};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const DAYS_30: SignedDuration = SignedDuration::from_hours(24 * 30);
/// So many renewals of one pack are looked ahead at most.
const RENEWALS: usize = 1000;

/// What an account has spent, has under way, and will need for renewals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commitments {
    entries: Vec<Commitment>,
    /// Of every purchase and return, sent or not: its namespace, and when it was decided.
    pub(crate) decisions: Vec<(String, Timestamp)>,
    /// When they were gathered.
    pub(crate) now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Commitment {
    namespace: String,
    amount: Money,
    at: Timestamp,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// By the order of this name: paid, or so far on its way that it may be.
    Spent { order: String, purchase: bool },
    /// A renewal to come.
    Due,
}

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
        kind: Kind::Spent { order: order.metadata.name.clone().unwrap_or_default(), purchase: is_first(spec) },
    })
}

/// When each renewal of a pack by the operator will be due until then, and what it will cost at today's prices.
pub fn renewals_due(account: &Account, pack: &ConcurrencyPack, horizon: Timestamp) -> Vec<(Timestamp, Money)> {
    let spec: &ConcurrencyPackSpec = &pack.spec;
    let first = pack.status.as_ref().and_then(|status| status.next_renewal_time.as_ref());
    let duration = renewal_duration(spec);
    let (Some(first), Ok(quote)) = (first, account.quote(spec, spec.quantity, duration)) else { return Vec::new() };
    let length = term(spec.billing_mode, duration);
    let end = spec.renewal.until.as_ref().map_or(horizon, |until| until.0.min(horizon));
    std::iter::successors(Some(first.0), |at| Some(plus(*at, length)))
        .take_while(|at| *at < end)
        .take(RENEWALS)
        .map(|at| (at, quote.clone()))
        .collect()
}

/// True for a purchase that renews nothing.
pub(crate) fn is_first(spec: &PackOrderSpec) -> bool {
    spec.action == OrderAction::Buy && spec.lines.iter().all(|line| line.renews_from.is_none())
}

/// True for what a brake holds: a purchase that renews nothing, and a return.
pub(crate) fn is_braked(spec: &PackOrderSpec) -> bool {
    is_first(spec) || spec.action == OrderAction::Return
}

/// Why an order does not fit into the limits, if it does not. A purchase leaves room for the renewals that are due; a renewal
/// is held by what was spent only.
pub(crate) fn check(account: &Account, order: &PackOrder, commitments: &Commitments, now: Timestamp) -> Option<String> {
    let namespace = &order.spec.pack_ref.namespace;
    let all = Scope { whose: format!("account {}", account.name), namespaces: None };
    let whole = account.spec.limits.iter().map(|limits| (all.clone(), limits));
    let tenants = account.spec.tenants.iter().filter(|tenant| tenant.covers(namespace));
    let parts = tenants.filter_map(|tenant| {
        let whose = format!("the tenant of namespace {namespace} in account {}", account.name);
        Some((Scope { whose, namespaces: Some(&tenant.namespaces) }, tenant.limits.as_ref()?))
    });
    whole.chain(parts).find_map(|(scope, limits)| scope.check(limits, order, commitments, now))
}

/// Whom a limit is for.
#[derive(Clone)]
struct Scope<'a> {
    whose: String,
    namespaces: Option<&'a [String]>,
}

impl Scope<'_> {
    fn covers(&self, namespace: &str) -> bool {
        self.namespaces.is_none_or(|list| list.iter().any(|entry| entry == "*" || entry == namespace))
    }

    fn check(&self, limits: &Limits, order: &PackOrder, all: &Commitments, now: Timestamp) -> Option<String> {
        let quote = order.spec.quote.as_ref()?;
        let name = order.metadata.name.as_deref().unwrap_or_default();
        let others = |c: &&Commitment| {
            self.covers(&c.namespace) && !matches!(&c.kind, Kind::Spent { order, .. } if order == name)
        };
        let ours: Vec<&Commitment> = all.entries.iter().filter(others).collect();
        let (cost, whose) = (money::display(quote), &self.whose);
        let within = |limit: &str, entries: &[&Money]| match (Amount::parse(limit), total(quote, entries)) {
            (Ok(limit), Some(sum)) => sum <= limit,
            _ => false,
        };
        if let Some(limit) = limits.spend_per_order.as_deref().filter(|limit| !within(limit, &[])) {
            return Some(format!(
                "the order costs {cost}, and one order of {whose} may cost {limit}: raise limits.spendPerOrder, or set spec.approval.decision of the order to Denied"
            ));
        }
        let windows = [
            (&limits.spend_per_day, DAY, "24 hours", "spendPerDay"),
            (&limits.spend_per_30_days, DAYS_30, "30 days", "spendPer30Days"),
        ];
        for (limit, span, words, field) in windows {
            let Some(limit) = limit.as_deref() else { continue };
            let until = plus(now, span);
            let spent =
                ours.iter().filter(|c| c.kind != Kind::Due && now.duration_since(c.at) < span).map(|c| &c.amount);
            let due = ours.iter().filter(|c| c.kind == Kind::Due && c.at < until && is_first(&order.spec));
            let (spent, due): (Vec<_>, Vec<_>) = (spent.collect(), due.map(|c| &c.amount).collect());
            let taken: Vec<&Money> = spent.iter().chain(&due).copied().collect();
            if taken.iter().any(|money| money.currency != quote.currency) {
                return Some(format!(
                    "what {whose} has spent in the last {words} is not all in {}, so nobody can add it up: it waits until that is longer ago; or remove limits.{field}, or set spec.approval.decision of the order to Denied",
                    quote.currency
                ));
            }
            if !within(limit, &taken) {
                let sum = |entries: Vec<&Money>| money::sum(&quote.currency, entries);
                return Some(format!(
                    "the order costs {cost}; of the {limit} that {whose} may spend in any {words}, {} are spent or on their way and {} are kept for renewals: it waits until there is room; or raise limits.{field}, or set spec.approval.decision of the order to Denied",
                    sum(spent),
                    sum(due)
                ));
            }
        }
        let most = limits.orders_per_hour.filter(|_| is_first(&order.spec))?;
        let recent =
            |c: &&&Commitment| matches!(c.kind, Kind::Spent { purchase: true, .. }) && now.duration_since(c.at) < HOUR;
        let sent = ours.iter().filter(recent).count();
        (i64::try_from(sent).unwrap_or(i64::MAX) >= i64::from(most)).then(|| {
            format!(
                "{sent} packs were bought for {whose} in the last hour, and {most} are allowed: it waits; or raise limits.ordersPerHour"
            )
        })
    }
}

/// The sum with the order's own quote; none when it cannot be told, as with another currency.
fn total(quote: &Money, entries: &[&Money]) -> Option<Amount> {
    let own = Amount::parse(&quote.amount).ok()?;
    entries.iter().try_fold(own, |sum, money| {
        let amount = Amount::parse(&money.amount).ok().filter(|_| money.currency == quote.currency)?;
        sum.plus(amount)
    })
}
