//! Diaries of purchases.

use carpack_api::Reason;
use carpack_api::common::Time;
use carpack_core::account::Health;
use carpack_core::observation::DealState;
use serde_json::json;

use crate::words::Diary;
use crate::world::{DAY, HOUR, MINUTE, Reply, SECOND, World, extend, pack};

fn annotate(world: &mut World, key: &str, word: &str) {
    world.orders[0].metadata.annotations.get_or_insert_default().insert(key.to_owned(), word.to_owned());
}

#[test]
fn a_pack_that_is_approved_delivered_renewed_and_ends() {
    let mut diary = Diary::new(json!({
        "mode": "ApprovalRequired", "project": "cap-a", "duration": 1,
        "renewal": {"mode": "Operator", "duration": 1, "renewBefore": "6h", "until": "2026-12-03T00:00:00Z"}}));
    diary.run(3, MINUTE).then("the purchase is approved, and later renewals with it", |world| {
        world.approve(0, "ThisAndLaterRenewals");
    });
    diary.run(8, MINUTE).run(75, HOUR);
    diary.assert_snapshot("approved");
}

#[test]
fn a_purchase_that_is_denied() {
    let mut diary = Diary::new(json!({"mode": "ApprovalRequired"}));
    diary.run(3, MINUTE).then("denied", |world| {
        world.approve(0, "ThisOrder");
        world.orders[0].spec.approval = serde_json::from_value(json!({"decision": "Denied"})).unwrap();
    });
    diary.run(3, MINUTE);
    diary.assert_snapshot("denied");
}

#[test]
fn a_purchase_that_is_refused_and_later_taken() {
    let mut diary = Diary::new(json!({"renewal": {"mode": "None"}}));
    diary.world.replies = vec![Reply::BALANCE_INSUFFICIENT, Reply::Delayed];
    diary.run(8, MINUTE).then("it is delivered", World::deliver).run(3, MINUTE);
    diary.assert_snapshot("refused_for_now");
}

#[test]
fn a_purchase_that_is_refused_for_good() {
    let mut diary = Diary::new(json!({}));
    diary.world.replies = vec![Reply::INVALID_REQUEST];
    diary.run(5, MINUTE);
    diary.assert_snapshot("refused_for_good");
}

#[test]
fn a_purchase_whose_answers_are_lost_until_a_person_is_asked() {
    let mut diary = Diary::new(json!({}));
    diary.world.replies = vec![Reply::LostBeforeCommit; 3];
    diary.run(45, MINUTE).then("a word that is not understood", |world| {
        annotate(world, "carpack.io/settle-line-0-attempt-3", "Maybe");
    });
    diary.run(2, MINUTE).then("the console shows nothing", |world| {
        annotate(world, "carpack.io/settle-line-0-attempt-3", "NotExecuted");
    });
    diary.run(4, MINUTE);
    diary.assert_snapshot("lost");
}

#[test]
fn a_purchase_that_is_paid_and_never_delivered() {
    let mut diary = Diary::new(json!({}));
    diary.world.replies = vec![Reply::Delayed];
    diary.run(75, MINUTE).then("a person lets it be", |world| {
        annotate(world, "carpack.io/settle-line-0-attempt-1", "Executed");
    });
    diary.run(3, MINUTE);
    diary.assert_snapshot("never_delivered");
}

#[test]
fn a_purchase_that_is_taken_and_not_paid() {
    let mut diary = Diary::new(json!({}));
    diary.world.replies = vec![Reply::Unpaid];
    diary.run(5, MINUTE).then("it is cancelled in the console", |world| {
        world.charges[0].state = DealState::WithoutEffect;
    });
    diary.run(3, MINUTE);
    diary.assert_snapshot("unpaid");
}

#[test]
fn a_purchase_of_which_a_part_is_delivered() {
    let mut diary = Diary::new(json!({}));
    diary.world.replies = vec![Reply::Partial(1)];
    diary.run(4, MINUTE).run(3, HOUR);
    diary.assert_snapshot("delivered_in_part");
}

