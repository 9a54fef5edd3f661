//! The check of the whole file by SQLite's `quick_check`, in the background: after a start on a
//! file that was not closed in good order, and after each recovery.
//!
//! ```text
//!  FullCheck::start ─▶ a thread that lives as long as the check ─▶ FullCheck::outcome
//!  FullCheck::stop ──▶ it ends within milliseconds
//! ```
//!
//! It is one statement, which cannot be interrupted and resumed: neither the reader nor the writer
//! could answer anybody meanwhile. So it has a thread of the lowest priority, with a connection
//! that cannot write. There is no more than one at a time.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::connection::open_read_only;
use super::data_dir::{file_len, with_suffix};
use super::log_fault::classify;
use crate::chat::model::log::LogFault;

/// Steps of SQLite's machine, or parts of a page, between two looks at whether to go on.
const STEPS_PER_CHECK: i32 = 1000;
/// Bytes of the WAL at which the check is aborted: SQLite cannot shorten the WAL while it lasts.
const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long it waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long stopping waits for the thread's end.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// What is added to the thread's niceness: the most there is.
const NICENESS: i32 = 19;

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CheckOutcome {
    /// Nothing is wrong.
    Sound,
    /// Damaged; the first fault that was found.
    Damaged(String),
    /// The check did not come to its end, for this reason.
    Aborted(String),
}

/// A check that is under way.
#[derive(Debug)]
pub(super) struct FullCheck {
    stop: Arc<AtomicBool>,
    outcome: Receiver<CheckOutcome>,
}

impl FullCheck {
    /// Starts to check the database at `path`.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub(super) fn start(path: &Path) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        // Room for the one outcome, so that the thread ends although nobody receives it.
        let (sender, outcome) = sync_channel(1);
        let (path, is_stopped) = (path.to_owned(), Arc::clone(&stop));
        let thread = thread::Builder::new().name("store-check".to_owned());
        thread.spawn(move || run(&path, &is_stopped, &sender))?;
        Ok(Self { stop, outcome })
    }

    /// The outcome, if the check has ended.
    pub(super) fn outcome(&self) -> Option<CheckOutcome> {
        match self.outcome.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(CheckOutcome::Aborted("its thread has died".to_owned()))
            }
        }
    }

    /// Ends the check, so that it does not hold the file any more.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        _ = self.outcome.recv_timeout(STOP_TIMEOUT);
    }
}

fn run(path: &Path, stop: &Arc<AtomicBool>, outcome: &SyncSender<CheckOutcome>) {
    // If that is refused, the check has the priority of all other threads.
    _ = rustix::process::nice(NICENESS);
    let checked = open_read_only(path, LOCK_TIMEOUT)
        .and_then(|mut db| check(&mut db, path, Arc::clone(stop)));
    // The connection is closed by now: the receiver may truncate the WAL.
    _ = outcome.send(checked.unwrap_or_else(|error| outcome_of(&error)));
}

/// Checks everything but whether the indexes hold what the tables do, which would take several
/// times as long.
fn check(
    db: &mut Connection,
    path: &Path,
    stop: Arc<AtomicBool>,
) -> rusqlite::Result<CheckOutcome> {
    let wal = with_suffix(path, "-wal");
    let is_over = move || stop.load(Ordering::Relaxed) || file_len(&wal) > WAL_BYTES_MAX;
    db.progress_handler(STEPS_PER_CHECK, Some(is_over))?;
    let said: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(if said == "ok" { CheckOutcome::Sound } else { CheckOutcome::Damaged(said) })
}

fn outcome_of(error: &rusqlite::Error) -> CheckOutcome {
    if classify(error) == LogFault::Corrupt {
        return CheckOutcome::Damaged(error.to_string());
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => {
            CheckOutcome::Aborted("too much was written meanwhile".to_owned())
        }
        _ => CheckOutcome::Aborted(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::sqlite::testing::{database, message, path, room, say};

    #[track_caller]
    fn found(check: &FullCheck) -> CheckOutcome {
        check.outcome.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    #[test]
    fn a_whole_file_is_sound_while_it_is_written_and_a_damaged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        for _ in 0..50 {
            say(&db, 1, "ann", message(&"hello ".repeat(100)));
        }
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        say(&db, 1, "ann", message("not committed"));
        assert_eq!(found(&FullCheck::start(&path(&folder)).unwrap()), CheckOutcome::Sound);
        db.execute_batch("ROLLBACK").unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_record_1'";
        let page: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
        db.close().unwrap();
        let mut bytes = fs::read(path(&folder)).unwrap();
        let start = usize::try_from((page - 1) * 4096).unwrap();
        bytes[start..start + 4096].fill(0);
        fs::write(path(&folder), bytes).unwrap();
        let damaged = found(&FullCheck::start(&path(&folder)).unwrap());
        assert!(matches!(damaged, CheckOutcome::Damaged(_)), "{damaged:?}");
    }

    #[test]
    fn one_that_is_stopped_ends_and_says_nothing_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        for _ in 0..5_000 {
            say(&db, 1, "ann", message("hello"));
        }
        let stop = Arc::new(AtomicBool::new(true));
        let mut reader = open_read_only(&path(&folder), LOCK_TIMEOUT).unwrap();
        let stopped = check(&mut reader, &path(&folder), stop).unwrap_err();
        assert!(matches!(outcome_of(&stopped), CheckOutcome::Aborted(_)), "{stopped}");
        FullCheck::start(&path(&folder)).unwrap().stop();
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_not_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let missing = found(&FullCheck::start(&path(&folder)).unwrap());
        assert!(matches!(missing, CheckOutcome::Aborted(_)), "{missing:?}");
    }
}
