//! What is decided about packs, orders and accounts, step by step, in a world in virtual time.
#![allow(clippy::unwrap_used)]

mod accounts;
mod orders;
mod packs;
mod words;
#[path = "../world/mod.rs"]
mod world;
