//! The limit of connections for each address.

use std::net::IpAddr;

use slab::Slab;

use crate::collections::KeyedMap;
use crate::time::Tick;
use crate::time::rate::{Buckets, Rate};

/// An IPv4 address or an IPv6 /64, the smallest block that one subscriber is given, as the upper
/// half of an IPv6 address. IPv4 lies in `::/32`, which no peer can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Block(u64);

impl Block {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits())),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments().map(u64::from);
                Self(a << 48 | b << 32 | c << 16 | d)
            }
        }
    }
}

/// What a connection counts for, to be released when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressShare(u32);

impl AddressShare {
    /// For no limit.
    pub(super) const UNCOUNTED: Self = Self(u32::MAX);
    /// For the limit of all connections, but not for that of an address.
    pub(super) const TOTAL_ONLY: Self = Self(u32::MAX - 1);
}

/// The address has as many connections as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// The number of connections of each address that has any.
#[derive(Debug)]
pub(super) struct Addresses {
    blocks: KeyedMap<Block, usize>,
    counts: Slab<(Block, u32)>,
    connects: Buckets<Block>,
    each_max: u32,
    loopback_counts: bool,
}

/// Addresses whose connects are counted at a time, about 1 MB: those that have connected lately.
/// While there are more, further ones are not limited in how fast they connect.
const CONNECTS_KEPT_MAX: usize = 16 * 1024;

impl Addresses {
    /// No connections yet, and at most `each_max` for each address; loopback addresses are counted
    /// only if `loopback_counts`.
    pub(super) fn new(each_max: u32, loopback_counts: bool) -> Self {
        Self {
            blocks: KeyedMap::new(),
            counts: Slab::new(),
            connects: Buckets::new(None, 0),
            each_max,
            loopback_counts,
        }
    }

    /// The same, with a bound on how fast each may connect.
    pub(super) fn at_rate(self, connects: Option<Rate>) -> Self {
        Self { connects: Buckets::new(connects, CONNECTS_KEPT_MAX), ..self }
    }

    /// Counts an attempt to connect; `false` if the address is too fast.
    pub(super) fn connect(&mut self, now: Tick, address: IpAddr) -> bool {
        if !self.loopback_counts && address.to_canonical().is_loopback() {
            return true;
        }
        self.connects.take(now, Block::of(address), 1).is_ok()
    }

    /// Counts a connection from `address`, or one of which that is not known yet.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if there are as many as may be; it is then not counted.
    pub(super) fn acquire_some(
        &mut self,
        address: Option<IpAddr>,
    ) -> Result<AddressShare, TooMany> {
        address.map_or(Ok(AddressShare::TOTAL_ONLY), |address| self.acquire(address))
    }

    /// Counts a connection from `address`.
    ///
    /// # Errors
    ///
    /// [`TooMany`] if there are as many as may be; it is then not counted.
    pub(super) fn acquire(&mut self, address: IpAddr) -> Result<AddressShare, TooMany> {
        if !self.loopback_counts && address.to_canonical().is_loopback() {
            return Ok(AddressShare::TOTAL_ONLY);
        }
        // Before the entry is made: one that counts nothing would never be released.
        if self.each_max == 0 {
            return Err(TooMany);
        }
        let block = Block::of(address);
        let counts = &mut self.counts;
        // Connections keep the index and not the address: 4 bytes instead of 16, and no look-up by
        // a hash when they end.
        let index = *self.blocks.get_or_insert_with(block, || counts.insert((block, 0)));
        let Some((_, count)) = counts.get_mut(index).filter(|(_, count)| *count < self.each_max)
        else {
            return Err(TooMany);
        };
        *count += 1;
        Ok(u32::try_from(index).map_or(AddressShare::TOTAL_ONLY, AddressShare))
    }

    /// Releases a share.
    pub(super) fn release(&mut self, share: AddressShare) {
        let index = share.0 as usize;
        let Some((block, count)) = self.counts.get_mut(index) else { return };
        *count -= 1;
        if *count == 0 {
            let block = *block;
            self.counts.remove(index);
            self.blocks.remove(&block);
        }
    }

    /// Addresses that have a connection that is counted.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &mut Addresses, address: &str, expect_ok: bool) -> Option<AddressShare> {
        let entered = addresses.acquire(address.parse().unwrap());
        assert_eq!(entered.is_ok(), expect_ok, "{address}");
        entered.ok()
    }

    #[test]
    fn an_address_has_its_share_and_no_more_until_it_gives_one_back() {
        let mut addresses = Addresses::new(2, false);
        let first = check(&mut addresses, "192.0.2.1", true).unwrap();
        check(&mut addresses, "192.0.2.1", true);
        check(&mut addresses, "192.0.2.1", false);
        check(&mut addresses, "::ffff:192.0.2.1", false);
        check(&mut addresses, "192.0.2.2", true);
        addresses.release(first);
        check(&mut addresses, "192.0.2.1", true);
        check(&mut addresses, "192.0.2.1", false);
    }

    #[test]
    fn a_subnet_of_64_bits_counts_as_one_address() {
        let mut addresses = Addresses::new(1, false);
        check(&mut addresses, "2001:db8:0:1::1", true);
        check(&mut addresses, "2001:db8:0:1:ffff::2", false);
        check(&mut addresses, "2001:db8:0:2::1", true);
    }

    #[test]
    fn this_machine_is_counted_only_when_told() {
        let mut addresses = Addresses::new(0, false);
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(check(&mut addresses, loopback, true), Some(AddressShare::TOTAL_ONLY));
        }
        let mut addresses = Addresses::new(1, true);
        let id = check(&mut addresses, "127.0.0.1", true).unwrap();
        check(&mut addresses, "127.0.0.1", false);
        addresses.release(id);
        addresses.release(AddressShare::TOTAL_ONLY);
        assert_eq!(addresses.len(), 0);
    }
}
