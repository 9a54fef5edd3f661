//! The name of a connection.

use std::fmt;
use std::num::NonZeroU64;

/// Bits of a [`ConnId`] that hold the slot: at most 16,777,216 connections at a time.
const SLOT_BITS: u32 = 24;

/// One connection's name: its slot in the slab and a generation that is never used twice, so that a
/// stale name finds nothing instead of the slot's next owner. Generations begin with 1, so that no
/// name is zero, and lists of rows with a name need no mark of their own for being empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(NonZeroU64);

impl ConnId {
    /// The most slots that can be named.
    pub const SLOTS_MAX: usize = 1 << SLOT_BITS;
    /// The last generation: 2^40 connections, 35 years at a thousand a second.
    pub const GENERATION_MAX: u64 = (1 << (64 - SLOT_BITS)) - 1;

    /// The connection in `slot` of the given `generation`, `None` if either is out of range, or
    /// both are 0.
    #[must_use]
    pub fn new(slot: usize, generation: u64) -> Option<Self> {
        // A name that is cut to fit could be another connection's.
        let in_range = slot < Self::SLOTS_MAX && generation <= Self::GENERATION_MAX;
        let slot = u64::try_from(slot).ok().filter(|_| in_range)?;
        NonZeroU64::new(generation << SLOT_BITS | slot).map(Self)
    }

    /// The slot: dense, small and used again after the connection has ended.
    #[must_use]
    pub fn slot(self) -> usize {
        usize::try_from(self.0.get() & ((1 << SLOT_BITS) - 1)).unwrap_or(usize::MAX)
    }

    /// The generation: never used again.
    #[must_use]
    pub const fn generation(self) -> u64 {
        self.0.get() >> SLOT_BITS
    }

    /// Both in one number, as the poller's token.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.get()
    }

    /// The inverse of [`ConnId::as_u64`]. Zero, which is nobody's name, becomes another such name.
    #[must_use]
    pub const fn from_u64(bits: u64) -> Self {
        match NonZeroU64::new(bits) {
            Some(bits) => Self(bits),
            // Slot 1 of a generation that is never given out.
            None => Self(NonZeroU64::MIN),
        }
    }
}

/// `c` and the generation, as it stands in every log line of this connection.
impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.generation())
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}@{}", self.generation(), self.slot())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_and_generation_come_back_as_they_went_in() {
        for (slot, generation) in
            [(0, 1), (1, 0), (1, 7), (ConnId::SLOTS_MAX - 1, ConnId::GENERATION_MAX)]
        {
            let id = ConnId::new(slot, generation).unwrap();
            assert_eq!((id.slot(), id.generation()), (slot, generation));
            assert_eq!(ConnId::from_u64(id.as_u64()), id);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(ConnId::new(ConnId::SLOTS_MAX, 1), None);
        assert_eq!(ConnId::new(0, ConnId::GENERATION_MAX + 1), None);
    }

    #[test]
    fn zero_names_nobody() {
        assert_eq!(ConnId::new(0, 0), None);
        assert_eq!(ConnId::from_u64(0).generation(), 0);
        assert_eq!(size_of::<Option<ConnId>>(), 8);
    }
}
