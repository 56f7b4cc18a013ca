//! One order and the others: what settles it, what its approval reaches to, what it bars, and what is left without it.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::BTreeMap;

use carpack_api::common::Time;
use carpack_api::order::{LineState, LineStatus};
use carpack_core::observation::{DealsLook, Observation};
use carpack_core::order::{Effect, Outcome, adds_to, intend, may_leave, settle, settle_annotation};
use jiff::SignedDuration;
use serde_json::json;
use world::{Reply, World, pack};

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const LONGER_THAN_THE_QUARANTINE: SignedDuration = SignedDuration::from_mins(10);

/// A world in which the first purchase has been ordered and not sent.
fn ordered() -> World {
    let mut world = World::new(pack(json!({})));
    world.sweep();
    world.pass(SECOND);
    world.step_pack();
    world.step_pack();
    assert_eq!(world.orders.len(), 1, "{:?}", world.ready());
    world.pass(SECOND);
    world
}

/// Its purchase was sent, and this became of it.
fn sent(reply: Reply) -> World {
    let mut world = ordered();
    world.replies = vec![reply];
    let sent = (0..12).any(|_| {
        world.sweep();
        world.pass(SECOND);
        world.step_order(0) == Some(Effect::Submit { index: 0 })
    });
    assert!(sent, "{:?}", world.orders[0].status);
    world
}

fn line(world: &World) -> (LineState, i32) {
    let line = &world.orders[0].status.as_ref().unwrap().lines[0];
    (line.state, line.attempts)
}

fn delete_order(world: &mut World) {
    world.orders[0].metadata.deletion_timestamp = Some(Time(world.now));
}

#[test]
fn neither_of_the_two_looks_may_be_from_within_the_quarantine() {
    for sweep_is_early in [true, false] {
        let mut world = sent(Reply::LostBeforeCommit);
        world.step_order(0);
        world.pass(SignedDuration::from_secs(30));
        let early = DealsLook { started: world.now, deals: Vec::new() };
        world.sweep();
        world.pass(LONGER_THAN_THE_QUARANTINE);
        let late = DealsLook { started: world.now, deals: Vec::new() };
        if !sweep_is_early {
            world.sweep();
        }
        world.pass(SECOND);
        let clear_looks = |deals| world.decide_order(0, Some(deals)).status.lines[0].clear_looks;
        assert_eq!(clear_looks(if sweep_is_early { &late } else { &early }), 0, "early sweep: {sweep_is_early}");
        assert_eq!(clear_looks(&late), i32::from(!sweep_is_early), "both are late, or the sweep is not");
    }
}

/// The answer of the first purchase was lost, the cloud shows nothing of it yet, and honours tokens for so many minutes.
fn in_doubt(reply: Reply, honored_minutes: Option<i32>) -> World {
    let mut world = sent(reply);
    let api = world.account.as_mut().unwrap().spec.purchase.api.as_mut().unwrap();
    api.client_token_honored_minutes = honored_minutes;
    look_in_vain(&mut world);
    world
}

fn look_in_vain(world: &mut World) {
    world.pass(SECOND);
    let projects = world.projects.clone();
    world.observation = Some(Observation { started: world.now, instances: BTreeMap::new(), projects });
    world.pass(SECOND);
}

/// What becomes of the order within the next minute, while the cloud goes on showing nothing.
fn within_a_minute(world: &mut World) -> (LineState, i32) {
    for _ in 0..20 {
        world.step_order(0);
        look_in_vain(world);
    }
    line(world)
}

#[test]
fn a_call_in_doubt_is_sent_again_at_once_only_where_tokens_are_known_to_be_honoured() {
    for reply in [Reply::LostAfterCommit, Reply::LostBeforeCommit] {
        let mut known = in_doubt(reply.clone(), Some(60));
        assert_eq!((within_a_minute(&mut known), known.bought()), ((LineState::Committed, 2), 1), "{reply:?}");
        let mut unknown = in_doubt(reply.clone(), None);
        assert_eq!(within_a_minute(&mut unknown), (LineState::Unknown, 1), "{reply:?}");
    }
}

