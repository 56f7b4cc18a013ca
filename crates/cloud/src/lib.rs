//! carpack-cloud
