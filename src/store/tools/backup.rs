//! A backup: a copy of the database as it is at one moment, while the server goes on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, ffi};

use super::interruption::Interruption;
use super::{ToolError, files, open};
use crate::store::Folder;
use crate::store::sqlite::data_dir::{self, with_suffix};
use crate::store::sqlite::{file_id, schema};

/// Pages that are copied at once, 4 MiB: one call holds up nobody, and the memory stays small.
const PAGES_AT_ONCE: i32 = 1_024;

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Rooms in the copy.
    pub rooms: u64,
    /// Records in the copy.
    pub records: u64,
    /// Bytes of the copy.
    pub bytes: u64,
}

/// Copies the database in `data` to `file`, which must not exist, and the files that people have
/// sent to the folder `FILE.files`, if there are any. It is written as `FILE.part` and
/// renamed when it is whole and on the disk. What an earlier backup that was killed has left of
/// `FILE.part` is written over; that of one that is still at work is not.
///
/// # Errors
///
/// [`ToolError`]; nothing of the copy is left then.
pub fn run(data: &Path, file: &Path) -> Result<Copied, ToolError> {
    // Before anything is made: where no database is, no empty copy of it may be left.
    let source = open::read(&open::path(data))?;
    if fs::symlink_metadata(file).is_ok() {
        return Err(ToolError::Exists(file.to_owned()));
    }
    if is_of_server(data, file) {
        return Err(ToolError::NameOfServer(file.to_owned()));
    }
    let part = with_suffix(file, ".part");
    let _lock = create(&part)?;
    let copied = copy(&source, &open::path(data), &part).and_then(|copied| {
        // Before the copy is called one: a backup that is there is whole.
        files::take(data, &part, &Folder::beside(file))?;
        put_in_place(&part, file)?;
        Ok(copied)
    });
    if copied.is_err() {
        remove(&part);
    }
    copied
}

/// How names in the directory begin that the server or SQLite makes there, reads or removes.
const NAMES_OF_SERVER: &[&str] = &[
    "chinwag.db-",
    "chinwag.db.part",
    "chinwag.db.new",
    "chinwag.lock",
    "chinwag.reserve",
    "chinwag.asked",
    "chinwag.mark-",
];

/// Whether the server keeps something of its own at `file`, or may come to do so.
fn is_of_server(data: &Path, file: &Path) -> bool {
    let place = |path: &Path| fs::canonicalize(path).ok();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_own = name == "files" || NAMES_OF_SERVER.iter().any(|own| name.starts_with(own));
    is_own && place(data_dir::parent(file)).is_some_and(|parent| Some(parent) == place(data))
}

/// Makes the file that is written to, and locks it for as long as what is returned is held: a file
/// of this name that nobody has locked is a leftover.
fn create(part: &Path) -> Result<File, ToolError> {
    let open =
        |options: &mut OpenOptions| options.write(true).open(part).map_err(ToolError::file(part));
    if fs::symlink_metadata(part).is_ok() {
        lock(&open(&mut OpenOptions::new())?, part)?;
        remove(part);
    }
    let file = open(OpenOptions::new().create_new(true))?;
    lock(&file, part)?;
    Ok(file)
}

fn lock(file: &File, part: &Path) -> Result<(), ToolError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ToolError::Unfinished(part.to_owned())),
        // A file system without locks: two backups to one name are then the operator's fault.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Removes an unfinished copy and what SQLite keeps beside it.
pub(super) fn remove(part: &Path) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        _ = fs::remove_file(with_suffix(part, suffix));
    }
}

/// Copies what `source` sees in one transaction into the empty file `part`, and syncs it.
pub(super) fn copy(source: &Connection, from: &Path, part: &Path) -> Result<Copied, ToolError> {
    // The transaction sees the database as of now until it ends, whatever is written meanwhile.
    let at_once = source.unchecked_transaction().map_err(ToolError::database(from))?;
    schema::check(&at_once).map_err(ToolError::unfit(from))?;
    let of_part = |error| open::or_no_space(part)(ToolError::Database(part.to_owned(), error));
    let mut target = Connection::open(part).map_err(of_part)?;
    let interruption = Interruption::watch(part)?;
    copy_pages(&at_once, &mut target, &interruption).map_err(|error| {
        let place = if is_of_target(&error) { part } else { from };
        open::or_no_space(place)(ToolError::Database(place.to_owned(), error))
    })?;
    if interruption.has_come() {
        return Err(ToolError::Interrupted);
    }
    // No WAL beside it: the operator moves the copy around as one file.
    let alone = |target: &Connection| {
        target.pragma_update(None, "journal_mode", "DELETE")?;
        // It is another file from now on: put in the original's place by hand, it must not be taken
        // for the one that the WAL there belongs to.
        file_id::renew(target)?;
        let count = |table| {
            let sql = format!("SELECT count(*) FROM {table}");
            let count = target.query_row(&sql, [], |row| row.get::<_, i64>(0))?;
            Ok::<_, rusqlite::Error>(u64::try_from(count).unwrap_or(0))
        };
        Ok((count("room")?, count("record")?))
    };
    let (rooms, records) = alone(&target).map_err(ToolError::database(part))?;
    target.close().map_err(|(_, error)| ToolError::Database(part.to_owned(), error))?;
    let synced = || {
        let file = File::open(part)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    };
    let bytes = synced().map_err(ToolError::file(part))?;
    Ok(Copied { rooms, records, bytes })
}

