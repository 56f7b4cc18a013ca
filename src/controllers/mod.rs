//! The controllers of packs, orders and accounts, and what queues their objects.
//!
//! Each reconcile gathers what is known, asks `carpack_core` to decide, records the status, and carries out the one effect: see
//! [`record`].

pub mod accounts;
pub mod driver;
pub mod orders;
pub mod packs;
pub mod queueing;
mod record;
pub mod unreadable;
