//! Opening: the directory, its lock, the file, and what was found in it.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::{OptionalExtension as _, ffi};

use crate::chat::model::log::LogFault;
use crate::time::clock::{Clock, Now};

use super::database::Database;
use super::fault::{classify, damaged};
use super::identity;
use super::load::{LoadFault, Loaded, inspect, load, unseal};
use super::reserve::{Reserve, is_no_room};
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
    /// The file has nothing in it.
    Empty(PathBuf),
    /// The log beside the file is of another file: the file, and the log.
    Strange(PathBuf, PathBuf),
    /// The file is damaged.
    Damaged(PathBuf, String),
    /// There is no room on the disk: bytes, inodes, or a quota.
    NoRoom(PathBuf, rusqlite::Error),
    /// The file cannot be read or written.
    Failed(PathBuf, rusqlite::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path, error) => write!(
                f,
                "the data directory {} cannot be used: {error}; make it writable, make room on its disk, or name another with `data`",
                path.display()
            ),
            Self::Taken(path) => write!(
                f,
                "another chinwag serves {}; stop it, or name another directory with `data`",
                path.display()
            ),
            Self::Library(version) => write!(
                f,
                "this program was built with SQLite {version}, which may damage its files; build it with 3.51.3 or later"
            ),
            Self::Newer(path, found, known) => write!(
                f,
                "{} has version {found} of the schema, and this chinwag knows versions up to {known}; use the chinwag that wrote it or a later one, or restore a backup of before into another directory",
                path.display()
            ),
            Self::Foreign(path) => write!(
                f,
                "{} is not a chinwag database; move it away, or name another directory with `data`",
                path.display()
            ),
            Self::Empty(path) => write!(
                f,
                "{} is empty, which no chinwag leaves it: take up a backup with `chinwag restore`, or move it away to begin anew",
                path.display()
            ),
            Self::Strange(path, log) => write!(
                f,
                "{} is the log of another database than {}: put the right one in its place, or move it away; both were left as they are",
                log.display(),
                path.display()
            ),
            Self::Damaged(path, what) => write!(
                f,
                "{} is damaged: {what}; it was left as it is: see `chinwag verify`, and take up a backup with `chinwag restore`, or move the file away to begin anew",
                path.display()
            ),
            Self::NoRoom(path, error) => write!(
                f,
                "{} cannot be opened: {error}; there is no room on its disk, no inode, or no quota left: make room and start again",
                path.display()
            ),
            Self::Failed(path, error) => write!(
                f,
                "{} cannot be opened: {error}; look at its permissions, its disk, and who else has it open",
                path.display()
            ),
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
    /// It was closed in good order, or is new.
    pub(super) is_clean: bool,
    /// What is kept back on the disk.
    pub(super) reserve: Reserve,
    /// Why nothing can be written for the time being, or ever.
    pub(super) trouble: Option<rusqlite::Error>,
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
    let log_bytes = file_len(&beside(&path, "-wal"));
    let mut reserve = Reserve::of(data);
    let mut fetched = fetch(&path, began).map_err(|error| why(error, &reserve));
    if matches!(fetched, Err(OpenError::NoRoom(..))) && reserve.is_held() {
        reserve.give();
        fetched = fetch(&path, began).map_err(|error| why(error, &reserve));
    }
    let Fetched { db, found, loaded, damage } = fetched?;
    sync_directory(data).map_err(|error| OpenError::Directory(data.to_owned(), error))?;
    let millis = u64::try_from(clock.now().tick.since(began.tick).as_millis()).unwrap_or(u64::MAX);
    let (rooms, records) = (loaded.rooms.len(), loaded.records);
    let file = path.display().to_string();
    log::info!(file, found = found.words(), log_bytes, rooms, records, millis; "the store is open");
    let is_clean = matches!(found, Found::New | Found::Clean);
    let full = || {
        let refusal = reserve.take().err()?;
        let error = ffi::Error::new(ffi::SQLITE_FULL);
        Some(rusqlite::Error::SqliteFailure(error, Some(refusal.to_string())))
    };
    let trouble = damage.map(damaged).or_else(full);
    Ok(Opened { db, lock, loaded, is_clean, reserve, trouble })
}

