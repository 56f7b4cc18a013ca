//! When the absence of any trace counts, and when a call is sent again.

use carpack_api::order::{LineState, OrderAction};
use carpack_core::observation::DealAction;
use carpack_core::order::{Effect, intend};
use jiff::SignedDuration;
use serde_json::json;

use crate::orders::gate::purchase_to_send;
use crate::orders::{
    AFTER_THE_QUARANTINE, after_a_minute_in_vain, deal, decide_with_deals, delete_order, lost_call, sent,
    sweep_in_vain, unsent,
};
use crate::world::{MINUTE, Reply, SECOND, World, pack, reads_deals, unanswered};

#[test]
fn an_order_found_between_intent_and_answer_is_unknown_and_not_sent_again_at_once() {
    let mut world = purchase_to_send(json!({}));
    let intent = intend(&world.orders[0], 0, world.now);
    world.orders[0].status = Some(intent);
    world.sweep_after(SECOND * 3);
    world.run_last_order();
    assert_eq!((world.last_line_state(), world.bought()), ((LineState::Unknown, 1), 0));
}

#[test]
fn nothing_is_concluded_from_an_absence_before_the_quarantine_is_over() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostBeforeCommit, Reply::LostBeforeCommit];
    world.run_until("2026-12-01T00:06:00Z", SECOND * 10);
    assert!(world.unresolved());
    assert_eq!(world.line(0).attempts, 1);
}

#[test]
fn an_absence_counts_only_in_two_sweeps_that_both_began_after_the_quarantine() {
    let mut world = purchase_to_send(json!({}));
    world.replies = vec![Reply::LostBeforeCommit];
    world.run_last_order();
    for _ in 0..9 {
        world.sweep_after(SECOND * 30);
        world.run_last_order();
    }
    assert_eq!((world.last_line_state(), world.bought()), ((LineState::Unknown, 1), 0), "within the quarantine");
    world.sweep_after(MINUTE * 4);
    for _ in 0..9 {
        world.run_last_order();
        world.advance(SECOND);
    }
    assert_eq!((world.last_line_state(), world.bought()), ((LineState::Unknown, 1), 0), "the same sweep counts once");
    world.sweep();
    world.advance(SECOND);
    world.run_last_order();
    world.sweep();
    world.advance(SECOND);
    world.run_last_order();
    assert_eq!(world.bought(), 1, "the same call, with the same token");
}

#[test]
fn neither_of_the_two_sweeps_may_be_from_within_the_quarantine() {
    for sweep_is_early in [true, false] {
        let mut world = sent(Reply::LostBeforeCommit);
        world.reconcile_order(0);
        world.advance(SECOND * 30);
        let early = world.deal_list(Vec::new());
        world.sweep();
        world.advance(AFTER_THE_QUARANTINE);
        let late = world.deal_list(Vec::new());
        if !sweep_is_early {
            world.sweep();
        }
        world.advance(SECOND);
        let clear_looks = |deals| world.decide_order_with(0, deals).status.lines[0].clear_looks;
        assert_eq!(clear_looks(if sweep_is_early { &late } else { &early }), 0, "early sweep: {sweep_is_early}");
        assert_eq!(clear_looks(&late), i32::from(!sweep_is_early), "both are late, or the sweep is not");
    }
}

#[test]
fn looks_from_within_the_quarantine_prove_nothing() {
    let mut world = purchase_to_send(json!({}));
    world.replies = vec![Reply::LostBeforeCommit];
    world.run_last_order();
    for _ in 0..4 {
        world.advance(SECOND * 30);
        world.sweep();
        let deals = world.deal_list(Vec::new());
        world.advance(SECOND);
        let decision = world.decide_order_with(0, &deals);
        assert_eq!(decision.status.lines[0].clear_looks, 0);
    }
}

