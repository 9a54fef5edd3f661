//! Trouble, and the way out of it.
//!
//! After a failed commit the handle is not trusted: nobody knows which of its bytes the disk has. What the
//! transaction has left behind the end of the log is invisible, and must stay so: a commit that was refused
//! must not come up later. So the file is opened anew while the old handle still holds the index of the log,
//! all that was committed is moved out of the log and synced, and the log is emptied. Only when that has
//! worked, the heads are those that were told, what was written last is whole, and a commit has reached the disk,
//! records are taken again. The rest of the file is looked at behind them.

use std::time::Duration;

use rusqlite::wal::CheckpointMode;
use rusqlite::{ErrorCode, OptionalExtension as _, ffi, params};

use crate::chat::model::log::{LogFault, LogReply};
use crate::chat::model::record::Body;
use crate::time::Tick;
use crate::time::clock::Now;

use super::super::database::Level;
use super::super::fault::{classify, damaged, words};
use super::super::op::{Op, Tail, Waiting, unsigned};
use super::super::reserve::{RESERVE_BYTES, is_no_room};
use super::super::row::signed;
use super::trust::check_latest;
use super::{Engine, Room};

/// From one attempt to write to the next.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Changes a number, so that there is something to be committed.
const PROBE: &str =
    "INSERT INTO meta VALUES ('probe', 1) ON CONFLICT DO UPDATE SET value = value + 1";

/// Records cannot be written.
#[derive(Debug)]
pub(super) struct Trouble {
    fault: LogFault,
    since: Tick,
    /// When to try again.
    probe_at: Tick,
    /// The disk is full and the reserve is given: what makes room is done.
    makes_room: bool,
}

impl Engine {
    /// Why records cannot be written, if they cannot.
    pub(in crate::store::disk) fn fault(&self) -> Option<LogFault> {
        self.trouble.as_ref().map(|trouble| trouble.fault)
    }

