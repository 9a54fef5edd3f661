//! Which file this is.
//!
//! SQLite takes any WAL of the right name for the file's own, and the WAL of another file would
//! replace its content. So each file has a random number, which must be the same with and without
//! the WAL. A start of the server gives it another one: the file as it was at an earlier stop is
//! another file than the one that the WAL belongs to.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::meta_table::{self, FILE_ID, FILE_ID_BEFORE};
use super::schema::Unfit;

/// Gives a file a new number.
pub(in crate::store) fn renew(db: &Connection) -> rusqlite::Result<()> {
    // Uniqueness is all that is needed, so SQLite's random numbers will do.
    let number: i64 = db.query_one("SELECT random()", [], |row| row.get(0))?;
    meta_table::put(db, FILE_ID, number)
}

/// Gives a file a new number and keeps the one that it has without its WAL until
/// [`forget_before`], when the new one is in the file itself. That need not be the last one: a
/// start before this may have been cut off.
pub(super) fn renew_at_start(db: &Connection, without_wal: Option<i64>) -> rusqlite::Result<()> {
    let last = meta_table::get::<i64>(db, FILE_ID)?;
    if let Some(before) = without_wal.or(last) {
        meta_table::put(db, FILE_ID_BEFORE, before)?;
    }
    renew(db)
}

/// The new number is in the file: from here on one with the old number is another.
pub(super) fn forget_before(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE key = ?1", [FILE_ID_BEFORE]).map(drop)
}

/// The number of the file at `path` as it is without its WAL; `None` if it has none, or is half
/// written, as it may be after a power loss.
///
/// Nothing in this process may have the file open: closing it here would release those locks.
pub(super) fn without_wal(path: &Path) -> Option<i64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(uri_without_wal(path), flags);
    db.and_then(|db| meta_table::get(&db, FILE_ID)).ok().flatten()
}

/// Checks that a file that has the number `without_wal` without its WAL has it with the WAL too.
pub(super) fn check(db: &Connection, without_wal: Option<i64>) -> Result<(), Unfit> {
    if without_wal.is_none() {
        return Ok(());
    }
    let [now, before] = [FILE_ID, FILE_ID_BEFORE].map(|key| meta_table::get::<i64>(db, key));
    if now? == without_wal || before? == without_wal { Ok(()) } else { Err(Unfit::WalMismatch) }
}

/// The name under which SQLite opens the file as if it had no WAL.
fn uri_without_wal(path: &Path) -> String {
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
    fn a_file_is_opened_without_its_wal_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("100% säfe?#.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch("CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY)").unwrap();
        renew(&db).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        let before = without_wal(&path);
        assert!(before.is_some());
        check(&db, before).unwrap();
        renew(&db).unwrap();
        assert_eq!(without_wal(&path), before);
        assert!(matches!(check(&db, before), Err(Unfit::WalMismatch)));
        check(&db, None).unwrap();
    }

    #[test]
    fn a_start_that_is_cut_off_is_no_other_file_and_an_earlier_copy_is() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY)").unwrap();
        renew_at_start(&db, None).unwrap();
        let copied = meta_table::get::<i64>(&db, FILE_ID).unwrap();
        // As often as it is cut off before the file itself has any of the numbers.
        for _ in 0..3 {
            renew_at_start(&db, copied).unwrap();
            check(&db, copied).unwrap();
        }
        forget_before(&db).unwrap();
        assert!(matches!(check(&db, copied), Err(Unfit::WalMismatch)));
        check(&db, meta_table::get::<i64>(&db, FILE_ID).unwrap()).unwrap();
    }
}
