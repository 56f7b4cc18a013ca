//! A pack that is replaced by a successor: each time once, for what ends, and only while it is needed.
#![allow(clippy::unwrap_used)]

mod world;

use carpack_api::order::LineState;
use carpack_api::pack::DeletionPolicy;
use carpack_core::observation::Instance;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use world::{Reply, World, extend, pack};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn replaced() -> World {
    let renewal = json!({"mode": "Operator", "duration": 3, "renewBefore": "6h", "strategy": "Replace"});
    let mut world = World::new(pack(json!({"renewal": renewal})));
    world.settle();
    assert_eq!(world.ready(), "True Active");
    world
}

fn expiry(world: &World) -> Timestamp {
    world.status().expiration_time.clone().unwrap().0
}

fn go_to(world: &mut World, moment: Timestamp) {
    world.pass(moment.duration_since(world.now));
    world.settle();
}

/// A world in which the pack is due to be replaced, and has been; with the expiry of what ends.
fn in_the_overlap(reply: Reply) -> (World, Timestamp) {
    let mut world = replaced();
    let ends = expiry(&world);
    world.replies = vec![reply];
    go_to(&mut world, ends - HOUR * 6);
    assert_eq!(world.bought(), 2, "{:?}", world.condition("RenewalOnTrack"));
    (world, ends)
}

fn successors(world: &World) -> Vec<String> {
    world.charges[1].instances.clone()
}

fn on_track(world: &World) -> String {
    world.condition("RenewalOnTrack").map(|(status, reason)| format!("{status} {reason}")).unwrap_or_default()
}

#[test]
fn a_successor_delivered_in_part_is_not_followed_by_another_for_the_same_end() {
    let (mut world, ends) = in_the_overlap(Reply::Partial(2));
    while world.now < ends - HOUR {
        world.pass(SignedDuration::from_mins(20));
        world.round();
        world.round();
    }
    assert_eq!((world.bought(), world.orders.len()), (2, 2), "paid is paid");
    assert_eq!(on_track(&world), "False PartiallyDelivered");
    go_to(&mut world, ends + HOUR);
    assert_eq!((world.bought(), world.ready().as_str()), (2, "False PartlyExpired"));
    // What was delivered ends in its turn, and is replaced like any other.
    let next = expiry(&world);
    assert!(next > ends + DAY);
    go_to(&mut world, next - HOUR * 6);
    assert_eq!((world.bought(), on_track(&world).as_str()), (3, "True Scheduled"));
}

#[test]
fn looks_that_miss_a_successor_buy_no_second_one() {
    let (mut world, _) = in_the_overlap(Reply::Honest);
    let all = world.instances.clone();
    for missing in [1, 2, 3] {
        for id in successors(&world).iter().take(missing) {
            world.instances.remove(id);
        }
        world.settle();
        assert_eq!((world.bought(), world.orders.len()), (2, 2), "without {missing}");
        world.instances.clone_from(&all);
        world.settle();
        assert_eq!((world.bought(), on_track(&world).as_str()), (2, "True Scheduled"));
    }
}

#[test]
fn a_successor_whose_count_nobody_says_is_bought_once_and_not_called_incomplete() {
    let mut world = replaced();
    let unsaid = |world: &mut World| world.instances.values_mut().for_each(|i| i.concurrencies = None);
    let ends = expiry(&world);
    world.pass((ends - HOUR * 6).duration_since(world.now));
    world.replies = vec![Reply::Delayed];
    world.settle();
    world.undelivered.iter_mut().for_each(|instance| instance.concurrencies = None);
    world.undelivered.truncate(1);
    world.deliver();
    unsaid(&mut world);
    go_to(&mut world, ends - HOUR * 4);
    assert_eq!((world.bought(), on_track(&world).as_str()), (2, "Unknown CountUnknown"));
    go_to(&mut world, ends + HOUR);
    assert_eq!((world.bought(), on_track(&world).as_str()), (2, "True Scheduled"));
}