#[test]
fn a_call_in_doubt_is_not_sent_again_when_the_cloud_may_have_forgotten_its_token() {
    let sent_again_after = |minutes| {
        let mut world = in_doubt(Reply::LostAfterCommit, Some(15));
        world.pass(SignedDuration::from_mins(minutes));
        look_in_vain(&mut world);
        (0..3).any(|_| world.step_order(0) == Some(Effect::Submit { index: 0 }))
    };
    // The repetition itself may arrive seven minutes late.
    assert_eq!([1, 7, 8, 30].map(sent_again_after), [true, true, false, false]);
}

#[test]
fn a_repetition_that_is_refused_proves_nothing_of_the_call_before_it() {
    let mut world = in_doubt(Reply::LostAfterCommit, Some(60));
    world.replies = vec![Reply::Refused { category: carpack_api::Reason::BalanceInsufficient, may_pass: true }];
    assert_eq!(within_a_minute(&mut world), (LineState::Unknown, 2));
    let first = &world.orders[0].status.as_ref().unwrap().lines[0];
    assert!(first.in_doubt_since < first.submit_time && first.in_doubt_since.is_some(), "{first:?}");

    world.pass(LONGER_THAN_THE_QUARANTINE);
    world.sweep();
    world.pass(SECOND);
    world.step_order(0);
    assert_eq!((line(&world), world.bought()), ((LineState::Done, 2), 1));
}

#[test]
fn a_call_in_doubt_is_repeated_once_and_not_for_an_order_that_is_deleted() {
    let mut world = in_doubt(Reply::LostBeforeCommit, Some(600));
    world.replies = vec![Reply::LostBeforeCommit];
    assert_eq!(within_a_minute(&mut world), (LineState::Unknown, 2));

    let mut world = in_doubt(Reply::LostBeforeCommit, Some(600));
    delete_order(&mut world);
    assert_eq!((within_a_minute(&mut world), world.bought()), ((LineState::Unknown, 1), 0));
}

#[test]
fn what_was_paid_and_not_delivered_is_never_sent_again() {
    let mut world = ordered();
    world.orders[0].status = Some(intend(&world.orders[0], 0, world.now));
    let outcome = Outcome::PaidNotDelivered { message: "PaySuccDeliverFailed".into() };
    world.orders[0].status = Some(settle(&world.orders[0], 0, &outcome, world.now, &world.timing));
    world.run_until("2026-12-02T00:00:00Z", SignedDuration::from_mins(20));
    assert_eq!((line(&world), world.bought(), world.orders.len()), ((LineState::Committed, 1), 0, 1));
    assert_eq!(world.ready(), "False PaidNotDelivered");
}

fn say(world: &mut World, word: &str) {
    let key = settle_annotation(&world.orders[0].status.as_ref().unwrap().lines[0]);
    let annotation = [(key, word.to_owned())];
    world.orders[0].metadata.annotations = Some(annotation.into());
}

