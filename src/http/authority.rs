//! A host and its port: RFC 9110 section 4.2, RFC 3986 section 3.2.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::net::{Ipv4Addr, Ipv6Addr};

use super::octets::ascii;

/// The longest host name that DNS knows.
const NAME_LEN_MAX: usize = 255;

/// The host of a `Host` field, of an absolute request target or of an origin.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// A name, in the case in which it came; names are compared without regard to case.
    Name(&'a str),
    /// An IPv4 address in its usual form of four decimal numbers.
    V4(Ipv4Addr),
    /// An IPv6 address, which stood in brackets.
    V6(Ipv6Addr),
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            (Self::V4(one), Self::V4(other)) => one == other,
            (Self::V6(one), Self::V6(other)) => one == other,
            (Self::Name(_) | Self::V4(_) | Self::V6(_), _) => false,
        }
    }
}

impl Eq for Host<'_> {}

impl<'a> Host<'a> {
    /// Parses a host: a name of letters, digits, `-`, `.` and `_`, an IPv4 address, or an IPv6
    /// address in brackets, without a zone. What only resembles an IPv4 address (`127.1`,
    /// `0x7f.0.0.1`) is a name.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        if let Some(inside) = text.strip_prefix(b"[") {
            let inside = ascii(inside.strip_suffix(b"]")?)?;
            return inside.parse().ok().map(Self::V6);
        }
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let good = !text.is_empty() && text.len() <= NAME_LEN_MAX && text.iter().all(is_name);
        let name = ascii(text).filter(|_| good)?;
        Some(name.parse().map_or(Self::Name(name), Self::V4))
    }
}

/// A host and the port, if one is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name or an address; of IPv6 without its brackets.
    pub host: Host<'a>,
    /// The port; `None` stands for the scheme's default.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses `host` or `host:port`, without user information; `None` if it is anything else. A
    /// colon without a port is tolerated, as RFC 3986 has it.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        // An IPv6 address has colons of its own: that of the port is looked for after the bracket.
        let bracket = text.starts_with(b"[").then(|| text.iter().position(|&byte| byte == b']'));
        let after_bracket = bracket.flatten().unwrap_or(0);
        let (_, rest) = text.split_at_checked(after_bracket)?;
        let Some(colon) = rest.iter().position(|&byte| byte == b':') else {
            return Some(Self { host: Host::parse(text)?, port: None });
        };
        let (host, port) = text.split_at_checked(after_bracket + colon)?;
        let port = ascii(port.get(1..)?)?;
        let port = if port.is_empty() { None } else { Some(parse_port(port)?) };
        Some(Self { host: Host::parse(host)?, port })
    }
}

/// Parses a port: decimal digits, no sign, no leading zero.
fn parse_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<(Host<'_>, Option<u16>)>) {
        let expect = expect.map(|(host, port)| Authority { host, port });
        assert_eq!(Authority::parse(text.as_bytes()), expect, "{text:?}");
    }

    #[test]
    fn names_and_addresses_stand_with_and_without_a_port() {
        check("localhost", Some((Host::Name("localhost"), None)));
        check("LocalHost:8080", Some((Host::Name("localhost"), Some(8080))));
        check("a_b.example.org.", Some((Host::Name("a_b.example.org."), None)));
        check("example.org:", Some((Host::Name("example.org"), None)));
        check("127.0.0.1:1", Some((Host::V4(Ipv4Addr::LOCALHOST), Some(1))));
        check("[::1]", Some((Host::V6(Ipv6Addr::LOCALHOST), None)));
        check("[::1]:65535", Some((Host::V6(Ipv6Addr::LOCALHOST), Some(65535))));
        check("[0:0:0:0:0:0:0:1]:80", Some((Host::V6(Ipv6Addr::LOCALHOST), Some(80))));
    }

    #[test]
    fn what_only_resembles_an_address_is_a_name() {
        for text in ["127.1", "0x7f.0.0.1", "2130706433", "127.0.0.01", "127.0.0.1."] {
            check(text, Some((Host::Name(text), None)));
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            ":",
            ":80",
            "a b",
            "a,b",
            "a:b",
            "a:1:2",
            "a:-1",
            "a:+1",
            "a:65536",
            "a:080",
            "a:0",
            "u@a",
            "u:p@a",
            "a/",
            "a?",
            "a#",
            "a\\b",
            "a%41",
            "\u{e9}",
            "::1",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]80",
            "[::1%25eth0]",
            "[127.0.0.1]",
            "[]",
            "[v1.x]",
            "x[::1]",
            "[::1]]",
            "http://a",
        ] {
            check(text, None);
        }
        check(&"a".repeat(256), None);
    }

    #[test]
    fn hosts_of_different_kinds_are_never_equal() {
        let hosts = [Host::Name("a"), Host::V4(Ipv4Addr::LOCALHOST), Host::V6(Ipv6Addr::LOCALHOST)];
        for (i, one) in hosts.iter().enumerate() {
            for (j, other) in hosts.iter().enumerate() {
                assert_eq!(one == other, i == j);
            }
        }
    }
}
