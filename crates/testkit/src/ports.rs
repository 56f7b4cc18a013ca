use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};

/// Below the range from which systems give ports to outgoing connections, so that a server that is restarted finds its port.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// A loopback port on which nobody listens just now. Another process may still take it first: starts are tried again.
pub fn free_port() -> u16 {
    let random = || RandomState::new().build_hasher().finish();
    let size = u64::from(RANGE.end - RANGE.start);
    std::iter::repeat_with(|| RANGE.start + u16::try_from(random() % size).unwrap_or_default())
        .take(1000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap_or(RANGE.start)
}
