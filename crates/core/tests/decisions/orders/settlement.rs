//! How the outcome of a call is recorded, and what a person is asked about calls that nothing explains.

use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_api::purchase::UnansweredCalls;
use carpack_core::order::{Effect, Outcome, adds_to, intend, may_leave, settle, settle_annotation};
use jiff::SignedDuration;
use serde_json::json;

use crate::orders::{after_a_minute_in_vain, annotate, decide_with_deals, in_doubt, lost_call, ordered, sweep_in_vain};
use crate::world::{HOUR, MINUTE, Reply, SECOND, World, committed, pack, rate_limited};

#[test]
fn a_call_may_leave_only_within_the_validity_of_its_own_intent() {
    let mut world = ordered(json!({}));
    let valid = world.timing.intent_valid;
    let leaves = |world: &World, index, after| may_leave(&world.orders[0], index, world.now + after, &world.timing);
    assert!(!leaves(&world, 0, SignedDuration::ZERO), "nothing was intended");
    world.now = world.now.round(jiff::Unit::Second).unwrap();
    world.orders[0].status = Some(intend(&world.orders[0], 0, world.now));
    assert!(leaves(&world, 0, valid));
    assert!(!leaves(&world, 0, valid + SECOND));
    assert!(!leaves(&world, 1, SignedDuration::ZERO), "of another line");
}

/// A line after two attempts.
fn tried_twice(state: LineState) -> LineStatus {
    serde_json::from_value(json!({"index": 0, "state": state, "attempts": 2})).unwrap()
}

#[test]
fn a_payment_is_recorded_even_over_a_later_attempt() {
    let paid = committed(&[]);
    assert!(adds_to(&tried_twice(LineState::Unknown), 1, &paid));
    assert!(adds_to(&tried_twice(LineState::Pending), 1, &paid));
    assert!(!adds_to(&tried_twice(LineState::Done), 2, &paid));
}

#[test]
fn a_refusal_never_covers_what_was_settled_meanwhile() {
    let refused = rate_limited();
    assert!(adds_to(&tried_twice(LineState::Submitting), 2, &refused));
    assert!(!adds_to(&tried_twice(LineState::Submitting), 1, &refused), "an answer to an earlier attempt");
    assert!(!adds_to(&tried_twice(LineState::Committed), 2, &refused));
    assert!(!adds_to(&tried_twice(LineState::Done), 2, &refused));
}

#[test]
fn a_paid_renewal_is_recorded_for_the_instance_of_its_own_line() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    world.order_renewal();
    let order = world.orders.last().unwrap();
    let paid = committed(&["o"]);
    for (line, index) in order.spec.lines.iter().zip(0_usize..) {
        let status = settle(order, line.index, &paid, world.now, &world.timing);
        assert_eq!(status.lines[index].instance_ids, line.instance_id.clone().into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_absence_that_three_attempts_do_not_explain_asks_a_person_with_the_command() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostBeforeCommit; 9];
    world.run_until("2026-12-01T02:00:00Z", MINUTE);
    let status = world.orders[0].status.clone().unwrap();
    assert_eq!(status.lines[0].attempts, 3);
    assert!(status.message.unwrap().contains(
        "kubectl annotate packorder events.concert.buy-1 -n carpack-system carpack.io/settle-line-0-attempt-3=NotExecuted"
    ));
    assert_eq!((world.bought(), world.orders.len()), (0, 1));
}

#[test]
fn a_renewal_whose_expiry_has_not_moved_is_sent_again_as_long_as_there_is_time() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    world.order_renewal();
    world.replies = vec![Reply::LostBeforeCommit; 7];
    world.run_until("2026-12-03T23:00:00Z", MINUTE);
    assert_eq!(world.renewed(), 3, "{:?}", world.orders.last().unwrap().status);
    assert_eq!(world.ready(), "True Active");
    assert!(world.orders.last().unwrap().status.as_ref().unwrap().lines.iter().any(|line| line.attempts > 3));
}

