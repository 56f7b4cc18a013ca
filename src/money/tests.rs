//! The spender before an API server and a cloud that do what is most inconvenient, and write down what was asked of them.

#[path = "../testing/server.rs"]
mod server;

use carpack_api::pack::Adopt;
use carpack_api::{CarAccount, ConcurrencyPack, Mode};
use carpack_cloud::port::{CreateInstance, RefundInstance, RenewInstance};
use carpack_core::Timing;
use carpack_core::account::Health;
use carpack_core::observation::Observation;
use futures::FutureExt;
use futures::channel::mpsc::unbounded;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use self::server::{Log, Server};
use super::*;
use crate::clock::Clock;
use crate::controllers::{Look, look_once};
use crate::events::Events;
use crate::inventory::{Inventories, Tools};
use crate::lease::LeaseGuard;
use crate::metrics::Metrics;
use crate::operator::{Queues, Settings, Stores};
use crate::tasks::Tasks;
use crate::watches::Seen;

const TREASURY: &str = "carpack-system";
const ORDER: &str = "events.concert.buy-1";
const CALL: Duration = Duration::from_secs(5);

fn begin() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    begin() + SignedDuration::from_secs(seconds)
}

fn pack(name: &str) -> ConcurrencyPack {
    serde_json::from_value(json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack",
        "metadata": {"name": name, "namespace": "events", "uid": format!("uid-{name}"), "resourceVersion": "1"},
        "spec": {
            "billingMode": "Daily", "region": "ap-singapore", "concurrencyScale": "L1", "quantity": 3, "duration": 3,
            "renewal": {"mode": "None"}}
    }))
    .unwrap()
}

fn account(limits: Value) -> CarAccount {
    serde_json::from_value(json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "CarAccount",
        "metadata": {"name": "default", "namespace": TREASURY},
        "spec": {
            "site": "International", "credentials": {"secretRef": {"name": "key"}}, "mode": "Automatic",
            "purchase": {"channel": "Api", "api": {
                "productCode": "p_car", "subProductCode": "sp_car", "parameterTemplate": "{}",
                "periodUnits": {"Daily": "d", "Monthly": "m"}}},
            "priceList": {"currency": "USD", "prices": [
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"}]},
            "limits": limits,
            "tenants": [{"namespaces": ["events"], "projects": ["*"]}]}
    }))
    .unwrap()
}

/// An order for 945.00 that was made a moment ago.
fn order(name: &str) -> PackOrder {
    serde_json::from_value(json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "PackOrder",
        "metadata": {
            "name": format!("events.{name}.buy-1"), "namespace": TREASURY, "resourceVersion": "1", "generation": 1,
            "finalizers": [carpack_api::ORDER_FINALIZER]},
        "spec": {
            "packRef": {"namespace": "events", "name": name, "uid": format!("uid-{name}")},
            "accountRef": {"name": "default"}, "action": "Buy", "ordinal": 1, "packName": format!("{name}-1a2b"),
            "terms": {
                "applicationType": "Cloud3D", "billingMode": "Daily", "region": "ap-singapore",
                "concurrencyScale": "L1", "quantity": 3, "duration": 3, "autoRenew": false},
            "quote": {"amount": "945.00", "currency": "USD"},
            "decisionTime": begin(),
            "lines": [{"index": 0, "clientToken": "t".repeat(64)}]}
    }))
    .unwrap()
}

/// What keeps this process from sending once a call is signed.
#[derive(Clone, Copy)]
enum HeldUp {
    No,
    /// It is frozen for so long.
    Frozen(Duration),
    /// Its machine is, and the process does not notice but by the clock on the wall.
    Suspended(i64),
}

/// A cloud that delivers at once.
struct PaidCloud {
    log: Log,
    guard: LeaseGuard,
    clock: Clock,
    held_up: HeldUp,
}

impl PaidCalls for PaidCloud {
    fn create_instance(
        &self,
        request: CreateInstance,
        _: Deadline,
        before_send: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        async move {
            match self.held_up {
                HeldUp::No => {}
                HeldUp::Frozen(time) => self.guard.pass(time),
                HeldUp::Suspended(seconds) => self.clock.see(after(20 + seconds), 1.0),
            }
            if let Err(why) = before_send() {
                let error = CallError::new("CreateInstance", Category::HeldBack, why);
                return carpack_cloud::Outcome::Rejected(error);
            }
            self.log.write(format!("sent with {}", request.client_token.len()));
            let (order_ids, instance_ids) = (vec!["deal-1".to_owned()], vec!["i-1".to_owned()]);
            carpack_cloud::Outcome::Committed(Receipt { order_ids, instance_ids, request_id: "r-1".to_owned() })
        }
        .boxed()
    }

