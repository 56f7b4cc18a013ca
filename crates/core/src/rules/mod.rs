//! The rules: what must hold before an order is made, and again before each of its calls leaves. One rule is one function.
//!
//! A rule examines a case (`case.rs`), and either passes or names an [`obstacle`]. Orders ask rules before each call, and wait or end:
//! `order/chains.rs` lists which. Packs ask rules before they make an order or change something, and report the obstacle: the lists
//! `RULES` stand in `pack/purchase.rs`, `pack/renewal.rs`, `pack/adoption.rs` and `pack/assignment.rs`; `pack/successor.rs` asks for
//! the name, `pack/deletion.rs` for the mode.

pub(crate) mod access;
pub(crate) mod adoption;
pub(crate) mod approval;
pub mod brake;
pub(crate) mod case;
pub(crate) mod expiry;
pub(crate) mod ladder;
pub mod limits;
pub(crate) mod name;
pub(crate) mod observation;
pub mod obstacle;
pub mod price;
pub(crate) mod project;
pub(crate) mod turn;
pub(crate) mod wanted;
pub(crate) mod window;
