//! Opening: the directory, its lock, the file, and what was found in it.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::OptionalExtension as _;

use crate::time::clock::{Clock, Now};

use super::database::Database;
use super::load::{LoadFault, Loaded, load};
use super::schema::{self, Unfit};

/// The name of the file in its directory.
pub(in crate::store) const FILE: &str = "chinwag.db";
/// The name of the file whose lock is held by whoever serves the directory.
const LOCK: &str = "chinwag.lock";
/// The oldest SQLite that is good enough: earlier ones may damage a log that is being emptied.
const SQLITE_MIN: i32 = 3_051_003;
/// Where Linux tells which boot of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why the store could not be opened. Each says what to do.
#[derive(Debug)]
pub enum OpenError {
    /// The directory cannot be made or used.
    Directory(PathBuf, io::Error),
    /// Another server has the directory.
    Taken(PathBuf),
    /// The program was built with an SQLite that is too old.
    Library(&'static str),
    /// The file is of a later version of the program: the version it has, and the last that is known.
    Newer(PathBuf, i32, i32),
    /// The file is of another program.
    Foreign(PathBuf),
    /// The file is damaged.
    Damaged(PathBuf, String),
    /// The file cannot be read or written.
    Failed(PathBuf, rusqlite::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => {
                let path = path.display();
                write!(
                    f,
                    "the data directory {path} cannot be used: {error}; make it writable, or name another with `data`"
                )
            }
            Self::Taken(path) => {
                let path = path.display();
                write!(
                    f,
                    "another chinwag serves {path}; stop it, or name another directory with `data`"
                )
            }
            Self::Library(version) => {
                write!(
                    f,
                    "this program was built with SQLite {version}, which may damage its files; build it with 3.51.3 or later"
                )
            }
            Self::Newer(path, found, known) => {
                let path = path.display();
                write!(
                    f,
                    "{path} has version {found} of the schema, and this chinwag knows versions up to {known}; use the chinwag that wrote it or a later one, or restore a backup of before into another directory"
                )
            }
            Self::Foreign(path) => {
                let path = path.display();
                write!(
                    f,
                    "{path} is not a chinwag database; move it away, or name another directory with `data`"
                )
            }
            Self::Damaged(path, what) => {
                let path = path.display();
                write!(
                    f,
                    "{path} is damaged: {what}; it was left as it is: see `chinwag verify`, and take up a backup with `chinwag restore`"
                )
            }
            Self::Failed(path, error) => {
                let path = path.display();
                write!(
                    f,
                    "{path} cannot be opened: {error}; look at its permissions, its disk, and who else has it open"
                )
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// A file that is open and ours alone.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) db: Database,
    /// Held for as long as the file is written.
    pub(super) lock: File,
    pub(super) loaded: Loaded,
}

/// Opens the file in `data`, makes both if they are not there, and reads what was kept.
pub(super) fn open(data: &Path, clock: &Clock) -> Result<Opened, OpenError> {
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(OpenError::Library(rusqlite::version()));
    }
    let began = clock.now();
    outlive_file_limit().map_err(|error| OpenError::Directory(data.to_owned(), error))?;
    make_directory(data).map_err(|error| OpenError::Directory(data.to_owned(), error))?;
    let lock = lock(data)?;
    let path = data.join(FILE);
    let log_bytes = file_len(&data.join(format!("{FILE}-wal")));
    let mut db = prepare(&path).map_err(|unfit| unfit_file(&path, unfit))?;
    let found = take_over(&mut db, began).map_err(|error| failed(&path, error))?;
    let loaded = load(&db).map_err(|fault| match fault {
        LoadFault::Failed(error) => failed(&path, error),
        LoadFault::Damaged(table) => {
            OpenError::Damaged(path.clone(), format!("a row of table {table} makes no sense"))
        }
    })?;
    sync_directory(data).map_err(|error| OpenError::Directory(data.to_owned(), error))?;
    let millis = u64::try_from(clock.now().tick.since(began.tick).as_millis()).unwrap_or(u64::MAX);
    let (rooms, records) = (loaded.rooms.len(), loaded.records);
    let file = path.display().to_string();
    log::info!(file, found = found.words(), log_bytes, rooms, records, millis; "the store is open");
    Ok(Opened { db, lock, loaded })
}

/// How the file was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    New,
    Clean,
    /// The process ended before it could close it.
    Killed,
    /// The machine did: what it had not synced may be lost.
    PowerLost,
}

impl Found {
    const fn words(self) -> &'static str {
        match self {
            Self::New => "nothing: it is new",
            Self::Clean => "closed in good order",
            Self::Killed => "not closed: the server was killed",
            Self::PowerLost => "not closed: the machine went down",
        }
    }
}

/// Has a file that reaches `RLIMIT_FSIZE` be an error of the write, instead of the end of the process.
fn outlive_file_limit() -> io::Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag).map(|_| ())
}

pub(in crate::store) fn make_directory(data: &Path) -> io::Result<()> {
    if data.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    match data.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

/// Has the disk know the names in a directory.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(in crate::store) fn lock(data: &Path) -> Result<File, OpenError> {
    let path = data.join(LOCK);
    let broken = |error| OpenError::Directory(data.to_owned(), error);
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(broken)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Taken(data.to_owned())),
        Err(TryLockError::Error(error)) => Err(broken(error)),
    }
}

/// Opens the file, if it is one of ours, and brings it to the present schema.
fn prepare(path: &Path) -> Result<Database, Unfit> {
    let mut db = Database::open(path)?;
    // Nothing is written to a file before it is known to be ours.
    schema::check(&db)?;
    db.begin_logging()?;
    schema::migrate(&mut db)?;
    Ok(db)
}

/// Marks the file as ours and not closed. If the machine went down with it, the rooms that may have lost
/// something begin a new epoch: their seqs may have been told and be given again.
fn take_over(db: &mut Database, now: Now) -> rusqlite::Result<Found> {
    let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    let transaction = db.transaction()?;
    let read = |key: &str| {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        transaction.query_one(sql, [key], |row| row.get::<_, rusqlite::types::Value>(0)).optional()
    };
    let clean = read("clean")?;
    let same_boot = read("boot")? == Some(boot.trim().to_owned().into()) && !boot.is_empty();
    let found = match clean {
        None => Found::New,
        Some(rusqlite::types::Value::Integer(1)) => Found::Clean,
        Some(_) if same_boot => Found::Killed,
        Some(_) => Found::PowerLost,
    };
    if found == Found::PowerLost {
        let epoch = now.wall_ms.wrapping_shl(20);
        let epoch = i64::from_ne_bytes(epoch.to_ne_bytes());
        transaction.execute("UPDATE room SET epoch = ?1 WHERE durability = 1", [epoch])?;
    }
    transaction.execute("INSERT OR REPLACE INTO meta VALUES ('clean', 0)", [])?;
    transaction.execute("INSERT OR REPLACE INTO meta VALUES ('boot', ?1)", [boot.trim()])?;
    transaction.commit()?;
    Ok(found)
}

fn file_len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

pub(in crate::store) fn unfit_file(path: &Path, unfit: Unfit) -> OpenError {
    let path = path.to_owned();
    match unfit {
        Unfit::Foreign => OpenError::Foreign(path),
        Unfit::Newer(found, known) => OpenError::Newer(path, found, known),
        Unfit::Damaged(error) => OpenError::Damaged(path, error.to_string()),
        Unfit::Failed(error) => OpenError::Failed(path, error),
    }
}

fn failed(path: &Path, error: rusqlite::Error) -> OpenError {
    unfit_file(path, Unfit::from(error))
}
