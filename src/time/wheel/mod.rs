//! The timer wheel: any number of deadlines, each armed and cancelled in constant time.
//!
//! ```text
//! level 0   64 slots of        1 ms     the next 64 ms
//! level 1   64 slots of       64 ms     4 s
//! level 2   64 slots of        4 s      4 min
//! level 3   64 slots of      4.4 min    4.7 h
//!   ...                                 ...
//! level 10  16 slots of 2^60 ms         everything that 64 bits can say
//! ```
//!
//! A deadline is a number of eleven digits in base 64. It hangs in the level of the highest digit
//! in which it differs from the wheel's present, in the slot that this digit names. When the
//! present reaches the start of a slot above level 0, the slot's timers move down to where their
//! next digits put them, so a timer moves at most ten times in its life, and all of 64 bits is
//! covered without an overflow list.
//!
//! From this follows what the arithmetic below relies on: every slot in use lies ahead of the
//! present, a lower level's slots come before a higher one's, and a timer's level and slot can be
//! computed again from its deadline whenever it is cancelled.
//!
//! Timers live in one vector and are linked by index: nothing is allocated for a timer once the
//! vector has grown to the most that were ever armed together.

use std::fmt;
use std::num::NonZeroU32;

use super::Tick;

/// Bits of a digit.
const DIGIT_BITS: u32 = 6;
/// Slots of a level: the values of a digit, one bit each in an occupancy word.
const SLOTS: usize = 1 << DIGIT_BITS;
/// Digits that cover 64 bits.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
const _: () = assert!(SLOTS == u64::BITS as usize, "a word has a bit for each slot");
const _: () = assert!(LEVELS <= u16::BITS as usize, "`levels` has a bit for each level");
/// No entry: the end of a list.
const NIL: u32 = u32::MAX;

/// The name of an armed timer. It is stale, and finds nothing, once the timer has fired or was
/// cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    index: u32,
    generation: NonZeroU32,
}

/// A timer, or a free entry for one: 24 bytes for a key of four, 32 for one of eight.
struct Entry<K> {
    /// In ticks, never before the wheel's present.
    deadline: u64,
    key: K,
    /// The next timer of the same slot, around to the first; or the next free place, [`NIL`] at the
    /// end.
    next: u32,
    /// The previous timer of the same slot, around to the last.
    prev: u32,
    /// Raised when the place becomes free.
    generation: NonZeroU32,
}

/// Deadlines with a key each, which come back from [`TimerWheel::poll`] when their time has come:
/// by deadline, and in the order of arming where deadlines are equal.
///
/// Invariants:
/// - a slot's bit in `occupied` is set exactly if its list is not empty, a level's bit in `levels`
///   exactly if one of its slots is occupied;
/// - each timer hangs in the slot that [`position`] says for its deadline and `present`.
pub struct TimerWheel<K> {
    entries: Vec<Entry<K>>,
    /// The first free place.
    free: u32,
    armed: usize,
    /// Up to where time has been polled.
    present: u64,
    levels: u16,
    occupied: [u64; LEVELS],
    /// The first timer of each slot.
    heads: Box<[[u32; SLOTS]; LEVELS]>,
}

impl<K: Copy> TimerWheel<K> {
    /// A wheel without timers whose present is [`Tick::ZERO`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// The same, with room for as many timers: so many are armed without the others being moved for
    /// them.
    #[must_use]
    pub fn with_capacity(timers: usize) -> Self {
        Self {
            entries: Vec::with_capacity(timers),
            free: NIL,
            armed: 0,
            present: 0,
            levels: 0,
            occupied: [0; LEVELS],
            heads: Box::new([[NIL; SLOTS]; LEVELS]),
        }
    }

