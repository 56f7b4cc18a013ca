//! The last gate before money moves: an order that exists already, in a world that has changed since.
#![allow(clippy::unwrap_used)]

mod world;

use carpack_api::account::Channel;
use carpack_api::common::Time;
use carpack_api::order::{LineState, OrderState};
use carpack_api::pack::{RenewFlag, RenewalMode, RenewalStrategy};
use carpack_api::{ConcurrencyPackSpec, Mode};
use carpack_core::account::Health;
use carpack_core::observation::{Binding, DealsLook};
use carpack_core::order::Effect;
use jiff::SignedDuration;
use rstest::rstest;
use serde_json::json;
use world::{Reply, World, extend, pack, time};

/// A world in which the first purchase has been ordered and not sent; the sweep in hand is newer than the order.
fn ordered(spec: serde_json::Value) -> World {
    let mut world = World::new(pack(spec));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    world.step_pack();
    world.step_pack();
    assert_eq!(world.orders.len(), 1, "{:?}", world.ready());
    world.step_order(0);
    world.pass(SignedDuration::from_secs(1));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    world
}

/// A world in which three renewals have been ordered and not sent.
fn due(spec: serde_json::Value) -> World {
    let mut world = World::new(pack(spec));
    world.settle();
    world.until_due();
    assert_eq!(world.orders.len(), 2, "{:?}", world.status().next);
    world.step_order(1);
    world.pass(SignedDuration::from_secs(1));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    world
}

/// Lets only the newest order run.
fn run(world: &mut World) {
    let last = world.orders.len() - 1;
    for _ in 0..12 {
        world.step_order(last);
    }
}

/// The same, with a look at the cloud that is newer than whatever held the order.
fn run_after_a_look(world: &mut World) {
    run(world);
    world.pass(SignedDuration::from_secs(1));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    run(world);
}

fn line(world: &World) -> (LineState, i32) {
    let line = world.orders.last().unwrap().status.as_ref().unwrap().lines[0].clone();
    (line.state, line.attempts)
}

#[test]
fn an_order_in_an_unchanged_world_is_sent() {
    let mut world = ordered(json!({}));
    run(&mut world);
    assert_eq!(world.bought(), 1);
    let mut world = due(json!({}));
    run(&mut world);
    assert_eq!(world.renewed(), 3);
}

#[test]
fn nothing_is_sent_on_the_word_of_a_sweep_older_than_the_order() {
    let mut world = World::new(pack(json!({})));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    world.step_pack();
    world.step_pack();
    run(&mut world);
    assert_eq!((world.orders.len(), world.bought()), (1, 0));
}

#[test]
fn nothing_is_sent_on_the_word_of_a_stale_sweep() {
    let mut world = ordered(json!({}));
    world.pass(SignedDuration::from_mins(30));
    run(&mut world);
    assert_eq!(world.bought(), 0);
}

#[test]
fn a_first_purchase_is_not_sent_while_anything_alive_carries_the_packs_hash() {
    let mut world = ordered(json!({}));
    let mut other = World::new(pack(json!({})));
    other.settle();
    // Bought by an order that somebody took away: under another number of the same lineage.
    world.instances = other.instances.clone();
    for instance in world.instances.values_mut() {
        let name = instance.name.clone().unwrap();
        let hash = name.rsplit('-').nth(1).unwrap();
        instance.name = Some(format!("other-002-{hash}-1"));
    }
    world.sweep();
    run(&mut world);
    assert_eq!((world.bought(), line(&world)), (0, (LineState::Pending, 0)));
    world.pass(SignedDuration::from_hours(24 * 4));
    world.sweep();
    run(&mut world);
    assert_eq!(world.bought(), 1, "what has expired stands in nobody's way");
}

#[test]
fn a_pack_that_has_been_bought_is_not_bought_by_an_order_that_was_put_back() {
    let mut world = World::new(pack(json!({})));
    world.settle();
    let last = world.orders.len() - 1;
    world.orders[last].status = None;
    world.instances.clear();
    world.sweep();
    run(&mut world);
    assert_eq!((world.bought(), line(&world)), (1, (LineState::Void, 0)));
}

