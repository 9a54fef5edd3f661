//! Opening the database for one command, beside the server or instead of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::ToolError;
use crate::store::disk::OpenError;
use crate::store::disk::open::{self, FILE};
use crate::store::disk::schema::{self, Unfit};

/// How long a command waits for whoever has locked the database.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Where the database is.
pub(super) fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// Takes the place of the server, for as long as the file is held.
pub(super) fn lock(data: &Path) -> Result<File, ToolError> {
    if data.is_file() {
        return Err(ToolError::NoDirectory(data.to_owned()));
    }
    if !data.is_dir() {
        return Err(ToolError::Missing(path(data)));
    }
    open::lock(data).map_err(ToolError::Unfit)
}

/// A connection that cannot write.
pub(super) fn read(path: &Path) -> Result<Connection, ToolError> {
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.pragma_update(None, "query_only", true).map_err(ToolError::database(path))?;
    Ok(db)
}

/// A connection that writes, and waits for the disk.
pub(super) fn write(path: &Path) -> Result<Connection, ToolError> {
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(ToolError::database(path))?;
    Ok(db)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, ToolError> {
    match path.parent() {
        Some(data) if data.is_file() => return Err(ToolError::NoDirectory(data.to_owned())),
        _ if !path.exists() => return Err(ToolError::Missing(path.to_owned())),
        _ if path.is_dir() => return Err(unfit(path, Unfit::Foreign)),
        _ => {}
    }
    open::outlive_file_limit().map_err(ToolError::file(path))?;
    let opened = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let db = opened.map_err(ToolError::database(path))?;
    let set_up = || {
        db.busy_timeout(LOCK_PATIENCE)?;
        db.pragma_update(None, "trusted_schema", false)?;
        db.pragma_update(None, "temp_store", "MEMORY")
    };
    set_up().map_err(ToolError::database(path))?;
    schema::check(&db).map_err(|fault| unfit(path, fault))?;
    Ok(db)
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

/// The file at `path` is not for this program.
pub(super) fn unfit(path: &Path, unfit: Unfit) -> ToolError {
    ToolError::Unfit(open::unfit_file(path, unfit))
}

/// Has the disk know the names in the directory of `path`.
pub(super) fn sync_directory_of(path: &Path) -> Result<(), ToolError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    let sync = || File::open(parent)?.sync_all();
    sync().map_err(ToolError::file(parent))
}
