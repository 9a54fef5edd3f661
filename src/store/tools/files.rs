//! The files that people have sent, as the commands see them: the rows in the database, and the
//! folder beside it.

use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::{ToolError, open};
use crate::store::Folder;
use crate::store::sqlite::files::is_known;
use crate::store::sqlite::integers::unsigned;

/// The hashes of all files, each once, and how large they are.
fn hashes(db: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut statement = db.prepare("SELECT DISTINCT hash, bytes FROM file ORDER BY hash")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
    rows.collect()
}

/// Takes all files of a backup, which is at `part`, into its folder. One that was removed since the
/// backup began is removed from that, too.
pub(super) fn take(data: &Path, part: &Path, to: &Folder) -> Result<(), ToolError> {
    let here = Folder::of(data);
    let db = Connection::open(part).map_err(ToolError::database(part))?;
    for (hash, _) in hashes(&db).map_err(ToolError::database(part))? {
        match to.take(&here, &hash, false) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let path = open::path(data);
                let now = open::read(&path)?;
                if is_known(&now, &hash).map_err(ToolError::database(&path))? {
                    return Err(ToolError::File(here.place(&hash), error));
                }
                forget(&db, &hash).map_err(ToolError::database(part))?;
            }
            Err(error) => return Err(ToolError::File(to.place(&hash), error)),
        }
    }
    db.close().map_err(|(_, error)| ToolError::Database(part.to_owned(), error))
}

fn forget(db: &Connection, hash: &str) -> rusqlite::Result<()> {
    let uses = "DELETE FROM file_use WHERE file IN (SELECT id FROM file WHERE hash = ?1)";
    db.execute(uses, [hash])?;
    db.execute("DELETE FROM file WHERE hash = ?1", [hash]).map(drop)
}

/// Takes all files of the backup `from` into the folder of a data directory.
pub(super) fn put_back(
    db: &Connection,
    (file, from): (&Path, &Folder),
    here: &Folder,
) -> Result<(), ToolError> {
    for (hash, bytes) in hashes(db).map_err(ToolError::database(file))? {
        let is_sound = from.is_sound(&hash, bytes).map_err(ToolError::file(&from.place(&hash)))?;
        if !is_sound {
            let what = "a file of it is not what was sent".to_owned();
            return Err(ToolError::Faulty(from.place(&hash), what, 1));
        }
        here.take(from, &hash, false).map_err(ToolError::file(&here.place(&hash)))?;
    }
    Ok(())
}

/// Keeps all files that are there in another folder, too.
pub(super) fn keep(here: &Folder, kept: &Folder) -> Result<(), ToolError> {
    let mut hashes = Vec::new();
    here.walk(&mut |hash| hashes.push(hash.to_owned())).map_err(ToolError::file(here.path()))?;
    for hash in hashes {
        kept.take(here, &hash, true).map_err(ToolError::file(&kept.place(&hash)))?;
    }
    Ok(())
}

/// Removes what no file of the database has.
pub(super) fn remove_unknown(
    (db, path): (&Connection, &Path),
    folder: &Folder,
) -> Result<(), ToolError> {
    let mut found = Vec::new();
    folder.walk(&mut |hash| found.push(hash.to_owned())).map_err(ToolError::file(folder.path()))?;
    for hash in found {
        if !is_known(db, &hash).map_err(ToolError::database(path))? {
            folder.remove(&hash).map_err(ToolError::file(&folder.place(&hash)))?;
        }
    }
    Ok(())
}

/// Reads all files, and calls `report` with each fault: what is missing or damaged, messages that
/// refer to what is not there, and files that nothing would ever remove.
pub(super) fn verify(
    (db, path): (&Connection, &Path),
    folder: &Folder,
    report: &mut dyn FnMut(String),
) -> Result<(), ToolError> {
    for (hash, bytes) in hashes(db).map_err(ToolError::database(path))? {
        match folder.is_sound(&hash, bytes) {
            Ok(true) => {}
            Ok(false) => report(format!("{hash} is not what was sent")),
            Err(error) => {
                // A server that runs may have removed it since the list was made.
                if is_known(db, &hash).map_err(ToolError::database(path))? {
                    report(format!("{hash} cannot be read: {error}"));
                }
            }
        }
    }
    for (what, sql) in [
        (
            "reference(s) of messages to files that are not there",
            "SELECT count(*) FROM file_use WHERE file NOT IN (SELECT id FROM file)",
        ),
        (
            "reference(s) of messages that are not there",
            "SELECT count(*) FROM file_use WHERE NOT EXISTS (SELECT 1 FROM record \
             WHERE record.room = file_use.room AND record.seq = file_use.seq AND data IS NOT NULL)",
        ),
        (
            "file(s) to which nothing refers, and which would stay",
            "SELECT count(*) FROM file WHERE loose IS NULL AND id NOT IN \
             (SELECT file FROM file_use)",
        ),
    ] {
        let count: i64 =
            db.query_row(sql, [], |row| row.get(0)).map_err(ToolError::database(path))?;
        if count > 0 {
            report(format!("{count} {what}"));
        }
    }
    Ok(())
}