#[test]
fn of_two_open_orders_of_a_pack_the_earlier_goes_first_and_the_other_buys_nothing() {
    let mut world = ordered(json!({}));
    let mut second = world.orders[0].clone();
    second.metadata.name = Some("events.concert.buy-2".into());
    second.spec.ordinal = 2;
    second.spec.lines[0].client_token = "another".into();
    world.orders.push(second);
    run(&mut world);
    assert_eq!(world.bought(), 0, "it waits for the earlier one");
    world.settle();
    assert_eq!((world.bought(), line(&world)), (1, (LineState::Void, 0)));
}

#[test]
fn nothing_is_spent_on_a_pack_of_which_an_order_cannot_be_read() {
    for mut world in [ordered(json!({})), due(json!({}))] {
        let before = world.charges.len();
        world.unreadable = ["tenant.other.buy-1".into(), "events.concert.renew-7".into()].into();
        run(&mut world);
        assert_eq!((world.charges.len(), line(&world)), (before, (LineState::Pending, 0)));
        let status = world.orders.last().unwrap().status.clone().unwrap();
        let message = status.message.unwrap();
        assert!(message.contains("PackOrder events.concert.renew-7 cannot be read"), "{message}");
        world.step_pack();
        assert!(world.status().conditions.iter().any(|c| c.reason == "OrderUnreadable" && c.status != "True"));
        world.unreadable = ["tenant.other.buy-1".into()].into();
        run_after_a_look(&mut world);
        assert!(world.charges.len() > before, "the order of another pack holds nothing");
    }
}

#[test]
fn where_there_are_limits_nothing_is_spent_while_any_order_cannot_be_counted() {
    let mut world = ordered(json!({}));
    let account = world.account.as_mut().unwrap();
    account.spec.limits = Some(serde_json::from_value(json!({"spendPerMonth": "1000000"})).unwrap());
    world.unreadable = ["tenant.other.buy-1".into()].into();
    run(&mut world);
    assert_eq!((world.bought(), line(&world)), (0, (LineState::Pending, 0)));
    world.unreadable.clear();
    run_after_a_look(&mut world);
    assert_eq!(world.bought(), 1);
}

#[test]
fn a_renewal_is_void_when_it_was_declared_otherwise_since() {
    for change in [
        |spec: &mut ConcurrencyPackSpec| spec.renewal.duration = Some(2),
        |spec: &mut ConcurrencyPackSpec| spec.renewal.strategy = Some(RenewalStrategy::Replace),
    ] {
        let mut world = due(json!({}));
        world.spec(change);
        run(&mut world);
        assert_eq!((world.renewed(), line(&world)), (0, (LineState::Void, 0)));
        world.settle();
        assert_eq!(world.orders.len(), 3, "it is ordered anew, as declared");
    }
}

#[test]
fn nothing_is_bought_under_a_name_that_is_taken_meanwhile() {
    let mut world = ordered(json!({}));
    let mut other = World::new(pack(json!({})));
    other.settle();
    world.instances = other.instances;
    world.sweep();
    run(&mut world);
    assert_eq!(world.bought(), 0);
    // By its very name nothing could be told from it, also when it has expired.
    world.pass(SignedDuration::from_hours(24 * 4));
    world.sweep();
    run(&mut world);
    assert_eq!(world.bought(), 0);
}

#[test]
fn an_order_that_was_held_waits_for_a_look_from_after_it_was_let_go() {
    let mut world = due(json!({"mode": "Automatic"}));
    world.installation_mode = Mode::ApprovalRequired;
    run(&mut world);
    // The last look was a moment ago; since then somebody has renewed the second instance in the console.
    let second = world.instances.values_mut().nth(1).unwrap();
    extend(second, SignedDuration::from_hours(24));
    let last = world.orders.len() - 1;
    world.approve(last, "ThisOrder");
    for _ in 0..12 {
        world.step_order(last);
    }
    assert_eq!(world.renewed(), 0);
    world.pass(SignedDuration::from_secs(1));
    world.sweep();
    run(&mut world);
    let states = world.orders[last].status.iter().flat_map(|s| &s.lines).map(|line| line.state);
    assert_eq!(states.collect::<Vec<_>>(), [LineState::Committed, LineState::Void, LineState::Committed]);
    assert_eq!(world.renewed(), 2);
}

