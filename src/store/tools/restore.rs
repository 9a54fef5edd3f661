//! Restoring a backup. Clients may know the seqs that came after it: every room begins a new epoch.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::backup::{self, Copied};
use super::verify;
use super::{ToolError, files, open};
use crate::log::Timestamp;
use crate::store::Folder;
use crate::store::sqlite::copy_mark;
use crate::store::sqlite::data_dir::{self, file_len, with_suffix};
use crate::store::sqlite::file_id;
use crate::store::sqlite::integrity::remove_checksum;
use crate::store::sqlite::meta_table::{self, CLEAN, MARKS};
use crate::store::sqlite::renewals::renew_all_now;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What is there now.
    pub copied: Copied,
    /// The new name of the previous database, if there was one.
    pub kept: Option<PathBuf>,
}

/// Puts the backup `file` in the place of the database in `data`, which no server may be using.
/// `wall_ms` is the present time, which makes the epochs and the name of what was there.
///
/// # Errors
///
/// [`ToolError`]; the database is as it was then.
pub fn run(data: &Path, file: &Path, wall_ms: u64) -> Result<Restored, ToolError> {
    let source = open::backup(file)?;
    // Before anything is touched: a faulty backup must not replace a database that may be better.
    check_sound(&source, file)?;
    data_dir::make(data).map_err(ToolError::file(data))?;
    let _lock = open::lock(data)?;
    let place = open::path(data);
    // Beside its place, so that the last step is a renaming within one file system.
    let part = with_suffix(&place, ".part");
    // An interrupted restore may have left it; nobody is writing it, since the lock is ours.
    backup::remove(&part);
    let restored = backup::copy(&source, file, &part).and_then(|copied| {
        begin_epochs(&part, wall_ms)?;
        // An operator restores as root, and the server has to open the file as who it runs as.
        data_dir::give_to_owner(&part).map_err(ToolError::file(&part))?;
        let here = Folder::of(data);
        // Files before the database that refers to them: a kill between the two leaves files too
        // many, which the server removes, and no message whose file is gone.
        files::put_back(&source, (file, &Folder::beside(file)), &here)?;
        let kept = kept_as(&place, wall_ms)?;
        if let Some(kept) = &kept {
            // First, since this may fail: then the database is as it was.
            files::keep(&here, &Folder::beside(kept))?;
            keep(&place, kept)?;
        }
        fs::rename(&part, &place).map_err(ToolError::file(&place))?;
        open::sync_directory_of(&place)?;
        Ok(Restored { copied, kept })
    });
    if restored.is_err() {
        backup::remove(&part);
    }
    restored
}

/// Refuses a backup that has faults.
fn check_sound(source: &Connection, file: &Path) -> Result<(), ToolError> {
    let mut first = None;
    let found = verify::check(source, &mut |fault| {
        first.get_or_insert_with(|| fault.to_string());
    });
    let found = found.map_err(ToolError::database(file))?;
    match first {
        Some(first) => Err(ToolError::Faulty(file.to_owned(), first, found.faults)),
        None => Ok(()),
    }
}

/// Gives each room an epoch that it never had, in a file that no server has opened yet.
fn begin_epochs(part: &Path, wall_ms: u64) -> Result<(), ToolError> {
    let begin = || {
        let mut db = Connection::open(part)?;
        db.pragma_update(None, "synchronous", "FULL")?;
        let transaction = db.transaction()?;
        renew_all_now(&transaction, wall_ms)?;
        // The copy was made of a database that was perhaps in use, and says so; it is itself whole.
        meta_table::put(&transaction, CLEAN, 1)?;
        meta_table::put(&transaction, MARKS, copy_mark::ANYWHERE)?;
        file_id::renew(&transaction)?;
        remove_checksum(&transaction)?;
        transaction.commit()?;
        db.close().map_err(|(_, error)| error)
    };
    begin().map_err(ToolError::database(part))
}

