//! The PROXY header, with which a proxy says at the beginning of a connection whom it speaks for:
//! versions 1 and 2 of the PROXY protocol.

use std::net::SocketAddr;

use ppp::{HeaderResult, PartialResult as _, v1, v2};

/// The most bytes of a header: one of version 1 has 107, one of version 2 addresses of at most 216
/// and whatever a proxy tells besides.
pub(super) const HEADER_LEN_MAX: usize = 4096;

/// The most bytes of a header of version 1.
const LINE_LEN_MAX: usize = 107;

/// How each version begins.
const BEGINNINGS: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyHeader {
    /// The beginning of a header.
    Incomplete,
    /// A header of so many bytes, and whom it speaks for; `None`: for the proxy itself, as when it
    /// asks for the server's health.
    Of(usize, Option<SocketAddr>),
    /// No header.
    Malformed,
}

/// Parses the header at the front of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> ProxyHeader {
    let begins = |begin: &[u8]| {
        let len = begin.len().min(bytes.len());
        begin.get(..len) == bytes.get(..len)
    };
    // At the first byte that differs: who speaks something else is not waited for.
    if !BEGINNINGS.into_iter().any(begins) {
        return ProxyHeader::Malformed;
    }
    // A line that is not whole yet may look like a wrong one.
    let is_line = bytes.first() == BEGINNINGS[0].first();
    if is_line && !bytes.windows(2).any(|end| end == b"\r\n") {
        let is_short = bytes.len() < LINE_LEN_MAX;
        return if is_short { ProxyHeader::Incomplete } else { ProxyHeader::Malformed };
    }
    let result = HeaderResult::parse(bytes);
    let is_short = bytes.len() < BEGINNINGS[1].len() || result.is_incomplete();
    match result {
        HeaderResult::V1(Ok(header)) => {
            let source = match header.addresses {
                v1::Addresses::Tcp4(tcp) => Some((tcp.source_address, tcp.source_port).into()),
                v1::Addresses::Tcp6(tcp) => Some((tcp.source_address, tcp.source_port).into()),
                // The specification has a receiver take the connection's own addresses then.
                v1::Addresses::Unknown => None,
            };
            ProxyHeader::Of(header.header.len(), source)
        }
        HeaderResult::V2(Ok(header)) => {
            let source = match (header.command, &header.addresses) {
                (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
                    Some((ip.source_address, ip.source_port).into())
                }
                (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
                    Some((ip.source_address, ip.source_port).into())
                }
                (v2::Command::Local | v2::Command::Proxy, _) => None,
            };
            ProxyHeader::Of(header.len(), source)
        }
        // A line is whole by now, so that one which does not parse will never do.
        _ if is_short && !is_line && bytes.len() < HEADER_LEN_MAX => ProxyHeader::Incomplete,
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => ProxyHeader::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of version 2 with this command, this family and these bytes after it, whose length
    /// is said to be `len`.
    fn v2(command: u8, family: u8, len: u16, rest: &[u8]) -> Vec<u8> {
        [BEGINNINGS[1], &[0x20 | command, family], &len.to_be_bytes(), rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb];

    #[track_caller]
    fn check(bytes: &[u8], expect: Option<&str>) {
        let source = expect.map(|text| text.parse().unwrap());
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), ProxyHeader::Incomplete, "{:?}", &bytes[..end]);
        }
        for rest in [&b""[..], b"GET / HTTP/1.1\r\n", b"\r\n", bytes] {
            let whole = [bytes, rest].concat();
            assert_eq!(parse(&whole), ProxyHeader::Of(bytes.len(), source), "{whole:?}");
        }
    }

    #[test]
    fn a_header_says_whom_the_proxy_speaks_for_and_ends_where_it_ends() {
        check(b"PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\r\n", Some("192.0.2.1:12345"));
        check(b"PROXY TCP6 2001:db8::1 ::1 12345 443\r\n", Some("[2001:db8::1]:12345"));
        check(b"PROXY UNKNOWN\r\n", None);
        check(&v2(1, 0x11, 12, &V4), Some("192.0.2.1:12345"));
        check(&v2(0, 0, 0, &[]), None);
        // With something told besides.
        check(&v2(1, 0x11, 16, &[&V4[..], &[4, 0, 1, 7]].concat()), Some("192.0.2.1:12345"));
        let v6: Vec<u8> =
            [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 16], &[0x30, 0x39, 1, 0xbb]].concat();
        check(&v2(1, 0x21, 36, &v6), Some("[2001:db8::1]:12345"));
    }

    #[test]
    fn what_is_no_header_is_refused_at_once() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01",
            b"proxy TCP4 192.0.2.1 10.0.0.1 1 2\r\n",
            b"PROXY TCP4 home 10.0.0.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 99999 2\r\n",
            b"PROXY TCP9 192.0.2.1 10.0.0.1 1 2\r\n",
            &v2(1, 0x11, 4, &V4),
            &v2(1, 0x11, 0, &[]),
            &v2(7, 0x11, 12, &V4),
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c",
        ] {
            assert_eq!(parse(bytes), ProxyHeader::Malformed, "{bytes:?}");
        }
    }

    #[test]
    fn a_header_that_is_too_long_is_not_waited_for() {
        let endless = [&b"PROXY TCP4 "[..], &[b'1'; HEADER_LEN_MAX]].concat();
        assert_eq!(parse(&endless), ProxyHeader::Malformed);
        let long = v2(1, 0x11, 0xffff, &[0; HEADER_LEN_MAX]);
        assert_eq!(parse(&long), ProxyHeader::Malformed);
    }
}