#[test]
fn the_last_of_three_attempts_is_asked_about_only_after_two_clear_sweeps() {
    let (mut world, index) = in_doubt(OrderAction::Buy);
    world.orders[index].status.as_mut().unwrap().lines[0].doubts = 3;
    let mut asked = || {
        let decision = decide_with_deals(&world, index, Vec::new());
        world.orders[index].status = Some(decision.status.clone());
        world.sweep_after(SECOND * 20);
        decision.status.message.unwrap().contains("carpack.io/settle-line-0-attempt-1")
    };
    assert_eq!([asked(), asked()], [false, true]);
}

#[test]
fn refusals_before_a_call_was_lost_do_not_make_it_one_about_which_a_person_is_asked() {
    let mut world = ordered(json!({}));
    world.replies = vec![Reply::RATE_LIMITED; 3];
    world.replies.push(Reply::LostBeforeCommit);
    world.run_until("2026-12-01T01:00:00Z", SECOND * 30);
    assert_eq!((world.bought(), world.ready()), (1, "True Active".into()));
}

#[test]
fn where_the_account_says_so_a_person_is_asked_about_a_call_without_a_trace_and_it_is_not_sent_again() {
    for (calls, again) in [(UnansweredCalls::Retry, true), (UnansweredCalls::Ask, false)] {
        for action in [OrderAction::Buy, OrderAction::Renew] {
            let (mut world, index) = in_doubt(action);
            let account = world.account.as_mut().unwrap();
            account.spec.purchase.api.as_mut().unwrap().unanswered_calls = calls;
            for _ in 0..8 {
                let decision = decide_with_deals(&world, index, Vec::new());
                world.orders[index].status = Some(decision.status);
                world.sweep_after(SECOND * 20);
            }
            let decision = world.decide_order(index);
            assert_eq!(matches!(decision.effect, Some(Effect::Submit { .. })), again, "{action:?} {calls:?}");
            let message = decision.status.message.unwrap_or_default();
            assert_eq!(message.contains("carpack.io/settle-line-0-attempt-1"), !again, "{message}");
        }
    }
}

#[test]
fn a_persons_word_settles_no_line_but_one_about_which_a_person_is_asked() {
    let mut world = lost_call(Reply::LostBeforeCommit, None);
    annotate(&mut world, 0, "NotExecuted");
    assert_eq!(after_a_minute_in_vain(&mut world), (LineState::Unknown, 1));
    world.advance(MINUTE * 14);
    assert_eq!(after_a_minute_in_vain(&mut world).0, LineState::Rejected);
}

#[test]
fn what_was_said_of_one_attempt_does_not_settle_the_next() {
    let mut world = lost_call(Reply::LostBeforeCommit, None);
    annotate(&mut world, 0, "NotExecuted");
    world.replies = vec![Reply::LostBeforeCommit];
    world.run_until("2026-12-01T00:12:00Z", SECOND * 30);
    assert_eq!(world.line_state(0), (LineState::Unknown, 2));
    world.advance(MINUTE * 20);
    sweep_in_vain(&mut world);
    world.reconcile_order(0);
    assert_eq!(world.line_state(0).0, LineState::Unknown, "{}", world.order_message(0));
}

