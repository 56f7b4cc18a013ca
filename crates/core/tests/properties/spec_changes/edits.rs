//! Edits of a spec: valid ones, and ones that the API server refuses today.

use carpack_api::common::{Money, Time};
use carpack_api::pack::{Adopt, DeletionPolicy, PurchaseWindow, Renewal, RenewalMode, RenewalStrategy};
use carpack_api::{BillingMode, ConcurrencyPackSpec, Mode};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::OTHERS;
use crate::world::World;

/// A moment in a spec.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// So many minutes after the edit.
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

/// A field that the API server lets nobody change.
#[derive(Debug, Clone, Copy)]
pub enum Immutable {
    Quantity(i32),
    Duration(i32),
    Region(&'static str),
    Scale(&'static str),
    Billing(BillingMode),
    Account(&'static str),
}

#[derive(Debug, Clone)]
pub enum Edit {
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
    /// The immutable fields are again what was applied first.
    PutBack,
    /// All fields are again what was applied first.
    RollBack,
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

pub fn edit() -> impl Strategy<Value = Edit> {
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

/// Writes an edit into the spec. Returns true when this has changed the spec.
pub fn apply(world: &mut World, edit: &Edit, first: &ConcurrencyPackSpec) -> bool {
    let (now, before) = (world.now, world.pack.as_ref().unwrap().spec.clone());
    world.edit_spec(|spec| write(edit, spec, first, now));
    world.pack.as_ref().unwrap().spec != before
}

pub fn write(edit: &Edit, spec: &mut ConcurrencyPackSpec, first: &ConcurrencyPackSpec, now: Timestamp) {
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

pub fn put_back(spec: &mut ConcurrencyPackSpec, first: &ConcurrencyPackSpec) {
    spec.quantity = first.quantity;
    spec.duration = first.duration;
    spec.region.clone_from(&first.region);
    spec.concurrency_scale.clone_from(&first.concurrency_scale);
    spec.billing_mode = first.billing_mode;
    spec.account_ref = first.account_ref.clone();
}
