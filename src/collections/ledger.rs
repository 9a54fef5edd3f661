//! How many bytes wait for one connection.

/// Bytes that wait for one connection: those that the last flush left over, and those sent since.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger {
    /// Bytes that waited after the last flush that left any.
    queued: u32,
    /// Bytes given since the last flush, if that was in `turn`.
    given: u32,
    turn: u32,
}

impl Ledger {
    /// Whether `bytes` may be given now, in this `turn`, with at most `soft` bytes waiting; if so,
    /// they are booked. What fits nowhere is taken by an end where nothing waits.
    pub fn take(&mut self, turn: u32, soft: usize, bytes: usize) -> bool {
        let owed = self.owed(turn);
        if owed > 0 && owed.saturating_add(bytes) > soft {
            return false;
        }
        self.give(turn, bytes);
        true
    }

    /// Books bytes that are given in any case.
    pub fn give(&mut self, turn: u32, bytes: usize) {
        if self.turn != turn {
            self.turn = turn;
            self.given = 0;
        }
        self.given = self.given.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Bytes that wait or are about to.
    #[must_use]
    pub fn owed(&self, turn: u32) -> usize {
        let given = if self.turn == turn { self.given } else { 0 };
        usize::try_from(self.queued.saturating_add(given)).unwrap_or(usize::MAX)
    }

    /// Whether the last flush left bytes over, so that [`Ledger::drained`] will follow.
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        self.queued > 0
    }

    /// A flush has left `queued` bytes over.
    pub fn blocked(&mut self, queued: usize) {
        self.queued = u32::try_from(queued).unwrap_or(u32::MAX);
    }

    /// Nothing waits any more.
    pub const fn drained(&mut self) {
        self.queued = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_ends_at_the_soft_limit_and_comes_back_with_the_next_turn() {
        let mut ledger = Ledger::default();
        assert!(ledger.take(1, 100, 60));
        assert!(ledger.take(1, 100, 40));
        assert!(!ledger.take(1, 100, 1));
        assert!(ledger.take(2, 100, 100));
    }

    #[test]
    fn what_waits_counts_until_it_has_drained() {
        let mut ledger = Ledger::default();
        ledger.blocked(90);
        assert!(!ledger.take(1, 100, 20));
        assert!(ledger.take(1, 100, 10));
        ledger.drained();
        assert!(ledger.take(2, 100, 100));
    }

    #[test]
    fn what_is_larger_than_the_limit_is_given_when_nothing_waits() {
        let mut ledger = Ledger::default();
        assert!(ledger.take(1, 100, 1_000));
        assert!(!ledger.take(1, 100, 1));
    }
}