/// Whether it is the copy that cannot be written, and not the original that cannot be read.
fn is_of_target(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| match error.code {
        ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::CannotOpen => true,
        ErrorCode::SystemIoFailure => error.extended_code != ffi::SQLITE_IOERR_READ,
        _ => false,
    })
}

fn copy_pages(
    source: &Connection,
    target: &mut Connection,
    interruption: &Interruption,
) -> rusqlite::Result<()> {
    // The whole file is synced at the end.
    target.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(source, target)?;
    loop {
        match backup.step(PAGES_AT_ONCE)? {
            StepResult::Done => return Ok(()),
            StepResult::More if interruption.has_come() => return Ok(()),
            StepResult::More => {}
            // Busy or locked, which cannot be: the source is in a transaction, and the target is
            // new.
            _ => {
                return Err(rusqlite::Error::SqliteFailure(
                    ffi::Error::new(ffi::SQLITE_BUSY),
                    None,
                ));
            }
        }
    }
}

/// Renames the copy, unless another file has the name by now.
fn put_in_place(part: &Path, file: &Path) -> Result<(), ToolError> {
    // Unlike renaming, linking does not replace an existing file. Some file systems have no links.
    match fs::hard_link(part, file) {
        Ok(()) => fs::remove_file(part).map_err(ToolError::file(part))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ToolError::Exists(file.to_owned()));
        }
        Err(_) => fs::rename(part, file).map_err(ToolError::file(file))?,
    }
    open::sync_directory_of(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, message, room, say};
    use crate::store::tools::verify;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_backup_is_one_whole_file_while_the_database_is_written() {
        let (folder, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let db = database(&folder);
        room(&db, 1, "lobby");
        for _ in 0..500 {
            say(&db, 1, "ann", message(&"hello ".repeat(100)));
        }
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        say(&db, 1, "ann", message("not committed"));
        let file = target.path().join("chinwag.db");
        let copied = run(folder.path(), &file).unwrap();
        assert_eq!((copied.rooms, copied.records), (1, 500));
        assert_eq!(copied.bytes, fs::metadata(&file).unwrap().len());
        assert_eq!(names(target.path()), ["chinwag.db"]);
        let found = verify::run(target.path(), &mut |fault| panic!("{fault}")).unwrap();
        assert_eq!((found.records, found.faults), (500, 0));
    }

    #[test]
    fn what_is_written_between_two_steps_is_not_in_the_copy() {
        let (folder, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let db = database(&folder);
        room(&db, 1, "lobby");
        say(&db, 1, "ann", message("hello"));
        let from = open::path(folder.path());
        let source = open::read(&from).unwrap();
        let at_once = source.unchecked_transaction().unwrap();
        schema::check(&at_once).unwrap();
        let mut copy = Connection::open(target.path().join("copy")).unwrap();
        let backup = Backup::new(&at_once, &mut copy).unwrap();
        let mut steps = 0;
        while backup.step(1).unwrap() != StepResult::Done {
            say(&db, 1, "ann", message("later"));
            steps += 1;
        }
        drop(backup);
        assert!(steps > 5, "{steps} pages");
        let sql = "SELECT count(*) FROM record";
        let records: i64 = copy.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(records, 1);
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_is_left_of_a_failure() {
        let (folder, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = target.path().join("copy");
        let missing = run(folder.path(), &file).unwrap_err();
        assert!(matches!(missing, ToolError::Missing(_)), "{missing}");
        drop(database(&folder));
        fs::write(&file, "mine").unwrap();
        let refused = run(folder.path(), &file).unwrap_err();
        assert!(matches!(refused, ToolError::Exists(_)), "{refused}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        fs::remove_file(&file).unwrap();
        let other = create(&with_suffix(&file, ".part")).unwrap();
        let refused = run(folder.path(), &file).unwrap_err();
        assert!(matches!(refused, ToolError::Unfinished(_)), "{refused}");
        drop(other);
        for name in ["files", "chinwag.db-journal", "chinwag.db.part", "chinwag.mark-7"] {
            let refused = run(folder.path(), &folder.path().join(name)).unwrap_err();
            assert!(matches!(refused, ToolError::NameOfServer(_)), "{name}: {refused}");
        }
        run(folder.path(), &folder.path().join("chinwag.db.bak")).unwrap();
        let nowhere = target.path().join("no/where");
        assert!(matches!(run(folder.path(), &nowhere), Err(ToolError::File(..))));
        assert_eq!(names(target.path()), ["copy.part"]);
    }

    #[test]
    fn a_copy_that_cannot_be_written_is_blamed_and_not_the_original() {
        let (folder, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(database(&folder));
        let (from, part) = (open::path(folder.path()), target.path().join("copy.part"));
        fs::create_dir(with_suffix(&part, "-journal")).unwrap();
        let refused = copy(&open::read(&from).unwrap(), &from, &part).unwrap_err();
        assert!(matches!(&refused, ToolError::Database(path, _) if *path == part), "{refused}");
    }

    #[test]
    fn what_a_killed_backup_has_left_is_written_over() {
        let (folder, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(database(&folder));
        let file = target.path().join("copy");
        for suffix in [".part", ".part-journal"] {
            fs::write(with_suffix(&file, suffix), "half of it").unwrap();
        }
        run(folder.path(), &file).unwrap();
        assert_eq!(names(target.path()), ["copy"]);
    }
}
