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

use super::integers::{signed, unsigned};
use super::read_transaction::{QueryFault, ReadTransaction};
use super::record_row::{COLUMNS, kind};
use crate::chat::model::limits::SEARCH_BYTES_MAX;
use crate::chat::model::log::{Answer, LogId};
use crate::chat::model::words::words;

pub(in crate::store) mod index;
#[cfg(test)]
mod tests;

/// A search in rooms by their row ids.
#[derive(Debug)]
pub(super) struct StoredSearch {
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
    let (mut items, mut next) = (Vec::new(), None);
    let Some(expression) = expression(search) else { return Ok(Answer::Found { items, next }) };
    let limit = usize::try_from(search.limit).unwrap_or(usize::MAX);
    let db = reading.db;
    let mut statement = db.prepare_cached(
        "SELECT rowid FROM word WHERE word MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC",
    )?;
    let sql = format!("SELECT {COLUMNS} FROM record WHERE id = ?1 AND kind = ?2");
    let mut record = db.prepare_cached(&sql)?;
    let mut rows = statement.query((expression, signed(search.before.unwrap_or(u64::MAX))))?;
    let (mut place, mut bytes) = (0, 0_usize);
    while let Some(row) = rows.next()? {
        if items.len() >= limit {
            next = Some(place);
            break;
        }
        let id: i64 = row.get(0)?;
        let mut found = record.query((id, kind::MESSAGE))?;
        let Some(row) = found.next()? else {
            place = unsigned(id);
            continue;
        };
        let room: i64 = row.get("room")?;
        // The row says which room it is: the index could be out of date.
        let log = search.rooms.iter().find(|(id, _)| *id == room);
        let item = log.and_then(|(_, log)| Some((*log, reading.decode(row, room)?)));
        let weight = item.as_ref().map_or(0, |(_, record)| record.weight);
        bytes = bytes.saturating_add(usize::try_from(weight).unwrap_or(usize::MAX));
        if bytes > SEARCH_BYTES_MAX && !items.is_empty() {
            next = Some(place);
            break;
        }
        place = unsigned(id);
        items.extend(item);
    }
    Ok(Answer::Found { items, next })
}

/// The expression of FTS5, `None` if nothing can match.
fn expression(search: &StoredSearch) -> Option<String> {
    let words: Vec<&str> = words(&search.text).collect();
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