/// What the present database is called from now on, if there is one.
fn kept_as(place: &Path, wall_ms: u64) -> Result<Option<PathBuf>, ToolError> {
    if !place.exists() {
        return Ok(None);
    }
    let date: String =
        Timestamp(wall_ms).to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let kept = with_suffix(place, &format!(".{date}"));
    if kept.exists() { Err(ToolError::Exists(kept)) } else { Ok(Some(kept)) }
}

/// Renames the present database and its WAL, so that they are kept beside the new one. They are not
/// opened: what is damaged stays as it is.
fn keep(place: &Path, kept: &Path) -> Result<(), ToolError> {
    let wal = with_suffix(place, "-wal");
    let has_wal = file_len(&wal) > 0;
    // Without a WAL it is linked, so that there is a database in this place at every moment. With
    // one, its server was killed, and the two belong together: no server may find the one without
    // the other.
    if has_wal || fs::hard_link(place, kept).is_err() {
        fs::rename(place, kept).map_err(ToolError::file(place))?;
    }
    or_absent(fs::rename(&wal, with_suffix(kept, "-wal"))).map_err(ToolError::file(&wal))?;
    // SQLite makes the index again from the WAL; one that stayed here would be taken for the new
    // file's.
    let index = with_suffix(place, "-shm");
    or_absent(fs::remove_file(&index)).map_err(ToolError::file(&index))
}

