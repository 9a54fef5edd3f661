//! What logs, and requests to them, are named by.

/// Names an open log: one life of one room. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(u64);

impl LogId {
    /// Bits of the slot.
    const SLOT_BITS: u32 = 28;
    /// More slots than there ever are rooms.
    pub const SLOTS_MAX: usize = 1 << Self::SLOT_BITS;

    /// The log of this `life` in this `slot`, which no other open log has.
    #[must_use]
    pub fn new(slot: usize, life: u64) -> Self {
        debug_assert!(slot < Self::SLOTS_MAX, "a slot for each room");
        let slot = u64::try_from(slot).unwrap_or(u64::MAX) % (1 << Self::SLOT_BITS);
        Self((life << Self::SLOT_BITS) | slot)
    }

    /// A small number that no other open log has, the lowest ones first: an index into a table of
    /// logs.
    #[must_use]
    pub fn slot(self) -> usize {
        usize::try_from(self.0 % (1 << Self::SLOT_BITS)).unwrap_or(usize::MAX)
    }
}

/// Names a request that has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);
