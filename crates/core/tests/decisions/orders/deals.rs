//! What the cloud's order books say of the deals that an order has on record: paid, unpaid or closed, and what they cost.

use carpack_api::Reason;
use carpack_api::common::Time;
use carpack_api::order::{LineState, LineStatus, OrderAction};
use carpack_core::money::Amount;
use carpack_core::observation::{Deal, DealAction, DealState, Instance};
use carpack_core::order::{Effect, Outcome};
use carpack_core::zone;
use jiff::tz::Offset;
use serde_json::json;

use crate::orders::{deal, decide_with_deals, first_line, in_doubt, sent, unsent};
use crate::world::{DAY, HOUR, MINUTE, Reply, SECOND, World, committed, extend, pack, reads_deals};

/// The deal that the order has on record.
fn ours(state: DealState, instance_ids: &[&str]) -> Deal {
    Deal { order_id: "ours".into(), state, ..deal(DealAction::Purchase, instance_ids) }
}

/// A purchase that was answered, and a sweep since.
fn paid() -> (World, usize) {
    let (mut world, index) = unsent(OrderAction::Buy);
    world.record_call(index, &committed(&["ours"]));
    world.sweep_after(SECOND);
    (world, index)
}

#[test]
fn an_unpaid_order_stays_unpaid_until_the_books_say_otherwise() {
    let (mut world, index) = unsent(OrderAction::Buy);
    world.record_call(index, &committed(&["ours"]));
    let (mut settled, _) = unsent(OrderAction::Renew);
    let (id, row) = settled.instances.pop_first().unwrap();
    world.instances.insert(id.clone(), Instance { concurrencies: Some(3), name: None, ..row });
    world.sweep_after(SECOND);
    let state_when = |state| {
        let deal = ours(state, &[&id]);
        first_line(&decide_with_deals(&world, index, vec![deal])).state
    };
    assert_eq!(state_when(DealState::Unpaid), LineState::Committed);
    assert_eq!(state_when(DealState::InEffect), LineState::Done);
}

#[test]
fn that_an_order_is_unpaid_or_closed_is_noted_once() {
    let (mut world, index) = paid();
    let mut notes_after = |state: DealState| {
        world.orders[index].status = Some(decide_with_deals(&world, index, vec![ours(state, &[])]).status);
        let trail = world.order_status(index).trail.iter();
        trail.filter(|entry| entry.message.contains("order ours")).count()
    };
    let before = notes_after(DealState::InEffect);
    assert_eq!([DealState::Unpaid, DealState::Unpaid].map(&mut notes_after), [before + 1; 2]);
    assert_eq!([DealState::WithoutEffect, DealState::WithoutEffect].map(&mut notes_after), [before + 2; 2]);
}

#[test]
fn a_renewal_that_the_books_call_closed_is_refused_unless_the_cloud_shows_it() {
    let (mut world, index) = unsent(OrderAction::Renew);
    world.record_call(index, &committed(&["ours"]));
    let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
    let state = |world: &mut World| {
        world.sweep_after(SECOND);
        first_line(&decide_with_deals(world, index, vec![ours(DealState::WithoutEffect, &[&id])])).state
    };
    assert_eq!(state(&mut world), LineState::Rejected);
    let instance = world.instances.get_mut(&id).unwrap();
    extend(instance, DAY);
    assert_eq!(state(&mut world), LineState::Done);
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
        world.record_call(index, &paid);
        let (mut settled, _) = unsent(OrderAction::Renew);
        let mut row = settled.instances.pop_first().unwrap().1;
        row.id = "i-x".into();
        row.name = named.then(|| world.orders[index].spec.pack_name.clone());
        world.instances.insert("i-x".into(), row);
        world.sweep_after(SECOND);
        let state = first_line(&decide_with_deals(&world, index, vec![ours(DealState::WithoutEffect, &[])])).state;
        assert_eq!(state == LineState::Rejected, refused, "named: {named}, listed by its id: {listed_by_id}");
    }
}

#[test]
fn books_close_nothing_without_a_sweep_that_began_after_the_call() {
    let (mut world, index) = unsent(OrderAction::Buy);
    world.record_call(index, &committed(&["ours"]));
    let submitted = world.line(index).submit_time.clone().unwrap().0;
    let mut state = |began| {
        world.now = submitted + SECOND;
        world.sweep();
        world.observation.as_mut().unwrap().started = began;
        first_line(&decide_with_deals(&world, index, vec![ours(DealState::WithoutEffect, &[])])).state
    };
    assert_eq!([submitted, submitted + SECOND].map(&mut state), [LineState::Committed, LineState::Rejected]);
}