    fn renew_instance(
        &self,
        _: RenewInstance,
        _: Deadline,
        _: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        unreachable!("nothing is renewed here")
    }

    fn refund_instance(
        &self,
        _: RefundInstance,
        _: Deadline,
        _: BeforeSend,
    ) -> BoxFuture<'_, carpack_cloud::Outcome<Receipt>> {
        unreachable!("nothing is returned here")
    }
}

/// A leader whose caches hold these orders with their packs, before an API server that holds the same.
struct World {
    server: Arc<Server>,
    operator: Arc<Operator>,
    spender: Arc<Spender>,
    snapshot: Arc<Snapshot>,
    /// Changes what is known of accounts.
    accounts: Writer<CarAccount>,
}

impl World {
    async fn new(names: &[&str], account: CarAccount, held_up: HeldUp) -> Self {
        // The API server does not stop with the operator.
        let server = Server::start(&Tasks::default()).await;
        let tasks = Tasks::default();
        let kube = server.kube();
        let (clock, metrics, desk) =
            (Clock::rehearsal(after(20), 1.0), Arc::new(Metrics::default()), Arc::new(PaidDesk::default()));
        let inventories = Inventories::new(Tools {
            kube: kube.clone(),
            namespace: TREASURY.to_owned(),
            clock: clock.clone(),
            interval: CALL,
            call_timeout: CALL,
            dial: crate::sweep::tencent(),
            desk: Arc::clone(&desk),
            metrics: Arc::clone(&metrics),
            published: unbounded().0,
            tasks: tasks.clone(),
        });
        let queues =
            Queues { packs: unbounded().0, orders: unbounded().0, accounts: unbounded().0, unreadable: unbounded().0 };
        let looked = Observation { started: after(10), instances: Default::default(), projects: Default::default() };
        let snapshot = Snapshot { observation: Some(Arc::new(looked)), health: Health::Ready, ..Snapshot::first() };
        let orders: Vec<PackOrder> = names.iter().map(|name| decided(order(name), name, &account, &snapshot)).collect();
        let packs: Vec<ConcurrencyPack> = names.iter().map(|name| pack(name)).collect();
        orders.iter().for_each(|order| server.put(order));
        packs.iter().for_each(|pack| server.put(pack));
        let guard = LeaseGuard::leading_for(2 * CALL);
        desk.open(
            "default",
            Arc::new(PaidCloud { log: server.log.clone(), guard: guard.clone(), clock: clock.clone(), held_up }),
        );
        let (known, accounts) = Seen::written(vec![account]);
        let operator = Arc::new(Operator {
            settings: Settings {
                namespace: TREASURY.to_owned(),
                mode: Mode::Automatic,
                timing: Timing::default(),
                call_timeout: CALL,
            },
            clock,
            guard,
            stores: Stores { packs: Seen::of(packs), orders: Seen::of(orders), accounts: known },
            queues,
            inventories,
            events: Events::new(&kube, "test".to_owned()),
            kube,
            metrics,
            tasks,
        });
        let spender = Arc::new(Spender::new(Arc::clone(&operator), desk));
        Self { server, operator, spender, snapshot: Arc::new(snapshot), accounts }
    }

    async fn leading() -> Self {
        Self::held_up(HeldUp::No).await
    }

    async fn held_up(held_up: HeldUp) -> Self {
        Self::new(&["concert"], account(Value::Null), held_up).await
    }

    /// What was asked of the API server and of the cloud, in its order, once everything is over.
    async fn submit(&self, names: &[&str]) -> Vec<String> {
        for name in names {
            let evidence = Evidence { snapshot: Arc::clone(&self.snapshot), deals: None };
            self.spender.submit(&format!("events.{name}.buy-1"), 0, evidence);
        }
        self.operator.tasks.wait_for_paid(Duration::from_secs(20)).await;
        self.server.log.read()
    }

