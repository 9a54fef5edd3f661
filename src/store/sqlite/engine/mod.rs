//! What the writer does with the file: batches in, replies out. It knows no thread and no clock.
//!
//! ```text
//!      ┌────────────── a commit fails ──────────────┐
//!      │                                            ▼
//!   healthy ── batch: metadata, records, commit    Degraded: appends are refused, metadata waits
//!      ▲                                            │
//!      └── file reopened, checked, written ── a probe each second
//! ```

mod booking;
mod check_schedule;
mod clock;
mod commands;
mod maintenance;
mod overdue;
mod recovery;
#[cfg(test)]
mod tests;
mod transaction;
mod wal;
mod walk;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::clock::Shifts;
use self::maintenance::Maintenance;
use self::recovery::Degraded;
use self::transaction::Transaction;
use super::append::{Statements, append};
use super::commands::{CommandWatch, Progress};
use super::connection::{Level, WriteConnection, is_busy};
use super::disk_reserve::DiskReserve;
use super::files;
use super::heads;
use super::integers::unsigned;
use super::integrity::store_checksum;
use super::load_rooms::has_many;
use super::meta_table::{self, CLEAN, PROBE};
use super::people;
use super::room_row::{RoomCounters, RoomRow};
use super::shared_outbox::Outbox;
use super::shared_reader::SharedReader;
use super::tail::Tail;
use super::unwritten_meta::{UnwrittenMeta, UnwrittenRow};
use super::write_op::{Append, Op, Opening, Unanswered};
use crate::chat::model::file_rows::FileOutcome;
use crate::chat::model::log::{Appended, LogFault, LogId, LogReply};
use crate::chat::model::policy::{Policies, Retention};
use crate::chat::model::reply::Durability;
use crate::collections::Slots;
use crate::log::Throttle;
use crate::time::Tick;
use crate::time::clock::Now;
use crate::time::wall_watch::WallWatch;

/// Lines about failures that may be logged at once, and the time from one to the next after that: a
/// disk that fails for a day must not fill another one with lines.
const LINES_AT_ONCE: u32 = 6;
const LINE_EVERY: Duration = Duration::from_mins(1);

/// Writes batches.
///
/// Invariants:
/// - The counters of a room are those that the domain was told: a failed batch leaves them as they
///   were.
/// - The rooms and metadata that were asked for are in the file or in `unwritten`.
#[derive(Debug)]
pub(super) struct Engine {
    db: WriteConnection,
    /// By the slots of their logs.
    rooms: Slots<Room>,
    unwritten: UnwrittenMeta,
    /// `None` until a record is appended, and while the file is not trusted.
    tail: Option<Tail>,
    /// `cid`s that are to be booked at the pace of the senders.
    bookings_due: usize,
    reserve: DiskReserve,
    /// Set while records cannot be written.
    degraded: Option<Degraded>,
    /// There are commits that the disk may not have.
    is_unsynced: bool,
    maintenance: Maintenance,
    /// When the whole file is to be checked; [`Tick::MAX`] if it need not be.
    check_at: Tick,
    /// Lines about failures.
    lines: Throttle,
    /// The connection that reads, which is asked to make room now and then.
    reader: SharedReader,
    /// How often a lock of another process was waited for, since that was last asked for.
    lock_waits: u64,
    /// The WAL may begin anew with the next transaction, which then brings the number of the file
    /// along: the WAL of another file is told by it.
    begins_wal: bool,
    /// Records that were stored, and batches, since the WAL was measured.
    unmeasured: u64,
    /// Whether the wall clock can be believed.
    wall: WallWatch,
    shifts: Shifts,
    /// For how long rooms are kept that are not open.
    policies: Option<Policies>,
    /// Changes by other processes, and how far the loop is with them.
    commands: CommandWatch,
    progress: Arc<Progress>,
    /// What the webhooks are told of, if there may be any.
    outbox: Option<Arc<Outbox>>,
}

/// An open log.
#[derive(Debug)]
struct Room {
    log: LogId,
    id: i64,
    durability: Durability,
    retention: Retention,
    counters: RoomCounters,
}

