//! What is known, read from the objects and the observation: the lowest floor above plain data. Facts judge nothing.

pub mod commitments;
pub mod holdings;
pub mod ledger;
pub mod takeover;