#[test]
fn a_person_can_close_an_order_that_was_paid_and_never_delivered() {
    let undelivered = |word| {
        let mut world = ordered();
        world.orders[0].status = Some(intend(&world.orders[0], 0, world.now));
        let outcome = Outcome::PaidNotDelivered { message: "PaySuccDeliverFailed".into() };
        world.orders[0].status = Some(settle(&world.orders[0], 0, &outcome, world.now, &world.timing));
        look_in_vain(&mut world);
        world.step_order(0);
        let message = world.orders[0].status.as_ref().unwrap().message.clone().unwrap();
        assert!(message.contains("kubectl annotate packorder events.concert.buy-1"), "{message}");
        say(&mut world, word);
        (within_a_minute(&mut world).0, world.orders[0].status.clone().unwrap().message.unwrap())
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
fn a_person_is_asked_about_what_was_paid_once_a_look_that_should_show_it_does_not() {
    let mut world = ordered();
    world.orders[0].status = Some(intend(&world.orders[0], 0, world.now));
    let instance_ids = vec!["car-that-never-came".to_owned()];
    let paid = Outcome::Committed { order_ids: vec!["order".to_owned()], instance_ids, request_id: None };
    world.orders[0].status = Some(settle(&world.orders[0], 0, &paid, world.now, &world.timing));
    say(&mut world, "NotExecuted");
    look_in_vain(&mut world);
    world.pass(world.timing.delivery_grace);
    world.step_order(0);
    assert_eq!(line(&world).0, LineState::Committed, "the last look is from before");
    world.orders[0].metadata.annotations = None;
    look_in_vain(&mut world);
    world.step_order(0);
    let message = world.orders[0].status.clone().unwrap().message.unwrap();
    assert!(message.contains("carpack.io/settle-line-0-attempt-1=NotExecuted"), "{message}");
    say(&mut world, "NotExecuted");
    assert_eq!(within_a_minute(&mut world).0, LineState::Rejected);
}

#[test]
fn a_persons_word_settles_no_line_but_one_about_which_a_person_is_asked() {
    let mut world = in_doubt(Reply::LostBeforeCommit, None);
    say(&mut world, "NotExecuted");
    assert_eq!(within_a_minute(&mut world), (LineState::Unknown, 1));
    world.pass(SignedDuration::from_mins(14));
    assert_eq!(within_a_minute(&mut world).0, LineState::Rejected);
}

#[test]
fn refusals_before_a_call_was_lost_do_not_make_it_one_about_which_a_person_is_asked() {
    let mut world = ordered();
    let refused = || Reply::Refused { category: carpack_api::Reason::RateLimited, may_pass: true };
    world.replies = vec![refused(), refused(), refused(), Reply::LostBeforeCommit];
    world.run_until("2026-12-01T01:00:00Z", SignedDuration::from_secs(30));
    assert_eq!((world.bought(), world.ready()), (1, "True Active".into()));
}

#[test]
fn an_absence_counts_later_where_our_clock_is_ahead_of_the_clouds() {
    let mut world = sent(Reply::LostBeforeCommit);
    world.step_order(0);
    world.pass(LONGER_THAN_THE_QUARANTINE);
    world.sweep();
    let books = DealsLook { started: world.now, deals: Vec::new() };
    world.pass(SECOND);
    let clear_looks_when_ahead = |minutes| {
        world.clock_ahead = SignedDuration::from_mins(minutes);
        world.decide_order(0, Some(&books)).status.lines[0].clear_looks
    };
    assert_eq!([-4, 0, 2, 4].map(clear_looks_when_ahead), [1, 1, 1, 0]);
}

#[test]
fn what_a_purchase_has_cost_is_looked_up_however_late_and_in_the_end_only_once_in_vain() {
    let mut world = sent(Reply::LostAfterCommit);
    world.sweep();
    world.pass(SECOND);
    world.orders[0].status = Some(world.decide_order(0, None).status);
    assert_eq!(line(&world), (LineState::Done, 1));
    let silent = DealsLook { started: world.now, deals: Vec::new() };
    let again = world.decide_order(0, Some(&silent)).wake_at.unwrap();
    assert!(again.duration_since(world.now) <= SignedDuration::from_secs(15), "{again}");

    world.pass(SignedDuration::from_hours(30));
    assert!(matches!(world.decide_order(0, None).effect, Some(Effect::LookAtDeals { .. })));
    let books = DealsLook { started: world.now, deals: world.deals() };
    let paid = world.decide_order(0, Some(&books)).status.paid;
    assert_eq!(paid.map(|paid| paid.amount).as_deref(), Some("105.00"));
    let empty = DealsLook { started: world.now, deals: Vec::new() };
    world.orders[0].status = Some(world.decide_order(0, Some(&empty)).status);
    assert_eq!((world.decide_order(0, None).effect, line(&world).0), (None, LineState::Done));
}

#[test]
fn an_order_that_is_deleted_before_it_was_sent_is_void() {
    let mut world = ordered();
    delete_order(&mut world);
    let effects: Vec<_> = (0..5).filter_map(|_| world.step_order(0)).collect();
    assert_eq!((line(&world), world.bought()), ((LineState::Void, 0), 0));
    assert_eq!(effects.first(), Some(&Effect::RemoveFinalizer));
}

#[test]
fn an_order_whose_outcome_is_unknown_is_kept_when_somebody_deletes_it() {
    let mut world = sent(Reply::LostAfterCommit);
    delete_order(&mut world);
    for _ in 0..20 {
        world.pass(SECOND);
        assert_eq!(world.step_order(0), None);
    }
    assert_eq!(line(&world), (LineState::Unknown, 1));
    world.sweep();
    world.pass(SECOND);
    let leaves = |world: &mut World| (0..5).any(|_| world.step_order(0) == Some(Effect::RemoveFinalizer));
    assert!(!leaves(&mut world), "the pack does not know yet what it bought");
    assert_eq!((line(&world), world.bought()), ((LineState::Done, 1), 1));
    world.step_pack();
    assert!(leaves(&mut world), "{:?}", world.orders[0].status);
}

#[test]
fn an_order_that_is_deleted_does_not_wait_for_a_pack_that_has_no_use_for_it() {
    let gone = |edit: fn(&mut World)| {
        let mut world = sent(Reply::LostAfterCommit);
        delete_order(&mut world);
        world.sweep();
        world.pass(SECOND);
        assert!((0..5).all(|_| world.step_order(0).is_none()), "{:?}", world.orders[0].status);
        edit(&mut world);
        (0..5).any(|_| world.step_order(0) == Some(Effect::RemoveFinalizer))
    };
    assert!(gone(|world| world.pack = None));
    assert!(gone(|world| {
        let now = Some(Time(world.now));
        world.pack.as_mut().unwrap().metadata.deletion_timestamp = now;
    }));
    assert!(gone(|world| {
        world.instances.clear();
        world.sweep();
    }));
    assert!(gone(|world| (world.account, world.observation) = (None, None)));
    assert!(!gone(|_| ()));
}

#[test]
fn nothing_is_ordered_while_an_order_for_an_earlier_object_of_the_name_is_open() {
    let mut world = sent(Reply::LostBeforeCommit);
    let mut again = pack(json!({}));
    again.metadata.uid = Some("uid-2".into());
    world.pack = Some(again);
    for _ in 0..5 {
        world.pass(SECOND);
        world.sweep();
        world.pass(SECOND);
        world.step_pack();
    }
    assert_eq!((world.orders.len(), world.ready()), (1, "False EarlierOrderUnresolved".into()));
}

/// How many instances are renewed on the first evening of a pack whose purchase was approved with all later renewals.
fn renewed_after(edit: impl FnOnce(&mut World)) -> usize {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "duration": 1})));
    world.settle();
    world.approve(0, "ThisAndLaterRenewals");
    world.settle();
    assert_eq!(world.bought(), 1);
    edit(&mut world);
    world.run_until("2026-12-01T20:00:00Z", SignedDuration::from_hours(1));
    world.renewed()
}

