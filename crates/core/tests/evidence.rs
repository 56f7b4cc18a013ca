//! What the cloud shows of calls whose outcome is unknown, and what it proves.
#![allow(clippy::unwrap_used)]

mod world;

use carpack_api::account::UnansweredCalls;
use carpack_api::common::Time;
use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_core::money::Amount;
use carpack_core::observation::{Deal, DealAction, DealState, DealsLook};
use carpack_core::order::{Decision, Effect, Outcome, intend, settle};
use carpack_core::zone;
use jiff::SignedDuration;
use jiff::tz::Offset;
use rstest::rstest;
use serde_json::json;
use world::{World, extend, pack};

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const LONGER_THAN_THE_QUARANTINE: SignedDuration = SignedDuration::from_mins(10);

/// A world with an order of this kind that was not sent: its place among the orders.
fn unsent(action: OrderAction) -> (World, usize) {
    let mut world = World::new(pack(json!({"deletionPolicy": "Return"})));
    if action == OrderAction::Buy {
        world.sweep();
        world.pass(SECOND);
        world.step_pack();
        world.step_pack();
    } else {
        world.settle();
        if action == OrderAction::Return {
            world.delete_pack();
        } else {
            let due = world.status().next_renewal_time.clone().unwrap().0;
            world.pass(due.duration_since(world.now));
        }
        world.sweep();
        world.pass(SECOND);
        (0..3).for_each(|_| drop(world.step_pack()));
    }
    let index = world.orders.iter().position(|order| order.spec.action == action).unwrap();
    world.pass(SECOND);
    (world, index)
}

/// The first line of the order was sent, and this came of it.
fn send(world: &mut World, index: usize, outcome: &Outcome) {
    let order = &mut world.orders[index];
    order.status = Some(intend(order, 0, world.now));
    order.status = Some(settle(order, 0, outcome, world.now, &world.timing));
}

/// The same, and nobody knows what; the quarantine is over.
fn in_doubt(action: OrderAction) -> (World, usize) {
    let (mut world, index) = unsent(action);
    send(&mut world, index, &Outcome::Unknown { category: carpack_api::Reason::NoAnswer, message: "no answer".into() });
    world.pass(LONGER_THAN_THE_QUARANTINE);
    world.sweep();
    world.pass(SECOND);
    (world, index)
}

fn committed() -> Outcome {
    Outcome::Committed { order_ids: vec!["ours".into()], instance_ids: Vec::new(), request_id: None }
}

/// A purchase that was answered, and a look at the cloud since.
fn paid() -> (World, usize) {
    let (mut world, index) = unsent(OrderAction::Buy);
    send(&mut world, index, &committed());
    world.pass(SECOND);
    world.sweep();
    world.pass(SECOND);
    (world, index)
}

fn look(world: &World, index: usize, deals: Vec<Deal>) -> Decision {
    world.decide_order(index, Some(&DealsLook { started: world.now, deals }))
}

fn first_line(decision: &Decision) -> &LineStatus {
    &decision.status.lines[0]
}

/// True when these books count as one without a trace of the call.
fn is_clear(world: &World, index: usize, deal: Deal) -> bool {
    let decision = look(world, index, vec![deal]);
    assert_eq!(first_line(&decision).state, LineState::Unknown, "one look is not enough");
    first_line(&decision).clear_looks == 1
}

