//! What a connection has been sent and has not taken yet, against what it may be sent.

/// The send credit of one connection: the bytes that wait for its socket, and those that it was
/// given in this turn and that have not been flushed yet.
///
/// There are two of each. The domain books records: when they have used it up, the cursors of the
/// connection fall behind. The session books answers: when they have, no more is read from it. A
/// reader that is behind can still ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendCredit {
    queued: u32,
    given: u32,
    turn: u32,
}

impl SendCredit {
    /// Nothing waits.
    #[must_use]
    pub const fn new() -> Self {
        Self { queued: 0, given: 0, turn: 0 }
    }

    /// Books `bytes` if they fit the limit, or if nothing waits: then they are let through whatever
    /// their size, since a record that is larger than the limit must reach its readers too.
    #[inline]
    #[must_use = "if false, nothing was booked"]
    pub fn take(&mut self, turn: u32, limit: usize, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // Nearly always: nothing waits, and it is the first of the turn.
        if self.queued == 0 && self.turn != turn {
            (self.given, self.turn) = (bytes, turn);
            return true;
        }
        let given = if self.turn == turn { self.given } else { 0 };
        let owed = self.queued.saturating_add(given);
        let after = usize::try_from(owed.saturating_add(bytes)).unwrap_or(usize::MAX);
        // Whole or not at all: what belongs together is for the caller to say.
        if owed > 0 && after > limit {
            return false;
        }
        (self.given, self.turn) = (given.saturating_add(bytes), turn);
        true
    }

    /// Books `bytes` that are sent whatever the limit says.
    pub fn give(&mut self, turn: u32, bytes: usize) {
        // What earlier turns gave has been flushed: whatever the socket did not take came back by
        // `set_queued`. So nobody has to walk all readers to reset them when a turn ends.
        if self.turn != turn {
            self.turn = turn;
            self.given = 0;
        }
        self.given = self.given.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Bytes that the connection has not taken yet.
    #[must_use]
    pub fn owed(&self, turn: u32) -> usize {
        let given = if self.turn == turn { self.given } else { 0 };
        usize::try_from(self.queued.saturating_add(given)).unwrap_or(usize::MAX)
    }

    /// Whether bytes wait for the socket, so that it will report when it has drained.
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        self.queued > 0
    }

    /// A flush has left so many bytes waiting.
    pub fn set_queued(&mut self, queued: usize) {
        // This may count what the same turn has given before a second time, until it ends: then a
        // cursor lags a little sooner, and never later.
        self.queued = u32::try_from(queued).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_ends_at_the_limit_and_comes_back_with_the_next_turn() {
        let mut credit = SendCredit::default();
        assert!(credit.take(1, 100, 60));
        assert!(credit.take(1, 100, 40));
        assert!(!credit.take(1, 100, 1));
        assert!(credit.take(2, 100, 100));
    }

    #[test]
    fn queued_bytes_count_until_they_have_drained() {
        let mut credit = SendCredit::default();
        credit.set_queued(90);
        assert!(credit.is_blocked());
        assert!(!credit.take(1, 100, 20));
        assert!(credit.take(1, 100, 10));
        credit.set_queued(0);
        assert!(!credit.is_blocked());
        assert!(credit.take(2, 100, 100));
    }

    #[test]
    fn what_is_sent_whatever_the_limit_says_counts_in_its_turn_only() {
        let mut credit = SendCredit::default();
        credit.give(1, 70);
        credit.give(1, 40);
        assert_eq!(credit.owed(1), 110);
        assert!(!credit.take(1, 100, 1));
        credit.give(2, 5);
        assert_eq!([2, 3].map(|turn| credit.owed(turn)), [5, 0]);
        credit.set_queued(30);
        assert_eq!([2, 3].map(|turn| credit.owed(turn)), [35, 30]);
    }

    #[test]
    fn more_than_can_be_counted_stays_too_much() {
        let mut credit = SendCredit::default();
        credit.set_queued(usize::MAX);
        credit.give(1, usize::MAX);
        assert_eq!(credit.owed(1), usize::try_from(u32::MAX).unwrap());
        assert!(!credit.take(1, 100, usize::MAX));
    }

    #[test]
    fn a_record_beyond_the_limit_passes_when_nothing_waits() {
        let mut credit = SendCredit::default();
        assert!(credit.take(1, 100, 1_000));
        assert!(!credit.take(1, 100, 1));
    }
}
