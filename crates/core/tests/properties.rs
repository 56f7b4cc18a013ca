//! What holds whatever happens, in whatever order.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::BTreeMap;

use carpack_api::Mode;
use carpack_api::order::OrderAction;
use carpack_core::limits::Commitments;
use carpack_core::observation::Binding;
use carpack_core::{order, pack as packs};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;
use world::{Reply, World, extend, pack};

#[derive(Debug, Clone)]
enum Act {
    Round,
    Minutes(i64),
    Sweep,
    Pack,
    Order(usize),
    Reply(Reply),
    Project(Option<&'static str>),
    Console(usize, Option<&'static str>),
    Mode(Mode),
    Approve(usize),
    Deliver,
    CloudDown(bool),
    ChangesRefused(bool),
    RestartOperator,
    Recreate,
    /// A look that misses an instance.
    Missed(usize),
    /// Renewed in the console by so many days.
    Renewed(usize, i64),
    /// Refunded in the console.
    Refunded(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let reply = prop_oneof![
        3 => Just(Reply::Honest),
        2 => Just(Reply::LostAfterCommit),
        2 => Just(Reply::LostBeforeCommit),
        1 => Just(Reply::Delayed),
        1 => Just(Reply::Partial(1)),
        1 => Just(Reply::Refused { category: carpack_api::Reason::BalanceInsufficient, may_pass: true }),
        1 => Just(Reply::Refused { category: carpack_api::Reason::InvalidRequest, may_pass: false }),
    ];
    let project = prop_oneof![Just(None), Just(Some("cap-a")), Just(Some("cap-b")), Just(Some("cap-small"))];
    let mode = prop_oneof![1 => Just(Mode::Observe), 1 => Just(Mode::DryRun), 1 => Just(Mode::ApprovalRequired), 3 => Just(Mode::Automatic)];
    prop_oneof![
        8 => Just(Act::Round),
        4 => (1_i64..900).prop_map(Act::Minutes),
        2 => Just(Act::Sweep),
        2 => Just(Act::Pack),
        2 => (0_usize..4).prop_map(Act::Order),
        4 => reply.prop_map(Act::Reply),
        2 => project.clone().prop_map(Act::Project),
        1 => (0_usize..3, project).prop_map(|(i, p)| Act::Console(i, p)),
        1 => mode.prop_map(Act::Mode),
        1 => (0_usize..4).prop_map(Act::Approve),
        1 => Just(Act::Deliver),
        1 => any::<bool>().prop_map(Act::CloudDown),
        1 => any::<bool>().prop_map(Act::ChangesRefused),
        1 => Just(Act::RestartOperator),
        1 => Just(Act::Recreate),
        2 => (0_usize..6).prop_map(Act::Missed),
        1 => (0_usize..6, 1_i64..4).prop_map(|(i, days)| Act::Renewed(i, days)),
        1 => (0_usize..6).prop_map(Act::Refunded),
    ]
}

fn perform(world: &mut World, act: &Act, objects: &mut u32) {
    match act {
        Act::Round => world.round(),
        Act::Minutes(minutes) => world.pass(SignedDuration::from_mins(*minutes)),
        Act::Sweep => world.sweep(),
        Act::Pack => {
            world.step_pack();
        }
        Act::Order(index) if *index < world.orders.len() => {
            world.step_order(*index);
        }
        Act::Reply(reply) => world.replies.push(reply.clone()),
        Act::Project(project) if world.pack.is_some() => world.spec(|spec| spec.project = project.map(str::to_owned)),
        Act::Console(index, project) => {
            if let Some(instance) = world.instances.values_mut().nth(*index) {
                instance.project =
                    project.filter(|p| *p != "cap-small").map_or(Binding::Unbound, |p| Binding::Bound(p.into()));
            }
        }
        Act::Mode(mode) => world.installation_mode = *mode,
        Act::Approve(index) if *index < world.orders.len() => world.approve(*index, "ThisOrder"),
        Act::Deliver => world.deliver(),
        Act::CloudDown(down) => world.sweeps = !down,
        Act::ChangesRefused(refused) => world.refuse_changes = *refused,
        Act::RestartOperator => {
            world.last_change = None;
            world.failures.clear();
            world.observation = None;
        }
        Act::Recreate => {
            *objects += 1;
            let mut again = world.pack.clone().unwrap_or_else(|| pack(json!({"project": "cap-a"})));
            again.status = None;
            again.metadata.finalizers = None;
            again.metadata.uid = Some(format!("uid-{objects}"));
            world.pack = Some(again);
        }
        Act::Missed(index) => {
            world.sweep();
            let missed = world.instances.keys().nth(*index);
            if let (Some(id), Some(observation)) = (missed, world.observation.as_mut()) {
                observation.instances.remove(id);
            }
        }
        Act::Renewed(index, days) => {
            let live = world.instances.values_mut().filter(|instance| !instance.isolated).nth(*index);
            live.into_iter().for_each(|instance| extend(instance, SignedDuration::from_hours(24 * days)));
        }
        Act::Refunded(index) => {
            if let Some(id) = world.instances.keys().nth(*index).cloned() {
                world.instances.remove(&id);
            }
        }
        Act::Order(_) | Act::Approve(_) | Act::Project(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_charged_twice_and_no_two_orders_are_open(acts in prop::collection::vec(act(), 1..160), replace: bool) {
        let mut world = World::new(pack(json!({"project": "cap-a", "renewal": renewal(replace)})));
        let mut objects = 1;
        for act in &acts {
            perform(&mut world, act, &mut objects);
            prop_assert!(world.open_orders() <= 1, "two open orders after {act:?}");
            // The ledger: one charge for each token, one renewal for each instance and expiry.
            let mut renewals: BTreeMap<String, usize> = BTreeMap::new();
            for order in world.orders.iter().filter(|o| o.spec.action == OrderAction::Renew) {
                for line in &order.spec.lines {
                    if world.charges.iter().any(|c| c.token == line.client_token) {
                        *renewals.entry(format!("{:?} {:?}", line.instance_id, line.renews_from)).or_default() += 1;
                    }
                }
            }
            prop_assert!(renewals.values().all(|count| *count == 1), "{renewals:?}");
            // And one successor for each end of an object.
            let successors = world.orders.iter().filter(|o| o.spec.action == OrderAction::Buy && is_charged(&world, o));
            let mut ends: Vec<_> = successors.map(|o| (&o.spec.pack_ref.uid, o.spec.lines[0].renews_from.as_ref().map(|t| t.0))).collect();
            ends.sort();
            prop_assert!(ends.windows(2).all(|two| two[0].0 != two[1].0 || two[0].1 != two[1].1), "{ends:?}");
            // Never more than one live purchase of this name, unless a successor was declared.
            let live = world.instances.values().filter(|i| !i.isolated).count();
            prop_assert!(live + world.undelivered.len() <= 3 + expired_late(&world), "{live} live instances");
            prop_assert!(ready_is_true_only_when_usable(&world), "Ready although not usable");
        }
        world.sweeps = true;
        world.replies.clear();
        world.settle();
        let settled = world.orders.len();
        world.settle();
        prop_assert!(world.orders.len() <= settled + 1, "orders without end: {settled}, then {}", world.orders.len());
    }

    #[test]
    fn a_decision_repeated_on_its_own_result_changes_nothing_more(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new(pack(json!({"project": "cap-a"})));
        let mut objects = 1;
        for act in &acts {
            perform(&mut world, act, &mut objects);
        }
        let orders: Vec<&carpack_api::PackOrder> = world.orders.iter().collect();
        if let Some(mut pack) = world.pack.clone() {
            let first = packs::decide(&world.pack_input(&pack, &orders));
            pack.status = Some(first.status.clone());
            let second = packs::decide(&world.pack_input(&pack, &orders));
            prop_assert_eq!(&first.status, &second.status);
            prop_assert!(second.events.iter().all(|e| e.reason == carpack_api::Reason::MovedBack || !first.events.contains(e)), "{:?}", second.events);
            prop_assert!(first.wake_at.is_none_or(|at| at > world.now));
        }
        for stored in &world.orders {
            let mut order = stored.clone();
            let decide = |order: &carpack_api::PackOrder| order::decide(&order::Input {
                order, siblings: &orders, pack: world.pack.as_ref(), account: world.account.as_ref(),
                observation: world.observation.as_ref(), deals: None, elsewhere: &world.elsewhere, unreadable: &world.unreadable, commitments: &Commitments::default(), installation_mode: world.installation_mode,
                now: world.now, clock_ahead: world.clock_ahead, timing: &world.timing,
            });
            let first = decide(&order);
            order.status = Some(first.status.clone());
            let second = decide(&order);
            prop_assert_eq!(&first.status, &second.status);
            prop_assert!(first.status == *stored.status.as_ref().unwrap_or(&Default::default()) || !matches!(first.effect, Some(order::Effect::Submit { .. })),
                "a call before its record");
        }
    }
}

fn renewal(replace: bool) -> serde_json::Value {
    let strategy = if replace { "Replace" } else { "Extend" };
    json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "strategy": strategy})
}

fn is_charged(world: &World, order: &carpack_api::PackOrder) -> bool {
    order.spec.lines.iter().any(|line| world.charges.iter().any(|charge| charge.token == line.client_token))
}

/// Instances that were delivered after their object had been replaced are nobody's, and count apart.
fn expired_late(world: &World) -> usize {
    let buys = world.charges.iter().filter(|c| c.action == OrderAction::Buy).count();
    buys.saturating_sub(1) * 3
}

fn ready_is_true_only_when_usable(world: &World) -> bool {
    let Some(status) = world.pack.as_ref().and_then(|p| p.status.as_ref()) else { return true };
    let ready = status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    !ready || status.instances.len() >= 3
}