#[rstest]
#[case::of_all(3)]
#[case::of_one(1)]
fn a_renewal_whose_expiry_has_moved_is_void(#[case] moved: usize) {
    let mut world = due(json!({}));
    for instance in world.instances.values_mut().take(moved) {
        extend(instance, SignedDuration::from_hours(24));
    }
    world.sweep();
    run(&mut world);
    assert_eq!((world.renewed(), line(&world)), (3 - moved, (LineState::Void, 0)));
}

#[test]
fn a_renewal_is_void_when_what_outlasts_its_instance_carries_the_whole_pack_meanwhile() {
    let mut world = due(json!({}));
    let mut others: Vec<_> = world.instances.values().cloned().collect();
    for other in &mut others {
        other.id = format!("later-{}", other.id);
        extend(other, SignedDuration::from_hours(72));
    }
    world.instances.extend(others.into_iter().map(|other| (other.id.clone(), other)));
    world.sweep();
    run(&mut world);
    assert_eq!((world.renewed(), line(&world)), (0, (LineState::Void, 0)));
}

#[test]
fn a_successor_is_void_when_the_lineage_lasts_longer_meanwhile() {
    let mut world = due(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": "Replace"}}));
    for instance in world.instances.values_mut() {
        extend(instance, SignedDuration::from_hours(24));
    }
    world.sweep();
    run(&mut world);
    assert_eq!((world.bought(), line(&world)), (1, (LineState::Void, 0)));
}

#[rstest]
#[case::extend("Extend", 3, 1)]
#[case::replace("Replace", 0, 2)]
fn what_is_due_is_renewed_once_although_another_list_dates_its_expiry_a_little_otherwise(
    #[case] strategy: &str,
    #[case] renewed: usize,
    #[case] bought: usize,
    #[values(-10, 10)] minutes: i64,
) {
    let mut world = due(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": strategy}}));
    for instance in world.instances.values_mut() {
        let by = SignedDuration::from_mins(minutes);
        extend(instance, by);
    }
    world.sweep();
    run(&mut world);
    assert_eq!((world.renewed(), world.bought()), (renewed, bought));
}

#[rstest]
#[case::until_is_brought_forward(-1, 0)]
#[case::until_is_the_moment_of_the_expiry(0, 0)]
#[case::the_expiry_is_read_in_another_zone(2, 6)]
fn a_renewal_is_void_when_what_it_renews_lasts_until_the_end_of_renewal_after_all(
    #[case] until: i64,
    #[case] moves: i64,
    #[values("Extend", "Replace")] strategy: &str,
) {
    let mut world = due(json!({"renewal": {"mode": "Operator", "renewBefore": "6h", "strategy": strategy}}));
    let expires = world.instances.values().filter_map(|instance| instance.expiration).min().unwrap();
    world.spec(|spec| spec.renewal.until = Some(Time(expires + SignedDuration::from_hours(until))));
    for instance in world.instances.values_mut() {
        extend(instance, SignedDuration::from_hours(moves));
    }
    world.sweep();
    run(&mut world);
    assert_eq!((world.renewed(), world.bought(), line(&world)), (0, 1, (LineState::Void, 0)));
    world.settle();
    assert_eq!(world.orders.len(), 2, "it is not ordered again");
    assert_eq!(world.condition("RenewalOnTrack").unwrap().1, "EndsAsPlanned");
}

#[test]
fn what_has_expired_meanwhile_is_not_renewed() {
    let mut world = due(json!({}));
    world.pass(SignedDuration::from_hours(7));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    run(&mut world);
    assert_eq!((world.renewed(), line(&world)), (0, (LineState::Rejected, 0)));
}

#[test]
fn nothing_is_renewed_by_us_while_the_clouds_own_renewal_is_on_or_unseen() {
    let monthly =
        json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "Operator", "renewBefore": "48h"}});
    for flag in [RenewFlag::Auto, RenewFlag::Unknown] {
        let mut world = due(monthly.clone());
        for instance in world.instances.values_mut() {
            instance.renew_flag = flag;
        }
        world.sweep();
        run(&mut world);
        assert_eq!((world.renewed(), line(&world)), (0, (LineState::Pending, 0)), "{flag:?}");
        // Neither does the pack order anything while it is so.
        world.orders.truncate(1);
        world.step_pack();
        assert_eq!(world.orders.len(), 1, "{flag:?}");
    }
}

