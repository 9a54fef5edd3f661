//! Rewriting the file without its unused parts, which SQLite keeps for what comes.
//!
//! ```text
//!  chinwag.db ── VACUUM INTO ──▶ chinwag.db.part ── synced ── renamed over ──▶ chinwag.db
//! ```
//!
//! Until the renaming the old file is as it was, so that a kill, a full disk or a power loss leaves
//! the old file or the new one. What is left of a rewriting that was cut off is removed by the next
//! one, and by the next start of the server. It takes as much disk space as the new file, and
//! little memory: SQLite's own `VACUUM` would take it all in memory or twice on the disk.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::Ordering;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use rustix::fs::statvfs;

use super::interruption::Interruption;
use super::{ToolError, backup, open};
use crate::store::sqlite::data_dir::{self, file_len, with_suffix};
use crate::store::sqlite::file_id;

/// Disk space that must be left besides what the copy needs, for the WAL and what else is written.
const SPARE_BYTES: u64 = 1024 * 1024;

/// Bytes of the files before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Of the file and its WAL, before.
    pub before: u64,
    /// Likewise, after.
    pub after: u64,
}

/// How much disk space a rewriting needs, and how much is free, if the file system says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that the copy has at most.
    pub needed: u64,
    /// Bytes that this process may use.
    pub free: Option<u64>,
}

impl Space {
    /// What rewriting the open database at `path` takes.
    pub(super) fn of(db: &Connection, path: &Path) -> Result<Self, ToolError> {
        let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let needed = || {
            let used = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
            let bytes = used.saturating_mul(pragma("page_size")?);
            Ok(u64::try_from(bytes).unwrap_or(0).saturating_add(SPARE_BYTES))
        };
        let needed = needed().map_err(ToolError::database(path))?;
        let disk = statvfs(data_dir::parent(path)).ok().filter(|disk| disk.f_blocks > 0);
        let free = disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        Ok(Self { needed, free })
    }

    /// Refuses what cannot fit.
    pub(super) fn require(self, path: &Path) -> Result<(), ToolError> {
        match self.free {
            Some(free) if free < self.needed => {
                Err(ToolError::NoSpace(path.to_owned(), self.needed, free))
            }
            _ => Ok(()),
        }
    }
}

/// Rewrites the database at `path`, which no server uses meanwhile. `finish` does what belongs to
/// the new file only.
pub(super) fn rewrite(
    mut db: Connection,
    path: &Path,
    finish: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<Rewritten, ToolError> {
    let failed = ToolError::database(path);
    let wal = with_suffix(path, "-wal");
    let before = file_len(path).saturating_add(file_len(&wal));
    // First, since how much space is needed is told by the file alone.
    empty_wal(&db, path)?;
    Space::of(&db, path)?.require(path)?;
    let clean = open::is_clean(&db).map_err(&failed)?;
    // Closing must not remove by their names what belongs to the new file by then.
    let keep = |db: &Connection| db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    keep(&db).map_err(&failed)?;
    let lock = open::write(path)?;
    keep(&lock).map_err(&failed)?;
    let part = with_suffix(path, ".part");
    backup::remove(&part);
    // Nobody else may write to the old file from here on: it would be lost.
    lock.execute_batch("BEGIN IMMEDIATE").map_err(&failed)?;
    let made = copy(&mut db, path, &part, finish).and_then(|()| put_in_place(&part, path));
    if made.is_err() {
        backup::remove(&part);
    }
    made?;
    drop((lock, db));
    if !clean {
        open::leave_wal(path)?;
    }
    Ok(Rewritten { before, after: file_len(path).saturating_add(file_len(&wal)) })
}

/// Moves everything into the file, so that nothing of the WAL is needed any more.
fn empty_wal(db: &Connection, path: &Path) -> Result<(), ToolError> {
    let busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
    let is_busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], busy);
    if is_busy.map_err(ToolError::database(path))? {
        return Err(ToolError::InUse(path.to_owned()));
    }
    Ok(())
}

/// Makes the copy, for its owner alone, and waits until the disk has it.
fn copy(
    db: &mut Connection,
    path: &Path,
    part: &Path,
    finish: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), ToolError> {
    let failed = ToolError::database(part);
    let interruption = Interruption::watch(part)?;
    let flag = interruption.flag();
    // `VACUUM INTO` is one statement: only a handler within it can end it early.
    db.progress_handler(10_000, Some(move || flag.load(Ordering::Relaxed))).map_err(&failed)?;
    // SQLite takes the name of the file as text.
    let name = part.to_str().ok_or_else(|| ToolError::NameNotText(path.to_owned()))?;
    let copied = db.execute("VACUUM INTO ?1", [name]);
    if interruption.has_come() {
        return Err(ToolError::Interrupted);
    }
    copied.map_err(|error| open::or_no_space(part)(or_damaged(path, part, error)))?;
    let finished = || {
        let target = Connection::open(part)?;
        // What `finish` removes must not stay readable in the pages that it was in.
        target.pragma_update(None, "secure_delete", true)?;
        target.pragma_update(None, "synchronous", "OFF")?;
        // The WAL of the old file must not be taken for one of the new.
        file_id::renew(&target)?;
        finish(&target)?;
        target.close().map_err(|(_, error)| error)
    };
    finished().map_err(&failed)?;
    // The command may run as another user than the server, which has to open the file afterwards.
    let old = fs::metadata(path).map_err(ToolError::file(path))?;
    let like_old = || {
        let new = File::open(part)?;
        let made = new.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            std::os::unix::fs::chown(part, Some(old.uid()), Some(old.gid()))?;
        }
        new.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        new.sync_all()
    };
    like_old().map_err(ToolError::file(part))
}

/// What is damaged is in the old file, and what does not fit in the new one.
fn or_damaged(path: &Path, part: &Path, error: rusqlite::Error) -> ToolError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            ToolError::Database(path.to_owned(), error)
        }
        _ => ToolError::Database(part.to_owned(), error),
    }
}

/// Renames the copy over the old file. What SQLite keeps beside the old one goes just before: it
/// holds nothing, and the index of a WAL must not be taken for that of another file.
fn put_in_place(part: &Path, path: &Path) -> Result<(), ToolError> {
    for suffix in ["-wal", "-shm"] {
        _ = fs::remove_file(with_suffix(path, suffix));
    }
    fs::rename(part, path).map_err(ToolError::file(path))?;
    open::sync_directory_of(path)
}
