//! Which addresses belong to the public internet: the registries of special addresses of RFC 6890,
//! and what stands for an address of IPv4 in one of IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that nothing is sent to: the first address, the bits of the prefix, and what
/// they are.
const REFUSED_V4: &[([u8; 4], u32, &str)] = &[
    ([0, 0, 0, 0], 8, "unspecified"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "shared by a provider"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved"),
    ([192, 0, 2, 0], 24, "for documentation"),
    ([192, 88, 99, 0], 24, "a relay of 6to4"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "for measurements"),
    ([198, 51, 100, 0], 24, "for documentation"),
    ([203, 0, 113, 0], 24, "for documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

/// Networks within `2000::/3`, the only ones that are given out, that nothing is sent to.
const REFUSED_V6: &[([u16; 3], u32, &str)] = &[
    ([0x2001, 0, 0], 23, "reserved, or a tunnel"),
    ([0x2001, 0xdb8, 0], 32, "for documentation"),
    ([0x2002, 0, 0], 16, "a tunnel (6to4)"),
    ([0x3fff, 0, 0], 20, "for documentation"),
];

/// What an address is that nothing may be sent to; `None` if it is one of the public internet.
#[must_use]
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refusal_v4(address),
        IpAddr::V6(address) => refusal_v6(address),
    }
}

fn refusal_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let is_in = |first: [u8; 4], prefix: u32| {
        (bits ^ Ipv4Addr::from(first).to_bits()).leading_zeros() >= prefix
    };
    REFUSED_V4.iter().find_map(|(first, prefix, what)| is_in(*first, *prefix).then_some(*what))
}

fn refusal_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] => return Some("an address of IPv4 in disguise"),
        // By NAT64 a network without IPv4 reaches the rest: as the address that follows it.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            return refusal_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
        }
        _ => {}
    }
    if bits == 0 {
        return Some("unspecified");
    }
    if bits == 1 {
        return Some("loopback");
    }
    let is_in = |[a, b, c]: [u16; 3], prefix: u32| {
        let first = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_bits();
        (bits ^ first).leading_zeros() >= prefix
    };
    for (first, prefix, what) in [
        ([0xfc00, 0, 0], 7, "private"),
        ([0xfe80, 0, 0], 10, "link-local"),
        ([0xff00, 0, 0], 8, "multicast"),
    ] {
        if is_in(first, prefix) {
            return Some(what);
        }
    }
    if !is_in([0x2000, 0, 0], 3) {
        return Some("reserved");
    }
    REFUSED_V6.iter().find_map(|(first, prefix, what)| is_in(*first, *prefix).then_some(*what))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is sent to these.
    const REFUSED: &str = "
        0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255
        169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1
        198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.7 224.0.0.1 239.255.255.255 240.0.0.1
        255.255.255.255 :: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8
        ::ffff:0:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::1
        64:ff9b:1::8.8.8.8 100::1 2001::1 2001:1ff::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1
        3fff::1 3fff:fff:ffff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 febf::1 fec0::1 ff02::1
        ff0e::1 4000::1 1fff::1";
    /// The neighbours of the above, and some that are well known.
    const PUBLIC: &str = "
        1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
        169.253.255.255 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0
        198.17.255.255 198.20.0.0 223.255.255.255 2001:200::1 2001:4860:4860::8888 2606:4700::1111
        2a00:1450:4001::1 3ffe::1 3fff:1000::1 64:ff9b::8.8.8.8";

    #[test]
    fn nothing_is_sent_but_to_the_public_internet() {
        for address in REFUSED.split_whitespace() {
            assert_ne!(refusal(address.parse().unwrap()), None, "{address}");
        }
        for address in PUBLIC.split_whitespace() {
            assert_eq!(refusal(address.parse().unwrap()), None, "{address}");
        }
    }
}
