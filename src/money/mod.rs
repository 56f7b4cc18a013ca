//! Where money leaves: the only module that makes paid calls.
//!
//! [`spender`] pays a line of an order in four steps: recheck, intend, send, record. The types say so: only [`recheck`] makes
//! what can be intended, and in [`payment`] only what is intended can be sent, and only what is sent can be recorded.
//!
//! What holds this: [`dial`] makes every client and seals its paid half ([`dial::PaidClient`]), and only this module can open
//! one (the compiler). Nobody else makes a client: `clippy.toml` forbids `carpack_cloud::connect` outside of [`dial`].

pub mod desk;
pub mod dial;
mod outcome;
pub mod payment;
pub mod recheck;
mod request;
pub mod spender;
#[cfg(test)]
mod tests;
mod turns;
