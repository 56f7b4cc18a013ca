//! What sweeps and deals prove about a call whose outcome is unknown, and what keeps it unknown.

use carpack_api::Mode;
use carpack_api::Reason;
use carpack_api::order::{LineState, OrderAction};
use carpack_core::observation::{Deal, DealAction, DealState};
use carpack_core::order::Outcome;
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;

use crate::orders::gate::purchase_to_send;
use crate::orders::{
    AFTER_THE_QUARANTINE, deal, decide_with_deals, first_line, in_doubt, ordered, sent, sweep_in_vain, unsent,
};
use crate::world::{Charge, DAY, MINUTE, Reply, SECOND, World, committed, extend, pack, rate_limited, unanswered};

/// True when order books with this deal count as without any trace of the call.
fn is_clear(world: &World, index: usize, deal: Deal) -> bool {
    let decision = decide_with_deals(world, index, vec![deal]);
    assert_eq!(first_line(&decision).state, LineState::Unknown, "once is not enough");
    first_line(&decision).clear_looks == 1
}

#[test]
fn only_a_deal_that_may_be_the_lost_purchase_keeps_it_in_doubt() {
    let (mut world, index) = in_doubt(OrderAction::Buy);
    assert!(!is_clear(&world, index, deal(DealAction::Purchase, &[])));
    assert!(!is_clear(&world, index, deal(DealAction::Other, &["i-not-listed-yet"])));
    assert!(!is_clear(&world, index, Deal { product_code: None, ..deal(DealAction::Purchase, &[]) }));
    assert!(is_clear(&world, index, Deal { product_code: Some("p_cvm".into()), ..deal(DealAction::Purchase, &[]) }));
    assert!(is_clear(&world, index, Deal { state: DealState::WithoutEffect, ..deal(DealAction::Purchase, &[]) }));
    assert!(is_clear(&world, index, deal(DealAction::Renew, &[])));
    assert!(is_clear(&world, index, deal(DealAction::Refund, &[])));
    world.ids_of_others.insert("i-theirs".into());
    assert!(is_clear(&world, index, deal(DealAction::Purchase, &["i-theirs"])));
    assert!(!is_clear(&world, index, deal(DealAction::Purchase, &["i-theirs", "i-unknown"])));
    world.ids_of_others.insert("somebodys".into());
    assert!(is_clear(&world, index, deal(DealAction::Purchase, &[])), "another pack's order has it on record");
}

#[test]
fn a_deal_on_the_record_of_another_order_of_the_pack_is_not_the_lost_call() {
    let (mut world, index) = in_doubt(OrderAction::Buy);
    let mut earlier = world.orders[index].clone();
    earlier.metadata.name = Some("events.concert.buy-0".into());
    let line = &mut earlier.status.as_mut().unwrap().lines[0];
    (line.state, line.order_ids) = (LineState::Rejected, vec!["somebodys".into()]);
    world.orders.push(earlier);
    assert!(is_clear(&world, index, deal(DealAction::Purchase, &[])));
}

#[test]
fn a_purchase_of_other_terms_is_not_the_lost_one() {
    let (mut other, _) = in_doubt(OrderAction::Buy);
    // An instance that others have bought, under a name that says nothing.
    let (mut settled, _) = unsent(OrderAction::Renew);
    let mut row = settled.instances.pop_first().unwrap().1;
    (row.id, row.name) = ("i-x".into(), Some("by hand".into()));
    let mut is_clear_of = |scale: &str, region: &str| {
        (row.scale, row.region) = (Some(scale.into()), Some(region.into()));
        other.instances.insert("i-x".into(), row.clone());
        other.sweep();
        other.advance(SECOND);
        is_clear(&other, 0, deal(DealAction::Purchase, &["i-x"]))
    };
    assert!(!is_clear_of("L1", "ap-singapore"));
    assert!(is_clear_of("L2", "ap-singapore"));
    assert!(is_clear_of("L1", "eu-frankfurt"));
}

/// The order that bought it may have been deleted.
#[test]
fn a_deal_for_what_the_pack_has_on_record_is_no_trace_of_a_later_purchase() {
    let (mut world, index) = in_doubt(OrderAction::Buy);
    let earlier = deal(DealAction::Purchase, &["earlier"]);
    assert!(!is_clear(&world, index, earlier.clone()));
    let had = json!({"id": "earlier", "renewFlag": "Manual", "state": "Usable"});
    let pack = world.pack.as_mut().unwrap();
    pack.status.get_or_insert_default().instances.push(serde_json::from_value(had).unwrap());
    assert!(is_clear(&world, index, earlier));
    assert!(!is_clear(&world, index, deal(DealAction::Purchase, &["earlier", "unknown"])));
}

