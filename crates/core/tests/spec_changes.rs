//! Whatever is written into a spec, in whatever order, and taken back: nothing is bought twice, and nothing stays wedged.
//!
//! Also what the API server would refuse today, and what it never lets anybody change: it may have been stored under older
//! rules, or come out of an etcd that was restored. `PROPTEST_CASES` raises the number of cases.
#![allow(clippy::unwrap_used)]

mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use carpack_api::common::{Money, Time};
use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_api::pack::{Adopt, DeletionPolicy, PurchaseWindow, Renewal, RenewalMode, RenewalStrategy};
use carpack_api::{BillingMode, ConcurrencyPackSpec, Mode, PackOrder};
use carpack_core::observation::Observation;
use carpack_core::order::{has_paid, settle_annotation};
use carpack_core::pack as packs;
use carpack_core::time::{parse_duration, term};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use world::{Reply, World, cases, pack};

/// Each case is one pack that lives through so many changes of its spec.
const CHANGES: usize = 80;
const CASES: u32 = 360;
/// So many changes are made in all these cases together, and so many of each kind.
const IN_ALL: u32 = 10_000;
const OF_EACH_KIND: u32 = 1_000;

/// An account that is there, and not for this namespace.
const OTHERS: &str = "others";

/// A moment in a spec.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So many minutes from when it is written.
    In(i64),
    /// The first moment that can be written.
    First,
    /// The last one.
    Last,
}

impl Moment {
    fn at(self, now: Timestamp) -> Time {
        Time(match self {
            Self::In(minutes) => now.checked_add(SignedDuration::from_mins(minutes)).unwrap(),
            Self::First => Timestamp::MIN,
            Self::Last => Timestamp::MAX,
        })
    }
}

