//! carpack-simulator
