//! Whom a proxy speaks for: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! Each proxy appends the address that it was connected from. So the last entry is the word of the
//! proxy that is connected here, the one before it that of the proxy before, and so on: they are
//! read from the end, for as long as whom they name is a proxy that is trusted. What is in front of
//! that, anybody may have written.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::net::{IpAddr, SocketAddr};

use super::Head;

/// The address for which a trusted proxy speaks, as the fields of its request say; `None` if they
/// name none. `X-Forwarded-For` counts, if there is one.
#[must_use]
pub fn client(head: &Head<'_>, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let named = |name: &str| {
        let fields = head.fields().filter(move |(own, _)| own.eq_ignore_ascii_case(name));
        // Bytes that no address has spoil the entry that they stand in, and no other: the client
        // could send them in front of what the proxy appends, and hide behind the proxy's address.
        fields.map(|(_, value)| String::from_utf8_lossy(value)).collect::<Vec<_>>().join(",")
    };
    let forwarded_for = named("X-Forwarded-For");
    if !forwarded_for.is_empty() {
        return last_untrusted(forwarded_for.split(',').map(address), is_trusted);
    }
    let forwarded = named("Forwarded");
    last_untrusted(forwarded.split(',').map(for_parameter), is_trusted)
}

fn last_untrusted(
    entries: impl DoubleEndedIterator<Item = Option<IpAddr>>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut client = None;
    for entry in entries.rev() {
        // Behind "unknown" or a made-up name nobody is known.
        let address = entry?;
        client = Some(address);
        if !is_trusted(address) {
            // What stands left of the first address that is not trusted may be made up.
            break;
        }
    }
    client
}

/// The `for` of one element of `Forwarded`.
fn for_parameter(element: &str) -> Option<IpAddr> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })?;
    address(value.trim().trim_matches('"'))
}

/// An address, perhaps with a port, and in brackets if it is one of IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = in_brackets.unwrap_or(text).parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::super::{HeadParser, Limits, Parsed, PartialHead};
    use super::*;

    #[track_caller]
    fn check(fields: &str, expect: Option<&str>) {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let mut parser = HeadParser::new(Limits::DEFAULT);
        let parsed = parser.parse(&mut PartialHead::default(), text.as_bytes());
        let Ok(Parsed::Head { head, .. }) = parsed else { panic!("{fields:?}") };
        let is_trusted = |address: IpAddr| address.to_string().starts_with("10.");
        let found = client(&head, is_trusted);
        assert_eq!(found, expect.map(|text| text.parse().unwrap()), "{fields:?}");
    }

    #[test]
    fn the_last_one_whom_no_trusted_proxy_names_is_the_client() {
        check("", None);
        check("X-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1"));
        check("x-forwarded-for: 6.6.6.6, 192.0.2.1, 10.0.0.2\r\n", Some("192.0.2.1"));
        check("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1"));
        check("X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", Some("10.0.0.1"));
        check("X-Forwarded-For: 2001:db8::1\r\n", Some("2001:db8::1"));
        check("X-Forwarded-For: [2001:db8::1]:123\r\n", Some("2001:db8::1"));
        check("X-Forwarded-For: 192.0.2.1:123\r\n", Some("192.0.2.1"));
        check("X-Forwarded-For: ::ffff:192.0.2.1\r\n", Some("192.0.2.1"));
        check("X-Forwarded-For: 6.6.6.6, unknown\r\n", None);
        check("X-Forwarded-For: 6.6.6.6, \r\n", None);
        check("X-Forwarded-For: é, 192.0.2.1\r\n", Some("192.0.2.1"));
        check("X-Forwarded-For: é\r\nX-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1"));
        check("X-Forwarded-For: é, 192.0.2.1\r\nForwarded: for=6.6.6.6\r\n", Some("192.0.2.1"));
    }

    #[test]
    fn forwarded_says_the_same_in_its_own_form() {
        check("Forwarded: for=192.0.2.1;proto=https\r\n", Some("192.0.2.1"));
        check("Forwarded: by=10.0.0.3;For=\"[2001:db8::1]:4711\"\r\n", Some("2001:db8::1"));
        check("Forwarded: for=6.6.6.6, for=192.0.2.1, for=10.0.0.2\r\n", Some("192.0.2.1"));
        check("Forwarded: for=6.6.6.6, for=_hidden\r\n", None);
        check("Forwarded: proto=https\r\n", None);
        check("Forwarded: for=é, for=192.0.2.1\r\n", Some("192.0.2.1"));
        check("Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 192.0.2.1\r\n", Some("192.0.2.1"));
    }
}
