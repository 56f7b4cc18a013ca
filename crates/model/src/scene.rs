//! A world, together with what every decision in it is given.

use carpack_core::Timing;
use carpack_core::account::Account;

use crate::config::World;
use crate::state::digest;

/// A world, together with what every decision in it is given.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The world.
    pub world: World,
    /// The account.
    pub account: Option<Account>,
    /// The intervals of the decisions.
    pub timing: Timing,
    /// Tells this world from others, in the memory of decisions.
    pub(crate) id: u128,
}

impl Scene {
    /// The scene of a world.
    pub fn new(world: World) -> Self {
        let id = digest(&format!("{world:?}"));
        Self { account: world.account(), timing: world.intervals(), id, world }
    }
}
