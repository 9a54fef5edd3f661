//! Appending one record to a log, within the transaction of its batch.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::edits::{self, Stored};
use super::effects;
use super::integers::{signed, unsigned};
use super::record_row;
use super::room_meta;
use super::room_row::RoomCounters;
use crate::chat::model::limits::SEQ_END;
use crate::chat::model::log::{Appended, Draft, LogFault};
use crate::chat::model::record::{Body, Record, SharedRecord, stamp};

/// Appends a record and moves the counters, or says why not; then nothing has changed.
pub(super) fn append(
    db: &Connection,
    room: i64,
    counters: &mut RoomCounters,
    wall_ms: u64,
    draft: Draft,
) -> rusqlite::Result<Appended> {
    let Draft { from, body, weight, check, meta, is_question, .. } = draft;
    let (seq, at) = (counters.head + 1, stamp(counters.at, wall_ms));
    if seq >= SEQ_END {
        return Ok(Appended::Refused(LogFault::Full));
    }
    let record = Record { seq, at, from, body, weight };
    if is_question {
        return Ok(known_cid(db, room, &record)?.unwrap_or(Appended::Unknown));
    }
    if let Some(known) = note_cid(db, room, &record)? {
        return Ok(known);
    }
    if let Some(field) = effects::missing_reference(db, room, &record.body)? {
        forget_cid(db, room, &record)?;
        return Ok(Appended::NoSuchReference(field));
    }
    let target = match check.map(|check| edits::find(db, room, &record, check)).transpose()? {
        Some(Err(refused)) => return Ok(refused),
        Some(Ok(target)) => Some(target),
        None => None,
    };
    let about = target.as_ref().map(Stored::record);
    if let Some((seq, at)) = effects::since(db, room, (about, &record), *counters)? {
        return Ok(Appended::Duplicate { seq, at });
    }
    if let Some(target) = target {
        edits::apply(db, room, (target, &record), counters)?;
    }
    record_row::write(&mut *db.prepare_cached(record_row::INSERT)?, room, &record)?;
    for meta in &meta {
        room_meta::write(db, room, meta)?;
        room_meta::sign(db, room, meta, &record)?;
    }
    let bytes = counters.bytes.saturating_add(record_row::text_bytes(&record));
    *counters = RoomCounters { head: seq, at, bytes, ..*counters };
    Ok(Appended::Stored(SharedRecord::new(record)))
}

/// Stores the `cid` of a message that has one, or returns the answer if it is known.
///
/// Nearly all are new, and an insertion finds out whether this one is: a query before it would cost
/// each message a second search of the index.
fn note_cid(db: &Connection, room: i64, record: &Record) -> rusqlite::Result<Option<Appended>> {
    let Body::Message { cid: Some(cid), .. } = &record.body else { return Ok(None) };
    let hash = content_hash(&record.body);
    let sql = "INSERT INTO sent (room, sender, cid, seq, at, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
               ON CONFLICT (room, sender, cid) DO NOTHING";
    let (seq, at) = (signed(record.seq), signed(record.at));
    let row = params![room, record.from.as_str(), &**cid, seq, at, hash];
    if db.prepare_cached(sql)?.execute(row)? == 1 {
        return Ok(None);
    }
    known_cid(db, room, record)
}

/// The answer to a message whose `cid` is known, if it is.
fn known_cid(db: &Connection, room: i64, record: &Record) -> rusqlite::Result<Option<Appended>> {
    let Body::Message { cid: Some(cid), .. } = &record.body else { return Ok(None) };
    let sql = "SELECT seq, at, hash FROM sent WHERE room = ?1 AND sender = ?2 AND cid = ?3";
    let known = params![room, record.from.as_str(), &**cid];
    let known = db.prepare_cached(sql)?.query_one(known, |row| {
        Ok((unsigned(row.get(0)?), unsigned(row.get(1)?), row.get::<_, i64>(2)?))
    });
    Ok(known.optional()?.map(|(seq, at, known)| {
        if known == content_hash(&record.body) {
            Appended::Duplicate { seq, at }
        } else {
            Appended::Conflict { seq }
        }
    }))
}

/// The message was not stored: its `cid` may be used again.
fn forget_cid(db: &Connection, room: i64, record: &Record) -> rusqlite::Result<()> {
    let Body::Message { cid: Some(cid), .. } = &record.body else { return Ok(()) };
    let sql = "DELETE FROM sent WHERE room = ?1 AND sender = ?2 AND cid = ?3";
    db.prepare_cached(sql)?.execute(params![room, record.from.as_str(), &**cid]).map(drop)
}

/// A hash of what is sent with a `cid`. It is stored: the function never changes.
fn content_hash(body: &Body) -> i64 {
    let Body::Message { text, data, cid: Some(_), reply_to, thread, .. } = body else { return 0 };
    let mut hash = sha1_smol::Sha1::new();
    // The length before each part keeps apart texts that are divided differently.
    for part in [Some(&**text), data.as_deref()] {
        let len = part.map_or(u64::MAX, |part| u64::try_from(part.len()).unwrap_or(u64::MAX));
        hash.update(&len.to_le_bytes());
        hash.update(part.unwrap_or_default().as_bytes());
    }
    for seq in [reply_to, thread] {
        hash.update(&seq.unwrap_or(u64::MAX).to_le_bytes());
    }
    let digest = hash.digest().bytes();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    i64::from_le_bytes(first) & i64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, data: Option<&str>, reply_to: Option<u64>, thread: Option<u64>) -> Body {
        let data = data.map(Into::into);
        Body::Message {
            text: text.into(),
            data,
            cid: Some("c".into()),
            reply_to,
            thread,
            edited: None,
        }
    }

    #[test]
    fn the_hash_tells_every_part_apart_and_stays_as_it_is() {
        let bodies = [
            message("a", None, None, None),
            message("a", Some(""), None, None),
            message("", Some("a"), None, None),
            message("a", None, Some(1), None),
            message("a", None, None, Some(1)),
            message("b", None, None, None),
        ];
        let hashes: std::collections::BTreeSet<_> = bodies.iter().map(content_hash).collect();
        assert_eq!(hashes.len(), bodies.len());
        // It is stored: a change of the function would take every retry for another message.
        assert_eq!(content_hash(&bodies[0]), 5_546_327_993_877_899_962);
    }
}
