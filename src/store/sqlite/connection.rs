//! Connections to the file: the one that writes, and those that only read.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, Row, ffi};

use super::data_dir::{HeldLock, inode_of, with_suffix};
use super::lengths::Lengths;
use crate::chat::model::reply::Durability;

/// How long a statement of the writer waits for a lock before that is said in the log.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_millis(500);
/// How often [`WriteConnection::begin`] waits so long: 30 s together. Another process that writes
/// may be waiting for a slow disk, as `chinwag ban` does.
const LOCK_ATTEMPTS: u32 = 60;
/// Bytes of pages that the writer keeps unless it is told otherwise: the inner pages of all indexes
/// of some ten million records, so that a commit reads little.
pub(super) const CACHE_BYTES: usize = 16 << 20;
/// Pages in the WAL, 64 MiB, at which SQLite itself moves them into the file. Maintenance does so
/// much earlier, between batches; this bounds the WAL if maintenance cannot keep up.
const AUTOCHECKPOINT_PAGES: i64 = 16 * 1024;
/// Bytes of the WAL's file that are kept when it starts again from its beginning.
const JOURNAL_BYTES: i64 = 64 * 1024 * 1024;
/// Prepared statements that are kept: more than there are.
const STATEMENTS: usize = 64;

// A WAL that is reused up to the automatic checkpoint is never made shorter and longer in turn.
const _: () = assert!(JOURNAL_BYTES >= AUTOCHECKPOINT_PAGES * 4096);

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
            Durability::Disk | Durability::Replicated => Self::Disk,
        }
    }
}

/// A connection that cannot write, and waits `busy_timeout` for locks.
pub(in crate::store) fn open_read_only(
    path: &Path,
    busy_timeout: Duration,
) -> rusqlite::Result<Connection> {
    let db = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, busy_timeout)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// A connection with the settings that all of them share.
pub(in crate::store) fn open(
    path: &Path,
    flags: OpenFlags,
    busy_timeout: Duration,
) -> rusqlite::Result<Connection> {
    // A connection stays in one thread: SQLite's own locks would only cost time.
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(busy_timeout)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // A file from elsewhere must not run functions by its views and triggers.
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "temp_store", "memory")?;
    // SQLite would prepare a statement anew each time that a value is bound which may change its
    // plan; none of ours is better for it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(db)
}

/// Has SQLite overwrite with zeros what it deletes. Half of what it takes: the index of words has a
/// setting of its own, in the schema.
pub(in crate::store) fn overwrite_deleted(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "secure_delete", true)
}

/// What `.cargo/config.toml` has SQLite compiled with: it is passed over by a build from another
/// directory, such as `cargo install`. The one of the flags that SQLite can be asked for.
const BUILD_FLAG: &str = "DEFAULT_MEMSTATUS=0";
/// What follows if that was not so.
pub(in crate::store) const WITHOUT_BUILD_FLAGS: &str = "this chinwag was built without its flags for SQLite, so that each commit also syncs the times \
     of a file (fsync instead of fdatasync), which slows it down: build it in its own directory, or \
     set LIBSQLITE3_FLAGS as in .cargo/config.toml";

/// Whether SQLite was compiled with the flags that belong to this program.
pub(in crate::store) fn has_build_flags(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT sqlite_compileoption_used(?1)", [BUILD_FLAG], |row| row.get(0))
}

/// A file by its device and inode; `None` if there is none.
type Inode = Option<(u64, u64)>;

/// The connection that writes, with the level of its commits.
#[derive(Debug)]
pub(super) struct WriteConnection {
    connection: Connection,
    path: PathBuf,
    wal_path: PathBuf,
    /// The file that is open, and its WAL, once there is one.
    file: Inode,
    wal: Inode,
    /// The index of the WAL, which all processes that have the file open share.
    index: Inode,
    lengths: Lengths,
    level: Level,
    cache_bytes: usize,
    /// No other process may serve the directory.
    lock: Option<HeldLock>,
}

