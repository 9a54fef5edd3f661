//! The index of the words of messages, the table `word`. It is filled in the background, in the
//! order of the records' ids, so that a commit does not wait for it.
//!
//! Chinese, Japanese, Thai and their like are written without a space between words. Each of their
//! characters is put into the index as a word of its own, and what is typed without a space is
//! searched as a phrase: any two characters that stand side by side are found.
//!
//! ```text
//! 你好 ok  ─▶  {text} : ("你 好" AND "ok" *)
//! ```

use std::borrow::Cow;

use rusqlite::{Connection, Statement};

use super::super::meta_table::{self, INDEX_VERSION, INDEXED};
use super::super::record_row::kind;
use crate::chat::model::words::{bare, is_unspaced};

/// How texts are put into the index now. An index of another version is filled again.
const VERSION: i64 = 3;

/// The text as it is indexed: [`bare`], with a space before and after each character that is a word
/// of its own.
pub(super) fn spaced(text: &str) -> Cow<'_, str> {
    let text = bare(text);
    if text.is_ascii() || !text.chars().any(is_unspaced) {
        return text;
    }
    let mut spaced = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if is_unspaced(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    Cow::Owned(spaced)
}

/// A message as it stands in the index.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Indexed<'a> {
    /// The record's id.
    pub(in crate::store) id: i64,
    /// The room's.
    pub(in crate::store) room: i64,
    /// Its text: what of it is in the index is found by its words.
    pub(in crate::store) text: &'a str,
}

/// Follows a change of a message's text to `new`, or its removal (`None`), if its words are in the
/// index already.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn update(
    db: &Connection,
    old: Indexed<'_>,
    new: Option<&str>,
) -> rusqlite::Result<()> {
    if old.id > indexed(db)? {
        return Ok(());
    }
    let sql = "INSERT INTO word (word, rowid, place, text) VALUES ('delete', ?1, 'r' || ?2, ?3)";
    db.prepare_cached(sql)?.execute((old.id, old.room, spaced(old.text)))?;
    let Some(text) = new else { return Ok(()) };
    put(&mut *db.prepare_cached(PUT)?, Indexed { text, ..old })
}

/// The row of a record is deleted: its id may be given again. To be called for every row of
/// `record`, in the same transaction, with its text if it is a message.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn remove(
    db: &Connection,
    (id, room): (i64, i64),
    text: Option<&str>,
) -> rusqlite::Result<()> {
    let indexed = indexed(db)?;
    if id > indexed {
        return Ok(());
    }
    if let Some(text) = text {
        update(db, Indexed { id, room, text }, None)?;
    }
    let sql = "SELECT coalesce(max(id), 0) FROM record WHERE id < ?1 OR id > ?1";
    let highest: i64 = db.prepare_cached(sql)?.query_row([id], |row| row.get(0))?;
    // SQLite gives ids above the highest one that is left again: their new records are to be
    // indexed.
    if highest < indexed { meta_table::put(db, INDEXED, highest) } else { Ok(()) }
}

/// The index has words that nobody can name any more, of a damaged row: it is filled again.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn discard(db: &Connection) -> rusqlite::Result<()> {
    meta_table::put(db, INDEX_VERSION, 0)
}

/// Indexes the next `budget` records, in the caller's transaction or, without one, in one of its
/// own: whether there may be more.
///
/// # Errors
///
/// What the database says; the index has not changed then.
pub(in crate::store) fn fill(db: &Connection, budget: usize) -> rusqlite::Result<bool> {
    db.execute_batch("SAVEPOINT fill")?;
    match fill_inside(db, budget) {
        Ok(more) => db.execute_batch("RELEASE fill").map(|()| more),
        Err(error) => {
            // A failure can have ended the whole transaction, and the savepoint with it.
            if !db.is_autocommit() {
                db.execute_batch("ROLLBACK TO fill; RELEASE fill")?;
            }
            Err(error)
        }
    }
}

fn fill_inside(db: &Connection, budget: usize) -> rusqlite::Result<bool> {
    if meta_table::get(db, INDEX_VERSION)? != Some(VERSION) {
        db.execute("INSERT INTO word (word) VALUES ('delete-all')", [])?;
        meta_table::put(db, INDEXED, 0)?;
        meta_table::put(db, INDEX_VERSION, VERSION)?;
    }
    let before = indexed(db)?;
    let sql = "SELECT id, room, kind, text FROM record WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut records = db.prepare_cached(sql)?;
    let mut rows = records.query((before, i64::try_from(budget).unwrap_or(i64::MAX)))?;
    let (mut last, mut count) = (before, 0);
    let mut statement = db.prepare_cached(PUT)?;
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        count += 1;
        // A damaged row is left out here: the reader reports it.
        let text = row.get_ref(3)?.as_str().ok();
        if let (kind::MESSAGE, Some(text)) = (row.get(2)?, text) {
            put(&mut statement, Indexed { id: last, room: row.get(1)?, text })?;
        }
    }
    if last != before {
        meta_table::put(db, INDEXED, last)?;
    }
    Ok(count == budget)
}

/// Puts a text into the index.
const PUT: &str = "INSERT INTO word (rowid, place, text) VALUES (?1, 'r' || ?2, ?3)";

fn put(statement: &mut Statement<'_>, message: Indexed<'_>) -> rusqlite::Result<()> {
    let Indexed { id, room, text } = message;
    statement.execute((id, room, spaced(text))).map(drop)
}

/// The id of the last record that is indexed as texts are now: none of an index of another version.
pub(super) fn indexed(db: &Connection) -> rusqlite::Result<i64> {
    if meta_table::get(db, INDEX_VERSION)? != Some(VERSION) {
        return Ok(0);
    }
    Ok(meta_table::get(db, INDEXED)?.unwrap_or(0))
}
