//! Opening the database for one command, beside the server or instead of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::ToolError;
use crate::store::sqlite::OpenError;
use crate::store::sqlite::connection::{self, open_read_only};
use crate::store::sqlite::data_dir::{self, DATABASE, inode_of};
use crate::store::sqlite::disk_reserve::{DiskReserve, is_no_space};
use crate::store::sqlite::meta_table::{self, CLEAN, PROBE};
use crate::store::sqlite::schema::{self, Unfit};

/// How long a command waits for a lock: the server holds one while it truncates the WAL.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the database is.
pub(super) fn path(data: &Path) -> PathBuf {
    data.join(DATABASE)
}

/// Keeps a server from starting, for as long as the file is held.
pub(super) fn lock(data: &Path) -> Result<File, ToolError> {
    // Told apart from what is not there: who names the database where its folder is due is to hear
    // that.
    if data.is_file() {
        return Err(ToolError::NoDirectory(data.to_owned()));
    }
    if !data.is_dir() {
        return Err(ToolError::Missing(path(data)));
    }
    data_dir::lock(data).map_err(ToolError::Unfit)
}

/// Which file is at a path: a command that has waited for a lock may have waited for the file to be
/// replaced.
pub(super) struct Place<'a>(&'a Path, Option<(u64, u64)>);

impl<'a> Place<'a> {
    pub(super) fn of(path: &'a Path) -> Self {
        Self(path, inode_of(path))
    }

    /// Checks that the same file is there. To be called with the lock that the change needs.
    pub(super) fn check(&self) -> Result<(), ToolError> {
        let Self(path, inode) = self;
        if inode_of(path) == *inode { Ok(()) } else { Err(ToolError::Replaced((*path).to_owned())) }
    }
}

/// A connection that cannot write.
pub(super) fn read(path: &Path) -> Result<Connection, ToolError> {
    open(path, || open_read_only(path, LOCK_TIMEOUT)).map_err(or_no_space(path))
}

/// The same error, or that there is no space, if that is what the file system says: SQLite needs
/// some also to read a file whose server was killed, and reports less than it has learned.
pub(super) fn or_no_space(path: &Path) -> impl Fn(ToolError) -> ToolError {
    move |error| match error {
        ToolError::Database(_, error) | ToolError::Unfit(OpenError::Failed(_, error)) => {
            let probe = DiskReserve::of(data_dir::parent(path)).probe();
            if probe.is_some_and(|refusal| is_no_space(&refusal)) {
                ToolError::Unfit(OpenError::NoRoom(path.to_owned(), error))
            } else {
                ToolError::Database(path.to_owned(), error)
            }
        }
        error => error,
    }
}

/// Releases the reserve of a full disk, where no server runs, which does so itself. The next one
/// acquires it again.
pub(super) fn release_reserve_if_full(data: &Path) {
    let mut reserve = DiskReserve::of(data);
    let is_alone = matches!(data_dir::owner(data), Ok(None));
    if is_alone && reserve.is_held() && reserve.probe().is_some_and(|it| is_no_space(&it)) {
        reserve.release();
    }
}

/// A connection that writes, and waits for the disk.
pub(super) fn write(path: &Path) -> Result<Connection, ToolError> {
    open(path, || {
        let db = connection::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, LOCK_TIMEOUT)?;
        db.pragma_update(None, "synchronous", "FULL")?;
        connection::overwrite_deleted(&db)?;
        Ok(db)
    })
    .and_then(|db| {
        keep_wal_of_killed(&db).map_err(ToolError::database(path))?;
        Ok(db)
    })
    .map_err(or_no_space(path))
}

/// While a file is in use its WAL is never empty: the server tells by that whether somebody has
/// removed it after a kill. So the last one to close the file must not remove it either.
fn keep_wal_of_killed(db: &Connection) -> rusqlite::Result<()> {
    let keep = !is_clean(db)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop)
}

/// Whether the file was closed in good order.
pub(super) fn is_clean(db: &Connection) -> rusqlite::Result<bool> {
    Ok(meta_table::get::<i64>(db, CLEAN)?.is_none_or(|clean| clean == 1))
}

/// Gives a file whose server was killed a WAL again, which has to be there: see
/// [`keep_wal_of_killed`].
pub(super) fn leave_wal(path: &Path) -> Result<(), ToolError> {
    let db = write(path)?;
    let leave = || {
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.execute_batch(PROBE)
    };
    leave().map_err(ToolError::database(path))?;
    data_dir::give_to_owner(path).map_err(ToolError::file(path))
}

fn open(
    path: &Path,
    open: impl FnOnce() -> rusqlite::Result<Connection>,
) -> Result<Connection, ToolError> {
    match path.parent() {
        Some(data) if data.is_file() => return Err(ToolError::NoDirectory(data.to_owned())),
        // A directory that may not be read looks as if it had nothing.
        _ if !path.try_exists().map_err(ToolError::file(path))? => {
            return Err(ToolError::Missing(path.to_owned()));
        }
        _ if !path.is_file() => return Err(ToolError::unfit(path)(Unfit::Foreign)),
        _ => {}
    }
    // With a limit on the size of files, a write beyond it would otherwise end the command without
    // a word.
    data_dir::ignore_file_size_signal().map_err(ToolError::file(path))?;
    let db = open().map_err(ToolError::database(path))?;
    // The first statement of each command, and so the one that finds out whether it is a database
    // at all.
    schema::check(&db).map_err(ToolError::unfit(path))?;
    Ok(db)
}

/// Refuses a file of an earlier version of the schema.
pub(super) fn require_current(db: &Connection, path: &Path) -> Result<(), ToolError> {
    schema::check_current(db).map_err(ToolError::unfit(path))
}

/// A connection to a backup, which cannot write.
pub(super) fn backup(path: &Path) -> Result<Connection, ToolError> {
    let no_backup = |why: &str| ToolError::NoBackup(path.to_owned(), why.to_owned());
    // Opening a pipe would wait for who writes to it.
    match path.metadata() {
        Ok(found) if found.is_dir() => return Err(no_backup("it is a directory")),
        Ok(found) if !found.is_file() => {
            return Err(no_backup("it is a device, a pipe or a socket"));
        }
        _ => {}
    }
    read(path).map_err(|error| match error {
        ToolError::Missing(_) | ToolError::NoDirectory(_) => no_backup("there is no such file"),
        ToolError::Unfit(OpenError::Empty(_)) => no_backup("it is empty"),
        ToolError::Unfit(OpenError::Foreign(_)) => no_backup("another program has made it"),
        ToolError::Unfit(OpenError::Damaged(_, what)) => no_backup(&what),
        error => error,
    })
}

/// Waits until the disk has the names in the directory of `path`.
pub(super) fn sync_directory_of(path: &Path) -> Result<(), ToolError> {
    data_dir::sync_parent(path).map_err(ToolError::file(data_dir::parent(path)))
}
