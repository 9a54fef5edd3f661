//! A room's recent records, and the budget that all rooms share.

use std::collections::VecDeque;

use crate::chat::keys::RoomKey;
use crate::chat::model::record::SharedRecord;

/// The recent end of a log.
///
/// Invariants:
/// - the records' seqs are dense and ascending;
/// - `bytes` is the sum of their weights.
#[derive(Debug, Default)]
pub(in crate::chat) struct Ring {
    records: VecDeque<SharedRecord>,
    bytes: usize,
}

impl Ring {
    /// The first seq, `None` if the ring is empty.
    pub(in crate::chat) fn first(&self) -> Option<u64> {
        self.records.front().map(|record| record.seq)
    }

    /// The bytes that it counts for.
    pub(in crate::chat) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many records there are.
    pub(in crate::chat) fn len(&self) -> usize {
        self.records.len()
    }

    /// The records from `seq` on, ascending.
    pub(in crate::chat) fn from(&self, seq: u64) -> impl DoubleEndedIterator<Item = &SharedRecord> {
        // Dense seqs make a distance an index; no search is needed.
        let first = self.first().unwrap_or(seq);
        let start = usize::try_from(seq.saturating_sub(first)).unwrap_or(usize::MAX);
        self.records.range(start.min(self.records.len())..)
    }

    /// Whether the oldest record is over the bounds. The newest never is.
    pub(in crate::chat) fn is_over(&self, (records_max, bytes_max): (usize, usize)) -> bool {
        let len = self.records.len();
        len > records_max.max(1) || (self.bytes > bytes_max && len > 1)
    }

    /// The record of this seq, if it is here.
    pub(in crate::chat) fn get(&self, seq: u64) -> Option<&SharedRecord> {
        self.from(seq).next().filter(|record| record.seq == seq)
    }

    /// Takes the oldest record off.
    fn pop(&mut self) -> Option<SharedRecord> {
        let record = self.records.pop_front();
        self.bytes -= record.as_ref().map_or(0, weight);
        // So that a burst does not pin memory; a quarter, so that it is not given back and taken
        // again.
        if self.records.len() < self.records.capacity() / 4 {
            self.records.shrink_to(self.records.len() * 2);
        }
        record
    }

    /// Checks the invariants.
    pub(in crate::chat) fn debug_check(&self) {
        let sum: usize = self.records.iter().map(weight).sum();
        debug_assert_eq!(self.bytes, sum, "the ring's bytes are the sum of its records'");
        for (record, next) in self.records.iter().zip(self.records.iter().skip(1)) {
            debug_assert_eq!(record.seq + 1, next.seq, "the ring is dense");
        }
    }
}

fn weight(record: &SharedRecord) -> usize {
    usize::try_from(record.weight).unwrap_or(usize::MAX)
}

/// The bytes of all rings together, and which record is the oldest of all.
#[derive(Debug)]
pub(in crate::chat) struct RingBudget {
    bytes_max: usize,
    bytes: usize,
    /// All records in the order in which they came; may hold some that are gone already.
    by_age: VecDeque<(RoomKey, u64)>,
    records: usize,
}

impl RingBudget {
    pub(in crate::chat) const fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, by_age: VecDeque::new(), records: 0 }
    }

    /// The bytes of all rings.
    pub(in crate::chat) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the next record to a room's `ring`. If this exceeds the budget, [`RingBudget::excess`]
    /// says whose oldest record is to go.
    pub(in crate::chat) fn push(&mut self, ring: &mut Ring, room: RoomKey, record: SharedRecord) {
        self.bytes += weight(&record);
        self.records += 1;
        // A record that goes with its room, or by the room's own bound, stays in here: finding it
        // would cost more than skipping it when its turn comes.
        self.by_age.push_back((room, record.seq));
        ring.bytes += weight(&record);
        ring.records.push_back(record);
    }

    /// Puts another record in the place of the one of its seq, if that is in `ring`.
    pub(in crate::chat) fn replace(&mut self, ring: &mut Ring, record: SharedRecord) {
        let first = ring.first().unwrap_or(u64::MAX);
        let index = record.seq.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        let Some(place) = index.and_then(|index| ring.records.get_mut(index)) else { return };
        let (before, after) = (weight(place), weight(&record));
        *place = record;
        // A deletion makes it lighter, an edit may make it heavier: both books follow, or the
        // budget would drift.
        ring.bytes = ring.bytes - before + after;
        self.bytes = self.bytes - before + after;
    }

    /// The oldest record of all, if the budget is exceeded: drop it by [`RingBudget::pop`], if it
    /// is still the first of its ring.
    pub(in crate::chat) fn excess(&mut self) -> Option<(RoomKey, u64)> {
        if self.bytes <= self.bytes_max {
            return None;
        }
        self.by_age.pop_front()
    }

    /// Takes the first record of `ring` off.
    pub(in crate::chat) fn pop(&mut self, ring: &mut Ring) -> Option<SharedRecord> {
        let record = ring.pop()?;
        self.bytes -= weight(&record);
        self.records -= 1;
        Some(record)
    }

    /// A room is gone, and its ring with it.
    pub(in crate::chat) fn forget(&mut self, ring: &Ring) {
        self.bytes -= ring.bytes();
        self.records -= ring.len();
    }

    /// Whether so many entries are of records that are gone that [`RingBudget::retain`] pays.
    pub(in crate::chat) fn is_stale(&self) -> bool {
        // Twice as many, so that each walk is paid for by as many records as it drops; and some, so
        // that a server with few records does not walk at each.
        self.by_age.len() > 2 * self.records + 1024
    }

    /// Keeps only the entries that `is_there` says are still there.
    pub(in crate::chat) fn retain(&mut self, is_there: impl Fn(RoomKey, u64) -> bool) {
        self.by_age.retain(|&(room, seq)| is_there(room, seq));
        // With room to grow, so that the next record does not move it all again.
        self.by_age.shrink_to(self.by_age.len() * 2);
    }
}
