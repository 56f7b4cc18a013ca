//! Any observation: whatever a cloud shows, nothing that was bought is bought again, no call in doubt is sent again within
//! the quarantine, and only what is seen to expire as ordered is renewed.

use std::sync::LazyLock;

use carpack_api::order::{LineState, OrderAction};
use carpack_api::pack::{ExpirationTimeSource, RenewFlag};
use carpack_core::observation::{Binding, Deal, DealAction, DealState, Instance, Observation, Project};
use carpack_core::{order, pack as packs};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use crate::cases;
use crate::world::{HOUR, Reply, SECOND, World, pack, time};

/// An instance with any values. Ids and names are numbers here: which ones there are is known only later.
#[derive(Debug, Clone)]
struct Row {
    id: usize,
    name: usize,
    concurrencies: Option<i32>,
    expires: Option<i64>,
    binding: usize,
    flag: usize,
    isolated: bool,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let count = prop_oneof![
        Just(None),
        prop_oneof![Just(0), Just(1), Just(3), Just(-1), Just(i32::MAX), any::<i32>()].prop_map(Some)
    ];
    let hours = prop_oneof![Just(None), Just(Some(0)), (-100_i64..100).prop_map(Some), Just(Some(70_000_000))];
    let row = (0_usize..6, 0_usize..5, count, hours, 0_usize..4, 0_usize..3, any::<bool>());
    let row = row.prop_map(|(id, name, concurrencies, expires, binding, flag, isolated)| Row {
        id,
        name,
        concurrencies,
        expires,
        binding,
        flag,
        isolated,
    });
    prop::collection::vec(row, 0..6)
}

/// What a sweep that began now would show: ids and names are some of the pack's own, and others.
fn observation(world: &World, rows: &[Row], scale: bool) -> Observation {
    let mut ids: Vec<String> = world.instances.keys().cloned().collect();
    ids.extend(["x-1", "x-2", ""].map(str::to_owned));
    let bought = world.orders.first().map(|order| order.spec.pack_name.clone()).unwrap_or_default();
    let names =
        [None, Some(bought.clone()), Some(format!("{bought}-2")), Some("other".to_owned()), Some(String::new())];
    let expiry = world.instances.values().find_map(|i| i.expiration).unwrap_or(world.now);
    let instance = |row: &Row| {
        let hours = |hours: i64| expiry.checked_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX);
        let id = ids[row.id % ids.len()].clone();
        let instance = Instance {
            id: id.clone(),
            name: names[row.name].clone(),
            concurrencies: row.concurrencies,
            project: match row.binding {
                0 => Binding::Unknown,
                1 => Binding::Unbound,
                2 => Binding::Bound("cap-a".into()),
                _ => Binding::Bound("elsewhere".into()),
            },
            expiration: row.expires.map(hours),
            expiration_source: ExpirationTimeSource::Billing,
            renew_flag: [RenewFlag::Unknown, RenewFlag::Auto, RenewFlag::Manual][row.flag],
            scale: scale.then(|| "L1".into()),
            region: None,
            isolated: row.isolated,
        };
        (id, instance)
    };
    let projects = [("cap-a".to_owned(), Project { id: "cap-a".into(), scale: scale.then(|| "L1".into()) })].into();
    Observation { started: world.now, instances: rows.iter().map(instance).collect(), projects }
}

fn deals() -> impl Strategy<Value = Vec<Deal>> {
    let action =
        prop::sample::select(vec![DealAction::Purchase, DealAction::Renew, DealAction::Refund, DealAction::Other]);
    let state = prop::sample::select(vec![DealState::InEffect, DealState::Unpaid, DealState::WithoutEffect]);
    let ids = prop::sample::select(vec![vec![], vec!["x-1".to_owned()], vec![String::new()]]);
    let deal = (0_u8..4, action, state, ids, any::<Option<i64>>());
    let deal = deal.prop_map(|(order, action, state, instance_ids, cost_cents)| Deal {
        order_id: format!("deal-{order}"),
        action,
        cost_cents,
        currency: None,
        instance_ids,
        product_code: None,
        state,
        created: None,
    });
    prop::collection::vec(deal, 0..4)
}

