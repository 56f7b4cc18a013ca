//! A pack that is replaced by a successor: once for each end, and only while it is needed.

use carpack_api::order::{LineState, OrderAction, OrderState};
use carpack_api::pack::DeletionPolicy;
use carpack_core::names::cloud_name;
use carpack_core::observation::{Binding, Instance};
use jiff::Timestamp;
use serde_json::json;

use crate::packs::active;
use crate::world::{DAY, HOUR, MINUTE, NAME, NAMESPACE, Reply, SECOND, World, extend, pack, time};

/// A pack that was bought and that is to be replaced six hours before it ends.
fn replaced() -> World {
    let renewal = json!({"mode": "Operator", "duration": 3, "renewBefore": "6h", "strategy": "Replace"});
    active(json!({"renewal": renewal}))
}

fn expiry(world: &World) -> Timestamp {
    world.status().expiration_time.clone().unwrap().0
}

fn run_at(world: &mut World, moment: Timestamp) {
    world.advance_to(moment);
    world.run_rounds();
}

/// The successor was bought, and the predecessor is still there; also when the predecessor ends.
fn in_the_overlap(reply: Reply) -> (World, Timestamp) {
    let mut world = replaced();
    let ends = expiry(&world);
    world.replies = vec![reply];
    run_at(&mut world, ends - HOUR * 6);
    assert_eq!(world.bought(), 2, "{:?}", world.renewal_on_track());
    (world, ends)
}

/// The ids of the second purchase.
fn successors(world: &World) -> Vec<String> {
    world.charges[1].instances.clone()
}

#[test]
fn a_successor_replaces_the_pack_without_a_gap() {
    let renewal = json!({"mode": "Operator", "duration": 3, "renewBefore": "6h", "strategy": "Replace"});
    let mut world = active(json!({"project": "cap-a", "renewal": renewal}));
    while world.now < time("2026-12-08T00:00:00Z") {
        world.advance(MINUTE * 30);
        world.round();
        world.round();
        let live =
            world.instances.values().filter(|i| !i.isolated && i.project == Binding::Bound("cap-a".into())).count();
        assert!(live >= 3, "only {live} of 3 in the project at {}", world.now);
    }
    assert_eq!((world.bought(), world.renewed()), (3, 0));
    assert!(world.orders[1].spec.pack_name.contains("-002-"));
}

#[test]
fn a_successor_that_would_gain_less_than_half_its_term_is_not_bought() {
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "20h", "strategy": "Replace"});
    let mut world = active(json!({"renewal": renewal}));
    world.run_until("2026-12-03T06:00:00Z", HOUR);
    assert_eq!(world.renewal_on_track(), "False SuccessorGainsTooLittle");
    assert_eq!(world.bought(), 1);
}

#[test]
fn a_successor_delivered_in_part_is_not_followed_by_another_for_the_same_end() {
    let (mut world, ends) = in_the_overlap(Reply::Partial(2));
    while world.now < ends - HOUR {
        world.advance(MINUTE * 20);
        world.round();
        world.round();
    }
    assert_eq!((world.bought(), world.orders.len()), (2, 2), "paid is paid");
    assert_eq!(world.renewal_on_track(), "False PartiallyDelivered");
    run_at(&mut world, ends + HOUR);
    assert_eq!((world.bought(), world.ready().as_str()), (2, "False PartlyExpired"));
    // What was delivered is replaced in turn when it ends.
    let next = expiry(&world);
    assert!(next > ends + DAY);
    run_at(&mut world, next - HOUR * 6);
    assert_eq!((world.bought(), world.renewal_on_track().as_str()), (3, "True Scheduled"));
}

#[test]
fn looks_that_miss_a_successor_buy_no_second_one() {
    let (mut world, _) = in_the_overlap(Reply::Honest);
    let all = world.instances.clone();
    for missing in [1, 2, 3] {
        for id in successors(&world).iter().take(missing) {
            world.instances.remove(id);
        }
        world.run_rounds();
        assert_eq!((world.bought(), world.orders.len()), (2, 2), "without {missing}");
        world.instances.clone_from(&all);
        world.run_rounds();
        assert_eq!((world.bought(), world.renewal_on_track().as_str()), (2, "True Scheduled"));
    }
}

#[test]
fn a_successor_whose_count_nobody_says_is_bought_once_and_not_called_incomplete() {
    let mut world = replaced();
    let unsaid = |world: &mut World| world.instances.values_mut().for_each(|i| i.concurrencies = None);
    let ends = expiry(&world);
    world.advance_to(ends - HOUR * 6);
    world.replies = vec![Reply::Delayed];
    world.run_rounds();
    world.undelivered.iter_mut().for_each(|instance| instance.concurrencies = None);
    world.undelivered.truncate(1);
    world.deliver();
    unsaid(&mut world);
    run_at(&mut world, ends - HOUR * 4);
    assert_eq!((world.bought(), world.renewal_on_track().as_str()), (2, "Unknown CountUnknown"));
    run_at(&mut world, ends + HOUR);
    assert_eq!((world.bought(), world.renewal_on_track().as_str()), (2, "True Scheduled"));
}