#[test]
fn the_ladder_is_asked_again_before_money_moves() {
    for mode in [Mode::Observe, Mode::DryRun, Mode::ApprovalRequired] {
        for place in 0..3 {
            let mut world = ordered(json!({}));
            match place {
                0 => world.installation_mode = mode,
                1 => world.account.as_mut().unwrap().spec.mode = mode,
                _ => world.spec(|spec| spec.mode = mode),
            }
            run(&mut world);
            assert_eq!((world.bought(), line(&world)), (0, (LineState::Pending, 0)), "{mode:?} at {place}");
        }
    }
}

#[test]
fn a_price_that_rose_and_a_max_price_that_was_lowered_keep_the_money() {
    let mut dearer = ordered(json!({}));
    dearer.account.as_mut().unwrap().spec.price_list.prices[0].amount = "105.01".into();
    run(&mut dearer);
    assert_eq!((dearer.bought(), line(&dearer).0), (0, LineState::Void));
    let mut capped = ordered(json!({}));
    capped
        .spec(|spec| spec.max_price = Some(serde_json::from_value(json!({"amount": "1", "currency": "USD"})).unwrap()));
    run(&mut capped);
    assert_eq!((capped.bought(), line(&capped).0), (0, LineState::Pending));
}

#[test]
fn an_approval_for_later_renewals_does_not_reach_to_a_higher_price_or_beyond_its_date() {
    let covered = |edit: &dyn Fn(&mut World)| {
        let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "duration": 1})));
        world.settle();
        world.approve(0, "ThisAndLaterRenewals");
        world.settle();
        edit(&mut world);
        world.run_until("2026-12-01T20:00:00Z", SignedDuration::from_hours(1));
        world.renewed()
    };
    assert_eq!(covered(&|_| ()), 3);
    assert_eq!(covered(&|w| w.account.as_mut().unwrap().spec.price_list.prices[0].amount = "105.01".into()), 0);
    let until = |w: &mut World| {
        w.orders[0].spec.approval.as_mut().unwrap().until =
            Some(carpack_api::common::Time(time("2026-12-01T12:00:00Z")))
    };
    assert_eq!(covered(&until), 0);
    let later = |w: &mut World| {
        until(w);
        w.orders[0].spec.approval.as_mut().unwrap().until =
            Some(carpack_api::common::Time(time("2026-12-05T00:00:00Z")))
    };
    assert_eq!(covered(&later), 3);
}

#[test]
fn an_approval_for_later_renewals_reaches_to_successors_until_its_date_and_to_no_other_purchase() {
    let mut world = World::new(pack(json!({
        "mode": "ApprovalRequired", "renewal": {"mode": "Operator", "strategy": "Replace"}})));
    world.settle();
    world.approve(0, "ThisAndLaterRenewals");
    world.settle();
    world.run_until("2026-12-03T23:00:00Z", SignedDuration::from_hours(1));
    assert_eq!(world.bought(), 2, "the pack and its successor");

    let held = |until: Option<SignedDuration>, successor: bool| {
        let mut world = ordered(json!({
            "mode": "ApprovalRequired", "renewal": {"mode": "Operator", "strategy": "Replace"}}));
        world.approve(0, "ThisAndLaterRenewals");
        let mut second = world.orders[0].clone();
        second.metadata.name = Some("events.concert.buy-2".into());
        second.spec.approval = None;
        second.spec.lines[0].renews_from = successor.then_some(carpack_api::common::Time(world.now));
        let until = until.map(|until| carpack_api::common::Time(world.now + until));
        world.orders[0].spec.approval.as_mut().unwrap().until = until;
        world.orders[0].status.as_mut().unwrap().state = Some(OrderState::Failed);
        world.orders.push(second);
        world.decide_order(1, None).status.message.unwrap().contains("waits for approval")
    };
    assert!(held(None, false), "a purchase that renews nothing needs a word of its own");
    assert!(!held(None, true));
    assert!(!held(Some(SignedDuration::from_secs(1)), true));
    assert!(held(Some(SignedDuration::ZERO), true), "its date has come");
}

#[test]
fn why_an_approval_for_later_renewals_falls_short_is_said() {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "duration": 1})));
    world.settle();
    world.approve(0, "ThisAndLaterRenewals");
    world.settle();
    world.account.as_mut().unwrap().spec.price_list.prices[0].amount = "105.01".into();
    world.until_due();
    world.settle();
    let why = |world: &World| {
        let message = world.decide_order(1, None).status.message.unwrap();
        message.rsplit_once("does not reach to it: ").unwrap().1.to_owned()
    };
    assert_eq!(why(&world), "it was given for 315.00 USD, and this one costs 315.03 USD");
    world.orders[0].spec.terms.quantity = 1;
    assert_eq!(why(&world), "its terms are others");
}

