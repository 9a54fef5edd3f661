//! Keys that are never given out twice.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A key of a [`Table`](super::Table): the index of a place and the generation of the value there.
/// Each table has a key type of its own, so that keys of two tables cannot be swapped.
pub trait Key: Copy + Eq {
    /// The largest index.
    const INDEX_MAX: usize;
    /// The largest generation: a place holds one value more than this and is not used again.
    const GENERATION_MAX: u32;

    /// The key of this index and generation, which are at most the largest ones.
    fn new(index: usize, generation: u32) -> Self;
    /// A small number that no other value has at this time, the lowest ones first.
    fn index(self) -> usize;
    /// Tells the value apart from those that were at this index before.
    fn generation(self) -> u32;
}

/// A key of six bytes, for rows that are named by many others. It is read and compared as one
/// number, which takes two loads.
#[derive(Clone, Copy, Debug)]
pub struct CompactKey([u16; 3]);

impl PartialEq for CompactKey {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for CompactKey {}

impl PartialOrd for CompactKey {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CompactKey {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.bits().cmp(&other.bits())
    }
}

impl Hash for CompactKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl CompactKey {
    /// What is left of 48 bits for the index is enough for 268 million rows, whose 50 bytes and
    /// more would fill 13 GB. A place that was used a million times is lost: a table with a
    /// thousand changes a second, each of them at the same place, loses one every 17 minutes.
    const GENERATION_BITS: u32 = 20;
}

impl Key for CompactKey {
    const INDEX_MAX: usize = (1 << (48 - Self::GENERATION_BITS)) - 1;
    const GENERATION_MAX: u32 = (1 << Self::GENERATION_BITS) - 1;

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the bits are cut into three parts")]
    fn new(index: usize, generation: u32) -> Self {
        debug_assert!(index <= Self::INDEX_MAX && generation <= Self::GENERATION_MAX);
        let bits = (index as u64) << Self::GENERATION_BITS | u64::from(generation);
        Self([bits as u16, (bits >> 16) as u16, (bits >> 32) as u16])
    }

    #[inline]
    fn index(self) -> usize {
        (self.bits() >> Self::GENERATION_BITS) as usize
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower bits")]
    fn generation(self) -> u32 {
        self.bits() as u32 & Self::GENERATION_MAX
    }
}

impl CompactKey {
    #[inline]
    const fn bits(self) -> u64 {
        let [low, middle, high] = self.0;
        (high as u64) << 32 | (middle as u64) << 16 | low as u64
    }
}

/// A key of eight bytes, for rows that come and go with every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WideKey {
    index: u32,
    generation: u32,
}

impl WideKey {
    /// The key as a number.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The key that is this number.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the bits are cut into two parts")]
    pub const fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

impl Key for WideKey {
    // The last index is the mark of the end of the list of free places.
    const INDEX_MAX: usize = (u32::MAX - 1) as usize;
    const GENERATION_MAX: u32 = u32::MAX - 1;

    #[inline]
    fn new(index: usize, generation: u32) -> Self {
        Self { index: u32::try_from(index).unwrap_or(u32::MAX), generation }
    }

    #[inline]
    fn index(self) -> usize {
        self.index as usize
    }

    #[inline]
    fn generation(self) -> u32 {
        self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<K: Key>() {
        for index in [0, 1, 0xffff, 0x1_0000, K::INDEX_MAX - 1, K::INDEX_MAX] {
            for generation in [0, 1, 0xffff, K::GENERATION_MAX - 1, K::GENERATION_MAX] {
                let key = K::new(index, generation);
                assert_eq!((key.index(), key.generation()), (index, generation));
            }
        }
    }

    #[test]
    fn a_key_is_its_index_and_its_generation() {
        check::<CompactKey>();
        check::<WideKey>();
        let key = WideKey::new(7, 9);
        assert_eq!(WideKey::from_bits(key.to_bits()), key);
    }

    #[test]
    fn keys_are_ordered_by_index() {
        assert!(CompactKey::new(0x1_0000, 0) > CompactKey::new(0xffff, CompactKey::GENERATION_MAX));
        assert!(WideKey::new(2, 0) > WideKey::new(1, 9));
    }

    #[test]
    fn a_key_has_the_size_that_is_stated() {
        assert_eq!((size_of::<CompactKey>(), size_of::<WideKey>()), (6, 8));
    }
}
