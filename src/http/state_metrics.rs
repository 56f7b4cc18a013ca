//! Metrics that are read from the stores and from the snapshots of accounts when Prometheus asks.

use std::fmt;
use std::sync::Arc;

use kube::ResourceExt;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::operator::Operator;

/// Reads the state of an operator. Only `carpack run` registers one: the registry is part of the operator, so the two then
/// live as long as the process.
pub struct StateMetrics(pub Arc<Operator>);

impl fmt::Debug for StateMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateMetrics")
    }
}

impl Collector for StateMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.leader(&mut encoder)?;
        self.expirations(&mut encoder)?;
        self.accounts(&mut encoder)
    }
}

impl StateMetrics {
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
        let help = "When the last complete sweep of an account began, in seconds since 1970";
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
