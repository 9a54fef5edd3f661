//! Maintenance: removing records that were kept long enough, filling the search index, moving the
//! WAL into the file.
//!
//! It is done in steps of a few milliseconds between batches, so that no sender waits for it. The
//! commits of a step are not synced: what a power loss undoes is done again.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};

use super::super::cids::CidSecret;
use super::super::connection::{Level, is_busy};
use super::super::edits;
use super::super::integers::unsigned;
use super::super::record_row::{self, COLUMNS, RowFault};
use super::super::room_meta;
use super::super::room_row::RoomCounters;
use super::super::search::index;
use super::walk::Walk;
use super::{Engine, Room, find};
use crate::chat::model::log::{LogId, LogReply};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::Record;
use crate::time::Tick;
use crate::time::clock::Now;
use crate::time::millis;

/// Records and rooms that one step handles: each some milliseconds of work.
const STEP_RECORDS: usize = 64;
/// Likewise records whose words are put into the index.
const STEP_WORDS: usize = 256;
pub(super) const STEP_ROOMS: usize = 64;
/// A room is far over its limit when it has a quarter more, and so much besides: maintenance, which
/// yields to senders, is then not enough.
const FAR_OVER_PART: u64 = 4;
const SLACK_RECORDS: u64 = 256;
const SLACK_BYTES: u64 = 1024 * 1024;
/// Messages whose words are not in the index, from which it is filled ...
const WORDS_LOT: u64 = 1024;
/// ... and how long the first of them waits at the most: the index is written in large parts.
const WORDS_WAIT: Duration = Duration::from_mins(5);
/// How often records and `cid`s are searched that have become too old: retention is given in hours
/// and days.
const ROUND_EVERY: Duration = Duration::from_mins(1);
/// What is to be done.
#[derive(Debug)]
pub(super) struct Maintenance {
    /// Rooms that have, or may have, more than their retention allows.
    over_limit: BTreeSet<LogId>,
    /// Those of them that have much more: they are pruned at the pace of their senders.
    far_over_limit: BTreeSet<LogId>,
    /// Rooms whose oldest record may be too old.
    may_age: Vec<LogId>,
    /// There may be `cid`s that are too old.
    pub(super) has_old_cids: bool,
    /// There may be records of rooms that were removed.
    has_orphans: bool,
    /// Records that are not in the search index, as far as that is known, and since when: from
    /// [`WORDS_LOT`] on it is being filled, to the end.
    unindexed: u64,
    unindexed_since: Option<Tick>,
    round_at: Tick,
    pub(super) walk: Walk,
    /// When the WAL may be moved into the file again, after a reader kept it from being moved.
    pub(super) checkpoint_at: Tick,
    /// Which task is next, so that each gets its turn.
    turn: usize,
    /// When the wall clock was set last, as far as the file has it.
    pub(super) clock_set: Option<u64>,
    /// When the file is to have what it shows again.
    pub(super) clock_at: Tick,
}

impl Default for Maintenance {
    fn default() -> Self {
        Self {
            over_limit: BTreeSet::new(),
            far_over_limit: BTreeSet::new(),
            may_age: Vec::new(),
            // The last process may have left some of both.
            has_old_cids: true,
            has_orphans: true,
            unindexed: WORDS_LOT,
            unindexed_since: None,
            round_at: Tick::ZERO,
            walk: Walk::default(),
            checkpoint_at: Tick::ZERO,
            turn: 0,
            clock_set: None,
            clock_at: Tick::ZERO,
        }
    }
}

/// What a step has done.
#[derive(Debug, Default)]
pub(in crate::store::sqlite) struct Step {
    /// What the domain is to be told.
    pub(in crate::store::sqlite) replies: Vec<LogReply>,
    /// Records that were removed.
    pub(in crate::store::sqlite) pruned: u64,
    /// There is more to be done at once.
    pub(in crate::store::sqlite) has_more: bool,
}

type Task = fn(&mut Engine, Now, &mut Step) -> rusqlite::Result<bool>;

/// Each says whether there was something to do.
const TASKS: [Task; 8] = [
    Engine::keep_clock,
    Engine::book,
    Engine::prune,
    Engine::fill_index,
    Engine::remove_orphans,
    Engine::find_aged,
    Engine::find_overdue,
    Engine::forget_cids,
];

