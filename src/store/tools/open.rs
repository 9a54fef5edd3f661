//! Opening the database for one command, beside the server or instead of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::ToolError;
use crate::store::sqlite::OpenError;
use crate::store::sqlite::connection::{self, open_read_only};
use crate::store::sqlite::data_dir::{self, DATABASE};
use crate::store::sqlite::schema::{self, Unfit};

/// How long a command waits for a lock: the server holds one while it truncates the WAL.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the database is.
pub(super) fn path(data: &Path) -> PathBuf {
    data.join(DATABASE)
}

/// Keeps a server from starting, for as long as the file is held.
pub(super) fn lock(data: &Path) -> Result<File, ToolError> {
    if data.is_file() {
        return Err(ToolError::NoDirectory(data.to_owned()));
    }
    if !data.is_dir() {
        return Err(ToolError::Missing(path(data)));
    }
    data_dir::lock(data).map_err(ToolError::Unfit)
}

/// A connection that cannot write.
pub(super) fn read(path: &Path) -> Result<Connection, ToolError> {
    open(path, || open_read_only(path, LOCK_TIMEOUT))
}

/// A connection that writes, and waits for the disk.
pub(super) fn write(path: &Path) -> Result<Connection, ToolError> {
    open(path, || {
        let db = connection::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, LOCK_TIMEOUT)?;
        db.pragma_update(None, "synchronous", "FULL")?;
        connection::overwrite_deleted(&db)?;
        Ok(db)
    })
}

fn open(
    path: &Path,
    open: impl FnOnce() -> rusqlite::Result<Connection>,
) -> Result<Connection, ToolError> {
    match path.parent() {
        Some(data) if data.is_file() => return Err(ToolError::NoDirectory(data.to_owned())),
        _ if !path.exists() => return Err(ToolError::Missing(path.to_owned())),
        _ if path.is_dir() => return Err(ToolError::unfit(path)(Unfit::Foreign)),
        _ => {}
    }
    data_dir::ignore_file_size_signal().map_err(ToolError::file(path))?;
    let db = open().map_err(ToolError::database(path))?;
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
    if path.is_dir() {
        return Err(no_backup("it is a directory"));
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