#[test]
fn a_deal_that_nobody_explains_keeps_a_lost_purchase_unknown() {
    let mut world = purchase_to_send(json!({}));
    world.replies = vec![Reply::LostBeforeCommit];
    world.run_last_order();
    world.charges.push(Charge {
        action: OrderAction::Buy,
        token: "someone".into(),
        order_id: "deal-x".into(),
        instances: Vec::new(),
        ends: None,
        state: DealState::InEffect,
    });
    world.run_until("2026-12-01T01:00:00Z", MINUTE);
    assert_eq!((world.last_line_state(), world.bought()), ((LineState::Unknown, 1), 1));
}

#[rstest]
#[case(OrderAction::Renew, DealAction::Renew)]
#[case(OrderAction::Return, DealAction::Refund)]
fn only_a_deal_that_may_be_about_its_instance_keeps_a_lost_call_in_doubt(
    #[case] action: OrderAction,
    #[case] of_its_kind: DealAction,
) {
    let (world, index) = in_doubt(action);
    let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
    for kind in [of_its_kind, DealAction::Other] {
        assert!(!is_clear(&world, index, deal(kind, &[])), "{kind:?}");
        assert!(!is_clear(&world, index, deal(kind, &["i-other", &id])), "{kind:?}");
        assert!(is_clear(&world, index, deal(kind, &["i-other"])), "{kind:?}");
    }
    assert!(is_clear(&world, index, deal(DealAction::Purchase, &[&id])));
}

#[rstest]
#[case(Reply::LostAfterCommit)]
#[case(Reply::LostBeforeCommit)]
fn a_purchase_whose_answer_is_lost_is_charged_once(#[case] reply: Reply) {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.replies = vec![reply.clone()];
    world.run_rounds();
    if reply == Reply::LostBeforeCommit {
        assert_eq!(world.ready(), "False OrderAmbiguous");
        world.run_until("2026-12-01T00:20:00Z", MINUTE);
    }
    world.run_rounds();
    assert_eq!(world.bought(), 1);
    assert_eq!(world.ready(), "True Active");
}

#[test]
fn a_purchase_whose_answer_is_lost_and_whose_instances_carry_another_name_is_not_bought_again() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostAfterCommit];
    while world.charges.is_empty() {
        world.reconcile_pack();
        world.advance(SECOND * 2);
        world.sweep();
        world.advance(SECOND * 2);
        for index in 0..world.orders.len() {
            world.reconcile_order(index);
        }
    }
    for (number, instance) in world.instances.values_mut().enumerate() {
        instance.name = Some(format!("renamed-{number}"));
    }
    world.run_until("2026-12-01T01:00:00Z", MINUTE);
    assert_eq!((world.ready().as_str(), world.bought()), ("False OrderAmbiguous", 1));
    assert!(world.status().conditions.iter().any(|c| c.message.contains("kubectl annotate packorder")));
    // The deal is explained once the order of another pack has recorded these instances.
    world.ids_of_others = world.instances.keys().cloned().collect();
    world.run_until("2026-12-01T02:00:00Z", MINUTE);
    assert_eq!(world.line(0).attempts, 2);
}

#[test]
fn what_was_believed_absent_and_shows_after_all_is_adopted() {
    let mut world = sent(Reply::LostAfterCommit);
    world.advance(AFTER_THE_QUARANTINE);
    sweep_in_vain(&mut world);
    // The order books do not show it yet either.
    for _ in 0..2 {
        sweep_in_vain(&mut world);
        let deals = world.deal_list(Vec::new());
        world.orders[0].status = Some(world.decide_order_with(0, &deals).status);
    }
    assert_eq!(world.line_state(0), (LineState::Pending, 1));
    let refused = rate_limited();
    world.record_call(0, &refused);
    assert_eq!(world.line_state(0), (LineState::Pending, 2));
    world.run_rounds();
    assert_eq!((world.line_state(0), world.ready()), ((LineState::Done, 2), "True Active".into()));
    assert_eq!(world.bought(), 1);
}

#[test]
fn what_stood_there_before_a_call_in_doubt_is_not_adopted() {
    let mut world = ordered(json!({}));
    let refused = rate_limited();
    world.record_call(0, &refused);
    let mut others = World::new(pack(json!({})));
    others.run_rounds();
    world.instances = others.instances;
    world.run_rounds();
    assert_eq!((world.line_state(0), world.bought()), ((LineState::Pending, 1), 0));
}