impl Maintenance {
    /// A room was opened, perhaps on records of a life of the server that is long over.
    pub(super) fn note_opened(&mut self, room: &Room) {
        // The retention may have become shorter since the last start.
        self.note_records(room);
        if room.retention.age.is_some() {
            self.may_age.push(room.log);
        }
    }

    /// Records were appended to a room.
    pub(super) fn note_records(&mut self, room: &Room) {
        let Retention { records, bytes, .. } = room.retention;
        let RoomCounters { head, oldest, bytes: stored, .. } = room.counters;
        let count = (head + 1).saturating_sub(oldest);
        if records.is_some_and(|max| count > max) || bytes.is_some_and(|max| stored > max) {
            self.note_over_limit(room.log);
        }
        let is_far_over = records
            .is_some_and(|max| count > max + max / FAR_OVER_PART + SLACK_RECORDS)
            || bytes.is_some_and(|max| stored > max + max / FAR_OVER_PART + SLACK_BYTES);
        if is_far_over {
            self.far_over_limit.insert(room.log);
        } else {
            self.far_over_limit.remove(&room.log);
        }
    }

    /// Metadata was written, perhaps that a room was removed.
    pub(super) const fn note_meta(&mut self) {
        self.has_orphans = true;
    }

    /// So many records were stored.
    pub(super) fn note_stored(&mut self, records: u64, now: Now) {
        self.unindexed = self.unindexed.saturating_add(records);
        self.unindexed_since.get_or_insert(now.tick);
    }

    /// Whether the index is to be filled: once begun, to the end.
    fn is_filling(&mut self, now: Now) -> bool {
        let is_old = self.unindexed_since.is_some_and(|since| now.tick >= since.after(WORDS_WAIT));
        if is_old {
            self.unindexed = self.unindexed.max(WORDS_LOT);
        }
        self.unindexed >= WORDS_LOT
    }

    /// The room may have records that are not to be kept.
    pub(super) fn note_over_limit(&mut self, log: LogId) {
        self.over_limit.insert(log);
    }
}

impl Engine {
    /// When [`Engine::step`] has something to do again after it had not.
    pub(in crate::store::sqlite) fn round_at(&self) -> Tick {
        let Maintenance { round_at, checkpoint_at, ref walk, .. } = self.maintenance;
        let round_at = walk.at().map_or(round_at, |at| round_at.min(at));
        // Zero is: nothing keeps it.
        if checkpoint_at == Tick::ZERO { round_at } else { round_at.min(checkpoint_at) }
    }

    /// Does one small step. `is_calm` is whether no batches come: then more of it is worth doing.
    pub(in crate::store::sqlite) fn step(&mut self, now: Now, is_calm: bool) -> Step {
        let mut step = Step::default();
        if self.is_suspended() {
            return step;
        }
        if now.tick >= self.maintenance.round_at {
            self.begin_round(now);
        }
        if let Err(error) = self.try_step(now, is_calm, &mut step) {
            step.has_more = false;
            if is_busy(&error) {
                // Somebody else writes: what was begun is done in the next round.
                self.maintenance.has_orphans = true;
                self.maintenance.has_old_cids = true;
                return step;
            }
            // The probe decides when to go on: another step would fail in the same way.
            step.replies = vec![LogReply::Health(Err(self.enter_degraded(now, &error)))];
        }
        step
    }

    fn begin_round(&mut self, now: Now) {
        let maintenance = &mut self.maintenance;
        maintenance.round_at = now.tick.after(ROUND_EVERY);
        maintenance.has_old_cids = true;
        if self.policies.is_some() {
            maintenance.walk.begin(now.tick);
        }
        // Their ages are read from the file room by room, in later steps.
        let may_age = |room: &&Room| {
            room.retention.age.is_some() && room.counters.oldest <= room.counters.head
        };
        // Anew each time, so that a room whose age was passed over while the clock was not trusted
        // is looked at again.
        maintenance.may_age = self.rooms.iter().filter(may_age).map(|room| room.log).collect();
    }

