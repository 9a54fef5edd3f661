//! Appending one record to a log, within the transaction of its batch.

use rusqlite::{CachedStatement, Connection};

use super::cids::{self, CidKey};
use super::edits::{self, Stored};
use super::effects;
use super::files;
use super::message_threads;
use super::outbox;
use super::record_row::{self, INSERT};
use super::room_meta;
use super::room_row::RoomCounters;
use super::tail::Tail;
use crate::chat::model::limits::SEQ_END;
use crate::chat::model::log::{Appended, Draft, LogFault};
use crate::chat::model::name::RoomName;
use crate::chat::model::record::{Record, SharedRecord, stamp};
use crate::chat::model::webhook;

/// What every record needs: taken out of the cache of statements once for all records in a row.
pub(super) struct Statements<'db> {
    cids: cids::Statements<'db>,
    insert: CachedStatement<'db>,
}

impl<'db> Statements<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        let (cids, insert) = (cids::Statements::prepare(db)?, db.prepare_cached(INSERT)?);
        Ok(Self { cids, insert })
    }
}

/// Appends a record and moves the counters, or says why not; then nothing has changed.
pub(super) fn append(
    (db, statements, tail): (&Connection, &mut Statements<'_>, &mut Tail),
    room: i64,
    counters: &mut RoomCounters,
    wall_ms: u64,
    draft: Draft,
) -> rusqlite::Result<Appended> {
    let Draft { from, body, weight, check, meta, is_question, is_unseen, .. } = draft;
    // The counters are those of memory, which the transaction puts back if it fails: the file is
    // not asked for the head.
    let (seq, at) = (counters.head + 1, stamp(counters.at, wall_ms));
    // 2^53: above it a client whose numbers are doubles would take two seqs for one.
    if seq >= SEQ_END {
        return Ok(Appended::Refused(LogFault::Full));
    }
    let record = Record { seq, at, from, body, weight };
    let key = tail.secret().key(room, &record);
    // Before anything is refused: a message that was stored once is acknowledged again, whatever
    // has happened to the room since.
    let parts = (db, &mut statements.cids, &*tail);
    if let Some(known) = known(parts, (room, key), &record, is_question)? {
        return Ok(known);
    }
    if let Some(refused) = effects::wrong_reference(db, room, &record.body)? {
        return Ok(refused);
    }
    if files::is_missing(db, record.from.as_str(), &record.body)? {
        return Ok(Appended::NoSuchReference("data"));
    }
    let target = match check.map(|check| edits::find(db, room, &record, check)).transpose()? {
        Some(Err(refused)) => return Ok(refused),
        Some(Ok(target)) => Some(target),
        None => None,
    };
    let about = target.as_ref().map(Stored::record);
    // After the checks of the target: a reaction to a message that is gone is refused, and not
    // answered as known.
    if let Some((seq, at)) = effects::since(db, room, (about, &record), *counters)? {
        return Ok(Appended::Duplicate { seq, at });
    }
    let bytes = counters.bytes;
    if let Some(target) = target {
        edits::apply((db, &tail.secret()), room, (target, &record), counters)?;
    }
    let is_changed = counters.bytes != bytes;
    // The tail answers for its `cid` from here on, also within the same batch; a batch that fails
    // takes back what it has put into it.
    // Ids rise over all rooms: webhooks read the file by them, in the order of the commits.
    let id = tail.push(key, &record);
    record_row::insert(&mut statements.insert, (room, id), &record)?;
    files::note(db, (room, record.seq), &record.body)?;
    // All that follows from a record is written in its transaction: a crash leaves all of it or
    // none.
    message_threads::note(db, room, &record)?;
    for meta in &meta {
        room_meta::write(db, room, meta)?;
        room_meta::sign(db, room, meta, &record)?;
    }
    if is_unseen {
        note_unseen(db, room, &record)?;
    }
    let bytes = counters.bytes.saturating_add(record_row::text_bytes(&record));
    *counters = RoomCounters { head: seq, at, bytes, ..*counters };
    if is_changed {
        // What the row says of earlier records is no longer so.
        counters.write(db, room)?;
    }
    Ok(Appended::Stored(SharedRecord::new(record)))
}

/// The answer to a record for which nothing is written: its `cid` is known, or it is only asked
/// whether it is.
pub(super) fn without_writing(
    (db, tail): (&Connection, &Tail),
    room: i64,
    draft: Draft,
) -> rusqlite::Result<Option<Appended>> {
    let Draft { from, body, weight, is_question, .. } = draft;
    let record = Record { seq: 0, at: 0, from, body, weight };
    let key = tail.secret().key(room, &record);
    let mut statements = cids::Statements::prepare(db)?;
    known((db, &mut statements, tail), (room, key), &record, is_question)
}

fn known(
    (db, statements, tail): (&Connection, &mut cids::Statements<'_>, &Tail),
    (room, key): (i64, Option<CidKey>),
    record: &Record,
    is_question: bool,
) -> rusqlite::Result<Option<Appended>> {
    let known = key.map(|key| tail.known((db, statements), (room, key), record)).transpose()?;
    // After the look-up, which is all that a question is about.
    Ok(known.flatten().or_else(|| is_question.then_some(Appended::Unknown)))
}

/// Tells the webhooks of a direct message whose recipient is not connected, in the transaction of
/// its record.
fn note_unseen(db: &Connection, room: i64, record: &Record) -> rusqlite::Result<()> {
    let sql = "SELECT name FROM room WHERE id = ?1";
    let name: String = db.prepare_cached(sql)?.query_one([room], |row| row.get(0))?;
    let notice = RoomName::stored(&name).map(|room| webhook::unseen(room, record, false));
    notice.map_or(Ok(()), |notice| outbox::put_notice(db, &notice))
}
