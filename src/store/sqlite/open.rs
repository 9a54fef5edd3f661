//! Opening the store: the directory, its lock, the file, and how it was left.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::ffi;
use rusqlite::types::Value;
use rusqlite::wal::CheckpointMode;

use super::audit;
use super::clock_shift;
use super::connection::{self, WriteConnection, is_busy};
use super::copy_mark::{self, Marks};
use super::data_dir::{self, DATABASE, HeldLock, file_len, with_suffix};
use super::disk_reserve::{DiskReserve, is_no_space};
use super::file_id;
use super::heads;
use super::integrity::{check_rooms, remove_checksum};
use super::load_rooms::{Loaded, begin, has_many};
use super::log_fault::{classify, damaged};
use super::meta_table::{self, BOOT, CLEAN};
use super::moving_state::Moved;
use super::open_error::OpenError;
use super::options::Options;
use super::renewals::{Renewed, renew_epochs};
use super::reports;
use super::schema::{self, Unfit};
use crate::chat::model::log::LogFault;
use crate::time::clock::{Clock, Now};
use crate::time::millis;
use crate::time::wall_watch::{Kept, WallWatch};

/// The oldest SQLite that may be used: earlier ones can damage a WAL while it is moved into the
/// file.
const SQLITE_MIN: i32 = 3_051_003;
/// Where Linux tells which boot of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A file that is open and locked, for as long as the connection is.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) db: WriteConnection,
    pub(super) loaded: Loaded,
    /// It was closed in good order, or is new.
    pub(super) is_clean: bool,
    pub(super) reserve: DiskReserve,
    /// Why nothing can be written for the time being, or ever.
    pub(super) write_error: Option<rusqlite::Error>,
}

/// Opens the file, makes it and its directory if they are not there, and reads what is needed at
/// once.
pub(super) fn open(options: &Options, clock: &Clock) -> Result<Opened, OpenError> {
    let data = &*options.data;
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(OpenError::Library(rusqlite::version()));
    }
    let began = clock.now();
    let failed = |error| OpenError::Directory(data.to_owned(), error);
    data_dir::ignore_file_size_signal().map_err(failed)?;
    data_dir::make(data).map_err(failed)?;
    // Before the file is opened: two servers must not even read it at the same time.
    let lock = data_dir::lock(data)?;
    let path = data.join(DATABASE);
    let wal_bytes = file_len(&with_suffix(&path, "-wal"));
    let mut reserve = DiskReserve::of(data);
    let mut marked = None;
    let mut read =
        read(&path, began, options, &mut marked).map_err(|error| or_no_space(error, &reserve));
    if matches!(read, Err(OpenError::NoRoom(..))) && reserve.is_held() {
        // SQLite needs some space to open a file that was not closed.
        reserve.release();
        read = self::read(&path, began, options, &mut marked)
            .map_err(|error| or_no_space(error, &reserve));
    }
    let again = || {
        self::read(&path, began, options, &mut marked).map_err(|error| or_no_space(error, &reserve))
    };
    // A server that has its connections already, of another process or of before a hand-over that
    // failed, holds them up for as long as it waits.
    let patience = if options.ends_memory_rooms { LOCK_PATIENCE } else { Duration::ZERO };
    let FileRead { mut db, left, loaded, damage } = wait_for_lock(read, (clock, patience), again)?;
    if left == FileLeft::New {
        data_dir::sync_parent(&path).map_err(failed)?;
    }
    warn_of_library(&db).map_err(OpenError::of_sqlite(&path))?;
    let millis = millis(clock.now().tick.since(began.tick));
    let rooms = loaded.elsewhere.rooms;
    let file = path.display().to_string();
    log::info!(
        file, found = left.describe(), log_bytes = wal_bytes, rooms, millis;
        "the store is open"
    );
    let is_clean = matches!(left, FileLeft::New | FileLeft::Clean);
    let full = || {
        let error = reserve.acquire().err()?;
        let full = ffi::Error::new(ffi::SQLITE_FULL);
        Some(rusqlite::Error::SqliteFailure(full, Some(error.to_string())))
    };
    let write_error = damage.map(damaged).or_else(full);
    db.hold(HeldLock::new(lock, data.to_owned()));
    Ok(Opened { db, loaded, is_clean, reserve, write_error })
}

