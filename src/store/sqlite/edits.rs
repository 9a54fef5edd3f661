//! What an edit, a deletion or pruning does to rows; what it does to a record is in
//! [`model::edits`](crate::chat::model::edits).

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension as _};

use super::cids::CidSecret;
use super::integers::signed;
use super::record_row::{self, COLUMNS, RowFault};
use super::room_row::RoomCounters;
use super::search::index::{self, Indexed};
use crate::chat::model::edits;
use crate::chat::model::log::{Appended, LogFault, TargetCheck};
use crate::chat::model::record::{Body, Record};

/// A record that is stored, with its row id.
pub(super) struct Stored {
    id: i64,
    record: Record,
}

impl Stored {
    /// The record.
    pub(super) const fn record(&self) -> &Record {
        &self.record
    }
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
    (db, cids): (&Connection, &CidSecret),
    room: i64,
    (target, change): (Stored, &Record),
    counters: &mut RoomCounters,
) -> rusqlite::Result<()> {
    let Stored { id, record } = target;
    // The same function as for the rings in memory, so that both show one text.
    let Some(changed) = edits::apply(&record, change) else { return Ok(()) };
    // With what the record was before: its `cid` stands for the text that was sent with it.
    cids.keep_apart(db, (room, id), &record, change.at)?;
    if let Some(text) = record.body.text() {
        index::update(db, Indexed { id, room, text }, changed.body.text())?;
    }
    replace(db, room, (&record, &changed), counters)?;
    // Most messages have no earlier edits: no query is made for these.
    if !matches!(record.body, Body::Message { edited: Some(_), .. }) {
        return Ok(());
    }
    let targets = record.seq..record.seq + 1;
    change_edits(db, room, targets, counters, |edit| edits::apply(edit, change))
}

/// Takes the texts of the edits of messages that are pruned.
pub(super) fn prune(
    db: &Connection,
    room: i64,
    oldest: u64,
    counters: &mut RoomCounters,
) -> rusqlite::Result<()> {
    change_edits(db, room, 0..oldest, counters, |edit| edits::prune(edit, oldest))
}

/// Changes the edits of these messages that still have a text.
fn change_edits(
    db: &Connection,
    room: i64,
    targets: Range<u64>,
    counters: &mut RoomCounters,
    change: impl Fn(&Record) -> Option<Record>,
) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT {COLUMNS}, id FROM record WHERE room = ?1 AND target >= ?2 AND target < ?3 \
         AND kind = 2 AND text IS NOT NULL"
    );
    // Read to the end before the first is written: SQLite leaves open what a query finds in a table
    // that changes under it.
    let edits: Vec<_> = db
        .prepare_cached(&sql)?
        .query_map([room, signed(targets.start), signed(targets.end)], read)?
        .collect::<rusqlite::Result<_>>()?;
    for Stored { record, .. } in edits.into_iter().flatten() {
        if let Some(changed) = change(&record) {
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
