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

use rusqlite::Connection;

use super::super::meta_table::{self, INDEX_VERSION, INDEXED};
use super::super::record_row::kind;
use crate::chat::model::words::is_unspaced;

/// How texts are put into the index now. An index of another version is filled again.
const VERSION: i64 = 2;

/// The text with a space before and after each character that is a word of its own.
pub(super) fn spaced(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.chars().any(is_unspaced) {
        return Cow::Borrowed(text);
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

/// Follows a change of a message's text, or its removal (`None`), if its words are in the index
/// already. To be called for every row of `record` that is deleted, in the same transaction: its id
/// may be given again.
///
/// # Errors
///
/// What the database says.
pub(in crate::store) fn update(
    db: &Connection,
    record_id: i64,
    room_id: i64,
    text: Option<&str>,
) -> rusqlite::Result<()> {
    let indexed = indexed(db)?;
    if record_id > indexed {
        return Ok(());
    }
    if let Some(text) = text {
        return put(db, record_id, room_id, text);
    }
    db.prepare_cached("DELETE FROM word WHERE rowid = ?1")?.execute([record_id])?;
    let sql = "SELECT coalesce(max(id), 0) FROM record WHERE id < ?1 OR id > ?1";
    let highest: i64 = db.prepare_cached(sql)?.query_row([record_id], |row| row.get(0))?;
    // SQLite gives ids above the highest one that is left again: their new records are to be
    // indexed.
    if highest < indexed { meta_table::put(db, INDEXED, highest) } else { Ok(()) }
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
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((before, i64::try_from(budget).unwrap_or(i64::MAX)))?;
    let (mut last, mut count) = (before, 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        count += 1;
        // A damaged row is left out here: the reader reports it.
        let text = row.get_ref(3)?.as_str().ok();
        if let (kind::MESSAGE, Some(text)) = (row.get(2)?, text) {
            put(db, last, row.get(1)?, text)?;
        }
    }
    if last != before {
        meta_table::put(db, INDEXED, last)?;
    }
    Ok(count == budget)
}

fn put(db: &Connection, id: i64, room: i64, text: &str) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO word (rowid, place, text) VALUES (?1, 'r' || ?2, ?3)";
    db.prepare_cached(sql)?.execute((id, room, spaced(text))).map(drop)
}

/// The id of the last record that is indexed.
fn indexed(db: &Connection) -> rusqlite::Result<i64> {
    Ok(meta_table::get(db, INDEXED)?.unwrap_or(0))
}
