//! The pack of three named concert, with which most tests start.

use carpack_api::ConcurrencyPack;
use carpack_simulator::{FaultId, When};
use jiff::Timestamp;
use serde_json::json;

use super::status::{expiration, renewals};
use super::{DAY, PROJECT, World};

impl World {
    /// Applies the pack.
    pub async fn apply_three(&self) -> ConcurrencyPack {
        self.apply("concert", json!({"project": PROJECT, "quantity": 3})).await
    }

    /// Applies the pack and waits until it is Ready; returns when it expires.
    pub async fn three(&self) -> Timestamp {
        self.apply_three().await;
        expiration(&self.until_ready("concert").await).unwrap()
    }

    /// Applies the pack of three, and waits until the cloud holds its purchase.
    pub async fn purchase_held(&self, when: When) -> FaultId {
        let held = self.hold("CreateInstance", when);
        self.apply_three().await;
        self.until_held(held).await;
        held
    }

    /// Waits until the cloud holds a paid call because of this fault.
    pub async fn until_held(&self, hold: FaultId) {
        self.until_cloud("a paid call is held", |simulator| simulator.holding(hold) == 1).await;
    }

    /// The pack is Ready, and one purchase is all that was charged.
    pub async fn bought_once(&self) {
        self.until_ready("concert").await;
        self.sweeps(2).await;
        assert_eq!((self.bought(), self.simulator.ledger().len(), self.simulator.instances().len()), (1, 1, 3));
    }

    /// Each instance was renewed once, by one order, and expires a day later than before.
    pub async fn renewed_once_each(&self, expiry: Timestamp) {
        self.until_order("concert", "renew-1", "Fulfilled").await;
        self.until("concert", |pack| renewals(pack) == 1 && expiration(pack) == Some(expiry + DAY)).await;
        self.until_ready("concert").await;
        self.until_condition("concert", "RenewalOnTrack", "True Scheduled").await;
        self.sweeps(2).await;
        assert_eq!((self.charged_each("RenewInstance"), self.renewed()), (vec![1, 1, 1], 3));
        assert!(self.simulator.instances().iter().all(|instance| instance.expires == expiry + DAY));
        assert_eq!(self.all_orders().await.len(), 2, "the purchase and one renewal");
    }
}