    /// The number of armed timers.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.armed
    }

    /// Whether no timer is armed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.armed == 0
    }

    /// Arms a timer: `key` comes back from the first [`TimerWheel::poll`] at `deadline` or later.
    ///
    /// A deadline that has passed counts as the moment up to which the wheel was polled.
    ///
    /// # Panics
    ///
    /// With 2^32 − 1 timers armed, which would take 100 GB.
    pub fn arm(&mut self, deadline: Tick, key: K) -> TimerId {
        // A past deadline would hang in a slot that the present has left.
        let deadline = deadline.as_millis().max(self.present);
        let index = self.acquire(deadline, key);
        self.link(index);
        self.armed += 1;
        TimerId { index, generation: self.entries[index as usize].generation }
    }

    /// Disarms the timer and returns its key, `None` if `id` is stale.
    pub fn cancel(&mut self, id: TimerId) -> Option<K> {
        self.entry(id)?;
        self.unlink(id.index);
        Some(self.release(id.index))
    }

    /// When the timer fires, `None` if `id` is stale.
    #[must_use]
    pub fn deadline(&self, id: TimerId) -> Option<Tick> {
        self.entry(id).map(|entry| Tick::from_millis(entry.deadline))
    }

    /// The earliest moment at which [`TimerWheel::poll`] has something to do, `None` if no timer is
    /// armed.
    ///
    /// Exact for a deadline within the present slot of level 1, otherwise the start of the earliest
    /// occupied slot. It is never later than the first deadline, and advances with each poll at the
    /// moment last returned, so that a caller that sleeps until then wakes at most eleven times for
    /// one timer.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        self.first_slot().map(|(level, slot)| Tick::from_millis(self.slot_start(level, slot)))
    }

    /// Removes the next timer whose deadline is `now` or earlier and returns its key; to be asked
    /// until it says `None`.
    ///
    /// A timer that is armed between two calls with a deadline of `now` or earlier is part of the
    /// same round. A `now` before an earlier call's finds nothing.
    pub fn poll(&mut self, now: Tick) -> Option<K> {
        let now = now.as_millis();
        while let Some((level, slot)) = self.first_slot() {
            let start = self.slot_start(level, slot);
            if start > now {
                break;
            }
            self.present = start;
            // Only the lowest level fires; a slot above it is first spread over the levels below.
            if level == 0 {
                let index = self.heads[0][slot];
                self.unlink(index);
                return Some(self.release(index));
            }
            self.cascade(level, slot);
        }
        self.present = self.present.max(now);
        None
    }

    fn entry(&self, id: TimerId) -> Option<&Entry<K>> {
        self.entries.get(id.index as usize).filter(|entry| entry.generation == id.generation)
    }

    /// The occupied slot that comes first: the lowest level's lowest.
    fn first_slot(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// The first tick of a slot that lies ahead.
    fn slot_start(&self, level: usize, slot: usize) -> u64 {
        let shift = shift_of(level);
        // The digits above this level's are the present's; the highest level has no digits above
        // it.
        let above = u64::MAX.checked_shl(shift + DIGIT_BITS).unwrap_or(0);
        self.present & above | (slot as u64) << shift
    }

    /// Moves the timers of a slot that has been reached down, in their order.
    fn cascade(&mut self, level: usize, slot: usize) {
        let head = self.heads[level][slot];
        // Emptied first: the list is gone through once, to its first entry, while the others get
        // new neighbours.
        self.heads[level][slot] = NIL;
        self.mark_empty(level, slot);
        let mut index = head;
        loop {
            // Read before it is linked elsewhere, which writes over it.
            let next = self.entries[index as usize].next;
            self.link(index);
            if next == head {
                break;
            }
            index = next;
        }
    }

    /// Appends the entry to the slot of its deadline.
    fn link(&mut self, index: u32) {
        let (level, slot) = position(self.present, self.entries[index as usize].deadline);
        let head = self.heads[level][slot];
        if head == NIL {
            let entry = &mut self.entries[index as usize];
            (entry.prev, entry.next) = (index, index);
            self.heads[level][slot] = index;
            self.occupied[level] |= 1 << slot;
            self.levels |= 1 << level;
            return;
        }
        let tail = std::mem::replace(&mut self.entries[head as usize].prev, index);
        self.entries[tail as usize].next = index;
        let entry = &mut self.entries[index as usize];
        (entry.prev, entry.next) = (tail, head);
    }

    /// Takes the entry out of its slot.
    fn unlink(&mut self, index: u32) {
        let Entry { deadline, next, prev, .. } = self.entries[index as usize];
        // Where it hangs is not stored: nothing but the present has moved since, and it has not
        // passed the slot.
        let (level, slot) = position(self.present, deadline);
        if next == index {
            self.heads[level][slot] = NIL;
            self.mark_empty(level, slot);
            return;
        }
        self.entries[prev as usize].next = next;
        self.entries[next as usize].prev = prev;
        if self.heads[level][slot] == index {
            self.heads[level][slot] = next;
        }
    }

    fn mark_empty(&mut self, level: usize, slot: usize) {
        self.occupied[level] &= !(1 << slot);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    fn acquire(&mut self, deadline: u64, key: K) -> u32 {
        let index = self.free;
        if let Some(entry) = self.entries.get_mut(index as usize) {
            self.free = entry.next;
            (entry.deadline, entry.key) = (deadline, key);
            return index;
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(NIL);
        assert!(index != NIL, "four billion timers are armed");
        let generation = NonZeroU32::MIN;
        self.entries.push(Entry { deadline, key, next: NIL, prev: NIL, generation });
        index
    }

    /// Makes the place of an unlinked timer free.
    fn release(&mut self, index: u32) -> K {
        self.armed -= 1;
        let entry = &mut self.entries[index as usize];
        // Any name of the timer that somebody still holds is stale from here on.
        entry.generation = entry.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        entry.next = self.free;
        self.free = index;
        entry.key
    }
}

impl<K: Copy> Default for TimerWheel<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> fmt::Debug for TimerWheel<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel")
            .field("armed", &self.armed)
            .field("present", &self.present)
            .finish_non_exhaustive()
    }
}

/// The level and slot of a deadline, which is `present` or later.
fn position(present: u64, deadline: u64) -> (usize, usize) {
    // The lowest bit is set so that a deadline of the present itself is at level 0 too.
    let highest_bit = ((present ^ deadline) | 1).ilog2();
    let level = (highest_bit / DIGIT_BITS) as usize;
    (level, digit(deadline, level))
}

/// The digit of `ticks` that names its slot in `level`.
#[expect(clippy::cast_possible_truncation, reason = "six bits")]
const fn digit(ticks: u64, level: usize) -> usize {
    (ticks >> shift_of(level)) as usize % SLOTS
}

/// The bits below a level's digit.
#[expect(clippy::cast_possible_truncation, reason = "eleven levels")]
const fn shift_of(level: usize) -> u32 {
    level as u32 * DIGIT_BITS
}

#[cfg(test)]
mod tests;
