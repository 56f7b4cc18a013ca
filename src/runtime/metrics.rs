//! What Prometheus is told.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use carpack_api::order::OrderAction;
use carpack_cloud::{CallError, Category};
use carpack_core::order::Outcome;
use kube::ResourceExt;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::operator::Operator;
use crate::packs::word;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloudLabels {
    action: &'static str,
    category: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OrderLabels {
    action: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    controller: &'static str,
    category: &'static str,
}

/// Counts.
pub struct Metrics {
    registry: Mutex<Registry>,
    cloud: Family<CloudLabels, Counter>,
    orders: Family<OrderLabels, Counter>,
    reconciles: Family<ReconcileLabels, Counter>,
}

impl Default for Metrics {
    /// Nothing counted yet.
    fn default() -> Self {
        let mut registry = Registry::with_prefix("carpack");
        let (cloud, orders, reconciles) = (Family::default(), Family::default(), Family::default());
        registry.register(
            "cloud_requests",
            "Calls to the cloud, by action and by how they ended",
            Clone::clone(&cloud),
        );
        registry.register("orders", "Paid calls, by what they do and by how they ended", Clone::clone(&orders));
        registry.register(
            "reconciles",
            "Looks at objects, by controller and by how they ended",
            Clone::clone(&reconciles),
        );
        Self { registry: Mutex::new(registry), cloud, orders, reconciles }
    }
}

impl Metrics {
    /// A call to the cloud that costs nothing, or a whole list of pages, is over.
    pub fn cloud_call(&self, action: &'static str, error: Option<&CallError>) {
        self.cloud_answer(action, error.map(CallError::category));
    }

    /// A call to the cloud is over.
    pub fn cloud_answer(&self, action: &'static str, category: Option<Category>) {
        let category = category.map_or("Ok", Category::as_str);
        self.cloud.get_or_create(&CloudLabels { action, category }).inc();
    }

    /// A paid call is over.
    pub fn order_line(&self, action: OrderAction, outcome: &Outcome) {
        let result = match outcome {
            Outcome::Committed { .. } => "Committed",
            Outcome::Rejected { .. } => "Rejected",
            Outcome::Unknown { .. } => "Unknown",
            Outcome::PaidNotDelivered { .. } => "PaidNotDelivered",
        };
        self.orders.get_or_create(&OrderLabels { action: word(action), result }).inc();
    }

    /// A look at an object is over.
    pub fn reconciled(&self, controller: &'static str, category: &'static str) {
        self.reconciles.get_or_create(&ReconcileLabels { controller, category }).inc();
    }

    /// From now on the state of packs and accounts is told too.
    pub fn watch(&self, operator: Arc<Operator>) {
        self.registry().register_collector(Box::new(State(operator)));
    }

    /// Everything, as Prometheus reads it.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the stores when Prometheus asks.
struct State(Arc<Operator>);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.leader(&mut encoder)?;
        self.expirations(&mut encoder)?;
        self.accounts(&mut encoder)
    }
}

impl State {
    fn leader(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 while this process leads";
        let metric = encoder.encode_descriptor("leader", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(self.0.guard.leads())).encode(metric)
    }

    fn expirations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "When the first instance of a pack expires, in seconds since 1970";
        let mut metric =
            encoder.encode_descriptor("pack_expiration_timestamp_seconds", help, None, MetricType::Gauge)?;
        for pack in self.0.stores.packs.store.state() {
            let Some(time) = pack.status.as_ref().and_then(|status| status.expiration_time.as_ref()) else { continue };
            let labels = [("namespace", pack.namespace().unwrap_or_default()), ("name", pack.name_any())];
            ConstGauge::new(time.0.as_second()).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn accounts(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let names: Vec<String> =
            self.0.stores.accounts.store.state().iter().map(|account| account.name_any()).collect();
        let snapshots: Vec<_> = names.iter().map(|name| (name, self.0.snapshot(name))).collect();
        let help = "Balance of an account in cents of its currency";
        let mut metric = encoder.encode_descriptor("account_balance_cents", help, None, MetricType::Gauge)?;
        for (name, snapshot) in &snapshots {
            let Some(balance) = &snapshot.balance else { continue };
            ConstGauge::new(balance.cents).encode(metric.encode_family(&[("account", name.as_str())])?)?;
        }
        let help = "When the last complete look at an account began, in seconds since 1970";
        let mut metric = encoder.encode_descriptor("account_sweep_timestamp_seconds", help, None, MetricType::Gauge)?;
        for (name, snapshot) in &snapshots {
            let Some(observation) = &snapshot.observation else { continue };
            ConstGauge::new(observation.started.as_second())
                .encode(metric.encode_family(&[("account", name.as_str())])?)?;
        }
        let help = "How far the cloud's clock is ahead of ours";
        let mut metric = encoder.encode_descriptor("cloud_clock_skew_seconds", help, None, MetricType::Gauge)?;
        for (name, snapshot) in &snapshots {
            let Some(skew) = snapshot.skew else { continue };
            ConstGauge::new(skew.as_secs()).encode(metric.encode_family(&[("account", name.as_str())])?)?;
        }
        Ok(())
    }
}