#[test]
fn a_successor_that_is_not_needed_any_more_is_void() {
    let mut world = replaced();
    let ends = expiry(&world);
    world.pass((ends - HOUR * 6).duration_since(world.now));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    world.step_pack();
    assert_eq!(world.orders.len(), 2);
    let renewed = |instance: &mut Instance| extend(instance, DAY);
    world.instances.values_mut().take(2).for_each(renewed);
    world.settle();
    assert_eq!((world.bought(), world.orders.len()), (2, 2), "two of three are not the pack");
    let mut world = replaced();
    world.pass((ends - HOUR * 6).duration_since(world.now));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    world.step_pack();
    world.instances.values_mut().for_each(renewed);
    world.settle();
    assert_eq!((world.bought(), world.orders.len()), (1, 2));
    assert_eq!(world.orders[1].status.as_ref().unwrap().lines[0].state, LineState::Void);
}

#[test]
fn a_successor_is_not_bought_on_a_look_that_misses_what_it_replaces() {
    let mut world = replaced();
    let due = expiry(&world) - HOUR * 6;
    world.pass(due.duration_since(world.now));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    world.step_pack();
    let all = std::mem::take(&mut world.instances);
    world.pass(SignedDuration::from_secs(2));
    world.sweep();
    world.step_order(1);
    world.pass(SignedDuration::from_secs(2));
    world.sweep();
    world.step_order(1);
    let status = world.orders[1].status.as_ref().unwrap();
    let said = status.message.as_deref().unwrap_or_default();
    assert_eq!((world.bought(), said), (1, "what it replaces is not listed by the cloud"));
    world.instances = all;
    world.settle();
    assert_eq!((world.bought(), world.orders.len()), (2, 2));
}

#[test]
fn a_successor_that_was_refunded_in_the_console_asks_a_person_and_makes_no_orders_without_end() {
    let (mut world, ends) = in_the_overlap(Reply::Honest);
    for id in successors(&world) {
        world.instances.remove(&id);
    }
    go_to(&mut world, ends - HOUR * 4);
    assert_eq!((world.bought(), world.orders.len()), (2, 2));
    assert_eq!(on_track(&world), "False Vanished");
    // The way out that is printed.
    world.orders.remove(1);
    world.settle();
    assert_eq!((world.bought(), world.orders.len(), on_track(&world).as_str()), (3, 2, "True Scheduled"));
}

#[test]
fn a_successor_is_replaced_in_time_although_one_of_its_predecessors_was_renewed_beyond_it() {
    let mut world = replaced();
    let ends = expiry(&world);
    extend(world.instances.values_mut().next().unwrap(), DAY * 3);
    for times in 2..6 {
        let due = expiry(&world) - HOUR * 6;
        go_to(&mut world, due);
        assert_eq!((world.bought(), on_track(&world).as_str()), (times, "True Scheduled"), "at {due}");
    }
    assert!(expiry(&world) > ends + DAY * 9);
}

#[test]
fn a_successor_is_bought_in_time_although_no_list_shows_the_names_of_what_it_replaces() {
    let mut world = replaced();
    let ends = expiry(&world);
    world.instances.values_mut().for_each(|instance| instance.name = None);
    world.refuse_changes = true;
    go_to(&mut world, ends - HOUR * 6);
    assert_eq!((world.bought(), on_track(&world).as_str()), (2, "True Scheduled"));
}

#[test]
fn a_look_that_misses_a_part_of_a_successor_buys_nothing_although_an_older_instance_ends_before_it() {
    let mut world = replaced();
    let ends = expiry(&world);
    extend(world.instances.values_mut().next().unwrap(), DAY);
    go_to(&mut world, ends - HOUR * 6);
    assert_eq!(world.bought(), 2);
    go_to(&mut world, ends + HOUR * 18);
    let all = world.instances.clone();
    let missed = successors(&world)[2].clone();
    world.instances.remove(&missed);
    world.settle();
    assert_eq!((world.bought(), world.orders.len(), on_track(&world).as_str()), (2, 2, "False Vanished"));
    let message = world.condition_message("RenewalOnTrack");
    assert!(message.starts_with(&format!("{missed} of the pack are no longer listed")), "{message}");
    assert!(message.contains("delete PackOrder events.concert.buy-2 in"), "{message}");
    world.instances = all;
    world.settle();
    assert_eq!((world.bought(), on_track(&world).as_str()), (2, "True Scheduled"));
    // They were returned: the way out that is printed.
    for id in successors(&world) {
        world.instances.remove(&id);
    }
    world.settle();
    assert_eq!((world.bought(), on_track(&world).as_str()), (2, "False Vanished"));
    world.orders.remove(1);
    world.settle();
    assert_eq!(world.bought(), 3);
}

