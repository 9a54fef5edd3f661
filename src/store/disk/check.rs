//! The look at the whole file, behind everything else: SQLite's `quick_check`, after a start on a file that was
//! not closed in good order, and after each recovery.
//!
//! ```text
//!  Check::start ─▶ a thread that is there for as long as it looks ─▶ Check::found
//!  Check::stop ──▶ it ends within milliseconds
//! ```
//!
//! One statement does it, which cannot be continued: neither the reader nor the writer could answer anybody
//! meanwhile. So it has a thread of its own, of the lowest priority, with a connection that cannot write. No
//! more than one is there at a time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::fault::classify;
use super::reader;
use crate::chat::model::log::LogFault;

/// Steps of SQLite's machine, or parts of a page, between two looks at whether to go on.
const STEPS_AT_ONCE: i32 = 1000;
/// Bytes of the log at which the look is broken off: what is in the log stays there for as long as it lasts.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long whoever stops it waits for its end.
const STOP_PATIENCE: Duration = Duration::from_secs(1);
/// What is added to the thread's niceness.
const NICENESS: i32 = 19;

/// What a look has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is wrong.
    Sound,
    /// The first thing that is.
    Damaged(String),
    /// It could not be looked at to the end, for this reason.
    BrokenOff(String),
}

/// A look that is under way.
#[derive(Debug)]
pub(super) struct Check {
    stop: Arc<AtomicBool>,
    found: Receiver<Found>,
}

impl Check {
    /// Begins to look at the database at `path`.
    ///
    /// # Errors
    ///
    /// There can be no thread.
    pub(super) fn start(path: &Path) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, found) = sync_channel(1);
        let (path, stopped) = (path.to_owned(), Arc::clone(&stop));
        let thread = thread::Builder::new().name("store-check".to_owned());
        thread.spawn(move || run(&path, &stopped, &sender))?;
        Ok(Self { stop, found })
    }

    /// What it has come to, if it has ended.
    pub(super) fn found(&self) -> Option<Found> {
        match self.found.try_recv() {
            Ok(found) => Some(found),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Found::BrokenOff("its thread has died".to_owned()))
            }
        }
    }

    /// Ends it, so that nothing of it holds the file.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        _ = self.found.recv_timeout(STOP_PATIENCE);
    }
}

fn run(path: &Path, stop: &Arc<AtomicBool>, found: &SyncSender<Found>) {
    // Where that is refused it has the priority of all others.
    _ = rustix::process::nice(NICENESS);
    let looked = reader::open(path).and_then(|mut db| look(&mut db, path, Arc::clone(stop)));
    // The connection is closed by now: whoever hears of it has the file for themselves.
    _ = found.send(looked.unwrap_or_else(|error| outcome(&error)));
}

/// Looks at everything but whether the indexes hold what the tables do.
fn look(db: &mut Connection, path: &Path, stop: Arc<AtomicBool>) -> rusqlite::Result<Found> {
    let log = log_of(path);
    let is_over = move || {
        let len = fs::metadata(&log).map_or(0, |log| log.len());
        stop.load(Ordering::Relaxed) || len > LOG_BYTES_MAX
    };
    db.progress_handler(STEPS_AT_ONCE, Some(is_over))?;
    let said: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(if said == "ok" { Found::Sound } else { Found::Damaged(said) })
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn outcome(error: &rusqlite::Error) -> Found {
    if classify(error) == LogFault::Corrupt {
        return Found::Damaged(error.to_string());
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => {
            Found::BrokenOff("too much was written meanwhile".to_owned())
        }
        _ => Found::BrokenOff(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::testing::{database, message, path, room, say};

    #[track_caller]
    fn found(check: &Check) -> Found {
        check.found.recv_timeout(Duration::from_secs(20)).unwrap()
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
        assert_eq!(found(&Check::start(&path(&folder)).unwrap()), Found::Sound);
        db.execute_batch("ROLLBACK").unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_record_1'";
        let page: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
        db.close().unwrap();
        let mut bytes = fs::read(path(&folder)).unwrap();
        let start = usize::try_from((page - 1) * 4096).unwrap();
        bytes[start..start + 4096].fill(0);
        fs::write(path(&folder), bytes).unwrap();
        let damaged = found(&Check::start(&path(&folder)).unwrap());
        assert!(matches!(damaged, Found::Damaged(_)), "{damaged:?}");
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
        let mut reader = reader::open(&path(&folder)).unwrap();
        let stopped = look(&mut reader, &path(&folder), stop).unwrap_err();
        assert!(matches!(outcome(&stopped), Found::BrokenOff(_)), "{stopped}");
        Check::start(&path(&folder)).unwrap().stop();
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_not_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let missing = found(&Check::start(&path(&folder)).unwrap());
        assert!(matches!(missing, Found::BrokenOff(_)), "{missing:?}");
    }
}
