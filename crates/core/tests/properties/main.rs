//! What holds whatever happens, whatever the cloud shows, and whatever is written into an object.
//!
//! `make test` runs a few cases of each property, and always the same ones. `PROPTEST_CASES=20000` runs so many, and others
//! each time.
#![allow(clippy::unwrap_used)]

mod any_life;
mod any_object;
mod any_observation;
mod spec_changes;
#[path = "../world/mod.rs"]
#[allow(dead_code, unused_imports, reason = "some of it only the decisions ask for")]
mod world;

use proptest::test_runner::{Config, RngSeed};

/// So many cases, or as many as `PROPTEST_CASES` says.
fn cases(usual: u32) -> Config {
    let asked = Config::default();
    let common = Config { max_shrink_iters: 4000, failure_persistence: None, ..asked };
    if is_asked_for_more() { common } else { Config { cases: usual, rng_seed: RngSeed::Fixed(20_261_201), ..common } }
}

/// True when `PROPTEST_CASES` is set.
fn is_asked_for_more() -> bool {
    std::env::var_os("PROPTEST_CASES").is_some()
}
