//! Where money leaves: the only module that makes paid calls.
//!
//! [`spender`] pays a line of an order in four steps: recheck, intend, send, record. The types say so: only [`recheck`] makes
//! what can be intended, and in [`payment`] only what is intended can be sent, and only what is sent can be recorded. The
//! paid half of a client ([`desk::PaidClient`]) can be opened in this module only.

pub mod desk;
mod outcome;
pub mod payment;
pub mod recheck;
mod request;
pub mod spender;
#[cfg(test)]
mod tests;
mod turns;
