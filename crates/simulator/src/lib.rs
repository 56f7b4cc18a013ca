//! A server that speaks Tencent Cloud API 3.0 for CAR (`car` 2022-01-10) and `billing` (2018-07-09) as publicly
//! documented, for tests and rehearsals. Start reading at [`Simulator`] for its use, at [`state::State`] for its
//! behaviour, and in `docs/simulator.md` for both.
//!
//! ```
//! # async fn example() -> Result<(), carpack_simulator::Error> {
//! use carpack_simulator::{Config, ConsoleBuy, Simulator, term::BillingMode};
//!
//! let simulator = Simulator::start(Config { rate: 0.0, ..Config::default() }).await?;
//! simulator.console_buy(&ConsoleBuy::new("concert", BillingMode::Daily, "ap-singapore", "L1"))?;
//! simulator.advance(jiff::SignedDuration::from_hours(24))?;
//! assert_eq!(simulator.ledger()[0].amount_cents, 10_500);
//! # Ok(())
//! # }
//! ```

pub mod account;
pub mod actions;
mod api;
pub mod clock;
mod config;
mod connection;
mod control;
mod error;
pub mod faults;
pub mod ledger;
mod limiter;
pub mod prices;
mod server;
mod shared;
pub mod signature;
mod simulator;
pub mod state;
pub mod term;
pub mod wire;

pub use account::{AccessKey, AccountConfig, AccountSettings, TokenHandling};
pub use config::Config;
pub use error::{ApiError, Error};
pub use faults::{Effect, Fault, FaultId, When};
pub use ledger::{LedgerEntry, RequestRecord};
pub use prices::{PriceList, PriceRule};
pub use simulator::Simulator;
pub use state::{ConsoleBuy, Delivery, Instance, InstanceStatus, RenewFlag};
