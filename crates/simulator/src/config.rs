//! The configuration of a simulator.

use std::net::{Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{account::AccountConfig, prices::PriceList};

/// The configuration of a simulator. Every field has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on; port 0 = any free one.
    pub address: SocketAddr,
    /// The time at which the business clock starts; absent = now.
    pub start: Option<Timestamp>,
    /// Business seconds per real second; 0 = the business clock moves only on request.
    pub rate: f64,
    /// The seed of the random ids, so that runs are reproducible.
    pub seed: u64,
    /// The offset from UTC of times on the wire, in hours.
    pub zone_offset_hours: i8,
    /// How long an expired instance stays ISOLATED before it is removed.
    pub isolation_seconds: i64,
    /// `ProductCode` of CAR in billing.
    pub product_code: String,
    /// `SubProductCode` of a concurrency pack.
    pub sub_product_code: String,
    /// The accounts.
    pub accounts: Vec<AccountConfig>,
    /// The price list.
    pub prices: PriceList,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            start: None,
            rate: 1.0,
            seed: 1,
            zone_offset_hours: 8,
            isolation_seconds: 7 * 86_400,
            product_code: "p_car".to_owned(),
            sub_product_code: "sp_car_concurrency".to_owned(),
            accounts: vec![AccountConfig::default()],
            prices: PriceList::default(),
        }
    }
}
