//! What holds or ends an order of any kind: its finalizer and terms, other orders, the account, the ladder, the price.

use carpack_api::order::LineState;
use carpack_api::purchase::Channel;
use carpack_api::{BillingMode, ConcurrencyPackSpec, Mode, Reason};
use carpack_core::account::Health;
use carpack_core::order::Effect;
use serde_json::json;

use crate::orders::gate::{purchase_to_send, renewal_to_send};
use crate::world::{Reply, SECOND, World, pack};

#[test]
fn an_order_in_an_unchanged_world_is_sent() {
    let mut world = purchase_to_send(json!({}));
    world.run_last_order();
    assert_eq!(world.bought(), 1);
    let mut world = renewal_to_send(json!({}));
    world.run_last_order();
    assert_eq!(world.renewed(), 3);
}

#[test]
fn nothing_is_sent_for_an_order_without_its_finalizer_and_none_is_made_for_a_pack_without() {
    let mut world = purchase_to_send(json!({}));
    let finalizers = world.orders[0].metadata.finalizers.take();
    world.run_last_order();
    assert_eq!((world.decide_order(0).effect, world.bought()), (Some(Effect::AddFinalizer), 0));
    world.orders[0].metadata.finalizers = finalizers;
    world.run_last_order_with_new_sweep();
    assert_eq!(world.bought(), 1, "once the finalizer is stored");

    let mut world = World::new(pack(json!({})));
    world.sweep();
    world.advance(SECOND);
    world.reconcile_pack();
    world.pack.as_mut().unwrap().metadata.finalizers = None;
    for _ in 0..2 {
        world.pack.as_mut().unwrap().metadata.finalizers = None;
        world.reconcile_pack();
    }
    assert_eq!(world.orders.len(), 0);
    world.run_rounds();
    assert_eq!(world.orders.len(), 1);
}

#[test]
fn an_order_whose_terms_are_not_those_of_its_pack_is_void() {
    let edits: [fn(&mut ConcurrencyPackSpec); 6] = [
        |spec| spec.quantity = 2,
        |spec| spec.duration = 36,
        |spec| spec.region = "ap-elsewhere".into(),
        |spec| spec.concurrency_scale = "M1".into(),
        |spec| spec.billing_mode = BillingMode::Monthly,
        |spec| spec.account_ref.name = "others".into(),
    ];
    for edit in edits {
        let mut world = purchase_to_send(json!({}));
        world.edit_spec(edit);
        world.run_last_order();
        assert_eq!(
            (world.last_line_state().0, world.bought()),
            (LineState::Void, 0),
            "{:?}",
            world.orders[0].spec.terms
        );
    }
}

#[test]
fn an_order_without_a_quote_is_void() {
    let mut world = purchase_to_send(json!({}));
    world.orders[0].spec.quote = None;
    world.run_last_order();
    assert_eq!((world.bought(), world.last_line_state()), (0, (LineState::Void, 0)));
}

#[test]
fn of_two_open_orders_of_a_pack_the_earlier_goes_first_and_the_other_buys_nothing() {
    let mut world = purchase_to_send(json!({}));
    let mut second = world.orders[0].clone();
    second.metadata.name = Some("events.concert.buy-2".into());
    second.spec.ordinal = 2;
    second.spec.lines[0].client_token = "another".into();
    world.orders.push(second);
    world.run_last_order();
    assert_eq!(world.bought(), 0, "it waits for the earlier one");
    world.run_rounds();
    assert_eq!((world.bought(), world.last_line_state()), (1, (LineState::Void, 0)));
}

#[test]
fn no_line_is_sent_while_another_line_or_another_order_is_unresolved() {
    let mut world = renewal_to_send(json!({}));
    world.replies = vec![Reply::LostBeforeCommit];
    world.run_last_order();
    world.advance(SECOND * 5);
    world.sweep();
    world.run_last_order();
    let lines = world.order_status(1).lines.clone();
    assert_eq!(lines.iter().map(|l| l.attempts).collect::<Vec<_>>(), [1, 0, 0]);

    let mut world = renewal_to_send(json!({}));
    world.orders[0].status.as_mut().unwrap().lines[0].state = LineState::Unknown;
    world.orders[0].metadata.name = Some("events.concert.buy-0".into());
    world.run_last_order();
    assert_eq!(world.renewed(), 0);
}

