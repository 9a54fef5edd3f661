//! Full-text search in the messages of a user's rooms.
//!
//! What the user typed is taken apart into words, and each is quoted, so that none of it is read as
//! syntax of FTS5.
//!
//! ```text
//! he said "NEAR(me*"  ─▶  {text} : ("he" AND "said" AND "NEAR" AND "me" *)
//!                         AND {place} : ("r1" OR "r7")
//! ```

use std::fmt::Write as _;

use rusqlite::Row;

use super::integers::{signed, unsigned};
use super::read_transaction::{QueryFault, ReadTransaction};
use super::record_row::{COLUMNS, kind};
use crate::chat::model::limits::SEARCH_BYTES_MAX;
use crate::chat::model::log::{Answer, LogId};
use crate::chat::model::name::UserName;
use crate::chat::model::record::SharedRecord;
use crate::chat::model::words::{Wanted, bare, words};

pub(in crate::store) mod index;
#[cfg(test)]
mod tests;

/// Records that one search looks at that are not in the index yet; it goes on in the next.
const LOOK_RECORDS_MAX: u32 = 5_000;

/// A search in rooms by their row ids.
#[derive(Debug)]
pub(super) struct StoredSearch {
    /// Who searches.
    pub(super) user: UserName,
    /// The row ids of the rooms, and their logs.
    pub(super) rooms: Vec<(i64, LogId)>,
    /// Words, as they were typed; the last one may be the beginning of a word.
    pub(super) text: Box<str>,
    /// Only messages after this place of an earlier answer.
    pub(super) before: Option<u64>,
    /// How many.
    pub(super) limit: u32,
}

/// The latest messages that contain all the words: one, or as many as [`SEARCH_BYTES_MAX`] holds.
pub(super) fn find(
    reading: &mut ReadTransaction<'_>,
    search: &StoredSearch,
) -> Result<Answer, QueryFault> {
    let limit = usize::try_from(search.limit).unwrap_or(usize::MAX);
    let place = search.before.unwrap_or(u64::MAX);
    let mut page = Page { search, limit, items: Vec::new(), bytes: 0, place, next: None };
    let Some(expression) = expression(search) else {
        return Ok(Answer::Found { items: page.items, next: None });
    };
    // What is not in the index yet is the latest, and looked at itself: search is right while the
    // index is filled, and filled again.
    let indexed = index::indexed(reading.db)?;
    if look(reading, &mut page, unsigned(indexed))? {
        find_indexed(reading, &mut page, &expression, indexed)?;
    }
    Ok(Answer::Found { items: page.items, next: page.next })
}

/// What is found, latest first.
struct Page<'a> {
    search: &'a StoredSearch,
    limit: usize,
    items: Vec<(LogId, SharedRecord)>,
    bytes: usize,
    /// The id of the last record that was looked at, or from below which the search is.
    place: u64,
    /// The place after which there may be more.
    next: Option<u64>,
}

impl Page<'_> {
    /// Adds the record of a row that has its room, if that is searched and it can be read; `false`
    /// once nothing more fits, and then it is the first of the next page.
    fn push(
        &mut self,
        reading: &mut ReadTransaction<'_>,
        row: &Row<'_>,
        id: u64,
    ) -> rusqlite::Result<bool> {
        let room: i64 = row.get("room")?;
        // The row says which room it is: the index could be out of date.
        let log = self.search.rooms.iter().find(|(id, _)| *id == room);
        let item = log.and_then(|(_, log)| Some((*log, reading.decode(row, room)?)));
        let weight = item.as_ref().map_or(0, |(_, record)| record.weight);
        self.bytes = self.bytes.saturating_add(usize::try_from(weight).unwrap_or(usize::MAX));
        let is_over = self.bytes > SEARCH_BYTES_MAX && !self.items.is_empty();
        if is_over || self.items.len() >= self.limit {
            self.next = Some(self.place);
            return Ok(false);
        }
        self.place = id;
        self.items.extend(item);
        Ok(true)
    }
}

/// Looks at the messages above the last one that is indexed: whether at all of them.
fn look(
    reading: &mut ReadTransaction<'_>,
    page: &mut Page<'_>,
    indexed: u64,
) -> rusqlite::Result<bool> {
    let db = reading.db;
    let wanted = Wanted::of(&page.search.text);
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, id FROM record WHERE id > ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    ))?;
    let limit = i64::from(LOOK_RECORDS_MAX);
    let mut rows = statement.query((signed(indexed), signed(page.place), limit))?;
    let mut looked = 0;
    while let Some(row) = rows.next()? {
        looked += 1;
        let id = unsigned(row.get("id")?);
        let is_message = row.get::<_, i64>("kind")? == kind::MESSAGE;
        let text = row.get_ref("text")?.as_str_or_null().ok().flatten();
        if !(is_message && text.is_some_and(|text| wanted.are_in(text))) {
            page.place = id;
        } else if !page.push(reading, row, id)? {
            return Ok(false);
        }
    }
    let is_whole = looked < LOOK_RECORDS_MAX;
    if !is_whole {
        page.next = Some(page.place);
    }
    Ok(is_whole)
}

/// Finds what is in the index.
fn find_indexed(
    reading: &mut ReadTransaction<'_>,
    page: &mut Page<'_>,
    expression: &str,
    indexed: i64,
) -> rusqlite::Result<()> {
    let db = reading.db;
    let below = page.place.min(unsigned(indexed).saturating_add(1));
    let mut statement = db.prepare_cached(
        "SELECT rowid FROM word WHERE word MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC",
    )?;
    let sql = format!("SELECT {COLUMNS} FROM record WHERE id = ?1 AND kind = ?2");
    let mut record = db.prepare_cached(&sql)?;
    let mut rows = statement.query((expression, signed(below)))?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let mut found = record.query((id, kind::MESSAGE))?;
        match found.next()? {
            Some(row) if !page.push(reading, row, unsigned(id))? => break,
            Some(_) => {}
            // It was deleted or pruned since its words were noted.
            None => page.place = unsigned(id),
        }
    }
    Ok(())
}

/// The expression of FTS5, `None` if nothing can match.
fn expression(search: &StoredSearch) -> Option<String> {
    let text = bare(&search.text);
    let words: Vec<&str> = words(&text).collect();
    if words.is_empty() || search.rooms.is_empty() {
        return None;
    }
    let mut expression = String::new();
    for word in &words {
        let before = if expression.is_empty() { "{text} : (" } else { " AND " };
        _ = write!(expression, "{before}\"{}\"", index::spaced(word));
    }
    // A single letter is a whole word: too many words begin with it.
    let is_beginning = words.last().is_some_and(|word| word.len() > 1);
    expression.push_str(if is_beginning { " *) AND {place} : (" } else { ") AND {place} : (" });
    let mut before = "";
    for (room, _) in &search.rooms {
        _ = write!(expression, "{before}\"r{room}\"");
        before = " OR ";
    }
    expression.push(')');
    Some(expression)
}
