//! Counters. Everybody may count, and nothing in here reads any state: a collector that does is registered from outside.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use carpack_api::order::OrderAction;
use carpack_cloud::{CallError, Category};
use carpack_core::order::Outcome;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::reason::reason_of;

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

/// The counters, and the registry that they and the collectors are in.
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
            "Reconciles of objects, by controller and by how they ended",
            Clone::clone(&reconciles),
        );
        Self { registry: Mutex::new(registry), cloud, orders, reconciles }
    }
}

impl Metrics {
    /// Counts a call to the cloud that is free of charge. A list counts once, however many pages it has.
    pub fn cloud_call(&self, action: &'static str, error: Option<&CallError>) {
        self.cloud_answer(action, error.map(CallError::category));
    }

    /// Counts a call to the cloud. No category means that it succeeded.
    pub fn cloud_answer(&self, action: &'static str, category: Option<Category>) {
        let category = category.map_or("Ok", |category| reason_of(category).as_str());
        self.cloud.get_or_create(&CloudLabels { action, category }).inc();
    }

    /// Counts a paid call by its outcome.
    pub fn order_line(&self, action: OrderAction, outcome: &Outcome) {
        let result = match outcome {
            Outcome::Committed { .. } => "Committed",
            Outcome::Rejected { .. } => "Rejected",
            Outcome::Unknown { .. } => "Unknown",
            Outcome::PaidNotDelivered { .. } => "PaidNotDelivered",
        };
        self.orders.get_or_create(&OrderLabels { action: action.as_str(), result }).inc();
    }

    /// Counts a reconcile of an object. The category is `Ok` or that of the error.
    pub fn reconciled(&self, controller: &'static str, category: &'static str) {
        self.reconciles.get_or_create(&ReconcileLabels { controller, category }).inc();
    }

    /// Adds a collector: it is read each time Prometheus asks.
    pub fn register(&self, collector: Box<dyn Collector>) {
        self.registry().register_collector(collector);
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
