//! Networks of IP addresses: an address, and how many of its bits count.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The first of its addresses, canonical.
    first: IpAddr,
    /// How many bits count.
    bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNetwork {
    /// It is no address, or there is no number of bits behind the slash.
    Form,
    /// The address has not so many bits.
    Bits,
    /// Bits behind those that count are set: it is not said which network is meant.
    Host(Network),
}

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str(
                r#"is not an IP address or a network, such as "127.0.0.1", "10.0.0.0/8" or "fd00::/8""#,
            ),
            Self::Bits => f.write_str("has more bits behind the slash than the address has"),
            Self::Host(network) => {
                write!(f, "is an address in a network: the network is \"{network}\"")
            }
        }
    }
}

impl std::error::Error for BadNetwork {}

impl Network {
    /// Whether the address is in it; an IPv4 address that is mapped into IPv6 counts as such.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.bits) == self.first
    }
}

/// The address with the bits cleared that do not count.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let written: IpAddr = address.parse().map_err(|_error| BadNetwork::Form)?;
        let (first, mapped) = match written.to_canonical() {
            // The first 96 bits of a mapped address are the mapping.
            v4 @ IpAddr::V4(_) if written.is_ipv6() => (v4, 96),
            same => (same, 0),
        };
        let width = if first.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(digits) => {
                let is_number = (1..=3).contains(&digits.len())
                    && digits.bytes().all(|digit| digit.is_ascii_digit())
                    && (digits == "0" || !digits.starts_with('0'));
                let number: u8 = Some(digits)
                    .filter(|_| is_number)
                    .and_then(|digits| digits.parse().ok())
                    .ok_or(if is_number { BadNetwork::Bits } else { BadNetwork::Form })?;
                number.checked_sub(mapped).filter(|bits| *bits <= width).ok_or(BadNetwork::Bits)?
            }
        };
        let network = Self { first: masked(first, bits), bits };
        if network.first == first { Ok(network) } else { Err(BadNetwork::Host(network)) }
    }
}

/// As it is written in the configuration.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.first.is_ipv4() { 32 } else { 128 };
        match self.bits {
            bits if bits == width => write!(f, "{}", self.first),
            bits => write!(f, "{}/{bits}", self.first),
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_network_by_its_first_bits() {
        for (network, inside, outside) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::10.1.1.1"),
            ("192.168.0.0/17", "192.168.127.255", "192.168.128.0"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "::1", "127.0.0.1"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("::1", "::1", "::2"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn a_text_that_is_no_network_is_refused_with_what_would_be_right() {
        for (text, expect) in [
            ("", "is not an IP address"),
            ("localhost", "is not an IP address"),
            ("10.0.0.0/", "is not an IP address"),
            ("10.0.0.0/+8", "is not an IP address"),
            ("10.0.0.0/08", "is not an IP address"),
            ("10.0.0.0/8/8", "is not an IP address"),
            ("10.0.0.0/33", "has more bits"),
            ("::/129", "has more bits"),
            ("::/999", "has more bits"),
            ("10.0.0.1/8", "is an address in a network: the network is \"10.0.0.0/8\""),
            ("::ffff:10.0.0.0/8", "has more bits"),
        ] {
            let error = text.parse::<Network>().unwrap_err().to_string();
            assert!(error.starts_with(expect), "{text}: {error}");
        }
    }

    #[test]
    fn a_network_is_written_as_it_is_read() {
        for text in ["127.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::1", "::/0"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }
}
