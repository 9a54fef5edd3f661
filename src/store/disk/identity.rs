//! Which file this is: SQLite takes any log of the right name for the file's own, and a log of another file would
//! replace what is in it.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::schema::Unfit;

/// Gives a file a number that no other has.
pub(in crate::store) fn give(db: &Connection) -> rusqlite::Result<()> {
    // No more is needed than that two files hardly ever have the same.
    let sql = "INSERT OR REPLACE INTO meta VALUES ('file', random())";
    db.execute(sql, []).map(|_| ())
}

/// The number of the file at `path` as it is without its log; `None` if it has none, or is half written, as it may be
/// when the machine went down.
///
/// Nobody in this process may have the file open: its locks would be lost.
pub(super) fn alone(path: &Path) -> Option<i64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let alone = Connection::open_with_flags(without_log(path), flags);
    alone.and_then(|db| number(&db)).ok().flatten()
}

/// Looks whether a file that has this number without its log has it with the log too.
pub(super) fn check(db: &Connection, alone: Option<i64>) -> Result<(), Unfit> {
    match alone {
        Some(_) if number(db)? != alone => Err(Unfit::Strange),
        _ => Ok(()),
    }
}

fn number(db: &Connection) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT value FROM meta WHERE key = 'file'";
    db.query_one(sql, [], |row| row.get(0)).optional()
}

/// The name under which SQLite opens the file as if there were no log.
fn without_log(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            _ => _ = write!(uri, "%{byte:02x}"),
        }
    }
    uri + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_opened_without_its_log_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("100% säfe?#.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch("CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY)").unwrap();
        give(&db).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        let before = alone(&path);
        assert!(before.is_some());
        check(&db, before).unwrap();
        give(&db).unwrap();
        assert_eq!(alone(&path), before);
        assert!(matches!(check(&db, before), Err(Unfit::Strange)));
        check(&db, None).unwrap();
    }
}
