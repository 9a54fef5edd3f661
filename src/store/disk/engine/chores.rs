//! What can wait: taking away what was kept long enough, filling the search index, emptying the log.
//!
//! It is done in steps of a few milliseconds between batches, so that nobody who sends waits for it. The
//! commits of a step are not synced: what a power loss takes back is done again.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, OptionalExtension as _};

use crate::chat::model::log::{LogId, LogReply};
use crate::chat::model::policy::Retention;
use crate::time::Tick;
use crate::time::clock::Now;

use super::super::database::Level;
use super::super::meta;
use super::super::op::{Tail, unsigned};
use super::super::row::signed;
use super::super::search;
use super::{Engine, Room, find};

/// How long the `cid` of a message is remembered, however short its record is kept.
const CID_LASTS: Duration = Duration::from_hours(7 * 24);
/// Records that one step looks at.
const STEP_RECORDS: usize = 64;
/// Rooms that one step looks at.
const STEP_ROOMS: usize = 64;
/// `cid`s that one step looks at.
const STEP_CIDS: usize = 256;
/// From one round over what may have become too old to the next.
const ROUND_EVERY: Duration = Duration::from_mins(1);
/// Pages in the log, 4 MiB, from which they are moved into the file when nobody sends.
const LOG_PAGES: i32 = 1024;
/// The same, 8 MiB, while batches come: the pages that all of them change are moved less often then.
const LOG_PAGES_BUSY: i32 = 2 * LOG_PAGES;

/// What is to be done at leisure.
#[derive(Debug)]
pub(super) struct Chores {
    /// Rooms that have, or may have, more than they may keep.
    swollen: BTreeSet<LogId>,
    /// Rooms that are to be asked how old their oldest record is.
    aging: Vec<LogId>,
    /// There may be old `cid`s.
    old_cids: bool,
    /// There may be records that are not in the search index.
    unsearched: bool,
    round_at: Tick,
    /// Which chore is next, so that each gets its turn.
    turn: usize,
}

impl Default for Chores {
    fn default() -> Self {
        Self {
            swollen: BTreeSet::new(),
            aging: Vec::new(),
            old_cids: true,
            unsearched: true,
            round_at: Tick::ZERO,
            turn: 0,
        }
    }
}

/// What a step has come to.
#[derive(Debug, Default)]
pub(in crate::store::disk) struct Step {
    /// What the domain is to be told.
    pub(in crate::store::disk) replies: Vec<LogReply>,
    /// Records that were removed.
    pub(in crate::store::disk) pruned: u64,
    /// There is more to be done at once.
    pub(in crate::store::disk) more: bool,
}

type Chore = fn(&mut Engine, Now, &mut Step) -> rusqlite::Result<bool>;

/// Each says whether there was something to do.
const CHORES: [Chore; 5] = [
    Engine::prune,
    Engine::fill_index,
    Engine::remove_orphans,
    Engine::look_for_age,
    Engine::forget_cids,
];

impl Chores {
    /// Records were put into a room.
    pub(super) fn note_records(&mut self, room: &Room) {
        self.unsearched = true;
        let Retention { records, bytes, .. } = room.retention;
        let kept = (room.tail.head + 1).saturating_sub(room.tail.oldest);
        if records.is_some_and(|max| kept > max) || bytes.is_some_and(|max| room.tail.bytes > max) {
            self.swollen.insert(room.log);
        }
    }

    /// There may be records of the room that are not to be kept.
    pub(super) fn note_swollen(&mut self, log: LogId) {
        self.swollen.insert(log);
    }
}

impl Engine {
    /// When [`Engine::step`] has something to do again after it had not.
    pub(in crate::store::disk) const fn round_at(&self) -> Tick {
        self.chores.round_at
    }

    /// Does one small step of what can wait. Less is thought worth it while batches come: `is_calm` is whether none do.
    pub(in crate::store::disk) fn step(&mut self, now: Now, is_calm: bool) -> Step {
        let mut step = Step::default();
        if self.rests() {
            return step;
        }
        if now.tick >= self.chores.round_at {
            self.begin_round(now);
        }
        let log_pages = if is_calm { LOG_PAGES } else { LOG_PAGES_BUSY };
        if let Err(error) = self.try_step(now, log_pages, &mut step) {
            step.more = false;
            step.replies = vec![LogReply::Health(Err(self.begin_trouble(now, &error)))];
        }
        step
    }

