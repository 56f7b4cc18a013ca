//! A life in which the operator is met once, in the middle of an effect.

use std::time::Duration;

use carpack_testkit::eventually;
use jiff::SignedDuration;
use serde_json::json;
use tokio::time::sleep;

use crate::harness::status::expiration;
use crate::harness::way::{Ambush, Met, Place, Then, Way, to_api_server, to_cloud};
use crate::harness::{PROJECT, Setup, World};
use crate::judge::{judge, keep_time, stands};

/// Longer than a lease, a quarantine and a restart take together.
const PATIENCE: Duration = Duration::from_secs(120);
const LEASE: Duration = Duration::from_secs(6);

/// What happens to the process that is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// SIGKILL; another one is started.
    Killed,
    /// SIGSTOP; another one is started, and the first wakes up before or after its lease has run out.
    Frozen,
}

/// Lives from the purchase to the deletion; answers whether the process was met on the way.
pub async fn live(place: Place, fate: Fate) -> bool {
    let (ambush, mut met) = Ambush::at(place);
    let mut world = World::without_operator(Setup { with_account: false, ..Setup::default() }).await;
    let ways: [Way; 2] = [
        to_api_server(world.client.clone(), ambush.clone()).await,
        to_cloud(&world.simulator.url(), ambush.clone()).await,
    ];
    world.reach_api_server_at(&ways[0].url);
    world.put_account(json!({"endpoint": ways[1].url})).await;
    world.start_operator();
    let mut others = Vec::new();
    let mut times = 0;
    let meetings = supervise(&world, &mut met, place, fate, &mut others, &mut times);
    tokio::select! {
        () = story(&world) => {}
        () = meetings => {}
        () = keep_time(&world, Duration::from_secs(1)) => {}
    }
    times > 0
}

/// Does to the process that is met what is to be done, and starts another one. Never returns.
async fn supervise(
    world: &World,
    met: &mut Met,
    place: Place,
    fate: Fate,
    others: &mut Vec<carpack_testkit::GuardedProcess>,
    times: &mut usize,
) {
    while let Some(say) = met.recv().await {
        *times += 1;
        match fate {
            Fate::Killed => {
                world.operator().kill();
                let _ = say.send(Then::IsLost);
                others.push(world.launch());
            }
            Fate::Frozen => {
                world.operator().pause().unwrap();
                others.push(world.launch());
                // Half of them wake up while they still lead.
                let long = (place.site as usize + place.point as usize).is_multiple_of(2);
                sleep(if long { LEASE * 2 } else { LEASE / 2 }).await;
                world.operator().resume().unwrap();
                let _ = say.send(Then::GoesOn);
            }
        }
    }
    std::future::pending().await
}

async fn story(world: &World) {
    let day = SignedDuration::from_hours(24);
    world.apply_three().await;
    until(world, "concert is bought", async || stands(world, "concert", PROJECT, None).await).await;
    let expiry = expiration(&world.pack("concert").await).unwrap();

    world.change("concert", json!({"project": "cap-b"})).await;
    until(world, "concert is moved", async || stands(world, "concert", "cap-b", None).await).await;

    world.go_to(expiry - SignedDuration::from_hours(5));
    until(world, "concert is renewed", async || stands(world, "concert", "cap-b", Some(expiry + day)).await).await;
    world.sweeps(2).await;
    judge(world, &[("concert", 1)], |_| expiry + day).await;

    world.delete("concert").await;
    until(world, "concert is gone", async || world.packs().get_opt("concert").await.unwrap().is_none()).await;
    world.until_unclaimed(3).await;
    judge(world, &[("concert", 1)], |_| expiry + day).await;
}

async fn until(world: &World, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let look = async || if holds().await { Ok(()) } else { Err("not yet") };
    eventually(PATIENCE, what, look).await.unwrap_or_else(|error| world.fail(&error.to_string()));
}
