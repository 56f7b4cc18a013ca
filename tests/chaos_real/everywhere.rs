//! The binary itself before a real API server and the simulated cloud: it is killed, or frozen, in the middle of every kind
//! of effect, and at random. The judge is the cloud's ledger.

use std::future::ready;

use carpack_chaos::fault::{Point, Site};
use futures::{StreamExt, stream};

use crate::boundary::{Fate, live};
use crate::harness::own_plane;
use crate::harness::way::Place;
use crate::random;

/// So many worlds live at the same time.
const WORLDS: usize = 4;

/// Lives all of these, some at the same time; answers how many times the process was met.
async fn live_all(lives: Vec<(Place, Fate)>) -> usize {
    let lived = stream::iter(lives).map(async |(place, fate)| {
        let met = live(place, fate).await;
        println!("{fate:?} at {}/{:?}: {}", place.site, place.point, if met { "ok" } else { "no occasion" });
        met
    });
    lived.buffer_unordered(WORLDS).filter(|met| ready(*met)).count().await
}

/// Meets a process at every place there is.
async fn live_everywhere(fate: Fate) {
    let points = |site| Point::ALL.into_iter().map(move |point| Place { site, point, skip: 0 });
    let lives: Vec<_> = Site::ALL.into_iter().flat_map(points).map(|place| (place, fate)).collect();
    let (all, met) = (lives.len(), live_all(lives).await);
    println!(
        "{fate:?} at {met} of {all} places: double charges 0 | lost packs 0 | missed renewals 0 | repeated renewals 0"
    );
    assert_eq!(met, all);
}

/// A few of the places, for every day; all of them are in the test below.
#[tokio::test(flavor = "multi_thread")]
async fn killed_around_an_intent_and_its_call_every_pack_is_bought_once_and_renewed_in_time() {
    let at = |site, point| (Place { site, point, skip: 0 }, Fate::Killed);
    let lives = vec![
        at(Site::IntentBuy, Point::ReplyLost),
        at(Site::Buy, Point::ReplyLost),
        at(Site::Buy, Point::NotPersisted),
        at(Site::Renew, Point::NotExecuted),
    ];
    assert_eq!(live_all(lives).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make chaos-real"]
async fn killed_at_every_effect_every_pack_is_bought_once_and_renewed_in_time() {
    live_everywhere(Fate::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make chaos-real"]
async fn frozen_at_every_effect_and_woken_beside_another_every_pack_is_bought_once_and_renewed_in_time() {
    live_everywhere(Fate::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make chaos-real"]
async fn killed_and_frozen_at_random_with_api_server_and_etcd_every_pack_is_bought_once_and_renewed_in_time() {
    let plane = own_plane().await;
    for seed in 1..=random::SEEDS {
        println!("{}", random::live(plane, seed).await);
    }
}