impl WriteConnection {
    /// Opens the file, or makes it; its content is not read.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = open(path, flags, BUSY_TIMEOUT)?;
        // The WAL and its index stay when the file is closed: the next start then needs no inode,
        // even on a disk that has none left. First of all, or a WAL that is refused would be moved
        // into the file by the way.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // Damage within a page is then an error, instead of a wrong read.
        connection.pragma_update(None, "cell_size_check", true)?;
        overwrite_deleted(&connection)?;
        let (path, wal_path) = (path.to_owned(), with_suffix(path, "-wal"));
        // By inode: a file of the same name may be another one.
        let file = inode_of(&path);
        let (wal, index) = (None, None);
        let mut own = Self {
            connection,
            path,
            wal_path,
            file,
            wal,
            index,
            lengths: Lengths::default(),
            level: Level::Disk,
            cache_bytes: CACHE_BYTES,
            lock: None,
        };
        own.keep(CACHE_BYTES)?;
        Ok(own)
    }

    /// Holds the lock of the directory from now on.
    pub(super) fn hold(&mut self, lock: HeldLock) {
        self.lock = Some(lock);
    }

    /// Names this process in the lock's file.
    pub(super) fn write_owner(&self) {
        self.lock.iter().for_each(HeldLock::write_owner);
    }

    /// Has so many bytes of pages kept in memory.
    pub(super) fn keep(&mut self, cache_bytes: usize) -> rusqlite::Result<()> {
        // A negative number is kibibytes.
        let kibibytes = i64::try_from(cache_bytes / 1024).unwrap_or(i64::MAX);
        self.cache_bytes = cache_bytes;
        self.connection.pragma_update(None, "cache_size", -kibibytes)
    }

    /// Turns to the write-ahead log, with synced commits.
    pub(super) fn use_wal(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        let mode = |row: &Row<'_>| row.get::<_, String>(0);
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", mode)?;
        // SQLite does not fail: it stays in the old mode, and says so.
        if mode != "wal" {
            let why = "the file system cannot share memory, which the write-ahead log needs";
            let error = ffi::Error::new(ffi::SQLITE_CANTOPEN);
            return Err(Error::SqliteFailure(error, Some(why.to_owned())));
        }
        connection.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
        connection.pragma_update(None, "synchronous", "full")
    }

    /// Closes the file with nothing beside it.
    pub(super) fn close_and_remove_wal(self) -> rusqlite::Result<()> {
        let Self { connection, .. } = self;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        connection.close().map_err(|(_, error)| error)
    }

    /// Replaces this connection, which is not trusted any more, by a new one to the same file.
    pub(super) fn reopen(&mut self) -> rusqlite::Result<()> {
        // Opened beside the old one, which is closed by the assignment below: at no moment is the
        // WAL's index without anybody.
        let new = Self::open(&self.path)?;
        new.use_wal()?;
        let (cache_bytes, lock) = (self.cache_bytes, self.lock.take());
        *self = Self { file: self.file, wal: self.wal, index: self.index, lock, ..new };
        self.keep(cache_bytes)
    }

    /// Closes this connection before another to the same file is opened: SQLite keeps the index of
    /// the WAL, once it has it open, for as long as the process has any connection.
    pub(super) fn reopen_with_new_index(&mut self) -> rusqlite::Result<()> {
        // Something has to be there until the file is opened again; this opens nothing.
        self.connection = Connection::open_in_memory()?;
        self.index = None;
        self.reopen()
    }

    /// Whether nothing is open in the meantime, since the file could not be opened again.
    pub(super) fn is_closed(&self) -> bool {
        self.connection.path().is_none_or(str::is_empty)
    }

    /// Whether the index of the WAL was removed or replaced: other processes use another one, and
    /// what they and this one write would not be seen by each other.
    pub(super) fn has_lost_index(&mut self) -> bool {
        let index = inode_of(&with_suffix(&self.path, "-shm"));
        // Noted when it is first there: SQLite makes it with the first read or write, not at the
        // opening.
        self.index = self.index.or(index);
        self.index != index
    }

    /// Begins a transaction that writes, which one that begins with a read may fail to turn to. A
    /// lock of another process is waited for, and `waits` is told how often.
    ///
    /// # Errors
    ///
    /// Busy after some 30 s.
    pub(super) fn begin(&self, mut waits: impl FnMut(u32)) -> rusqlite::Result<()> {
        for attempt in 1.. {
            // Immediately, so that a lock is met here, where nothing is done yet, and not at the
            // first write.
            match self.run("BEGIN IMMEDIATE") {
                Err(error) if is_busy(&error) && attempt < LOCK_ATTEMPTS => waits(attempt),
                outcome => return outcome,
            }
        }
        Ok(())
    }

    /// Commits the transaction.
    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.run("COMMIT")
    }

    /// Runs a statement of every batch, which is prepared once.
    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.raw_execute().map(drop)
    }

    /// Checks that the file and its WAL are still where they were. Writes to a file that was
    /// removed are lost when the process ends, and SQLite does not notice.
    ///
    /// # Errors
    ///
    /// They are not, or others are in their place, or another server has the directory.
    pub(super) fn check_place(&mut self) -> rusqlite::Result<()> {
        self.check_place_of(self.look())
    }

    /// Checks likewise, and that both are as long as they must be.
    ///
    /// # Errors
    ///
    /// The same, and that the file is damaged.
    pub(super) fn check_files(&mut self) -> rusqlite::Result<()> {
        let found = self.look();
        self.check_place_of(found)?;
        self.check_lengths_of(found)
    }

    /// Checks that the file and its WAL are as long as they must be.
    ///
    /// # Errors
    ///
    /// That the file is damaged, if they are not.
    pub(super) fn check_lengths(&mut self) -> rusqlite::Result<()> {
        self.check_lengths_of(self.look())
    }

    /// The file and its WAL, as they are now.
    fn look(&self) -> [Found; 2] {
        [found(&self.path), found(&self.wal_path)]
    }

    fn check_place_of(&mut self, found: [Found; 2]) -> rusqlite::Result<()> {
        self.check_names_of(found)?;
        if self.has_lost_index() {
            return Err(moved("its -shm was removed while it is in use"));
        }
        let kept = self.lock.as_mut().map_or(Ok(()), HeldLock::keep);
        kept.map_err(|taken| {
            let error = ffi::Error::new(ffi::SQLITE_READONLY);
            Error::SqliteFailure(error, Some(taken.to_string()))
        })
    }

    /// Checks that the file and its WAL are still where they were, whatever has become of the rest.
    ///
    /// # Errors
    ///
    /// They are not.
    pub(super) fn check_names(&mut self) -> rusqlite::Result<()> {
        self.check_names_of(self.look())
    }

    fn check_names_of(&mut self, found: [Found; 2]) -> rusqlite::Result<()> {
        let [file, wal] = found.map(|found| found.map(|(inode, _)| inode));
        self.wal = self.wal.or(wal);
        if file == self.file && wal == self.wal {
            return Ok(());
        }
        Err(moved(
            "the file or its -wal was moved or removed while it is in use; put it back, or else restart \
             the server",
        ))
    }

    fn check_lengths_of(&mut self, found: [Found; 2]) -> rusqlite::Result<()> {
        // What was moved is found by `check_place`.
        let lengths_of = |found: [Found; 2]| {
            let [Some((file, file_len)), Some((wal, wal_len))] = found else { return None };
            let is_ours = Some(file) == self.file && Some(wal) == self.wal;
            is_ours.then(|| Lengths::of(file_len, wal_len))
        };
        let Some(found) = lengths_of(found) else { return Ok(()) };
        let mut lengths = self.lengths;
        let files = (&self.connection, &*self.wal_path);
        let outcome = lengths.check(files, found, || lengths_of(self.look()));
        self.lengths = lengths;
        outcome
    }

    /// Sets what the next commits wait for.
    pub(super) fn set_level(&mut self, level: Level) -> rusqlite::Result<()> {
        // The pragma costs a statement, and most batches have the level of the one before.
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

    /// Where its WAL is.
    pub(super) fn wal_path(&self) -> &Path {
        &self.wal_path
    }
}

