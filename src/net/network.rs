//! Addresses that begin alike.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Bits of an IPv6 address in front of an IPv4 address that is mapped into it.
const MAPPED_BITS: u8 = 96;

/// The IP addresses whose first `bits` are those of `address`: one address, or a network in the
/// notation of CIDR. An IPv4 address is the same written as IPv6.
///
/// Invariant: the address is canonical ([`IpAddr::to_canonical`]), its other bits are zero, and
/// `bits` is at most its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadNetwork;

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an IP address such as 203.0.113.7 or a network such as 10.0.0.0/8")
    }
}

impl std::error::Error for BadNetwork {}

impl Network {
    /// The network of the first `bits` of `address`, `None` if that has fewer.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let (address, bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(mapped)) if bits >= MAPPED_BITS => {
                (IpAddr::V4(mapped), bits - MAPPED_BITS)
            }
            (address, _) => (address, bits),
        };
        let address = first(address, bits)?;
        Some(Self { address, bits })
    }

    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && first(address, self.bits) == Some(self.address)
    }
}

/// Whether one of the networks has `address`.
#[must_use]
pub fn is_in(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// The address with all bits but the first ones zero, `None` if it has not so many.
fn first(address: IpAddr, bits: u8) -> Option<IpAddr> {
    let bits = u32::from(bits);
    Some(match address {
        IpAddr::V4(v4) => {
            let others = Ipv4Addr::BITS.checked_sub(bits)?;
            let kept = u32::MAX.checked_shl(others).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & kept).into()
        }
        IpAddr::V6(v6) => {
            let others = Ipv6Addr::BITS.checked_sub(bits)?;
            let kept = u128::MAX.checked_shl(others).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & kept).into()
        }
    })
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let Some((address, bits)) = text.split_once('/') else {
            return text.parse().map(|address: IpAddr| address.into()).map_err(|_bad| BadNetwork);
        };
        let address = address.parse().map_err(|_bad| BadNetwork)?;
        // `parse` takes a sign as well: `10.0.0.0/+8` is no notation that anybody else reads.
        let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = bits.parse().ok().filter(|_| is_number).ok_or(BadNetwork)?;
        Self::new(address, bits).ok_or(BadNetwork)
    }
}

/// One address alone, or with the number of its bits.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::from(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.bits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        for (network, inside, outside) in [
            (
                "10.0.0.0/8",
                &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..],
                &["11.0.0.0", "9.255.255.255", "::1", "::10.0.0.1"][..],
            ),
            ("203.0.113.7", &["203.0.113.7", "::ffff:203.0.113.7"], &["203.0.113.6", "::"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "2001:db8::1"]),
            ("::/0", &["::1", "2001:db8::1"], &["10.0.0.1", "::ffff:10.0.0.1"]),
            ("2001:db8::/32", &["2001:db8::1", "2001:db8:ffff::"], &["2001:db9::"]),
            ("::ffff:10.0.0.0/104", &["10.9.9.9"], &["11.0.0.0"]),
            ("fe80::1", &["fe80::1"], &["fe80::2"]),
        ] {
            let network: Network = network.parse().unwrap();
            for (addresses, expect) in [(inside, true), (outside, false)] {
                for address in addresses {
                    let found = network.contains(address.parse().unwrap());
                    assert_eq!(found, expect, "{address} in {network}");
                }
            }
        }
    }

    #[test]
    fn it_is_shown_in_one_way() {
        for (text, expect) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("2001:DB8::1/64", "2001:db8::/64"),
            ("::1/128", "::1"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), expect);
            assert_eq!(network.to_string().parse(), Ok(network));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "home",
            "10.0.0.0/-1",
            "10.0.0.0 /8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork), "{text}");
        }
    }
}
