//! Any life: whatever happens in whatever order, nothing is charged twice, and a decision rests on its own result.

use std::collections::BTreeMap;

use carpack_api::order::OrderAction;
use carpack_api::{Mode, PackOrder, Reason};
use carpack_core::observation::Binding;
use carpack_core::order::Effect;
use carpack_core::pack as packs;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use crate::cases;
use crate::world::{Reply, World, extend, pack};

/// Something that happens.
#[derive(Debug, Clone)]
enum Act {
    Round,
    Minutes(i64),
    Sweep,
    ReconcilePack,
    ReconcileOrder(usize),
    /// The cloud's answer to the next paid call.
    Reply(Reply),
    /// Another project is declared.
    Project(Option<&'static str>),
    /// An instance is bound or unbound in the console.
    Console(usize, Option<&'static str>),
    Mode(Mode),
    Approve(usize),
    Deliver,
    CloudDown(bool),
    ChangesRefused(bool),
    RestartOperator,
    /// The object is replaced by another one of the same name.
    Recreate,
    /// A sweep that misses an instance.
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
        1 => Just(Reply::BALANCE_INSUFFICIENT),
        1 => Just(Reply::INVALID_REQUEST),
    ];
    let project = prop_oneof![Just(None), Just(Some("cap-a")), Just(Some("cap-b")), Just(Some("cap-small"))];
    let mode = prop_oneof![
        1 => Just(Mode::Observe),
        1 => Just(Mode::DryRun),
        1 => Just(Mode::ApprovalRequired),
        3 => Just(Mode::Automatic),
    ];
    prop_oneof![
        8 => Just(Act::Round),
        4 => (1_i64..900).prop_map(Act::Minutes),
        2 => Just(Act::Sweep),
        2 => Just(Act::ReconcilePack),
        2 => (0_usize..4).prop_map(Act::ReconcileOrder),
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
        Act::Minutes(minutes) => world.advance(SignedDuration::from_mins(*minutes)),
        Act::Sweep => world.sweep(),
        Act::ReconcilePack => drop(world.reconcile_pack()),
        Act::ReconcileOrder(index) if *index < world.orders.len() => drop(world.reconcile_order(*index)),
        Act::Reply(reply) => world.replies.push(reply.clone()),
        Act::Project(project) if world.pack.is_some() => {
            world.edit_spec(|spec| spec.project = project.map(str::to_owned));
        }
        Act::Console(index, project) => {
            if let Some(instance) = world.instances.values_mut().nth(*index) {
                instance.project =
                    project.filter(|p| *p != "cap-small").map_or(Binding::Unbound, |p| Binding::Bound(p.into()));
            }
        }
        Act::Mode(mode) => world.installation_mode = *mode,
        Act::Approve(index) if *index < world.orders.len() => world.approve(*index, "ThisOrder"),
        Act::Deliver => world.deliver(),
        Act::CloudDown(down) => world.sweeping = !down,
        Act::ChangesRefused(refused) => world.refuse_changes = *refused,
        Act::RestartOperator => world.restart_operator(),
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
        Act::ReconcileOrder(_) | Act::Approve(_) | Act::Project(_) => {}
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn whatever_happens_nothing_is_charged_twice_and_no_two_orders_are_open(
        acts in prop::collection::vec(act(), 1..160), replace: bool,
    ) {
        let mut world = World::new(pack(json!({"project": "cap-a", "renewal": renewal(replace)})));
        let mut objects = 1;
        for act in &acts {
            perform(&mut world, act, &mut objects);
            prop_assert!(world.open_orders() <= 1, "two open orders after {act:?}");
            check_charges(&world)?;
            prop_assert!(is_ready_only_when_usable(&world), "Ready although not usable");
        }
        world.sweeping = true;
        world.replies.clear();
        world.run_rounds();
        let orders = world.orders.len();
        world.run_rounds();
        prop_assert!(world.orders.len() <= orders + 1, "orders without end: {orders}, then {}", world.orders.len());
    }

    #[test]
    fn a_decision_repeated_on_its_own_result_changes_nothing_more(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new(pack(json!({"project": "cap-a"})));
        let mut objects = 1;
        for act in &acts {
            perform(&mut world, act, &mut objects);
        }
        let orders: Vec<&PackOrder> = world.orders.iter().collect();
        if let Some(mut pack) = world.pack.clone() {
            let first = packs::decide(&world.pack_input(&pack, &orders));
            pack.status = Some(first.status.clone());
            let second = packs::decide(&world.pack_input(&pack, &orders));
            prop_assert_eq!(&first.status, &second.status);
            let is_new = |event| is_moved_back(event) || !first.events.contains(event);
            prop_assert!(second.events.iter().all(is_new), "{:?}", second.events);
            prop_assert!(first.wake_at.is_none_or(|at| at > world.now));
        }
        for index in 0..world.orders.len() {
            let stored = world.orders[index].status.clone().unwrap_or_default();
            let first = world.decide_order(index);
            let sends = matches!(first.effect, Some(Effect::Submit { .. }));
            prop_assert!(first.status == stored || !sends, "a call before its record");
            let before = world.orders[index].status.replace(first.status.clone());
            prop_assert_eq!(&first.status, &world.decide_order(index).status);
            world.orders[index].status = before;
        }
    }
}

fn renewal(replace: bool) -> serde_json::Value {
    let strategy = if replace { "Replace" } else { "Extend" };
    json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "strategy": strategy})
}

/// One renewal for each instance and expiry, one successor for each end of an object, and no more instances than were
/// bought for it.
fn check_charges(world: &World) -> Result<(), TestCaseError> {
    let is_charged = |token: &str| world.charges.iter().any(|charge| charge.token == token);
    let mut renewals: BTreeMap<String, usize> = BTreeMap::new();
    for order in world.orders.iter().filter(|o| o.spec.action == OrderAction::Renew) {
        for line in order.spec.lines.iter().filter(|line| is_charged(&line.client_token)) {
            *renewals.entry(format!("{:?} {:?}", line.instance_id, line.renews_from)).or_default() += 1;
        }
    }
    prop_assert!(renewals.values().all(|count| *count == 1), "{renewals:?}");

    let bought = |order: &&PackOrder| {
        order.spec.action == OrderAction::Buy && order.spec.lines.iter().any(|line| is_charged(&line.client_token))
    };
    let end = |order: &PackOrder| order.spec.lines[0].renews_from.as_ref().map(|time| time.0);
    let mut ends: Vec<_> = world.orders.iter().filter(bought).map(|o| (&o.spec.pack_ref.uid, end(o))).collect();
    ends.sort();
    prop_assert!(ends.windows(2).all(|two| two[0] != two[1]), "{ends:?}");

    // Instances that were delivered after their object had been replaced are nobody's, and count apart.
    let most = 3 + world.bought().saturating_sub(1) * 3;
    let live = world.instances.values().filter(|i| !i.isolated).count();
    prop_assert!(live + world.undelivered.len() <= most, "{live} live instances");
    Ok(())
}

/// This event is told each time that the operator undoes a change, so it may come twice.
fn is_moved_back(event: &carpack_core::Event) -> bool {
    event.reason == Reason::MovedBack
}

fn is_ready_only_when_usable(world: &World) -> bool {
    let Some(status) = world.pack.as_ref().and_then(|p| p.status.as_ref()) else { return true };
    !world.ready().starts_with("True ") || status.instances.len() >= 3
}