fn moved(why: &str) -> Error {
    let error = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
    Error::SqliteFailure(error, Some(why.to_owned()))
}

/// Which file was found, and how long it is; `None` if there is none.
type Found = Option<((u64, u64), u64)>;

/// The file at `path`.
fn found(path: &Path) -> Found {
    let file = std::fs::metadata(path).ok()?;
    Some(((file.dev(), file.ino()), file.len()))
}

/// Whether an error is only that somebody else holds a lock.
pub(super) fn is_busy(error: &Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl std::ops::Deref for WriteConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl std::ops::DerefMut for WriteConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::store::sqlite::testing::{database, path};

    #[test]
    fn no_statement_is_prepared_again_for_the_values_that_are_bound() {
        let folder = tempfile::tempdir().unwrap();
        drop(database(&folder));
        let db = WriteConnection::open(&path(&folder)).unwrap();
        for sql in [
            "SELECT * FROM record WHERE room = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq DESC",
            "SELECT text FROM record WHERE id > ?1 ORDER BY id LIMIT ?2",
            "SELECT seq FROM cid JOIN record ON record.id = cid.record WHERE cid.hash = ?1",
            "SELECT count(*) FROM record WHERE room = ?1 AND seq > ?2 AND kind = ?3",
        ] {
            let mut statement = db.prepare(sql).unwrap();
            for value in 0..5_i64 {
                for parameter in 1..=statement.parameter_count() {
                    statement.raw_bind_parameter(parameter, value).unwrap();
                }
                statement.raw_query().next().unwrap();
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }

    #[test]
    fn this_build_has_its_flags_for_sqlite() {
        let db = Connection::open_in_memory().unwrap();
        assert!(has_build_flags(&db).unwrap(), "{WITHOUT_BUILD_FLAGS}");
        let other = "SELECT sqlite_compileoption_used('DEFAULT_MEMSTATUS=1')";
        assert!(!db.query_row(other, [], |row| row.get::<_, bool>(0)).unwrap());
    }
}
