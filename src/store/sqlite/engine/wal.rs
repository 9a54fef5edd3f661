//! Moving the pages of the WAL into the file, and keeping the WAL short.

use std::time::Duration;

use rusqlite::wal::CheckpointMode;

use super::super::connection::{BUSY_TIMEOUT, is_busy};
use super::Engine;
use crate::time::Tick;
use crate::time::clock::Now;

/// Pages in the WAL, 4 MiB, from which they are moved into the file when no batches come.
const WAL_PAGES: i32 = 1024;
/// The same, 8 MiB, while batches come: pages that many batches change are then moved less often.
const WAL_PAGES_BUSY: i32 = 2 * WAL_PAGES;

/// Pages in the WAL, 32 MiB, from which it has to begin anew: half of what it may have at the most.
const WAL_PAGES_RESTART: i32 = 8 * WAL_PAGES;
/// Pages in the WAL, 48 MiB, at which it begins anew whatever else there is to do.
const WAL_PAGES_MAX: i32 = 12 * WAL_PAGES;
/// Records after which the WAL is measured while batches come, and for how many a batch counts:
/// they write less than what is left then up to SQLite's own bound.
const MEASURE_AFTER: u64 = 512;
const BATCH_COUNTS_FOR: u64 = 64;
/// From a checkpoint that a reader has kept from moving anything to the next.
const CHECKPOINT_AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// Moves the pages of the WAL into the file, if there are so many: whether there is more to do
    /// at once.
    pub(super) fn checkpoint_wal(&mut self, now: Now, is_calm: bool) -> rusqlite::Result<bool> {
        if now.tick < self.maintenance.checkpoint_at {
            return Ok(false);
        }
        self.maintenance.checkpoint_at = Tick::ZERO;
        let wal_pages = if is_calm { WAL_PAGES } else { WAL_PAGES_BUSY };
        // NOOP only counts the pages.
        let (pages, moved) = self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP)?;
        if pages.saturating_sub(moved) >= wal_pages {
            self.db.check_lengths()?;
            // PASSIVE waits for no reader: what a reader still needs is moved the next time.
            let (_, after) = self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)?;
            // Once all of it is moved SQLite lets the next commit begin the WAL anew.
            self.begins_wal |= after == pages;
            if after == moved {
                self.maintenance.checkpoint_at = now.tick.after(CHECKPOINT_AGAIN);
            }
            return Ok(after != moved);
        }
        if pages >= WAL_PAGES_RESTART {
            self.restart_wal(now)?;
        }
        Ok(false)
    }

    /// Keeps the WAL within its bound, also while batches come without a pause and maintenance gets
    /// no turn. A failure is found by the next commit.
    pub(in crate::store::sqlite) fn bound_wal(&mut self, now: Now, stored: u64) {
        self.unmeasured += stored + BATCH_COUNTS_FOR;
        if self.unmeasured < MEASURE_AFTER {
            return;
        }
        self.unmeasured = 0;
        let counted = self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP);
        let is_long = counted.is_ok_and(|(pages, _)| pages >= WAL_PAGES_MAX);
        if is_long && now.tick >= self.maintenance.checkpoint_at {
            _ = self.restart_wal(now);
        }
    }

    /// Has the WAL begin anew with the next commit. It does so by itself only at a moment when
    /// everything is moved and nobody reads, which may never come under searches: the reader is
    /// kept from its next query for as long as this takes.
    fn restart_wal(&mut self, now: Now) -> rusqlite::Result<()> {
        let held = (self.reader.hold(), self.reader.hold_outbox());
        // Another process that reads is not waited for.
        self.db.busy_timeout(Duration::ZERO)?;
        let restarted = self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::RESTART);
        // Before the outcome is looked at: no way out of here may leave the reader waiting.
        drop(held);
        self.db.busy_timeout(BUSY_TIMEOUT)?;
        self.begins_wal = true;
        match restarted {
            Err(error) if is_busy(&error) => {
                self.maintenance.checkpoint_at = now.tick.after(CHECKPOINT_AGAIN);
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }
}