#[test]
fn a_person_can_close_an_order_that_was_paid_and_never_delivered() {
    let undelivered = |word| {
        let mut world = ordered(json!({}));
        world.record_call(0, &Outcome::PaidNotDelivered { message: "PaySuccDeliverFailed".into() });
        sweep_in_vain(&mut world);
        world.reconcile_order(0);
        let message = world.order_message(0);
        assert!(message.contains("kubectl annotate packorder events.concert.buy-1"), "{message}");
        annotate(&mut world, 0, word);
        (after_a_minute_in_vain(&mut world).0, world.order_message(0).to_owned())
    };
    assert_eq!(undelivered("NotExecuted").0, LineState::Rejected);
    assert_eq!(undelivered("Executed").0, LineState::Done);
    let (state, message) = undelivered("Maybe");
    assert_eq!(state, LineState::Committed);
    assert!(
        message.contains(r#" --overwrite carpack.io/settle-line-0-attempt-1=NotExecuted ("Maybe" is not understood)"#),
        "{message}"
    );
}

#[test]
fn a_person_is_asked_about_what_was_paid_once_a_sweep_that_should_show_it_does_not() {
    let mut world = ordered(json!({}));
    let instance_ids = vec!["car-that-never-came".to_owned()];
    let paid = Outcome::Committed { order_ids: vec!["order".to_owned()], instance_ids, request_id: None };
    world.record_call(0, &paid);
    annotate(&mut world, 0, "NotExecuted");
    sweep_in_vain(&mut world);
    world.advance(world.timing.delivery_grace);
    world.reconcile_order(0);
    assert_eq!(world.line_state(0).0, LineState::Committed, "the last sweep began before the grace was over");
    world.orders[0].metadata.annotations = None;
    sweep_in_vain(&mut world);
    world.reconcile_order(0);
    let message = world.order_message(0);
    assert!(message.contains("carpack.io/settle-line-0-attempt-1=NotExecuted"), "{message}");
    annotate(&mut world, 0, "NotExecuted");
    assert_eq!(after_a_minute_in_vain(&mut world).0, LineState::Rejected);
}

#[test]
fn an_unpaid_order_that_the_books_show_no_more_is_left_to_a_person_with_the_command() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Unpaid];
    world.run_rounds();
    let charges = std::mem::take(&mut world.charges);
    world.run_rounds();
    assert_eq!(world.ready(), "False Unpaid", "books may lag");
    world.advance(HOUR * 2);
    world.run_rounds();
    let (key, message) = (settle_annotation(world.line(0)), world.order_message(0));
    let asks = message.contains(&format!("{key}=NotExecuted")) && message.contains("books show it no more");
    assert!(asks, "{message}");
    assert_eq!((world.ready().as_str(), world.orders.len()), ("False Unpaid", 1));
    world.charges = charges;
    world.run_rounds();
    assert_eq!(world.ready(), "False Unpaid", "the books show it again");
    world.charges.clear();
    world.run_rounds();
    annotate(&mut world, 0, "NotExecuted");
    world.run_rounds();
    assert_eq!((world.line(0).state, world.orders.len()), (LineState::Rejected, 1));
}

/// A purchase that was paid and never delivered, after a person has answered the order's question.
fn undelivered_and_answered(word: &str) -> World {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Delayed];
    world.run_until("2026-12-01T01:30:00Z", MINUTE * 10);
    assert_eq!((world.ready().as_str(), world.bought()), ("False PaidNotDelivered", 1));
    assert!(world.order_message(0).contains(&settle_annotation(world.line(0))), "{}", world.order_message(0));
    annotate(&mut world, 0, word);
    world.run_rounds();
    world
}

#[test]
fn a_first_purchase_that_a_person_says_was_refunded_can_be_bought_anew() {
    let mut world = undelivered_and_answered("NotExecuted");
    assert_eq!(world.condition("Purchased"), "False SettledByHand");
    let message = world.condition_message("Stalled");
    assert!(message.contains("delete PackOrder events.concert.buy-1"), "{message}");
    world.orders.clear();
    world.run_rounds();
    assert_eq!((world.ready().as_str(), world.bought()), ("True Active", 2));
}

#[test]
fn a_first_purchase_that_never_came_and_is_let_be_names_the_way_to_buy_anew() {
    let world = undelivered_and_answered("Executed");
    assert_eq!((world.ready().as_str(), world.bought()), ("False PaidNotDelivered", 1));
    let message = world.condition_message("Stalled");
    assert!(message.contains("kubectl delete concurrencypack concert -n events"), "{message}");
}
