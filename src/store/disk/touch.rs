//! Edits and deletions: what they do to the message that they are about.

use rusqlite::{Connection, OptionalExtension as _};

use crate::chat::model::edits;
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
    Ok(row::decode(row).map(|record| Stored { id, record }))
}

/// Does to the target, and to the edits of it, what the change says.
pub(super) fn apply(
    db: &Connection,
    room: i64,
    (target, change): (Stored, &Record),
    tail: &mut Tail,
) -> rusqlite::Result<()> {
    let Stored { id, record } = target;
    let Some(changed) = edits::apply(&record, change) else { return Ok(()) };
    let text = match &changed.body {
        Body::Message { text, .. } => Some(&**text),
        _ => None,
    };
    search::changed(db, id, room, text)?;
    replace(db, room, (&record, &changed), tail)?;
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
            replace(db, room, (&record, &changed), tail)?;
        }
    }
    Ok(())
}

/// Writes a record over what it was before.
fn replace(
    db: &Connection,
    room: i64,
    (before, after): (&Record, &Record),
    tail: &mut Tail,
) -> rusqlite::Result<()> {
    row::write(&mut *db.prepare_cached(row::UPDATE)?, room, after)?;
    let bytes = |record| Columns::of(room, record).bytes();
    tail.bytes = tail.bytes.saturating_sub(bytes(before)).saturating_add(bytes(after));
    Ok(())
}
