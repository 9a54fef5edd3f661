//! What happens after a failed write, and how service returns.
//!
//! After a failed commit the connection is not trusted: nobody knows which of its bytes the disk
//! has. What the transaction has left after the end of the WAL is invisible, and must stay so: a
//! commit that was refused must not appear later. So the file is opened again while the old
//! connection still has the index of the WAL, everything that is committed is moved out of the WAL
//! and synced, and the WAL is truncated. Records are accepted again only when that has worked, the
//! heads are those that were told, what was written last is whole, and a commit has reached the
//! disk. The whole file is checked afterwards, in the background.

use std::time::Duration;

use rusqlite::wal::CheckpointMode;
use rusqlite::{ErrorCode, OptionalExtension as _, ffi};

use super::super::append::without_writing;
use super::super::connection::{Level, is_busy};
use super::super::disk_reserve::{RESERVE_BYTES, is_no_space};
use super::super::files::FileChange;
use super::super::heads;
use super::super::integers::{signed, unsigned};
use super::super::integrity::check_latest;
use super::super::log_fault::{classify, damaged, describe};
use super::super::meta_table::{self, PROBE, REPAIRED};
use super::super::room_row::RoomCounters;
use super::super::unwritten_meta::UnwrittenMeta;
use super::super::write_op::{Append, Op, Unanswered};
use super::{Engine, Room};
use crate::chat::model::file_rows::FileOutcome;
use crate::chat::model::log::{Appended, LogFault, LogReply, Ticket};
use crate::chat::model::record::Body;
use crate::time::Tick;
use crate::time::clock::Now;

/// From one attempt to write to the next: service returns within a second or two, and a broken disk
/// is not flooded with attempts.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Records cannot be written.
#[derive(Debug)]
pub(super) struct Degraded {
    fault: LogFault,
    since: Tick,
    /// When to try again.
    probe_at: Tick,
    /// The disk is full and the reserve is released: what frees space is done.
    frees_space: bool,
}

impl Degraded {
    fn new(now: Now, since: Tick, fault: LogFault) -> Self {
        let probe_at = match fault {
            // Damage does not go away.
            LogFault::Corrupt => Tick::MAX,
            LogFault::Busy
            | LogFault::Full
            | LogFault::Broken
            | LogFault::TooDear
            | LogFault::Taken => now.tick.after(PROBE_EVERY),
        };
        Self { fault, since, probe_at, frees_space: false }
    }
}

impl Engine {
    /// Why records cannot be written, if they cannot.
    pub(in crate::store::sqlite) fn fault(&self) -> Option<LogFault> {
        self.degraded.as_ref().map(|degraded| degraded.fault)
    }

    /// Whether nothing at all is written.
    pub(in crate::store::sqlite) fn is_suspended(&self) -> bool {
        self.degraded.as_ref().is_some_and(|degraded| !degraded.frees_space)
    }

    /// When [`Engine::probe`] has something to do.
    pub(in crate::store::sqlite) fn probe_at(&self) -> Option<Tick> {
        self.degraded.as_ref().map(|degraded| degraded.probe_at)
    }

    /// Does of a batch what frees space, if that is possible, and refuses everything else that has
    /// to be answered, except for what is known already.
    pub(super) fn commit_degraded(
        &mut self,
        now: Now,
        ops: Vec<Op>,
        fault: LogFault,
    ) -> Vec<LogReply> {
        let is_suspended = self.is_suspended();
        let is_refused = |op: &Op| match op {
            Op::Append(append) => {
                is_suspended || !matches!(append.draft.body, Body::Deletion { .. })
            }
            Op::Sync(..) | Op::People(..) => is_suspended,
            // What is swept are rows, and then the bytes of files, which is more.
            Op::File(change, _) => is_suspended || !matches!(**change, FileChange::Sweep { .. }),
            Op::Open(..)
            | Op::PutMeta(..)
            | Op::Notice(_)
            | Op::Outbox(_)
            | Op::Drop(_)
            | Op::Close(_) => false,
        };
        let (refused, ops): (Vec<_>, Vec<_>) = ops.into_iter().partition(is_refused);
        let mut replies: Vec<_> =
            refused.into_iter().filter_map(|op| self.refuse(op, fault)).collect();
        if is_suspended {
            self.queue_meta(ops);
        } else {
            replies.extend(self.commit_all(now, ops));
        }
        replies
    }

