//! A session: a connection that has said who it is.

use super::outbox::Class;
use super::state::{RoomKey, UserKey};
use crate::net::ConnId;

/// A session's secret: who knows it may take the session over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Secret(pub u128);

/// Where a session's subscription stands in its room.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubRef {
    pub room: RoomKey,
    /// The index in the room's subs.
    pub index: u32,
}

/// A connection that has said hello.
#[derive(Debug)]
pub(super) struct Session {
    pub conn: ConnId,
    pub user: UserKey,
    pub class: Class,
    /// Nobody looks at it.
    pub away: bool,
    /// How many of the subs are behind.
    pub behind: u32,
    /// Replies that wait for a cursor which is behind.
    pub held: u32,
    pub credit: Credit,
    pub secret: Secret,
    /// By room.
    pub subs: Vec<SubRef>,
}

impl Session {
    /// Where the subscription to `room` stands: its index in `subs`, or where it would be.
    pub(super) fn find(&self, room: RoomKey) -> Result<usize, usize> {
        self.subs.binary_search_by_key(&room, |sub| sub.room)
    }

    /// The index in the subs of `room`.
    pub(super) fn index_in(&self, room: RoomKey) -> Option<usize> {
        let found = self.subs.get(self.find(room).ok()?)?;
        usize::try_from(found.index).ok()
    }
}

/// The books of what a session was given and has not taken: what decides whether its cursors are live.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Credit {
    /// Bytes that waited after the last flush that left any.
    queued: u32,
    /// Bytes given since the last flush, if that was in `turn`.
    given: u32,
    turn: u32,
}

impl Credit {
    /// Whether `bytes` may be given now; if so, they are booked. What fits nowhere is taken by a session
    /// that has nothing waiting.
    pub(super) fn take(&mut self, turn: u32, soft: usize, bytes: usize) -> bool {
        let owed = self.owed(turn);
        if owed > 0 && owed.saturating_add(bytes) > soft {
            return false;
        }
        self.give(turn, bytes);
        true
    }

    /// Books bytes that are given in any case.
    pub(super) fn give(&mut self, turn: u32, bytes: usize) {
        if self.turn != turn {
            self.turn = turn;
            self.given = 0;
        }
        self.given = self.given.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Bytes that wait or are about to.
    pub(super) fn owed(&self, turn: u32) -> usize {
        let given = if self.turn == turn { self.given } else { 0 };
        usize::try_from(self.queued.saturating_add(given)).unwrap_or(usize::MAX)
    }

    /// Whether more than half of `soft` is owed: nothing that can be left out is said then.
    pub(super) fn is_pressed(&self, turn: u32, soft: usize) -> bool {
        self.owed(turn) > soft / 2
    }

    /// Whether a flush has left bytes behind, so that [`Credit::drained`] will follow.
    pub(super) const fn is_blocked(&self) -> bool {
        self.queued > 0
    }

    /// A flush has left `queued` bytes behind.
    pub(super) fn blocked(&mut self, queued: usize) {
        self.queued = u32::try_from(queued).unwrap_or(u32::MAX);
    }

    /// Nothing waits any more.
    pub(super) fn drained(&mut self) {
        self.queued = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_ends_at_the_soft_limit_and_comes_back_with_the_next_turn() {
        let mut credit = Credit::default();
        assert!(credit.take(1, 100, 60));
        assert!(credit.take(1, 100, 40));
        assert!(!credit.take(1, 100, 1));
        assert!(credit.take(2, 100, 100));
    }

    #[test]
    fn what_waits_counts_until_it_has_drained() {
        let mut credit = Credit::default();
        credit.blocked(90);
        assert!(!credit.take(1, 100, 20));
        assert!(credit.take(1, 100, 10));
        credit.drained();
        assert!(credit.take(2, 100, 100));
    }

    #[test]
    fn what_is_larger_than_the_limit_is_given_when_nothing_waits() {
        let mut credit = Credit::default();
        assert!(credit.take(1, 100, 1_000));
        assert!(!credit.take(1, 100, 1));
    }
}
