//! The wall clock: what its being set does to terms and ages, and what the file keeps of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::clock_shift;
use super::super::connection::is_busy;
use super::super::meta_table;
use super::super::suspensions;
use super::Engine;
use super::maintenance::Step;
use crate::chat::model::log::LogReply;
use crate::time::clock::Now;
use crate::time::wall_watch::{Kept, WallWatch, shifted};

/// How often the file is given the wall time, also without a message: after a kill it is what the
/// next start compares its own with.
const CLOCK_EVERY: Duration = Duration::from_hours(1);

/// Steps of the wall clock that wait to be made in the file; the last takes up further ones.
const STEPS_MAX: usize = 16;

/// The wall clock was set, and the terms in the file do not know it yet.
#[derive(Debug)]
struct ClockStep {
    ms: i64,
    /// The rooms that were open then.
    open: BTreeSet<i64>,
    /// What is kept of the clock once they do.
    clock: Kept,
}

/// Terms that are moved as the wall clock was set.
#[derive(Debug, Default)]
pub(super) struct Shifts {
    /// How it was set since those in the file were moved.
    steps: Vec<ClockStep>,
    /// Some were moved, and the domain does not know it yet.
    is_untold: bool,
}

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
        self.note_step(step_ms, now);
        if self.fault().is_some() {
            return None;
        }
        // Each transaction begins with it: one that a lock keeps from beginning leaves it to the
        // next.
        match self.unsynced(|_db| Ok(())) {
            Ok(()) => self.poll_shifted(),
            Err(error) if is_busy(&error) => None,
            Err(error) => Some(LogReply::Health(Err(self.enter_degraded(now, &error)))),
        }
    }

    /// Notes that the terms are to be moved that the file has at this moment.
    fn note_step(&mut self, step_ms: i64, now: Now) {
        let clock = self.wall.kept(now);
        // Those of rooms that are open are moved by the domain.
        let open: BTreeSet<i64> = self.rooms.iter().map(|room| room.id).collect();
        let is_full = self.shifts.steps.len() >= STEPS_MAX;
        match self.shifts.steps.last_mut() {
            Some(last) if is_full || last.open == open => {
                *last = ClockStep { ms: last.ms.saturating_add(step_ms), open, clock };
            }
            _ => self.shifts.steps.push(ClockStep { ms: step_ms, open, clock }),
        }
    }

    /// Moves the terms in the file by as much as the wall clock was set, within a transaction that
    /// has just begun: what is written by it and later has the new time already.
    pub(super) fn shift_terms(&self) -> rusqlite::Result<()> {
        for step in &self.shifts.steps {
            clock_shift::shift(&self.db, step.ms, |room| !step.open.contains(&room))?;
            // In the same transaction: a start that found the one of before would move them again.
            meta_table::put_clock(&self.db, step.clock)?;
        }
        Ok(())
    }

    /// The transaction that has moved them is committed.
    pub(super) fn note_shifted(&mut self) {
        self.shifts.is_untold |= !self.shifts.steps.is_empty();
        self.shifts.steps.clear();
    }

    /// What the domain is to be told once terms were moved: commits of this connection are not seen
    /// by the look for those of commands.
    pub(in crate::store::sqlite) fn poll_shifted(&mut self) -> Option<LogReply> {
        if !self.shifts.is_untold {
            return None;
        }
        let suspended = suspensions::load(&self.db).ok()?;
        self.shifts.is_untold = false;
        Some(LogReply::Suspended(Arc::new(suspended)))
    }

    /// What is to be kept of the wall clock: by it the next start finds what terms were not moved.
    pub(super) fn kept_clock(&self, now: Now) -> Kept {
        let Kept { since_ms, seen_ms } = self.wall.kept(now);
        let unshifted = self.shifts.steps.iter().map(|step| step.ms.saturating_neg());
        Kept { since_ms, seen_ms: unshifted.fold(seen_ms, shifted) }
    }

    /// Keeps what is known of the wall clock when it was set, and each hour: a start with a wrong
    /// one must not be the reason for the next to believe it, nor a long time without a message the
    /// reason to doubt a right one.
    pub(super) fn keep_clock(&mut self, now: Now, step: &mut Step) -> rusqlite::Result<bool> {
        if self.degraded.is_none() && !self.shifts.steps.is_empty() {
            self.unsynced(|_db| Ok(()))?;
            step.replies.extend(self.poll_shifted());
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