    /// Whether nothing at all is written.
    pub(in crate::store::disk) fn rests(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| !trouble.makes_room)
    }

    /// Does of a batch what makes room, if that can be done, and refuses all else that somebody waits for.
    pub(super) fn commit_in_trouble(
        &mut self,
        now: Now,
        ops: Vec<Op>,
        fault: LogFault,
    ) -> Vec<LogReply> {
        let rests = self.rests();
        let is_refused = |op: &Op| match op {
            Op::Append(append) => rests || !matches!(append.draft.body, Body::Deletion { .. }),
            Op::Sync(..) => rests,
            Op::Open(..) | Op::PutMeta(..) | Op::Drop(_) => false,
        };
        let (refused, ops): (Vec<_>, Vec<_>) = ops.into_iter().partition(is_refused);
        let refused = refused.iter().filter_map(Waiting::of).map(|who| who.refused(fault));
        let mut replies: Vec<_> = refused.collect();
        if rests {
            self.take_up_all(ops);
        } else {
            replies.extend(self.commit_all(now, ops));
        }
        replies
    }

    /// When [`Engine::probe`] has something to do.
    pub(in crate::store::disk) fn probe_at(&self) -> Option<Tick> {
        self.trouble.as_ref().map(|trouble| trouble.probe_at)
    }

    /// A write has failed: from now on appends are refused.
    pub(in crate::store::disk) fn begin_trouble(
        &mut self,
        now: Now,
        error: &rusqlite::Error,
    ) -> LogFault {
        let fault = self.fault_of(error);
        self.say_trouble(now, fault, error);
        let since = self.trouble.take().map_or(now.tick, |trouble| trouble.since);
        let probe_at = probe_at(now, fault);
        self.trouble = Some(Trouble { fault, since, probe_at, makes_room: false });
        // What the transaction holds goes; the handle itself is not trusted to have done so.
        _ = self.db.execute_batch("ROLLBACK");
        if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
            self.bury();
        }
        if is_moved(error) {
            // What a log holds that has no name any more is put into the file, which may have one.
            _ = self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE);
        }
        fault
    }

    /// What an error stands for. Where SQLite does not say why a file could not be made, written or synced, the file
    /// system is asked. If it has no room, the reserve is given.
    fn fault_of(&mut self, error: &rusqlite::Error) -> LogFault {
        let mut fault = classify(error);
        let code = error.sqlite_error_code();
        let is_vague = matches!(code, Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen));
        if is_vague
            && fault != LogFault::Corrupt
            && let Some(refusal) = self.reserve.refusal()
        {
            fault = if is_no_room(&refusal) { LogFault::Full } else { LogFault::Broken };
        }
        if fault == LogFault::Full {
            self.reserve.give();
        }
        fault
    }

    /// Writes something else over what a transaction that was not synced has left behind the end of the log,
    /// where whoever opens the file after a kill would find it complete. This is not synced: only the kernel
    /// has to know.
    fn bury(&mut self) {
        let buried = self.db.set_level(Level::Os).and_then(|()| self.db.execute_batch(PROBE));
        if buried.is_err() {
            _ = self.db.execute_batch("ROLLBACK");
        }
    }

    fn say_trouble(&mut self, now: Now, fault: LogFault, error: &rusqlite::Error) {
        let Some(suppressed) = self.lines.admit(now.tick) else { return };
        let file = self.db.path().display().to_string();
        if fault == LogFault::Corrupt {
            log::error!(
                file, suppressed, error:% = error;
                "the store's file is damaged: nothing is written to it any more; stop the server, keep the \
                 file, see `chinwag verify`, and take up a backup with `chinwag restore`"
            );
        } else {
            let what = words(fault);
            log::error!(
                file, what, suppressed, error:% = error;
                "the store fails: what cannot be stored is refused"
            );
        }
    }

    /// Tries to write, if it is time to: what has changed.
    pub(in crate::store::disk) fn probe(&mut self, now: Now) -> Vec<LogReply> {
        let Some(Trouble { fault, since, makes_room, .. }) =
            self.trouble.take_if(|trouble| now.tick >= trouble.probe_at)
        else {
            return Vec::new();
        };
        let written =
            if makes_room { self.write_all().map(|()| Vec::new()) } else { self.recover() };
        match written {
            Ok(replies) if !self.has_room() => {
                let fault_now = LogFault::Full;
                let probe_at = probe_at(now, fault_now);
                self.trouble =
                    Some(Trouble { fault: fault_now, since, probe_at, makes_room: true });
                let changed = (fault_now != fault).then_some(LogReply::Health(Err(fault_now)));
                replies.into_iter().chain(changed).collect()
            }
            Ok(replies) => {
                self.doubt(now.tick);
                let seconds = now.tick.since(since).as_secs();
                if let Some(suppressed) = self.lines.admit(now.tick) {
                    log::info!(seconds, suppressed; "the store works again");
                }
                replies.into_iter().chain([LogReply::Health(Ok(()))]).collect()
            }
            Err(error) => {
                let fault_now = self.fault_of(&error);
                let probe_at = probe_at(now, fault_now);
                if fault_now != fault {
                    self.say_trouble(now, fault_now, &error);
                }
                self.trouble =
                    Some(Trouble { fault: fault_now, since, probe_at, makes_room: false });
                _ = self.db.execute_batch("ROLLBACK");
                let changed = (fault_now != fault).then_some(LogReply::Health(Err(fault_now)));
                changed.into_iter().collect()
            }
        }
    }

    /// Whether there is room for more than what makes room: on the disk for the reserve, or as much in the file.
    fn has_room(&mut self) -> bool {
        let pragma = |name| self.db.pragma_query_value(None, name, |row| row.get(0));
        let free = match (pragma("freelist_count"), pragma("page_size")) {
            (Ok(pages), Ok(len)) => unsigned(pages).saturating_mul(unsigned(len)),
            _ => 0,
        };
        self.reserve.take().is_ok() || free >= RESERVE_BYTES
    }

    /// Opens the file anew, looks whether it is as it should be, and writes to it.
    pub(super) fn recover(&mut self) -> rusqlite::Result<Vec<LogReply>> {
        if !self.db.is_autocommit() {
            self.db.execute_batch("ROLLBACK")?;
        }
        self.db.check_place()?;
        self.db.reopen()?;
        self.empty_log()?;
        let replies = self.check_tails()?;
        check_latest(&self.db)?;
        self.write_all()?;
        Ok(replies)
    }

    /// Moves everything that is committed out of the log, and empties it.
    pub(in crate::store::disk) fn empty_log(&self) -> rusqlite::Result<()> {
        self.db.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE).map(|_| ())
    }

    /// Writes all that is pending, and a number that changes each time, so that the disk has been asked.
    pub(in crate::store::disk) fn write_all(&mut self) -> rusqlite::Result<()> {
        self.db.set_level(Level::Disk)?;
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        self.pending.write(&self.db)?;
        self.db.execute_batch(PROBE)?;
        self.db.execute_batch("COMMIT")?;
        self.pending = super::Pending::default();
        self.unsynced = false;
        Ok(())
    }

    /// Compares the heads in the file with those that were told. What is above goes: nobody has seen it. What
    /// is missing, which only rooms of level `os` can miss, is told as gone, and its seqs are not used again.
    fn check_tails(&mut self) -> rusqlite::Result<Vec<LogReply>> {
        let logs: Vec<_> = self.rooms.iter().map(|room| room.log).collect();
        let mut replies = Vec::new();
        for log in logs {
            let Some(room) = super::find(&mut self.rooms, log) else { continue };
            let sql = "SELECT head FROM room WHERE id = ?1";
            let head = self.db.prepare_cached(sql)?.query_one([room.id], |row| row.get(0));
            let Some(head) = head.optional()?.map(unsigned) else {
                if self.pending.has_room(log) {
                    continue;
                }
                return Err(damaged(format!("room {} is not there", room.id)));
            };
            if head != room.tail.head {
                replies.extend(mend(&self.db, room, head)?);
                self.chores.note_swollen(log);
            }
        }
        Ok(replies)
    }
}

