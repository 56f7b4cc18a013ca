//! What packs and orders say of themselves, step by step: what people read when they wait for capacity, or for their money.
//!
//! A diary holds every change of a status and every event, in their order. After a change of the words run the test with
//! `INSTA_UPDATE=always`, and read the difference as a user would.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::BTreeMap;
use std::fmt::Write;

use carpack_api::Mode;
use carpack_api::common::Time;
use carpack_api::pack::{RenewFlag, RenewalMode};
use carpack_core::account::Health;
use carpack_core::observation::{Binding, DealState};
use carpack_core::pack::owns_instance;
use jiff::SignedDuration;
use serde_json::{Value, json};
use world::{Reply, World, pack};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A world, and all that was said in it.
struct Diary {
    world: World,
    text: String,
    known: BTreeMap<String, BTreeMap<String, String>>,
}

impl Diary {
    fn of(spec: Value) -> Self {
        Self { world: World::new(pack(spec)), text: String::new(), known: BTreeMap::new() }
    }

    /// Lives on for so many steps.
    fn go(&mut self, steps: usize, step: SignedDuration) -> &mut Self {
        for _ in 0..steps {
            self.world.pass(step);
            self.world.sweep();
            self.world.pass(SignedDuration::from_secs(1));
            self.world.step_pack();
            self.note_pack();
            for index in 0..self.world.orders.len() {
                self.step_order(index);
                self.step_order(index);
            }
        }
        self
    }

    fn step_order(&mut self, index: usize) {
        self.world.step_order(index);
        let order = &self.world.orders[index];
        let (name, status) = (order.metadata.name.clone().unwrap(), json!(order.status));
        self.note(&name, &status);
        for event in std::mem::take(&mut self.world.order_events) {
            self.write_event(&event);
        }
    }

    /// Somebody does something.
    fn then(&mut self, what: &str, act: impl FnOnce(&mut World)) -> &mut Self {
        writeln!(self.text, "\n-- {what}").unwrap();
        act(&mut self.world);
        self
    }

    fn note_pack(&mut self) {
        match &self.world.pack {
            Some(pack) => self.note("the pack", &json!(pack.status)),
            None => drop(self.known.remove("the pack").map(|_| self.text.push_str("\nthe pack is gone\n"))),
        }
        for event in std::mem::take(&mut self.world.events) {
            self.write_event(&event);
        }
        for change in self.world.changes.drain(..) {
            writeln!(self.text, "  in the cloud: {change:?}").unwrap();
        }
    }

    fn write_event(&mut self, event: &carpack_core::Event) {
        let kind = if event.warning { "Warning" } else { "Normal" };
        writeln!(self.text, "  {kind} event {}: {}", event.reason, event.message).unwrap();
    }

    /// Writes down what has changed.
    fn note(&mut self, who: &str, status: &Value) {
        let mut now = BTreeMap::new();
        flatten("", status, &mut now);
        let before = self.known.insert(who.to_owned(), now.clone()).unwrap_or_default();
        let changed = now.iter().filter(|(path, value)| before.get(*path) != Some(value));
        let mut lines: Vec<String> = changed.map(|(path, value)| format!("  {path}: {value}")).collect();
        lines.extend(before.keys().filter(|path| !now.contains_key(*path)).map(|path| format!("  {path}: (none)")));
        if !lines.is_empty() {
            writeln!(self.text, "\n{} {who}\n{}", self.world.now.strftime("%m-%d %H:%M:%S"), lines.join("\n")).unwrap();
        }
    }
}

/// One line for each value; a condition is one value. Moments of observation are left out.
fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) if fields.contains_key("reason") && fields.contains_key("type") => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
            into.insert(path.to_owned(), format!("{} {}: {}", text("status"), text("reason"), text("message")));
        }
        Value::Object(fields) => {
            let told =
                fields.iter().filter(|(key, _)| !["lastObservedTime", "observedGeneration"].contains(&key.as_str()));
            told.for_each(|(key, value)| flatten(&below(key), value, into));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let key = item.get("type").and_then(Value::as_str).map_or(index.to_string(), str::to_owned);
                flatten(&below(&key), item, into);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(path.to_owned(), text.clone())),
        other => drop(into.insert(path.to_owned(), other.to_string())),
    }
}