/// How long a start waits for another process that has locked the file, as long as a commit does.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
/// From one attempt to the next.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What was read, or what is `again`, if another process has locked the file for a while, as a tool
/// does that copies it.
fn wait_for_lock<T>(
    first: Result<T, OpenError>,
    (clock, patience): (&Clock, Duration),
    mut again: impl FnMut() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    let until = clock.now().tick.after(patience);
    let mut read = first;
    let mut is_told = false;
    while let Err(OpenError::Failed(path, error)) = &read
        && is_busy(error)
        && clock.now().tick < until
    {
        if !std::mem::replace(&mut is_told, true) {
            let file = path.display().to_string();
            log::warn!(file; "another process has locked the file: the start waits for it");
        }
        std::thread::park_timeout(LOCK_PAUSE);
        read = again();
    }
    read
}

/// A file that was read.
struct FileRead {
    db: WriteConnection,
    left: FileLeft,
    loaded: Loaded,
    /// What is wrong with it: then nothing was written.
    damage: Option<String>,
}

/// Opens the file, marks it as in use if it is whole, and reads what is needed at once. How it was
/// left is put down as `marked` with the mark, which hides it from an attempt that comes after this
/// one has met a lock.
fn read(
    path: &Path,
    now: Now,
    options: &Options,
    marked: &mut Option<FileLeft>,
) -> Result<FileRead, OpenError> {
    let mut is_new = false;
    if !path.exists() {
        if let Some(found) = data_dir::remains(path) {
            return Err(OpenError::Incomplete(path.to_owned(), found));
        }
        create(path)?;
        is_new = true;
    }
    // Opening a pipe would wait for who writes to it.
    if !path.is_file() {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let failed = OpenError::of_sqlite(path);
    let wal_bytes = if is_new { None } else { Some(file_len(&with_suffix(path, "-wal"))) };
    let prepared = prepare(path).map_err(|unfit| OpenError::of_unfit(path, unfit))?;
    let (mut db, without_wal) = prepared;
    if let Some(moved) = Moved::load(&db).map_err(&failed)? {
        return Err(OpenError::Moved(path.to_owned(), moved));
    }
    // A file with many rooms is not read whole before it serves: each is checked when it is loaded.
    let damage =
        if has_many(&db).map_err(&failed)? { None } else { check_rooms(&db).map_err(&failed)? };
    let left = match damage {
        None => {
            let found = (data_dir::parent(path), wal_bytes, without_wal);
            mark_in_use(&mut db, found, (now, options), marked).map_err(&failed)?
        }
        Some(_) => FileLeft::Damaged,
    };
    // Read also where damage was found: what can be read is still served, and nothing is written.
    let loaded = begin(&db, options.proves_names).map_err(&failed)?;
    // What was to take the place of this file, of a command that was cut off.
    remove_part(path);
    warn_of_erasures(&db).map_err(&failed)?;
    Ok(FileRead { db, left, loaded, damage })
}

/// Removes a file as long as the database that nobody else would.
fn remove_part(path: &Path) {
    for suffix in [".part", ".part-journal"] {
        _ = std::fs::remove_file(with_suffix(path, suffix));
    }
}

/// Says which erasures of users were cut off: of what they have written a part is there.
fn warn_of_erasures(db: &WriteConnection) -> rusqlite::Result<()> {
    for user in meta_table::unfinished_erasures(db)? {
        log::warn!(
            user;
            "an erasure of this user was cut off: stop the server and run chinwag erase-user again"
        );
    }
    Ok(())
}

/// The same error, or that there is no space, if that is what the file system says.
fn or_no_space(error: OpenError, reserve: &DiskReserve) -> OpenError {
    let OpenError::Failed(path, error) = error else { return error };
    let is_full = classify(&error) == LogFault::Full
        || reserve.probe().is_some_and(|refusal| is_no_space(&refusal));
    if is_full { OpenError::NoRoom(path, error) } else { OpenError::Failed(path, error) }
}

/// How the file was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileLeft {
    New,
    Clean,
    /// The process ended before it could close it.
    Killed,
    /// Likewise, and somebody has removed its WAL since, or copied the file without it.
    WalLost,
    /// However it was left, this is a copy of what it was at some time.
    Copied,
    /// The machine did: what it had not synced may be lost.
    PowerLost,
    /// It is not what was written.
    Damaged,
}

