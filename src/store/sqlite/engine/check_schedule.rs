//! When the whole file is checked, and what follows from the outcome.

use std::time::Duration;

use super::super::full_check::CheckOutcome;
use super::super::log_fault::damaged;
use super::Engine;
use crate::chat::model::log::LogReply;
use crate::time::Tick;
use crate::time::clock::Now;

/// From a check that was aborted to the next: what made the WAL long may have ended by then.
const RETRY_AFTER: Duration = Duration::from_mins(10);

impl Engine {
    /// The whole file is to be checked, from then on.
    pub(in crate::store::sqlite) const fn schedule_check(&mut self, at: Tick) {
        self.check_at = at;
    }

    /// When the whole file is to be checked, [`Tick::MAX`] if it need not be.
    pub(in crate::store::sqlite) const fn check_at(&self) -> Tick {
        self.check_at
    }

    /// The check of the whole file has ended: what the domain is to be told.
    pub(in crate::store::sqlite) fn on_check(
        &mut self,
        now: Now,
        outcome: &CheckOutcome,
    ) -> Option<LogReply> {
        let file = self.db.path().display().to_string();
        match outcome {
            CheckOutcome::Sound => {
                log::info!(file; "the whole file was checked: nothing is wrong");
                None
            }
            CheckOutcome::Damaged(what) => {
                let fault = self.enter_degraded(now, &damaged(what.clone()));
                Some(LogReply::Health(Err(fault)))
            }
            CheckOutcome::Aborted(why) => {
                log::warn!(file, why; "the check of the whole file was aborted; see `chinwag verify`");
                self.schedule_check(now.tick.after(RETRY_AFTER));
                None
            }
        }
    }
}
