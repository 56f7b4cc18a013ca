//! carpack-api
