//! The engine of the writer: batches in, replies out. It knows no thread and no clock.
//!
//! ```text
//!           ┌────────────── a commit fails ─────────────┐
//!           │                                           ▼
//!        healthy ── batch: facts, records, commit    trouble: appends are refused, facts wait
//!           ▲                                           │
//!           └──── file reopened, looked at, written ┘  a probe each second
//! ```

mod chores;
mod recover;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use crate::chat::model::log::{Appended, LogFault, LogId, LogReply};
use crate::chat::model::policy::Retention;
use crate::chat::model::reply::Durability;
use crate::collections::Slots;
use crate::log::Throttle;
use crate::time::Tick;
use crate::time::clock::Now;

use self::chores::Chores;
use self::recover::Trouble;
use super::append::append;
use super::database::{Database, Level};
use super::load::seal;
use super::op::{Append, Op, Opening, RoomRow, Tail, Waiting};
use super::pending::{NewRow, Pending};
use super::reserve::Reserve;
use super::row::signed;

/// Lines about trouble that may be written at once, and from one to the next after that.
const LINES_AT_ONCE: u32 = 6;
const LINE_EVERY: Duration = Duration::from_mins(1);

/// Writes batches.
///
/// Invariants:
/// - The tail of a room is what the domain was told: a batch that fails leaves it as it was.
/// - What was asked of rooms and facts is in the file or in `pending`.
#[derive(Debug)]
pub(super) struct Engine {
    db: Database,
    /// By the slots of their logs.
    rooms: Slots<Room>,
    pending: Pending,
    reserve: Reserve,
    trouble: Option<Trouble>,
    /// There are commits that the disk may not have.
    unsynced: bool,
    chores: Chores,
    /// When the whole file is to be looked at; never if it need not be.
    look_at: Tick,
    /// Lines about trouble.
    lines: Throttle,
}

/// An open log.
#[derive(Debug)]
struct Room {
    log: LogId,
    id: i64,
    durability: Durability,
    retention: Retention,
    tail: Tail,
}

/// What a batch has done so far, and what undoes it.
#[derive(Default)]
struct Batch {
    replies: Vec<LogReply>,
    /// The tails as they were, of the rooms whose tails have moved.
    before: BTreeMap<LogId, Tail>,
    /// What was pending and is written in this transaction.
    written: Pending,
}

impl Engine {
    /// An engine on a file that is open and has the present schema, with the room that is kept back for it.
    pub(super) fn new(db: Database, reserve: Reserve) -> Self {
        let (rooms, pending) = (Slots::new(), Pending::default());
        Self {
            db,
            rooms,
            pending,
            reserve,
            trouble: None,
            unsynced: false,
            chores: Chores::default(),
            look_at: Tick::MAX,
            lines: Throttle::new(LINES_AT_ONCE, LINE_EVERY),
        }
    }

    /// Whether there is something to be written that was not asked to be at once.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether there are commits that the disk may not have: those of rooms of level [`Level::Os`].
    pub(super) const fn has_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Does what is asked, in order, in one transaction, with everything that is pending. All appends must be
    /// of one level.
    ///
    /// The replies are true when this returns, whatever happens to the machine, as far as the level goes. If
    /// the transaction fails, no append of it has happened, and what it held of rooms and facts is pending.
    pub(super) fn commit(&mut self, now: Now, ops: Vec<Op>) -> Vec<LogReply> {
        match self.fault() {
            Some(fault) => self.commit_in_trouble(now, ops, fault),
            None => self.commit_all(now, ops),
        }
    }

    fn commit_all(&mut self, now: Now, ops: Vec<Op>) -> Vec<LogReply> {
        let waiting: Vec<_> = ops.iter().filter_map(Waiting::of).collect();
        let mut ops = VecDeque::from(ops);
        let has_records = ops.iter().any(|op| matches!(op, Op::Append(_)));
        let mut level = ops.iter().filter_map(Op::level).max().unwrap_or(Level::Os);
        if !has_records {
            self.take_up_all(std::mem::take(&mut ops));
            if self.pending.is_empty() {
                return waiting.into_iter().filter_map(Waiting::done).collect();
            }
        }
        level = level.max(self.level_of_state(&ops));
        let mut batch = Batch::default();
        match self.transact(level, &mut batch, &mut ops) {
            Ok(()) => {
                self.unsynced = level == Level::Os;
                for log in batch.before.keys() {
                    if let Some(room) = find(&mut self.rooms, *log) {
                        self.chores.note_records(room);
                    }
                }
                batch.replies.extend(waiting.into_iter().filter_map(Waiting::done));
                batch.replies
            }
            Err(error) => {
                self.undo(batch);
                self.take_up_all(ops);
                let fault = self.begin_trouble(now, &error);
                let refused = waiting.into_iter().map(|who| who.refused(fault));
                refused.chain([LogReply::Health(Err(fault))]).collect()
            }
        }
    }

    /// Has the disk take what it may not have: what has changed, if that fails.
    pub(super) fn sync(&mut self, now: Now) -> Vec<LogReply> {
        match self.write_all() {
            Ok(()) => Vec::new(),
            Err(error) => vec![LogReply::Health(Err(self.begin_trouble(now, &error)))],
        }
    }

