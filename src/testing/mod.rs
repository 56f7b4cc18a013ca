//! What unit tests share: an operator that leads, before an API server and a cloud that do what is most inconvenient, and
//! write down what was asked of them.

pub mod cloud;
pub mod objects;
pub mod server;

use std::sync::Arc;
use std::time::Duration;

use carpack_api::order::LineStatus;
use carpack_api::{CarAccount, ConcurrencyPack, Mode, PackOrder};
use carpack_core::Timing;
use carpack_core::account::Health;
use carpack_core::observation::Observation;
use futures::channel::mpsc::unbounded;
use kube::runtime::reflector::store::Writer;
use serde_json::Value;

use self::cloud::{HeldUp, PaidCloud};
use self::objects::{CALL, ORDER, TREASURY, account, after, decided, order, pack};
use self::server::Server;
use crate::account::inventory::{Inventories, Tools};
use crate::account::snapshot::Snapshot;
use crate::money::desk::PaidDesk;
use crate::money::dial::{PaidClient, tencent};
use crate::money::recheck::Evidence;
use crate::money::spender::Spender;
use crate::operator::{Operator, Queues, Settings, Stores};
use crate::runtime::clock::Clock;
use crate::runtime::events::Events;
use crate::runtime::lease::LeaseGuard;
use crate::runtime::metrics::Metrics;
use crate::runtime::seen::Seen;
use crate::runtime::tasks::Tasks;

/// A leader whose caches hold these orders with their packs, before an API server that holds the same.
pub struct World {
    pub server: Arc<Server>,
    pub operator: Arc<Operator>,
    pub spender: Arc<Spender>,
    pub snapshot: Arc<Snapshot>,
    /// Changes what is known of accounts.
    pub accounts: Writer<CarAccount>,
}

impl World {
    pub async fn new(names: &[&str], account: CarAccount, held_up: HeldUp) -> Self {
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
            dial: tencent(),
            desk: Arc::clone(&desk),
            metrics: Arc::clone(&metrics),
            published: unbounded().0,
            tasks: tasks.clone(),
        });
        let queues =
            Queues { packs: unbounded().0, orders: unbounded().0, accounts: unbounded().0, unreadable: unbounded().0 };
        let swept = Observation { started: after(10), instances: Default::default(), projects: Default::default() };
        let snapshot = Snapshot { observation: Some(Arc::new(swept)), health: Health::Ready, ..Snapshot::unknown() };
        let orders: Vec<PackOrder> = names.iter().map(|name| decided(order(name), name, &account, &snapshot)).collect();
        let packs: Vec<ConcurrencyPack> = names.iter().map(|name| pack(name)).collect();
        orders.iter().for_each(|order| server.put(order));
        packs.iter().for_each(|pack| server.put(pack));
        let guard = LeaseGuard::leading_for(2 * CALL);
        let paid = PaidCloud { log: server.log.clone(), guard: guard.clone(), clock: clock.clone(), held_up };
        desk.put("default", PaidClient::new(Arc::new(paid)));
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

    pub async fn leading() -> Self {
        Self::held_up(HeldUp::No).await
    }

    pub async fn held_up(held_up: HeldUp) -> Self {
        Self::new(&["concert"], account(Value::Null), held_up).await
    }

    /// What was asked of the API server and of the cloud, in its order, once everything is over.
    pub async fn submit(&self, names: &[&str]) -> Vec<String> {
        for name in names {
            let evidence = Evidence { snapshot: Arc::clone(&self.snapshot), deals: None };
            self.spender.submit(&format!("events.{name}.buy-1"), 0, evidence);
        }
        self.operator.tasks.wait_for_paid(Duration::from_secs(20)).await;
        self.server.log.read()
    }

    /// The line of the first order.
    pub fn line(&self) -> LineStatus {
        self.server.get::<PackOrder>(ORDER).status.unwrap().lines[0].clone()
    }
}