fn told(name: &str, diary: &Diary) {
    insta::assert_snapshot!(name, diary.text.trim_start());
}

fn annotate(world: &mut World, key: &str, word: &str) {
    world.orders[0].metadata.annotations.get_or_insert_default().insert(key.to_owned(), word.to_owned());
}

#[test]
fn a_pack_that_is_approved_delivered_renewed_and_ends() {
    let mut diary = Diary::of(json!({
        "mode": "ApprovalRequired", "project": "cap-a", "duration": 1,
        "renewal": {"mode": "Operator", "duration": 1, "renewBefore": "6h", "until": "2026-12-03T00:00:00Z"}}));
    diary.go(3, MINUTE).then("the purchase is approved, and later renewals with it", |world| {
        world.approve(0, "ThisAndLaterRenewals");
    });
    diary.go(8, MINUTE).go(75, HOUR);
    told("approved", &diary);
}

#[test]
fn an_approval_that_does_not_reach_to_the_renewal() {
    let mut diary = Diary::of(json!({"mode": "ApprovalRequired"}));
    diary.go(3, MINUTE).then("the purchase for three days is approved, and later renewals with it", |world| {
        world.approve(0, "ThisAndLaterRenewals");
    });
    diary.go(8, MINUTE).go(80, HOUR);
    told("approval_falls_short", &diary);
}

#[test]
fn a_purchase_that_is_denied() {
    let mut diary = Diary::of(json!({"mode": "ApprovalRequired"}));
    diary.go(3, MINUTE).then("denied", |world| {
        world.approve(0, "ThisOrder");
        world.orders[0].spec.approval = serde_json::from_value(json!({"decision": "Denied"})).unwrap();
    });
    diary.go(3, MINUTE);
    told("denied", &diary);
}

#[test]
fn a_purchase_that_is_refused_and_later_taken() {
    let mut diary = Diary::of(json!({"renewal": {"mode": "None"}}));
    diary.world.replies =
        vec![Reply::Refused { category: carpack_api::Reason::BalanceInsufficient, may_pass: true }, Reply::Delayed];
    diary.go(8, MINUTE).then("it is delivered", World::deliver).go(3, MINUTE);
    told("refused_for_now", &diary);
}

#[test]
fn a_purchase_that_is_refused_for_good() {
    let mut diary = Diary::of(json!({}));
    diary.world.replies = vec![Reply::Refused { category: carpack_api::Reason::InvalidRequest, may_pass: false }];
    diary.go(5, MINUTE);
    told("refused_for_good", &diary);
}

#[test]
fn a_purchase_whose_answers_are_lost_until_a_person_is_asked() {
    let mut diary = Diary::of(json!({}));
    diary.world.replies = vec![Reply::LostBeforeCommit; 3];
    diary.go(45, MINUTE).then("a word that is not understood", |world| {
        annotate(world, "carpack.io/settle-line-0-attempt-3", "Maybe");
    });
    diary.go(2, MINUTE).then("the console shows nothing", |world| {
        annotate(world, "carpack.io/settle-line-0-attempt-3", "NotExecuted");
    });
    diary.go(4, MINUTE);
    told("lost", &diary);
}

#[test]
fn a_purchase_that_is_paid_and_never_delivered() {
    let mut diary = Diary::of(json!({}));
    diary.world.replies = vec![Reply::Delayed];
    diary.go(75, MINUTE).then("a person lets it be", |world| {
        annotate(world, "carpack.io/settle-line-0-attempt-1", "Executed");
    });
    diary.go(3, MINUTE);
    told("never_delivered", &diary);
}

#[test]
fn a_purchase_that_is_taken_and_not_paid() {
    let mut diary = Diary::of(json!({}));
    diary.world.replies = vec![Reply::Unpaid];
    diary.go(5, MINUTE).then("it is cancelled in the console", |world| {
        world.charges[0].state = DealState::WithoutEffect;
    });
    diary.go(3, MINUTE);
    told("unpaid", &diary);
}

