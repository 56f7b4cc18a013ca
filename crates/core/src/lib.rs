//! carpack-core
