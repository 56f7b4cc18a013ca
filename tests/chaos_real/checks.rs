//! What must hold after a scenario, whatever happened in it.

use std::collections::BTreeSet;
use std::time::Duration;

use carpack_api::PackOrder;
use carpack_api::order::{LineState, OrderAction};
use carpack_core::Timing;
use carpack_testkit::eventually;
use jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;

use crate::harness::World;
use crate::harness::status::{condition_with_reason, expiration, is_current};

/// Instances of each pack.
pub const QUANTITY: usize = 3;
/// The longest outage of the API server.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the pack is Ready in this project, expires at this moment if one is given, and has only settled and booked orders.
pub async fn stands(world: &World, name: &str, project: &str, until: Option<Timestamp>) -> bool {
    let Ok(pack) = world.packs().get(name).await else { return false };
    let says = |kind: &str, wanted: &str| condition_with_reason(&pack, kind) == wanted;
    let bound = pack.status.as_ref().and_then(|status| status.project.as_deref()) == Some(project);
    let in_time = until.is_none_or(|until| expiration(&pack) == Some(until));
    let scheduled = says("Ready", "True Active") && says("RenewalOnTrack", "True Scheduled");
    let settled = async || orders_of(world, name).await.is_ok_and(|orders| orders.iter().all(is_over));
    scheduled && bound && in_time && is_current(&pack) && settled().await
}

async fn orders_of(world: &World, pack: &str) -> Result<Vec<PackOrder>, kube::Error> {
    let orders = world.orders().list(&ListParams::default()).await?;
    Ok(orders.items.into_iter().filter(|order| order.spec.pack_ref.name == pack).collect())
}

fn is_over(order: &PackOrder) -> bool {
    let lines = order.status.as_ref().map(|status| status.lines.as_slice()).unwrap_or_default();
    !lines.is_empty() && lines.iter().all(|line| line.state == LineState::Done && line.paid.is_some())
}

/// Each pack was bought once and each of its instances renewed so often; every charge is recorded by one order; every
/// instance expires at this moment.
pub async fn assert_charges(world: &World, packs: &[(&str, usize)], each_until: impl Fn(&str) -> Timestamp) {
    let ledger = world.simulator.ledger();
    let mut explained = BTreeSet::new();
    for (name, renewals) in packs {
        // The API server may have been killed a moment ago.
        let listed = eventually(PATIENCE, "the orders are listed", async || orders_of(world, name).await);
        let orders = listed.await.unwrap_or_else(|error| world.fail(&error.to_string()));
        let lines = |action: OrderAction| {
            let of = orders.iter().filter(move |order| order.spec.action == action);
            of.filter_map(|order| order.status.as_ref()).flat_map(|status| status.lines.iter()).collect::<Vec<_>>()
        };
        let (bought, renewed) = (lines(OrderAction::Buy), lines(OrderAction::Renew));
        assert_eq!((bought.len(), renewed.len()), (1, renewals * QUANTITY), "{name}: {orders:#?}");
        for line in bought.iter().chain(&renewed) {
            let [id] = line.order_ids.as_slice() else { panic!("{name}: not one order id: {line:#?}") };
            assert!(explained.insert(id.clone()), "{name}: two lines claim the charge {id}");
        }
        for id in bought.iter().flat_map(|line| &line.instance_ids) {
            let instance = world.simulator.instances().into_iter().find(|instance| instance.id == *id).unwrap();
            assert_eq!(instance.expires, each_until(name), "{name}: {id}");
        }
    }
    let charged: BTreeSet<String> = ledger.iter().map(|entry| entry.order_id.clone()).collect();
    assert_eq!((charged.len(), &charged), (ledger.len(), &explained), "{ledger:#?}");
    assert_eq!(world.simulator.instances().len(), packs.len() * QUANTITY);
}

/// Moves business time on while an order waits for it: in the quarantine of a call with unknown outcome, or between attempts
/// after a refusal. Never returns.
pub async fn pass_time(world: &World, pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        let Ok(orders) = world.orders().list(&ListParams::default()).await else { continue };
        let now = world.simulator.now();
        let settles = |time: &Timestamp| *time + Timing::default().quarantine;
        let waits = orders.items.iter().filter_map(|order| order.status.as_ref()).flat_map(|s| &s.lines).any(|line| {
            let submitted = line.submit_time.as_ref().map(|time| time.0);
            match line.state {
                LineState::Unknown => submitted.is_some_and(|time| settles(&time) > now),
                LineState::Pending => line.retry_time.as_ref().is_some_and(|time| time.0 > now),
                _ => false,
            }
        });
        if waits {
            world.simulator.advance(SignedDuration::from_mins(1)).unwrap();
        }
    }
}