#[test]
fn a_purchase_of_which_a_part_is_delivered() {
    let mut diary = Diary::of(json!({}));
    diary.world.replies = vec![Reply::Partial(1)];
    diary.go(4, MINUTE).go(3, HOUR);
    told("delivered_in_part", &diary);
}

#[test]
fn a_renewal_of_which_one_line_is_refused() {
    let mut diary = Diary::of(json!({}));
    diary.go(6, MINUTE).then("the second of three renewals will be refused", |world| {
        world.replies = vec![
            Reply::Honest,
            Reply::Refused { category: carpack_api::Reason::NotFound, may_pass: false },
            Reply::Honest,
        ];
    });
    diary.go(68, HOUR).go(3, MINUTE).go(8, HOUR);
    told("renewed_in_part", &diary);
}

#[test]
fn a_pack_that_is_deleted_before_its_order_was_sent() {
    let mut diary = Diary::of(json!({"mode": "ApprovalRequired"}));
    diary.go(3, MINUTE).then("deleted", World::delete_pack).go(2, MINUTE);
    told("deleted_before", &diary);
}

#[test]
fn a_pack_that_is_returned() {
    let mut diary = Diary::of(json!({"deletionPolicy": "Return"}));
    diary.go(6, MINUTE).then("deleted", World::delete_pack).go(3, MINUTE).then("approved", |world| {
        let last = world.orders.len() - 1;
        world.approve(last, "ThisOrder");
    });
    diary.go(5, MINUTE);
    told("returned", &diary);
}

#[test]
fn an_order_that_is_deleted_while_only_it_knows_what_was_bought() {
    let mut diary = Diary::of(json!({"renewal": {"mode": "None"}}));
    diary.world.replies = vec![Reply::Delayed];
    diary.go(4, MINUTE).then("the order is deleted, and the delivery comes", |world| {
        world.orders[0].metadata.deletion_timestamp = Some(Time(world.now));
        world.deliver();
    });
    for _ in 0..3 {
        diary.world.pass(MINUTE);
        diary.world.sweep();
        diary.world.pass(SignedDuration::from_secs(1));
        diary.step_order(0);
    }
    diary.go(2, MINUTE);
    told("deleted_order", &diary);
}

#[test]
fn a_pack_that_is_only_watched() {
    for (mode, name) in [("Observe", "observed"), ("DryRun", "dry_run")] {
        let mut diary = Diary::of(json!({"mode": mode, "project": "cap-a"}));
        diary.go(3, MINUTE);
        told(name, &diary);
    }
}

#[test]
fn a_pack_that_waits_for_its_window_and_one_whose_window_has_closed() {
    let mut diary = Diary::of(json!({
        "renewal": {"mode": "None"},
        "purchaseWindow": {"notBefore": "2026-12-01T03:00:00Z", "notAfter": "2026-12-01T06:00:00Z"}}));
    diary.world.replies =
        vec![Reply::Refused { category: carpack_api::Reason::BalanceInsufficient, may_pass: true }; 9];
    diary.go(8, HOUR);
    told("window", &diary);
}