#[test]
fn a_purchase_found_by_what_it_left_behind_is_booked_with_what_it_cost() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::LostAfterCommit];
    world.run_rounds();
    let status = world.orders[0].status.clone().unwrap();
    assert_eq!(status.lines[0].order_ids, [world.charges[0].order_id.clone()]);
    assert_eq!(status.paid.map(|paid| paid.amount).as_deref(), Some("105.00"));
}

#[test]
fn that_a_purchase_has_cost_more_than_its_quote_is_said_once_with_a_warning() {
    let mut world = sent(Reply::LostAfterCommit);
    world.sweep();
    world.advance(SECOND);
    world.orders[0].status = Some(world.decide_order(0).status);
    let quote = world.orders[0].spec.quote.clone().unwrap();
    assert_eq!(quote.amount, "945.00");
    let mut said = |cost_cents: i64| {
        let mut deals = world.all_deals();
        deals.iter_mut().for_each(|deal| deal.cost_cents = Some(cost_cents));
        let decision = world.decide_order_with(0, &world.deal_list(deals));
        world.orders[0].status = Some(decision.status.clone());
        let condition = decision.status.conditions.into_iter().find(|c| c.type_ == "PaidAsQuoted").map(|c| c.message);
        let warnings = decision.events.iter().filter(|event| event.warning && event.reason == Reason::PaidAboveQuote);
        (condition, warnings.count())
    };
    let (message, warnings) = said(94_501);
    let message = message.unwrap();
    assert!(message.starts_with("it was quoted at 945.00 USD and has cost 945.01 USD"), "{message}");
    assert_eq!((warnings, said(94_501).1), (1, 0));
}

#[test]
fn a_purchase_that_has_cost_its_quote_says_nothing_of_it() {
    let mut world = World::new(pack(json!({"duration": 1, "quantity": 1})));
    world.run_rounds();
    let status = world.orders[0].status.clone().unwrap();
    assert_eq!(status.paid, world.orders[0].spec.quote);
    assert!(status.conditions.iter().all(|condition| condition.type_ != "PaidAsQuoted"));
}

#[test]
fn a_call_that_was_found_by_its_instance_takes_the_one_deal_that_can_be_its_own() {
    let (mut world, index) = in_doubt(OrderAction::Renew);
    let id = world.orders[index].spec.lines[0].instance_id.clone().unwrap();
    let instance = world.instances.get_mut(&id).unwrap();
    extend(instance, DAY);
    world.sweep();
    world.advance(SECOND);
    let renews = |order: &str| Deal { order_id: order.into(), ..deal(DealAction::Renew, &[&id]) };
    let taken = |deals: Vec<Deal>| first_line(&decide_with_deals(&world, index, deals)).order_ids.clone();
    let closed = Deal { state: DealState::WithoutEffect, ..renews("closed") };
    let of_another = Deal { instance_ids: vec!["i-other".into()], ..renews("of another") };
    let bought = Deal { action: DealAction::Purchase, ..renews("bought") };
    assert_eq!(taken(vec![closed, of_another, bought, renews("a")]), ["a"]);
    assert_eq!(taken(vec![renews("a"), renews("b")]), [""; 0], "two candidates prove nothing");
}

#[test]
fn what_a_purchase_has_cost_is_looked_up_however_late_and_in_the_end_only_once_in_vain() {
    let mut world = sent(Reply::LostAfterCommit);
    world.sweep();
    world.advance(SECOND);
    world.orders[0].status = Some(world.decide_order(0).status);
    assert_eq!(world.line_state(0), (LineState::Done, 1));
    let empty = world.deal_list(Vec::new());
    let again = world.decide_order_with(0, &empty).wake_at.unwrap();
    assert!(again.duration_since(world.now) <= SECOND * 15, "{again}");

    world.advance(HOUR * 30);
    assert!(reads_deals(&world.decide_order(0)));
    let deals = world.deal_list(world.all_deals());
    let paid = world.decide_order_with(0, &deals).status.paid;
    assert_eq!(paid.map(|paid| paid.amount).as_deref(), Some("105.00"));
    let empty = world.deal_list(Vec::new());
    world.orders[0].status = Some(world.decide_order_with(0, &empty).status);
    assert_eq!((world.decide_order(0).effect, world.line_state(0).0), (None, LineState::Done));
}

#[test]
fn the_cost_of_a_purchase_is_wanted_although_a_read_in_vain_was_made_early() {
    let (mut world, index) = unsent(OrderAction::Buy);
    world.record_call(index, &committed(&["ours"]));
    let line = &mut world.orders[index].status.as_mut().unwrap().lines[0];
    line.state = LineState::Done;
    line.last_look_time = Some(Time(world.now));
    world.orders[index].status = Some(world.decide_order(index).status);
    assert!(reads_deals(&world.decide_order(index)));
}

