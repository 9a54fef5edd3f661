//! What an edit or a deletion does to rows; what it does to a record is in
//! [`model::edits`](crate::chat::model::edits).

use rusqlite::{Connection, OptionalExtension as _};

use super::integers::signed;
use super::record_row::{self, COLUMNS, RowFault};
use super::room_row::RoomCounters;
use super::search::index;
use crate::chat::model::edits;
use crate::chat::model::log::{Appended, LogFault, TargetCheck};
use crate::chat::model::record::{Body, Record};

/// A record that is stored, with its row id.
pub(super) struct Stored {
    id: i64,
    record: Record,
}

/// Finds the target of a record, or says why it must not be changed by it.
pub(super) fn find(
    db: &Connection,
    room: i64,
    record: &Record,
    check: TargetCheck,
) -> rusqlite::Result<Result<Stored, Appended>> {
    let sql = format!("SELECT {COLUMNS}, id FROM record WHERE room = ?1 AND seq = ?2");
    let found =
        db.prepare_cached(&sql)?.query_row([room, signed(check.target)], read).optional()?;
    Ok(match found {
        None => Err(Appended::NoSuchMessage),
        Some(Err(fault)) => {
            log::error!(room, seq = check.target, fault:% = fault; "a stored record is damaged");
            Err(Appended::Refused(LogFault::Corrupt))
        }
        Some(Ok(stored)) => match edits::refusal(&stored.record, &record.from, &check) {
            Some(refused) => Err(refused),
            None => Ok(stored),
        },
    })
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<Stored, RowFault>> {
    let id = row.get("id")?;
    Ok(record_row::decode(row).map(|record| Stored { id, record }))
}

/// Changes the target, and the earlier edits of it, as the change says.
pub(super) fn apply(
    db: &Connection,
    room: i64,
    (target, change): (Stored, &Record),
    counters: &mut RoomCounters,
) -> rusqlite::Result<()> {
    let Stored { id, record } = target;
    let Some(changed) = edits::apply(&record, change) else { return Ok(()) };
    let text = match &changed.body {
        Body::Message { text, .. } => Some(&**text),
        _ => None,
    };
    index::update(db, id, room, text)?;
    replace(db, room, (&record, &changed), counters)?;
    // Only a deletion changes the earlier edits, and most messages have none: no query is made for
    // these.
    let was_edited = matches!(record.body, Body::Message { edited: Some(_), .. });
    if !was_edited || matches!(change.body, Body::Edit { .. }) {
        return Ok(());
    }
    let sql =
        format!("SELECT {COLUMNS}, id FROM record WHERE room = ?1 AND target = ?2 AND kind = 2");
    let earlier: Vec<_> = db
        .prepare_cached(&sql)?
        .query_map([room, signed(record.seq)], read)?
        .collect::<rusqlite::Result<_>>()?;
    for Stored { record, .. } in earlier.into_iter().flatten() {
        if let Some(changed) = edits::apply(&record, change) {
            replace(db, room, (&record, &changed), counters)?;
        }
    }
    Ok(())
}

/// Writes a record over what it was before.
fn replace(
    db: &Connection,
    room: i64,
    (before, after): (&Record, &Record),
    counters: &mut RoomCounters,
) -> rusqlite::Result<()> {
    record_row::write(&mut *db.prepare_cached(record_row::UPDATE)?, room, after)?;
    let bytes = counters.bytes.saturating_sub(record_row::text_bytes(before));
    counters.bytes = bytes.saturating_add(record_row::text_bytes(after));
    Ok(())
}
