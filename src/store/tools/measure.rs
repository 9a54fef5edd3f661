//! How long the disk under the data directory takes to sync, and what a chat may expect of it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::ToolError;
use crate::store::sqlite::connection::{WITHOUT_BUILD_FLAGS, has_build_flags};
use crate::time::clock::Clock;

/// How long it measures, and how often at most.
const TIME_MAX: Duration = Duration::from_secs(2);
const SYNCS_MAX: usize = 2_000;
/// What is written before each sync: a page of the database with its place in the WAL.
const WRITE_LEN: usize = 4_096 + 24;
/// The length at which writing begins anew, as the WAL does.
const FILE_LEN: u64 = 4 * 1024 * 1024;
/// Bytes that a message of 100 bytes takes in the database, its words in the index included.
pub const STORED_BYTES: u64 = 192;
/// Bytes that are written for such a message that comes alone.
pub const WRITTEN_ALONE_BYTES: u64 = 12_700;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Where: the data directory, or the nearest one above it if that does not exist yet.
    pub directory: PathBuf,
    /// How many syncs were measured.
    pub syncs: usize,
    /// The median: half of the syncs took less.
    pub median: Duration,
    /// The longest.
    pub slowest: Duration,
}

/// Measures for two seconds, in a file of its own that has no name any more when it is written: it
/// is gone however this ends.
///
/// # Errors
///
/// [`ToolError`]: there can be no file, or it cannot be written.
pub fn run(data: &Path) -> Result<Measured, ToolError> {
    run_for(data, TIME_MAX)
}

fn run_for(data: &Path, time_max: Duration) -> Result<Measured, ToolError> {
    let directory = nearest(data);
    let times = unnamed(directory).and_then(|file| sync_times(&file, time_max));
    let mut times = times.map_err(ToolError::file(directory))?;
    times.sort_unstable();
    let syncs = times.len();
    let median = times.get(syncs / 2).copied().unwrap_or_default();
    let slowest = times.last().copied().unwrap_or_default();
    Ok(Measured { directory: directory.to_owned(), syncs, median, slowest })
}

/// What is wrong with this build of the program that a disk is made slower by, if anything.
#[must_use]
pub fn warning_of_build() -> Option<&'static str> {
    let has_flags = Connection::open_in_memory().and_then(|db| has_build_flags(&db));
    matches!(has_flags, Ok(false)).then_some(WITHOUT_BUILD_FLAGS)
}

/// The directory itself, or where there is nothing of this name the nearest one above it.
fn nearest(data: &Path) -> &Path {
    let is_there = |path: &&Path| path.symlink_metadata().is_ok();
    data.ancestors().find(is_there).unwrap_or_else(|| Path::new("."))
}

/// A file without a name.
fn unnamed(directory: &Path) -> io::Result<File> {
    let path = directory.join(format!("chinwag.measure-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// How long each sync took.
fn sync_times(file: &File, time_max: Duration) -> io::Result<Vec<Duration>> {
    let clock = Clock::start();
    let (mut times, mut at, mut began) = (Vec::new(), 0, 0);
    while times.len() < SYNCS_MAX {
        file.write_all_at(&[1; WRITE_LEN], at)?;
        at += WRITE_LEN as u64;
        if at >= FILE_LEN {
            at = 0;
        }
        let before = clock.micros();
        file.sync_data()?;
        let after = clock.micros();
        times.push(Duration::from_micros(after.saturating_sub(before)));
        began = if times.len() == 1 { before } else { began };
        if Duration::from_micros(after.saturating_sub(began)) >= time_max {
            break;
        }
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::search::index;
    use crate::store::sqlite::testing::{database, message, room, say};

    #[test]
    fn a_measurement_leaves_nothing_and_needs_no_directory_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        for data in [folder.path().to_owned(), folder.path().join("not/yet/there")] {
            let measured = run_for(&data, Duration::ZERO).unwrap();
            assert_eq!((measured.syncs, measured.directory.as_path()), (1, folder.path()));
            assert_eq!(measured.median, measured.slowest);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        // A server would not start there.
        for data in [file.clone(), file.join("below")] {
            run_for(&data, Duration::ZERO).unwrap_err();
        }
    }

    #[test]
    fn what_is_said_of_the_bytes_of_a_message_is_what_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        db.execute_batch("BEGIN").unwrap();
        let count = 4_000;
        for n in 0..count {
            let text = format!("{:x} the quick brown fox of line {n} ", n * 7_919).repeat(4);
            let text: String = text.chars().take(100).collect();
            say(&db, 1, "ann", message(&text));
        }
        while index::fill(&db, 500).unwrap() {}
        db.execute_batch("COMMIT").unwrap();
        let pages: u64 = db
            .query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))
            .unwrap()
            .try_into()
            .unwrap();
        let bytes = pages * 4096 / count;
        assert!((STORED_BYTES / 2..=STORED_BYTES * 3 / 2).contains(&bytes), "{bytes}");
    }
}
