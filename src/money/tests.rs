//! The spender before an API server and a cloud that do what is most inconvenient, and write down what was asked of them.

use std::sync::Arc;
use std::time::Duration;

use carpack_api::order::LineState;
use carpack_api::{ConcurrencyPack, Mode, PackOrder, Reason};
use carpack_core::Timing;
use carpack_core::order::{self, Outcome};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::recheck::Evidence;
use crate::testing::World;
use crate::testing::cloud::HeldUp;
use crate::testing::objects::{CALL, ORDER, TREASURY, account, after, begin, decided, order};

fn sent(log: &[String]) -> usize {
    log.iter().filter(|entry| entry.starts_with("sent")).count()
}

/// Until a call waits for a turn that somebody else has.
async fn until_it_waits(world: &World) {
    let waiting = async {
        while !world.spender.turns.are_awaited() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
}

#[tokio::test]
async fn a_paid_call_is_intended_then_sent_then_recorded() {
    let world = World::leading().await;
    let log = world.submit(&["concert"]).await;
    assert_eq!(log, ["concert: Submitting", "sent with 64", "concert: Committed"]);
    assert_eq!(world.line().instance_ids, ["i-1"]);
}

#[tokio::test]
async fn an_order_that_was_denied_since_the_caches_saw_it_is_not_sent() {
    let world = World::leading().await;
    world.server.change::<PackOrder>(ORDER, |order| {
        order.spec.approval = serde_json::from_value(json!({"decision": "Denied"})).unwrap();
    });
    assert_eq!(world.submit(&["concert"]).await, [""; 0]);
}

#[tokio::test]
async fn a_pack_that_was_deleted_since_the_caches_saw_it_is_not_bought() {
    let world = World::leading().await;
    let deleted = serde_json::from_value(json!(after(15))).unwrap();
    world.server.change::<ConcurrencyPack>("concert", |pack| pack.metadata.deletion_timestamp = deleted);
    assert_eq!(world.submit(&["concert"]).await, [""; 0]);
}

#[tokio::test]
async fn when_the_intent_cannot_be_written_nothing_is_sent() {
    for status in [409, 500] {
        let world = World::leading().await;
        world.server.refuse_writes(1, status);
        assert_eq!(world.submit(&["concert"]).await, [format!("refused: {status}")]);
        assert_eq!(world.line().attempts, 0);
    }
}

#[tokio::test]
async fn the_intent_is_refused_when_the_order_has_changed_since_it_was_read() {
    let world = World::leading().await;
    world.server.change_after_the_next_read(ORDER);
    assert_eq!(world.submit(&["concert"]).await, ["refused: 409"]);
}

#[tokio::test]
async fn the_margin_of_the_lease_is_asked_for_once_more_when_the_call_is_about_to_leave() {
    let world = World::held_up(HeldUp::Frozen(CALL)).await;
    assert_eq!(world.submit(&["concert"]).await, ["concert: Submitting", "concert: Pending"]);
    assert_eq!(world.line().category, Some(Reason::HeldBack));
}

#[tokio::test]
async fn a_call_does_not_leave_when_its_intent_has_grown_old_although_the_lease_still_seems_to_hold() {
    for (seconds, log) in [(8, "sent with 64"), (12, "concert: Pending")] {
        let world = World::held_up(HeldUp::Suspended(seconds)).await;
        assert_eq!(world.submit(&["concert"]).await[..2], ["concert: Submitting", log]);
    }
}

#[tokio::test]
async fn a_call_in_doubt_that_cannot_be_repeated_stays_in_doubt() {
    for (template, sent) in [("{}", 1), ("no JSON", 0)] {
        let mut account = account(Value::Null);
        let api = account.spec.purchase.api.as_mut().unwrap();
        (api.client_token_honored_minutes, api.parameter_template) = (Some(60), template.to_owned());
        let world = World::new(&["concert"], account.clone(), HeldUp::No).await;
        world.server.change::<PackOrder>(ORDER, |order| {
            let lost = Outcome::Unknown { category: Reason::NoAnswer, message: "no answer".to_owned() };
            order.status = Some(order::intend(order, 0, begin()));
            order.status = Some(order::settle(order, 0, &lost, begin(), &Timing::default()));
            *order = decided(order.clone(), "concert", &account, &world.snapshot);
        });
        assert_eq!(self::sent(&world.submit(&["concert"]).await), sent, "{template}");
        assert_eq!(world.line().state == LineState::Unknown, sent == 0, "{template}");
    }
}

#[tokio::test]
async fn an_answer_is_recorded_although_somebody_changes_the_order_meanwhile() {
    let world = World::leading().await;
    world.server.refuse_writes_after(1, 2, 409);
    let log = world.submit(&["concert"]).await;
    assert_eq!(log, ["concert: Submitting", "sent with 64", "refused: 409", "refused: 409", "concert: Committed"]);
}

#[tokio::test]
async fn of_two_orders_sent_at_once_only_the_one_that_fits_into_the_limit_is_sent() {
    let limits = json!({"spendPerDay": "1000.00"});
    let world = World::new(&["concert", "theatre"], account(limits), HeldUp::No).await;
    world.server.delay_writes(Duration::from_millis(200));
    let log = world.submit(&["concert", "theatre"]).await;
    assert_eq!(sent(&log), 1, "{log:#?}");
}

#[tokio::test]
async fn what_another_order_of_the_pack_has_begun_is_seen_before_the_caches_see_it() {
    for limits in [Value::Null, json!({"spendPerDay": "9000.00"})] {
        let world = World::new(&["concert"], account(limits.clone()), HeldUp::No).await;
        let mut other = order("concert");
        other.metadata.name = Some("events.concert.buy-2".to_owned());
        other.status = Some(order::intend(&other, 0, after(19)));
        world.server.put(&other);
        assert_eq!(world.submit(&["concert"]).await, [""; 0], "{limits}");
    }
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_when_the_operator_stops_does_not_leave() {
    let world = World::leading().await;
    let turn = world.spender.turns.take("events/concert".to_owned()).await;
    let evidence = Evidence { snapshot: Arc::clone(&world.snapshot), deals: None };
    world.spender.submit(ORDER, 0, evidence);
    until_it_waits(&world).await;
    world.operator.tasks.stop().cancel();
    drop(turn);
    assert_eq!(world.submit(&[]).await, [""; 0]);
}

#[tokio::test]
async fn a_call_that_waited_for_its_turn_while_its_account_was_stopped_does_not_leave() {
    for stopped in [true, false] {
        let mut world = World::leading().await;
        let turn = world.spender.turns.take("events/concert".to_owned()).await;
        let evidence = Evidence { snapshot: Arc::clone(&world.snapshot), deals: None };
        world.spender.submit(ORDER, 0, evidence);
        until_it_waits(&world).await;
        if stopped {
            let mut account = account(Value::Null);
            account.spec.mode = Mode::Observe;
            world.accounts.apply_watcher_event(&Event::Apply(account));
        } else {
            world.operator.stores.accounts.spoil(ObjectRef::new("default").within(TREASURY));
        }
        drop(turn);
        assert_eq!(world.submit(&[]).await, [""; 0], "stopped: {stopped}");
    }
}

#[tokio::test]
async fn what_the_caches_have_not_seen_yet_counts_against_the_limit() {
    let limits = json!({"spendPerDay": "1000.00"});
    let world = World::new(&["concert"], account(limits), HeldUp::No).await;
    let mut other = order("theatre");
    other.status = Some(order::intend(&other, 0, after(19)));
    world.server.put(&other);
    assert_eq!(world.submit(&["concert"]).await, [""; 0]);
}