#[test]
fn an_approval_for_later_renewals_does_not_reach_to_other_terms_or_another_object() {
    assert_eq!(renewed_after(|_| ()), 3);
    let for_two_days_at_the_same_price = |world: &mut World| {
        world.account.as_mut().unwrap().spec.price_list.prices[0].amount = "52.50".into();
        world.spec(|spec| spec.renewal.duration = Some(2));
    };
    assert_eq!(renewed_after(for_two_days_at_the_same_price), 0);
    let of_an_object_created_again = |world: &mut World| {
        let mut again = pack(json!({"mode": "ApprovalRequired", "duration": 1}));
        again.metadata.uid = Some("uid-2".into());
        world.pack = Some(again);
        world.instances.clear();
        world.settle();
        world.approve(1, "ThisOrder");
        world.settle();
        assert_eq!(world.bought(), 2);
    };
    assert_eq!(renewed_after(of_an_object_created_again), 0);
}

#[test]
fn a_pack_that_was_bought_is_not_bought_again_when_its_order_was_deleted_and_its_instances_are_gone() {
    let mut world = World::new(pack(json!({})));
    world.settle();
    assert_eq!(world.bought(), 1);
    world.orders.clear();
    world.instances.clear();
    world.settle();
    assert_eq!((world.ready().as_str(), world.bought(), world.orders.len()), ("False Vanished", 1, 0));
}

#[test]
fn the_only_instance_of_a_pack_is_missed_when_it_is_gone() {
    let mut world = World::new(pack(json!({"quantity": 1})));
    world.settle();
    world.instances.clear();
    world.settle();
    assert_eq!((world.ready().as_str(), world.status().instances.len()), ("False Vanished", 1));
}