#[test]
fn a_pack_that_cannot_be_bought_yet_for_one_reason_after_another() {
    let mut diary = Diary::of(json!({"maxPrice": {"amount": "900.00", "currency": "USD"}, "project": "cap-a"}));
    let account = diary.world.account.take();
    diary.go(2, MINUTE).then("the account is there, and not ready", |world| {
        world.account = account;
        let health =
            Health::NotReady { reason: carpack_api::Reason::WrongCredentials, message: "the key is refused".into() };
        world.account.as_mut().unwrap().health = health;
    });
    diary.go(1, MINUTE).then("ready, and grants nothing", |world| {
        let account = world.account.as_mut().unwrap();
        account.health = Health::Ready;
        account.spec.tenants[0].namespaces = vec!["others".into()];
    });
    diary.go(1, MINUTE).then("grants it, and has no price", |world| {
        let account = world.account.as_mut().unwrap();
        account.spec.tenants[0].namespaces = vec!["events".into()];
        account.spec.price_list.prices[0].concurrency_scale = "L9".into();
    });
    diary.go(1, MINUTE).then("it has a price, above maxPrice", |world| {
        world.account.as_mut().unwrap().spec.price_list.prices[0].concurrency_scale = "L1".into();
    });
    diary.go(1, MINUTE).then("a project that is not granted", |world| {
        world.spec(|spec| {
            spec.max_price = None;
            spec.project = Some("cap-x".into());
        });
    });
    for (what, project) in [("of another scale", "cap-small"), ("that is not there", "cap-nowhere")] {
        diary.go(1, MINUTE).then(&format!("a project {what}"), |world| {
            world.spec(|spec| spec.project = Some(project.into()));
        });
    }
    diary.go(1, MINUTE).then("nothing is sold by the day", |world| {
        let api = world.account.as_mut().unwrap().spec.purchase.api.as_mut().unwrap();
        api.period_units.remove("Daily");
    });
    diary.go(1, MINUTE);
    told("obstacles", &diary);
}

#[test]
fn a_pack_that_is_replaced_by_a_successor() {
    let mut diary = Diary::of(json!({
        "project": "cap-a",
        "renewal": {"mode": "Operator", "strategy": "Replace", "duration": 3, "renewBefore": "6h"}}));
    diary.go(7, MINUTE).go(75, HOUR);
    told("replaced", &diary);
}

#[test]
fn a_pack_that_the_cloud_renews_until_it_is_left_to_lapse() {
    let mut diary = Diary::of(json!({
        "billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": "Lapse"}));
    diary.go(6, MINUTE).then("somebody switches it off in the console", |world| {
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Manual);
    });
    diary.go(4, MINUTE).then("deleted", World::delete_pack).go(6, MINUTE);
    told("renewed_by_the_cloud", &diary);
}

#[test]
fn a_pack_that_is_moved_renamed_and_moved_by_somebody_else() {
    let mut diary = Diary::of(json!({"project": "cap-a", "renewal": {"mode": "None"}}));
    diary.go(6, MINUTE).then("to another project, under another name", |world| {
        world.spec(|spec| {
            spec.project = Some("cap-b".into());
            spec.pack_name = Some("gala".into());
        });
    });
    diary.go(12, MINUTE).then("somebody unbinds it in the console", |world| {
        world.instances.values_mut().for_each(|instance| instance.project = Binding::Unbound);
    });
    diary.go(4, MINUTE).then("to a project of another scale", |world| {
        world.spec(|spec| spec.project = Some("cap-small".into()));
    });
    diary.go(2, MINUTE).then("the cloud refuses every change, and it goes back", |world| {
        world.refuse_changes = true;
        world.spec(|spec| spec.project = Some("cap-a".into()));
    });
    diary.go(4, MINUTE);
    told("moved", &diary);
}

#[test]
fn a_pack_that_cannot_be_seen_for_a_while_and_then_has_vanished() {
    let mut diary = Diary::of(json!({}));
    diary.go(6, MINUTE).then("one instance has run out, one is gone", |world| {
        world.instances.pop_first();
        world.instances.values_mut().next().unwrap().expiration = Some(world.now);
    });
    diary.go(2, MINUTE).then("all are gone", |world| world.instances.clear());
    diary.go(2, MINUTE).then("nobody looks any more", |world| world.sweeps = false);
    diary.go(2, HOUR).then("the account is deleted", |world| world.account = None);
    diary.go(2, MINUTE);
    told("vanished", &diary);
}