#[test]
fn one_of_two_orders_is_not_what_a_line_has_cost_until_the_other_has_had_its_time() {
    let (mut world, index) = unsent(OrderAction::Buy);
    world.record_call(index, &committed(&["ours", "second"]));
    world.sweep_after(SECOND);
    let one = || ours(DealState::InEffect, &[]);
    let second = || Deal { order_id: "second".into(), ..one() };
    let paid = |world: &World, deals| {
        let paid = first_line(&decide_with_deals(world, index, deals)).paid.clone();
        paid.map(|paid| Amount::parse(&paid.amount).unwrap())
    };
    let cost = paid(&world, vec![one(), second()]).unwrap();
    assert_eq!(paid(&world, vec![one()]), None);
    world.advance(world.timing.delivery_grace);
    assert_eq!(paid(&world, vec![one()]).and_then(|half| half.plus(half)), Some(cost), "then what is there counts");
}

#[test]
fn what_the_books_show_in_another_currency_is_no_sum_of_nothing() {
    let (world, index) = paid();
    let deal = Deal { currency: Some("CNY".into()), ..ours(DealState::InEffect, &[]) };
    let status = decide_with_deals(&world, index, vec![deal]).status;
    assert_eq!(status.lines[0].paid.as_ref().map(|paid| paid.currency.as_str()), Some("CNY"));
    assert_eq!(status.paid, None, "limits then count the quote");
}

#[test]
fn what_has_no_currency_in_the_books_is_in_that_of_the_quote_or_of_the_account() {
    for action in [OrderAction::Buy, OrderAction::Return] {
        let (mut world, index) = unsent(action);
        world.record_call(index, &committed(&["ours"]));
        let line = &mut world.orders[index].status.as_mut().unwrap().lines[0];
        line.state = LineState::Done;
        let deal = Deal { currency: None, ..ours(DealState::InEffect, &[]) };
        let paid = decide_with_deals(&world, index, vec![deal]).status.paid.unwrap();
        assert_eq!((paid.amount.as_str(), paid.currency.as_str()), ("105.00", "USD"), "{action:?}");
    }
}

#[test]
fn books_that_cannot_be_read_do_not_delay_the_next_line() {
    let mut world = World::new(pack(json!({})));
    world.run_rounds();
    world.order_renewal();
    world.advance(SECOND);
    world.record_call(1, &committed(&["ours"]));
    let effects: Vec<_> = (0..4)
        .filter_map(|_| {
            world.sweep_after(SECOND);
            let decision = world.decide_order(1);
            world.orders[1].status = Some(decision.status);
            decision.effect
        })
        .collect();
    assert_eq!(effects.first(), Some(&Effect::Submit { index: 1 }), "{effects:?}");
}

#[test]
fn the_books_are_read_around_the_call_in_every_zone_that_the_cloud_may_mean() {
    let (mut world, index) = in_doubt(OrderAction::Buy);
    world.orders[index].status = Some(world.decide_order(index).status);
    let submitted = world.line(index).submit_time.clone().unwrap().0;
    let Some(Effect::ReadDeals { since, until }) = world.decide_order(index).effect else {
        panic!("no deals are read")
    };
    let around = HOUR * 26 + MINUTE * 15;
    assert_eq!([submitted.duration_since(since), until.duration_since(world.now)], [around; 2]);
}

#[test]
fn the_zone_of_the_clouds_times_is_told_by_an_order_of_ours_whose_call_is_known() {
    let (world, index) = paid();
    let line = world.line(index).clone();
    let sent = line.submit_time.as_ref().unwrap().0;
    let observed = |line: &LineStatus, order: &str, hours: i8| {
        let created = Some(Offset::constant(hours).to_datetime(sent));
        let deal = Deal { order_id: order.into(), created, ..deal(DealAction::Purchase, &[]) };
        zone::observed(OrderAction::Buy, std::slice::from_ref(line), &world.deal_list(vec![deal]))
    };
    for hours in [-5, 0, 8, 14] {
        assert_eq!(observed(&line, "ours", hours), Some(Offset::constant(hours)));
    }
    assert_eq!(observed(&line, "somebodys", 8), None);
    let in_doubt = |attempts| LineStatus { doubts: 1, attempts, ..line.clone() };
    assert_eq!(observed(&in_doubt(1), "ours", 8), Some(Offset::constant(8)), "there was no other call");
    assert_eq!(
        observed(&in_doubt(2), "ours", 8),
        None,
        "an earlier call may have made it, also if the last was answered"
    );
    let created = Some(Offset::constant(9).to_datetime(sent));
    let renewed = Deal { order_id: "ours".into(), created, ..deal(DealAction::Renew, &[]) };
    let observed = zone::observed(OrderAction::Renew, &[in_doubt(1)], &world.deal_list(vec![renewed]));
    assert_eq!(observed, None, "a person may have renewed it an hour later");
}