/// What the API server lets nobody change.
#[derive(Debug, Clone, Copy)]
enum Immutable {
    Quantity(i32),
    Duration(i32),
    Region(&'static str),
    Scale(&'static str),
    Billing(BillingMode),
    Account(&'static str),
}

#[derive(Debug, Clone)]
enum Edit {
    Project(Option<&'static str>),
    PackName(Option<&'static str>),
    Renewal {
        mode: RenewalMode,
        duration: Option<i32>,
        renew_before: Option<&'static str>,
        until: Option<Moment>,
        strategy: Option<RenewalStrategy>,
    },
    Window(Option<(Option<Moment>, Option<Moment>)>),
    MaxPrice(Option<(&'static str, &'static str)>),
    Deletion(DeletionPolicy),
    Mode(Mode),
    Adopt,
    Immutable(Immutable),
    /// What cannot be changed is again what was applied first.
    PutBack,
    /// Back to what was applied first.
    RollBack,
}

/// What happens between two changes.
#[derive(Debug, Clone)]
enum Meanwhile {
    Nothing,
    Rounds(u8),
    /// The operator is at work all the while.
    Hours(i64),
    /// The operator is not running, for less than the shortest lead of a renewal.
    Outage(i64),
    Reply(Reply),
    Approve,
    RestartOperator,
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        6 => (-600_i64..6000).prop_map(Moment::In),
        1 => Just(Moment::First),
        1 => Just(Moment::Last),
    ]
}

fn renewal() -> impl Strategy<Value = Edit> {
    let mode =
        prop_oneof![1 => Just(RenewalMode::None), 1 => Just(RenewalMode::AutoRenew), 5 => Just(RenewalMode::Operator)];
    let duration = prop_oneof![3 => Just(None), 4 => (1_i32..=36).prop_map(Some)];
    let renew_before = prop::sample::select(vec![
        None,
        Some("6h"),
        Some("1h"),
        Some("90m"),
        Some("30h"),
        // What the API server refuses.
        Some(""),
        Some("soon"),
        Some("6"),
        Some("-3h"),
        Some("0s"),
        Some("1000000h"),
        Some("99999999999999999999h"),
        Some("2562047788015215h"),
        Some("６h"),
        Some("h\u{0}"),
    ]);
    let strategy = prop::sample::select(vec![None, Some(RenewalStrategy::Extend), Some(RenewalStrategy::Replace)]);
    (mode, duration, renew_before, prop::option::weighted(0.3, moment()), strategy).prop_map(
        |(mode, duration, renew_before, until, strategy)| Edit::Renewal {
            mode,
            duration,
            renew_before,
            until,
            strategy,
        },
    )
}

fn immutable() -> impl Strategy<Value = Edit> {
    let slipped = prop::sample::select(vec![
        Immutable::Quantity(1),
        Immutable::Quantity(2),
        Immutable::Quantity(4),
        Immutable::Quantity(5),
        Immutable::Duration(1),
        Immutable::Duration(36),
        Immutable::Duration(60),
        Immutable::Region("eu-frankfurt"),
        Immutable::Region(""),
        Immutable::Scale("M1"),
        Immutable::Scale(""),
        Immutable::Billing(BillingMode::Monthly),
        Immutable::Billing(BillingMode::Monthly),
        Immutable::Account("nobody"),
        Immutable::Account(OTHERS),
    ]);
    prop_oneof![3 => slipped.prop_map(Edit::Immutable), 2 => Just(Edit::PutBack)]
}

fn edit() -> impl Strategy<Value = Edit> {
    let project = prop::sample::select(vec![
        None,
        Some("cap-a"),
        Some("cap-b"),
        Some("cap-small"),
        Some("cap-nowhere"),
        Some("cap-of-others"),
        Some(""),
    ]);
    let name =
        prop::sample::select(vec![None, Some("Gala"), Some("Gala-002"), Some(""), Some(" \u{1f3b5}\n"), Some("-")]);
    let price = prop::sample::select(vec![
        None,
        Some(("6300.00", "USD")),
        Some(("1.00", "USD")),
        Some(("6300.00", "XXX")),
        Some(("6300.00", "")),
        Some(("", "USD")),
        Some(("-6300", "USD")),
        Some(("1e9", "USD")),
        Some(("99999999999999999999", "USD")),
    ]);
    let policy = prop::sample::select(vec![DeletionPolicy::Retain, DeletionPolicy::Lapse, DeletionPolicy::Return]);
    let mode = prop_oneof![1 => Just(Mode::Observe), 1 => Just(Mode::DryRun), 1 => Just(Mode::ApprovalRequired), 3 => Just(Mode::Automatic)];
    let window = prop::option::of((prop::option::of(moment()), prop::option::of(moment())));
    prop_oneof![
        3 => project.prop_map(Edit::Project),
        2 => name.prop_map(Edit::PackName),
        5 => renewal(),
        2 => window.prop_map(Edit::Window),
        2 => price.prop_map(Edit::MaxPrice),
        1 => policy.prop_map(Edit::Deletion),
        1 => mode.prop_map(Edit::Mode),
        1 => Just(Edit::Adopt),
        5 => immutable(),
        2 => Just(Edit::RollBack),
    ]
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    let reply = prop_oneof![
        2 => Just(Reply::LostAfterCommit),
        2 => Just(Reply::LostBeforeCommit),
        1 => Just(Reply::Delayed),
        1 => Just(Reply::Refused { category: carpack_api::Reason::BalanceInsufficient, may_pass: true }),
    ];
    prop_oneof![
        2 => Just(Meanwhile::Nothing),
        8 => (1_u8..3).prop_map(Meanwhile::Rounds),
        3 => (1_i64..20).prop_map(Meanwhile::Hours),
        2 => (1_i64..50).prop_map(Meanwhile::Outage),
        1 => reply.prop_map(Meanwhile::Reply),
        1 => Just(Meanwhile::Approve),
        1 => Just(Meanwhile::RestartOperator),
    ]
}

/// Writes an edit into the spec; true when the spec is another one then.
fn apply(world: &mut World, edit: &Edit, first: &ConcurrencyPackSpec) -> bool {
    let (now, before) = (world.now, world.pack.as_ref().unwrap().spec.clone());
    world.spec(|spec| write(edit, spec, first, now));
    world.pack.as_ref().unwrap().spec != before
}

fn write(edit: &Edit, spec: &mut ConcurrencyPackSpec, first: &ConcurrencyPackSpec, now: Timestamp) {
    let text = |text: Option<&str>| text.map(str::to_owned);
    match edit {
        Edit::Project(project) => spec.project = text(*project),
        Edit::PackName(name) => spec.pack_name = text(*name),
        Edit::Renewal { mode, duration, renew_before, until, strategy } => {
            spec.renewal = Renewal {
                mode: *mode,
                duration: *duration,
                renew_before: text(*renew_before),
                until: until.map(|until| until.at(now)),
                strategy: *strategy,
            };
        }
        Edit::Window(window) => {
            spec.purchase_window = window.map(|(not_before, not_after)| PurchaseWindow {
                not_before: not_before.map(|moment| moment.at(now)),
                not_after: not_after.map(|moment| moment.at(now)),
            });
        }
        Edit::MaxPrice(price) => {
            spec.max_price = price.map(|(amount, currency)| Money { amount: amount.into(), currency: currency.into() });
        }
        Edit::Deletion(policy) => spec.deletion_policy = *policy,
        Edit::Mode(mode) => spec.mode = *mode,
        Edit::Adopt => spec.adopt = Some(Adopt { instance_ids: vec!["i-001".into(), String::new()] }),
        Edit::Immutable(Immutable::Quantity(quantity)) => spec.quantity = *quantity,
        Edit::Immutable(Immutable::Duration(duration)) => spec.duration = *duration,
        Edit::Immutable(Immutable::Region(region)) => spec.region = (*region).to_owned(),
        Edit::Immutable(Immutable::Scale(scale)) => spec.concurrency_scale = (*scale).to_owned(),
        Edit::Immutable(Immutable::Billing(mode)) => spec.billing_mode = *mode,
        Edit::Immutable(Immutable::Account(name)) => spec.account_ref.name = (*name).to_owned(),
        Edit::PutBack => put_back(spec, first),
        Edit::RollBack => *spec = first.clone(),
    }
}

fn put_back(spec: &mut ConcurrencyPackSpec, first: &ConcurrencyPackSpec) {
    spec.quantity = first.quantity;
    spec.duration = first.duration;
    spec.region.clone_from(&first.region);
    spec.concurrency_scale.clone_from(&first.concurrency_scale);
    spec.billing_mode = first.billing_mode;
    spec.account_ref = first.account_ref.clone();
}

/// What a whole run has written into specs that was not there already.
#[derive(Debug, Default)]
struct Written {
    lives: u32,
    /// Each by itself, on what was applied first: what the API server takes, and what it refuses.
    valid: u32,
    invalid: u32,
    rolled_back: u32,
}

impl Written {
    fn count(&mut self, edit: &Edit, first: &ConcurrencyPackSpec, now: Timestamp) {
        let mut alone = first.clone();
        write(edit, &mut alone, first, now);
        let kind = match edit {
            Edit::PutBack | Edit::RollBack => &mut self.rolled_back,
            _ if is_accepted(&alone, first) => &mut self.valid,
            _ => &mut self.invalid,
        };
        *kind += 1;
    }
}

/// What the API server says of a spec that replaces the first one, which is Daily and has no purchaseWindow: the rules of
/// `crates/api/src/pack.rs`, whose CEL runs nowhere here.
fn is_accepted(spec: &ConcurrencyPackSpec, first: &ConcurrencyPackSpec) -> bool {
    let is_text = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
    let is_number = |text: &str, most: usize| is_text(text, most) && text.bytes().all(|b| b.is_ascii_digit());
    let is_name = |name: &str| {
        let (mut characters, others) = (name.chars(), " ._-");
        let begins = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
        begins && is_text(name, 40) && characters.all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    let is_money = |money: &Money| {
        let (whole, fraction) = money.amount.split_once('.').unwrap_or((money.amount.as_str(), "0"));
        let is_code = money.currency.len() == 3 && money.currency.bytes().all(|b| b.is_ascii_uppercase());
        is_number(whole, 12) && is_number(fraction, 4) && is_code
    };
    // A year has four digits.
    let is_time = |time: &Time| time.0 != Timestamp::MIN;
    let is_window = |window: &PurchaseWindow| {
        let (opens, closes) = (window.not_before.as_ref(), window.not_after.as_ref());
        let in_order = opens.zip(closes).is_none_or(|(opens, closes)| opens.0 < closes.0);
        in_order && opens.into_iter().chain(closes).all(is_time)
    };
    let renewal = &spec.renewal;
    let shorter = term(spec.billing_mode, renewal.duration.unwrap_or(spec.duration).min(spec.duration));
    let is_lead =
        |text: &str| parse_duration(text).is_some_and(|lead| lead >= SignedDuration::from_hours(1) && lead < shorter);
    let is_renewed = renewal.mode == RenewalMode::Operator
        && renewal.duration.is_none_or(|duration| (1..=36).contains(&duration))
        && renewal.renew_before.as_deref().is_none_or(is_lead)
        && renewal.until.as_ref().is_none_or(is_time);
    let mut as_bought = spec.clone();
    put_back(&mut as_bought, first);
    as_bought == *spec
        && spec.project.as_deref().is_none_or(|project| is_text(project, 128))
        && spec.pack_name.as_deref().is_none_or(is_name)
        && spec.purchase_window.as_ref().is_none_or(is_window)
        && spec.max_price.as_ref().is_none_or(is_money)
        && is_renewed
        && spec.adopt.is_none()
}

/// As [`World::round`], with the account that the spec names: there may be none of that name, or one of [`OTHERS`], which
/// shows none of the instances. The orders keep the account that they were made with.
fn round(world: &mut World) {
    let named = world.pack.as_ref().map(|pack| pack.spec.account_ref.name.clone());
    if named.as_deref().is_none_or(|name| name == "default") {
        return world.round();
    }
    world.pass(SignedDuration::from_secs(2));
    world.sweep();
    let (mut account, mut look) = (None, None);
    if named.as_deref() == Some(OTHERS) {
        let mut others = world::account();
        others.name = OTHERS.into();
        others.spec.tenants.clear();
        account = Some(others);
        look = Some(Observation { started: world.now, instances: BTreeMap::new(), projects: BTreeMap::new() });
    }
    world.pass(SignedDuration::from_millis(100));
    std::mem::swap(&mut world.account, &mut account);
    std::mem::swap(&mut world.observation, &mut look);
    world.step_pack();
    (world.account, world.observation) = (account, look);
    world.pass(SignedDuration::from_millis(100));
    for index in 0..world.orders.len() {
        world.step_order(index);
        world.step_order(index);
    }
}

fn pass(world: &mut World, meanwhile: &Meanwhile) {
    match meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Rounds(count) => (0..*count).for_each(|_| round(world)),
        Meanwhile::Hours(hours) => live(world, SignedDuration::from_hours(*hours)),
        Meanwhile::Outage(minutes) => {
            world.pass(SignedDuration::from_mins(*minutes));
            live(world, SignedDuration::from_mins(1));
        }
        Meanwhile::Reply(reply) => {
            world.replies.push(reply.clone());
            round(world);
        }
        Meanwhile::Approve => {
            if let Some(newest) = world.orders.len().checked_sub(1) {
                world.approve(newest, "ThisOrder");
            }
            round(world);
        }
        Meanwhile::RestartOperator => {
            world.last_change = None;
            world.failures.clear();
            world.observation = None;
            round(world);
        }
    }
}

/// The operator works for so long. Where nothing can happen, time is skipped.
fn live(world: &mut World, long: SignedDuration) {
    let end = world.now.checked_add(long).unwrap();
    while world.now < end {
        let step = if world.open_orders() > 0 { SignedDuration::from_mins(30) } else { long };
        let due = world.pack.as_ref().and_then(|p| p.status.as_ref()?.next_renewal_time.as_ref()).map(|due| due.0);
        let next = [Some(end), world.now.checked_add(step).ok(), due.filter(|due| *due > world.now)];
        world.pass(next.into_iter().flatten().min().unwrap().duration_since(world.now));
        for _ in 0..if world.open_orders() > 0 { 4 } else { 2 } {
            round(world);
        }
    }
}

/// One charge for each token, one renewal of each instance from each expiry, one first purchase, one open order.
fn check_the_books(world: &World) -> Result<(), TestCaseError> {
    prop_assert!(world.open_orders() <= 1, "{} open orders", world.open_orders());
    let mut tokens = BTreeSet::new();
    prop_assert!(world.charges.iter().all(|charge| tokens.insert(charge.token.clone())), "a token was charged twice");
    let (mut renewed, mut bought) = (BTreeSet::new(), BTreeSet::new());
    for order in &world.orders {
        for line in order.spec.lines.iter().filter(|line| tokens.contains(&line.client_token)) {
            match &line.renews_from {
                None if order.spec.action == OrderAction::Buy => {
                    prop_assert!(bought.insert(&order.spec.pack_ref.uid), "one object bought twice");
                }
                from => {
                    // A successor renews no instance: it fills the gap that would come.
                    let charge = world.charges.iter().find(|charge| charge.token == line.client_token).unwrap();
                    let what = match &line.instance_id {
                        Some(id) => format!("{id} from {from:?}"),
                        None => format!("{} from {:?}", order.spec.pack_ref.uid, charge.ends),
                    };
                    prop_assert!(renewed.insert(what.clone()), "renewed twice: {what}");
                }
            }
        }
    }
    Ok(())
}

fn condition(world: &World, kind: &str) -> Option<String> {
    world.condition(kind).map(|(status, reason)| format!("{status} {reason}"))
}

/// A person does what the conditions ask for; false when they ask for nothing that can be done.
fn follow(world: &mut World) -> bool {
    let conditions = world.status().conditions.iter();
    let words: Vec<String> =
        conditions.filter(|c| c.type_ == "Stalled" || c.type_ == "Reconciling").map(|c| c.message.clone()).collect();
    let asked = |wanted: String| words.iter().any(|message| message.contains(&wanted));
    let name = |order: &PackOrder| order.metadata.name.clone().unwrap();
    if let Some(order) = world.orders.iter_mut().find(|o| asked(format!("kubectl annotate packorder {} ", name(o)))) {
        let asked =
            |l: &&LineStatus| matches!(l.state, LineState::Unknown | LineState::Submitting | LineState::Committed);
        let line = order.status.iter().flat_map(|s| &s.lines).find(asked).unwrap();
        let (index, key) = (line.index, settle_annotation(line));
        let token = &order.spec.lines.iter().find(|line| line.index == index).unwrap().client_token;
        let executed = world.charges.iter().any(|charge| charge.token == *token);
        let word = if executed { "Executed" } else { "NotExecuted" };
        order.metadata.annotations = Some([(key, word.to_owned())].into());
        return true;
    }
    let before = world.orders.len();
    world.orders.retain(|order| !asked(format!("delete PackOrder {} ", name(order))));
    world.orders.len() < before
}

/// What ends only with a new object, by design, and says so: also when a part has expired because it was not to be renewed
/// for so long.
fn is_over(world: &World) -> bool {
    let ways_out = ["run kubectl delete concurrencypack concert -n events", "create another pack for what is missing"];
    let conditions = world.pack.iter().filter_map(|pack| pack.status.as_ref()).flat_map(|status| &status.conditions);
    conditions.into_iter().any(|c| c.type_ == "Ended" || ways_out.iter().any(|way_out| c.message.contains(way_out)))
}

/// A decision on its own result: no effect, the same status, nothing said.
fn check_that_it_rests(world: &World) -> Result<(), TestCaseError> {
    let mut pack = world.pack.clone().unwrap();
    for _ in 0..2 {
        let orders: Vec<&PackOrder> = world.orders.iter().collect();
        let decision = packs::decide(&world.pack_input(&pack, &orders));
        prop_assert_eq!(&decision.effect, &None);
        prop_assert_eq!(&Some(&decision.status), &pack.status.as_ref());
        prop_assert_eq!(&decision.events, &vec![]);
        prop_assert!(decision.wake_at.is_none_or(|at| at > world.now));
        pack.status = Some(decision.status);
    }
    for index in 0..world.orders.len() {
        let decision = world.decide_order(index, None);
        prop_assert!(decision.effect.is_none() || !world.status().conditions.is_empty());
        prop_assert_eq!(&Some(&decision.status), &world.orders[index].status.as_ref());
    }
    Ok(())
}

fn run(changes: &[(Edit, Meanwhile)], written: &RefCell<Written>) -> Result<World, TestCaseError> {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    let first = world.pack.as_ref().unwrap().spec.clone();
    let change = |world: &mut World, edit: &Edit| {
        let now = world.now;
        if apply(world, edit, &first) {
            written.borrow_mut().count(edit, &first, now);
        }
    };
    written.borrow_mut().lives += 1;
    for (edit, meanwhile) in changes {
        change(&mut world, edit);
        pass(&mut world, meanwhile);
        check_the_books(&world)?;
        if is_over(&world) && world.open_orders() == 0 {
            create_again(&mut world);
        }
    }
    change(&mut world, &Edit::RollBack);
    Ok(world)
}

/// The outages end, and time passes until nothing is left to wait for.
fn calm_down(world: &mut World) {
    for _ in 0..12 {
        world.pass(SignedDuration::from_mins(5));
        world.deliver();
        world.round();
        world.round();
    }
    world.settle();
}

/// It does not only look well: it is renewed when its time has come.
fn check_that_it_lives_on(world: &mut World) -> Result<(), TestCaseError> {
    let due = world.status().next_renewal_time.as_ref().unwrap().0;
    let before = world.charges.len();
    world.now = due.max(world.now);
    world.settle();
    check_the_books(world)?;
    prop_assert!(world.charges.len() > before, "not renewed: {:#?}", world.status());
    prop_assert_eq!(
        condition(world, "Ready"),
        Some("True Active".to_owned()),
        "after a renewal: {:#?}",
        world.status()
    );
    Ok(())
}

/// True when a purchase of this very object was made while its spec asked for less than now: nothing is bought to make up
/// for it.
fn was_bought_with_less(world: &World) -> bool {
    let pack = world.pack.as_ref().unwrap();
    let uid = pack.metadata.uid.as_ref();
    world.orders.iter().any(|order| {
        let own_purchase = order.spec.action == OrderAction::Buy && uid == Some(&order.spec.pack_ref.uid);
        own_purchase && has_paid(order) && order.spec.terms.quantity < pack.spec.quantity
    })
}

/// What there is of it works, or the way out is named.
fn is_told(world: &World) -> bool {
    let ready = condition(world, "Ready");
    is_over(world) || matches!(ready.as_deref(), Some("True Active" | "False PartiallyDelivered"))
}

/// What is there is renewed, or else runs out because a successor was bought for it; and the status says how it stands.
fn check_that_what_is_missing_is_told(world: &mut World) -> Result<(), TestCaseError> {
    prop_assert!(is_told(world), "bought with less, and not told: {:#?}", world.status());
    let due = world.status().next_renewal_time.as_ref().unwrap().0;
    let ends = world.status().expiration_time.as_ref().unwrap().0;
    let before = world.charges.len();
    world.now = due.max(world.now);
    world.settle();
    check_the_books(world)?;
    prop_assert!(is_told(world), "bought with less, and not told when due: {:#?}", world.status());
    if world.charges.len() == before {
        world.now = ends.max(world.now);
        world.settle();
        check_the_books(world)?;
        prop_assert!(is_over(world), "ran out, and no way out is told: {:#?}", world.status());
    }
    Ok(())
}

/// What is left of it is returned in the console, the object deleted, and another one of its name and spec applied.
fn create_again(world: &mut World) {
    world.instances.clear();
    let old = world.pack.take().unwrap();
    let mut new = carpack_api::ConcurrencyPack::new(world::NAME, old.spec);
    new.metadata.namespace = old.metadata.namespace;
    new.metadata.uid = old.metadata.uid.map(|uid| format!("{uid}+"));
    new.metadata.generation = Some(1);
    world.pack = Some(new);
}

fn changes() -> impl Strategy<Value = Vec<(Edit, Meanwhile)>> {
    prop::collection::vec((edit(), meanwhile()), 1..=CHANGES)
}

#[test]
fn after_any_changes_of_the_spec_the_first_one_works_again() {
    let written = RefCell::new(Written::default());
    proptest!(cases(CASES), |(changes in changes())| {
        let mut world = run(&changes, &written)?;
        // The cloud is well again, and the quarantine of what is unknown passes.
        world.replies.clear();
        calm_down(&mut world);
        // A line in doubt at a time, and then the order itself.
        for _ in 0..12 {
            if is_over(&world) || !follow(&mut world) {
                break;
            }
            world.settle();
        }
        check_the_books(&world)?;
        check_that_it_rests(&world)?;
        if is_over(&world) {
            return Ok(());
        }
        if was_bought_with_less(&world) {
            check_that_what_is_missing_is_told(&mut world)?;
        } else {
            prop_assert_eq!(condition(&world, "Ready"), Some("True Active".to_owned()), "wedged: {:#?}", world.status());
            check_that_it_lives_on(&mut world)?;
        }
    });
    let written = written.into_inner();
    // `PROPTEST_CASES` may have asked for fewer.
    if written.lives >= CASES {
        let kinds = [written.valid, written.invalid, written.rolled_back];
        assert!(kinds.iter().sum::<u32>() >= IN_ALL, "{written:?}");
        assert!(kinds.iter().all(|count| *count >= OF_EACH_KIND), "{written:?}");
    }
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn after_any_changes_of_the_spec_the_pack_can_be_deleted(changes in prop::collection::vec((edit(), meanwhile()), 1..12)) {
        let mut world = World::new(pack(json!({"project": "cap-a"})));
        let first = world.pack.as_ref().unwrap().spec.clone();
        for (edit, meanwhile) in &changes {
            apply(&mut world, edit, &first);
            pass(&mut world, meanwhile);
        }
        let paid = |world: &World| world.charges.iter().filter(|c| c.action != OrderAction::Return).count();
        let finalized = world.pack.as_ref().unwrap().metadata.finalizers.is_some();
        world.delete_pack();
        // Without a finalizer the API server removes it by itself.
        world.pack = world.pack.take().filter(|_| finalized);
        for _ in 0..30 {
            world.pass(SignedDuration::from_mins(5));
            round(&mut world);
            check_the_books(&world)?;
        }
        prop_assert!(world.pack.is_none(), "still there: {:?}", world.pack.as_ref().and_then(|p| p.status.clone()));
        let before = paid(&world);
        world.settle();
        prop_assert_eq!(paid(&world), before);
    }
}