    /// Until a call waits for the turn that somebody else has.
    async fn until_it_waits(&self) {
        let waits = || lock(&self.spender.turns).values().any(|turn| Arc::strong_count(turn) > 2);
        let waiting = async {
            while !waits() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
    }

    fn line(&self) -> LineStatus {
        self.server.get::<PackOrder>(ORDER).status.unwrap().lines[0].clone()
    }
}

/// The order as it stands when its line is about to be sent: everything that was decided is recorded.
fn decided(mut order: PackOrder, name: &str, account: &CarAccount, snapshot: &Snapshot) -> PackOrder {
    let account = Account { name: "default".to_owned(), spec: account.spec.clone(), health: Health::Ready };
    for _ in 0..5 {
        let decision = order::decide(&order::Input {
            order: &order,
            siblings: &[&order],
            unreadable: &Default::default(),
            pack: Some(&pack(name)),
            account: Some(&account),
            observation: snapshot.observation.as_deref(),
            deals: None,
            elsewhere: &Default::default(),
            commitments: &Commitments::default(),
            installation_mode: Mode::Automatic,
            now: begin(),
            clock_ahead: jiff::SignedDuration::ZERO,
            timing: &Timing::default(),
        });
        if let Some(effect) = decision.effect {
            assert_eq!(effect, Effect::Submit { index: 0 });
            return order;
        }
        order.status = Some(serde_json::from_value(json!(decision.status)).unwrap());
    }
    panic!("not to be sent: {:?}", order.status)
}

fn sent(log: &[String]) -> usize {
    log.iter().filter(|entry| entry.starts_with("sent")).count()
}

#[tokio::test]
async fn a_paid_call_is_intended_then_sent_then_recorded() {
    let world = World::leading().await;
    let log = world.submit(&["concert"]).await;
    assert_eq!(log, ["concert: Submitting", "sent with 64", "concert: Committed"]);
    assert_eq!(world.line().instance_ids, ["i-1"]);
}

#[tokio::test]
async fn an_order_that_was_denied_since_the_caches_saw_it_is_not_sent() {
    let world = World::leading().await;
    world.server.change::<PackOrder>(ORDER, |order| {
        order.spec.approval = serde_json::from_value(json!({"decision": "Denied"})).unwrap();
    });
    assert_eq!(world.submit(&["concert"]).await, [""; 0]);
}

#[tokio::test]
async fn a_pack_that_was_deleted_since_the_caches_saw_it_is_not_bought() {
    let world = World::leading().await;
    let deleted = serde_json::from_value(json!(after(15))).unwrap();
    world.server.change::<ConcurrencyPack>("concert", |pack| pack.metadata.deletion_timestamp = deleted);
    assert_eq!(world.submit(&["concert"]).await, [""; 0]);
}

#[tokio::test]
async fn when_the_intent_cannot_be_written_nothing_is_sent() {
    for status in [409, 500] {
        let world = World::leading().await;
        world.server.refuse_writes(1, status);
        assert_eq!(world.submit(&["concert"]).await, [format!("refused: {status}")]);
        assert_eq!(world.line().attempts, 0);
    }
}

#[tokio::test]
async fn the_intent_is_refused_when_the_order_has_changed_since_it_was_read() {
    let world = World::leading().await;
    world.server.change_after_the_next_read(ORDER);
    assert_eq!(world.submit(&["concert"]).await, ["refused: 409"]);
}

#[tokio::test]
async fn the_margin_of_the_lease_is_asked_for_once_more_when_the_call_is_about_to_leave() {
    let world = World::held_up(HeldUp::Frozen(CALL)).await;
    assert_eq!(world.submit(&["concert"]).await, ["concert: Submitting", "concert: Pending"]);
    assert_eq!(world.line().category.as_deref(), Some("HeldBack"));
}

#[tokio::test]
async fn a_call_does_not_leave_when_its_intent_has_grown_old_although_the_lease_still_seems_to_hold() {
    for (seconds, log) in [(8, "sent with 64"), (12, "concert: Pending")] {
        let world = World::held_up(HeldUp::Suspended(seconds)).await;
        assert_eq!(world.submit(&["concert"]).await[..2], ["concert: Submitting", log]);
    }
}

#[tokio::test]
async fn a_call_in_doubt_that_cannot_be_repeated_stays_in_doubt() {
    for (template, sent) in [("{}", 1), ("no JSON", 0)] {
        let mut account = account(Value::Null);
        let api = account.spec.purchase.api.as_mut().unwrap();
        (api.client_token_honored_minutes, api.parameter_template) = (Some(60), template.to_owned());
        let world = World::new(&["concert"], account.clone(), HeldUp::No).await;
        world.server.change::<PackOrder>(ORDER, |order| {
            let lost = Outcome::Unknown { category: "NoAnswer", message: "no answer".to_owned() };
            order.status = Some(order::intend(order, 0, begin()));
            order.status = Some(order::settle(order, 0, &lost, begin(), &Timing::default()));
            *order = decided(order.clone(), "concert", &account, &world.snapshot);
        });
        assert_eq!(self::sent(&world.submit(&["concert"]).await), sent, "{template}");
        assert_eq!(world.line().state == LineState::Unknown, sent == 0, "{template}");
    }
}

#[tokio::test]
async fn an_answer_is_recorded_although_somebody_changes_the_order_meanwhile() {
    let world = World::leading().await;
    world.server.refuse_writes_after(1, 2, 409);
    let log = world.submit(&["concert"]).await;
    assert_eq!(log, ["concert: Submitting", "sent with 64", "refused: 409", "refused: 409", "concert: Committed"]);
}

#[tokio::test]
async fn of_two_orders_sent_at_once_only_the_one_that_fits_into_the_limit_is_sent() {
    let limits = json!({"spendPerDay": "1000.00"});
    let world = World::new(&["concert", "theatre"], account(limits), HeldUp::No).await;
    world.server.delay_writes(Duration::from_millis(200));
    let log = world.submit(&["concert", "theatre"]).await;
    assert_eq!(sent(&log), 1, "{log:#?}");
}

#[tokio::test]
async fn what_another_order_of_the_pack_has_begun_is_seen_before_the_caches_see_it() {
    for limits in [Value::Null, json!({"spendPerDay": "9000.00"})] {
        let world = World::new(&["concert"], account(limits.clone()), HeldUp::No).await;
        let mut other = order("concert");
        other.metadata.name = Some("events.concert.buy-2".to_owned());
        other.status = Some(order::intend(&other, 0, after(19)));
        world.server.put(&other);
        assert_eq!(world.submit(&["concert"]).await, [""; 0], "{limits}");
    }
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_when_the_operator_stops_does_not_leave() {
    let world = World::leading().await;
    let turn = world.spender.turn("events/concert".to_owned()).await;
    let evidence = Evidence { snapshot: Arc::clone(&world.snapshot), deals: None };
    world.spender.submit(ORDER, 0, evidence);
    world.until_it_waits().await;
    world.operator.tasks.stop().cancel();
    drop(turn);
    assert_eq!(world.submit(&[]).await, [""; 0]);
}

#[tokio::test]
async fn a_call_that_waited_for_its_turn_while_its_account_was_stopped_does_not_leave() {
    for stopped in [true, false] {
        let mut world = World::leading().await;
        let turn = world.spender.turn("events/concert".to_owned()).await;
        let evidence = Evidence { snapshot: Arc::clone(&world.snapshot), deals: None };
        world.spender.submit(ORDER, 0, evidence);
        world.until_it_waits().await;
        if stopped {
            let mut account = account(Value::Null);
            account.spec.mode = Mode::Observe;
            world.accounts.apply_watcher_event(&Event::Apply(account));
        } else {
            world.operator.stores.accounts.spoil(ObjectRef::new("default").within(TREASURY));
        }
        drop(turn);
        assert_eq!(world.submit(&[]).await, [""; 0], "stopped: {stopped}");
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_may_hold_whatever_a_pack_wants_to_take_over() {
    let world = World::leading().await;
    let mut pack = pack("gala");
    pack.spec.adopt = Some(Adopt { instance_ids: vec!["i-1".to_owned()] });
    let holder = |world: &World| world.operator.holders(&pack, &world.snapshot).remove("i-1").unwrap_or_default();
    assert_eq!(holder(&world), "");
    world.operator.stores.packs.spoil(ObjectRef::new("strange").within("events"));
    assert!(holder(&world).starts_with("ConcurrencyPack strange cannot be read"), "{}", holder(&world));
    let world = World::leading().await;
    world.operator.stores.orders.spoil(ObjectRef::new("strange").within(TREASURY));
    assert!(holder(&world).starts_with("PackOrder strange cannot be read"), "{}", holder(&world));
}

#[tokio::test]
async fn a_leader_whose_margin_has_run_out_for_a_moment_looks_again() {
    let world = World::leading().await;
    let look: Look<ConcurrencyPack> = Arc::new(|_| async { panic!("it may not act") }.boxed());
    let again = || look_once("pack", Arc::new(pack("concert")), &world.operator, &look);
    world.operator.guard.pass(3 * CALL);
    assert!(again().await.is_some());
}

#[tokio::test]
async fn a_clock_that_no_answer_tells_may_be_ahead_as_far_as_signatures_allow() {
    assert_eq!(Snapshot::first().clock_ahead(), SignedDuration::from_mins(5));
}

#[tokio::test]
async fn what_the_caches_have_not_seen_yet_counts_against_the_limit() {
    let limits = json!({"spendPerDay": "1000.00"});
    let world = World::new(&["concert"], account(limits), HeldUp::No).await;
    let mut other = order("theatre");
    other.status = Some(order::intend(&other, 0, after(19)));
    world.server.put(&other);
    assert_eq!(world.submit(&["concert"]).await, [""; 0]);
}
