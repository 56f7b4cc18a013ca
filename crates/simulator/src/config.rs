//! How a simulator is set up.

use std::net::{Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{account::AccountConfig, prices::PriceList};

/// The configuration of a simulator. Every field has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the simulator listens. Port 0: any free port.
    pub address: SocketAddr,
    /// Where the business clock starts. None: at the machine's time.
    pub start: Option<Timestamp>,
    /// Business seconds per real second. 0: the clock moves only when it is set.
    pub rate: f64,
    /// The seed of generated ids: the same seed gives the same ids.
    pub seed: u64,
    /// The offset from UTC of the times in answers, in hours.
    pub zone_offset_hours: i8,
    /// How many seconds an expired instance stays ISOLATED before it is removed.
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
