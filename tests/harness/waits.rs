//! Waiting for a state of the objects, of the cloud or of the log. Each wait fails with what was seen last.

use carpack_api::order::OrderAction;
use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_simulator::Simulator;
use carpack_testkit::{eventually, watch_until};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::status::{condition, condition_with_reason, is_current, order_state, reason_of};
use super::{PATIENCE, World};

impl World {
    /// Waits until the log of the operator contains this text.
    pub async fn until_log(&self, text: &str) {
        let attempt = async || if self.log().contains(text) { Ok(()) } else { Err("not yet") };
        let what = format!("the log says {text}");
        eventually(PATIENCE, &what, attempt).await.unwrap_or_else(|error| self.fail(&error.to_string()));
    }

    /// Waits until the predicate holds for the pack.
    pub async fn until(&self, name: &str, wanted: impl Fn(&ConcurrencyPack) -> bool) -> ConcurrencyPack {
        match watch_until(&self.packs(), name, PATIENCE, |pack| wanted(pack)).await {
            Ok(pack) => pack,
            Err(error) => self.fail(&error.to_string()),
        }
    }

    /// Waits until the pack has this reason, for its present spec.
    pub async fn until_reason(&self, name: &str, reason: &str) -> ConcurrencyPack {
        self.until(name, |pack| reason_of(pack) == reason && is_current(pack)).await
    }

    /// Waits until the pack is Ready and its purchases are recorded as delivered, which may happen a moment later.
    pub async fn until_ready(&self, name: &str) -> ConcurrencyPack {
        self.until(name, |pack| condition(pack, "Ready") == "True" && is_current(pack)).await;
        let attempt = async || {
            let orders = self.orders().list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
            let buys = orders.iter().filter(|o| o.spec.pack_ref.name == name && o.spec.action == OrderAction::Buy);
            let open: Vec<String> = buys.filter(|o| order_state(o) == "InProgress").map(|o| o.name_any()).collect();
            if open.is_empty() { Ok(()) } else { Err(format!("in progress: {open:?}")) }
        };
        let recorded = eventually(PATIENCE, "the purchase is recorded as delivered", attempt).await;
        recorded.unwrap_or_else(|error| self.fail(&error.to_string()));
        self.until(name, |pack| condition(pack, "Ready") == "True" && is_current(pack)).await
    }

    /// Waits until a condition has this status and reason, written `True Bound`.
    pub async fn until_condition(&self, name: &str, kind: &str, wanted: &str) -> ConcurrencyPack {
        self.until(name, |pack| condition_with_reason(pack, kind) == wanted && is_current(pack)).await
    }

    /// Waits until an order has this state.
    pub async fn until_order(&self, pack: &str, suffix: &str, state: &str) -> PackOrder {
        self.until_order_where(pack, suffix, |order| order_state(order) == state).await
    }

    /// Waits until the predicate holds for an order.
    pub async fn until_order_where(&self, pack: &str, suffix: &str, wanted: impl Fn(&PackOrder) -> bool) -> PackOrder {
        let name = self.order_name(pack, suffix);
        let order = watch_until(&self.orders(), &name, PATIENCE, |order: &PackOrder| wanted(order)).await;
        order.unwrap_or_else(|error| self.fail(&error.to_string()))
    }

    /// Waits until the condition Ready of the account has this status and reason, written `False WrongCredentials`.
    pub async fn until_account(&self, wanted: &str) -> CarAccount {
        let ready = |account: &CarAccount| {
            let conditions = account.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
            conditions.iter().any(|c| c.type_ == "Ready" && format!("{} {}", c.status, c.reason) == wanted)
        };
        self.until_account_where(ready).await
    }

    /// Waits until the predicate holds for the account.
    pub async fn until_account_where(&self, wanted: impl Fn(&CarAccount) -> bool) -> CarAccount {
        let account = watch_until(&self.accounts(), "default", PATIENCE, wanted).await;
        account.unwrap_or_else(|error| self.fail(&error.to_string()))
    }

    /// Waits until the account reports so many instances that no pack claims.
    pub async fn until_unclaimed(&self, count: i64) -> CarAccount {
        self.until_account_where(|account| account.status.as_ref().is_some_and(|s| s.unclaimed == count)).await
    }

    /// Waits for an event with this reason on a pack or an order; returns its message.
    pub async fn event(&self, object: &str, reason: &str) -> String {
        let attempt = async || {
            let mut seen = Vec::new();
            for namespace in [&self.tenant, &self.treasury] {
                let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
                for event in events.list(&ListParams::default()).await.map_err(|e| e.to_string())?.items {
                    let about = event.regarding.as_ref().and_then(|r| r.name.clone()).unwrap_or_default();
                    if about == object && event.reason.as_deref() == Some(reason) {
                        return Ok(event.note.unwrap_or_default());
                    }
                    seen.push(format!("{about}: {}", event.reason.unwrap_or_default()));
                }
            }
            Err(format!("{seen:?}"))
        };
        let what = format!("an event {reason} on {object}");
        eventually(PATIENCE, &what, attempt).await.unwrap_or_else(|error| self.fail(&error.to_string()))
    }

    /// Waits until the predicate holds for the cloud.
    pub async fn until_cloud(&self, what: &str, mut holds: impl FnMut(&Simulator) -> bool) {
        let attempt = async || if holds(&self.simulator) { Ok(()) } else { Err("not yet") };
        eventually(PATIENCE, what, attempt).await.unwrap_or_else(|error| self.fail(&error.to_string()));
    }

    /// Waits until so many more sweeps of the account are complete. What the operator would do because of them, it has done.
    pub async fn sweeps(&self, count: usize) {
        let sweeps = |s: &Simulator| s.requests().iter().filter(|r| r.action == "DescribeApplicationProjects").count();
        let before = sweeps(&self.simulator);
        self.until_cloud("the operator sweeps the account", |s| sweeps(s) > before + count).await;
    }
}