impl FileLeft {
    const fn describe(self) -> &'static str {
        match self {
            Self::New => "nothing: it is new",
            Self::Clean => "closed in good order",
            Self::Killed => "not closed: the server was killed",
            Self::PowerLost => "not closed: the machine went down",
            Self::WalLost => "not closed, and without its -wal",
            Self::Copied => "a copy that was put in its place",
            Self::Damaged => "damage: nothing is written",
        }
    }
}

/// Makes the file under another name, so that it is whole from the moment it has its own.
fn create(path: &Path) -> Result<(), OpenError> {
    let part = with_suffix(path, ".new");
    // An earlier start may have been killed while it made the file.
    for suffix in [".new", ".new-journal", ".new-wal", ".new-shm"] {
        _ = std::fs::remove_file(with_suffix(path, suffix));
    }
    let make = || -> Result<(), Unfit> {
        let mut db = WriteConnection::open(&part)?;
        // One sync at the end is enough.
        db.pragma_update(None, "synchronous", "off")?;
        schema::migrate(&mut db)?;
        file_id::renew(&db)?;
        meta_table::put(&db, CLEAN, 0)?;
        meta_table::put(&db, BOOT, boot().trim())?;
        db.use_wal()?;
        db.pragma_update(None, "synchronous", "off")?;
        Ok(db.close_and_remove_wal()?)
    };
    make().map_err(|unfit| OpenError::of_unfit(path, unfit))?;
    // Synced before it has its name, or a power loss could leave the name with nothing in it.
    let placed = File::open(&part).and_then(|file| file.sync_all());
    let placed = placed.and_then(|()| std::fs::rename(&part, path));
    placed.map_err(|error| OpenError::Directory(path.to_owned(), error))
}

/// Which boot of the machine this is, if the system says so.
fn boot() -> String {
    std::fs::read_to_string(BOOT_ID).unwrap_or_default()
}

/// Says if the program was built without the flags for SQLite that belong to it.
fn warn_of_library(db: &WriteConnection) -> rusqlite::Result<()> {
    if !connection::has_build_flags(db)? {
        log::warn!("{}", connection::WITHOUT_BUILD_FLAGS);
    }
    Ok(())
}

/// Opens the file, if it is one of ours, and brings it to the last version of the schema; with the
/// number that it has without its WAL.
fn prepare(path: &Path) -> Result<(WriteConnection, Option<i64>), Unfit> {
    let without_wal = file_id::without_wal(path);
    let opened = || {
        let db = WriteConnection::open(path)?;
        // Nothing is written to a file before it is known to be ours.
        schema::check(&db)?;
        file_id::check(&db, without_wal)?;
        Ok(db)
    };
    let mut db = opened().map_err(|unfit| match unfit {
        // The file alone can be read.
        Unfit::Damaged(_) if without_wal.is_some() => Unfit::WalMismatch,
        unfit => unfit,
    })?;
    db.use_wal()?;
    schema::migrate(&mut db)?;
    Ok((db, without_wal))
}

