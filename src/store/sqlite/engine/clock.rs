//! The wall clock: what its being set does to terms and ages, and what the file keeps of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::connection::is_busy;
use super::super::meta_table;
use super::super::suspensions;
use super::super::wall_terms;
use super::Engine;
use super::maintenance::Step;
use crate::chat::model::log::LogReply;
use crate::time::clock::Now;
use crate::time::wall_watch::{Kept, WallWatch, shifted};

/// How often the file is given the wall time, also without a message: after a kill it is what the
/// next start compares its own with.
const CLOCK_EVERY: Duration = Duration::from_hours(1);

impl Engine {
    /// Whether the wall clock can be believed.
    pub(in crate::store::sqlite) const fn wall(&self) -> WallWatch {
        self.wall
    }

    /// The present moment as ages are reckoned.
    pub(super) fn for_ages(&self, now: Now) -> Now {
        Now { wall_ms: self.wall.for_ages(now), ..now }
    }

    /// Looks whether the wall clock was set, which must not end terms nor delete anything: what the
    /// domain is to be told then.
    pub(in crate::store::sqlite) fn look_at_clock(&mut self, now: Now) -> Option<LogReply> {
        let step_ms = self.wall.look(now)?;
        log::warn!(
            step_s = step_ms / 1_000;
            "the wall clock was set: nothing is deleted for its age until it has held for a day"
        );
        self.unshifted_ms = self.unshifted_ms.saturating_add(step_ms);
        if self.fault().is_some() {
            return None;
        }
        match self.shift_terms(now) {
            Ok(told) => Some(told),
            // It stays to be done, as maintenance.
            Err(error) if is_busy(&error) => None,
            Err(error) => Some(LogReply::Health(Err(self.enter_degraded(now, &error)))),
        }
    }

    /// Moves the terms in the file by as much as the wall clock was set.
    fn shift_terms(&mut self, now: Now) -> rusqlite::Result<LogReply> {
        // Those of rooms that are open are moved by the domain.
        let open: BTreeSet<i64> = self.rooms.iter().map(|room| room.id).collect();
        let (clock, step_ms) = (self.wall.kept(now), self.unshifted_ms);
        let suspended = self.unsynced(|db| {
            wall_terms::shift(db, step_ms, |room| !open.contains(&room))?;
            // In the same transaction: a start that found the one of before would move them again.
            meta_table::put_clock(db, clock)?;
            suspensions::load(db)
        })?;
        self.unshifted_ms = 0;
        // Commits of this connection are not seen by the look for those of commands.
        Ok(LogReply::Suspended(Arc::new(suspended)))
    }

    /// What is to be kept of the wall clock: by it the next start finds what terms were not moved.
    pub(super) fn kept_clock(&self, now: Now) -> Kept {
        let Kept { since_ms, seen_ms } = self.wall.kept(now);
        Kept { since_ms, seen_ms: shifted(seen_ms, self.unshifted_ms.saturating_neg()) }
    }

    /// Keeps what is known of the wall clock when it was set, and each hour: a start with a wrong
    /// one must not be the reason for the next to believe it, nor a long time without a message the
    /// reason to doubt a right one.
    pub(super) fn keep_clock(&mut self, now: Now, step: &mut Step) -> rusqlite::Result<bool> {
        if self.degraded.is_none() && self.unshifted_ms != 0 {
            step.replies.push(self.shift_terms(now)?);
            return Ok(true);
        }
        let clock = self.kept_clock(now);
        let is_kept = self.maintenance.clock_set == Some(clock.since_ms);
        if self.degraded.is_some() || (is_kept && now.tick < self.maintenance.clock_at) {
            return Ok(false);
        }
        self.unsynced(|db| meta_table::put_clock(db, clock))?;
        self.maintenance.clock_set = Some(clock.since_ms);
        self.maintenance.clock_at = now.tick.after(CLOCK_EVERY);
        Ok(true)
    }
}