    fn try_step(&mut self, now: Now, is_calm: bool, step: &mut Step) -> rusqlite::Result<()> {
        step.has_more = self.checkpoint_wal(now, is_calm)?;
        for _ in TASKS {
            let turn = self.maintenance.turn;
            // Moved on before the task runs: one that fails each time must not keep the others from
            // their turn.
            self.maintenance.turn = (turn + 1) % TASKS.len();
            let Some(task) = TASKS.get(turn) else { continue };
            if task(self, now, step)? {
                step.has_more = true;
                break;
            }
        }
        Ok(())
    }

    /// Runs a transaction that is not synced.
    pub(super) fn unsynced<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.db.check_lengths()?;
        self.db.set_level(Level::Os)?;
        self.begin()?;
        let done = work(&self.db)?;
        self.end()?;
        Ok(done)
    }

    /// Prunes rooms that are far over their limits, two records for each that was `stored` in the
    /// last batch: a limit that yields to senders for good would be none.
    pub(in crate::store::sqlite) fn keep_up(&mut self, now: Now, stored: u64) -> Step {
        let mut step = Step::default();
        if self.is_suspended() {
            return step;
        }
        if let Err(error) = self.book_along(now, stored, &mut step)
            && !is_busy(&error)
        {
            let health = self.enter_degraded(now, &error);
            step.replies.push(LogReply::Health(Err(health)));
        }
        let mut pruned = 0;
        while pruned < stored * 2
            && !self.is_suspended()
            && let Some(log) = self.maintenance.far_over_limit.first().copied()
        {
            if let Err(error) = self.prune_room(log, now, &mut step) {
                if !is_busy(&error) {
                    let health = self.enter_degraded(now, &error);
                    step.replies.push(LogReply::Health(Err(health)));
                }
                break;
            }
            if step.pruned == 0 {
                // Its bytes are those of few records, or it is gone.
                self.maintenance.far_over_limit.remove(&log);
            }
            pruned += step.pruned;
        }
        step.pruned = pruned;
        step
    }

    fn prune(&mut self, now: Now, step: &mut Step) -> rusqlite::Result<bool> {
        let Some(log) = self.maintenance.over_limit.first().copied() else { return Ok(false) };
        self.prune_room(log, now, step)?;
        Ok(true)
    }

    fn prune_room(&mut self, log: LogId, now: Now, step: &mut Step) -> rusqlite::Result<()> {
        step.pruned = 0;
        let Some(room) = find(&mut self.rooms, log) else {
            self.maintenance.over_limit.remove(&log);
            return Ok(());
        };
        let (id, counters, retention) = (room.id, room.counters, room.retention);
        let now = self.for_ages(now);
        let cids = self.tail()?.secret();
        let pruned = self.unsynced(|db| prune((db, &cids), id, (counters, retention), now))?;
        if let Some(room) = find(&mut self.rooms, log) {
            room.counters = pruned.counters;
            self.maintenance.note_records(room);
        }
        if !pruned.has_more {
            self.maintenance.over_limit.remove(&log);
        }
        step.pruned = pruned.records;
        let oldest = pruned.counters.oldest;
        // Told even if the transaction could still be undone by a power loss: then the records are
        // pruned again, and nobody is shown one that was told as gone.
        if oldest != counters.oldest {
            step.replies.push(LogReply::Pruned { log, oldest });
        }
        Ok(())
    }

    fn fill_index(&mut self, now: Now, _: &mut Step) -> rusqlite::Result<bool> {
        // On a full disk the space is needed by the tasks that free some.
        if self.degraded.is_some() || !self.maintenance.is_filling(now) {
            return Ok(false);
        }
        if !self.unsynced(|db| index::fill(db, STEP_WORDS))? {
            self.maintenance.unindexed = 0;
            self.maintenance.unindexed_since = None;
        }
        Ok(true)
    }

    /// Removes records of a room that was removed.
    fn remove_orphans(&mut self, _: Now, step: &mut Step) -> rusqlite::Result<bool> {
        if !std::mem::take(&mut self.maintenance.has_orphans) {
            return Ok(false);
        }
        let Some(room) = room_meta::first_removed(&self.db)? else { return Ok(false) };
        self.maintenance.has_orphans = true;
        let cids = self.tail()?.secret();
        let removed = self.unsynced(|db| {
            // Nobody says anything in this room again.
            let removed = remove_first((db, &cids), room, u64::MAX, |_| true)?;
            // Fewer than a step may remove were the last ones.
            if removed < STEP_RECORDS {
                room_meta::forget_removed(db, room)?;
            }
            Ok(removed)
        })?;
        step.pruned = u64::try_from(removed).unwrap_or(u64::MAX);
        Ok(true)
    }

    /// Finds rooms whose oldest record is too old.
    fn find_aged(&mut self, now: Now, _: &mut Step) -> rusqlite::Result<bool> {
        let (mut has_rooms, now) = (false, self.for_ages(now));
        for _ in 0..STEP_ROOMS {
            let Some(log) = self.maintenance.may_age.pop() else { break };
            has_rooms = true;
            let Some(room) = self.room(log) else { continue };
            let sql = "SELECT at FROM record WHERE room = ?1 ORDER BY seq LIMIT 1";
            let at = self.db.prepare_cached(sql)?.query_one([room.id], |row| row.get(0));
            if at.optional()?.is_some_and(|at| is_old(room.retention, unsigned(at), now)) {
                self.maintenance.note_over_limit(log);
            }
        }
        Ok(has_rooms)
    }
}