/// Marks the file as ours and not closed. If the machine went down with it, the rooms that may have
/// lost records begin a new epoch: clients may know their seqs, which will be given again.
///
/// While the file is in use its WAL is never empty: one that is not there (`wal_bytes` is 0) was
/// removed, or the file was copied without it, and records with it. `wal_bytes` is `None` of a file
/// that is new. A copy, too, may lack records that clients know.
fn mark_in_use(
    db: &mut WriteConnection,
    (data, wal_bytes, without_wal): (&Path, Option<u64>, Option<i64>),
    (now, options): (Now, &Options),
    marked: &mut Option<FileLeft>,
) -> rusqlite::Result<FileLeft> {
    let boot = boot();
    let boot = boot.trim();
    // A slow disk must not be asked twice: the checkpoint syncs what this writes.
    db.pragma_update(None, "synchronous", "off")?;
    let transaction = db.transaction()?;
    let clean = meta_table::get::<Value>(&transaction, CLEAN)?;
    let last_boot = meta_table::get::<Value>(&transaction, BOOT)?;
    let is_same_boot = last_boot == Some(boot.to_owned().into()) && !boot.is_empty();
    // Asked before anything is written, which would make them this start's.
    let marks = Marks::of(&transaction, data)?;
    let left = match (clean, wal_bytes) {
        (None, _) | (_, None) => FileLeft::New,
        (Some(clean), Some(0)) if clean != Value::Integer(1) => FileLeft::WalLost,
        _ if marks.are_of_another() => FileLeft::Copied,
        (Some(Value::Integer(1)), _) => FileLeft::Clean,
        (Some(_), _) if is_same_boot => FileLeft::Killed,
        (Some(_), _) => FileLeft::PowerLost,
    };
    let left = marked.unwrap_or(left);
    match left {
        FileLeft::PowerLost => renew_epochs(&transaction, Renewed::Os, now.wall_ms)?,
        FileLeft::WalLost | FileLeft::Copied => {
            renew_epochs(&transaction, Renewed::All, now.wall_ms)?;
        }
        FileLeft::New | FileLeft::Clean | FileLeft::Killed | FileLeft::Damaged => {}
    }
    keep_terms(&transaction, now)?;
    if options.ends_memory_rooms {
        audit::end_missing_rooms(&transaction, now.wall_ms)?;
        reports::release_missing_rooms(&transaction)?;
    }
    // Before anything else is written: from here on nobody keeps it true.
    remove_checksum(&transaction)?;
    heads::begin_tail(&transaction)?;
    // With it in the file a kill at any later moment is seen by the next start.
    meta_table::put(&transaction, CLEAN, 0)?;
    meta_table::put(&transaction, BOOT, boot)?;
    file_id::renew_at_start(&transaction, without_wal)?;
    let number = marks.renew(&transaction, data)?;
    transaction.commit()?;
    *marked = Some(left);
    db.pragma_update(None, "synchronous", "full")?;
    // The file itself must say that it is in use, or without its WAL it would look closed. A new
    // one has said so from the beginning.
    if left != FileLeft::New {
        let (pages, moved) = db.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)?;
        // Not all is moved while another process reads.
        if pages == moved {
            db.pragma_update(None, "synchronous", "off")?;
            file_id::forget_before(db)?;
            db.pragma_update(None, "synchronous", "full")?;
            copy_mark::remove_others(data, &number);
        }
    }
    say_what_is_lost(left, db.path());
    Ok(left)
}

/// Where the clock was set since the file was in use, as of a board without a clock chip, the terms
/// of bans, mutes and links keep their length, as they do when it is set while the server runs. The
/// clock is kept in the same transaction, so that they are moved once.
fn keep_terms(db: &Connection, now: Now) -> rusqlite::Result<()> {
    let Some(seen_ms) = meta_table::clock(db)?.map(|kept| kept.seen_ms) else { return Ok(()) };
    let Some(step_ms) = WallWatch::set_while_off(now, seen_ms) else { return Ok(()) };
    clock_shift::shift(db, step_ms, |_room| true)?;
    meta_table::put_clock(db, Kept { since_ms: now.wall_ms, seen_ms: now.wall_ms })
}

