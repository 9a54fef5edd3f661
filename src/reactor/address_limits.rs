//! The limits of connections for each address: of all, and of those that have not shown who they
//! are.

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
    /// Set while it counts as half-open, too. What is left is an index, which never has it.
    const HALF_OPEN: u32 = 1 << 31;

    /// Whether it counts for an address, and there as half-open.
    pub(super) fn of_address(self) -> Option<bool> {
        self.parts().map(|(_, is_half_open)| is_half_open)
    }

    /// Its place among the counts, and whether it counts as half-open; `None` if it counts for no
    /// address.
    const fn parts(self) -> Option<(usize, bool)> {
        if self.0 >= Self::TOTAL_ONLY.0 {
            return None;
        }
        Some(((self.0 & !Self::HALF_OPEN) as usize, self.0 & Self::HALF_OPEN != 0))
    }
}

/// The limit of its address that a connection exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    /// That of all.
    Connections,
    /// That of those which have not shown who they are.
    HalfOpen,
    /// That of how fast it may connect.
    Connects,
}

/// The connections of an address.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: u32,
    /// Those of them that have not shown who they are.
    half_open: u32,
}

/// The number of connections of each address that has any.
#[derive(Debug)]
pub(super) struct AddressLimits {
    blocks: KeyedMap<Block, usize>,
    counts: Slab<(Block, Count)>,
    connects: Buckets<Block>,
    each_max: u32,
    half_open_max: u32,
    loopback_counts: bool,
}

/// Addresses whose connects are counted at a time, about 1 MB: those that have connected lately.
/// While there are more, further ones are not limited in how fast they connect.
const CONNECTS_KEPT_MAX: usize = 16 * 1024;

impl AddressLimits {
    /// No connections yet, and at most `each_max` for each address; loopback addresses are counted
    /// only if `loopback_counts`.
    pub(super) fn new(each_max: u32, loopback_counts: bool) -> Self {
        Self {
            blocks: KeyedMap::new(),
            counts: Slab::new(),
            connects: Buckets::new(None, 0),
            each_max,
            half_open_max: u32::MAX,
            loopback_counts,
        }
    }

    /// The same, with a bound on how fast each may connect.
    pub(super) fn at_rate(self, connects: Option<Rate>) -> Self {
        Self { connects: Buckets::new(connects, CONNECTS_KEPT_MAX), ..self }
    }

    /// The same, with a bound on those of each that have not shown who they are.
    pub(super) fn with_half_open(self, half_open_max: u32) -> Self {
        Self { half_open_max, ..self }
    }

    /// Counts an attempt to connect.
    ///
    /// # Errors
    ///
    /// [`TooMany::Connects`] if the address is too fast.
    pub(super) fn connect(&mut self, now: Tick, address: IpAddr) -> Result<(), TooMany> {
        if !self.loopback_counts && address.to_canonical().is_loopback() {
            return Ok(());
        }
        // By block, as the counts are: a subscriber with a /64 has more addresses than could be
        // counted.
        let taken = self.connects.take(now, Block::of(address), 1);
        taken.map_err(|_ready_at| TooMany::Connects)
    }

    /// Counts a connection from `address`, which has not shown yet who it is.
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
            return Err(TooMany::Connections);
        }
        if self.half_open_max == 0 {
            return Err(TooMany::HalfOpen);
        }
        let block = Block::of(address);
        let counts = &mut self.counts;
        // Connections keep the index and not the address: 4 bytes instead of 16, and no look-up by
        // a hash when they end.
        let index =
            *self.blocks.get_or_insert_with(block, || counts.insert((block, Count::default())));
        let Some((_, count)) = counts.get_mut(index) else { return Err(TooMany::Connections) };
        if count.all >= self.each_max {
            return Err(TooMany::Connections);
        }
        if count.half_open >= self.half_open_max {
            return Err(TooMany::HalfOpen);
        }
        let share = u32::try_from(index).ok().filter(|index| index & AddressShare::HALF_OPEN == 0);
        let Some(share) = share else { return Ok(AddressShare::TOTAL_ONLY) };
        count.all += 1;
        count.half_open += 1;
        Ok(AddressShare(share | AddressShare::HALF_OPEN))
    }

    /// The connection has shown who it is: what it counts for from now on.
    pub(super) fn count_as_open(&mut self, share: AddressShare) -> AddressShare {
        let Some((index, true)) = share.parts() else { return share };
        let Some((_, count)) = self.counts.get_mut(index) else { return share };
        count.half_open -= 1;
        AddressShare(share.0 & !AddressShare::HALF_OPEN)
    }

    /// Releases a share.
    pub(super) fn release(&mut self, share: AddressShare) {
        let share = self.count_as_open(share);
        let Some((index, _)) = share.parts() else { return };
        let Some((block, count)) = self.counts.get_mut(index) else { return };
        count.all -= 1;
        if count.all == 0 {
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
    fn check(
        addresses: &mut AddressLimits,
        address: &str,
        expect_ok: bool,
    ) -> Option<AddressShare> {
        let entered = addresses.acquire(address.parse().unwrap());
        assert_eq!(entered.is_ok(), expect_ok, "{address}");
        entered.ok()
    }

    #[test]
    fn an_address_has_its_share_and_no_more_until_it_gives_one_back() {
        let mut addresses = AddressLimits::new(2, false);
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
        let mut addresses = AddressLimits::new(1, false);
        check(&mut addresses, "2001:db8:0:1::1", true);
        check(&mut addresses, "2001:db8:0:1:ffff::2", false);
        check(&mut addresses, "2001:db8:0:2::1", true);
    }

    #[test]
    fn those_who_have_not_shown_who_they_are_have_a_bound_of_their_own() {
        let mut addresses = AddressLimits::new(4, false).with_half_open(2);
        let first = check(&mut addresses, "192.0.2.1", true).unwrap();
        let second = check(&mut addresses, "192.0.2.1", true).unwrap();
        let third = addresses.acquire("192.0.2.1".parse().unwrap());
        assert_eq!(third, Err(TooMany::HalfOpen));
        check(&mut addresses, "192.0.2.2", true);
        let first = addresses.count_as_open(first);
        assert_eq!(addresses.count_as_open(first), first, "once is enough");
        let third = check(&mut addresses, "192.0.2.1", true).unwrap();
        check(&mut addresses, "192.0.2.1", false);
        // One that ends before it has shown anything gives back both.
        addresses.release(third);
        check(&mut addresses, "192.0.2.1", true);
        check(&mut addresses, "192.0.2.1", false);
        let second = addresses.count_as_open(second);
        check(&mut addresses, "192.0.2.1", true);
        let fifth = addresses.acquire("192.0.2.1".parse().unwrap());
        assert_eq!(fifth, Err(TooMany::Connections));
        addresses.release(second);
        addresses.release(first);
        check(&mut addresses, "192.0.2.1", false);
    }

    #[test]
    fn this_machine_is_counted_only_when_told() {
        let mut addresses = AddressLimits::new(0, false);
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(check(&mut addresses, loopback, true), Some(AddressShare::TOTAL_ONLY));
        }
        let mut addresses = AddressLimits::new(1, true);
        let id = check(&mut addresses, "127.0.0.1", true).unwrap();
        check(&mut addresses, "127.0.0.1", false);
        addresses.release(id);
        addresses.release(AddressShare::TOTAL_ONLY);
        assert_eq!(addresses.len(), 0);
    }
}