#[test]
fn what_was_believed_absent_and_shows_after_all_is_adopted() {
    let mut world = sent(Reply::LostAfterCommit);
    world.pass(LONGER_THAN_THE_QUARANTINE);
    look_in_vain(&mut world);
    // The books lag too.
    for _ in 0..2 {
        look_in_vain(&mut world);
        let deals = DealsLook { started: world.now, deals: Vec::new() };
        world.orders[0].status = Some(world.decide_order(0, Some(&deals)).status);
    }
    assert_eq!(line(&world), (LineState::Pending, 1));
    let refused =
        Outcome::Rejected { category: carpack_api::Reason::RateLimited, message: "not now".into(), may_pass: true };
    world.orders[0].status = Some(intend(&world.orders[0], 0, world.now));
    world.orders[0].status = Some(settle(&world.orders[0], 0, &refused, world.now, &world.timing));
    assert_eq!(line(&world), (LineState::Pending, 2));
    world.settle();
    assert_eq!((line(&world), world.ready()), ((LineState::Done, 2), "True Active".into()));
    assert_eq!(world.bought(), 1);
}

#[test]
fn what_stood_there_before_a_call_in_doubt_is_not_adopted() {
    let mut world = ordered();
    let refused =
        Outcome::Rejected { category: carpack_api::Reason::RateLimited, message: "not now".into(), may_pass: true };
    world.orders[0].status = Some(intend(&world.orders[0], 0, world.now));
    world.orders[0].status = Some(settle(&world.orders[0], 0, &refused, world.now, &world.timing));
    let mut others = World::new(pack(json!({})));
    others.settle();
    world.instances = others.instances;
    world.settle();
    assert_eq!((line(&world), world.bought()), ((LineState::Pending, 1), 0));
}

#[test]
fn what_was_said_of_one_attempt_does_not_settle_the_next() {
    let mut world = in_doubt(Reply::LostBeforeCommit, None);
    say(&mut world, "NotExecuted");
    world.replies = vec![Reply::LostBeforeCommit];
    world.run_until("2026-12-01T00:12:00Z", SignedDuration::from_secs(30));
    assert_eq!(line(&world), (LineState::Unknown, 2));
    world.pass(SignedDuration::from_mins(20));
    look_in_vain(&mut world);
    world.step_order(0);
    let message = world.orders[0].status.clone().unwrap().message.unwrap();
    assert_eq!(line(&world).0, LineState::Unknown, "{message}");
}

#[test]
fn a_clock_that_is_ahead_ends_no_order_before_its_deadline() {
    for (ahead, state) in [(48, LineState::Pending), (0, LineState::Rejected)] {
        let mut world = ordered();
        world.account = None;
        world.orders[0].spec.deadline = Some(Time(world.now + SignedDuration::from_hours(24)));
        world.pass(SignedDuration::from_hours(48));
        world.clock_ahead = SignedDuration::from_hours(ahead);
        world.step_order(0);
        assert_eq!(line(&world).0, state, "{ahead}");
    }
}

#[test]
fn books_that_cannot_be_read_do_not_delay_the_next_line() {
    let mut world = World::new(pack(json!({})));
    world.settle();
    world.until_due();
    let paid = Outcome::Committed { order_ids: vec!["ours".into()], instance_ids: Vec::new(), request_id: None };
    world.pass(SECOND);
    world.orders[1].status = Some(intend(&world.orders[1], 0, world.now));
    world.orders[1].status = Some(settle(&world.orders[1], 0, &paid, world.now, &world.timing));
    let effects: Vec<_> = (0..4)
        .filter_map(|_| {
            world.pass(SECOND);
            world.sweep();
            world.pass(SECOND);
            let decision = world.decide_order(1, None);
            world.orders[1].status = Some(decision.status);
            decision.effect
        })
        .collect();
    assert_eq!(effects.first(), Some(&Effect::Submit { index: 1 }), "{effects:?}");
}

fn tried_twice(state: LineState) -> LineStatus {
    serde_json::from_value(json!({"index": 0, "state": state, "attempts": 2})).unwrap()
}

#[test]
fn a_refusal_never_covers_what_was_settled_meanwhile() {
    let refused =
        Outcome::Rejected { category: carpack_api::Reason::RateLimited, message: String::new(), may_pass: true };
    assert!(adds_to(&tried_twice(LineState::Submitting), 2, &refused));
    assert!(!adds_to(&tried_twice(LineState::Submitting), 1, &refused), "an answer to an earlier attempt");
    assert!(!adds_to(&tried_twice(LineState::Committed), 2, &refused));
    assert!(!adds_to(&tried_twice(LineState::Done), 2, &refused));
}

