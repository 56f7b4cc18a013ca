//! Two operators at once: only the leader acts, the other takes over when it is gone, and a frozen leader that wakes up too
//! late stops without acting.

mod gate;

use carpack_api::order::LineState;
use carpack_chaos::fault::{Point, Site};
use carpack_simulator::When;
use carpack_testkit::{Exit, GuardedProcess, eventually};
use gate::Gate;
use jiff::SignedDuration;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;
use tokio::time::timeout;

use crate::harness::interceptor::{Interceptor, Next, Place, proxy_to_api_server};
use crate::harness::status::expiration;
use crate::harness::{PATIENCE, Setup, World};

/// The exit code of an operator that has lost its lease.
const LEASE_LOST: Exit = Exit::Code(3);

/// A world whose operator leads, and a second operator on standby.
async fn two() -> (World, GuardedProcess) {
    let world = World::start().await;
    let second = one_more(&world).await;
    (world, second)
}

/// Starts a second operator once the first one leads, and waits until it is on standby.
async fn one_more(world: &World) -> GuardedProcess {
    world.until_log("leading").await;
    let second = world.launch();
    world.until_log("another process leads").await;
    second
}

async fn holder(world: &World) -> String {
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), &world.treasury);
    leases.get("carpack").await.unwrap().spec.unwrap().holder_identity.unwrap_or_default()
}

/// Waits until the lease has another holder than this one.
async fn until_taken_over(world: &World, from: &str) {
    let attempt = async || match holder(world).await {
        now if now == from || now.is_empty() => Err(now),
        _ => Ok(()),
    };
    eventually(PATIENCE, "another leader", attempt).await.unwrap_or_else(|e| world.fail(&e.to_string()));
}

/// Resumes the frozen leader while the second operator leads, and waits until it has stopped.
async fn wakes_up(world: &mut World, second: GuardedProcess) -> GuardedProcess {
    let frozen = world.adopt_operator(second).unwrap();
    frozen.resume().unwrap();
    assert_eq!(frozen.wait(PATIENCE).await.unwrap(), LEASE_LOST);
    frozen
}