/// Whether the file was taken away while it is in use.
fn is_moved(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_DBMOVED)
}

/// When to try again; never if the file is damaged: that does not heal.
fn probe_at(now: Now, fault: LogFault) -> Tick {
    match fault {
        LogFault::Corrupt => Tick::MAX,
        LogFault::Busy | LogFault::Full | LogFault::Broken | LogFault::TooDear => {
            now.tick.after(PROBE_EVERY)
        }
    }
}

/// Makes the file's room what was told of it.
fn mend(
    db: &rusqlite::Connection,
    room: &mut Room,
    found: u64,
) -> rusqlite::Result<Option<LogReply>> {
    let told = room.tail.head;
    log::error!(room = room.id, told, found; "the head of a stored room is not the one that was told");
    let lost = found < told;
    if lost {
        room.tail = Tail { oldest: told + 1, bytes: 0, ..room.tail };
        db.execute("INSERT OR REPLACE INTO meta VALUES ('mended', 1)", [])?;
    }
    let Tail { head, oldest, at, bytes } = room.tail;
    db.execute_batch("SAVEPOINT mend")?;
    db.execute("DELETE FROM record WHERE room = ?1 AND seq > ?2", [room.id, signed(head)])?;
    db.execute("DELETE FROM sent WHERE room = ?1 AND seq > ?2", [room.id, signed(head)])?;
    db.execute(
        "UPDATE room SET head = ?2, oldest = ?3, at = ?4, bytes = ?5 WHERE id = ?1",
        params![room.id, signed(head), signed(oldest), signed(at), signed(bytes)],
    )?;
    db.execute_batch("RELEASE mend")?;
    Ok(lost.then_some(LogReply::Pruned { log: room.log, oldest }))
}