#[test]
fn a_payment_is_recorded_even_over_a_later_attempt() {
    let paid = Outcome::Committed { order_ids: Vec::new(), instance_ids: Vec::new(), request_id: None };
    assert!(adds_to(&tried_twice(LineState::Unknown), 1, &paid));
    assert!(adds_to(&tried_twice(LineState::Pending), 1, &paid));
    assert!(!adds_to(&tried_twice(LineState::Done), 2, &paid));
}

#[test]
fn a_call_may_leave_only_within_the_validity_of_its_own_intent() {
    let mut world = ordered();
    let valid = world.timing.intent_valid;
    let leaves = |world: &World, index, after| may_leave(&world.orders[0], index, world.now + after, &world.timing);
    assert!(!leaves(&world, 0, SignedDuration::ZERO), "nothing was intended");
    world.now = world.now.round(jiff::Unit::Second).unwrap();
    world.orders[0].status = Some(intend(&world.orders[0], 0, world.now));
    assert!(leaves(&world, 0, valid));
    assert!(!leaves(&world, 0, valid + SignedDuration::from_secs(1)));
    assert!(!leaves(&world, 1, SignedDuration::ZERO), "of another line");
}

#[test]
fn a_paid_renewal_is_recorded_for_the_instance_of_its_own_line() {
    let mut world = World::new(pack(json!({})));
    world.settle();
    world.until_due();
    let order = world.orders.last().unwrap();
    let paid = Outcome::Committed { order_ids: vec!["o".into()], instance_ids: Vec::new(), request_id: None };
    for (line, index) in order.spec.lines.iter().zip(0_usize..) {
        let status = settle(order, line.index, &paid, world.now, &world.timing);
        assert_eq!(status.lines[index].instance_ids, line.instance_id.clone().into_iter().collect::<Vec<_>>());
    }
}

/// What is decided about the pack as it stands.
fn decided(world: &World) -> carpack_core::pack::Decision {
    let orders: Vec<_> = world.orders.iter().collect();
    carpack_core::pack::decide(&world.pack_input(world.pack.as_ref().unwrap(), &orders))
}

#[test]
fn a_pack_is_looked_at_again_when_its_renewal_is_due_or_the_look_at_the_cloud_has_grown_old() {
    let mut world = World::new(pack(json!({})));
    world.settle();
    let due = world.status().next_renewal_time.clone().unwrap().0;
    let mut again = |before: SignedDuration| {
        world.pass((due - before).duration_since(world.now));
        world.sweep();
        decided(&world).wake_at.unwrap()
    };
    let stale_after = World::new(pack(json!({}))).timing.stale_after;
    assert_eq!(again(stale_after * 2), due - stale_after, "the look is too old by then");
    assert_eq!(again(SignedDuration::from_secs(1)), due);
    assert_eq!(again(SignedDuration::ZERO), due + stale_after, "never now");
}

#[test]
fn a_sweep_is_wanted_only_by_what_waits_for_one() {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.settle();
    assert!(!decided(&world).wants_sweep, "nothing is to be done");
    world.pass(world.timing.stale_after);
    assert!(!decided(&world).wants_sweep, "nothing is to be done, however old the look");
    world.spec(|spec| spec.project = Some("cap-b".into()));
    assert!(decided(&world).wants_sweep, "what is to be moved was last seen long ago");
    world.sweep();
    assert!(!decided(&world).wants_sweep);
    world.last_change = Some(world.now);
    assert!(decided(&world).wants_sweep, "it was moved since");
}

#[test]
fn what_is_on_record_as_paid_or_as_there_is_not_bought_again_without_its_order() {
    for paid in [true, false] {
        let mut world = sent(Reply::Delayed);
        if !paid {
            world.deliver();
        }
        world.settle();
        let status = world.pack.as_mut().unwrap().status.as_mut().unwrap();
        assert_eq!(status.instances.is_empty(), paid);
        if !paid {
            status.conditions.retain(|condition| condition.type_ != "Purchased");
        }
        world.orders.clear();
        world.instances.clear();
        world.settle();
        assert_eq!((world.orders.len(), world.bought()), (0, 1), "on record as paid: {paid}");
    }
}
