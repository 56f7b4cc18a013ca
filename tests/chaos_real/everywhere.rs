//! The operator is killed or frozen in the middle of every kind of effect, and at random. The ledger of the cloud decides.

use std::future::ready;

use carpack_chaos::fault::{Point, Site};
use futures::{StreamExt, stream};

use crate::harness::interceptor::Place;
use crate::harness::own_plane;
use crate::one_fault::{self, Fate};
use crate::random_faults;

/// So many worlds run at the same time.
const WORLDS: usize = 4;

/// Runs these scenarios; returns in how many of them the operator came to the place.
async fn run_all(scenarios: Vec<(Place, Fate)>) -> usize {
    let runs = stream::iter(scenarios).map(async |(place, fate)| {
        let reached = one_fault::run(place, fate).await;
        println!("{fate:?} at {}/{:?}: {}", place.site, place.point, if reached { "ok" } else { "not reached" });
        reached
    });
    runs.buffer_unordered(WORLDS).filter(|reached| ready(*reached)).count().await
}

/// Runs a scenario for every place there is.
async fn run_everywhere(fate: Fate) {
    let points = |site| Point::ALL.into_iter().map(move |point| Place { site, point, skip: 0 });
    let scenarios: Vec<_> = Site::ALL.into_iter().flat_map(points).map(|place| (place, fate)).collect();
    let (all, reached) = (scenarios.len(), run_all(scenarios).await);
    println!(
        "{fate:?} at {reached} of {all} places: double charges 0 | lost packs 0 | missed renewals 0 | repeated renewals 0"
    );
    assert_eq!(reached, all);
}

/// A few of the places, for every run of the tests. The test below has all of them.
#[tokio::test(flavor = "multi_thread")]
async fn killed_around_an_intent_and_its_call_every_pack_is_bought_once_and_renewed_in_time() {
    let at = |site, point| (Place { site, point, skip: 0 }, Fate::Killed);
    let scenarios = vec![
        at(Site::IntentBuy, Point::ReplyLost),
        at(Site::Buy, Point::ReplyLost),
        at(Site::Buy, Point::NotPersisted),
        at(Site::Renew, Point::NotExecuted),
    ];
    assert_eq!(run_all(scenarios).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make chaos-real"]
async fn killed_at_every_effect_every_pack_is_bought_once_and_renewed_in_time() {
    run_everywhere(Fate::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make chaos-real"]
async fn frozen_at_every_effect_and_woken_beside_another_every_pack_is_bought_once_and_renewed_in_time() {
    run_everywhere(Fate::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make chaos-real"]
async fn killed_and_frozen_at_random_with_api_server_and_etcd_every_pack_is_bought_once_and_renewed_in_time() {
    let plane = own_plane().await;
    for seed in 1..=random_faults::SEEDS {
        println!("{}", random_faults::run(plane, seed).await);
    }
}
