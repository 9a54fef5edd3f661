//! Taking up a backup. The seqs that came after it may have been seen: every room begins a new epoch.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::backup::{self, Copied, beside};
use super::verify;
use super::{ToolError, open};
use crate::log::Timestamp;
use crate::store::disk::open::make_directory;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What is there now.
    pub copied: Copied,
    /// The name under which the database of before is kept, if there was one.
    pub kept: Option<PathBuf>,
}

/// Puts the backup `file` in the place of the database in `data`, which no server may be using. `wall_ms` is
/// the present time, which makes the epochs and the name of what was there.
///
/// # Errors
///
/// [`ToolError`]; the database is as it was then.
pub fn run(data: &Path, file: &Path, wall_ms: u64) -> Result<Restored, ToolError> {
    let source = open::read(file)?;
    sound(&source, file)?;
    make_directory(data).map_err(ToolError::file(data))?;
    let _lock = open::lock(data)?;
    let place = open::path(data);
    let part = beside(&place, ".part");
    // Whatever is there, nobody is writing it: the lock is ours.
    backup::remove(&part);
    let restored = backup::copy(&source, file, &part).and_then(|copied| {
        begin_epochs(&part, wall_ms)?;
        let kept = keep(&place, wall_ms)?;
        fs::rename(&part, &place).map_err(ToolError::file(&place))?;
        open::sync_directory_of(&place)?;
        Ok(Restored { copied, kept })
    });
    if restored.is_err() {
        backup::remove(&part);
    }
    restored
}

/// Refuses a backup that has faults.
fn sound(source: &Connection, file: &Path) -> Result<(), ToolError> {
    let mut first = None;
    let found = verify::look(source, &mut |fault| {
        first.get_or_insert_with(|| fault.to_string());
    });
    let found = found.map_err(ToolError::database(file))?;
    match first {
        Some(first) => Err(ToolError::Faulty(file.to_owned(), first, found.faults)),
        None => Ok(()),
    }
}

/// Gives each room an epoch that it never had, in a file that is nobody's yet.
fn begin_epochs(part: &Path, wall_ms: u64) -> Result<(), ToolError> {
    let epoch = i64::from_ne_bytes(wall_ms.wrapping_shl(20).to_ne_bytes());
    let begin = || {
        let mut db = Connection::open(part)?;
        db.pragma_update(None, "synchronous", "FULL")?;
        let transaction = db.transaction()?;
        // A clock that was set back must not give the epoch that the backup has.
        let sql = "UPDATE room SET epoch = CASE epoch WHEN ?1 THEN ?1 + 1 ELSE ?1 END";
        transaction.execute(sql, [epoch])?;
        transaction.execute("INSERT OR REPLACE INTO meta VALUES ('clean', 1)", [])?;
        transaction.commit()?;
        db.close().map_err(|(_, error)| error)
    };
    begin().map_err(ToolError::database(part))
}

/// Gives the present database another name beside its own, and takes its log away from it.
fn keep(place: &Path, wall_ms: u64) -> Result<Option<PathBuf>, ToolError> {
    if !place.exists() {
        return Ok(None);
    }
    // What its log holds belongs into it; a damaged one is kept in two pieces.
    if let Ok(db) = open::write(place) {
        _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    let date: String =
        Timestamp(wall_ms).to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let kept = beside(place, &format!(".{date}"));
    if kept.exists() {
        return Err(ToolError::Exists(kept));
    }
    // Linked first, so that there is a database in this place at every moment.
    if fs::hard_link(place, &kept).is_err() {
        fs::rename(place, &kept).map_err(ToolError::file(place))?;
    }
    // Beside another file, it would be read as its own.
    let log = beside(place, "-wal");
    absent(fs::rename(&log, beside(&kept, "-wal"))).map_err(ToolError::file(&log))?;
    let index = beside(place, "-shm");
    absent(fs::remove_file(&index)).map_err(ToolError::file(&index))?;
    Ok(Some(kept))
}

fn absent(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
