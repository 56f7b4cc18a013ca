//! The controllers of packs, orders and accounts, and what queues their objects.

pub mod accounts;
pub mod driver;
pub mod orders;
pub mod packs;
pub mod queueing;
pub mod unreadable;