    /// Refuses a batch that has failed, except for what is known already if the disk is merely
    /// full: what it had found in records of before, and what is asked of them by those `late` ones
    /// that it had not come to.
    pub(super) fn refuse_all(
        &mut self,
        unanswered: Vec<Unanswered>,
        (mut known, late): (Vec<(Ticket, Appended)>, Vec<Op>),
        fault: LogFault,
    ) -> Vec<LogReply> {
        if fault == LogFault::Full {
            let found = late.into_iter().filter_map(|op| self.refuse(op, fault));
            known.extend(found.filter_map(|reply| match reply {
                LogReply::Appended { outcome: Appended::Refused(_), .. } => None,
                LogReply::Appended { ticket, outcome } => Some((ticket, outcome)),
                _ => None,
            }));
        } else {
            known.clear();
        }
        // Both are in the order in which they were asked for.
        let mut known = known.into_iter().peekable();
        let answer = |unanswered: Unanswered| {
            let is_known = |(ticket, _): &(Ticket, Appended)| *ticket == unanswered.ticket();
            known.next_if(is_known).map_or_else(
                || unanswered.refused(fault),
                |(ticket, outcome)| LogReply::Appended { ticket, outcome },
            )
        };
        unanswered.into_iter().map(answer).collect()
    }

    /// The answer to a request that is not done.
    fn refuse(&mut self, op: Op, fault: LogFault) -> Option<LogReply> {
        // Otherwise who waits is told by the end of the channel.
        if let Op::File(_, requester) = &op
            && fault == LogFault::Full
        {
            _ = requester.try_send(FileOutcome::NoSpace);
        }
        let unanswered = Unanswered::of(&op)?;
        match op {
            // A disk that is merely full has all that it was told to keep. After any other fault
            // what is read may be what the disk has lost.
            Op::Append(append) if fault == LogFault::Full => {
                let ticket = append.ticket;
                let known = self.answer_known(append).ok().flatten();
                let known = known.map(|outcome| LogReply::Appended { ticket, outcome });
                known.or_else(|| Some(unanswered.refused(fault)))
            }
            _ => Some(unanswered.refused(fault)),
        }
    }

    /// The answer to a record for which nothing has to be written.
    fn answer_known(&mut self, append: Append) -> rusqlite::Result<Option<Appended>> {
        let Some(room) = self.room(append.log).map(|room| room.id) else { return Ok(None) };
        // Otherwise what was refused could be found in the transaction that has failed.
        if !self.db.is_autocommit() {
            return Ok(None);
        }
        self.tail()?;
        let Some(tail) = &self.tail else { return Ok(None) };
        without_writing((&self.db, tail), room, append.draft)
    }