#[test]
fn a_pack_in_one_instance_whose_expiry_the_cloud_no_longer_says() {
    let mut diary = Diary::new(json!({}));
    diary.world.replies = vec![Reply::Delayed];
    diary.run(4, MINUTE);
    diary.text.clear();
    diary.then("three concurrencies come in one instance, and one more", |world| {
        world.deliver();
        world.instances.pop_last();
        world.instances.values_mut().next().unwrap().concurrencies = Some(3);
        let last = world.instances.values_mut().last().unwrap();
        extend(last, DAY);
    });
    diary.run(3, MINUTE).then("the cloud no longer says when they expire", |world| {
        world.instances.values_mut().for_each(|instance| instance.expiration = None);
    });
    diary.run(2, MINUTE).then("they are gone", |world| world.instances.clear());
    diary.run(2, MINUTE);
    diary.assert_snapshot("one_instance");
}

#[test]
fn an_order_that_is_deleted_while_only_it_knows_what_was_bought() {
    let mut diary = Diary::new(json!({"renewal": {"mode": "None"}}));
    diary.world.replies = vec![Reply::Delayed];
    diary.run(4, MINUTE).then("the order is deleted, and the delivery comes", |world| {
        world.orders[0].metadata.deletion_timestamp = Some(Time(world.now));
        world.deliver();
    });
    for _ in 0..3 {
        diary.world.advance(MINUTE);
        diary.world.sweep();
        diary.world.advance(SECOND);
        diary.reconcile_order(0);
    }
    diary.run(2, MINUTE);
    diary.assert_snapshot("deleted_order");
}

#[test]
fn a_pack_that_is_only_watched() {
    for (mode, name) in [("Observe", "observed"), ("DryRun", "dry_run")] {
        let mut diary = Diary::new(json!({"mode": mode, "project": "cap-a"}));
        diary.run(3, MINUTE);
        diary.assert_snapshot(name);
    }
}

#[test]
fn a_pack_that_waits_for_its_window_and_one_whose_window_has_closed() {
    let mut diary = Diary::new(json!({
        "renewal": {"mode": "None"},
        "purchaseWindow": {"notBefore": "2026-12-01T03:00:00Z", "notAfter": "2026-12-01T06:00:00Z"}}));
    diary.world.replies = vec![Reply::BALANCE_INSUFFICIENT; 9];
    diary.run(8, HOUR);
    diary.assert_snapshot("window");
}

#[test]
fn a_pack_that_cannot_be_bought_yet_for_one_reason_after_another() {
    let mut diary = Diary::new(json!({"maxPrice": {"amount": "900.00", "currency": "USD"}, "project": "cap-a"}));
    let account = diary.world.account.take();
    diary.run(2, MINUTE).then("the account is there, and not ready", |world| {
        world.account = account;
        let health = Health::NotReady { reason: Reason::WrongCredentials, message: "the key is refused".into() };
        world.account.as_mut().unwrap().health = health;
    });
    diary.run(1, MINUTE).then("ready, and grants nothing", |world| {
        let account = world.account.as_mut().unwrap();
        account.health = Health::Ready;
        account.spec.tenants[0].namespaces = vec!["others".into()];
    });
    diary.run(1, MINUTE).then("grants it, and has no price", |world| {
        let account = world.account.as_mut().unwrap();
        account.spec.tenants[0].namespaces = vec!["events".into()];
        account.spec.price_list.prices[0].concurrency_scale = "L9".into();
    });
    diary.run(1, MINUTE).then("it has a price, above maxPrice", |world| {
        world.account.as_mut().unwrap().spec.price_list.prices[0].concurrency_scale = "L1".into();
    });
    diary.run(1, MINUTE).then("a project that is not granted", |world| {
        world.edit_spec(|spec| {
            spec.max_price = None;
            spec.project = Some("cap-x".into());
        });
    });
    for (what, project) in [("of another scale", "cap-small"), ("that is not there", "cap-nowhere")] {
        diary.run(1, MINUTE).then(&format!("a project {what}"), |world| {
            world.edit_spec(|spec| spec.project = Some(project.into()));
        });
    }
    diary.run(1, MINUTE).then("nothing is sold by the day", |world| {
        let api = world.account.as_mut().unwrap().spec.purchase.api.as_mut().unwrap();
        api.period_units.remove("Daily");
    });
    diary.run(1, MINUTE);
    diary.assert_snapshot("obstacles");
}

#[test]
fn a_pack_under_whose_name_something_stands_already() {
    let mut other = World::new(pack(json!({})));
    other.run_rounds();
    let mut diary = Diary::new(json!({}));
    diary.world.instances = other.instances;
    diary.run(3, MINUTE);
    diary.assert_snapshot("name_taken");
}
