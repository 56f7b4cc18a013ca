//! carpack-testkit
