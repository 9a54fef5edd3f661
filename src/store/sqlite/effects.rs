//! Whether a record has an effect, and whether what it refers to is there.

use rusqlite::{Connection, OptionalExtension as _};

use super::integers::{signed, unsigned};
use super::record_row::{self, COLUMNS, kind};
use super::room_row::RoomCounters;
use crate::chat::model::edits;
use crate::chat::model::log::Appended;
use crate::chat::model::record::{Body, Record};

/// The refusal of a message that names no message, one that is gone, or one inside a thread as if
/// that had begun one.
pub(super) fn wrong_reference(
    db: &Connection,
    room: i64,
    body: &Body,
) -> rusqlite::Result<Option<Appended>> {
    let Body::Message { reply_to, thread, .. } = body else { return Ok(None) };
    // Asked here although the domain has asked its ring: only the transaction knows what a batch
    // before it has deleted.
    for (field, seq) in [("reply_to", reply_to), ("thread", thread)] {
        let Some(seq) = seq else { continue };
        let sql = "SELECT thread FROM record WHERE room = ?1 AND seq = ?2 AND kind = ?3";
        let row = (room, signed(*seq), kind::MESSAGE);
        let found: Option<Option<i64>> =
            db.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
        match found {
            None => return Ok(Some(Appended::NoSuchReference(field))),
            Some(Some(root)) if field == "thread" => {
                return Ok(Some(Appended::InThread(unsigned(root))));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// Seq and time of the record since which it is so already what a record says, if it is: then it
/// would have no effect. `target` is the message that it is about.
pub(super) fn since(
    db: &Connection,
    room: i64,
    (target, record): (Option<&Record>, &Record),
    counters: RoomCounters,
) -> rusqlite::Result<Option<(u64, u64)>> {
    let last = match &record.body {
        Body::Reaction { target, emoji, .. } => {
            let sql = format!(
                "SELECT {COLUMNS} FROM record WHERE room = ?1 AND target = ?2 AND sender = ?3 \
                 AND text = ?4 AND kind = 4 ORDER BY id DESC LIMIT 1"
            );
            let key = (room, signed(*target), record.from.as_str(), &**emoji);
            db.prepare_cached(&sql)?.query_row(key, |row| Ok(record_row::decode(row))).optional()?
        }
        Body::Edit { target, .. } => {
            let sql = format!(
                "SELECT {COLUMNS} FROM record WHERE room = ?1 AND target = ?2 AND kind = 2 \
                 AND text IS NOT NULL ORDER BY id DESC LIMIT 1"
            );
            let key = (room, signed(*target));
            db.prepare_cached(&sql)?.query_row(key, |row| Ok(record_row::decode(row))).optional()?
        }
        Body::Topic { text } => return topic_since(db, room, text, counters),
        Body::Message { .. }
        | Body::Deleted
        | Body::Deletion { .. }
        | Body::Rename { .. }
        | Body::Moderation { .. } => return Ok(None),
    };
    // A damaged one says nothing.
    let last = last.and_then(Result::ok);
    // The newest that says anything about it decides; the message itself is what was said first.
    let said = last.iter().chain(target).find_map(|earlier| {
        let repeats = edits::repeats(earlier, &record.from, &record.body)?;
        Some(repeats.then_some((earlier.seq, earlier.at)))
    });
    Ok(said.flatten())
}

/// Where the topic is the same already: the record that has set it, or, if that is gone or the room
/// was made with it, the last one.
fn topic_since(
    db: &Connection,
    room: i64,
    text: &str,
    counters: RoomCounters,
) -> rusqlite::Result<Option<(u64, u64)>> {
    let sql = "SELECT topic = ?2 FROM room WHERE id = ?1";
    if !db.prepare_cached(sql)?.query_one((room, text), |row| row.get(0))? {
        return Ok(None);
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM record WHERE room = ?1 AND kind = 5 ORDER BY id DESC LIMIT 1"
    );
    let set = db.prepare_cached(&sql)?.query_row([room], |row| Ok(record_row::decode(row)));
    let set = set.optional()?.and_then(Result::ok);
    Ok(Some(set.map_or((counters.head, counters.at), |record| (record.seq, record.at))))
}