#[test]
fn a_successor_that_is_not_needed_any_more_is_void() {
    let mut world = replaced();
    world.order_renewal();
    assert_eq!(world.orders.len(), 2);
    let renewed = |instance: &mut Instance| extend(instance, DAY);
    world.instances.values_mut().take(2).for_each(renewed);
    world.run_rounds();
    assert_eq!((world.bought(), world.orders.len()), (2, 2), "two of three are not the pack");
    let mut world = replaced();
    world.order_renewal();
    world.instances.values_mut().for_each(renewed);
    world.run_rounds();
    assert_eq!((world.bought(), world.orders.len()), (1, 2));
    assert_eq!(world.line(1).state, LineState::Void);
}

#[test]
fn a_successor_is_not_bought_on_a_sweep_that_misses_what_it_replaces() {
    let mut world = replaced();
    world.order_renewal();
    let all = std::mem::take(&mut world.instances);
    world.advance(SECOND * 2);
    world.sweep();
    world.reconcile_order(1);
    world.advance(SECOND * 2);
    world.sweep();
    world.reconcile_order(1);
    assert_eq!((world.bought(), world.order_message(1)), (1, "what it replaces is not listed by the cloud"));
    world.instances = all;
    world.run_rounds();
    assert_eq!((world.bought(), world.orders.len()), (2, 2));
}

#[test]
fn a_successor_that_was_paid_for_and_is_not_shown_is_not_bought_again() {
    let replace = json!({"mode": "Operator", "duration": 2, "renewBefore": "6h", "strategy": "Replace"});
    let mut world = active(json!({"renewal": replace}));
    let first: Vec<String> = world.instances.keys().cloned().collect();
    world.replies = vec![Reply::Delayed];
    world.run_until("2026-12-03T18:10:00Z", HOUR);
    let order = world.orders.last_mut().unwrap();
    assert_eq!((order.spec.action, order.spec.ordinal), (OrderAction::Buy, 2));
    let status = order.status.as_mut().unwrap();
    (status.state, status.lines[0].state) = (Some(OrderState::Fulfilled), LineState::Done);
    world.run_rounds();
    assert_eq!((world.bought(), world.orders.len()), (2, 2));

    // The order is deleted, and the successor is listed: the pack orders nothing, for the order would be void.
    world.orders.pop();
    world.deliver();
    world.run_rounds();
    assert!(world.instances.keys().any(|id| !first.contains(id)));
    assert_eq!((world.bought(), world.orders.len()), (2, 1));
    assert_eq!(world.renewal_on_track(), "False NameTaken");
}

#[test]
fn a_successor_that_was_refunded_in_the_console_asks_a_person_and_makes_no_orders_without_end() {
    let (mut world, ends) = in_the_overlap(Reply::Honest);
    for id in successors(&world) {
        world.instances.remove(&id);
    }
    run_at(&mut world, ends - HOUR * 4);
    assert_eq!((world.bought(), world.orders.len()), (2, 2));
    assert_eq!(world.renewal_on_track(), "False Vanished");
    // What the message tells a person to do.
    world.orders.remove(1);
    world.run_rounds();
    assert_eq!((world.bought(), world.orders.len(), world.renewal_on_track().as_str()), (3, 2, "True Scheduled"));
}

#[test]
fn a_successor_is_replaced_in_time_although_one_of_its_predecessors_was_renewed_beyond_it() {
    let mut world = replaced();
    let ends = expiry(&world);
    extend(world.instances.values_mut().next().unwrap(), DAY * 3);
    for times in 2..6 {
        let due = expiry(&world) - HOUR * 6;
        run_at(&mut world, due);
        assert_eq!((world.bought(), world.renewal_on_track().as_str()), (times, "True Scheduled"), "at {due}");
    }
    assert!(expiry(&world) > ends + DAY * 9);
}

#[test]
fn a_successor_is_bought_in_time_although_no_list_shows_the_names_of_what_it_replaces() {
    let mut world = replaced();
    let ends = expiry(&world);
    world.instances.values_mut().for_each(|instance| instance.name = None);
    world.refuse_changes = true;
    run_at(&mut world, ends - HOUR * 6);
    assert_eq!((world.bought(), world.renewal_on_track().as_str()), (2, "True Scheduled"));
}

