//! How many bytes of answers wait for one connection.

/// Bytes that wait for one connection's socket, and those of the answers that it was given in this
/// turn and that have not been flushed yet: they decide whether more is read from it.
///
/// Records are not counted here: the domain books them against the send credit of their reader,
/// which lets its cursors fall behind instead of stopping its requests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WaitingAnswers {
    /// Bytes that waited after the last flush that left any.
    queued: u32,
    /// Bytes given since the last flush, if that was in `turn`.
    given: u32,
    turn: u32,
}

impl WaitingAnswers {
    /// Counts an answer.
    pub(super) fn give(&mut self, turn: u32, bytes: usize) {
        if self.turn != turn {
            self.turn = turn;
            self.given = 0;
        }
        self.given = self.given.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self, turn: u32) -> usize {
        let given = if self.turn == turn { self.given } else { 0 };
        usize::try_from(self.queued.saturating_add(given)).unwrap_or(usize::MAX)
    }

    /// Whether a flush has left bytes waiting, so that the reactor will say when they have drained.
    pub(super) const fn is_blocked(&self) -> bool {
        self.queued > 0
    }

    /// A flush has left so many bytes waiting, or none any more.
    pub(super) fn set_queued(&mut self, bytes: usize) {
        self.queued = u32::try_from(bytes).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_counts_for_its_turn_and_what_waits_until_it_has_drained() {
        let mut answers = WaitingAnswers::default();
        answers.give(1, 60);
        answers.give(1, 40);
        assert_eq!((answers.bytes(1), answers.bytes(2)), (100, 0));
        answers.set_queued(90);
        answers.give(2, 20);
        assert_eq!((answers.bytes(2), answers.bytes(3)), (110, 90));
        assert!(answers.is_blocked());
        answers.set_queued(0);
        assert_eq!((answers.bytes(3), answers.is_blocked()), (0, false));
    }

    #[test]
    fn more_than_can_be_counted_stays_too_much() {
        let mut answers = WaitingAnswers::default();
        answers.set_queued(usize::MAX);
        answers.give(1, usize::MAX);
        assert_eq!(answers.bytes(1), usize::try_from(u32::MAX).unwrap());
    }
}