#[test]
fn an_approval_for_later_renewals_has_nothing_to_do_with_a_return() {
    let mut world = World::new(pack(json!({"mode": "ApprovalRequired", "deletionPolicy": "Return"})));
    world.settle();
    world.approve(0, "ThisAndLaterRenewals");
    world.settle();
    world.delete_pack();
    world.settle();
    let message = world.orders[1].status.as_ref().unwrap().message.clone().unwrap();
    let word =
        "waits for approval: set spec.approval.decision of PackOrder events.concert.return-1 to Approved or Denied";
    assert_eq!((message.as_str(), world.charges.len()), (word, 1));
}

#[test]
fn an_order_without_a_quote_is_void() {
    let mut world = ordered(json!({}));
    world.orders[0].spec.quote = None;
    run(&mut world);
    assert_eq!((world.bought(), line(&world)), (0, (LineState::Void, 0)));
}

#[test]
fn a_look_counts_from_the_moment_after_the_order_until_it_is_stale() {
    // When a look began, and how old it is when the order is about to be sent.
    let sent = |after_the_order: SignedDuration, age: SignedDuration| {
        let mut world = ordered(json!({}));
        let made = world.orders[0].spec.decision_time.clone();
        world.now = made.0 + after_the_order + age;
        world.observation.as_mut().unwrap().started = made.0 + after_the_order;
        world.orders[0].status.as_mut().unwrap().cleared_time = Some(made);
        run(&mut world);
        world.bought() == 1
    };
    let (second, stale) = (SignedDuration::from_secs(1), World::new(pack(json!({}))).timing.stale_after);
    assert!(sent(second, second));
    assert!(!sent(SignedDuration::ZERO, second), "it began together with the order");
    assert!(sent(second, stale - second));
    assert!(!sent(second, stale), "it is too old");
}

#[test]
fn an_instance_that_is_isolated_or_past_its_own_expiry_is_not_renewed_while_others_are() {
    let first = |world: &World| world.orders.last().unwrap().spec.lines[0].instance_id.clone().unwrap();
    let mut isolated = due(json!({}));
    let id = first(&isolated);
    isolated.instances.get_mut(&id).unwrap().isolated = true;
    isolated.sweep();
    isolated.pass(SignedDuration::from_secs(1));
    run(&mut isolated);
    assert_eq!((isolated.renewed(), line(&isolated)), (2, (LineState::Rejected, 0)));

    let mut expired = due(json!({}));
    let id = first(&expired);
    let earlier = expired.now;
    expired.instances.get_mut(&id).unwrap().expiration = Some(earlier);
    expired.orders.last_mut().unwrap().spec.lines[0].renews_from = Some(carpack_api::common::Time(earlier));
    expired.sweep();
    expired.pass(SignedDuration::from_secs(1));
    run(&mut expired);
    assert_eq!((expired.renewed(), line(&expired)), (2, (LineState::Rejected, 0)));
}

#[test]
fn a_closed_window_and_a_deleted_pack_end_an_order_that_was_not_sent() {
    let mut closed = ordered(json!({"purchaseWindow": {"notAfter": "2026-12-09T00:00:00Z"}}));
    closed.spec(|spec| {
        spec.purchase_window.as_mut().unwrap().not_after = Some(carpack_api::common::Time(time("2026-12-01T00:00:01Z")))
    });
    run(&mut closed);
    assert_eq!((closed.bought(), line(&closed).0), (0, LineState::Rejected));
    let mut passed = ordered(json!({"purchaseWindow": {"notAfter": "2026-12-09T00:00:00Z"}}));
    passed.pass(SignedDuration::from_hours(24 * 9));
    passed.spec(|spec| spec.purchase_window = None);
    passed.sweep();
    passed.pass(SignedDuration::from_secs(1));
    run(&mut passed);
    assert_eq!((passed.bought(), line(&passed).0), (0, LineState::Rejected), "the order's own deadline");
    let mut deleted = ordered(json!({}));
    deleted.delete_pack();
    run(&mut deleted);
    assert_eq!((deleted.bought(), line(&deleted).0), (0, LineState::Void));
    let mut gone = ordered(json!({}));
    gone.pack.as_mut().unwrap().metadata.uid = Some("another".into());
    run(&mut gone);
    assert_eq!((gone.bought(), line(&gone).0), (0, LineState::Void));
}