#[test]
fn an_absence_counts_later_where_our_clock_is_ahead_of_the_clouds() {
    let mut world = sent(Reply::LostBeforeCommit);
    world.reconcile_order(0);
    world.advance(AFTER_THE_QUARANTINE);
    world.sweep();
    let deals = world.deal_list(Vec::new());
    world.advance(SECOND);
    let clear_looks_when_ahead = |minutes| {
        world.clock_ahead = SignedDuration::from_mins(minutes);
        world.decide_order_with(0, &deals).status.lines[0].clear_looks
    };
    assert_eq!([-4, 0, 2, 4].map(clear_looks_when_ahead), [1, 1, 1, 0]);
}

#[test]
fn books_are_read_after_the_quarantine_and_never_twice_for_one_decision() {
    for (unexplained, lost) in [(false, deal(DealAction::Refund, &[])), (true, deal(DealAction::Purchase, &[]))] {
        let (mut world, index) = unsent(OrderAction::Buy);
        world.record_call(index, &unanswered());
        for early in [true, false] {
            world.sweep_after(if early { SECOND } else { AFTER_THE_QUARANTINE });
            world.orders[index].status = Some(world.decide_order(index).status);
            assert_eq!(reads_deals(&world.decide_order(index)), !early);
        }
        world.orders[index].status = Some(decide_with_deals(&world, index, vec![lost.clone()]).status);
        assert!(!reads_deals(&decide_with_deals(&world, index, vec![lost])), "unexplained: {unexplained}");
        assert_eq!(
            reads_deals(&world.decide_order(index)),
            unexplained,
            "a deal that nothing explains is looked up again"
        );
    }
}

#[test]
fn a_call_in_doubt_is_sent_again_at_once_only_where_tokens_are_known_to_be_honoured() {
    for reply in [Reply::LostAfterCommit, Reply::LostBeforeCommit] {
        let mut known = lost_call(reply.clone(), Some(60));
        assert_eq!((after_a_minute_in_vain(&mut known), known.bought()), ((LineState::Committed, 2), 1), "{reply:?}");
        let mut unknown = lost_call(reply.clone(), None);
        assert_eq!(after_a_minute_in_vain(&mut unknown), (LineState::Unknown, 1), "{reply:?}");
    }
}

#[test]
fn a_call_in_doubt_is_not_sent_again_when_the_cloud_may_have_forgotten_its_token() {
    let sent_again_after = |minutes| {
        let mut world = lost_call(Reply::LostAfterCommit, Some(15));
        world.advance(SignedDuration::from_mins(minutes));
        sweep_in_vain(&mut world);
        (0..3).any(|_| world.reconcile_order(0) == Some(Effect::Submit { index: 0 }))
    };
    // The second call may arrive seven minutes late: the cloud must still know the token then.
    assert_eq!([1, 7, 8, 30].map(sent_again_after), [true, true, false, false]);
}

#[test]
fn a_repetition_that_is_refused_proves_nothing_of_the_call_before_it() {
    let mut world = lost_call(Reply::LostAfterCommit, Some(60));
    world.replies = vec![Reply::BALANCE_INSUFFICIENT];
    assert_eq!(after_a_minute_in_vain(&mut world), (LineState::Unknown, 2));
    let first = world.line(0);
    assert!(first.in_doubt_since < first.submit_time && first.in_doubt_since.is_some(), "{first:?}");

    world.sweep_after(AFTER_THE_QUARANTINE);
    world.reconcile_order(0);
    assert_eq!((world.line_state(0), world.bought()), ((LineState::Done, 2), 1));
}

#[test]
fn a_call_in_doubt_is_repeated_once_and_not_for_an_order_that_is_deleted() {
    let mut world = lost_call(Reply::LostBeforeCommit, Some(600));
    world.replies = vec![Reply::LostBeforeCommit];
    assert_eq!(after_a_minute_in_vain(&mut world), (LineState::Unknown, 2));

    let mut world = lost_call(Reply::LostBeforeCommit, Some(600));
    delete_order(&mut world);
    assert_eq!((after_a_minute_in_vain(&mut world), world.bought()), ((LineState::Unknown, 1), 0));
}
