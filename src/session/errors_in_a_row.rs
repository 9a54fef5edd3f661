//! How many errors a connection has made in a row, in the order in which it asked.

/// When a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// While it was handled.
    AtOnce,
    /// When the log had answered, perhaps after requests that came later.
    Later,
}

/// Errors in a row.
///
/// A request that waits for the log stands between the errors before it and those after it, until
/// its answer shows whether they are in a row. So it makes no difference whether requests come in
/// one piece or one after the other's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorsInARow {
    /// Since the last request that succeeded or waits.
    run: u16,
    /// Before the requests that wait, and among these.
    before: u16,
}

impl ErrorsInARow {
    /// A request waits for the log.
    pub(super) const fn on_waiting(&mut self) {
        self.before = self.before.saturating_add(self.run);
        self.run = 0;
    }

    /// A request succeeded.
    pub(super) const fn on_success(&mut self, answered: Answered) {
        self.before = 0;
        // What came after a request that succeeds late was counted in `run`, and is still in a row.
        if matches!(answered, Answered::AtOnce) {
            self.run = 0;
        }
    }

    /// A request failed; `others_wait` for the log. `true` if `errors_max` in a row did.
    pub(super) const fn on_error(
        &mut self,
        answered: Answered,
        others_wait: bool,
        errors_max: u16,
    ) -> bool {
        match answered {
            Answered::AtOnce => {
                self.run = self.run.saturating_add(1);
                if !others_wait {
                    // What waited has succeeded without an answer, since it had no id.
                    self.before = 0;
                }
            }
            Answered::Later => {
                self.before = self.before.saturating_add(1);
                if !others_wait {
                    self.run = self.run.saturating_add(self.before);
                    self.before = 0;
                }
                if self.before >= errors_max {
                    return true;
                }
            }
        }
        self.run >= errors_max
    }
}

crate::pack::pack_struct!(ErrorsInARow { run: u16, before: u16 });

#[cfg(test)]
mod tests {
    use super::Answered::{AtOnce, Later};
    use super::*;

    /// Plays `e` error, `s` success, `w` a request that waits, `E` and `S` the answer to the one
    /// that has waited longest; says at which step three errors were in a row.
    #[track_caller]
    fn check(steps: &str, expect: Option<usize>) {
        let (mut errors, mut waiting) = (ErrorsInARow::default(), 0);
        let cut = steps.chars().position(|step| {
            match step {
                'w' => {
                    waiting += 1;
                    errors.on_waiting();
                }
                'E' | 'S' => waiting -= 1,
                _ => {}
            }
            match step {
                'e' => errors.on_error(AtOnce, waiting > 0, 3),
                'E' => errors.on_error(Later, waiting > 0, 3),
                's' => {
                    errors.on_success(AtOnce);
                    false
                }
                'S' => {
                    errors.on_success(Later);
                    false
                }
                _ => false,
            }
        });
        assert_eq!(cut, expect, "{steps}");
    }

    #[test]
    fn errors_are_in_a_row_by_the_order_of_their_requests() {
        check("eeseesee", None);
        check("eee", Some(2));
        // A success that comes later than the errors after it still stands before them.
        check("eeweeSe", Some(6));
        check("weeweeSS", None);
        check("eewee", None);
        check("eeweewee", None);
        check("weee", Some(3));
        // What waited was wrong as well, so that all are in a row.
        check("eweE", Some(3));
        check("wwwEEE", Some(5));
        check("wSeeweE", Some(6));
        check("wSeewSe", None);
    }

    #[test]
    fn what_succeeds_without_an_answer_is_a_success() {
        let mut errors = ErrorsInARow::default();
        for _ in 0..100 {
            assert!(!errors.on_error(AtOnce, false, 3));
            assert!(!errors.on_error(AtOnce, false, 3));
            errors.on_waiting();
        }
    }
}
