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
//! vector has grown to the most that were ever armed together. Whoever has numbers for what it arms
//! timers for uses an [`IndexWheel`], which is that vector alone; a [`TimerWheel`] gives the
//! numbers out, with names that are not given out twice.

mod index_wheel;

use std::fmt;
use std::num::NonZeroU32;

pub use self::index_wheel::IndexWheel;
use super::Tick;

/// The name of an armed timer. It is stale, and finds nothing, once the timer has fired or was
/// cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    index: u32,
    generation: NonZeroU32,
}

/// What a timer is called, and for what it is.
struct Named<K> {
    key: K,
    /// Raised when the place becomes free.
    generation: NonZeroU32,
}

/// Deadlines with a key each, which come back from [`TimerWheel::poll`] when their time has come:
/// by deadline, and in the order of arming where deadlines are equal.
///
/// Invariant: a timer of `wheel` has the place in `named` of its index, any other place is in
/// `free`.
pub struct TimerWheel<K> {
    wheel: IndexWheel,
    named: Vec<Named<K>>,
    free: Vec<u32>,
}

impl<K: Copy> TimerWheel<K> {
    /// A wheel without timers whose present is [`Tick::ZERO`].
    #[must_use]
    pub fn new() -> Self {
        Self { wheel: IndexWheel::new(), named: Vec::new(), free: Vec::new() }
    }

    /// The number of armed timers.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.wheel.len()
    }

    /// Whether no timer is armed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.wheel.is_empty()
    }

    /// Arms a timer: `key` comes back from the first [`TimerWheel::poll`] at `deadline` or later.
    ///
    /// A deadline that has passed counts as the moment up to which the wheel was polled.
    ///
    /// # Panics
    ///
    /// With 2^32 − 1 timers armed, which would take 100 GB.
    pub fn arm(&mut self, deadline: Tick, key: K) -> TimerId {
        let index = self.acquire(key);
        self.wheel.arm(deadline, index);
        TimerId { index, generation: self.named[index as usize].generation }
    }

    /// Disarms the timer and returns its key, `None` if `id` is stale.
    pub fn cancel(&mut self, id: TimerId) -> Option<K> {
        self.find(id)?;
        self.wheel.cancel(id.index);
        Some(self.release(id.index))
    }

    /// When the timer fires, `None` if `id` is stale.
    #[must_use]
    pub fn deadline(&self, id: TimerId) -> Option<Tick> {
        self.find(id).and_then(|_| self.wheel.deadline(id.index))
    }

    /// As [`IndexWheel::next_deadline`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        self.wheel.next_deadline()
    }

    /// Removes the next timer whose deadline is `now` or earlier and returns its key; to be asked
    /// until it says `None`.
    ///
    /// A timer that is armed between two calls with a deadline of `now` or earlier is part of the
    /// same round. A `now` before an earlier call's finds nothing.
    pub fn poll(&mut self, now: Tick) -> Option<K> {
        self.wheel.poll(now).map(|index| self.release(index))
    }

    fn find(&self, id: TimerId) -> Option<&Named<K>> {
        self.named.get(id.index as usize).filter(|named| named.generation == id.generation)
    }

    fn acquire(&mut self, key: K) -> u32 {
        if let Some(index) = self.free.pop() {
            self.named[index as usize].key = key;
            return index;
        }
        let index = u32::try_from(self.named.len()).unwrap_or(u32::MAX);
        assert!(index != u32::MAX, "four billion timers are armed");
        self.named.push(Named { key, generation: NonZeroU32::MIN });
        index
    }

    /// Makes the place of a timer that is not armed any more free.
    fn release(&mut self, index: u32) -> K {
        let named = &mut self.named[index as usize];
        // Any name of the timer that somebody still holds is stale from here on.
        named.generation = named.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        self.free.push(index);
        named.key
    }
}

impl<K: Copy> Default for TimerWheel<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> fmt::Debug for TimerWheel<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wheel.fmt(f)
    }
}

#[cfg(test)]
mod tests;