#[test]
fn a_renewal_that_is_held_by_the_mode_the_price_and_the_clouds_own_renewal() {
    let mut diary = Diary::of(json!({}));
    diary.go(6, MINUTE).then("only rehearse", |world| world.spec(|spec| spec.mode = Mode::DryRun));
    diary.go(70, HOUR).then("for real again, and too dear", |world| {
        world.spec(|spec| {
            spec.mode = Mode::Automatic;
            spec.max_price = Some(serde_json::from_value(json!({"amount": "300.00", "currency": "USD"})).unwrap());
        });
    });
    diary.go(1, MINUTE).then("no longer too dear, and the cloud renews it too", |world| {
        world.spec(|spec| spec.max_price = None);
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Auto);
    });
    diary.go(1, MINUTE).then("the price list is empty, and the cloud no longer does", |world| {
        world.account.as_mut().unwrap().spec.price_list.prices.clear();
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Manual);
    });
    diary.go(2, MINUTE).go(3, HOUR);
    told("renewal_held", &diary);
}

#[test]
fn a_pack_under_whose_name_something_stands_already() {
    let mut other = World::new(pack(json!({})));
    other.settle();
    let mut diary = Diary::of(json!({}));
    diary.world.instances = other.instances;
    diary.go(3, MINUTE);
    told("name_taken", &diary);
}

/// A Monthly pack that the cloud renews, bought; to be deleted like this.
fn to_be_deleted(policy: &str) -> Diary {
    let mut diary = Diary::of(json!({
        "billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": policy}));
    diary.go(6, MINUTE).go(2, HOUR);
    diary.text.clear();
    diary
}

#[test]
fn a_pack_that_is_deleted_and_retained() {
    let mut diary = to_be_deleted("Retain");
    diary.then("deleted, while the cloud renews it", World::delete_pack).go(1, MINUTE);
    let mut other = to_be_deleted("Retain");
    other.world.spec(|spec| spec.renewal.mode = RenewalMode::None);
    other.go(4, MINUTE).then("deleted, when the cloud does not renew it", World::delete_pack).go(1, MINUTE);
    diary.text += &other.text;
    told("retained", &diary);
}

#[test]
fn a_pack_that_cannot_be_left_to_lapse() {
    let mut diary = to_be_deleted("Lapse");
    diary.then("deleted, and the cloud refuses", |world| {
        world.refuse_changes = true;
        world.delete_pack();
    });
    diary.go(70, MINUTE);
    let mut orphan = to_be_deleted("Lapse");
    orphan.then("deleted, without an account", |world| {
        world.account = None;
        world.delete_pack();
    });
    orphan.go(1, MINUTE);
    let mut held = to_be_deleted("Lapse");
    held.then("deleted, and the mode allows nothing", |world| {
        world.installation_mode = Mode::DryRun;
        world.delete_pack();
    });
    held.go(1, MINUTE);
    let mut blind = to_be_deleted("Lapse");
    blind.then("deleted, and nobody looks at the cloud for a while", |world| {
        world.pass(HOUR);
        world.sweeps = false;
        world.delete_pack();
    });
    blind.go(2, MINUTE).then("somebody looks again", |world| world.sweeps = true).go(5, MINUTE);
    diary.text += &[orphan.text, held.text, blind.text].concat();
    told("lapse_in_vain", &diary);
}

#[test]
fn a_pack_that_is_deleted_while_its_purchase_is_asked_for_or_under_way() {
    let mut diary = Diary::of(json!({"mode": "ApprovalRequired", "deletionPolicy": "Lapse"}));
    diary.go(3, MINUTE);
    diary.text.clear();
    diary.then("deleted before it was approved", World::delete_pack).go(2, MINUTE);
    let mut sent = Diary::of(json!({"deletionPolicy": "Return"}));
    sent.world.replies = vec![Reply::Delayed];
    sent.go(4, MINUTE);
    sent.text.clear();
    sent.then("deleted while the delivery is awaited", World::delete_pack).go(2, MINUTE);
    sent.then("it is delivered", World::deliver).go(3, MINUTE);
    diary.text += &sent.text;
    told("deleted_in_purchase", &diary);
}