/// What pruning has done.
struct Pruned {
    counters: RoomCounters,
    records: u64,
    has_more: bool,
}

/// Removes the oldest records of a room, as many as one step may and the retention wants.
fn prune(
    (db, cids): (&Connection, &CidSecret),
    room: i64,
    (mut counters, retention): (RoomCounters, Retention),
    now: Now,
) -> rusqlite::Result<Pruned> {
    let before = counters;
    // From the oldest on and without a hole: what is kept of a log is always its end.
    let removed = remove_first((db, cids), room, now.wall_ms, |record| {
        // A failure may have left records below the oldest: the counters do not count them.
        if record.seq < counters.oldest {
            return true;
        }
        let count = (counters.head + 1).saturating_sub(record.seq);
        let is_over = retention.records.is_some_and(|max| count > max)
            || retention.bytes.is_some_and(|max| counters.bytes > max)
            || is_old(retention, record.at, now);
        if is_over {
            counters.oldest = record.seq + 1;
            counters.bytes = counters.bytes.saturating_sub(record.bytes);
        }
        is_over
    })?;
    if counters != before {
        edits::prune(db, room, counters.oldest, &mut counters)?;
        counters.write(db, room)?;
    }
    let records = u64::try_from(removed).unwrap_or(u64::MAX);
    Ok(Pruned { counters, records, has_more: removed == STEP_RECORDS })
}

/// Removes the first records of a room, no more than a step may, for as long as `is_due` says so of
/// them and their bytes of text and data: how many.
fn remove_first(
    (db, cids): (&Connection, &CidSecret),
    room: i64,
    now_ms: u64,
    mut is_due: impl FnMut(&OldRecord) -> bool,
) -> rusqlite::Result<usize> {
    let sql = format!(
        "SELECT {COLUMNS}, id, ifnull(octet_length(text), 0) + ifnull(octet_length(data), 0) \
         AS bytes FROM record WHERE room = ?1 ORDER BY seq LIMIT ?2"
    );
    let limit = i64::try_from(STEP_RECORDS).unwrap_or(i64::MAX);
    // Collected before the first is removed: a row must not vanish under the statement that reads
    // it.
    let mut due: Vec<(i64, Result<Record, RowFault>)> = Vec::new();
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([room, limit])?;
    while let Some(row) = rows.next()? {
        let [seq, at, bytes] = ["seq", "at", "bytes"].map(|column| row.get(column).map(unsigned));
        if !is_due(&OldRecord { seq: seq?, at: at?, bytes: bytes? }) {
            break;
        }
        due.push((row.get("id")?, record_row::decode(row)));
    }
    for (id, record) in &due {
        match record {
            Ok(record) => {
                cids.keep_apart(db, (room, *id), record, now_ms)?;
                index::remove(db, (*id, room), record.body.text())?;
            }
            // Its words are not those that are in the index.
            Err(_) => index::discard(db)?,
        }
        db.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute([id])?;
    }
    Ok(due.len())
}

/// What decides whether a record is removed.
struct OldRecord {
    seq: u64,
    at: u64,
    bytes: u64,
}

pub(super) fn is_old(retention: Retention, at: u64, now: Now) -> bool {
    retention.age.is_some_and(|age| at.saturating_add(millis(age)) < now.wall_ms)
}