fn deal(action: DealAction, instance_ids: &[&str]) -> Deal {
    Deal {
        order_id: "somebodys".into(),
        action,
        cost_cents: Some(10_500),
        currency: Some("USD".into()),
        instance_ids: instance_ids.iter().map(|id| (*id).to_owned()).collect(),
        product_code: Some("p_car".into()),
        state: DealState::InEffect,
        created: None,
    }
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
    world.elsewhere.insert("i-theirs".into());
    assert!(is_clear(&world, index, deal(DealAction::Purchase, &["i-theirs"])));
    assert!(!is_clear(&world, index, deal(DealAction::Purchase, &["i-theirs", "i-unknown"])));
    world.elsewhere.insert("somebodys".into());
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
    // What others bought: a row as the cloud lists it, under a name that says nothing.
    let (mut settled, _) = unsent(OrderAction::Renew);
    let mut row = settled.instances.pop_first().unwrap().1;
    (row.id, row.name) = ("i-x".into(), Some("by hand".into()));
    let mut is_clear_of = |scale: &str, region: &str| {
        (row.scale, row.region) = (Some(scale.into()), Some(region.into()));
        other.instances.insert("i-x".into(), row.clone());
        other.sweep();
        other.pass(SECOND);
        is_clear(&other, 0, deal(DealAction::Purchase, &["i-x"]))
    };
    assert!(!is_clear_of("L1", "ap-singapore"));
    assert!(is_clear_of("L2", "ap-singapore"));
    assert!(is_clear_of("L1", "eu-frankfurt"));
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

#[test]
fn a_return_is_proven_by_its_refund_together_with_an_instance_that_is_gone() {
    let (mut world, index) = in_doubt(OrderAction::Return);
    let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
    let state = |world: &World, deal| first_line(&look(world, index, vec![deal])).state;
    assert_eq!(state(&world, deal(DealAction::Refund, &[&id])), LineState::Unknown, "it is still listed");
    let mut isolated = world.instances.clone();
    isolated.get_mut(&id).unwrap().isolated = true;
    let all = std::mem::replace(&mut world.instances, isolated);
    world.sweep();
    world.pass(SECOND);
    assert_eq!(state(&world, deal(DealAction::Refund, &[&id])), LineState::Done, "listed as isolated");
    world.instances = all;
    world.instances.remove(&id);
    world.sweep();
    world.pass(SECOND);
    assert_eq!(state(&world, deal(DealAction::Refund, &["i-other"])), LineState::Unknown, "another one was refunded");
    assert_eq!(state(&world, deal(DealAction::Renew, &[&id])), LineState::Unknown, "it was not refunded");
    assert_eq!(state(&world, deal(DealAction::Refund, &[&id])), LineState::Done);
}

#[test]
fn a_look_that_did_not_begin_after_the_call_shows_nothing_of_it() {
    for (outcome, before) in [
        (Outcome::Unknown { category: carpack_api::Reason::NoAnswer, message: "no answer".into() }, LineState::Unknown),
        (committed(), LineState::Committed),
    ] {
        let (mut world, index) = unsent(OrderAction::Renew);
        world.pass(SignedDuration::from_millis(-i64::from(world.now.subsec_millisecond())));
        send(&mut world, index, &outcome);
        let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
        let instance = world.instances.get_mut(&id).unwrap();
        instance.expiration = instance.expiration.map(|at| at + SignedDuration::from_hours(24));
        let mut state_by_a_look_after = |after: SignedDuration| {
            world.sweep();
            let submitted = world.orders[index].status.as_ref().unwrap().lines[0].submit_time.clone().unwrap().0;
            world.observation.as_mut().unwrap().started = submitted + after;
            world.pass(SECOND);
            first_line(&world.decide_order(index, None)).state
        };
        assert_eq!(state_by_a_look_after(SignedDuration::ZERO), before);
        assert_eq!(state_by_a_look_after(SignedDuration::from_millis(1)), LineState::Done);
    }
}

#[test]
fn an_unpaid_order_stays_unpaid_until_the_books_say_otherwise() {
    let (mut world, index) = unsent(OrderAction::Buy);
    send(&mut world, index, &committed());
    let (mut settled, _) = unsent(OrderAction::Renew);
    let (id, row) = settled.instances.pop_first().unwrap();
    world
        .instances
        .insert(id.clone(), carpack_core::observation::Instance { concurrencies: Some(3), name: None, ..row });
    world.pass(SECOND);
    world.sweep();
    world.pass(SECOND);
    let state_when = |state| {
        let deal = ours(state, &[&id]);
        first_line(&look(&world, index, vec![deal])).state
    };
    assert_eq!(state_when(DealState::Unpaid), LineState::Committed);
    assert_eq!(state_when(DealState::InEffect), LineState::Done);
}

#[test]
fn what_is_delivered_so_far_is_on_the_trail() {
    let (mut world, index) = unsent(OrderAction::Buy);
    send(&mut world, index, &committed());
    let (mut settled, _) = unsent(OrderAction::Renew);
    let (id, mut row) = settled.instances.pop_first().unwrap();
    row.name = Some(world.orders[index].spec.pack_name.clone());
    world.instances.insert(id, row);
    world.pass(SECOND);
    world.sweep();
    world.pass(SECOND);
    let decision = world.decide_order(index, None);
    let said = &decision.status.trail.last().unwrap().message;
    assert_eq!(
        (first_line(&decision).state, said.as_str()),
        (LineState::Committed, "line 0: 1 of 3 concurrencies delivered so far")
    );
    world.orders[index].status = Some(decision.status);
    assert_eq!(world.decide_order(index, None).status.trail, world.orders[index].status.clone().unwrap().trail);
}

#[test]
fn a_lost_renewal_is_proven_by_an_expiry_of_a_later_day_and_not_by_a_list_that_dates_the_same_one_a_little_later() {
    let (mut world, index) = in_doubt(OrderAction::Renew);
    let mut later = |by: SignedDuration| {
        for instance in world.instances.values_mut() {
            extend(instance, by);
        }
        world.sweep();
        world.pass(SECOND);
        first_line(&look(&world, index, Vec::new())).state
    };
    assert_eq!(later(SignedDuration::from_mins(10)), LineState::Unknown);
    assert_eq!(later(SignedDuration::from_hours(24)), LineState::Done);
}

#[test]
fn one_of_two_orders_is_not_what_a_line_has_cost_until_the_other_has_had_its_time() {
    let (mut world, index) = unsent(OrderAction::Buy);
    let order_ids = vec!["ours".into(), "second".into()];
    send(&mut world, index, &Outcome::Committed { order_ids, instance_ids: Vec::new(), request_id: None });
    world.pass(SECOND);
    world.sweep();
    world.pass(SECOND);
    let one = || ours(DealState::InEffect, &[]);
    let second = || Deal { order_id: "second".into(), ..one() };
    let paid = |world: &World, deals| {
        let paid = first_line(&look(world, index, deals)).paid.clone();
        paid.map(|paid| Amount::parse(&paid.amount).unwrap())
    };
    let cost = paid(&world, vec![one(), second()]).unwrap();
    assert_eq!(paid(&world, vec![one()]), None);
    world.pass(world.timing.delivery_grace);
    assert_eq!(paid(&world, vec![one()]).and_then(|half| half.plus(half)), Some(cost), "what there is, then");
}

#[test]
fn what_the_books_show_in_another_currency_is_no_sum_of_nothing() {
    let (world, index) = paid();
    let deal = Deal { currency: Some("CNY".into()), ..ours(DealState::InEffect, &[]) };
    let status = look(&world, index, vec![deal]).status;
    assert_eq!(status.lines[0].paid.as_ref().map(|paid| paid.currency.as_str()), Some("CNY"));
    assert_eq!(status.paid, None, "limits then count the quote");
}

#[test]
fn the_books_are_read_around_the_call_in_every_zone_that_the_cloud_may_mean() {
    let (mut world, index) = in_doubt(OrderAction::Buy);
    world.orders[index].status = Some(world.decide_order(index, None).status);
    let submitted = world.orders[index].status.as_ref().unwrap().lines[0].submit_time.clone().unwrap().0;
    let Some(Effect::LookAtDeals { since, until }) = world.decide_order(index, None).effect else { panic!("no look") };
    let around = SignedDuration::from_hours(26) + SignedDuration::from_mins(15);
    assert_eq!([submitted.duration_since(since), until.duration_since(world.now)], [around; 2]);
}

#[test]
fn a_look_at_the_cloud_is_wanted_while_it_could_show_something_and_not_when_all_is_settled() {
    let (world, index) = in_doubt(OrderAction::Buy);
    assert!(world.decide_order(index, None).wants_sweep);

    let (mut world, index) = unsent(OrderAction::Buy);
    assert!(world.decide_order(index, None).wants_sweep, "its sweep is older than the order");
    world.pack.as_mut().unwrap().spec.mode = carpack_api::Mode::ApprovalRequired;
    assert!(!world.decide_order(index, None).wants_sweep, "it waits for a person");

    let refused = Outcome::Rejected { category: carpack_api::Reason::Other, message: "no".into(), may_pass: false };
    send(&mut world, index, &refused);
    let settled = world.decide_order(index, None);
    assert!(!settled.wants_sweep);
    world.orders[index].status = Some(settled.status);
    assert_eq!(world.decide_order(index, None).wake_at, None, "nothing is left to wait for");
}

#[test]
fn the_cost_of_a_purchase_is_wanted_although_a_look_in_vain_was_made_early() {
    let (mut world, index) = unsent(OrderAction::Buy);
    send(&mut world, index, &committed());
    let line = &mut world.orders[index].status.as_mut().unwrap().lines[0];
    line.state = LineState::Done;
    line.last_look_time = Some(Time(world.now));
    world.orders[index].status = Some(world.decide_order(index, None).status);
    assert!(matches!(world.decide_order(index, None).effect, Some(Effect::LookAtDeals { .. })));
}

#[test]
fn an_order_gets_its_finalizer_first_and_none_when_it_is_being_deleted() {
    let (mut world, index) = unsent(OrderAction::Buy);
    world.orders[index].metadata.finalizers = None;
    assert_eq!(world.decide_order(index, None).effect, Some(Effect::AddFinalizer));
    world.orders[index].metadata.deletion_timestamp = Some(Time(world.now));
    assert_eq!(world.decide_order(index, None).effect, None);
}

/// What the books say of our own order.
fn ours(state: DealState, instance_ids: &[&str]) -> Deal {
    Deal { order_id: "ours".into(), state, ..deal(DealAction::Purchase, instance_ids) }
}

#[test]
fn a_renewal_that_the_books_call_closed_is_refused_unless_the_cloud_shows_it() {
    let (mut world, index) = unsent(OrderAction::Renew);
    send(&mut world, index, &committed());
    let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
    let state = |world: &mut World| {
        world.pass(SECOND);
        world.sweep();
        world.pass(SECOND);
        first_line(&look(world, index, vec![ours(DealState::WithoutEffect, &[&id])])).state
    };
    assert_eq!(state(&mut world), LineState::Rejected);
    let instance = world.instances.get_mut(&id).unwrap();
    instance.expiration = instance.expiration.map(|at| at + SignedDuration::from_hours(24));
    assert_eq!(state(&mut world), LineState::Done);
}

#[test]
fn books_close_nothing_without_a_look_that_began_after_the_call() {
    let (mut world, index) = unsent(OrderAction::Buy);
    send(&mut world, index, &committed());
    let submitted = world.orders[index].status.as_ref().unwrap().lines[0].submit_time.clone().unwrap().0;
    let mut state = |began| {
        world.now = submitted + SECOND;
        world.sweep();
        world.observation.as_mut().unwrap().started = began;
        first_line(&look(&world, index, vec![ours(DealState::WithoutEffect, &[])])).state
    };
    assert_eq!([submitted, submitted + SECOND].map(&mut state), [LineState::Committed, LineState::Rejected]);
}

#[test]
fn the_last_of_three_attempts_is_asked_about_only_after_two_clear_looks() {
    let (mut world, index) = in_doubt(OrderAction::Buy);
    world.orders[index].status.as_mut().unwrap().lines[0].doubts = 3;
    let mut asked = || {
        let decision = look(&world, index, Vec::new());
        world.orders[index].status = Some(decision.status.clone());
        world.pass(SECOND * 20);
        world.sweep();
        world.pass(SECOND);
        decision.status.message.unwrap().contains("carpack.io/settle-line-0-attempt-1")
    };
    assert_eq!([asked(), asked()], [false, true]);
}

/// The order by which it was bought may have been deleted.
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
fn where_the_account_says_so_a_person_is_asked_about_a_call_without_a_trace_and_it_is_not_sent_again() {
    for (calls, again) in [(UnansweredCalls::Retry, true), (UnansweredCalls::Ask, false)] {
        for action in [OrderAction::Buy, OrderAction::Renew] {
            let (mut world, index) = in_doubt(action);
            let account = world.account.as_mut().unwrap();
            account.spec.purchase.api.as_mut().unwrap().unanswered_calls = calls;
            for _ in 0..8 {
                let decision = look(&world, index, Vec::new());
                world.orders[index].status = Some(decision.status);
                world.pass(SECOND * 20);
                world.sweep();
                world.pass(SECOND);
            }
            let decision = world.decide_order(index, None);
            assert_eq!(matches!(decision.effect, Some(Effect::Submit { .. })), again, "{action:?} {calls:?}");
            let message = decision.status.message.unwrap_or_default();
            assert_eq!(message.contains("carpack.io/settle-line-0-attempt-1"), !again, "{message}");
        }
    }
}

#[test]
fn books_are_read_after_the_quarantine_and_never_twice_for_one_decision() {
    let wants_books = |decision: &Decision| matches!(decision.effect, Some(Effect::LookAtDeals { .. }));
    for (unexplained, lost) in [(false, deal(DealAction::Refund, &[])), (true, deal(DealAction::Purchase, &[]))] {
        let (mut world, index) = unsent(OrderAction::Buy);
        send(
            &mut world,
            index,
            &Outcome::Unknown { category: carpack_api::Reason::NoAnswer, message: "no answer".into() },
        );
        for early in [true, false] {
            world.pass(if early { SECOND } else { LONGER_THAN_THE_QUARANTINE });
            world.sweep();
            world.pass(SECOND);
            world.orders[index].status = Some(world.decide_order(index, None).status);
            assert_eq!(wants_books(&world.decide_order(index, None)), !early);
        }
        world.orders[index].status = Some(look(&world, index, vec![lost.clone()]).status);
        assert!(!wants_books(&look(&world, index, vec![lost])), "unexplained: {unexplained}");
        assert_eq!(wants_books(&world.decide_order(index, None)), unexplained, "until the next sweep it was seen");
    }
}

#[test]
fn a_purchase_that_the_books_call_closed_is_not_refused_while_anything_of_it_is_listed() {
    for (named, listed_by_id, refused) in [(false, false, true), (true, false, false), (false, true, false)] {
        let (mut world, index) = unsent(OrderAction::Buy);
        let paid = Outcome::Committed {
            order_ids: vec!["ours".into()],
            instance_ids: if listed_by_id { vec!["i-x".into()] } else { Vec::new() },
            request_id: None,
        };
        send(&mut world, index, &paid);
        let (mut settled, _) = unsent(OrderAction::Renew);
        let mut row = settled.instances.pop_first().unwrap().1;
        row.id = "i-x".into();
        row.name = named.then(|| world.orders[index].spec.pack_name.clone());
        world.instances.insert("i-x".into(), row);
        world.pass(SECOND);
        world.sweep();
        world.pass(SECOND);
        let state = first_line(&look(&world, index, vec![ours(DealState::WithoutEffect, &[])])).state;
        assert_eq!(state == LineState::Rejected, refused, "named: {named}, listed by its id: {listed_by_id}");
    }
}

#[test]
fn that_an_order_is_unpaid_or_closed_is_noted_once() {
    let (mut world, index) = paid();
    let mut notes_after = |state: DealState| {
        world.orders[index].status = Some(look(&world, index, vec![ours(state, &[])]).status);
        let trail = world.orders[index].status.as_ref().unwrap().trail.iter();
        trail.filter(|entry| entry.message.contains("order ours")).count()
    };
    let before = notes_after(DealState::InEffect);
    assert_eq!([DealState::Unpaid, DealState::Unpaid].map(&mut notes_after), [before + 1; 2]);
    assert_eq!([DealState::WithoutEffect, DealState::WithoutEffect].map(&mut notes_after), [before + 2; 2]);
}

#[test]
fn a_call_that_was_found_by_its_instance_takes_the_one_deal_that_can_be_its_own() {
    let (mut world, index) = in_doubt(OrderAction::Renew);
    let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
    let instance = world.instances.get_mut(&id).unwrap();
    instance.expiration = instance.expiration.map(|at| at + SignedDuration::from_hours(24));
    world.sweep();
    world.pass(SECOND);
    let renews = |order: &str| Deal { order_id: order.into(), ..deal(DealAction::Renew, &[&id]) };
    let taken = |deals: Vec<Deal>| first_line(&look(&world, index, deals)).order_ids.clone();
    let closed = Deal { state: DealState::WithoutEffect, ..renews("closed") };
    let of_another = Deal { instance_ids: vec!["i-other".into()], ..renews("of another") };
    let bought = Deal { action: DealAction::Purchase, ..renews("bought") };
    assert_eq!(taken(vec![closed, of_another, bought, renews("a")]), ["a"]);
    assert_eq!(taken(vec![renews("a"), renews("b")]), [""; 0], "two candidates prove nothing");
}

#[test]
fn what_has_no_currency_in_the_books_is_in_that_of_the_quote_or_of_the_account() {
    for action in [OrderAction::Buy, OrderAction::Return] {
        let (mut world, index) = unsent(action);
        send(&mut world, index, &committed());
        let line = &mut world.orders[index].status.as_mut().unwrap().lines[0];
        line.state = LineState::Done;
        let deal = Deal { currency: None, ..ours(DealState::InEffect, &[]) };
        let paid = look(&world, index, vec![deal]).status.paid.unwrap();
        assert_eq!((paid.amount.as_str(), paid.currency.as_str()), ("105.00", "USD"), "{action:?}");
    }
}

#[test]
fn the_zone_of_the_clouds_times_is_told_by_an_order_of_ours_whose_call_is_known() {
    let (world, index) = paid();
    let line = world.orders[index].status.as_ref().unwrap().lines[0].clone();
    let sent = line.submit_time.as_ref().unwrap().0;
    let told = |line: &LineStatus, order: &str, hours: i8| {
        let created = Some(Offset::constant(hours).to_datetime(sent));
        let deal = Deal { order_id: order.into(), created, ..deal(DealAction::Purchase, &[]) };
        zone::observed(
            OrderAction::Buy,
            std::slice::from_ref(line),
            &DealsLook { started: world.now, deals: vec![deal] },
        )
    };
    for hours in [-5, 0, 8, 14] {
        assert_eq!(told(&line, "ours", hours), Some(Offset::constant(hours)));
    }
    assert_eq!(told(&line, "somebodys", 8), None);
    let in_doubt = |attempts| LineStatus { doubts: 1, attempts, ..line.clone() };
    assert_eq!(told(&in_doubt(1), "ours", 8), Some(Offset::constant(8)), "there was no other call");
    assert_eq!(told(&in_doubt(2), "ours", 8), None, "an earlier call may have made it, also if the last was answered");
    let renewed = DealsLook {
        started: world.now,
        deals: vec![Deal {
            order_id: "ours".into(),
            created: Some(Offset::constant(9).to_datetime(sent)),
            ..deal(DealAction::Renew, &[])
        }],
    };
    let by_hand = |line: LineStatus| zone::observed(OrderAction::Renew, &[line], &renewed);
    assert_eq!(by_hand(in_doubt(1)), None, "a person may have renewed it an hour later");
}
