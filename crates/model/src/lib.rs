//! A model checker over the real decisions of carpack.
//!
//! A world of one or two packs, an API server, a cloud with a ledger and two operators is explored in every
//! interleaving, with a bounded number of faults. [`carpack_core`] takes every decision. This crate is only what stands
//! around it: how objects are stored, how a paid call travels, how the cloud answers it, and when a process stops.
//!
//! From the bottom up:
//!
//! - [`config`], [`worlds`]: the worlds that are explored, and the bugs that are seeded.
//! - [`marks`], [`state`], [`scene`]: a state of a world, and what it remembers of the way there.
//! - [`api`], [`cloud`], [`decisions`], [`operator`], [`spender`], [`clock`]: what may happen in it.
//! - [`action`], [`model`], [`at_rest`], [`properties`], [`checker`], [`explore`]: what stateright explores and checks.
//!
//! What is left out is said where it is left out. In short: time is sampled at the moments at which a decision or the
//! cloud changes, and a slow operator is a frozen one, which is a fault.

pub mod action;
pub mod api;
pub mod at_rest;
pub mod checker;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod decisions;
pub mod explore;
pub mod marks;
pub mod model;
pub mod operator;
pub mod properties;
pub mod scene;
pub mod spender;
pub mod state;
pub mod worlds;