/// Success also if the file is not there.
fn or_absent(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{message, say, stored};
    use crate::store::tools::backup;

    const WALL_MS: u64 = 1_763_700_001_456;

    /// The epoch and the number of records of the room in a database.
    fn content(path: &Path) -> (i64, i64) {
        let sql = "SELECT epoch, (SELECT count(*) FROM record) FROM room";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        open::read(path).unwrap().query_row(sql, [], row).unwrap()
    }

    #[test]
    fn a_backup_takes_the_place_of_a_database_that_is_kept() {
        let (folder, db) = stored(3);
        let file = folder.path().join("copy");
        backup::run(folder.path(), &file).unwrap();
        say(&db, 1, "ann", message("later"));
        // `db` is not closed: the last message is in the log beside the file.
        let restored = run(folder.path(), &file, WALL_MS).unwrap();
        assert_eq!((restored.copied.rooms, restored.copied.records), (1, 3));
        let kept = restored.kept.unwrap();
        assert!(kept.ends_with("chinwag.db.20251121T044001456Z"), "{}", kept.display());
        assert_eq!(content(&kept), (1_001, 4));
        let (epoch, records) = content(&open::path(folder.path()));
        assert_eq!((epoch >> 20, records), (i64::try_from(WALL_MS).unwrap(), 3));
        drop(db);
        assert_eq!(content(&open::path(folder.path())).1, 3);
    }

    #[test]
    fn each_restoring_gives_another_epoch() {
        let (folder, db) = stored(1);
        drop(db);
        let file = folder.path().join("copy");
        let mut epochs = vec![content(&open::path(folder.path())).0];
        for round in 0..3 {
            backup::run(folder.path(), &file).unwrap();
            // A clock that stands still, and then one that has gone on.
            run(folder.path(), &file, WALL_MS + round / 2)
                .unwrap_or_else(|error| panic!("{error}"));
            fs::remove_file(&file).unwrap();
            for entry in fs::read_dir(folder.path()).unwrap() {
                let path = entry.unwrap().path();
                if path.to_string_lossy().contains(".db.2") {
                    fs::remove_file(path).unwrap();
                }
            }
            epochs.push(content(&open::path(folder.path())).0);
        }
        epochs.sort_unstable();
        epochs.dedup();
        assert_eq!(epochs.len(), 4);
    }

    #[test]
    fn into_an_empty_directory_nothing_is_kept() {
        let (folder, _db) = stored(2);
        let file = folder.path().join("copy");
        backup::run(folder.path(), &file).unwrap();
        let data = folder.path().join("new/data");
        let restored = run(&data, &file, WALL_MS).unwrap();
        assert_eq!(restored.kept, None);
        assert_eq!(content(&open::path(&data)).1, 2);
    }

    #[test]
    fn a_backup_with_faults_or_a_running_server_changes_nothing() {
        let (folder, db) = stored(2);
        let file = folder.path().join("copy");
        backup::run(folder.path(), &file).unwrap();
        let lock = open::lock(folder.path()).unwrap();
        let taken = run(folder.path(), &file, WALL_MS).unwrap_err();
        assert!(
            matches!(taken, ToolError::Unfit(_)) && taken.to_string().contains("stop it"),
            "{taken}"
        );
        drop(lock);
        Connection::open(&file).unwrap().execute("UPDATE record SET text = 'x'", []).unwrap();
        let faulty = run(folder.path(), &file, WALL_MS).unwrap_err();
        assert!(matches!(faulty, ToolError::Faulty(_, _, 3)), "{faulty}");
        fs::write(&file, vec![b'x'; 8192]).unwrap();
        let foreign = run(folder.path(), &file, WALL_MS).unwrap_err();
        assert!(matches!(foreign, ToolError::NoBackup(..)), "{foreign}");
        drop(db);
        assert_eq!(content(&open::path(folder.path())), (1_001, 2));
        let names = fs::read_dir(folder.path()).unwrap();
        assert!(names.flatten().all(|entry| !entry.path().to_string_lossy().contains(".part")));
    }

    #[test]
    fn what_is_no_backup_is_called_so_with_the_reason() {
        let (folder, _db) = stored(1);
        let place = |name: &str| folder.path().join(name);
        fs::write(place("text"), "hello").unwrap();
        fs::write(place("empty"), "").unwrap();
        fs::create_dir(place("directory")).unwrap();
        let theirs = Connection::open(place("theirs")).unwrap();
        theirs.execute_batch("CREATE TABLE x (y)").unwrap();
        for (name, why) in [
            ("nowhere", "there is no such file"),
            ("text/nowhere", "there is no such file"),
            ("directory", "it is a directory"),
            ("empty", "it is empty"),
            ("text", "file is not a database"),
            ("theirs", "another program has made it"),
        ] {
            let said = run(folder.path(), &place(name), WALL_MS).unwrap_err().to_string();
            let expect = format!("{name} is not a backup: {why}; name a file that");
            assert!(said.contains(&expect), "{said}");
        }
        let said = run(&place("text"), &place("nowhere"), WALL_MS).unwrap_err();
        assert!(matches!(said, ToolError::NoBackup(..)), "{said}");
        assert_eq!(content(&open::path(folder.path())), (1_001, 1));
    }

    #[test]
    fn a_restore_that_cannot_keep_the_files_changes_nothing() {
        let (folder, db) = stored(2);
        let file = folder.path().join("copy");
        backup::run(folder.path(), &file).unwrap();
        say(&db, 1, "ann", message("later"));
        let before = content(&open::path(folder.path()));
        // `db` is not closed: the last message is in the log beside the file.
        fs::write(folder.path().join("files"), "no folder").unwrap();
        let refused = run(folder.path(), &file, WALL_MS).unwrap_err();
        assert!(matches!(refused, ToolError::File(..)), "{refused}");
        assert_eq!(content(&open::path(folder.path())), before);
    }

    #[test]
    fn a_damaged_database_is_kept_as_it_is() {
        let (folder, db) = stored(2);
        let file = folder.path().join("copy");
        backup::run(folder.path(), &file).unwrap();
        db.close().unwrap();
        let place = open::path(folder.path());
        fs::write(&place, vec![b'x'; 8192]).unwrap();
        fs::write(with_suffix(&place, "-wal"), "log").unwrap();
        let kept = run(folder.path(), &file, WALL_MS).unwrap().kept.unwrap();
        assert_eq!(fs::read(&kept).unwrap(), vec![b'x'; 8192]);
        assert_eq!(fs::read(with_suffix(&kept, "-wal")).unwrap(), b"log");
        assert_eq!(content(&place).1, 2);
    }
}