async fn bought_once(world: &World) {
    world.until_order("concert", "buy-1", "Fulfilled").await;
    world.bought_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_only_the_leader_acts() {
    let (world, second) = two().await;
    let leader = holder(&world).await;
    world.apply_three().await;
    bought_once(&world).await;
    let expiry = expiration(&world.pack("concert").await).unwrap();
    world.go_to(expiry - SignedDuration::from_hours(5));
    world.until_order("concert", "renew-1", "Fulfilled").await;
    assert_eq!(world.charged_each("RenewInstance"), [1, 1, 1]);
    assert_eq!((world.asked("CreateInstance"), world.asked("RenewInstance")), (1, 3));
    assert_eq!(holder(&world).await, leader);
    let log = std::fs::read_to_string(second.log()).unwrap();
    assert!(!log.contains("sending a paid call") && !log.contains("an order was created"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_leader_was_killed_in_the_middle_of_a_purchase_the_other_takes_over_and_buys_nothing_again() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    world.purchase_held(When::AfterCommit).await;
    world.kill_operator();
    world.adopt_operator(second);
    until_taken_over(&world, &leader).await;
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stops_in_order_hands_over_at_once() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    world.stop_operator().await;
    assert_ne!(holder(&world).await, leader, "the lease is given back");
    world.adopt_operator(second);
    world.apply_three().await;
    bought_once(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_frozen_and_wakes_up_after_another_took_over_stops_without_acting() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    world.operator().pause().unwrap();
    world.apply_three().await;
    until_taken_over(&world, &leader).await;
    bought_once(&world).await;
    let asked = world.asked("CreateInstance");
    wakes_up(&mut world, second).await;
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_frozen_while_its_purchase_is_on_its_way_wakes_up_beside_another_and_it_is_bought_once() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    let held = world.purchase_held(When::BeforeCommit).await;
    world.operator().pause().unwrap();
    until_taken_over(&world, &leader).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    world.simulator.release(held).unwrap();
    wakes_up(&mut world, second).await;
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
    let order = world.until_order("concert", "buy-1", "Fulfilled").await;
    assert_eq!(order.status.unwrap().lines[0].state, LineState::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_frozen_while_its_purchase_got_lost_does_not_send_it_again_when_the_other_has() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    let held = world.purchase_held(When::BeforeCommit).await;
    world.operator().pause().unwrap();
    world.simulator.remove_fault(held).unwrap();
    until_taken_over(&world, &leader).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    world.advance_minutes(8);
    bought_once(&world).await;
    wakes_up(&mut world, second).await;
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 2);
}

/// A leader that was frozen (SIGSTOP) after it had signed its purchase, while it waited for its connection to the cloud. The
/// connection was made meanwhile; the other operator leads and has found the intent.
struct Signed {
    world: World,
    second: GuardedProcess,
    gate: Gate,
    /// The local port of the connection for its purchase.
    port: u16,
}

async fn stopped_with_its_signed_purchase() -> Signed {
    let mut world = World::without_operator(Setup { with_account: false, ..Setup::default() }).await;
    let mut gate = Gate::to(world.simulator.address());
    world.put_account(json!({"endpoint": gate.url()})).await;
    world.start_operator();
    let second = one_more(&world).await;
    let leader = holder(&world).await;
    // Its connections for reads are open now. A paid call opens one of its own.
    world.until_account("True Ready").await;
    world.sweeps(1).await;
    gate.close().await;
    world.apply_three().await;
    world.until_log("sending a paid call").await;
    let attempt = async || match gate.waiting().as_slice() {
        [port] => Ok(*port),
        all => Err(format!("{all:?}")),
    };
    let connecting = eventually(PATIENCE, "it asks for a connection to pay by", attempt).await;
    let port = connecting.unwrap_or_else(|error| world.fail(&error.to_string()));
    world.operator().pause().unwrap();
    assert_eq!(gate.waiting(), [port], "it was stopped while it waited for its connection");
    gate.open();
    let attempt = async || if gate.has_connected(port) { Ok(()) } else { Err("not yet") };
    eventually(PATIENCE, "its connection is made", attempt).await.unwrap_or_else(|e| world.fail(&e.to_string()));
    until_taken_over(&world, &leader).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    assert!(world.asked("CreateInstance") == 0 && !gate.has_sent(port));
    Signed { world, second, gate, port }
}

/// As [`wakes_up`]; and the log says that its call was never sent.
async fn wakes_up_and_sends_nothing(world: &mut World, second: GuardedProcess) -> GuardedProcess {
    let frozen = wakes_up(world, second).await;
    let log = std::fs::read_to_string(frozen.log()).unwrap();
    assert!(log.contains("a paid call is over") && log.contains("Rejected for now"), "{log}");
    frozen
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc/net/tcp")]
async fn a_leader_frozen_between_signing_and_sending_wakes_up_after_the_other_has_bought_and_sends_nothing() {
    let Signed { mut world, second, gate, port } = stopped_with_its_signed_purchase().await;
    world.advance_minutes(8);
    bought_once(&world).await;
    wakes_up_and_sends_nothing(&mut world, second).await;
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
    assert!(!gate.has_sent(port), "not a byte of it has left");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc/net/tcp")]
async fn what_a_leader_frozen_between_signing_and_sending_says_it_never_sent_is_bought_by_the_other_at_once() {
    let Signed { mut world, second, gate, port } = stopped_with_its_signed_purchase().await;
    wakes_up_and_sends_nothing(&mut world, second).await;
    assert!(!gate.has_sent(port), "not a byte of it has left");
    // Without a quarantine: nothing is in doubt.
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

/// The timeout of the call starts when it is signed, which is too late here: the margin of the lease holds the call back.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_frozen_before_it_reads_that_its_intent_stands_signs_when_it_wakes_up_and_is_held_back() {
    let (interceptor, mut stops) = Interceptor::at(Place { site: Site::IntentBuy, point: Point::ReplyLost, skip: 0 });
    // Short, so that it wakes up before its request to the API server times out (10 s).
    let flags = vec!["--lease-duration", "5s", "--lease-step-down", "4s", "--call-timeout", "2s"];
    let mut world = World::without_operator(Setup { flags, ..Setup::default() }).await;
    let proxy = proxy_to_api_server(world.client.clone(), interceptor).await;
    world.reach_api_server_at(&proxy.url);
    world.start_operator();
    let second = one_more(&world).await;
    let leader = holder(&world).await;
    world.apply_three().await;
    let answer = timeout(PATIENCE, stops.recv()).await.unwrap().unwrap();
    world.operator().pause().unwrap();
    answer.send(Next::Forward).unwrap();
    until_taken_over(&world, &leader).await;
    assert_eq!(world.asked("CreateInstance"), 0);
    let frozen = wakes_up_and_sends_nothing(&mut world, second).await;
    let log = std::fs::read_to_string(frozen.log()).unwrap();
    assert!(log.contains("sending a paid call") && log.contains("held back: leadership is sure for"), "{log}");
    bought_once(&world).await;
    assert_eq!(world.asked("CreateInstance"), 1);
}

/// A process that is frozen between its last check and the first byte sends when it wakes up. No check can prevent that: for
/// the others it is a call that has been under way all the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_that_leaves_a_frozen_leader_after_the_other_has_bought_is_not_charged_again() {
    let (mut world, second) = two().await;
    let leader = holder(&world).await;
    let held = world.purchase_held(When::BeforeCommit).await;
    world.operator().pause().unwrap();
    until_taken_over(&world, &leader).await;
    world.until_order("concert", "buy-1", "Ambiguous").await;
    world.advance_minutes(8);
    bought_once(&world).await;
    assert_eq!(world.simulator.release(held).unwrap(), 1);
    let answered = |r: &carpack_simulator::RequestRecord| r.action == "CreateInstance" && r.outcome == "ok";
    world
        .until_cloud("the late purchase is answered", |s| s.requests().iter().filter(|r| answered(r)).count() == 2)
        .await;
    bought_once(&world).await;
    wakes_up(&mut world, second).await;
    bought_once(&world).await;
}
