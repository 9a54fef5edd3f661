//! A connection to the file that may write it, and how it is set up.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, OpenFlags, Row, ffi};

use crate::chat::model::reply::Durability;

/// How long a statement waits for a lock. Only whoever copies or verifies the file holds one, and the reader
/// while the log is being truncated.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);
/// Kibibytes of pages that the writer keeps.
const CACHE_KIB: i64 = 16 * 1024;
/// Pages in the log at which SQLite itself puts them into the file, 64 MiB: the writer does so much earlier,
/// between batches, and this bounds the log if it should not come to it.
const AUTOCHECKPOINT_PAGES: i64 = 16 * 1024;
/// Bytes of the log that are kept when it begins anew.
const JOURNAL_BYTES: i64 = 64 * 1024 * 1024;
/// Statements that stay prepared: more than there are.
const STATEMENTS: usize = 64;

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// The kernel has it: it survives the process.
    Os,
    /// The disk has it: it survives the machine.
    Disk,
}

impl Level {
    /// The level of rooms of this durability; those in memory are not stored at all.
    pub(super) const fn of(durability: Durability) -> Self {
        match durability {
            Durability::Memory | Durability::Os => Self::Os,
            Durability::Disk => Self::Disk,
        }
    }
}

/// A file, by its device and its number there, or that there is none.
type Inode = Option<(u64, u64)>;

/// The connection that writes, with the level of its commits.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    log_path: PathBuf,
    /// The file that is open, and its log, once there is one.
    file: Inode,
    log: Inode,
    level: Level,
}

impl Database {
    /// Opens the file, or makes it; what is in it is not looked at.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // The log and its index stay when it is closed: a start needs no inode then, of which there may be none.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let mut log_path = path.as_os_str().to_owned();
        log_path.push("-wal");
        let (path, log_path) = (path.to_owned(), PathBuf::from(log_path));
        let file = inode_of(&path);
        Ok(Self { connection, path, log_path, file, log: None, level: Level::Disk })
    }

    /// Turns to the write-ahead log, with synced commits.
    pub(super) fn begin_logging(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        let mode = |row: &Row<'_>| row.get::<_, String>(0);
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", mode)?;
        if mode != "wal" {
            let why = "the file system cannot share memory, which the write-ahead log needs";
            let error = ffi::Error::new(ffi::SQLITE_CANTOPEN);
            return Err(Error::SqliteFailure(error, Some(why.to_owned())));
        }
        connection.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
        connection.pragma_update(None, "synchronous", "full")
    }

    /// A new connection to the same file, for this one, which is not trusted any more.
    pub(super) fn reopen(&mut self) -> rusqlite::Result<()> {
        let new = Self::open(&self.path)?;
        new.begin_logging()?;
        *self = Self { file: self.file, log: self.log, ..new };
        Ok(())
    }

    /// Looks whether the file and its log are still where they were. What is written to files that have no name any
    /// more is gone with the process, and SQLite does not notice.
    ///
    /// # Errors
    ///
    /// They are not, or others stand in their place.
    pub(super) fn check_place(&mut self) -> rusqlite::Result<()> {
        let log = inode_of(&self.log_path);
        self.log = self.log.or(log);
        if inode_of(&self.path) == self.file && log == self.log {
            return Ok(());
        }
        let why = "the file or its -wal was moved or removed while it is in use; put it back, or \
                   else restart the server";
        let error = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
        Err(Error::SqliteFailure(error, Some(why.to_owned())))
    }

    /// Sets what the next commits wait for.
    pub(super) fn set_level(&mut self, level: Level) -> rusqlite::Result<()> {
        if self.level != level {
            let value = match level {
                Level::Os => "normal",
                Level::Disk => "full",
            };
            self.connection.pragma_update(None, "synchronous", value)?;
            self.level = level;
        }
        Ok(())
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn inode_of(path: &Path) -> Inode {
    fs::metadata(path).map(|file| (file.dev(), file.ino())).ok()
}

impl std::ops::Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl std::ops::DerefMut for Database {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