#[test]
fn a_purchase_waits_for_a_window_that_was_moved_since_it_was_ordered() {
    let mut world = ordered(json!({}));
    let opens = json!({"notBefore": "2026-12-02T00:00:00Z"});
    world.spec(|spec| spec.purchase_window = serde_json::from_value(opens).unwrap());
    run(&mut world);
    assert_eq!((world.bought(), line(&world)), (0, (LineState::Pending, 0)));
    world.pass(SignedDuration::from_hours(24));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    run_after_a_look(&mut world);
    assert_eq!(world.bought(), 1);
}

#[rstest]
#[case::not_granted("ProjectNotGranted", |world: &mut World| world.account.as_mut().unwrap().spec.tenants[0].projects.clear())]
#[case::gone("ProjectNotFound", |world: &mut World| drop(world.projects.remove("cap-a")))]
#[case::of_another_scale("ScaleMismatch", |world: &mut World| world.projects.get_mut("cap-a").unwrap().scale = Some("S1".into()))]
fn a_purchase_waits_while_its_project_cannot_take_it_any_more(#[case] reason: &str, #[case] change: fn(&mut World)) {
    let mut world = ordered(json!({"project": "cap-a"}));
    let (account, projects) = (world.account.clone(), world.projects.clone());
    change(&mut world);
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    run(&mut world);
    assert_eq!((world.bought(), line(&world)), (0, (LineState::Pending, 0)));
    world.step_pack();
    assert_eq!(world.condition("Purchased").map(|(_, reason)| reason).as_deref(), Some(reason));
    (world.account, world.projects) = (account, projects);
    world.pass(SignedDuration::from_secs(1));
    run_after_a_look(&mut world);
    assert_eq!(world.bought(), 1);
}

#[test]
fn a_renewal_that_is_no_longer_declared_is_void() {
    let mut changed = due(json!({}));
    changed.spec(|spec| spec.renewal.mode = RenewalMode::None);
    run(&mut changed);
    assert_eq!((changed.renewed(), line(&changed).0), (0, LineState::Void));
    let mut ended = due(json!({}));
    ended.spec(|spec| spec.renewal.until = Some(carpack_api::common::Time(time("2026-12-02T00:00:00Z"))));
    run(&mut ended);
    assert_eq!((ended.renewed(), line(&ended).0), (0, LineState::Void));
}