/// Says that records may be gone that clients know.
fn say_what_is_lost(left: FileLeft, path: &Path) {
    let file = path.display().to_string();
    if left == FileLeft::Copied {
        log::warn!(
            file;
            "the database was copied here, or its chinwag.mark file is gone, so that it may lack what was said \
             since: all rooms begin a new epoch, so that clients notice"
        );
    }
    if left == FileLeft::WalLost {
        log::warn!(
            file;
            "the write-ahead log of a server that was killed is gone, and what it held is lost: all rooms \
             begin a new epoch, so that clients notice"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustix::fs::{CWD, FileType, Mode};

    use super::super::integers::unsigned;
    use super::super::testing::{database, room};
    use super::*;
    use crate::time::Tick;

    #[test]
    fn a_start_waits_for_another_process_that_has_locked_the_file_and_for_nothing_else() {
        let failed = |code| -> Result<u8, OpenError> {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            Err(OpenError::Failed("chinwag.db".into(), error))
        };
        let mut left = vec![Ok(7), failed(ffi::SQLITE_BUSY), failed(ffi::SQLITE_BUSY_RECOVERY)];
        let again = || left.pop().unwrap();
        let clock = &Clock::start();
        let found = wait_for_lock(failed(ffi::SQLITE_BUSY), (clock, LOCK_PATIENCE), again);
        assert!(matches!(found, Ok(7)), "{found:?}");
        let again = || panic!("a disk that is broken is not waited for");
        let found = wait_for_lock(failed(ffi::SQLITE_IOERR), (clock, LOCK_PATIENCE), again);
        found.unwrap_err();
        let again = || panic!("nor is anything where people would be held up");
        wait_for_lock(failed(ffi::SQLITE_BUSY), (clock, Duration::ZERO), again).unwrap_err();
    }

    #[test]
    fn a_start_that_meets_a_lock_behind_its_mark_goes_on_with_what_it_has_found() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path().to_owned(), Arc::default());
        let (path, clock) = (folder.path().join(DATABASE), Clock::start());
        let mut marked = None;
        let mut attempt = || read(&path, clock.now(), &options, &mut marked).unwrap().left;
        assert_eq!([attempt(), attempt()], [FileLeft::New; 2]);
        std::fs::remove_file(with_suffix(&path, "-wal")).unwrap();
        let mut marked = None;
        let mut attempt = || read(&path, clock.now(), &options, &mut marked).unwrap().left;
        assert_eq!([attempt(), attempt()], [FileLeft::WalLost; 2]);
    }

    #[test]
    fn what_is_no_file_is_said_to_be_none_of_ours_and_nobody_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let options = Options::new(folder.path().to_owned(), Arc::default());
        let refused = open(&options, &Clock::start()).unwrap_err();
        assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");
    }

    #[test]
    fn a_term_keeps_its_length_over_starts_with_a_wrong_clock() {
        const HOUR_MS: u64 = 3_600_000;
        let right_ms = 1_763_700_000_000;
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        let until = right_ms + HOUR_MS;
        let sql = format!(
            "INSERT INTO suspension VALUES ('user eve', {until}, ''), ('user bob', NULL, ''); \
             INSERT INTO restriction (room, user, kind, until, reason) VALUES (1, 'zoe', 1, {until}, ''); \
             INSERT INTO invite VALUES (x'00', 1, {until}, '', NULL, 0); \
             INSERT INTO file VALUES ('a', 'a', 'ann', 1, 0, {until}), ('b', 'b', 'ann', 1, 0, 0); \
             INSERT INTO profile (user, display, text, until) \
             VALUES ('ann', '', 'tea', {until}), ('bob', 'Bob', '', NULL)"
        );
        db.execute_batch(&sql).unwrap();
        meta_table::put_clock(&db, Kept { since_ms: 0, seen_ms: right_ms }).unwrap();
        let ten_years_ms = 10 * 365 * 24 * HOUR_MS;
        // A board without a clock chip, which is then told the time; a clock that is years ahead.
        for wall_ms in [100_000, right_ms, right_ms + ten_years_ms, right_ms] {
            for start in 0..2 {
                keep_terms(&db, Now { tick: Tick::ZERO, wall_ms }).unwrap();
                let sql = "SELECT until FROM suspension WHERE until IS NOT NULL \
                           UNION SELECT until FROM restriction UNION SELECT until FROM invite \
                           UNION SELECT until FROM profile WHERE until IS NOT NULL \
                           UNION SELECT loose FROM file WHERE loose > 0";
                let until: i64 = db.query_one(sql, [], |row| row.get(0)).unwrap();
                assert_eq!(unsigned(until), wall_ms + HOUR_MS, "{wall_ms} {start}");
            }
        }
        // Two days off count, as they should.
        keep_terms(&db, Now { tick: Tick::ZERO, wall_ms: right_ms + 48 * HOUR_MS }).unwrap();
        let sql = "SELECT max(until) FROM suspension";
        let found: i64 = db.query_one(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(unsigned(found), until);
    }
}