#[test]
fn a_sweep_that_misses_a_part_of_a_successor_buys_nothing_although_an_older_instance_ends_before_it() {
    let mut world = replaced();
    let ends = expiry(&world);
    extend(world.instances.values_mut().next().unwrap(), DAY);
    run_at(&mut world, ends - HOUR * 6);
    assert_eq!(world.bought(), 2);
    run_at(&mut world, ends + HOUR * 18);
    let all = world.instances.clone();
    let missed = successors(&world)[2].clone();
    world.instances.remove(&missed);
    world.run_rounds();
    assert_eq!((world.bought(), world.orders.len(), world.renewal_on_track().as_str()), (2, 2, "False Vanished"));
    let message = world.condition_message("RenewalOnTrack");
    assert!(message.starts_with(&format!("{missed} of the pack are no longer listed")), "{message}");
    assert!(message.contains("delete PackOrder events.concert.buy-2 in"), "{message}");
    world.instances = all;
    world.run_rounds();
    assert_eq!((world.bought(), world.renewal_on_track().as_str()), (2, "True Scheduled"));
    // They were returned, and a person does what the message says.
    for id in successors(&world) {
        world.instances.remove(&id);
    }
    world.run_rounds();
    assert_eq!((world.bought(), world.renewal_on_track().as_str()), (2, "False Vanished"));
    world.orders.remove(1);
    world.run_rounds();
    assert_eq!(world.bought(), 3);
}

#[test]
fn what_a_successor_was_bought_for_can_be_returned_with_it() {
    let (mut world, _) = in_the_overlap(Reply::Honest);
    world.edit_spec(|spec| spec.deletion_policy = DeletionPolicy::Return);
    world.delete_pack();
    world.reconcile_pack();
    let index = world.last_order();
    assert_eq!(world.orders[index].spec.lines.len(), 6);
    world.approve(index, "ThisOrder");
    world.run_rounds();
    assert_eq!(world.instances.len(), 0, "{:?}", world.order_status(index).message);
}

#[test]
fn what_was_bought_for_an_earlier_object_of_the_name_bars_no_successor_of_this_one() {
    let long = json!({"mode": "Operator", "duration": 30, "renewBefore": "72h", "strategy": "Replace"});
    let mut world = World::new(pack(json!({"duration": 30, "renewal": long})));
    world.run_rounds();
    let due = expiry(&world) - DAY * 3;
    run_at(&mut world, due);
    assert_eq!(world.bought(), 2);
    // Both are returned, and the pack is created again for less time than the first one had left.
    world.instances.clear();
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "strategy": "Replace"});
    let mut again = pack(json!({"duration": 1, "renewal": renewal}));
    again.metadata.uid = Some("uid-2".to_owned());
    world.pack = Some(again);
    world.run_rounds();
    assert_eq!((world.bought(), world.ready().as_str()), (3, "True Active"));
    let due = expiry(&world) - HOUR * 6;
    run_at(&mut world, due);
    assert_eq!((world.bought(), world.orders.len()), (4, 4));
}

#[test]
fn a_refunded_successor_is_not_called_incomplete_because_a_predecessor_outlasts() {
    let mut world = replaced();
    let ends = expiry(&world);
    extend(world.instances.values_mut().next().unwrap(), DAY * 3);
    run_at(&mut world, ends - HOUR * 6);
    assert_eq!(world.bought(), 2);
    for id in successors(&world) {
        world.instances.remove(&id);
    }
    run_at(&mut world, ends - HOUR * 4);
    assert_eq!((world.bought(), world.orders.len(), world.renewal_on_track().as_str()), (2, 2, "False Vanished"));
}

#[test]
fn what_a_successor_was_bought_for_is_not_renewed_when_the_strategy_is_changed_although_a_part_was_not_delivered() {
    let (mut world, ends) = in_the_overlap(Reply::Partial(2));
    world.edit_spec(|spec| spec.renewal.strategy = None);
    run_at(&mut world, ends - HOUR * 2);
    assert_eq!(
        (world.bought(), world.renewed(), world.renewal_on_track().as_str()),
        (2, 0, "False PartiallyDelivered")
    );
}

#[test]
fn what_a_successor_has_replaced_is_not_renewed_when_the_strategy_is_changed_and_a_sweep_misses_the_successor() {
    let (mut world, _) = in_the_overlap(Reply::Honest);
    world.edit_spec(|spec| spec.renewal.strategy = None);
    let all = world.instances.clone();
    for id in successors(&world) {
        world.instances.remove(&id);
    }
    world.run_rounds();
    assert_eq!((world.renewed(), world.orders.len(), world.renewal_on_track().as_str()), (0, 2, "False Vanished"));
    world.instances = all;
    world.run_rounds();
    assert_eq!((world.renewed(), world.renewal_on_track().as_str()), (0, "True Scheduled"));
}

#[test]
fn no_successor_is_ordered_under_a_name_that_is_listed_though_it_has_expired() {
    let mut world =
        World::new(pack(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}})));
    world.run_rounds();
    let mut expired = world.instances.values().next().unwrap().clone();
    expired.id = "i-expired".into();
    (expired.name, expired.isolated) = (Some(cloud_name(NAMESPACE, NAME, None, 2)), true);
    expired.expiration = Some(world.now);
    world.instances.insert(expired.id.clone(), expired);
    world.order_renewal();
    world.run_rounds();
    assert_eq!((world.orders.len(), world.renewal_on_track().as_str()), (1, "False NameTaken"));
    world.instances.remove("i-expired");
    world.sweep();
    world.run_rounds();
    assert_eq!(world.bought(), 2, "once it is gone from the list");
}