    fn begin_round(&mut self, now: Now) {
        let chores = &mut self.chores;
        chores.round_at = now.tick.after(ROUND_EVERY);
        chores.old_cids = true;
        let may_age =
            |room: &&Room| room.retention.age.is_some() && room.tail.oldest <= room.tail.head;
        chores.aging = self.rooms.iter().filter(may_age).map(|room| room.log).collect();
    }

    fn try_step(&mut self, now: Now, log_pages: i32, step: &mut Step) -> rusqlite::Result<()> {
        step.more = self.move_log(log_pages)?;
        for _ in CHORES {
            let turn = self.chores.turn;
            self.chores.turn = (turn + 1) % CHORES.len();
            let Some(chore) = CHORES.get(turn) else { continue };
            if chore(self, now, step)? {
                step.more = true;
                break;
            }
        }
        Ok(())
    }

    /// Moves the pages of the log into the file, if there are so many.
    fn move_log(&self, log_pages: i32) -> rusqlite::Result<bool> {
        let (pages, moved) = self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP)?;
        let is_due = pages.saturating_sub(moved) >= log_pages;
        if is_due {
            self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)?;
        }
        Ok(is_due)
    }

    /// Runs a transaction that is not synced.
    fn lightly<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.db.set_level(Level::Os)?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = work(&self.db)?;
        self.db.execute_batch("COMMIT")?;
        Ok(done)
    }

    fn prune(&mut self, now: Now, step: &mut Step) -> rusqlite::Result<bool> {
        let Some(log) = self.chores.swollen.first().copied() else { return Ok(false) };
        let Some(room) = find(&mut self.rooms, log) else {
            self.chores.swollen.remove(&log);
            return Ok(true);
        };
        // A room that is not in the file has no records there.
        let (id, tail, retention) = (room.id, room.tail, room.retention);
        let pruned = self.lightly(|db| prune(db, id, (tail, retention), now))?;
        if let Some(room) = find(&mut self.rooms, log) {
            room.tail = pruned.tail;
        }
        if !pruned.more {
            self.chores.swollen.remove(&log);
        }
        step.pruned = pruned.records;
        if pruned.tail.oldest != tail.oldest {
            step.replies.push(LogReply::Pruned { log, oldest: pruned.tail.oldest });
        }
        Ok(true)
    }

    fn fill_index(&mut self, _: Now, _: &mut Step) -> rusqlite::Result<bool> {
        // It takes room that those need who make some.
        if self.trouble.is_some() || !std::mem::take(&mut self.chores.unsearched) {
            return Ok(false);
        }
        self.chores.unsearched = self.lightly(|db| search::fill(db, STEP_RECORDS))?;
        Ok(true)
    }

    /// Takes away records of a room that is gone.
    fn remove_orphans(&mut self, _: Now, step: &mut Step) -> rusqlite::Result<bool> {
        let Some(room) = meta::first_gone(&self.db)? else { return Ok(false) };
        let removed = self.lightly(|db| {
            let removed = remove_first(db, room, |_| true)?;
            if removed.len() < STEP_RECORDS {
                meta::forget_gone(db, room)?;
            }
            Ok(removed)
        })?;
        step.pruned = u64::try_from(removed.len()).unwrap_or(u64::MAX);
        Ok(true)
    }

    /// Asks some rooms how old their oldest record is.
    fn look_for_age(&mut self, now: Now, _: &mut Step) -> rusqlite::Result<bool> {
        let mut looked = false;
        for _ in 0..STEP_ROOMS {
            let Some(log) = self.chores.aging.pop() else { break };
            looked = true;
            let Some(room) = self.room(log) else { continue };
            let sql = "SELECT at FROM record WHERE room = ?1 ORDER BY seq LIMIT 1";
            let at = self.db.prepare_cached(sql)?.query_one([room.id], |row| row.get(0));
            let is_old = at.optional()?.is_some_and(|at| is_old(room.retention, unsigned(at), now));
            if is_old {
                self.chores.swollen.insert(log);
            }
        }
        Ok(looked)
    }

    fn forget_cids(&mut self, now: Now, _: &mut Step) -> rusqlite::Result<bool> {
        if !std::mem::take(&mut self.chores.old_cids) {
            return Ok(false);
        }
        let old = now.wall_ms.saturating_sub(millis(CID_LASTS));
        let forgotten = self.lightly(|db| {
            let sql = "SELECT id, at FROM sent ORDER BY id LIMIT ?1";
            let limit = i64::try_from(STEP_CIDS).unwrap_or(i64::MAX);
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query([limit])?;
            let (mut last, mut count) = (None, 0);
            while let Some(row) = rows.next()?
                && unsigned(row.get(1)?) < old
            {
                last = Some(row.get::<_, i64>(0)?);
                count += 1;
            }
            if let Some(last) = last {
                db.prepare_cached("DELETE FROM sent WHERE id <= ?1")?.execute([last])?;
            }
            Ok(count)
        })?;
        self.chores.old_cids = forgotten == STEP_CIDS;
        Ok(true)
    }
}