#[test]
fn a_return_of_nothing_and_a_return_that_the_mode_forbids() {
    let mut diary = to_be_deleted("Return");
    diary.then("all is gone, and it is deleted", |world| {
        world.instances.clear();
        world.delete_pack();
    });
    diary.go(1, MINUTE);
    let mut held = to_be_deleted("Return");
    held.then("deleted, and the mode allows nothing", |world| {
        world.installation_mode = Mode::DryRun;
        world.delete_pack();
    });
    held.go(1, MINUTE);
    diary.text += &held.text;
    told("return_in_vain", &diary);
}

#[test]
fn the_clouds_own_renewal_is_switched_on_only_where_that_was_allowed() {
    let bought = |mode: &str, renewal: &str| {
        let mut diary = Diary::of(json!({
            "billingMode": "Monthly", "duration": 1, "mode": mode, "renewal": {"mode": renewal}}));
        diary.go(3, MINUTE);
        if mode != "Automatic" {
            diary.world.approve(0, "ThisOrder");
        }
        diary.go(6, MINUTE);
        diary.text.clear();
        diary
    };
    let mut diary = bought("ApprovalRequired", "None");
    diary.then("AutoRenew is declared, which nobody approved", |world| {
        world.spec(|spec| spec.renewal.mode = RenewalMode::AutoRenew);
    });
    diary.go(2, MINUTE).then("the mode is raised", |world| world.spec(|spec| spec.mode = Mode::Automatic));
    diary.go(4, MINUTE).then("rehearsal only, and no renewal declared any more", |world| {
        world.spec(|spec| {
            spec.mode = Mode::DryRun;
            spec.renewal.mode = RenewalMode::None;
            spec.pack_name = Some("gala".into());
        });
    });
    diary.go(2, MINUTE);
    let mut approved = bought("ApprovalRequired", "AutoRenew");
    approved.then("switched off in the console; it was approved with the purchase", |world| {
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Manual);
    });
    approved.go(4, MINUTE).then("the cloud no longer says", |world| {
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Unknown);
    });
    approved.go(2, MINUTE);
    diary.text += &approved.text;
    told("switches", &diary);
}

#[test]
fn names_that_were_changed_in_the_console_are_given_back() {
    let bought = |spec: Value| {
        let mut diary = Diary::of(spec);
        diary.go(6, MINUTE);
        diary.text.clear();
        diary
    };
    let rename = |world: &mut World, which: &[usize]| {
        for (index, instance) in world.instances.values_mut().enumerate() {
            if which.contains(&index) {
                instance.name = Some(format!("mine {index}"));
            }
        }
    };
    let mut diary = bought(json!({}));
    diary.then("two of three are renamed", |world| rename(world, &[0, 2])).go(4, MINUTE);
    let mut one = bought(json!({"quantity": 1}));
    one.then("the only one is renamed", |world| rename(world, &[0])).go(3, MINUTE);
    let mut replaced = bought(
        json!({"quantity": 2, "renewal": {"mode": "Operator", "strategy": "Replace", "duration": 3, "renewBefore": "6h"}}),
    );
    replaced.go(69, HOUR);
    replaced.text.clear();
    replaced.then("one of each generation is renamed, and the pack too", |world| {
        rename(world, &[0, 3]);
        world.spec(|spec| spec.pack_name = Some("gala".into()));
    });
    replaced.go(6, MINUTE);
    diary.text += &[one.text, replaced.text].concat();
    told("names", &diary);
}

#[test]
fn a_pack_in_one_instance_whose_expiry_the_cloud_no_longer_says() {
    let mut diary = Diary::of(json!({}));
    diary.world.replies = vec![Reply::Delayed];
    diary.go(4, MINUTE);
    diary.text.clear();
    diary.then("three concurrencies come in one instance, and one more", |world| {
        world.deliver();
        world.instances.pop_last();
        world.instances.values_mut().next().unwrap().concurrencies = Some(3);
        let last = world.instances.values_mut().last().unwrap();
        last.expiration = last.expiration.map(|at| at + HOUR * 24);
    });
    diary.go(3, MINUTE).then("the cloud no longer says when they expire", |world| {
        world.instances.values_mut().for_each(|instance| instance.expiration = None);
    });
    diary.go(2, MINUTE).then("they are gone", |world| world.instances.clear());
    diary.go(2, MINUTE);
    told("one_instance", &diary);
}