impl Engine {
    /// An engine on a file that is open and has the last version of the schema.
    pub(super) fn new(db: WriteConnection, reserve: DiskReserve, now: Now) -> Self {
        let sql = "SELECT at FROM record ORDER BY id DESC LIMIT 1";
        let latest = db.query_row(sql, [], |row| row.get::<_, i64>(0)).ok().map(unsigned);
        Self {
            wall: WallWatch::new(now, meta_table::clock(&db).unwrap_or_default(), latest),
            shifts: Shifts::default(),
            db,
            rooms: Slots::new(),
            unwritten: UnwrittenMeta::default(),
            tail: None,
            bookings_due: 0,
            reserve,
            degraded: None,
            is_unsynced: false,
            maintenance: Maintenance::default(),
            check_at: Tick::MAX,
            lines: Throttle::new(LINES_AT_ONCE, LINE_EVERY),
            reader: SharedReader::default(),
            lock_waits: 0,
            begins_wal: true,
            policies: None,
            commands: CommandWatch::default(),
            progress: Arc::default(),
            outbox: None,
            unmeasured: 0,
        }
    }

    /// Has the webhooks told of commits.
    pub(super) fn share_outbox(&mut self, outbox: Arc<Outbox>) {
        self.outbox = Some(outbox);
    }

    /// For how long the records of rooms are kept, also of those that are not open.
    pub(super) fn retain(&mut self, policies: Policies) {
        self.policies = Some(policies).filter(Policies::forget);
    }

    /// The connection that reads beside this one.
    pub(super) fn share_reader(&mut self, reader: SharedReader) {
        self.reader = reader;
    }

    /// How often a lock of another process was waited for, since the last call.
    pub(super) const fn take_lock_waits(&mut self) -> u64 {
        std::mem::replace(&mut self.lock_waits, 0)
    }

    /// Begins a transaction that writes, as [`WriteConnection::begin`] does, and says so if another
    /// process keeps it waiting. The caller has looked at the lengths of the files.
    fn begin(&mut self) -> rusqlite::Result<()> {
        let Self { db, lock_waits, .. } = self;
        db.begin(|attempt| {
            *lock_waits += 1;
            if attempt == 1 {
                let file = db.path().display().to_string();
                log::warn!(file; "another process has locked the file: what is sent waits for it");
            }
        })?;
        self.shift_terms()?;
        if std::mem::take(&mut self.begins_wal) {
            self.db.execute_batch(PROBE)?;
        }
        Ok(())
    }

    /// Commits it.
    fn end(&mut self) -> rusqlite::Result<()> {
        self.db.commit()?;
        self.note_shifted();
        Ok(())
    }

