//! A port for a program that cannot be asked for one of the system's choice.
//! The tests of the link have the same.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;

/// A port that nobody listens on, below those that the system gives to connections: one of these
/// may be taken before the engine listens there, or while it is away.
pub(crate) fn free_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    // Where connections get nearly all of them there is no better one.
    let first = first.filter(|first| *first > 12_000).unwrap_or(32_768_u64);
    let tries = std::iter::repeat_with(|| RandomState::new().build_hasher().finish());
    let ports = tries.filter_map(|random| u16::try_from(10_000 + random % (first - 10_000)).ok());
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("random numbers do not end")
}
