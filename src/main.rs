//! carpack: the operator.
fn main() {}