#[test]
fn an_instance_is_owned_by_the_pack_that_has_it_on_record() {
    let mut world = World::new(pack(json!({"quantity": 1})));
    world.settle();
    let pack = world.pack.as_ref().unwrap();
    let id = world.instances.keys().next().unwrap();
    assert!(owns_instance(pack, id) && !owns_instance(pack, "i-of-another"));
}

#[test]
fn a_refused_name_or_binding_of_a_successor_takes_nothing_from_what_is_usable() {
    let mut diary = Diary::of(json!({
        "project": "cap-a", "quantity": 1,
        "renewal": {"mode": "Operator", "strategy": "Replace", "duration": 3, "renewBefore": "6h"}}));
    diary.go(7, MINUTE);
    diary.text.clear();
    diary.then("the pack is renamed, and the cloud refuses every change", |world| {
        world.refuse_changes = true;
        world.spec(|spec| spec.pack_name = Some("gala".into()));
    });
    diary.go(2, MINUTE);
    assert_eq!(diary.world.ready(), "True Active");
    diary.go(70, HOUR);
    assert_eq!((diary.world.bought(), diary.world.ready().as_str()), (2, "True Active"));
    let assigned = diary.world.condition("Assigned").unwrap();
    assert_eq!(assigned, ("False".into(), "CloudInternal".into()));
    told("refused_changes", &diary);
}

/// A pack of one that is about to be renewed: what the cloud does with that.
fn renewed(strategy: &str, replies: Vec<Reply>) -> Diary {
    let mut diary = Diary::of(json!({
        "quantity": 1, "renewal": {"mode": "Operator", "strategy": strategy, "duration": 3, "renewBefore": "6h"}}));
    diary.go(6, MINUTE).go(65, HOUR);
    diary.world.replies = replies;
    diary.text.clear();
    diary
}

#[test]
fn a_renewal_whose_answer_is_lost_and_one_that_is_left_unpaid() {
    let mut diary = renewed("Extend", vec![Reply::LostBeforeCommit]);
    diary.go(1, HOUR).go(14, MINUTE);
    let mut successor = renewed("Replace", vec![Reply::Unpaid]);
    successor.go(1, HOUR).go(5, MINUTE).then("it is paid, and delivered", |world| {
        world.charges.last_mut().unwrap().state = DealState::InEffect;
        world.deliver();
    });
    successor.go(3, MINUTE);
    diary.text += &successor.text;
    told("renewals_in_doubt", &diary);
}

#[test]
fn a_renewal_that_is_refused_for_good_and_tried_again_when_its_order_is_deleted() {
    for (strategy, name) in [("Extend", "renewal_refused"), ("Replace", "successor_refused")] {
        let mut diary =
            renewed(strategy, vec![Reply::Refused { category: carpack_api::Reason::NotFound, may_pass: false }]);
        diary.go(1, HOUR).go(4, MINUTE).then("the order is deleted", |world| drop(world.orders.pop()));
        diary.go(6, MINUTE);
        told(name, &diary);
    }
}

#[test]
fn a_renewal_that_the_cloud_does_not_show_is_not_paid_again() {
    let mut diary = renewed("Extend", Vec::new());
    let before = diary.world.instances.clone();
    diary.go(1, HOUR).go(3, MINUTE).then("the list shows the old expiry again", |world| world.instances = before);
    diary.go(3, MINUTE).go(2, HOUR);
    assert_eq!(diary.world.renewed(), 1);
    told("renewal_not_shown", &diary);
}

#[test]
fn a_successor_that_would_gain_too_little_is_not_bought_yet() {
    let mut diary = Diary::of(json!({
        "quantity": 1, "renewal": {"mode": "Operator", "strategy": "Replace", "duration": 3, "renewBefore": "48h"}}));
    diary.go(6, MINUTE).go(50, HOUR);
    told("gains_too_little", &diary);
}