#[test]
fn an_account_that_is_missing_unready_not_granted_or_cannot_buy_keeps_the_money() {
    let mut missing = ordered(json!({}));
    missing.account = None;
    let mut unready = ordered(json!({}));
    unready.account.as_mut().unwrap().health =
        Health::NotReady { reason: carpack_api::Reason::WrongCredentials, message: "no".into() };
    let mut foreign = ordered(json!({}));
    foreign.account.as_mut().unwrap().spec.tenants.clear();
    let mut by_hand = ordered(json!({}));
    by_hand.account.as_mut().unwrap().spec.purchase.channel = Channel::Console;
    let mut monthly_only = ordered(json!({}));
    monthly_only.account.as_mut().unwrap().spec.purchase.api.as_mut().unwrap().period_units.remove("Daily");
    let cases = [
        (missing, "there is no CarAccount default in namespace carpack-system: create it"),
        (unready, "no"),
        (foreign, "namespace events may not spend from account default: add it to the account's tenants"),
        (by_hand, "account default cannot buy Daily packs"),
        (monthly_only, "account default cannot buy Daily packs: add Daily to purchase.api.periodUnits"),
    ];
    for (mut world, said) in cases {
        run(&mut world);
        assert_eq!((world.bought(), line(&world)), (0, (LineState::Pending, 0)));
        let message = world.orders[0].status.clone().unwrap().message.unwrap();
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn no_line_is_sent_while_another_line_or_another_order_is_unresolved() {
    let mut world = due(json!({}));
    world.replies = vec![Reply::LostBeforeCommit];
    run(&mut world);
    world.pass(SignedDuration::from_secs(5));
    world.sweep();
    run(&mut world);
    let lines = world.orders[1].status.as_ref().unwrap().lines.clone();
    assert_eq!(lines.iter().map(|l| l.attempts).collect::<Vec<_>>(), [1, 0, 0]);

    let mut world = due(json!({}));
    world.orders[0].status.as_mut().unwrap().lines[0].state = LineState::Unknown;
    world.orders[0].metadata.name = Some("events.concert.buy-0".into());
    run(&mut world);
    assert_eq!(world.renewed(), 0);
}

#[test]
fn nothing_is_sent_for_an_order_without_its_finalizer_and_none_is_made_for_a_pack_without() {
    let mut world = ordered(json!({}));
    let held = world.orders[0].metadata.finalizers.take();
    run(&mut world);
    assert_eq!((world.decide_order(0, None).effect, world.bought()), (Some(Effect::AddFinalizer), 0));
    world.orders[0].metadata.finalizers = held;
    run_after_a_look(&mut world);
    assert_eq!(world.bought(), 1, "once it stands");

    let mut world = World::new(pack(json!({})));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    world.step_pack();
    world.pack.as_mut().unwrap().metadata.finalizers = None;
    for _ in 0..2 {
        world.pack.as_mut().unwrap().metadata.finalizers = None;
        world.step_pack();
    }
    assert_eq!(world.orders.len(), 0);
    world.settle();
    assert_eq!(world.orders.len(), 1);
}

/// What is known to the second is no proof of what came first within it.
#[test]
fn a_look_that_began_in_the_second_of_the_last_call_is_not_newer_than_it() {
    let mut world = due(json!({}));
    let began = world.observation.as_ref().unwrap().started;
    let call = |world: &mut World, at: jiff::Timestamp| {
        world.orders[0].status.as_mut().unwrap().lines[0].submit_time = Some(carpack_api::common::Time(at));
        world.decide_order(1, None).effect
    };
    assert_eq!(call(&mut world, began), None);
    assert_eq!(call(&mut world, began - SignedDuration::from_secs(1)), Some(Effect::Submit { index: 0 }));

    let order = ordered(json!({})).orders.remove(0);
    let half = began + SignedDuration::from_millis(500);
    let recorded = carpack_core::order::intend(&order, 0, half).lines[0].submit_time.clone().unwrap().0;
    assert!(recorded > half, "a call is never on record as earlier than it was");
}

#[test]
fn an_order_whose_terms_are_not_those_of_its_pack_is_void() {
    let edits: [fn(&mut ConcurrencyPackSpec); 6] = [
        |spec| spec.quantity = 2,
        |spec| spec.duration = 36,
        |spec| spec.region = "ap-elsewhere".into(),
        |spec| spec.concurrency_scale = "M1".into(),
        |spec| spec.billing_mode = carpack_api::BillingMode::Monthly,
        |spec| spec.account_ref.name = "others".into(),
    ];
    for edit in edits {
        let mut world = ordered(json!({}));
        world.spec(edit);
        run(&mut world);
        assert_eq!((line(&world).0, world.bought()), (LineState::Void, 0), "{:?}", world.orders[0].spec.terms);
    }
}

#[test]
fn an_order_found_between_intent_and_answer_is_unknown_and_not_sent_again_at_once() {
    let mut world = ordered(json!({}));
    let intent = carpack_core::order::intend(&world.orders[0], 0, world.now);
    world.orders[0].status = Some(intent);
    world.pass(SignedDuration::from_secs(3));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    run(&mut world);
    assert_eq!((line(&world), world.bought()), ((LineState::Unknown, 1), 0));
}

#[test]
fn an_absence_counts_only_in_two_looks_that_both_began_after_the_quarantine() {
    let mut world = ordered(json!({}));
    world.replies = vec![Reply::LostBeforeCommit];
    run(&mut world);
    for _ in 0..9 {
        world.pass(SignedDuration::from_secs(30));
        world.sweep();
        world.pass(SignedDuration::from_secs(1));
        run(&mut world);
    }
    assert_eq!((line(&world), world.bought()), ((LineState::Unknown, 1), 0), "within the quarantine");
    world.pass(SignedDuration::from_mins(4));
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    for _ in 0..9 {
        run(&mut world);
        world.pass(SignedDuration::from_secs(1));
    }
    assert_eq!(
        (line(&world), world.bought()),
        ((LineState::Unknown, 1), 0),
        "one and the same sweep, however often it is asked"
    );
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    run(&mut world);
    world.sweep();
    world.pass(SignedDuration::from_secs(1));
    run(&mut world);
    assert_eq!(world.bought(), 1, "the same call, with the same token");
}

#[test]
fn looks_from_within_the_quarantine_prove_nothing() {
    let mut world = ordered(json!({}));
    world.replies = vec![Reply::LostBeforeCommit];
    run(&mut world);
    for _ in 0..4 {
        world.pass(SignedDuration::from_secs(30));
        world.sweep();
        let deals = DealsLook { started: world.now, deals: Vec::new() };
        world.pass(SignedDuration::from_secs(1));
        let decision = world.decide_order(0, Some(&deals));
        assert_eq!(decision.status.lines[0].clear_looks, 0);
    }
}

#[test]
fn a_deal_that_nobody_explains_keeps_a_lost_purchase_unknown() {
    let mut world = ordered(json!({}));
    world.replies = vec![Reply::LostBeforeCommit];
    run(&mut world);
    world.charges.push(world::Charge {
        action: carpack_api::order::OrderAction::Buy,
        token: "someone".into(),
        order_id: "deal-x".into(),
        instances: Vec::new(),
        ends: None,
        state: carpack_core::observation::DealState::InEffect,
    });
    world.run_until("2026-12-01T01:00:00Z", SignedDuration::from_mins(1));
    assert_eq!((line(&world), world.bought()), ((LineState::Unknown, 1), 1));
}

#[test]
fn a_sweep_from_before_our_own_change_moves_nothing() {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.settle();
    for instance in world.instances.values_mut() {
        instance.project = Binding::Unbound;
    }
    world.sweep();
    world.last_change = Some(world.now.checked_add(SignedDuration::from_secs(1)).unwrap());
    let changes = world.changes.len();
    world.pass(SignedDuration::from_secs(2));
    world.step_pack();
    assert_eq!(world.changes.len(), changes);
}

#[test]
fn old_settled_orders_are_pruned_but_never_the_newest_of_their_action() {
    let mut world = World::new(pack(json!({})));
    world.settle();
    world.run_until("2026-12-05T00:00:00Z", SignedDuration::from_hours(1));
    let count = world.orders.len();
    assert!(count >= 3);
    world.pass(SignedDuration::from_hours(24 * 100));
    let mut pruned = Vec::new();
    for index in 0..count {
        world.step_order(index);
        if world.step_order(index) == Some(Effect::Prune) {
            pruned.push(index);
        }
    }
    assert_eq!(pruned, (1..count - 1).collect::<Vec<_>>(), "all but the only purchase and the newest renewal");
}

#[test]
fn an_order_that_was_paid_long_after_it_was_made_is_kept_from_when_it_was_paid() {
    let mut world = World::new(pack(json!({})));
    world.settle();
    world.run_until("2026-12-07T00:00:00Z", SignedDuration::from_hours(1));
    world.pass(SignedDuration::from_hours(24 * 100));
    let recent = world.now - SignedDuration::from_hours(24);
    world.orders[1].status.as_mut().unwrap().lines[0].submit_time = Some(carpack_api::common::Time(recent));
    let mut pruned = |index| (0..2).any(|_| world.step_order(index) == Some(Effect::Prune));
    assert_eq!([pruned(1), pruned(2)], [false, true]);
}

#[test]
fn a_renewal_that_another_order_has_paid_for_is_void() {
    for (state, renewed) in [(LineState::Done, 0), (LineState::Rejected, 1)] {
        let mut world = due(json!({}));
        let mut other = world.orders[1].clone();
        other.metadata.name = Some("events.concert.renew-0".into());
        let status = other.status.as_mut().unwrap();
        status.state = Some(carpack_api::order::OrderState::Fulfilled);
        status.lines[0].state = state;
        world.orders.insert(1, other);
        run(&mut world);
        assert_eq!(
            world
                .charges
                .iter()
                .filter(|c| c.instances == [world.orders[2].spec.lines[0].instance_id.clone().unwrap()])
                .count(),
            renewed
        );
        assert_eq!(line(&world).0 == LineState::Void, renewed == 0);
    }
}