/// A file that was read.
struct Fetched {
    db: Database,
    found: Found,
    loaded: Loaded,
    /// What is not as it should be: then nothing was written.
    damage: Option<String>,
}

/// Opens the file, takes it over if it is whole, and reads what was kept.
fn fetch(path: &Path, now: Now) -> Result<Fetched, OpenError> {
    if !path.exists() {
        create(path)?;
    }
    let mut db = prepare(path).map_err(|unfit| unfit_file(path, unfit))?;
    let damage = inspect(&db).map_err(|error| failed(path, error))?;
    let found = match damage {
        None => take_over(&mut db, now).map_err(|error| failed(path, error))?,
        Some(_) => Found::Damaged,
    };
    let loaded = load(&db).map_err(|fault| match fault {
        LoadFault::Failed(error) => failed(path, error),
        LoadFault::Damaged(table) => {
            OpenError::Damaged(path.to_owned(), format!("a row of table {table} makes no sense"))
        }
    })?;
    Ok(Fetched { db, found, loaded, damage })
}

/// The same error, or that there is no room, if that is what the file system says.
fn why(error: OpenError, reserve: &Reserve) -> OpenError {
    let OpenError::Failed(path, error) = error else { return error };
    let is_full = classify(&error) == LogFault::Full
        || reserve.refusal().is_some_and(|refusal| is_no_room(&refusal));
    if is_full { OpenError::NoRoom(path, error) } else { OpenError::Failed(path, error) }
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
    /// It is not what was written.
    Damaged,
}

impl Found {
    const fn words(self) -> &'static str {
        match self {
            Self::New => "nothing: it is new",
            Self::Clean => "closed in good order",
            Self::Killed => "not closed: the server was killed",
            Self::PowerLost => "not closed: the machine went down",
            Self::Damaged => "damage: nothing is written",
        }
    }
}

/// Has a file that reaches `RLIMIT_FSIZE` be an error of the write, instead of the end of the process.
pub(in crate::store) fn outlive_file_limit() -> io::Result<()> {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag).map(|_| ())
}

pub(in crate::store) fn make_directory(data: &Path) -> io::Result<()> {
    if data.is_dir() {
        return Ok(());
    }
    if data.exists() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no directory"));
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

/// Makes the file under another name, so that it is whole from the moment it has its own.
fn create(path: &Path) -> Result<(), OpenError> {
    let part = beside(path, ".new");
    // What is there a start has left that did not come to its end.
    for suffix in [".new", ".new-journal"] {
        _ = std::fs::remove_file(beside(path, suffix));
    }
    let mut db = Database::open(&part).map_err(|error| failed(path, error))?;
    schema::migrate(&mut db).map_err(|unfit| unfit_file(path, unfit))?;
    identity::give(&db).map_err(|error| failed(path, error))?;
    drop(db);
    let named = std::fs::rename(&part, path);
    named.map_err(|error| OpenError::Directory(path.to_owned(), error))
}

/// Opens the file, if it is one of ours, and brings it to the present schema.
fn prepare(path: &Path) -> Result<Database, Unfit> {
    let alone = identity::alone(path);
    let mut db = Database::open(path)?;
    // Nothing is written to a file before it is known to be ours.
    schema::check(&db)?;
    identity::check(&db, alone)?;
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
    unseal(&transaction)?;
    transaction.execute("INSERT OR REPLACE INTO meta VALUES ('clean', 0)", [])?;
    transaction.execute("INSERT OR REPLACE INTO meta VALUES ('boot', ?1)", [boot.trim()])?;
    transaction.commit()?;
    Ok(found)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn file_len(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

pub(in crate::store) fn unfit_file(path: &Path, unfit: Unfit) -> OpenError {
    let path = path.to_owned();
    match unfit {
        Unfit::Foreign => OpenError::Foreign(path),
        Unfit::Empty => OpenError::Empty(path),
        Unfit::Strange => {
            let log = beside(&path, "-wal");
            OpenError::Strange(path, log)
        }
        Unfit::Newer(found, known) => OpenError::Newer(path, found, known),
        Unfit::Damaged(error) => OpenError::Damaged(path, error.to_string()),
        Unfit::Failed(error) => OpenError::Failed(path, error),
    }
}

fn failed(path: &Path, error: rusqlite::Error) -> OpenError {
    unfit_file(path, Unfit::from(error))
}