#[test]
fn nothing_is_spent_on_a_pack_of_which_an_order_cannot_be_read() {
    for mut world in [purchase_to_send(json!({})), renewal_to_send(json!({}))] {
        let before = world.charges.len();
        world.unreadable = ["tenant.other.buy-1".into(), "events.concert.renew-7".into()].into();
        world.run_last_order();
        assert_eq!((world.charges.len(), world.last_line_state()), (before, (LineState::Pending, 0)));
        let message = world.order_message(world.last_order());
        assert!(message.contains("PackOrder events.concert.renew-7 cannot be read"), "{message}");
        world.reconcile_pack();
        assert!(world.status().conditions.iter().any(|c| c.reason == "OrderUnreadable" && c.status != "True"));
        world.unreadable = ["tenant.other.buy-1".into()].into();
        world.run_last_order_with_new_sweep();
        assert!(world.charges.len() > before, "the order of another pack holds nothing");
    }
}

#[test]
fn an_account_that_is_missing_unready_not_granted_or_cannot_buy_keeps_the_money() {
    let mut missing = purchase_to_send(json!({}));
    missing.account = None;
    let mut unready = purchase_to_send(json!({}));
    unready.account.as_mut().unwrap().health =
        Health::NotReady { reason: Reason::WrongCredentials, message: "no".into() };
    let mut foreign = purchase_to_send(json!({}));
    foreign.account.as_mut().unwrap().spec.tenants.clear();
    let mut by_hand = purchase_to_send(json!({}));
    by_hand.account.as_mut().unwrap().spec.purchase.channel = Channel::Console;
    let mut monthly_only = purchase_to_send(json!({}));
    monthly_only.account.as_mut().unwrap().spec.purchase.api.as_mut().unwrap().period_units.remove("Daily");
    let cases = [
        (missing, "there is no CarAccount default in namespace carpack-system: create it"),
        (unready, "no"),
        (foreign, "namespace events may not spend from account default: add it to the account's tenants"),
        (by_hand, "account default cannot buy Daily packs"),
        (monthly_only, "account default cannot buy Daily packs: add Daily to purchase.api.periodUnits"),
    ];
    for (mut world, wanted) in cases {
        world.run_last_order();
        assert_eq!((world.bought(), world.last_line_state()), (0, (LineState::Pending, 0)));
        assert!(world.order_message(0).contains(wanted), "{}", world.order_message(0));
    }
}

#[test]
fn the_ladder_is_asked_again_before_money_moves() {
    for mode in [Mode::Observe, Mode::DryRun, Mode::ApprovalRequired] {
        for place in 0..3 {
            let mut world = purchase_to_send(json!({}));
            match place {
                0 => world.installation_mode = mode,
                1 => world.account.as_mut().unwrap().spec.mode = mode,
                _ => world.edit_spec(|spec| spec.mode = mode),
            }
            world.run_last_order();
            assert_eq!((world.bought(), world.last_line_state()), (0, (LineState::Pending, 0)), "{mode:?} at {place}");
        }
    }
}

#[test]
fn a_price_that_rose_and_a_max_price_that_was_lowered_keep_the_money() {
    let mut dearer = purchase_to_send(json!({}));
    dearer.account.as_mut().unwrap().spec.price_list.prices[0].amount = "105.01".into();
    dearer.run_last_order();
    assert_eq!((dearer.bought(), dearer.last_line_state().0), (0, LineState::Void));
    let mut capped = purchase_to_send(json!({}));
    capped.edit_spec(|spec| {
        spec.max_price = Some(serde_json::from_value(json!({"amount": "1", "currency": "USD"})).unwrap())
    });
    capped.run_last_order();
    assert_eq!((capped.bought(), capped.last_line_state().0), (0, LineState::Pending));
}