#[test]
fn what_is_delivered_so_far_is_on_the_trail() {
    let (mut world, index) = unsent(OrderAction::Buy);
    world.record_call(index, &committed(&["ours"]));
    let (mut settled, _) = unsent(OrderAction::Renew);
    let (id, mut row) = settled.instances.pop_first().unwrap();
    row.name = Some(world.orders[index].spec.pack_name.clone());
    world.instances.insert(id, row);
    world.sweep_after(SECOND);
    let decision = world.decide_order(index);
    let said = &decision.status.trail.last().unwrap().message;
    assert_eq!(
        (first_line(&decision).state, said.as_str()),
        (LineState::Committed, "line 0: 1 of 3 concurrencies delivered so far")
    );
    world.orders[index].status = Some(decision.status);
    assert_eq!(world.decide_order(index).status.trail, world.orders[index].status.clone().unwrap().trail);
}

#[test]
fn a_lost_renewal_is_proven_by_an_expiry_of_a_later_day_and_not_by_a_list_that_dates_the_same_one_a_little_later() {
    let (mut world, index) = in_doubt(OrderAction::Renew);
    let mut later = |by: SignedDuration| {
        for instance in world.instances.values_mut() {
            extend(instance, by);
        }
        world.sweep();
        world.advance(SECOND);
        first_line(&decide_with_deals(&world, index, Vec::new())).state
    };
    assert_eq!(later(MINUTE * 10), LineState::Unknown);
    assert_eq!(later(DAY), LineState::Done);
}

#[test]
fn a_return_is_proven_by_its_refund_together_with_an_instance_that_is_gone() {
    let (mut world, index) = in_doubt(OrderAction::Return);
    let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
    let state = |world: &World, deal| first_line(&decide_with_deals(world, index, vec![deal])).state;
    assert_eq!(state(&world, deal(DealAction::Refund, &[&id])), LineState::Unknown, "it is still listed");
    let mut isolated = world.instances.clone();
    isolated.get_mut(&id).unwrap().isolated = true;
    let all = std::mem::replace(&mut world.instances, isolated);
    world.sweep();
    world.advance(SECOND);
    assert_eq!(state(&world, deal(DealAction::Refund, &[&id])), LineState::Done, "listed as isolated");
    world.instances = all;
    world.instances.remove(&id);
    world.sweep();
    world.advance(SECOND);
    assert_eq!(state(&world, deal(DealAction::Refund, &["i-other"])), LineState::Unknown, "another one was refunded");
    assert_eq!(state(&world, deal(DealAction::Renew, &[&id])), LineState::Unknown, "it was not refunded");
    assert_eq!(state(&world, deal(DealAction::Refund, &[&id])), LineState::Done);
}

#[test]
fn a_sweep_that_did_not_begin_after_the_call_shows_nothing_of_it() {
    for (outcome, before) in [(unanswered(), LineState::Unknown), (committed(&["ours"]), LineState::Committed)] {
        let (mut world, index) = unsent(OrderAction::Renew);
        world.advance(SignedDuration::from_millis(-i64::from(world.now.subsec_millisecond())));
        world.record_call(index, &outcome);
        let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
        let instance = world.instances.get_mut(&id).unwrap();
        extend(instance, DAY);
        let mut state_by_a_look_after = |after: SignedDuration| {
            world.sweep();
            let submitted = world.line(index).submit_time.clone().unwrap().0;
            world.observation.as_mut().unwrap().started = submitted + after;
            world.advance(SECOND);
            first_line(&world.decide_order(index)).state
        };
        assert_eq!(state_by_a_look_after(SignedDuration::ZERO), before);
        assert_eq!(state_by_a_look_after(SignedDuration::from_millis(1)), LineState::Done);
    }
}

#[test]
fn a_look_at_the_cloud_is_wanted_while_it_could_show_something_and_not_when_all_is_settled() {
    let (world, index) = in_doubt(OrderAction::Buy);
    assert!(world.decide_order(index).wants_sweep);

    let (mut world, index) = unsent(OrderAction::Buy);
    assert!(world.decide_order(index).wants_sweep, "its sweep is older than the order");
    world.pack.as_mut().unwrap().spec.mode = Mode::ApprovalRequired;
    assert!(!world.decide_order(index).wants_sweep, "it waits for a person");

    let refused = Outcome::Rejected { category: Reason::Other, message: "no".into(), may_pass: false };
    world.record_call(index, &refused);
    let settled = world.decide_order(index);
    assert!(!settled.wants_sweep);
    world.orders[index].status = Some(settled.status);
    assert_eq!(world.decide_order(index).wake_at, None, "nothing is left to wait for");
}