#[test]
fn what_a_successor_was_bought_for_can_be_returned_with_it() {
    let (mut world, _) = in_the_overlap(Reply::Honest);
    world.spec(|spec| spec.deletion_policy = DeletionPolicy::Return);
    world.delete_pack();
    world.step_pack();
    let index = world.orders.len() - 1;
    assert_eq!(world.orders[index].spec.lines.len(), 6);
    world.approve(index, "ThisOrder");
    world.settle();
    assert_eq!(world.instances.len(), 0, "{:?}", world.orders[index].status.as_ref().unwrap().message);
}

#[test]
fn what_was_bought_for_an_earlier_object_of_the_name_bars_no_successor_of_this_one() {
    let long = json!({"mode": "Operator", "duration": 30, "renewBefore": "72h", "strategy": "Replace"});
    let mut world = World::new(pack(json!({"duration": 30, "renewal": long})));
    world.settle();
    let due = expiry(&world) - DAY * 3;
    go_to(&mut world, due);
    assert_eq!(world.bought(), 2);
    // Returned, and made anew for less time than the first one had left.
    world.instances.clear();
    let renewal = json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "strategy": "Replace"});
    let mut again = pack(json!({"duration": 1, "renewal": renewal}));
    again.metadata.uid = Some("uid-2".to_owned());
    world.pack = Some(again);
    world.settle();
    assert_eq!((world.bought(), world.ready().as_str()), (3, "True Active"));
    let due = expiry(&world) - HOUR * 6;
    go_to(&mut world, due);
    assert_eq!((world.bought(), world.orders.len()), (4, 4));
}

#[test]
fn a_refunded_successor_is_not_called_incomplete_because_a_predecessor_outlasts() {
    let mut world = replaced();
    let ends = expiry(&world);
    extend(world.instances.values_mut().next().unwrap(), DAY * 3);
    go_to(&mut world, ends - HOUR * 6);
    assert_eq!(world.bought(), 2);
    for id in successors(&world) {
        world.instances.remove(&id);
    }
    go_to(&mut world, ends - HOUR * 4);
    assert_eq!((world.bought(), world.orders.len(), on_track(&world).as_str()), (2, 2, "False Vanished"));
}

#[test]
fn what_a_successor_was_bought_for_is_not_renewed_when_the_strategy_is_changed_although_a_part_was_not_delivered() {
    let (mut world, ends) = in_the_overlap(Reply::Partial(2));
    world.spec(|spec| spec.renewal.strategy = None);
    go_to(&mut world, ends - HOUR * 2);
    assert_eq!((world.bought(), world.renewed(), on_track(&world).as_str()), (2, 0, "False PartiallyDelivered"));
}

#[test]
fn a_pack_whose_expiry_nobody_says_does_not_end_as_planned() {
    let mut world = World::new(pack(json!({})));
    world.replies = vec![Reply::Delayed];
    world.settle();
    world.undelivered.iter_mut().for_each(|instance| instance.expiration = None);
    world.deliver();
    world.settle();
    assert_eq!(on_track(&world), "False ExpiryUnknown");
}

#[test]
fn what_a_successor_has_replaced_is_not_renewed_when_the_strategy_is_changed_and_a_look_misses_the_successor() {
    let (mut world, _) = in_the_overlap(Reply::Honest);
    world.spec(|spec| spec.renewal.strategy = None);
    let all = world.instances.clone();
    for id in successors(&world) {
        world.instances.remove(&id);
    }
    world.settle();
    assert_eq!((world.renewed(), world.orders.len(), on_track(&world).as_str()), (0, 2, "False Vanished"));
    world.instances = all;
    world.settle();
    assert_eq!((world.renewed(), on_track(&world).as_str()), (0, "True Scheduled"));
}