/// These take a while to make, and each case begins with a copy.
static BOUGHT: LazyLock<World> = LazyLock::new(|| after_a_purchase(Reply::Honest));
static IN_DOUBT: LazyLock<World> = LazyLock::new(|| after_a_purchase(Reply::LostBeforeCommit));
static RENEWAL_ORDERED: LazyLock<World> = LazyLock::new(renewal_ordered);

fn after_a_purchase(reply: Reply) -> World {
    let mut world = World::new(pack(json!({"project": "cap-a"})));
    world.replies = vec![reply];
    world.run_rounds();
    world.advance(SECOND * 5);
    world
}

fn renewal_ordered() -> World {
    let mut world = BOUGHT.clone();
    while world.now < time("2026-12-03T18:00:00Z") {
        world.advance(HOUR);
        world.sweep();
    }
    world.advance(SECOND);
    (0..3).for_each(|_| drop(world.reconcile_pack()));
    let renewals = world.orders.iter().filter(|order| order.spec.action == OrderAction::Renew).count();
    assert_eq!(renewals, 1, "{}", world.ready());
    world
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_pack_that_was_bought_is_never_bought_again(
        rows in rows(), hours in 0_i64..80, scale in any::<bool>(), forgotten in any::<bool>(),
    ) {
        let mut world = BOUGHT.clone();
        if forgotten {
            // Its status was lost, its order was not.
            world.pack.as_mut().unwrap().status = None;
        }
        world.advance(SignedDuration::from_hours(hours));
        world.observation = Some(observation(&world, &rows, scale));
        world.advance(SECOND);
        for _ in 0..6 {
            if let Some(packs::Effect::CreateOrder { spec, .. }) = world.reconcile_pack() {
                prop_assert_eq!(spec.action, OrderAction::Renew);
            }
        }
    }

    #[test]
    fn a_purchase_in_doubt_is_never_sent_again_within_the_quarantine(
        rows in rows(), deals in deals(), seconds in 1_i64..400, scale in any::<bool>(),
    ) {
        let mut world = IN_DOUBT.clone();
        world.advance(SignedDuration::from_secs(seconds - 60));
        world.observation = Some(observation(&world, &rows, scale));
        let deals = world.deal_list(deals);
        for _ in 0..4 {
            let decision = world.decide_order_with(0, &deals);
            let sends = matches!(decision.effect, Some(order::Effect::Submit { .. }));
            prop_assert!(!sends && decision.status.lines[0].state != LineState::Pending, "{:?}", decision.status);
            world.orders[0].status = Some(decision.status);
            world.reconcile_pack();
            let purchases = world.orders.iter().filter(|order| order.spec.action == OrderAction::Buy).count();
            prop_assert_eq!(purchases, 1);
        }
    }

    #[test]
    fn only_what_is_seen_to_expire_as_ordered_is_renewed(rows in rows(), scale in any::<bool>(), hours in 0_i64..5) {
        let mut world = RENEWAL_ORDERED.clone();
        world.advance(SignedDuration::from_hours(hours));
        let seen = observation(&world, &rows, scale);
        world.observation = Some(seen.clone());
        world.advance(SECOND);
        let last = world.last_order();
        for _ in 0..4 {
            let decision = world.decide_order(last);
            if let Some(order::Effect::Submit { index }) = decision.effect {
                let line = world.orders[last].spec.lines.iter().find(|line| line.index == index).unwrap();
                let instance = &seen.instances[line.instance_id.as_ref().unwrap()];
                prop_assert_eq!(instance.expiration, line.renews_from.as_ref().map(|t| t.0));
                prop_assert!(!instance.isolated && instance.renew_flag != RenewFlag::Auto, "{:?}", instance);
            }
            world.orders[last].status = Some(decision.status);
        }
    }
}
