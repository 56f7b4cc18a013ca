//! Free ports.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};

/// Below the range of ports for outgoing connections, so that a restarted server gets its port again.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// A loopback port on which nobody listens now. Another process may take it before it is used: then try again.
pub fn free_port() -> u16 {
    let random = || RandomState::new().build_hasher().finish();
    let size = u64::from(RANGE.end - RANGE.start);
    std::iter::repeat_with(|| RANGE.start + u16::try_from(random() % size).unwrap_or_default())
        .take(1000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap_or(RANGE.start)
}
