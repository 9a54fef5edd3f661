//! Booking the tail: what the file is to have of records beside the records themselves.

use super::super::cids::{self, CID_LASTS};
use super::super::heads;
use super::super::integers::{signed, unsigned};
use super::super::meta_table::{self, BOOKED, FORGOTTEN};
use super::super::record_row::{self, COLUMNS};
use super::super::tail::{Booking, SLICE_CIDS, Tail};
use super::Engine;
use super::maintenance::Step;
use crate::chat::model::log::LogId;
use crate::time::clock::Now;
use crate::time::millis;

/// A `cid` that was stored so far in the future was stored by a clock that was wrong.
const CID_AHEAD_MS: u64 = 24 * 3_600_000;
/// `cid`s that are forgotten at once: some milliseconds of work.
const STEP_CIDS: usize = 256;

impl Engine {
    /// The tail, which is read if that was not done yet.
    pub(super) fn tail(&mut self) -> rusqlite::Result<&mut Tail> {
        let tail = match self.tail.take() {
            Some(tail) => tail,
            None => Tail::load(&self.db)?,
        };
        Ok(self.tail.insert(tail))
    }

    /// Records were stored in the room of this log.
    pub(super) fn note_in_tail(&mut self, room: (LogId, i64), now: Now) {
        if let Some(tail) = &mut self.tail {
            tail.note_stored(room, now.tick);
        }
    }

    /// Books the next part of the tail, if it is long or old.
    pub(super) fn book(&mut self, now: Now, _: &mut Step) -> rusqlite::Result<bool> {
        // On a full disk the space is needed by the tasks that free some.
        if self.degraded.is_some() {
            return Ok(false);
        }
        let Some(booking) = self.tail()?.next(now.tick) else { return Ok(false) };
        let rooms = match &booking {
            Booking::Cids(_) => Vec::new(),
            Booking::Rooms(rooms, _) => {
                let counters = |log| self.room(log).map(|room| room.counters);
                rooms.iter().map(|&(log, id)| (id, counters(log))).collect()
            }
        };
        // With the counters goes what is known of the clock, which costs no page more.
        let clock = self.kept_clock(now);
        self.unsynced(|db| match &booking {
            Booking::Cids(slice) => cids::put(db, slice),
            Booking::Rooms(_, last) => {
                for &(room, counters) in &rooms {
                    // Of a room that was closed since, the records say it.
                    match counters {
                        Some(counters) => counters.write(db, room)?,
                        None => heads::book_room(db, room)?,
                    }
                }
                meta_table::put_clock(db, clock)?;
                // Last of the lot, in the same transaction as the counters: what is not booked is
                // found in the records at a start.
                meta_table::put(db, BOOKED, *last)
            }
        })?;
        self.tail()?.on_booked(&booking, now.tick);
        Ok(true)
    }

    /// Books a long tail at the pace of the senders, whatever else there is to do: `stored` records
    /// have come with the last batch.
    pub(super) fn book_along(
        &mut self,
        now: Now,
        stored: u64,
        step: &mut Step,
    ) -> rusqlite::Result<()> {
        let stored = usize::try_from(stored).unwrap_or(usize::MAX);
        // Two for one that is stored, so that a long tail becomes shorter under any load.
        self.bookings_due = self.bookings_due.saturating_add(stored.saturating_mul(2));
        if !self.tail()?.is_long() {
            self.bookings_due = 0;
        }
        while self.bookings_due >= SLICE_CIDS && self.tail()?.is_long() {
            self.bookings_due -= SLICE_CIDS;
            if !self.book(now, step)? {
                break;
            }
        }
        Ok(())
    }

    /// Forgets `cid`s that are too old: whether there was something to do.
    pub(super) fn forget_cids(&mut self, now: Now, _: &mut Step) -> rusqlite::Result<bool> {
        if !std::mem::take(&mut self.maintenance.has_old_cids) {
            return Ok(false);
        }
        // A clock that has just been set forgets nothing: see `engine::clock`.
        let now = self.for_ages(now);
        let old = now.wall_ms.saturating_sub(millis(CID_LASTS));
        // The clock was wrong when they were stored: they would keep all later ones from being
        // forgotten.
        let ahead =
            if now.wall_ms > 0 { now.wall_ms.saturating_add(CID_AHEAD_MS) } else { u64::MAX };
        // The ids rise with the time: the first ones are the oldest, and no index by time is
        // needed.
        let sql = "DELETE FROM sent WHERE (at < ?2 OR at > ?3) \
                   AND id IN (SELECT id FROM sent ORDER BY id LIMIT ?1)";
        let limit = i64::try_from(STEP_CIDS).unwrap_or(i64::MAX);
        let forgotten = self
            .unsynced(|db| db.prepare_cached(sql)?.execute([limit, signed(old), signed(ahead)]))?;
        // Those of records that are still there, by the records: the table `cid` has no times.
        let walked = self.forget_booked(old, ahead)?;
        self.maintenance.has_old_cids = forgotten > 0 || walked;
        Ok(true)
    }

    /// Forgets the `cid`s of the first records whose own is still known, if they are so old:
    /// whether there may be more.
    fn forget_booked(&mut self, old: u64, ahead: u64) -> rusqlite::Result<bool> {
        let cids = self.tail()?.secret();
        let sql = format!(
            "SELECT {COLUMNS}, id FROM record WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3"
        );
        let mark = |key| meta_table::get::<i64>(&self.db, key);
        let (forgotten, booked) = (mark(FORGOTTEN)?.unwrap_or(0), mark(BOOKED)?.unwrap_or(0));
        let limit = i64::try_from(STEP_CIDS).unwrap_or(i64::MAX);
        let mut due = Vec::new();
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut rows = statement.query([forgotten, booked, limit])?;
        while let Some(row) = rows.next()? {
            let at = unsigned(row.get("at")?);
            // By id and so by time of storing: after the first that is young enough there are no
            // older ones.
            if !(at < old || at > ahead) {
                break;
            }
            due.push((row.get("id")?, row.get("room")?, record_row::decode(row)));
        }
        drop(rows);
        drop(statement);
        let Some(&(last, ..)) = due.last() else { return Ok(false) };
        self.unsynced(|db| {
            for (id, room, record) in &due {
                if let Ok(record) = record {
                    cids.forget(db, (*room, *id), record)?;
                }
            }
            meta_table::put(db, FORGOTTEN, last)
        })?;
        Ok(true)
    }
}
