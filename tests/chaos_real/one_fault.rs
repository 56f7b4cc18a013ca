//! A scenario in which the operator is killed or frozen once, in the middle of an effect.

use std::time::Duration;

use carpack_testkit::eventually;
use jiff::SignedDuration;
use serde_json::json;
use tokio::time::sleep;

use crate::checks::{assert_charges, pass_time, stands};
use crate::harness::interceptor::{Interceptor, Next, Place, Proxy, Stops, proxy_to_api_server, proxy_to_cloud};
use crate::harness::status::expiration;
use crate::harness::{PROJECT, Setup, World};

/// Longer than a lease, a quarantine and a restart together.
const PATIENCE: Duration = Duration::from_secs(120);
const LEASE: Duration = Duration::from_secs(6);

/// What happens to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// SIGKILL; another operator is started.
    Killed,
    /// SIGSTOP; another operator is started, and the first is resumed before or after its lease has expired.
    Frozen,
}

/// Runs a pack from its purchase to its deletion; returns whether the request was stopped on the way.
pub async fn run(place: Place, fate: Fate) -> bool {
    let (interceptor, mut stops) = Interceptor::at(place);
    let mut world = World::without_operator(Setup { with_account: false, ..Setup::default() }).await;
    let proxies: [Proxy; 2] = [
        proxy_to_api_server(world.client.clone(), interceptor.clone()).await,
        proxy_to_cloud(&world.simulator.url(), interceptor.clone()).await,
    ];
    world.reach_api_server_at(&proxies[0].url);
    world.put_account(json!({"endpoint": proxies[1].url})).await;
    world.start_operator();
    let mut others = Vec::new();
    let mut times = 0;
    let faults = supervise(&world, &mut stops, place, fate, &mut others, &mut times);
    tokio::select! {
        () = scenario(&world) => {}
        () = faults => {}
        () = pass_time(&world, Duration::from_secs(1)) => {}
    }
    times > 0
}

/// Kills or freezes the operator when its request is stopped, and starts another one. Never returns.
async fn supervise(
    world: &World,
    stops: &mut Stops,
    place: Place,
    fate: Fate,
    others: &mut Vec<carpack_testkit::GuardedProcess>,
    times: &mut usize,
) {
    while let Some(answer) = stops.recv().await {
        *times += 1;
        match fate {
            Fate::Killed => {
                world.operator().kill();
                let _ = answer.send(Next::Drop);
                others.push(world.launch());
            }
            Fate::Frozen => {
                world.operator().pause().unwrap();
                others.push(world.launch());
                // At half of the places it is resumed while it still leads.
                let long = (place.site as usize + place.point as usize).is_multiple_of(2);
                sleep(if long { LEASE * 2 } else { LEASE / 2 }).await;
                world.operator().resume().unwrap();
                let _ = answer.send(Next::Forward);
            }
        }
    }
    std::future::pending().await
}

async fn scenario(world: &World) {
    let day = SignedDuration::from_hours(24);
    world.apply_three().await;
    until(world, "concert is bought", async || stands(world, "concert", PROJECT, None).await).await;
    let expiry = expiration(&world.pack("concert").await).unwrap();

    world.change("concert", json!({"project": "cap-b"})).await;
    until(world, "concert is moved", async || stands(world, "concert", "cap-b", None).await).await;

    world.go_to(expiry - SignedDuration::from_hours(5));
    until(world, "concert is renewed", async || stands(world, "concert", "cap-b", Some(expiry + day)).await).await;
    world.sweeps(2).await;
    assert_charges(world, &[("concert", 1)], |_| expiry + day).await;

    world.delete("concert").await;
    until(world, "concert is gone", async || world.packs().get_opt("concert").await.unwrap().is_none()).await;
    world.until_unclaimed(3).await;
    assert_charges(world, &[("concert", 1)], |_| expiry + day).await;
}

async fn until(world: &World, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let attempt = async || if holds().await { Ok(()) } else { Err("not yet") };
    eventually(PATIENCE, what, attempt).await.unwrap_or_else(|error| world.fail(&error.to_string()));
}