    /// A write has failed: from now on appends are refused.
    pub(in crate::store::sqlite) fn enter_degraded(
        &mut self,
        now: Now,
        error: &rusqlite::Error,
    ) -> LogFault {
        let fault = self.fault_of(error);
        self.log_failure(now, fault, error);
        // A failure while already degraded continues the same outage.
        let since = self.degraded.take().map_or(now.tick, |degraded| degraded.since);
        self.degraded = Some(Degraded::new(now, since, fault));
        // Ends the transaction; the connection is not trusted to have done so.
        _ = self.db.execute_batch("ROLLBACK");
        if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
            self.overwrite_wal_tail();
        }
        if is_moved(error) {
            // A WAL that was removed is lost with the process: the file may still have its name.
            _ = self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
        }
        fault
    }

    /// Which fault an error stands for. Where SQLite does not say why a file could not be made,
    /// written or synced, the file system is asked. If it has no space, the reserve is released.
    fn fault_of(&mut self, error: &rusqlite::Error) -> LogFault {
        let mut fault = classify(error);
        let code = error.sqlite_error_code();
        let is_vague = matches!(code, Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen));
        // A damaged file is damaged whatever the file system says.
        if is_vague
            && fault != LogFault::Corrupt
            && let Some(refusal) = self.reserve.probe()
        {
            fault = if is_no_space(&refusal) { LogFault::Full } else { LogFault::Broken };
        }
        if fault == LogFault::Full {
            self.reserve.release();
        }
        fault
    }

    /// Overwrites what an unsynced transaction has left after the end of the WAL: a process that
    /// opens the file after a kill would find it complete. This commit is not synced: only the
    /// kernel has to have it.
    fn overwrite_wal_tail(&mut self) {
        let written = self.db.set_level(Level::Os).and_then(|()| self.db.execute_batch(PROBE));
        if written.is_err() {
            _ = self.db.execute_batch("ROLLBACK");
        }
    }

    fn log_failure(&mut self, now: Now, fault: LogFault, error: &rusqlite::Error) {
        let Some(suppressed) = self.lines.admit(now.tick) else { return };
        let file = self.db.path().display().to_string();
        if fault == LogFault::Corrupt {
            log::error!(
                file, suppressed, error:% = error;
                "the store's file is damaged: nothing is written to it any more; stop the server, keep the \
                 file, see `chinwag verify`, and restore a backup with `chinwag restore`"
            );
        } else {
            let what = describe(fault);
            log::error!(
                file, what, suppressed, error:% = error;
                "the store fails: what cannot be stored is refused"
            );
        }
    }

    /// Tries to write, if it is time to: what has changed.
    pub(in crate::store::sqlite) fn probe(&mut self, now: Now) -> Vec<LogReply> {
        let Some(Degraded { fault: before, since, frees_space, .. }) =
            self.degraded.take_if(|degraded| now.tick >= degraded.probe_at)
        else {
            return Vec::new();
        };
        // With the reserve released the connection works: only the space has to be checked again.
        let written =
            if frees_space { self.write_all().map(|()| Vec::new()) } else { self.recover(before) };
        let (mut replies, degraded) = match written {
            Ok(replies) if self.has_space() => {
                // The probe has read little of the file; what else the fault may have spoilt is
                // looked for while service goes on.
                self.schedule_check(now.tick);
                let seconds = now.tick.since(since).as_secs();
                if let Some(suppressed) = self.lines.admit(now.tick) {
                    log::info!(seconds, suppressed; "the store works again");
                }
                return replies.into_iter().chain([LogReply::Health(Ok(()))]).collect();
            }
            Ok(replies) => {
                let degraded = Degraded::new(now, since, LogFault::Full);
                (replies, Degraded { frees_space: true, ..degraded })
            }
            Err(error) => {
                let fault = self.fault_of(&error);
                if fault != before {
                    self.log_failure(now, fault, &error);
                }
                _ = self.db.execute_batch("ROLLBACK");
                (Vec::new(), Degraded::new(now, since, fault))
            }
        };
        if degraded.fault != before {
            replies.push(LogReply::Health(Err(degraded.fault)));
        }
        self.degraded = Some(degraded);
        replies
    }

    /// Whether there is space for everything: on the disk for the reserve, or as much within the
    /// file.
    fn has_space(&mut self) -> bool {
        let pragma = |name| self.db.pragma_query_value(None, name, |row| row.get(0));
        let free = match (pragma("freelist_count"), pragma("page_size")) {
            (Ok(pages), Ok(len)) => unsigned(pages).saturating_mul(unsigned(len)),
            _ => 0,
        };
        self.reserve.acquire().is_ok() || free >= RESERVE_BYTES
    }

    /// Opens the file again after this failure, checks it, and writes to it.
    pub(super) fn recover(&mut self, before: LogFault) -> rusqlite::Result<Vec<LogReply>> {
        if !self.db.is_autocommit() {
            self.db.execute_batch("ROLLBACK")?;
        }
        // First: a file that was removed is there for as long as somebody has it open.
        self.db.check_names()?;
        if self.db.has_lost_index() {
            // The reader's connection keeps the lost one open as well.
            *self.reader.hold() = None;
            *self.reader.hold_outbox() = None;
            self.db.reopen_with_new_index()?;
        }
        self.db.check_place()?;
        self.db.reopen()?;
        self.commands.reconnected();
        // Before anything is written: a new commit must not make an old, refused one visible.
        self.clear_wal(before)?;
        heads::book(&self.db)?;
        // Records that were known may be lost, and with them their `cid`s.
        self.tail = None;
        let replies = self.repair_heads()?;
        // A write that was acknowledged by the disk and did not arrive shows in the pages that were
        // written last.
        check_latest(&self.db)?;
        self.write_all()?;
        Ok(replies)
    }

    /// Sees to it that what a refused transaction has left after the end of the WAL is never taken
    /// for a part of it. Where the disk was merely full, what is committed there is whole, and the
    /// next commit is written over the rest: a reader who keeps the WAL from being truncated need
    /// not be waited for.
    fn clear_wal(&self, before: LogFault) -> rusqlite::Result<()> {
        match self.truncate_wal() {
            Err(error) if is_busy(&error) && before == LogFault::Full => {
                self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE).map(drop)
            }
            outcome => outcome,
        }
    }

    /// Moves everything that is committed into the file, and truncates the WAL.
    pub(super) fn truncate_wal(&self) -> rusqlite::Result<()> {
        self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE).map(drop)
    }

    /// Writes all unwritten metadata, and a number that changes each time, so that the disk is
    /// asked in any case.
    pub(super) fn write_all(&mut self) -> rusqlite::Result<()> {
        self.db.check_lengths()?;
        self.db.set_level(Level::Disk)?;
        self.begin()?;
        self.unwritten.write(&self.db)?;
        self.maintenance.note_meta();
        self.db.execute_batch(PROBE)?;
        self.end()?;
        self.unwritten = UnwrittenMeta::default();
        self.is_unsynced = false;
        Ok(())
    }

    /// Compares the heads in the file with those that were told. Records above are removed: nobody
    /// has seen them. Missing ones, which only rooms of level `os` can have, are told as pruned,
    /// and their seqs are not used again.
    fn repair_heads(&mut self) -> rusqlite::Result<Vec<LogReply>> {
        let logs: Vec<_> = self.rooms.iter().map(|room| room.log).collect();
        let mut replies = Vec::new();
        for log in logs {
            let Some(room) = super::find(&mut self.rooms, log) else { continue };
            let sql = "SELECT head FROM room WHERE id = ?1";
            let head = self.db.prepare_cached(sql)?.query_one([room.id], |row| row.get(0));
            let Some(head) = head.optional()?.map(unsigned) else {
                // A room that was never written has nothing to be compared with.
                if self.unwritten.has_room(log) {
                    continue;
                }
                return Err(damaged(format!("room {} is missing", room.id)));
            };
            if head != room.counters.head {
                replies.extend(repair_head(&self.db, room, head)?);
                self.maintenance.note_over_limit(log);
            }
        }
        Ok(replies)
    }
}

/// Whether the file was moved or removed while it is in use.
fn is_moved(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_DBMOVED)
}

/// Makes the file's room what was told of it.
fn repair_head(
    db: &rusqlite::Connection,
    room: &mut Room,
    found: u64,
) -> rusqlite::Result<Option<LogReply>> {
    let told = room.counters.head;
    log::error!(room = room.id, told, found; "the head of a stored room is not the one that was told");
    let is_lost = found < told;
    if is_lost {
        // The seqs up to the head that was told are never given again: the room goes on above it.
        room.counters = RoomCounters { oldest: told + 1, bytes: 0, ..room.counters };
        meta_table::put(db, REPAIRED, 1)?;
    }
    let oldest = room.counters.oldest;
    // Together, or a failure in between would leave a head without its records.
    db.execute_batch("SAVEPOINT repair")?;
    db.execute("DELETE FROM record WHERE room = ?1 AND seq > ?2", [room.id, signed(told)])?;
    db.execute("DELETE FROM sent WHERE room = ?1 AND seq > ?2", [room.id, signed(told)])?;
    room.counters.write(db, room.id)?;
    db.execute_batch("RELEASE repair")?;
    Ok(is_lost.then_some(LogReply::Pruned { log: room.log, oldest }))
}
