//! A model checker over the real decisions of carpack.
//!
//! A world of one or two packs, an API server, a cloud with a ledger and two operators is explored in every interleaving,
//! with a bounded number of faults. Every decision is taken by [`carpack_core`]; what is written here is only what stands
//! around it: how objects are stored, how a paid call travels, what the cloud does with it, and when a process stops.
//!
//! - [`config`], [`worlds`]: the worlds that are explored, and the drivers that are broken on purpose.
//! - [`state`]: a moment of the world. [`api`], [`cloud`], [`operator`], [`spender`]: what may happen in it.
//! - [`clock`]: which moments are looked at. [`model`], [`properties`]: what stateright is given.
//!
//! Why the model leaves out what it leaves out is said where it does; in short: time is sampled at the moments on which a
//! decision or the cloud changes its mind, and an operator that is slow is one that is frozen, which is a fault.

pub mod api;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod model;
pub mod operator;
pub mod properties;
pub mod run;
pub mod spender;
pub mod state;
pub mod worlds;