/// What pruning has come to.
struct Pruned {
    tail: Tail,
    records: u64,
    more: bool,
}

/// Takes away the oldest records of a room, as many as one step may and the retention wants.
fn prune(
    db: &Connection,
    room: i64,
    (mut tail, retention): (Tail, Retention),
    now: Now,
) -> rusqlite::Result<Pruned> {
    let before = tail;
    let removed = remove_first(db, room, |oldest| {
        // What is before the oldest is what a failure has left: it is not in the books.
        if oldest.seq < tail.oldest {
            return true;
        }
        let kept = (tail.head + 1).saturating_sub(oldest.seq);
        let is_over = retention.records.is_some_and(|max| kept > max)
            || retention.bytes.is_some_and(|max| tail.bytes > max)
            || is_old(retention, oldest.at, now);
        if is_over {
            tail.oldest = oldest.seq + 1;
            tail.bytes = tail.bytes.saturating_sub(oldest.bytes);
        }
        is_over
    })?;
    if tail != before {
        let sql = "UPDATE room SET oldest = ?2, bytes = ?3 WHERE id = ?1";
        let row = [room, signed(tail.oldest), signed(tail.bytes)];
        db.prepare_cached(sql)?.execute(row)?;
    }
    let records = u64::try_from(removed.len()).unwrap_or(u64::MAX);
    Ok(Pruned { tail, records, more: removed.len() == STEP_RECORDS })
}

/// What is to be known of a record to decide whether it goes.
#[derive(Clone, Copy)]
struct Oldest {
    id: i64,
    seq: u64,
    at: u64,
    bytes: u64,
}

/// Takes away the first records of a room, no more than a step may, until `goes` says no.
fn remove_first(
    db: &Connection,
    room: i64,
    mut goes: impl FnMut(&Oldest) -> bool,
) -> rusqlite::Result<Vec<Oldest>> {
    let sql = "SELECT id, seq, at, ifnull(octet_length(text), 0) + ifnull(octet_length(data), 0) \
               FROM record WHERE room = ?1 ORDER BY seq LIMIT ?2";
    let limit = i64::try_from(STEP_RECORDS).unwrap_or(i64::MAX);
    let mut removed = Vec::new();
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([room, limit])?;
    while let Some(row) = rows.next()? {
        let oldest = Oldest {
            id: row.get(0)?,
            seq: unsigned(row.get(1)?),
            at: unsigned(row.get(2)?),
            bytes: unsigned(row.get(3)?),
        };
        if !goes(&oldest) {
            break;
        }
        removed.push(oldest);
    }
    for oldest in &removed {
        search::changed(db, oldest.id, room, None)?;
        db.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute([oldest.id])?;
    }
    Ok(removed)
}

fn is_old(retention: Retention, at: u64, now: Now) -> bool {
    retention.age.is_some_and(|age| at.saturating_add(millis(age)) < now.wall_ms)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
