//! The wheel itself: timers by numbers that its user gives out.

use std::fmt;

use super::Tick;

/// Bits of a digit.
const DIGIT_BITS: u32 = 6;
/// Slots of a level: the values of a digit, one bit each in an occupancy word.
const SLOTS: usize = 1 << DIGIT_BITS;
/// Digits that cover 64 bits.
pub(super) const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
const _: () = assert!(SLOTS == u64::BITS as usize, "a word has a bit for each slot");
const _: () = assert!(LEVELS <= u16::BITS as usize, "`levels` has a bit for each level");
/// No entry: the end of a list.
const NIL: u32 = u32::MAX;

/// A number's timer, or the place for it.
#[derive(Clone, Copy)]
struct Entry {
    /// In ticks, never before the wheel's present.
    deadline: u64,
    /// The next timer of the same slot, around to the first; [`NIL`] if none is armed.
    next: u32,
    /// The previous timer of the same slot, around to the last.
    prev: u32,
}

/// What a number has that was not armed yet.
const UNARMED: Entry = Entry { deadline: 0, next: NIL, prev: NIL };

/// Deadlines of things that have numbers, the lowest ones first: at most one for each, in 16 bytes.
/// The numbers come back from [`IndexWheel::poll`] when their time has come: by deadline, and in
/// the order of arming where deadlines are equal.
///
/// Invariants:
/// - a slot's bit in `occupied` is set exactly if its list is not empty, a level's bit in `levels`
///   exactly if one of its slots is occupied;
/// - each timer hangs in the slot that [`position`] says for its deadline and `present`.
pub struct IndexWheel {
    entries: Vec<Entry>,
    armed: usize,
    /// Up to where time has been polled.
    present: u64,
    levels: u16,
    occupied: [u64; LEVELS],
    /// The first timer of each slot.
    heads: Box<[[u32; SLOTS]; LEVELS]>,
}

impl IndexWheel {
    /// A wheel without timers whose present is [`Tick::ZERO`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// The same, with room for as many numbers: so many are armed without the others being moved
    /// for them.
    #[must_use]
    pub fn with_capacity(numbers: usize) -> Self {
        Self {
            entries: Vec::with_capacity(numbers),
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

    /// Arms the timer of a number, instead of the one that it has: it comes back from the first
    /// [`IndexWheel::poll`] at `deadline` or later.
    ///
    /// A deadline that has passed counts as the moment up to which the wheel was polled.
    pub fn arm(&mut self, deadline: Tick, index: u32) {
        debug_assert!(index != NIL, "it stands for none");
        self.cancel(index);
        let place = index as usize;
        if place >= self.entries.len() {
            self.entries.resize(place + 1, UNARMED);
        }
        // A past deadline would hang in a slot that the present has left.
        self.entries[place].deadline = deadline.as_millis().max(self.present);
        self.link(index);
        self.armed += 1;
    }

    /// Disarms the timer of a number. `false` if none is armed.
    pub fn cancel(&mut self, index: u32) -> bool {
        let is_armed = self.deadline(index).is_some();
        if is_armed {
            self.unlink(index);
        }
        is_armed
    }

    /// When the timer of a number fires, `None` if none is armed.
    #[must_use]
    pub fn deadline(&self, index: u32) -> Option<Tick> {
        let entry = self.entries.get(index as usize).filter(|entry| entry.next != NIL);
        entry.map(|entry| Tick::from_millis(entry.deadline))
    }

    /// The earliest moment at which [`IndexWheel::poll`] has something to do, `None` if no timer is
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

    /// Disarms the next timer whose deadline is `now` or earlier and returns its number; to be
    /// asked until it says `None`.
    ///
    /// A timer that is armed between two calls with a deadline of `now` or earlier is part of the
    /// same round. A `now` before an earlier call's finds nothing.
    pub fn poll(&mut self, now: Tick) -> Option<u32> {
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
                return Some(index);
            }
            self.cascade(level, slot);
        }
        self.present = self.present.max(now);
        None
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
        let Entry { deadline, next, prev } = self.entries[index as usize];
        // Where it hangs is not stored: nothing but the present has moved since, and it has not
        // passed the slot.
        let (level, slot) = position(self.present, deadline);
        self.entries[index as usize].next = NIL;
        self.armed -= 1;
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
}

impl Default for IndexWheel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for IndexWheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexWheel")
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

// The documentation of `server` states what a connection takes. This is a part of it.
const _: () = assert!(size_of::<Entry>() <= 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_timer_which_is_the_last_that_was_armed() {
        let mut wheel = IndexWheel::new();
        let at = Tick::from_millis;
        wheel.arm(at(5), 9);
        wheel.arm(at(5), 3);
        wheel.arm(at(700), 9);
        assert_eq!((wheel.len(), wheel.deadline(9), wheel.deadline(4)), (2, Some(at(700)), None));
        assert_eq!([wheel.poll(at(699)), wheel.poll(at(699))], [Some(3), None]);
        assert!(!wheel.cancel(3) && wheel.cancel(9) && !wheel.cancel(9) && !wheel.cancel(10));
        assert!(wheel.is_empty() && wheel.next_deadline().is_none());
    }
}
