//! Whether the database is the one that the server has left here, or a copy that was put in its
//! place.
//!
//! Nothing in a file says that it is a copy. So each start makes an empty file beside the database,
//! its mark, and the database says which one is its own: by a random number in the name, and by the
//! moment at which it was made, which no copy has. A database that is copied back names a mark that
//! is gone, and a directory that is copied back has one that was made anew.
//!
//! ```text
//!  a start        marks in the directory   marks that the database names
//!  before         A                        A
//!  make           A B                      A
//!  commit         A B                      A B
//!  on the disk      B                      A B
//! ```
//!
//! A kill or a power loss between any two of them leaves a mark that is named.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rusqlite::Connection;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use super::data_dir;
use super::meta_table::{self, MARKS};

/// Begins the names of marks; a number follows.
const PREFIX: &str = "chinwag.mark-";
/// Of a database that may be anywhere: a restored one, whose rooms have new epochs.
pub(in crate::store) const ANYWHERE: &str = "";

/// A mark: its number, and what tells it from a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    number: String,
    /// When it was made, if the file system knows.
    made: Option<i128>,
    /// When its owner or mode changed last: where nothing else is known.
    changed: i128,
}

impl Mark {
    /// The mark of this number, if it is there.
    fn find(data: &Path, number: &str) -> Option<Self> {
        let path = data.join(format!("{PREFIX}{number}"));
        let file = fs::symlink_metadata(&path).ok()?;
        let nanos = |secs: i64, nanos: i64| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
        let found = statx(CWD, &path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BTIME).ok();
        let found = found.filter(|found| found.stx_mask & StatxFlags::BTIME.bits() != 0);
        let made = found.map(|found| nanos(found.stx_btime.tv_sec, found.stx_btime.tv_nsec.into()));
        let changed = nanos(file.ctime(), file.ctime_nsec());
        Some(Self { number: number.to_owned(), made, changed })
    }

    /// As the database names it.
    fn words(&self) -> String {
        let made = self.made.map(|made| made.to_string()).unwrap_or_default();
        format!("{}:{made}:{}", self.number, self.changed)
    }

    /// The mark that these words name.
    fn parse(words: &str) -> Option<Self> {
        let [number, made, changed] = words.split(':').collect::<Vec<_>>().try_into().ok()?;
        let (made, changed) = (made.parse().ok(), changed.parse().ok()?);
        Some(Self { number: number.to_owned(), made, changed })
    }

    /// Whether the mark is there, itself and not a copy.
    fn is_there(&self, data: &Path) -> bool {
        Self::find(data, &self.number).is_some_and(|found| match (found.made, self.made) {
            (Some(found), Some(made)) => found == made,
            _ => found.changed == self.changed,
        })
    }
}

/// The marks that a database names, and which of them are there.
pub(super) struct Marks {
    named: Option<String>,
    there: Vec<Mark>,
    has_others: bool,
}

impl Marks {
    /// The marks of the database in this directory.
    pub(super) fn of(db: &Connection, data: &Path) -> rusqlite::Result<Self> {
        let named = meta_table::get::<String>(db, MARKS)?;
        let marks = named.iter().flat_map(|named| named.split(' ')).filter_map(Mark::parse);
        let there = marks.filter(|mark| mark.is_there(data)).collect();
        Ok(Self { named, there, has_others: !numbers(data).is_empty() })
    }

    /// Whether the database is a copy.
    pub(super) fn are_of_another(&self) -> bool {
        match self.named.as_deref() {
            Some(ANYWHERE) => false,
            Some(_) => self.there.is_empty(),
            // A version that made none has written it, before those here were made.
            None => self.has_others,
        }
    }

    /// Makes another mark and names it in the caller's transaction: its number. Where none can be
    /// made, such as on a full disk, the ones that are there go on.
    pub(super) fn renew(&self, db: &Connection, data: &Path) -> rusqlite::Result<String> {
        let number: String =
            db.query_one("SELECT lower(hex(randomblob(8)))", [], |row| row.get(0))?;
        let path = data.join(format!("{PREFIX}{number}"));
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        _ = made.and_then(|_| data_dir::give_to_owner(&path));
        let marks = self.there.iter().cloned().chain(Mark::find(data, &number));
        let words = marks.map(|mark| mark.words()).collect::<Vec<_>>().join(" ");
        meta_table::put(db, MARKS, words)?;
        Ok(number)
    }
}

/// Removes all marks but the one of this number, once the disk has it in the database.
pub(super) fn remove_others(data: &Path, number: &str) {
    if Mark::find(data, number).is_none() {
        return;
    }
    for other in numbers(data).iter().filter(|other| *other != number) {
        _ = fs::remove_file(data.join(format!("{PREFIX}{other}")));
    }
}

/// The numbers of all marks that are there.
fn numbers(data: &Path) -> Vec<String> {
    let entries = fs::read_dir(data).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| name.strip_prefix(PREFIX).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY)").unwrap();
        db
    }

    fn is_copy(db: &Connection, data: &Path) -> bool {
        Marks::of(db, data).unwrap().are_of_another()
    }

    #[test]
    fn a_start_that_is_cut_off_anywhere_leaves_a_mark_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let mut db = database();
        assert!(!is_copy(&db, data), "a file of before there were marks");
        for _ in 0..3 {
            let transaction = db.transaction().unwrap();
            Marks::of(&transaction, data).unwrap().renew(&transaction, data).unwrap();
            drop(transaction);
            if numbers(data).len() > 1 {
                assert!(!is_copy(&db, data), "a mark was made and is not named");
            }
            let number = Marks::of(&db, data).unwrap().renew(&db, data).unwrap();
            assert!(!is_copy(&db, data), "the others are not yet removed");
            remove_others(data, &number);
            assert!(numbers(data) == [number] && !is_copy(&db, data));
        }
    }

    #[test]
    fn a_database_without_its_mark_or_with_a_copy_of_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let db = database();
        let number = Marks::of(&db, data).unwrap().renew(&db, data).unwrap();
        assert!(
            is_copy(&database(), data),
            "a file of before there were marks, beside a later one"
        );
        let (mark, away) = (data.join(format!("{PREFIX}{number}")), data.join("away"));
        fs::rename(&mark, &away).unwrap();
        assert!(is_copy(&db, data), "it is gone");
        fs::copy(&away, &mark).unwrap();
        assert!(is_copy(&db, data), "it was made anew");
        let named = Mark::find(data, &number).unwrap();
        for words in [Mark { made: None, ..named.clone() }, named].map(|mark| mark.words()) {
            meta_table::put(&db, MARKS, words).unwrap();
            assert!(!is_copy(&db, data), "with and without the moment at which it was made");
        }
        meta_table::put(&db, MARKS, ANYWHERE).unwrap();
        assert!(!is_copy(&db, data), "a restored one");
    }

    #[test]
    fn where_no_mark_can_be_made_the_one_that_is_there_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let db = database();
        let number = Marks::of(&db, folder.path()).unwrap().renew(&db, folder.path()).unwrap();
        let marks = Marks::of(&db, folder.path()).unwrap();
        let nowhere = folder.path().join("nowhere");
        let other = marks.renew(&db, &nowhere).unwrap();
        remove_others(folder.path(), &other);
        assert_eq!(numbers(folder.path()), [number]);
        assert!(!is_copy(&db, folder.path()));
    }
}
