//! What the kernel counts of connections that never reached the process.

use std::fs;

/// Where the kernel counts what happens to connections in this network namespace.
const NETSTAT: &str = "/proc/net/netstat";

/// Connections that were dropped since a listener's queue was full, of all processes in this
/// network namespace; 0 where the kernel does not say.
pub(super) fn listen_overflows() -> u64 {
    fs::read_to_string(NETSTAT).ok().and_then(|text| parse(&text)).unwrap_or(0)
}

/// The number under `ListenOverflows`: each line of names is followed by one of numbers.
fn parse(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|name| name == "ListenOverflows")?;
    numbers.split(' ').nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_under_its_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 27 3\nIpExt: a\n";
        assert_eq!(parse(text), Some(27));
        assert_eq!(parse("TcpExt: a b\nTcpExt: 1 2\n"), None);
        assert_eq!(parse(""), None);
    }
}