    /// Writes what is pending, empties the log, and marks the file as closed in good order; if that cannot be
    /// done, the next start says so.
    pub(super) fn close(mut self, now: Now) {
        if let Some(fault) = self.fault()
            && (fault == LogFault::Corrupt || self.recover().is_err())
        {
            return;
        }
        let closed = self.write_all().and_then(|()| {
            seal(&self.db)?;
            self.db.execute("UPDATE meta SET value = 1 WHERE key = 'clean'", [])?;
            self.empty_log()
        });
        if let Err(error) = closed {
            self.begin_trouble(now, &error);
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        self.db.path()
    }

    /// The level at which what is pending, and what these ask to be pending, must be written.
    fn level_of_state(&self, ops: &VecDeque<Op>) -> Level {
        let asked = ops.iter().map(|op| match op {
            Op::Open(_, opening) => Level::of(opening.durability),
            Op::PutMeta(log, _) => {
                // One that is opened in the same batch is not known yet.
                self.room(*log).map_or(Level::Disk, |room| Level::of(room.durability))
            }
            Op::Drop(_) => Level::Disk,
            Op::Append(_) | Op::Sync(..) => Level::Os,
        });
        asked.max().unwrap_or(Level::Os).max(self.pending.level())
    }

    fn transact(
        &mut self,
        level: Level,
        batch: &mut Batch,
        ops: &mut VecDeque<Op>,
    ) -> rusqlite::Result<()> {
        self.db.check_place()?;
        self.db.set_level(level)?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        while let Some(op) = ops.pop_front() {
            match op {
                Op::Append(append) => self.append(batch, append)?,
                Op::Sync(..) => {}
                state => self.take_up(state),
            }
        }
        self.write_pending(batch)?;
        self.write_tails(batch)?;
        self.db.execute_batch("COMMIT")
    }

    fn append(&mut self, batch: &mut Batch, append_op: Append) -> rusqlite::Result<()> {
        self.write_pending(batch)?;
        let Append { log, ticket, wall_ms, draft, .. } = append_op;
        let outcome = match find(&mut self.rooms, log) {
            None => Appended::Refused(LogFault::Broken),
            Some(room) => {
                batch.before.entry(log).or_insert(room.tail);
                append(&self.db, room.id, &mut room.tail, wall_ms, draft)?
            }
        };
        batch.replies.push(LogReply::Appended { ticket, outcome });
        Ok(())
    }

    fn write_pending(&mut self, batch: &mut Batch) -> rusqlite::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let written = pending.write(&self.db);
        let rooms = &self.rooms;
        batch.written.overwrite(pending, |log| is_open(rooms, log));
        written
    }

    fn write_tails(&self, batch: &Batch) -> rusqlite::Result<()> {
        let sql = "UPDATE room SET head = ?2, oldest = ?3, at = ?4, bytes = ?5 WHERE id = ?1";
        for (log, before) in &batch.before {
            let Some(room) = self.room(*log) else { continue };
            let Tail { head, oldest, at, bytes } = room.tail;
            if room.tail != *before {
                let row = [room.id, signed(head), signed(oldest), signed(at), signed(bytes)];
                self.db.prepare_cached(sql)?.execute(row)?;
            }
        }
        Ok(())
    }

    /// Puts everything back as it was before the transaction, which has failed.
    fn undo(&mut self, batch: Batch) {
        for (log, tail) in batch.before {
            if let Some(room) = find(&mut self.rooms, log) {
                room.tail = tail;
            }
        }
        let rooms = &self.rooms;
        self.pending.restore(batch.written, |log| is_open(rooms, log));
    }

    /// Takes up what is asked of rooms and facts, to be written at the next occasion.
    fn take_up(&mut self, op: Op) {
        match op {
            Op::Open(log, opening) => self.open(log, *opening),
            Op::PutMeta(log, meta) => {
                if let Some(room) = find(&mut self.rooms, log) {
                    self.pending.put_fact(log, (room.id, room.durability), meta);
                }
            }
            Op::Drop(log) => {
                if let Some(room) = find(&mut self.rooms, log) {
                    self.pending.put_gone(log, room.id);
                    self.rooms.remove(log.slot());
                }
            }
            Op::Append(_) | Op::Sync(..) => {}
        }
    }

    /// Takes up what is asked of rooms and facts, to be written with the next batch.
    pub(super) fn take_up_all(&mut self, ops: impl IntoIterator<Item = Op>) {
        for op in ops {
            self.take_up(op);
        }
    }

    fn open(&mut self, log: LogId, opening: Opening) {
        let Opening { name, durability, retention, row, stored } = opening;
        let RoomRow { id, tail, .. } = row;
        let room = Room { log, id, durability, retention, tail };
        // It may be allowed less than it was.
        self.chores.note_records(&room);
        self.rooms.insert(log.slot(), room);
        if !stored || row.durability != durability {
            let name = (!stored).then_some(name);
            self.pending.put_room(log, NewRow { name, row: RoomRow { durability, ..row } });
        }
    }

    fn room(&self, log: LogId) -> Option<&Room> {
        self.rooms.get(log.slot()).filter(|room| room.log == log)
    }
}

/// The room of this log, if it is open.
fn find(rooms: &mut Slots<Room>, log: LogId) -> Option<&mut Room> {
    rooms.get_mut(log.slot()).filter(|room| room.log == log)
}

fn is_open(rooms: &Slots<Room>, log: LogId) -> bool {
    rooms.get(log.slot()).is_some_and(|room| room.log == log)
}
