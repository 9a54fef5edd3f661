//! Edits and deletions: what they do to the message that they are about.

use rusqlite::{Connection, OptionalExtension as _};

use crate::chat::model::limits::RECORD_OVERHEAD;
use crate::chat::model::log::{Appended, LogFault, TargetCheck};
use crate::chat::model::record::{Body, Record};

use super::op::Tail;
use super::row::{self, COLUMNS, Columns, RowFault, signed};
use super::search;

/// A record that is there, with its row id.
pub(super) struct Stored {
    id: i64,
    record: Record,
}

/// Finds the target of a record, or says why it must not be touched.
pub(super) fn find(
    db: &Connection,
    room: i64,
    record: &Record,
    touch: TargetCheck,
) -> rusqlite::Result<Result<Stored, Appended>> {
    let sql = format!("SELECT {COLUMNS}, id FROM record WHERE room = ?1 AND seq = ?2");
    let found =
        db.prepare_cached(&sql)?.query_row([room, signed(touch.target)], read).optional()?;
    Ok(match found {
        None => Err(Appended::NoSuchMessage),
        Some(Err(fault)) => {
            log::error!(room, seq = touch.target, fault:% = fault; "a stored record is damaged");
            Err(Appended::Refused(LogFault::Corrupt))
        }
        Some(Ok(stored)) => match refusal(&stored.record, record, touch) {
            Some(refused) => Err(refused),
            None => Ok(stored),
        },
    })
}

fn refusal(target: &Record, record: &Record, touch: TargetCheck) -> Option<Appended> {
    if !matches!(target.body, Body::Message { .. }) {
        return Some(Appended::NoSuchMessage);
    }
    if !touch.others && target.from != record.from {
        return Some(Appended::NotYours);
    }
    (target.at < touch.not_before).then_some(Appended::TooOld)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<Stored, RowFault>> {
    let id = row.get("id")?;
    Ok(row::decode(row).map(|record| Stored { id, record }))
}

/// Does to the target what the record says.
pub(super) fn apply(
    db: &Connection,
    room: i64,
    (target, record): (Stored, &Record),
    tail: &mut Tail,
) -> rusqlite::Result<()> {
    match &record.body {
        Body::Edit { text: Some(text), .. } => edit(db, room, (target, record, text), tail),
        Body::Deletion { .. } => delete(db, room, target, tail),
        Body::Edit { text: None, .. }
        | Body::Message { .. }
        | Body::Deleted
        | Body::Reaction { .. }
        | Body::Topic { .. }
        | Body::Moderation { .. } => Ok(()),
    }
}

fn edit(
    db: &Connection,
    room: i64,
    (target, by, new): (Stored, &Record, &str),
    tail: &mut Tail,
) -> rusqlite::Result<()> {
    let Stored { id, mut record } = target;
    let before = Columns::of(room, &record).bytes();
    let author = record.from.as_str().len();
    if let Body::Message { text, data, cid, edited, .. } = &mut record.body {
        *text = new.into();
        *edited = Some(by.at);
        // The edit holds the same text. Nothing takes more than six bytes for one.
        let data = data.as_ref().map_or(0, |data| data.len());
        let rest = author + data + 6 * cid.as_ref().map_or(0, |cid| cid.len());
        record.weight = by.weight.saturating_add(u32::try_from(rest).unwrap_or(u32::MAX));
    }
    search::changed(db, id, room, Some(new))?;
    replace(db, room, &record, before, tail)
}

fn delete(db: &Connection, room: i64, target: Stored, tail: &mut Tail) -> rusqlite::Result<()> {
    let Stored { id, mut record } = target;
    let before = Columns::of(room, &record).bytes();
    let was_edited = matches!(record.body, Body::Message { edited: Some(_), .. });
    record.body = Body::Deleted;
    record.weight = record.weight.min(bare_weight(&record));
    search::changed(db, id, room, None)?;
    replace(db, room, &record, before, tail)?;
    if was_edited { erase_edits(db, room, record.seq, tail) } else { Ok(()) }
}

/// What a record without any text takes, with the longest name of a room.
fn bare_weight(record: &Record) -> u32 {
    let names = record.from.as_str().len() + crate::chat::model::name::DIRECT_LEN_MAX;
    u32::try_from(RECORD_OVERHEAD + names).unwrap_or(u32::MAX)
}

/// Takes the texts out of all edits of a message.
fn erase_edits(db: &Connection, room: i64, target: u64, tail: &mut Tail) -> rusqlite::Result<()> {
    let sql =
        format!("SELECT {COLUMNS}, id FROM record WHERE room = ?1 AND target = ?2 AND kind = 2");
    let edits: Vec<_> = db
        .prepare_cached(&sql)?
        .query_map([room, signed(target)], read)?
        .collect::<rusqlite::Result<_>>()?;
    for Stored { mut record, .. } in edits.into_iter().flatten() {
        let before = Columns::of(room, &record).bytes();
        record.body = Body::Edit { target, text: None };
        replace(db, room, &record, before, tail)?;
    }
    Ok(())
}

/// Writes a record over the one that took `before` bytes.
fn replace(
    db: &Connection,
    room: i64,
    record: &Record,
    before: u64,
    tail: &mut Tail,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(row::UPDATE)?;
    row::write(&mut statement, room, record)?;
    let after = Columns::of(room, record).bytes();
    tail.bytes = tail.bytes.saturating_sub(before).saturating_add(after);
    Ok(())
}