    /// Whether there is metadata that waits for the next batch.
    pub(super) fn has_unwritten_meta(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Whether there are commits that the disk may not have: those of rooms of level [`Level::Os`].
    pub(super) const fn has_unsynced(&self) -> bool {
        self.is_unsynced
    }

    /// Does what is asked, in order, in one transaction, with all unwritten metadata. All appends
    /// must be of one level.
    ///
    /// The replies are true when this returns, whatever happens to the machine, as far as the level
    /// goes. If the transaction fails, no append of it has happened, and its rooms and metadata are
    /// unwritten.
    pub(super) fn commit(&mut self, now: Now, ops: Vec<Op>) -> Vec<LogReply> {
        match self.fault() {
            Some(fault) => self.commit_degraded(now, ops, fault),
            None => self.commit_all(now, ops),
        }
    }

    fn commit_all(&mut self, now: Now, ops: Vec<Op>) -> Vec<LogReply> {
        // The requests are consumed on the way: this says who is to be answered if the commit
        // fails.
        let unanswered: Vec<_> = ops.iter().filter_map(Unanswered::of).collect();
        let mut ops = VecDeque::from(ops);
        let has_records =
            ops.iter().any(|op| matches!(op, Op::Append(_) | Op::People(..) | Op::File(..)));
        let level = ops.iter().filter_map(Op::level).max().unwrap_or(Level::Os);
        if !has_records {
            // Metadata that cancels out, such as a room that was opened and dropped, needs no
            // commit.
            self.queue_meta(std::mem::take(&mut ops));
            if self.unwritten.is_empty() {
                return unanswered.into_iter().filter_map(Unanswered::synced).collect();
            }
        }
        // Metadata goes along in the same commit, and may need more than the records do.
        let level = level.max(self.meta_level(&ops));
        // From the start: what fails before it has begun takes nothing of the tail back.
        let last = self.tail.as_ref().map_or(0, Tail::last);
        let mut transaction = Transaction { last, ..Transaction::default() };
        match self.transact(level, &mut transaction, &mut ops) {
            Ok(()) => {
                // A synced commit syncs the WAL, and with it all earlier commits.
                self.is_unsynced = level == Level::Os;
                let last = self.tail.as_ref().map_or(transaction.last, Tail::last);
                let stored = unsigned(last - transaction.last);
                self.maintenance.note_stored(stored, now);
                for log in transaction.before.keys() {
                    if let Some(room) = find(&mut self.rooms, *log) {
                        let id = room.id;
                        self.maintenance.note_records(room);
                        self.note_in_tail((*log, id), now);
                    }
                }
                files::tell(transaction.files);
                transaction.replies.extend(unanswered.into_iter().filter_map(Unanswered::synced));
                if let Some(outbox) = &self.outbox {
                    outbox.note_news();
                }
                transaction.replies
            }
            Err(error) => {
                let known = std::mem::take(&mut transaction.known);
                let files = std::mem::take(&mut transaction.files);
                self.undo(transaction);
                let is_late = |op: &Op| matches!(op, Op::Append(_) | Op::File(..));
                let (late, meta): (Vec<_>, Vec<_>) = ops.into_iter().partition(is_late);
                self.queue_meta(meta);
                // A lock is no failure of the disk: what was to be written is refused, and tried
                // again.
                let is_only_busy = is_busy(&error) && self.fault().is_none();
                let fault =
                    if is_only_busy { LogFault::Busy } else { self.enter_degraded(now, &error) };
                let health = (!is_only_busy).then_some(LogReply::Health(Err(fault)));
                if fault == LogFault::Full {
                    files::tell(files.into_iter().map(|(who, _)| (who, FileOutcome::NoSpace)));
                }
                let mut replies = self.refuse_all(unanswered, (known, late), fault);
                replies.extend(health);
                replies
            }
        }
    }

    /// Syncs earlier commits: what has changed, if that fails.
    pub(super) fn sync(&mut self, now: Now) -> Vec<LogReply> {
        match self.write_all() {
            Ok(()) => Vec::new(),
            // It is tried again, since it is still unsynced.
            Err(error) if is_busy(&error) => Vec::new(),
            Err(error) => vec![LogReply::Health(Err(self.enter_degraded(now, &error)))],
        }
    }

    /// Writes the unwritten metadata, empties the WAL, and marks the file as closed in good order;
    /// if that fails, the next start says so.
    pub(super) fn close(mut self, now: Now) {
        // Metadata may still wait for a disk that works again by now. A damaged file is not
        // touched.
        if let Some(fault) = self.fault()
            && (fault == LogFault::Corrupt || self.recover(fault).is_err())
        {
            return;
        }
        let closed = self.write_all().and_then(|()| {
            // The checkpoint syncs what this writes.
            self.db.pragma_update(None, "synchronous", "off")?;
            heads::book_all(&self.db)?;
            // Summing up many rooms would hold up the stop.
            if !has_many(&self.db)? {
                store_checksum(&self.db)?;
            }
            meta_table::put(&self.db, CLEAN, 1)?;
            meta_table::put_clock(&self.db, self.kept_clock(now))?;
            self.db.pragma_update(None, "synchronous", "full")?;
            self.truncate_wal()
        });
        if let Err(error) = closed {
            self.enter_degraded(now, &error);
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        self.db.path()
    }

    /// Where its WAL is.
    pub(super) fn wal_path(&self) -> &Path {
        self.db.wal_path()
    }

    /// The level at which the unwritten metadata, and that of `ops`, must be written.
    fn meta_level(&self, ops: &VecDeque<Op>) -> Level {
        let levels = ops.iter().map(|op| match op {
            Op::Open(_, opening) => Level::of(opening.durability),
            Op::PutMeta(log, _) => {
                // The room may be opened by an earlier request of the same batch.
                self.room(*log).map_or(Level::Disk, |room| Level::of(room.durability))
            }
            Op::Drop(_) => Level::Disk,
            Op::Append(_)
            | Op::Sync(..)
            | Op::People(..)
            | Op::File(..)
            | Op::Close(_)
            | Op::Notice(_)
            | Op::Outbox(_) => Level::Os,
        });
        levels.max().unwrap_or(Level::Os).max(self.unwritten.level())
    }

    fn transact(
        &mut self,
        level: Level,
        transaction: &mut Transaction,
        ops: &mut VecDeque<Op>,
    ) -> rusqlite::Result<()> {
        // Before the first write: into a file that was moved away it would succeed, and be lost.
        self.db.check_files()?;
        self.db.set_level(level)?;
        self.begin()?;
        // Inside of the transaction: a tail that is not at hand is read as of now.
        transaction.last = self.tail()?.last();
        while let Some(op) = ops.pop_front() {
            match op {
                Op::Append(first) => self.append_all(transaction, first, ops)?,
                Op::Sync(..) => {}
                Op::People(ticket, changes) => {
                    let outcome = people::write(&self.db, &changes)?;
                    transaction.replies.push(LogReply::Synced { ticket, outcome });
                }
                Op::File(change, answer) => {
                    let (outcome, failed) = match files::change(&self.db, &change) {
                        Ok(outcome) => (outcome, Ok(())),
                        Err(error) => (FileOutcome::NoSpace, Err(error)),
                    };
                    // Also of what has failed it is to be known who waits.
                    transaction.files.push((answer, outcome));
                    failed?;
                }
                meta => self.queue_meta([meta]),
            }
        }
        self.write_meta(transaction)?;
        self.end()
    }

    /// Appends the first record, and those that follow it in a row.
    fn append_all(
        &mut self,
        transaction: &mut Transaction,
        first: Append,
        ops: &mut VecDeque<Op>,
    ) -> rusqlite::Result<()> {
        // Metadata that was asked for before a record is written before it.
        self.write_meta(transaction)?;
        let Self { db, rooms, tail, .. } = self;
        let mut statements = Statements::prepare(db)?;
        let mut next = Some(Op::Append(first));
        while let Some(Op::Append(Append { log, ticket, wall_ms, draft, .. })) = next {
            let outcome = match (find(rooms, log), &mut *tail) {
                (Some(room), Some(tail)) => {
                    transaction.before.entry(log).or_insert(room.counters);
                    let parts = (&**db, &mut statements, tail);
                    append(parts, room.id, &mut room.counters, wall_ms, draft)?
                }
                _ => Appended::Refused(LogFault::Broken),
            };
            transaction.note_known(log, ticket, &outcome);
            transaction.replies.push(LogReply::Appended { ticket, outcome });
            next = ops.pop_front_if(|op| matches!(op, Op::Append(_)));
        }
        Ok(())
    }

    fn write_meta(&mut self, transaction: &mut Transaction) -> rusqlite::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        // It stays at hand until the commit: a transaction that fails has written none of it.
        let unwritten = std::mem::take(&mut self.unwritten);
        let written = unwritten.write(&self.db);
        self.maintenance.note_meta();
        let rooms = &self.rooms;
        transaction.written.add_later(unwritten, |log| is_open(rooms, log));
        written
    }

    /// Puts everything back as it was before the transaction, which has failed.
    fn undo(&mut self, transaction: Transaction) {
        self.begins_wal = true;
        for (log, before) in transaction.before {
            if let Some(room) = find(&mut self.rooms, log) {
                room.counters = before;
            }
        }
        if let Some(tail) = &mut self.tail {
            tail.undo(transaction.last);
        }
        let rooms = &self.rooms;
        self.unwritten.add_earlier(transaction.written, |log| is_open(rooms, log));
    }

    /// Notes rooms and metadata, to be written with the next batch. Other requests are passed over.
    pub(super) fn queue_meta(&mut self, ops: impl IntoIterator<Item = Op>) {
        for op in ops {
            match op {
                Op::Open(log, opening) => self.open(log, *opening),
                Op::PutMeta(log, meta) => {
                    if let Some(room) = find(&mut self.rooms, log) {
                        self.unwritten.put_meta(log, (room.id, room.durability), meta);
                    }
                }
                Op::Drop(log) => {
                    if let Some(room) = find(&mut self.rooms, log) {
                        self.unwritten.put_removed(log, room.id);
                        self.rooms.remove(log.slot());
                    }
                }
                // The file has all of it.
                Op::Close(log) => {
                    if self.room(log).is_some() {
                        self.rooms.remove(log.slot());
                    }
                }
                Op::Notice(notice) => self.unwritten.outbox.put_notice(*notice),
                Op::Outbox(update) => self.unwritten.outbox.put(update),
                Op::Append(_) | Op::Sync(..) | Op::People(..) | Op::File(..) => {}
            }
        }
    }

    fn open(&mut self, log: LogId, opening: Opening) {
        let Opening { name, epoch, durability, retention, row, is_stored } = opening;
        let RoomRow { id, counters, .. } = row;
        let room = Room { log, id, durability, retention, counters };
        self.maintenance.note_opened(&room);
        self.rooms.insert(log.slot(), room);
        if !is_stored || row.durability != durability || row.epoch != epoch {
            let name = (!is_stored).then_some(name);
            let row = RoomRow { epoch, durability, ..row };
            self.unwritten.put_room(log, UnwrittenRow { name, row });
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
